//! Makes a change of what was decided and of what is recorded.

use super::decide::{Verdict, Wanted};
use super::{After, Before, Change, Same, Steps};
use crate::model::{Address, Calls, Entry, OperatorId};

pub(super) fn assemble(
    address: Address,
    operator: OperatorId,
    verdict: Verdict,
    entry: Option<&Entry>,
    (wanted, after): (Wanted, Option<After>),
) -> Change {
    let Verdict {
        action,
        calls,
        reason,
        fenced,
    } = verdict;
    let before = entry.map(|entry| Before {
        belief: entry.belief,
        protect: entry.protect,
        proved_at: entry.proved_at(),
        missing: entry.sighting.missing,
    });
    let same = |after: &After| Some(Same::of(before.as_ref(), after.fingerprints?));
    let after = after.map(|after| After {
        same: same(&after),
        ..after
    });
    Change {
        address,
        operator,
        action,
        steps: steps(calls, wanted, after),
        reason,
        fence: entry.and_then(|entry| entry.lost).filter(|_| fenced),
        before,
    }
}

fn steps(calls: Calls, wanted: Wanted, after: Option<After>) -> Steps {
    match (calls, wanted, after) {
        (Calls::Nothing, _, after) => Steps::Nothing(after),
        (Calls::Add, _, Some(after)) => Steps::Add(after),
        (Calls::Replace, _, Some(after)) => Steps::Replace(after),
        (Calls::Delete, Wanted::Gone(deletion, _), None) => Steps::Delete(deletion),
        (Calls::Add | Calls::Replace, _, None) | (Calls::Delete, _, _) => {
            unreachable!("only what is declared is added, and only what is not is deleted")
        }
    }
}
