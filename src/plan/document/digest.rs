//! A digest of the calls of a plan, the same with and without its secrets.

use std::io;

use serde::Serialize;

use super::layout::Digesting;
use super::lists::{BookkeepingRow, MoveRow};
use super::rows::ChangeRow;
use crate::model::{Account, AccountName, Environment, Lineage, SecretIndex};
use crate::plan::{After, Change, Destination, Plan};
use crate::secret::SecretReference;

/// The state and the credentials.
#[derive(Serialize)]
struct Head<'a> {
    environment: Environment,
    /// Left out for eSign, the usual destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<&'a Destination>,
    lineage: Option<Lineage>,
    serial: u64,
    accounts: Vec<(&'a AccountName, &'a Account)>,
}

/// A change, with its secrets by reference instead of position and fingerprint.
#[derive(Serialize)]
struct Row<'a> {
    change: ChangeRow,
    key: Option<&'a SecretReference>,
    token: Option<&'a SecretReference>,
}

/// The digest of the calls, as `sha256:` and hexadecimal digits.
///
/// Plans with equal digests have the same calls, in the same order, to the same destination, with the same secret
/// references, on the same serial of the same state. Fingerprints are not covered, so that a plan without secrets
/// and one with them have the same digest exactly if no key and no token changed. The checksum of a saved plan, in
/// contrast, covers every byte.
pub fn calls_digest(plan: &Plan) -> String {
    let mut digesting = Digesting::new(io::sink());
    let called = |name: &AccountName| {
        plan.organizations.iter().any(|organization| {
            organization.scope.account == *name
                && organization.changes.iter().any(|c| c.calls().count() > 0)
        })
    };
    let head = Head {
        environment: plan.environment,
        destination: Some(&plan.destination).filter(|d| **d != Destination::Esign),
        lineage: plan.lineage,
        serial: plan.serial,
        accounts: plan.accounts.iter().filter(|(n, _)| called(n)).collect(),
    };
    put(&mut digesting, &head);
    for organization in &plan.organizations {
        for change in &organization.changes {
            if change.calls().count() == 0 {
                continue;
            }
            let after = change.after();
            let reference = |index: SecretIndex| plan.secrets.get(index.0 as usize);
            let row = Row {
                change: ChangeRow::new(organization, &without_secrets(change)),
                key: after.and_then(|after| after.key).and_then(reference),
                token: after.and_then(|after| after.token).and_then(reference),
            };
            put(&mut digesting, &row);
        }
    }
    for item in &plan.moves {
        put(&mut digesting, &MoveRow::from(item));
    }
    for item in &plan.bookkeeping {
        put(&mut digesting, &BookkeepingRow::from(item));
    }
    format!("sha256:{}", digesting.finish().1)
}

/// JSON values need no separator, because their ends are unambiguous.
fn put(digesting: &mut Digesting<io::Sink>, value: &impl Serialize) {
    serde_json::to_writer(digesting, value).expect("a sink takes everything");
}

fn without_secrets(change: &Change) -> Change {
    let mut bare = change.clone();
    if let Some(After {
        key,
        token,
        same,
        fingerprints: _,
        protect: _,
    }) = bare.after_mut()
    {
        *key = key.map(|_| SecretIndex(0));
        *token = token.map(|_| SecretIndex(0));
        *same = None;
    }
    bare
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Same, arbitrary};

    proptest! {
        #[test]
        fn it_is_of_the_calls_and_not_of_the_secrets(plan in arbitrary::plan()) {
            let digest = calls_digest(&plan);
            let mut blind = plan.clone();
            for change in blind.organizations.iter_mut().flat_map(|o| &mut o.changes) {
                if let Some(after) = change.after_mut() {
                    after.same = after.same.is_none().then(Same::default);
                }
            }
            blind.salt = crate::model::Salt([9; 16]);
            blind.summary.not_checked += 1;
            prop_assert_eq!(&calls_digest(&blind), &digest);

            let mut later = plan.clone();
            later.serial += 1;
            prop_assert_ne!(&calls_digest(&later), &digest);

            let mut elsewhere = plan.clone();
            elsewhere.destination = match plan.destination {
                Destination::Sandbox => Destination::Esign,
                Destination::Esign | Destination::Endpoint(_) => Destination::Sandbox,
            };
            prop_assert_ne!(&calls_digest(&elsewhere), &digest);

            let mut less = plan;
            let has_calls = |change: &Change| change.calls().count() > 0;
            let some = less.organizations.iter_mut().find(|o| o.changes.iter().any(has_calls));
            if let Some(organization) = some {
                organization.changes.retain(|change| !has_calls(change));
                prop_assert_ne!(&calls_digest(&less), &digest);
            }
        }
    }
}
