//! All that a plan says of the values of declared secrets.
//!
//! A person who may plan can put a token that they don't know beside a key that they do, or under many
//! URLs. Were a fingerprint of it shown, they could try guesses until one has the same. So a plan shows
//! and saves no fingerprint but those that the state has already, which values equal them ([`Same`]), and
//! one byte of each value that is sent ([`Check`]).

use std::collections::BTreeMap;

use super::{Plan, Same, Steps};
use crate::model::{Address, Fingerprints, SecretIndex};
use crate::secret::Check;

/// The fingerprints of every pair of key and token that is declared.
pub type FingerprintTable = BTreeMap<(Option<SecretIndex>, Option<SecretIndex>), Fingerprints>;

/// Why a plan that was read back can't be applied with the secrets of now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// There is nothing to compare with.
    #[error(
        "the plan was made without secrets (--no-secrets), so the key and token that {0} was to get are unknown"
    )]
    NotPlanned(Address),
    /// Another value than the plan was made with.
    #[error("the key or token of {0} has another value now than when the plan was made")]
    Changed(Address),
}

impl Plan {
    /// Adds to a plan that was read back what only the values of its secrets tell, for the record.
    ///
    /// # Errors
    /// The first add whose secrets have other values than those that the plan was made with, or that was
    /// planned without them.
    pub fn learn(
        &mut self,
        fingerprints: &FingerprintTable,
        checks: &BTreeMap<SecretIndex, Check>,
    ) -> Result<(), Unlike> {
        let planned = &self.checks;
        let changes = self
            .organizations
            .iter_mut()
            .flat_map(|organization| &mut organization.changes);
        for change in changes {
            let (Steps::Add(after) | Steps::Replace(after)) = &mut change.steps else {
                continue;
            };
            let declared = fingerprints.get(&(after.key, after.token)).copied();
            let same = declared.map(|declared| Same::of(change.before.as_ref(), declared));
            let sent = [after.key, after.token].into_iter().flatten();
            let unchanged = |index: SecretIndex| {
                let now = checks.get(&index);
                now.is_some() && now == planned.get(&index)
            };
            if after.same.is_none() {
                return Err(Unlike::NotPlanned(change.address.clone()));
            }
            if same != after.same || !sent.into_iter().all(unchanged) {
                return Err(Unlike::Changed(change.address.clone()));
            }
            after.fingerprints = declared;
        }
        Ok(())
    }
}
