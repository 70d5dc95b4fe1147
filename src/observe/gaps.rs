//! Which callbacks miss messages that others of their application got.
//!
//! eSign sends each message of an application to all of its URLs, so one that arrived at some and not at others says
//! something of the others: eSign may have lost them. Most gaps have other causes, which are told apart here: the
//! receiver or its log was down, the message is late, the URL is new, or messages of this type never come to it.
//!
//! A callback *misses* messages if all of this holds:
//!
//! * Since the first of them nothing came to it, not even late.
//! * It and another URL got the same message before, of the same type: so they do get the same ones, and it is known by
//!   what they are told apart.
//! * Each arrived elsewhere longer ago than the grace, and longer than that after the callback was last changed.
//! * There are at least [`FEWEST`], on at least [`OCCASIONS`] occasions: a batch says no more than one message.
//!
//! It is [`Confidence::High`] if whatever writes the receipts of its receiver wrote something shortly before and after
//! these messages, so that it was not down; only such messages count then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

use super::Confidence;
use crate::model::{Missing, Timestamp};
use crate::receiver::DedupeKey;

/// The fewest messages that say something.
pub const FEWEST: u32 = 5;

/// On how many occasions they must have come.
pub const OCCASIONS: u32 = 3;

/// Messages that come within so many seconds of the last occasion belong to it.
pub const APART: i64 = 600;

/// How long before and after a message the receiver must have written something, in seconds.
const ALIVE: i64 = 900;

/// The unit in which is remembered when a receiver wrote something, in seconds.
const SLOT: i64 = 300;

/// How long a message that was decided is remembered, in seconds: one that is repeated later is not taken for a new one.
const REMEMBERED: i64 = 7 * 86_400;

/// How many messages are remembered at most. With more, the oldest are forgotten undecided.
const MOST: usize = 200_000;

/// With more URLs in one application, the rest is not compared.
const MOST_URLS: usize = 64;

/// With more types of messages, the rest is not compared.
const MOST_KINDS: usize = 256;

/// Where receipts come from: one receiver's file, with those it was rotated to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(pub usize);

/// What is compared: one callback among those of its application.
#[derive(Clone, Debug)]
struct Member {
    /// Its application.
    scope: usize,
    /// Its place among those of its application, and in the set of who got a message.
    bit: u64,
    /// Since when it is at eSign, unchanged.
    there_since: Option<Timestamp>,
    /// The types of messages that it and another got.
    shared: BTreeSet<u64>,
    /// When the newest message came to it.
    last: Option<Timestamp>,
    /// The source of that.
    source: Source,
    run: Run,
}

/// The messages that a callback missed, without one that came.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Those while its receiver wrote receipts.
    sure: Count,
    /// All of them.
    all: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    since: Option<Timestamp>,
    messages: u32,
    occasions: u32,
    last_occasion: Option<Timestamp>,
}

/// A message, and who got it.
#[derive(Clone, Copy, Debug)]
struct Arrived {
    scope: usize,
    key: DedupeKey,
    kind: u64,
    first: Timestamp,
    got: u64,
}

/// Compares what the callbacks of an application get. Of bounded size.
#[derive(Debug)]
pub(super) struct Gaps {
    /// In seconds.
    grace: i64,
    members: Vec<Option<Member>>,
    sizes: Vec<usize>,
    /// In the order in which they first arrived.
    messages: VecDeque<Arrived>,
    /// The number of the first of them, and of the first that is not decided.
    forgotten: u64,
    undecided: u64,
    numbers: BTreeMap<(usize, DedupeKey), u64>,
    sources: BTreeMap<Source, VecDeque<i64>>,
    now: Timestamp,
}

impl Gaps {
    /// Of callbacks, by their application and since when they are at eSign. `None` for one that can't be compared.
    pub(super) fn new(grace: i64, callbacks: &[Option<(usize, Option<Timestamp>)>]) -> Self {
        let applications = callbacks.iter().flatten().map(|(scope, _)| scope + 1);
        let mut sizes = vec![0; applications.max().unwrap_or_default()];
        let member = |callback: &Option<(usize, Option<Timestamp>)>| {
            let (scope, there_since) = (*callback)?;
            let place = sizes[scope];
            sizes[scope] += 1;
            (place < MOST_URLS).then(|| Member {
                scope,
                bit: 1 << place,
                there_since,
                shared: BTreeSet::new(),
                last: None,
                source: Source::default(),
                run: Run::default(),
            })
        };
        Self {
            grace: grace.max(ALIVE),
            members: callbacks.iter().map(member).collect(),
            sizes,
            messages: VecDeque::new(),
            forgotten: 0,
            undecided: 0,
            numbers: BTreeMap::new(),
            sources: BTreeMap::new(),
            now: Timestamp(i64::MIN),
        }
    }

    /// Since when the callbacks are at eSign now, in their order.
    pub(super) fn confirmed(&mut self, since: impl Iterator<Item = Option<Timestamp>>) {
        for (member, since) in self.members.iter_mut().zip(since) {
            if let Some(member) = member {
                if since.is_none_or(|since| member.there_since.is_none_or(|before| since > before))
                {
                    // A call came meanwhile, which may have changed what is there.
                    member.run = Run::default();
                }
                member.there_since = since;
            }
        }
    }

