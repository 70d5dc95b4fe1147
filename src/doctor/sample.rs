//! Which organizations are probed without `--all`.

use std::collections::BTreeMap;

use crate::model::{OperatorId, Organization};

/// So many of each operator.
const OF_EACH: usize = 3;

/// The organizations of one account to probe: all, or for each operator the first few, of which the account's own
/// organization comes before members. In the order of the configuration.
pub fn sample<'o>(organizations: &[&'o Organization], all: bool) -> Vec<&'o Organization> {
    let mut candidates: Vec<&'o Organization> = organizations.to_vec();
    if !all {
        candidates.sort_by_key(|one| one.scope.organization.is_some());
        let mut taken: BTreeMap<&OperatorId, usize> = BTreeMap::new();
        candidates.retain(|one| {
            let count = taken.entry(&one.operator).or_default();
            *count += 1;
            *count <= OF_EACH
        });
    }
    candidates.sort_by(|one, other| one.handle.cmp(&other.handle));
    candidates
}
