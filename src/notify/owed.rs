//! What some targets have not taken yet, as the programs that tell together keep it.
//!
//! Who tells a message owes it to each target that has not taken it. It says so for a while, and again before that ends.
//! When that has ended, because the program is gone, any other may take the debt over.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "time is an argument"
)]

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::condition::{Condition, Key, Severity};
use super::memory::{DAY, News, Notice, SKEW};
use super::text::clean;
use crate::model::{Owed, Timestamp, Told};

/// In seconds: for how long who has just told is the one that sends. Longer than a message and the pause before it take.
pub(super) const FIRST: i64 = 30;
/// The same, when a target did not take it at once.
pub const LATER: i64 = 900;
/// In bytes: how much of a message is kept.
const LONGEST: usize = 8_000;

impl Notice {
    /// What is kept of it for these targets.
    pub(super) fn owed(&self, to: BTreeSet<String>, now: Timestamp) -> Option<Owed> {
        (!to.is_empty()).then(|| Owed {
            to,
            until: now.plus(FIRST),
            news: self.news,
            at: self.at,
            lines: self.kept(),
        })
    }

    /// The lines that are kept. Of what was kept once, all.
    fn kept(&self) -> Vec<String> {
        let mut room = LONGEST;
        let mut lines = Vec::new();
        for line in self.condition.lines.iter().map(|line| clean(line)) {
            let Some(left) = room.checked_sub(line.len()) else {
                lines.push("…".to_owned());
                break;
            };
            room = left;
            lines.push(line);
        }
        lines
    }

    /// Names the message to a receiver of the program with this name. Who takes a message over gives it the same id, so
    /// that a receiver that has it already can tell.
    pub(super) fn id(&self, name: Option<&str>) -> String {
        let Self {
            news,
            condition,
            since,
            at,
        } = self;
        let (key, severity) = (condition.key.to_string(), condition.severity);
        let mut digest = Sha256::new();
        let mut add = |part: &str| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        };
        // Replicas may have their checkouts in different folders.
        add(name
            .and_then(|name| name.rsplit('/').next())
            .unwrap_or_default());
        add(&format!(
            "{} {since} {at} {} {key}",
            news.id(),
            severity.id()
        ));
        self.kept().iter().for_each(|line| add(line));
        format!("msg_{}", hex::encode(&digest.finalize()[..16]))
    }

    /// Records which targets have still not taken it, and until when this process sends it. Nothing if something newer was
    /// told, or another process has taken it over and is done.
    pub fn owes(
        &self,
        told: &mut BTreeMap<String, Told>,
        to: &BTreeSet<String>,
        until: Timestamp,
    ) -> bool {
        let Some(last) = told.get_mut(&self.condition.key.to_string()) else {
            return false;
        };
        let is_this = |owed: &Owed| owed.at == self.at && owed.news == self.news;
        let Some(owed) = last.owed.as_mut().filter(|owed| is_this(owed)) else {
            return false;
        };
        if to.is_empty() {
            last.owed = None;
        } else {
            owed.to.clone_from(to);
            owed.until = until;
        }
        true
    }

    /// To which targets another process still owes that it appeared, if this says that it is over: they need neither.
    pub fn unknown_to(&self, told: &BTreeMap<String, Told>) -> BTreeSet<String> {
        let last = told.get(&self.condition.key.to_string());
        let owed = last.and_then(|last| last.owed.as_ref());
        let owed = owed.filter(|owed| (self.news, owed.news) == (News::Resolved, News::Appeared));
        owed.map(|owed| owed.to.clone()).unwrap_or_default()
    }

    fn of(key: Key, last: &Told, owed: &Owed) -> Option<Self> {
        let (severity, _) = last.content.split_once(' ')?;
        let condition = Condition::new(key.kind, key.about, Severity::parse(severity)?);
        Some(Self {
            news: owed.news,
            condition: Condition {
                lines: owed.lines.clone(),
                ..condition
            },
            since: last.since,
            at: owed.at,
        })
    }
}

/// When the first of these debts may be taken over by a process that has none of `own`.
pub fn lapses(told: &BTreeMap<String, Told>, own: &BTreeSet<String>) -> Option<Timestamp> {
    let others = told.iter().filter(|(key, _)| !own.contains(*key));
    others
        .filter_map(|(_, last)| Some(last.owed.as_ref()?.until))
        .min()
}

