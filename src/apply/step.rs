//! One call of a change: what is recorded of it before it leaves, and what is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    Call, Calls, Fingerprints, Identity, Intent, Nonce, Operation, SecretIndex, SignedWrite,
    Timestamp, Write,
};
use crate::plan::{After, Change, OrganizationPlan};
use crate::secret::Secret;

/// An add with what it writes, or a delete.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'p> {
    Add(&'p After),
    Delete,
}

impl Step<'_> {
    /// What is recorded of it: secrets by their fingerprints only.
    pub(super) fn write(self) -> Write {
        match self {
            // A plan whose secrets were not resolved is refused before it gets here.
            Self::Add(after) => Write::Add(after.fingerprints.unwrap_or(Fingerprints {
                key: None,
                token: None,
            })),
            Self::Delete => Write::Delete,
        }
    }

    /// What the journal says before it leaves.
    pub(super) fn intent(
        self,
        organization: &OrganizationPlan,
        change: &Change,
        (signed_at, nonce): (Timestamp, Option<Nonce>),
    ) -> Intent {
        Intent {
            identity: Identity {
                scope: Arc::clone(&organization.scope),
                url: change.address.url.clone(),
            },
            handle: change.address.handle.clone(),
            operator: change.operator.clone(),
            protect: change.is_protected(),
            call: SignedWrite {
                write: self.write(),
                signed_at,
            },
            nonce,
        }
    }

    pub(super) fn call(
        self,
        organization: &OrganizationPlan,
        change: &Change,
        nonce: Option<Nonce>,
        secrets: &BTreeMap<SecretIndex, Secret>,
    ) -> Call {
        let secret = |index| secrets.get(&index).cloned();
        let (operation, new_connection) = match self {
            Self::Add(After {
                key,
                token,
                same: _,
                fingerprints: _,
                protect: _,
            }) => {
                let (key, token) = (key.and_then(secret), token.and_then(secret));
                (Operation::Add { key, token }, false)
            }
            // A connection that is just being closed would lose a delete whose add follows, and the lost
            // delete costs a fence.
            Self::Delete => (Operation::Delete, change.calls() == Calls::Replace),
        };
        Call {
            scope: Arc::clone(&organization.scope),
            operator: change.operator.clone(),
            url: change.address.url.clone(),
            operation,
            nonce,
            new_connection,
        }
    }
}
