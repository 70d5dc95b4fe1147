//! Puts what receipts said into the record.

use crate::model::{Address, Belief, Entry, Fingerprints, Learned, Recorded, Sighting, Timestamp};

use super::{Confidence, Declared, Observed};

/// What the record learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    /// What is new, in the order of the callbacks.
    pub lessons: Vec<(Address, Lesson)>,
    /// Callbacks that were seen again, and nothing else.
    pub seen: usize,
}

/// What is new of one callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It was not recorded, and is there as declared.
    New,
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
        let own = fingerprints(number, None);
        let clear = Fingerprints {
            key: None,
            token: own.token,
        };
        let mut sightings: Vec<(Timestamp, Option<Fingerprints>)> = Vec::new();
        let older = tally.older.iter();
        let older = older.map(|(older, count)| (count.last, fingerprints(number, Some(*older))));
        let known = [(tally.proven.last, own), (tally.clear_text.last, clear)];
        for (at, secrets) in known.into_iter().chain(older) {
            sightings.extend(at.map(|at| (at, Some(secrets))));
        }
        sightings.extend(tally.other_key.last.map(|at| (at, None)));
        sightings.sort_unstable();
        let Some(entry) = recorded.get_mut(&callback.scope, &callback.address.url) else {
            if let Some((at, Some(secrets))) = sightings.last()
                && *secrets == own
            {
                recorded.insert(callback.identity(), found(callback, own, *at));
                let lesson = (callback.address.clone(), Lesson::New);
                lessons.lessons.push(lesson);
            }
            continue;
        };
        let mut learned = Learned::Nothing;
        for (at, secrets) in sightings {
            let one = match secrets {
                Some(secrets) => entry.saw(secrets, at),
                None => entry.saw_another_key(at),
            };
            learned = learned.max(one);
        }
        match learned {
            Learned::Nothing => {}
            Learned::Seen => lessons.seen += 1,
            Learned::Proven => lessons
                .lessons
                .push((callback.address.clone(), Lesson::Proven)),
            Learned::Changed => {
                let lesson = (callback.address.clone(), Lesson::Changed);
                lessons.lessons.push(lesson);
            }
        }
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

/// The record of a callback that was not recorded, and that a message showed.
fn found(callback: &Declared, secrets: Fingerprints, at: Timestamp) -> Entry {
    let Declared {
        address,
        operator,
        protect,
        ..
    } = callback;
    Entry {
        belief: Belief::proven(secrets),
        sighting: Sighting {
            seen_at: Some(at),
            missing: None,
        },
        ..Entry::untouched(address.handle.clone(), operator.clone(), *protect)
    }
}
