//! What waits for one target, and what the target was told of each condition.
//!
//! A newer notice replaces one about the same condition that still waits. That something is over is told only to who was
//! told that it began: when both would wait, or the beginning was given up, neither is sent.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a queue is a value"
)]

use std::collections::{BTreeMap, VecDeque};

use super::condition::Key;
use super::memory::{News, Notice};
use super::ticket::{End, Ticket};

/// How many notices wait for a target. Beyond that the oldest are dropped.
pub(super) const MOST_WAITING: usize = 200;

/// A notice on its way to one target.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) notice: Notice,
    pub(super) ticket: Ticket,
}

impl Waiting {
    const fn key(&self) -> &Key {
        &self.notice.condition.key
    }

    fn is_over(&self) -> bool {
        match self.notice.news {
            News::Resolved => true,
            News::Appeared | News::Changed | News::Lasting => false,
        }
    }
}

/// Whether a target was told of a condition since it appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    No,
    /// A message that says so is being sent.
    Perhaps,
    Yes,
}

/// The queue of one target.
#[derive(Debug)]
pub(super) struct Queue {
    /// The name of the target, in tickets.
    name: String,
    waiting: VecDeque<Waiting>,
    /// Of conditions that appeared since this process began. Of others it is not known.
    shown: BTreeMap<Key, Shown>,
}