/// Takes over what has lapsed and is not among `own`: gives each message, and to which of the `known` targets it goes. What
/// is owed to others, or too old, is forgotten.
pub fn take_over(
    told: &mut BTreeMap<String, Told>,
    (own, known): (&BTreeSet<String>, &BTreeSet<String>),
    now: Timestamp,
) -> Vec<(Notice, BTreeSet<String>)> {
    let mut taken = Vec::new();
    for (name, last) in told.iter_mut() {
        let Some(owed) = last.owed.as_ref().filter(|owed| has_lapsed(owed, now)) else {
            continue;
        };
        if own.contains(name) {
            continue;
        }
        let to: BTreeSet<_> = owed.to.intersection(known).cloned().collect();
        let is_recent = now.seconds_since(last.at) < DAY;
        let notice = Key::parse(name).and_then(|key| Notice::of(key, last, owed));
        let notice = notice.filter(|_| is_recent && !to.is_empty());
        last.owed = notice.as_ref().map(|_| Owed {
            to: to.clone(),
            until: now.plus(FIRST),
            ..owed.clone()
        });
        taken.extend(notice.map(|notice| (notice, to)));
    }
    taken
}

/// Whether some of it may be taken over.
pub fn have_lapsed(told: &BTreeMap<String, Told>, own: &BTreeSet<String>, now: Timestamp) -> bool {
    let mut others = told.iter().filter(|(key, _)| !own.contains(*key));
    others.any(|(_, last)| last.owed.as_ref().is_some_and(|owed| has_lapsed(owed, now)))
}

