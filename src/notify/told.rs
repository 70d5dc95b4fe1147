//! What several programs tell together: each message once.
//!
//! Each program has a memory of its own. What it would tell, it looks up among what was told by all of them, which they
//! keep in a common place. Who tells writes that there, before another one looks.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "time is an argument"
)]

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{DAY, News, Notice, SKEW};
use crate::model::{Timestamp, Told, ToldAs};

/// In seconds: how long it is kept what was told. Longer than anything is compared with.
const KEPT: i64 = 2 * DAY;
/// How many are kept at most. Beyond that the oldest are forgotten, and may be told twice.
const MOST: usize = 1_000;

impl Notice {
    /// Whether the same was told already, by any program.
    pub fn is_told(&self, told: &BTreeMap<String, Told>, now: Timestamp) -> bool {
        let Some(last) = told.get(&self.condition.key.to_string()) else {
            return false;
        };
        let age = now.seconds_since(last.at);
        if age < -SKEW {
            return false;
        }
        match (self.news, last.is) {
            (News::Resolved, is) => is == ToldAs::Resolved,
            (_, ToldAs::Resolved) => false,
            (News::Appeared | News::Changed, ToldAs::Present) => {
                age < DAY && last.content == self.content()
            }
            // Each of them has its own day. Half of one is more than clocks differ, and less than the next message is away.
            (News::Lasting, ToldAs::Present) => age < DAY / 2,
        }
    }

