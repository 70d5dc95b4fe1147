//! Drift that runs have found, until people are told.
//!
//! A run mends what it finds, so it is told once, and neither as lasting nor as resolved. Healing may find some in each
//! round of a day: what is found soon after a message is told together, later and later.

use std::collections::BTreeSet;

use crate::model::{Address, Timestamp};
use crate::notify::{Condition, DAY, Kind, SETTLES, Severity};
use crate::render::counted;

/// How many callbacks are named.
const NAMED: usize = 10;

/// What was found, and when people were told.
#[derive(Debug, Default)]
pub(super) struct Drifted {
    found: BTreeSet<Address>,
    /// When the first and the last of these were.
    between: Option<(Timestamp, Timestamp)>,
    told: Option<Timestamp>,
    /// In seconds: how long the next message waits after that.
    pause: i64,
}

impl Drifted {
    /// A run found these otherwise than recorded.
    pub(super) fn found(&mut self, drifted: Vec<Address>, at: Timestamp) {
        if drifted.is_empty() {
            return;
        }
        let first = self.between.map_or(at, |(first, _)| first);
        self.between = Some((first, at));
        self.found.extend(drifted);
    }

    /// What is to be told now; at the end, all.
    pub(super) fn due(&mut self, now: Timestamp, ends: bool) -> Option<Condition> {
        let (first, last) = self.between?;
        let quiet = self
            .told
            .map_or(DAY, |told| now.seconds_since(told.min(now)));
        if quiet >= DAY {
            self.pause = 0;
        } else if quiet < self.pause && !ends {
            return None;
        }
        self.pause = (2 * self.pause).clamp(SETTLES, DAY);
        self.told = Some(now);
        self.between = None;
        let found = std::mem::take(&mut self.found);
        // Each is another one.
        let mut one = Condition::new(Kind::DriftFound, first.to_string(), Severity::Warning);
        let when = if first == last {
            format!("found at {first}")
        } else {
            format!("found between {first} and {last}")
        };
        one.lines.push(format!(
            "{} not as recorded, {when}",
            counted(found.len(), "callback was", "callbacks were")
        ));
        let named = found.iter().take(NAMED);
        one.lines
            .extend(named.map(|address| format!("  {address}")));
        let more = found.len().saturating_sub(NAMED);
        if more > 0 {
            one.lines.push(format!("  and {more} more"));
        }
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallbackUrl, Handle};
    use crate::notify::Memory;

    const START: Timestamp = Timestamp(1_790_000_000);

    fn addresses(numbers: std::ops::Range<usize>) -> Vec<Address> {
        let address = |number| Address {
            handle: Handle::new("acme"),
            url: CallbackUrl::new(format!("https://a.example/{number:02}")),
        };
        numbers.map(address).collect()
    }

    /// How many callbacks each message names, and the minute of it, when a run finds drift in these minutes.
    fn told(minutes: &[i64]) -> Vec<(i64, usize)> {
        let (mut drifted, mut memory) = (Drifted::default(), Memory::default());
        let mut told = Vec::new();
        for minute in 0..5 * 1440 {
            let now = START.plus(minute * 60);
            if minutes.contains(&minute) {
                let number = usize::try_from(minute).unwrap();
                drifted.found(addresses(number..number + 1), now);
            }
            let conditions: Vec<_> = drifted.due(now, false).into_iter().collect();
            for notice in memory.observe(&conditions, now) {
                told.push((minute, notice.condition.lines.len() - 1));
            }
        }
        told
    }

    #[test]
    fn it_is_told_once_and_neither_daily_nor_as_resolved() {
        assert_eq!(told(&[3]), [(3, 1)]);
        assert_eq!(told(&[3, 2000]), [(3, 1), (2000, 1)]);
    }

    #[test]
    fn what_is_found_soon_after_is_told_together() {
        assert_eq!(told(&[0, 2, 5, 7, 30]), [(0, 1), (10, 3), (30, 1)]);
        let all_day: Vec<_> = (0..1440).step_by(5).collect();
        let told = told(&all_day);
        assert!(told.len() < 10, "{told:?}");
        let named = told.iter().map(|(_, count)| *count).sum::<usize>();
        assert!(named > 20, "{told:?}");
    }

    #[test]
    fn a_message_says_when_it_was_found_and_how_much_more() {
        let mut drifted = Drifted::default();
        assert_eq!(drifted.due(START, true), None);
        drifted.found(addresses(0..9), START);
        drifted.found(Vec::new(), START.plus(60));
        drifted.found(addresses(5..12), START.plus(90));
        let one = drifted.due(START.plus(100), false).unwrap();
        let first = "12 callbacks were not as recorded, found between 2026-09-21T14:13:20Z and 2026-09-21T14:14:50Z";
        assert_eq!(one.lines.first().map(String::as_str), Some(first));
        assert_eq!(one.lines.last().map(String::as_str), Some("  and 2 more"));
        drifted.found(addresses(0..1), START.plus(120));
        assert_eq!(drifted.due(START.plus(120), false), None);
        // What waits is not lost at the end.
        let last = drifted.due(START.plus(120), true).unwrap();
        assert_ne!(last.key, one.key);
        assert_eq!(
            last.lines.first().map(String::as_str),
            Some("1 callback was not as recorded, found at 2026-09-21T14:15:20Z")
        );
    }
}