    /// Something came from this source: whoever writes it is alive.
    pub(super) fn alive(&mut self, source: Source, at: Timestamp) {
        let slot = at.0.div_euclid(SLOT);
        let slots = self.sources.entry(source).or_default();
        if slots.back().is_none_or(|last| *last < slot) {
            slots.push_back(slot);
        }
        let oldest = at.0.saturating_sub(self.grace + 2 * ALIVE).div_euclid(SLOT);
        while slots.front().is_some_and(|slot| *slot < oldest) {
            slots.pop_front();
        }
        self.now = self.now.max(at);
        self.decide();
    }

    /// Something of eSign came to a callback, or may have: so it is not missing.
    pub(super) fn touched(&mut self, callback: usize, (source, at): (Source, Timestamp)) {
        if let Some(Some(member)) = self.members.get_mut(callback) {
            member.run = Run::default();
            member.last = member.last.max(Some(at));
            member.source = source;
        }
    }

    /// A message came to a callback: its key, a hash of its type, and when.
    pub(super) fn arrived(
        &mut self,
        callback: usize,
        (key, kind): (DedupeKey, u64),
        (source, at): (Source, Timestamp),
    ) {
        self.touched(callback, (source, at));
        let Some(Some(member)) = self.members.get_mut(callback) else {
            return;
        };
        let (scope, bit) = (member.scope, member.bit);
        if self.sizes[scope] < 2 {
            return;
        }
        if let Some(number) = self.numbers.get(&(scope, key)) {
            let place = usize::try_from(number - self.forgotten).unwrap_or(usize::MAX);
            let Some(message) = self.messages.get_mut(place) else {
                return;
            };
            message.got |= bit;
            let got = message.got;
            if got.count_ones() < 2 {
                return;
            }
            let sharing = self.members.iter_mut().flatten();
            for member in sharing.filter(|member| member.scope == scope && member.bit & got != 0) {
                if member.shared.len() < MOST_KINDS {
                    member.shared.insert(kind);
                }
            }
            return;
        }
        self.numbers
            .insert((scope, key), self.forgotten + self.messages.len() as u64);
        self.messages.push_back(Arrived {
            scope,
            key,
            kind,
            first: at,
            got: bit,
        });
        if self.messages.len() > MOST {
            self.forget_oldest();
        }
    }

    /// The callbacks that miss messages, in order.
    pub(super) fn missing(&self) -> impl Iterator<Item = (usize, Missing, Confidence)> + '_ {
        let members = self.members.iter().enumerate();
        members.filter_map(|(at, member)| {
            let Run { sure, all } = member.as_ref()?.run;
            let (missing, confidence) = match (sure.missing(), all.missing()) {
                (Some(missing), _) => (missing, Confidence::High),
                (None, Some(missing)) => (missing, Confidence::Low),
                (None, None) => return None,
            };
            Some((at, missing, confidence))
        })
    }

    /// Decides about the messages whose grace is over, in order.
    fn decide(&mut self) {
        loop {
            let place = usize::try_from(self.undecided - self.forgotten).unwrap_or(usize::MAX);
            let Some(message) = self.messages.get(place) else {
                break;
            };
            if self.now.seconds_since(message.first) < self.grace {
                break;
            }
            let message = *message;
            self.undecided += 1;
            self.decide_one(message);
        }
        while let Some(message) = self.messages.front()
            && self.forgotten < self.undecided
            && self.now.seconds_since(message.first) > REMEMBERED
        {
            self.forget_oldest();
        }
    }

    fn decide_one(&mut self, message: Arrived) {
        let Self {
            grace,
            members,
            sources,
            ..
        } = self;
        let Arrived {
            scope,
            kind,
            first,
            got,
            ..
        } = message;
        let expected = |member: &&mut Member| {
            member.scope == scope
                && member.bit & got == 0
                && member.shared.contains(&kind)
                && member.last.is_none_or(|last| last < first)
                && member
                    .there_since
                    .is_some_and(|since| first.seconds_since(since) > *grace)
        };
        for member in members.iter_mut().flatten().filter(expected) {
            member.run.all.add(first);
            let slots = sources.get(&member.source);
            if slots.is_some_and(|slots| is_alive(slots, first)) {
                member.run.sure.add(first);
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(message) = self.messages.pop_front() {
            self.numbers.remove(&(message.scope, message.key));
            self.forgotten += 1;
            self.undecided = self.undecided.max(self.forgotten);
        }
    }
}

/// Whether something was written shortly before and shortly after this moment.
fn is_alive(slots: &VecDeque<i64>, at: Timestamp) -> bool {
    let slot = |at: i64| at.div_euclid(SLOT);
    let within = |from: i64, to: i64| {
        let first = slots.partition_point(|slot| *slot < from);
        slots.get(first).is_some_and(|slot| *slot <= to)
    };
    let now = slot(at.0);
    within(slot(at.0 - ALIVE), now) && within(now, slot(at.0 + ALIVE))
}

impl Count {
    fn add(&mut self, at: Timestamp) {
        self.since.get_or_insert(at);
        self.messages = self.messages.saturating_add(1);
        let apart = |last: Timestamp| at.seconds_since(last) >= APART;
        if self.last_occasion.is_none_or(apart) {
            self.last_occasion = Some(at);
            self.occasions = self.occasions.saturating_add(1);
        }
    }

    fn missing(&self) -> Option<Missing> {
        let messages = NonZeroU32::new(self.messages)?;
        let enough = self.messages >= FEWEST && self.occasions >= OCCASIONS;
        enough.then_some(Missing {
            since: self.since?,
            messages,
        })
    }
}