    /// Records that it was told, and to which targets it is still owed. This process sends it to them for a while.
    pub fn record(&self, told: &mut BTreeMap<String, Told>, to: BTreeSet<String>, now: Timestamp) {
        let one = Told {
            is: match self.news {
                News::Appeared | News::Changed | News::Lasting => ToldAs::Present,
                News::Resolved => ToldAs::Resolved,
            },
            content: self.content(),
            since: self.since,
            at: now,
            owed: self.owed(to, now),
        };
        told.insert(self.condition.key.to_string(), one);
        told.retain(|_, one| now.seconds_since(one.at) < KEPT);
        while told.len() > MOST {
            let oldest = told.iter().min_by_key(|(_, one)| one.at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            told.remove(&key);
        }
    }

    /// Of the content, and of how severe it is.
    pub(super) fn content(&self) -> String {
        format!(
            "{} {}",
            self.condition.severity.id(),
            self.condition.content().0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::condition::{Condition, Kind, Severity};
    use crate::notify::memory::Memory;

    const START: Timestamp = Timestamp(1_790_000_000);
    const HOUR: i64 = 3_600;

    fn condition(line: &str) -> Condition {
        Condition {
            lines: vec![line.to_owned()],
            ..Condition::new(Kind::RunFailed, "acme", Severity::Warning)
        }
    }

    /// Programs that see something each hour, the second of them ten minutes after the first.
    struct Replicas {
        memories: [Memory; 2],
        told: BTreeMap<String, Told>,
    }

    impl Replicas {
        fn new() -> Self {
            Self {
                memories: [Memory::default(), Memory::default()],
                told: BTreeMap::new(),
            }
        }

        /// What is told from this hour to that one, by whom, and why.
        fn pass(
            &mut self,
            hours: std::ops::Range<i64>,
            sees: impl Fn(usize, i64) -> Option<Condition>,
        ) -> Vec<(i64, usize, News)> {
            let mut messages = Vec::new();
            for hour in hours {
                for number in 0..2 {
                    let skew = if number == 0 { 0 } else { 600 };
                    let now = START.plus(hour * HOUR + skew);
                    let memory = &mut self.memories[number];
                    memory.hear(&self.told, now);
                    let seen: Vec<_> = sees(number, hour).into_iter().collect();
                    for notice in memory.observe(&seen, now) {
                        if !notice.is_told(&self.told, now) {
                            notice.record(&mut self.told, BTreeSet::new(), now);
                            messages.push((hour, number, notice.news));
                        }
                    }
                }
            }
            messages
        }
    }

    #[test]
    fn what_both_see_is_told_once_a_day_and_resolved_once() {
        let told = Replicas::new().pass(0..60, |_, hour| (hour < 50).then(|| condition("a")));
        assert_eq!(
            told,
            [
                (0, 0, News::Appeared),
                (24, 0, News::Lasting),
                (48, 0, News::Lasting),
                (51, 0, News::Resolved),
            ]
        );
    }

    #[test]
    fn what_is_over_for_one_only_is_told_again_by_the_other() {
        let told = Replicas::new().pass(0..9, |number, hour| {
            (hour < [3, 7][number]).then(|| condition("a"))
        });
        assert_eq!(
            told,
            [
                (0, 0, News::Appeared),
                (4, 0, News::Resolved),
                (4, 1, News::Appeared),
                (8, 1, News::Resolved),
            ]
        );
    }

    #[test]
    fn a_change_is_told_once_and_what_each_sees_otherwise_by_each() {
        let mut replicas = Replicas::new();
        let told = replicas.pass(0..4, |_, hour| {
            Some(condition(if hour < 2 { "a" } else { "b" }))
        });
        assert_eq!(told, [(0, 0, News::Appeared), (2, 0, News::Changed)]);
        let told = replicas.pass(4..9, |number, _| Some(condition(["c", "d"][number])));
        assert_eq!(told, [(4, 0, News::Changed), (4, 1, News::Changed)]);
        // More severe, with the same words.
        let worse = Condition {
            severity: Severity::Error,
            ..condition("c")
        };
        let told = replicas.pass(9..12, |_, _| Some(worse.clone()));
        assert_eq!(told, [(9, 0, News::Changed)]);
    }

    #[test]
    fn one_that_starts_again_repeats_nothing_until_the_next_day() {
        let mut replicas = Replicas::new();
        let sees = |_, _| Some(condition("a"));
        assert_eq!(replicas.pass(0..1, sees).len(), 1);
        replicas.memories = [Memory::default(), Memory::default()];
        assert_eq!(replicas.pass(1..20, sees), []);
        replicas.memories = [Memory::default(), Memory::default()];
        assert_eq!(replicas.pass(24..30, sees), [(24, 0, News::Lasting)]);
    }

    #[test]
    fn what_ends_or_comes_back_after_a_restart_is_told() {
        let mut replicas = Replicas::new();
        let at = |hours: std::ops::Range<i64>| {
            move |_: usize, hour: i64| hours.contains(&hour).then(|| condition("a"))
        };
        assert_eq!(replicas.pass(0..2, at(0..9)), [(0, 0, News::Appeared)]);
        replicas.memories = [Memory::default(), Memory::default()];
        let told = replicas.pass(2..9, at(6..9));
        assert_eq!(told, [(3, 0, News::Resolved), (6, 0, News::Appeared)]);
        // One that has not restarted does not take over what it never saw.
        let told = replicas.pass(9..12, |number, _| (number == 0).then(|| condition("b")));
        assert_eq!(
            told,
            [
                (9, 0, News::Changed),
                (10, 1, News::Resolved),
                (11, 0, News::Appeared)
            ]
        );
    }

    #[test]
    fn keys_and_severities_are_read_again() {
        for kind in Kind::ALL {
            for about in ["", "conf/a b.yaml"] {
                let key = Condition::new(kind, about, Severity::Error).key;
                assert_eq!(crate::notify::Key::parse(&key.to_string()), Some(key));
            }
        }
        for severity in [Severity::Notice, Severity::Warning, Severity::Error] {
            assert_eq!(Severity::parse(severity.id()), Some(severity));
        }
        assert_eq!(Severity::parse("worse"), None);
    }

    #[test]
    fn a_clock_that_was_wrong_silences_nobody() {
        let mut replicas = Replicas::new();
        let notice = &Memory::default().observe(&[condition("a")], START)[0];
        notice.record(&mut replicas.told, BTreeSet::new(), START.plus(100 * DAY));
        let told = replicas.pass(0..2, |_, _| Some(condition("a")));
        assert_eq!(told, [(0, 0, News::Appeared)]);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let mut told = BTreeMap::new();
        let notice = |about: usize| {
            let one = Condition::new(Kind::RunFailed, about.to_string(), Severity::Error);
            Memory::default().observe(&[one], START).remove(0)
        };
        for about in 0..1_100 {
            let now = START.plus(about.try_into().unwrap());
            notice(about).record(&mut told, BTreeSet::new(), now);
        }
        assert_eq!(told.len(), MOST);
        assert!(!told.contains_key("run-failed 99") && told.contains_key("run-failed 100"));
        notice(0).record(&mut told, BTreeSet::new(), START.plus(3 * DAY));
        assert_eq!(told.len(), 1);
    }
}