/// A time that is too far away is of a wrong clock.
fn has_lapsed(owed: &Owed, now: Timestamp) -> bool {
    let left = owed.until.seconds_since(now);
    left <= 0 || left > SKEW
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::condition::Kind;
    use crate::notify::memory::{Memory, SETTLES};

    const START: Timestamp = Timestamp(1_790_000_000);

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// What a process told at the start, of which two targets have nothing.
    fn told() -> (Notice, BTreeMap<String, Told>) {
        let condition = Condition {
            lines: vec!["a".to_owned(), "  b".to_owned()],
            ..Condition::new(Kind::RunFailed, "acme", Severity::Error)
        };
        let notice = Memory::default().observe(&[condition], START).remove(0);
        let mut told = BTreeMap::new();
        notice.record(&mut told, names(&["slack", "wecom"]), START);
        (notice, told)
    }

    #[test]
    fn who_tells_sends_until_its_time_has_passed_and_then_another_one_does() {
        let (notice, mut told) = told();
        let (none, known) = (names(&[]), names(&["slack", "wecom", "webhook"]));
        let early = START.plus(FIRST - 1);
        assert_eq!(lapses(&told, &none), Some(START.plus(FIRST)));
        assert_eq!(take_over(&mut told, (&none, &known), early), []);
        assert!(notice.owes(&mut told, &names(&["slack"]), early.plus(LATER)));
        let late = early.plus(LATER);
        assert!(!have_lapsed(&told, &none, late.plus(-1)));
        assert!(have_lapsed(&told, &none, late));
        let own = names(&["run-failed acme"]);
        assert!(!have_lapsed(&told, &own, late));
        assert_eq!(take_over(&mut told, (&own, &known), late), []);
        let taken = take_over(&mut told, (&none, &known), late);
        let [(again, to)] = taken.as_slice() else {
            panic!("{taken:?}");
        };
        assert_eq!(to, &names(&["slack"]));
        assert_eq!(again.condition.lines, notice.condition.lines);
        assert_eq!((again.news, again.since), (notice.news, notice.since));
        assert_eq!(again.id(Some("conf")), notice.id(Some("conf")));
        assert_eq!(again.id(Some("/srv/b/conf")), notice.id(Some("conf")));
        assert_ne!(again.id(None), notice.id(Some("conf")));
        // A third one finds that it is being sent.
        assert_eq!(take_over(&mut told, (&none, &known), late), []);
        assert!(again.owes(&mut told, &none, late));
        assert_eq!(lapses(&told, &none), None);
        assert!(notice.is_told(&told, START.plus(LATER)));
    }

    #[test]
    fn a_resolution_is_owed_as_it_was() {
        let mut memory = Memory::default();
        let condition = Condition::new(Kind::Suspended, "", Severity::Notice);
        memory.observe(&[condition], START);
        memory.observe(&[], START.plus(60));
        let now = START.plus(60 + SETTLES);
        let notice = memory.observe(&[], now).remove(0);
        let mut told = BTreeMap::new();
        notice.record(&mut told, names(&["slack"]), now);
        let late = now.plus(FIRST);
        let taken = take_over(&mut told, (&names(&[]), &names(&["slack"])), late);
        assert_eq!(taken, [(notice, names(&["slack"]))]);
    }

    #[test]
    fn who_is_owed_the_beginning_needs_no_end() {
        let (notice, mut told) = told();
        let with = |news| Notice {
            news,
            at: START.plus(DAY),
            ..notice.clone()
        };
        let over = with(News::Resolved);
        assert_eq!(over.unknown_to(&told), names(&["slack", "wecom"]));
        assert_eq!(with(News::Lasting).unknown_to(&told), names(&[]));
        assert!(notice.owes(&mut told, &names(&[]), START));
        assert_eq!(over.unknown_to(&told), names(&[]));
        with(News::Changed).record(&mut told, names(&["slack"]), START);
        assert_eq!(over.unknown_to(&told), names(&[]));
    }

    #[test]
    fn what_is_owed_to_a_target_that_is_gone_or_for_too_long_is_forgotten() {
        let none = names(&[]);
        for (known, after) in [(["webhook"], FIRST), (["slack"], DAY)] {
            let (_, mut told) = told();
            let taken = take_over(&mut told, (&none, &names(&known)), START.plus(after));
            assert_eq!(taken, []);
            assert_eq!(lapses(&told, &none), None);
        }
    }

    #[test]
    fn something_newer_is_not_touched_by_who_told_what_was_before() {
        let (notice, mut told) = told();
        let newer = Notice {
            at: START.plus(5),
            ..notice.clone()
        };
        newer.record(&mut told, names(&["slack"]), START.plus(5));
        assert!(!notice.owes(&mut told, &names(&[]), START));
        assert_eq!(lapses(&told, &names(&[])), Some(START.plus(5 + FIRST)));
        let (_, mut wrong) = self::told();
        newer.owes(&mut wrong, &names(&["slack"]), START);
        // A clock that was wrong keeps nothing for ever.
        assert!(notice.owes(&mut wrong, &names(&["slack"]), START.plus(10 * DAY)));
        assert!(have_lapsed(&wrong, &names(&[]), START));
    }

    #[test]
    fn a_long_message_is_cut_and_holds_no_credentials() {
        let line = "https://hooks.example/x?token=0123456789abcdef".to_owned();
        let condition = Condition {
            lines: vec![line; 1_000],
            ..Condition::new(Kind::RunFailed, "acme", Severity::Error)
        };
        let notice = Memory::default().observe(&[condition], START).remove(0);
        let owed = notice.owed(names(&["slack"]), START).unwrap();
        assert_eq!(owed.lines.last().map(String::as_str), Some("…"));
        assert!(owed.lines.concat().len() < LONGEST + 10);
        assert!(!owed.lines.concat().contains("0123456789"));
        let (mut told, late) = (BTreeMap::new(), START.plus(FIRST));
        notice.record(&mut told, names(&["slack"]), START);
        let taken = take_over(&mut told, (&names(&[]), &names(&["slack"])), late);
        assert_eq!(taken[0].0.id(None), notice.id(None));
    }

    #[test]
    fn other_messages_have_other_ids() {
        let (notice, _) = told();
        let mut others = vec![notice.clone(); 6];
        others[0].news = News::Changed;
        others[1].at = START.plus(1);
        others[2].since = START.plus(-1);
        others[3].condition.lines.swap(0, 1);
        others[4].condition.key.about = "beta".to_owned();
        others[5].condition.severity = Severity::Warning;
        let ids: BTreeSet<_> = others
            .iter()
            .chain([&notice])
            .map(|one| one.id(None))
            .collect();
        assert_eq!(ids.len(), 7);
    }
}
