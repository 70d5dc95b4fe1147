//! `--heal`: adds again what is there, in case someone else deleted it; first what messages say is missing.
//! `--heal-only` leaves everything else for another apply.

use super::build::{Builder, Heal};
use super::decide::Verdict;
use super::{Reason, Steps};
use crate::model::{Action, Calls, Entry, Write};

impl Builder<'_> {
    /// Turns unchanged callbacks into heals, as far as the budget of calls goes: first those that messages do not reach,
    /// then the one whose proof is oldest.
    pub(super) fn heal(&mut self) {
        let Some(Heal {
            proved_before,
            proved_by,
            max_calls,
            only: _,
        }) = self.options.heal
        else {
            return;
        };
        let calls: usize = self
            .organizations
            .iter()
            .flat_map(|organization| &organization.changes)
            .map(|c| c.calls().count())
            .sum();
        let mut due = Vec::new();
        for (at, position) in &self.unchanged {
            let change = &self.organizations[*at].changes[*position];
            let before = change.before.as_ref();
            let proved_at = before.and_then(|before| before.proved_at);
            let proved_at = proved_at.filter(|at| proved_by.is_none_or(|now| *at <= now));
            let missing = before.is_some_and(|before| before.missing.is_some());
            let is_old = |limit| proved_at.is_none_or(|at| at < limit);
            if missing || proved_before.is_none_or(is_old) {
                due.push((!missing, proved_at, &change.address, *at, *position));
            }
        }
        due.sort_unstable();
        let budget = max_calls.map_or(due.len(), |most| most.saturating_sub(calls).min(due.len()));
        self.summary.heal_deferred = due.len() - budget;
        let chosen: Vec<_> = due[..budget]
            .iter()
            .map(|(arrives, _, _, at, position)| (*arrives, *at, *position))
            .collect();
        for (arrives, at, position) in chosen {
            let change = &mut self.organizations[at].changes[position];
            let steps = std::mem::replace(&mut change.steps, Steps::Nothing(None));
            if let Steps::Nothing(Some(after)) = steps {
                change.action = Action::Heal;
                change.steps = Steps::Add(after);
                change.reason = if arrives {
                    Reason::HealDue
                } else {
                    Reason::Missing
                };
            }
        }
    }

    /// Whether `--heal-only` leaves this for another apply: all that is called, but for a lost call that is made again.
    pub(super) fn is_left_for_apply(&mut self, entry: Option<&Entry>, decided: Verdict) -> bool {
        let lost = entry.and_then(|entry| entry.lost);
        let is_again = match (lost.map(|lost| lost.write), decided.calls) {
            (Some(Write::Add(_)), Calls::Add) | (Some(Write::Delete), Calls::Delete) => true,
            (None | Some(_), Calls::Nothing | Calls::Add | Calls::Delete | Calls::Replace) => false,
        };
        let is_left = decided.calls != Calls::Nothing && !is_again;
        self.summary.left_for_apply += usize::from(is_left);
        is_left
    }

    pub(super) fn heals_only(&self) -> bool {
        self.options.heal.is_some_and(|heal| heal.only)
    }
}
