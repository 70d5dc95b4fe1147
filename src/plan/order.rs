//! The order of a plan's changes, what they add up to, and walking two sorted sequences together.

use super::{Change, Reason, Summary};
use crate::model::{Action, Calls, Effect, Evidence};

/// Adds and heals, then replaces, then deletes, then what needs no call. Within each the new before
/// the healed, of the healed those that messages do not reach first, then by age of their proof, all else by address.
pub(super) fn order(change: &Change) -> impl Ord + '_ {
    let class = match change.calls() {
        Calls::Add => 0,
        Calls::Replace => 1,
        Calls::Delete => 2,
        Calls::Nothing => 3,
    };
    let healed = change.action == Action::Heal;
    let before = change.before.as_ref().filter(|_| healed);
    let proved_at = before.and_then(|before| before.proved_at);
    let arrives = before.is_some_and(|before| before.missing.is_none());
    (class, healed, arrives, proved_at, &change.address)
}

impl Summary {
    pub(super) fn count(&mut self, change: &Change) {
        match change.action {
            Action::Add => self.add += 1,
            Action::Replace => self.replace += 1,
            Action::Delete => self.delete += 1,
            Action::Heal => self.heal += 1,
            Action::Finish => self.finish += 1,
            Action::NoOp => self.count_unchanged(change),
        }
        let calls = change.calls();
        self.calls += calls.count();
        let Effect {
            added,
            changed,
            destroyed,
        } = calls.effect(change.action);
        self.to_add += added;
        self.to_change += changed;
        self.to_destroy += destroyed;
        self.deletes_by_omission += usize::from(change.is_by_omission());
    }

    fn count_unchanged(&mut self, change: &Change) {
        if change.reason == Reason::Suspended {
            self.suspended += 1;
            return;
        }
        if change.reason == Reason::Disabled {
            self.disabled += 1;
            return;
        }
        // It is changed, by a later plan.
        if change.reason == Reason::RotationWaits {
            self.waiting += 1;
            return;
        }
        self.unchanged += 1;
        self.not_checked += usize::from(change.reason == Reason::NotChecked);
        if let Some(before) = &change.before {
            self.missing += usize::from(before.missing.is_some());
            self.unproven += usize::from(before.belief.evidence() == Evidence::Assumed);
            self.oldest_proof = match (self.oldest_proof, before.proved_at) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            };
        }
    }
}

/// Two sorted, disjoint sequences as one.
pub(super) fn merge<K: Ord, V>(
    one: impl Iterator<Item = (K, V)>,
    two: impl Iterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, V)> {
    let (mut one, mut two) = (one.peekable(), two.peekable());
    std::iter::from_fn(move || match (one.peek(), two.peek()) {
        (Some((first, _)), Some((second, _))) if second < first => two.next(),
        (Some(_), _) => one.next(),
        (None, _) => two.next(),
    })
}

/// Visits every key of two sorted sequences once, with what each has for it.
pub(super) fn join<K: Ord + Copy, A, B>(
    one: impl Iterator<Item = (K, A)>,
    two: impl Iterator<Item = (K, B)>,
    mut visit: impl FnMut(K, Option<A>, Option<B>),
) {
    let (mut one, mut two) = (one.peekable(), two.peekable());
    loop {
        let key = match (one.peek(), two.peek()) {
            (Some((first, _)), Some((second, _))) => *first.min(second),
            (Some((first, _)), None) => *first,
            (None, Some((second, _))) => *second,
            (None, None) => return,
        };
        let left = one
            .next_if(|(first, _)| *first == key)
            .map(|(_, value)| value);
        let right = two
            .next_if(|(second, _)| *second == key)
            .map(|(_, value)| value);
        visit(key, left, right);
    }
}
