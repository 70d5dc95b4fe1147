//! Decides what is reported, and when: once when a condition appears, again when it changes, once a day while it
//! lasts, and once when it is resolved.
//!
//! A condition that comes and goes is one condition. What is held back is good news, never bad:
//!
//! * An appearance is reported at once. So is a higher severity.
//! * A resolution is reported when the condition has been absent for [`SETTLES`], which doubles with each return
//!   within a day. If it returns before that, nothing is reported.
//! * A change is reported when the last message is older than [`SETTLES`], which doubles with each change. What has
//!   changed back by then is not reported.
//!
//! What can't be seen, because the state can't be read or the whole configuration is invalid, has not ended by that.
//!
//! So a condition that flaps all day causes a few messages, each further from the last, and the last message is true
//! or the condition still flaps. After a day without it, everything about it is forgotten.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "time is an argument"
)]

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Condition, Content, Key, Severity};
pub use crate::model::News;
use crate::model::{Timestamp, Told, ToldAs};

/// In seconds: how long the first resolution and the first change wait.
pub const SETTLES: i64 = 600;
/// Clocks do not differ by more: what was told later than that from now was told by a wrong one.
pub(super) const SKEW: i64 = 3_600;
/// Between two messages about a condition that lasts.
pub const DAY: i64 = 86_400;
/// The longest that a resolution waits.
const LONGEST_SETTLES: i64 = DAY / 2;

/// One message to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub news: News,
    /// As it is now. After a resolution without lines.
    pub condition: Condition,
    /// When it appeared.
    pub since: Timestamp,
    /// When this was decided; of a resolution, when the condition ended.
    pub at: Timestamp,
}

/// What was reported so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    conditions: BTreeMap<Key, Known>,
    /// Whether what was told before this process began was taken over.
    has_heard: bool,
}

/// One condition, since it appeared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    since: Timestamp,
    /// The last message.
    reported: Timestamp,
    severity: Severity,
    content: Content,
    /// Since when it is absent.
    absent: Option<Timestamp>,
    /// Whether its resolution was reported.
    resolved: bool,
    /// How often it returned after a resolution.
    returns: u32,
    /// How many changes were reported without a day's rest.
    changes: u32,
}

impl Memory {
    /// What is to be reported now, given every condition there is now. To be called whenever the conditions
    /// may have changed, and every minute or so besides, since messages become due by time alone.
    ///
    /// If the clock was set back, nothing is taken to be in the future.
    pub fn observe(&mut self, current: &[Condition], now: Timestamp) -> Vec<Notice> {
        for known in self.conditions.values_mut() {
            known.not_after(now);
        }
        let mut notices = Vec::new();
        let mut seen = BTreeSet::new();
        for condition in current {
            // Of two with one key, the first counts.
            if seen.insert(&condition.key) {
                notices.extend(self.present(condition, now));
            }
        }
        self.conditions.retain(|key, known| {
            if seen.contains(key) {
                return true;
            }
            if seen.iter().any(|one| one.hides(key)) {
                known.absent = None;
                return true;
            }
            let (kept, notice) = known.is_absent(key, now);
            notices.extend(notice);
            kept
        });
        notices
    }

    /// Compares with the messages of other replicas and of the time before a restart. A condition that they call resolved
    /// and that still exists here is told again. To be called after each check of the conditions.
    ///
    /// The first call takes over the conditions that these messages call present, so that their end and their return are
    /// told.
    pub fn hear(&mut self, told: &BTreeMap<String, Told>, now: Timestamp) {
        if !std::mem::replace(&mut self.has_heard, true) {
            for (key, last) in told {
                let is_possible = now.seconds_since(last.at) >= -SKEW;
                if let (Some(key), Some(known), true) =
                    (Key::parse(key), Known::taken_over(last), is_possible)
                {
                    self.conditions.entry(key).or_insert(known);
                }
            }
        }
        for (key, known) in &mut self.conditions {
            let last = told.get(&key.to_string());
            known.resolved |= known.absent.is_none()
                && last.is_some_and(|last| last.is == ToldAs::Resolved && last.at > known.reported);
        }
    }

    fn present(&mut self, condition: &Condition, now: Timestamp) -> Option<Notice> {
        let Some(known) = self.conditions.get_mut(&condition.key) else {
            let known = Known {
                since: now,
                reported: now,
                severity: condition.severity,
                content: condition.content(),
                absent: None,
                resolved: false,
                returns: 0,
                changes: 0,
            };
            self.conditions.insert(condition.key.clone(), known);
            return Some(Notice {
                news: News::Appeared,
                condition: condition.clone(),
                since: now,
                at: now,
            });
        };
        let news = known.is_present(condition, now)?;
        Some(Notice {
            news,
            condition: condition.clone(),
            since: known.since,
            at: now,
        })
    }
}

impl Known {
    /// What another process has told, if it is said to be there.
    fn taken_over(last: &Told) -> Option<Self> {
        let (severity, content) = last.content.split_once(' ')?;
        let is_present = match last.is {
            ToldAs::Present => true,
            ToldAs::Resolved => false,
        };
        is_present.then_some(Self {
            since: last.since,
            reported: last.at,
            severity: Severity::parse(severity)?,
            content: Content(content.to_owned()),
            absent: None,
            resolved: false,
            returns: 0,
            changes: 0,
        })
    }

    /// A clock that was set back must not silence a condition until it has caught up.
    fn not_after(&mut self, now: Timestamp) {
        let Self {
            since,
            reported,
            severity: _,
            content: _,
            absent,
            resolved: _,
            returns: _,
            changes: _,
        } = self;
        for time in [since, reported].into_iter().chain(absent) {
            *time = (*time).min(now);
        }
    }

    fn is_present(&mut self, condition: &Condition, now: Timestamp) -> Option<News> {
        self.absent = None;
        if condition.key.kind.is_momentary() {
            return None;
        }
        let quiet = now.seconds_since(self.reported);
        let content = condition.content();
        let news = if self.resolved {
            self.resolved = false;
            self.since = now;
            self.returns += 1;
            News::Appeared
        } else {
            let rises = condition.severity > self.severity;
            let differs = condition.severity != self.severity || content != self.content;
            if quiet >= DAY {
                self.changes = 0;
            }
            if rises || (differs && quiet >= doubled(self.changes, DAY)) {
                self.changes += 1;
                News::Changed
            } else if quiet >= DAY {
                News::Lasting
            } else {
                return None;
            }
        };
        self.reported = now;
        self.severity = condition.severity;
        self.content = content;
        Some(news)
    }

    /// Whether it is still remembered, and what is reported.
    fn is_absent(&mut self, key: &Key, now: Timestamp) -> (bool, Option<Notice>) {
        let since = *self.absent.get_or_insert(now);
        let absent = now.seconds_since(since);
        if self.resolved || key.kind.is_momentary() {
            return (absent < DAY, None);
        }
        if absent < doubled(self.returns, LONGEST_SETTLES) {
            return (true, None);
        }
        self.resolved = true;
        self.reported = now;
        let notice = Notice {
            news: News::Resolved,
            condition: Condition::new(key.kind, key.about.clone(), self.severity),
            since: self.since,
            at: since,
        };
        (true, Some(notice))
    }
}

/// [`SETTLES`], doubled so many times.
fn doubled(times: u32, most: i64) -> i64 {
    let factor = 2_i64.checked_pow(times);
    factor
        .and_then(|factor| SETTLES.checked_mul(factor))
        .map_or(most, |seconds| seconds.min(most))
}

#[cfg(test)]
mod tests;
