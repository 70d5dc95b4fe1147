//! Puts what receipts said into the record.

use crate::model::{Address, Evidence, Fingerprints, Learned, Recorded, Timestamp};

use super::{Confidence, Declared, Observed, Tally};

/// What the record learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    /// What is new, in the order of the callbacks.
    pub lessons: Vec<(Address, Lesson)>,
    /// Callbacks that were seen again, and nothing else.
    pub seen: usize,
    /// Callbacks that stay assumed, because their messages may be older than the last call for them.
    pub early: usize,
    /// Callbacks that messages show and that are not recorded. Nothing says whether a call of another state, or one that is
    /// forgotten, has deleted them since, so they stay so.
    pub unrecorded: Vec<Address>,
}

impl Lessons {
    /// What another observer taught as well.
    pub fn add(&mut self, other: Self) {
        let Self {
            lessons,
            seen,
            early,
            unrecorded,
        } = other;
        self.lessons.extend(lessons);
        self.seen += seen;
        self.early += early;
        self.unrecorded.extend(unrecorded);
    }
}

/// What is new of one callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It was recorded, and is proven now.
    Proven,
    /// It has another key or token than recorded.
    Changed,
    /// Messages do not reach it.
    Missing,
}

impl Lessons {
    /// Whether the record changed.
    pub fn is_empty(&self) -> bool {
        self.lessons.is_empty() && self.seen == 0
    }
}

/// Puts what receipts said of the declared callbacks into the record. `fingerprints` gives those of a callback's
/// secrets, with the older key of this number instead of its own.
pub fn learn(
    recorded: &mut Recorded,
    declared: &[Declared],
    observed: &Observed,
    fingerprints: impl Fn(usize, Option<usize>) -> Fingerprints,
) -> Lessons {
    let mut lessons = Lessons::default();
    for (number, (callback, subject)) in declared.iter().zip(&observed.subjects).enumerate() {
        let tally = &subject.tally;
        let Some(entry) = recorded.get_mut(&callback.scope, &callback.address.url) else {
            if tally.proven.messages > 0 {
                lessons.unrecorded.push(callback.address.clone());
            }
            continue;
        };
        let own = fingerprints(number, None);
        let learned = match contradiction(tally, own, |older| fingerprints(number, Some(older))) {
            Some((at, Some(secrets))) => entry.saw(secrets, at),
            Some((at, None)) => entry.saw_another_key(at),
            None => match tally.proven.last {
                Some(at) => entry.saw(own, at),
                None => Learned::Nothing,
            },
        };
        let is_assumed = entry.belief.evidence() == Evidence::Assumed;
        if tally.proven.messages > 0 && is_assumed && learned != Learned::Changed {
            lessons.early += 1;
        }
        let lesson = match learned {
            Learned::Nothing => continue,
            Learned::Seen => {
                lessons.seen += 1;
                continue;
            }
            Learned::Proven => Lesson::Proven,
            Learned::Changed => Lesson::Changed,
        };
        lessons.lessons.push((callback.address.clone(), lesson));
    }
    for gap in &observed.missing {
        let Some(callback) = declared.get(gap.callback) else {
            continue;
        };
        if gap.confidence == Confidence::High
            && let Some(entry) = recorded.get_mut(&callback.scope, &callback.address.url)
            && entry.missed(gap.missing)
        {
            let lesson = (callback.address.clone(), Lesson::Missing);
            lessons.lessons.push(lesson);
        }
    }
    lessons
}

/// The newest secrets that enough messages show in the place of the declared ones; `None` for a key that is not known.
fn contradiction(
    tally: &Tally,
    own: Fingerprints,
    older: impl Fn(usize) -> Fingerprints,
) -> Option<(Timestamp, Option<Fingerprints>)> {
    let clear = Fingerprints {
        key: None,
        token: own.token,
    };
    let of_older = tally.older.iter();
    let of_older = of_older.map(|(number, count)| (count, Some(older(*number))));
    let others = [(&tally.other_key, None), (&tally.clear_text, Some(clear))];
    let all = of_older.chain(others);
    let enough = all.filter(|(count, _)| count.is_enough());
    let newest = enough.max_by_key(|(count, _)| count.last)?;
    Some((newest.0.last?, newest.1))
}