impl Queue {
    pub(super) const fn new(name: String) -> Self {
        Self {
            name,
            waiting: VecDeque::new(),
            shown: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a notice. How many were dropped for it, because too many wait.
    pub(super) fn put(&mut self, one: Waiting) -> u64 {
        let key = one.key().clone();
        self.replace(&key);
        if one.is_over() {
            if self.shown.get(&key) == Some(&Shown::No) {
                self.shown.remove(&key);
                one.ticket.end(&self.name, End::GivenUp);
                return 0;
            }
        } else if one.notice.news == News::Appeared && !key.kind.is_momentary() {
            self.shown.entry(key).or_insert(Shown::No);
        }
        let mut dropped = 0;
        if self.waiting.len() == MOST_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            oldest.ticket.end(&self.name, End::GivenUp);
            dropped = 1;
        }
        self.waiting.push_back(one);
        dropped
    }

    /// Removes what waits about the same.
    fn replace(&mut self, key: &Key) {
        let Self {
            name,
            waiting,
            shown,
        } = self;
        waiting.retain(|before| {
            let is_other = before.key() != key;
            if !is_other {
                before.ticket.end(name, End::GivenUp);
                if before.is_over() {
                    // It was not told that this was over.
                    shown.insert(key.clone(), Shown::Yes);
                }
            }
            is_other
        });
    }

    /// What the next message is made of.
    pub(super) fn take(&mut self, most: usize) -> Vec<Waiting> {
        let count = self.waiting.len().min(most);
        let taken: Vec<_> = self.waiting.drain(..count).collect();
        for one in taken.iter().filter(|one| !one.is_over()) {
            if let Some(shown @ Shown::No) = self.shown.get_mut(one.key()) {
                *shown = Shown::Perhaps;
            }
        }
        taken
    }

    /// A message has ended. `None` if it would be repeated, if the program went on.
    pub(super) fn ended(&mut self, message: &[Waiting], how: Option<End>) {
        let is_taken = how == Some(End::Taken);
        for one in message {
            if let Some(how) = how {
                one.ticket.end(&self.name, how);
            }
            let key = one.key();
            if !one.is_over() {
                if let Some(shown @ (Shown::No | Shown::Perhaps)) = self.shown.get_mut(key) {
                    *shown = if is_taken { Shown::Yes } else { Shown::No };
                }
            } else if !is_taken {
                self.shown.insert(key.clone(), Shown::Yes);
            } else if self.waiting.iter().any(|next| next.key() == key) {
                // It returned meanwhile.
                self.shown.insert(key.clone(), Shown::No);
            } else {
                self.shown.remove(key);
            }
        }
        self.forget_ends();
    }

    /// Removes that something is over which the target was never told of.
    fn forget_ends(&mut self) {
        let Self {
            name,
            waiting,
            shown,
        } = self;
        waiting.retain(|one| {
            let is_known = !one.is_over() || shown.get(one.key()) != Some(&Shown::No);
            if !is_known {
                shown.remove(one.key());
                one.ticket.end(name, End::GivenUp);
            }
            is_known
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::notify::tests::notice;

    const NAME: &str = "wecom";

    /// What happens to a queue, one step after the other.
    #[derive(Clone, Copy)]
    enum Step {
        Put(News),
        /// A message leaves, and ends so.
        Send(Option<End>),
        /// A message leaves; before it ends so, this is put.
        Meanwhile(News, Option<End>),
    }

    fn waiting(about: &str, news: News) -> Waiting {
        Waiting {
            notice: Notice {
                news,
                ..notice(about)
            },
            ticket: Ticket::new(BTreeSet::from([NAME.to_owned()])),
        }
    }

    /// The news that were sent, whether they were taken or not; and that no ticket stays open.
    fn sent(steps: &[Step]) -> Vec<News> {
        let mut queue = Queue::new(NAME.to_owned());
        let (mut sent, mut tickets) = (Vec::new(), Vec::new());
        let put = |queue: &mut Queue, news, tickets: &mut Vec<Ticket>| {
            let one = waiting("a", news);
            tickets.push(one.ticket.clone());
            queue.put(one);
        };
        let ends = [Step::Send(Some(End::Taken))];
        let mut goes_on = true;
        for step in steps.iter().chain(&ends) {
            let (between, how) = match *step {
                Step::Put(news) => {
                    put(&mut queue, news, &mut tickets);
                    continue;
                }
                Step::Send(how) => (None, how),
                Step::Meanwhile(news, how) => (Some(news), how),
            };
            goes_on &= how.is_some();
            let message = queue.take(9);
            if let Some(news) = between {
                put(&mut queue, news, &mut tickets);
            }
            queue.ended(&message, how);
            sent.extend(message.iter().map(|one| one.notice.news));
        }
        assert!(!goes_on || tickets.iter().all(|ticket| !ticket.is_open(NAME)));
        sent
    }

    #[test]
    fn the_end_of_what_was_never_told_is_not_told() {
        use News::{Appeared, Changed, Resolved};
        use Step::{Meanwhile, Put, Send};
        let (taken, failed) = (Some(End::Taken), Some(End::GivenUp));
        for (steps, expected) in [
            (vec![Put(Appeared), Put(Resolved)], vec![]),
            (vec![Put(Appeared), Put(Changed), Put(Resolved)], vec![]),
            (
                vec![Put(Appeared), Send(failed), Put(Resolved)],
                vec![Appeared],
            ),
            (
                vec![Put(Appeared), Meanwhile(Resolved, failed)],
                vec![Appeared],
            ),
            (
                vec![Put(Appeared), Meanwhile(Resolved, None)],
                vec![Appeared],
            ),
            // What was told, or may have been before this process began, is.
            (vec![Put(Resolved)], vec![Resolved]),
            (vec![Put(Changed), Put(Resolved)], vec![Resolved]),
            (
                vec![Put(Appeared), Send(taken), Put(Resolved)],
                vec![Appeared, Resolved],
            ),
            (
                vec![Put(Appeared), Meanwhile(Resolved, taken)],
                vec![Appeared, Resolved],
            ),
            (
                vec![
                    Put(Appeared),
                    Send(failed),
                    Put(Changed),
                    Send(taken),
                    Put(Resolved),
                ],
                vec![Appeared, Changed, Resolved],
            ),
        ] {
            assert_eq!(sent(&steps), expected);
        }
    }

    #[test]
    fn the_last_that_a_target_hears_is_true() {
        use News::{Appeared, Resolved};
        use Step::{Meanwhile, Put, Send};
        let (taken, failed) = (Some(End::Taken), Some(End::GivenUp));
        let begins = [Put(Appeared), Send(taken)];
        for (steps, last) in [
            (vec![Put(Resolved), Put(Appeared), Put(Resolved)], Resolved),
            (vec![Put(Resolved), Put(Appeared)], Appeared),
            (
                vec![Put(Resolved), Send(failed), Put(Appeared), Put(Resolved)],
                Resolved,
            ),
            (
                vec![Put(Resolved), Meanwhile(Appeared, failed), Put(Resolved)],
                Resolved,
            ),
            // The one end that was told is that of both.
            (
                vec![Put(Resolved), Meanwhile(Appeared, taken), Put(Resolved)],
                Resolved,
            ),
        ] {
            assert_eq!(sent(&[&begins[..], &steps].concat()).last(), Some(&last));
            // The same when another process has told that it began.
            assert_eq!(sent(&steps).last(), Some(&last));
        }
        let returned = vec![Put(Resolved), Meanwhile(Appeared, taken), Put(Resolved)];
        let all = sent(&[&begins[..], &returned].concat());
        assert_eq!(all, [Appeared, Resolved]);
    }

    #[test]
    fn others_are_not_touched_and_beyond_so_many_the_oldest_are_dropped() {
        let mut queue = Queue::new(NAME.to_owned());
        let dropped: u64 = (0..=MOST_WAITING)
            .map(|number| queue.put(waiting(&number.to_string(), News::Appeared)))
            .sum();
        assert_eq!((dropped, queue.len()), (1, MOST_WAITING));
        // The first one was dropped, and the second one waits.
        queue.put(waiting("0", News::Resolved));
        queue.put(waiting("1", News::Resolved));
        assert_eq!(queue.len(), MOST_WAITING - 1);
        assert_eq!(queue.take(1)[0].key().about, "2");
    }
}
