//! The protocol: an applier, eSign, and the network between them, for two URLs of one organization.
//!
//! Everything that can happen is an action: the applier's steps one by one, answers and their loss,
//! late arrivals, crashes, time, edits of the file. The applier's rules can be switched off one by one.

mod search;

use ess_callbacks::model::{Belief, Calls, Presence, Write};
use stateright::{Model, Property};

use crate::knowledge::{ADMITTED, Answer, Known, LIFE, UNTOUCHED, Wanted, decide, value};

/// A rule of the applier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An opposite call waits until a lost one is dead.
    Fence,
    /// It is dead only when the gateway's time for it is over too.
    Gateway,
    /// The delete of a replace waits for a lost delete too.
    ReplaceWaits,
    /// The intent is durable before the call leaves.
    JournalFirst,
    /// Deletes wait until all else succeeded.
    Order,
    /// A crash makes the calls on their way lost ones.
    Interrupt,
}

type Rules = crate::Rules<Rule>;

/// How much may go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) calls: u8,
    pub(crate) losses: u8,
    pub(crate) crashes: u8,
    pub(crate) edits: u8,
}

pub(crate) struct Protocol {
    pub(crate) rules: Rules,
    pub(crate) bounds: Bounds,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    urls: [Url; 2],
    running: bool,
    /// How eSign answers an add of what is there.
    exists_is_an_error: bool,
    calls: u8,
    losses: u8,
    crashes: u8,
    edits: u8,
    /// What was done that must not be done.
    broken: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Url {
    wanted: Wanted,
    /// What eSign holds.
    truth: Option<Write>,
    known: Option<Known>,
    /// Calls without an answer that have had no effect, and the ticks they have left: to be admitted, or
    /// once they are, to take effect.
    coming: Vec<(Stage, u8, Write2)>,
    progress: Progress,
}

/// How far a lost call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    OnItsWay,
    Admitted,
}

/// A call, ordered, so that equal states are equal.
type Write2 = Option<u8>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    /// No run, or nothing to do.
    Done,
    /// The call comes next, and after it perhaps another.
    Next(Write, Option<Write>),
    /// It is signed, with so many ticks left, and its intent is durable.
    Journaled(Write, Option<Write>, u8),
    /// It is on its way.
    Flying(Write, Option<Write>, u8),
    /// It has arrived; whether that changed anything.
    Arrived(Write, Option<Write>, bool),
    GivenUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Edit(usize, Wanted),
    Start,
    Journal(usize),
    Send(usize),
    Arrive(usize),
    Answer(usize),
    Lose(usize),
    Refuse(usize),
    GiveUp(usize),
    Admit(usize, usize),
    Late(usize, usize),
    Tick,
    Crash,
    End,
}

impl Url {
    fn new(wanted: Wanted, truth: Option<Write>) -> Self {
        Self {
            wanted,
            truth,
            known: None,
            coming: Vec::new(),
            progress: Progress::Done,
        }
    }

    fn plan(&self) -> Progress {
        let add = self.wanted.map(|number| Write::Add(value(number)));
        match (decide(self.known, self.wanted), add) {
            (Calls::Nothing, _) => Progress::Done,
            (Calls::Delete, _) => Progress::Next(Write::Delete, None),
            (Calls::Add, Some(add)) => Progress::Next(add, None),
            (Calls::Replace, Some(add)) => Progress::Next(Write::Delete, Some(add)),
            (steps, None) => unreachable!("{steps:?} of what is not wanted"),
        }
    }

    /// eSign does what the call says. Whether that changed anything.
    fn execute(&mut self, write: Write) -> bool {
        match (write, self.truth) {
            (Write::Delete, there) => {
                self.truth = None;
                there.is_some()
            }
            (Write::Add(_), Some(_)) => false,
            (Write::Add(_), None) => {
                self.truth = Some(write);
                true
            }
        }
    }

    fn lose(&mut self, left: u8, write: Write) {
        if left == 0 {
            return;
        }
        self.coming.push((Stage::OnItsWay, left, ordered(write)));
        self.coming.sort_unstable();
    }

    fn settle(&mut self, write: Write, answer: Answer, rules: Rules) {
        if !rules.keep(Rule::JournalFirst) {
            self.known = Some(self.known.unwrap_or(UNTOUCHED).begin(write));
        }
        self.known = self.known.and_then(|known| known.settle(answer));
    }

    /// Whether the belief, and what calls on their way may make of it, contains the truth.
    fn is_truthful(&self) -> bool {
        let Some(known) = self.known else {
            return true;
        };
        let belief = match (known.pending, self.progress) {
            (Some((write, _)), Progress::Arrived(..)) => known.belief.or_after(write),
            _ => known.belief,
        };
        allows(belief, self.truth)
    }
}

/// Whether this belief holds this for possible.
fn allows(belief: Belief, truth: Option<Write>) -> bool {
    match truth {
        None => belief.may_be_absent(),
        Some(Write::Add(there)) => belief
            .presumed()
            .is_some_and(|presumed| !presumed.exact || presumed.fingerprints == there),
        Some(Write::Delete) => false,
    }
}

fn ordered(write: Write) -> Write2 {
    match write {
        Write::Delete => None,
        Write::Add(fingerprints) => Some(u8::from(fingerprints == value(1))),
    }
}

fn unordered(write: Write2) -> Write {
    write.map_or(Write::Delete, |number| Write::Add(value(number)))
}

impl State {
    fn breaks(&mut self, rule: &'static str) {
        self.broken.get_or_insert(rule);
    }

    /// Everything that must hold when a call leaves.
    fn check_departure(&mut self, at: usize, write: Write) {
        let url = &self.urls[at];
        let wanted = url.wanted.map(|number| Write::Add(value(number)));
        let unlike = url
            .coming
            .iter()
            .any(|(_, _, other)| unordered(*other) != write);
        let steady = url.known.is_some_and(|known| {
            known.belief.presence() == Presence::Present
                && known
                    .belief
                    .presumed()
                    .is_some_and(|there| Some(Write::Add(there.fingerprints)) == wanted)
        });
        let others_missing = self
            .urls
            .iter()
            .enumerate()
            .any(|(other, url)| other != at && url.wanted.is_some() && url.truth.is_none());
        let lone_delete = write == Write::Delete && wanted.is_none();
        let replaced = write == Write::Delete && wanted.is_some();
        if unlike {
            self.breaks("(d) an opposite call left while a lost one may still arrive");
        }
        if replaced && steady {
            self.breaks("(e) an unchanged callback is deleted");
        }
        if replaced && url_has(&self.urls[at], Write::Delete) {
            self.breaks("(e) the add of this replace will have to wait, with the callback gone");
        }
        if lone_delete && others_missing {
            self.breaks("(f) an old address is deleted before the new one is there");
        }
    }

    fn others_succeeded(&self, at: usize) -> bool {
        self.urls.iter().enumerate().all(|(other, url)| {
            let deletes = matches!(
                url.progress,
                Progress::Next(Write::Delete, None)
                    | Progress::Journaled(Write::Delete, None, _)
                    | Progress::Flying(Write::Delete, None, _)
                    | Progress::Arrived(Write::Delete, None, _)
            );
            other == at
                || url.progress == Progress::Done
                || (url.wanted.is_none() && (deletes || url.progress == Progress::GivenUp))
        })
    }

    /// One fault-free run from here. Lost calls arrive at the last moment, or never.
    fn converges(&self, they_arrive: bool) -> bool {
        let mut state = self.clone();
        for url in &mut state.urls {
            url.progress = url.plan();
        }
        for deletes in [false, true] {
            for at in 0..2 {
                let url = &mut state.urls[at];
                let Progress::Next(first, second) = url.progress else {
                    continue;
                };
                if (first == Write::Delete && second.is_none()) != deletes {
                    continue;
                }
                let same = second.is_none().then_some(first);
                if url.known.is_some_and(|known| known.is_fenced(same, 0)) {
                    state.wait(they_arrive);
                }
                let url = &mut state.urls[at];
                for write in std::iter::once(first).chain(second) {
                    let known = url.known.unwrap_or(UNTOUCHED).begin(write);
                    let changed = url.execute(write);
                    url.known = known.settle(answer_to(write, changed, self.exists_is_an_error));
                }
                url.progress = Progress::Done;
            }
        }
        state.wait(they_arrive);
        state.urls.iter().all(|url| {
            let wanted = url.wanted.map(|number| Write::Add(value(number)));
            let assumed = url.known.is_some_and(|known| {
                known.belief.presence() == Presence::Present
                    && known.belief.presumed().is_some_and(|there| !there.exact)
            });
            let reached =
                url.truth == wanted || (url.truth.is_some() && wanted.is_some() && assumed);
            let unmanaged = url.known.is_none() && wanted.is_none();
            (reached || unmanaged) && url.is_truthful() && url.plan() == Progress::Done
        })
    }

    /// Time passes until nothing can arrive any more.
    fn wait(&mut self, they_arrive: bool) {
        for url in &mut self.urls {
            for (_, _, write) in std::mem::take(&mut url.coming) {
                if they_arrive {
                    url.execute(unordered(write));
                }
            }
            for _ in 0..LIFE {
                url.known = url.known.map(Known::older);
            }
        }
    }

    fn journal(&mut self, at: usize, rules: Rules) -> Option<()> {
        let Progress::Next(write, then) = self.urls[at].progress else {
            return None;
        };
        let same = (then.is_none() || !rules.keep(Rule::ReplaceWaits)).then_some(write);
        let lone_delete = write == Write::Delete && then.is_none();
        let spared = if rules.keep(Rule::Gateway) {
            0
        } else {
            LIFE - ADMITTED
        };
        let fenced = self.urls[at]
            .known
            .is_some_and(|known| known.is_fenced(same, spared));
        if (rules.keep(Rule::Fence) && fenced)
            || (rules.keep(Rule::Order) && lone_delete && !self.others_succeeded(at))
        {
            return None;
        }
        let url = &mut self.urls[at];
        if rules.keep(Rule::JournalFirst) {
            url.known = Some(url.known.unwrap_or(UNTOUCHED).begin(write));
        }
        url.progress = Progress::Journaled(write, then, ADMITTED);
        Some(())
    }

    fn answer(&mut self, at: usize, rules: Rules) -> Option<()> {
        let url = &mut self.urls[at];
        let Progress::Arrived(write, then, changed) = url.progress else {
            return None;
        };
        url.settle(
            write,
            answer_to(write, changed, self.exists_is_an_error),
            rules,
        );
        url.progress = then.map_or(Progress::Done, |next| Progress::Next(next, None));
        Some(())
    }

    fn lose_answer(&mut self, at: usize, rules: Rules) -> Option<()> {
        self.losses += 1;
        let url = &mut self.urls[at];
        let (write, then) = match url.progress {
            Progress::Flying(write, then, left) => {
                url.lose(left, write);
                (write, then)
            }
            Progress::Arrived(write, then, _) => (write, then),
            Progress::Done | Progress::Next(..) | Progress::Journaled(..) | Progress::GivenUp => {
                return None;
            }
        };
        url.settle(write, Answer::None, rules);
        url.progress = Progress::Next(write, then);
        Some(())
    }

    fn crash(&mut self, rules: Rules) {
        self.crashes += 1;
        self.running = false;
        for url in &mut self.urls {
            if let Progress::Flying(write, _, left) = url.progress {
                url.lose(left, write);
            }
            url.known = url.known.map(|known| {
                if rules.keep(Rule::Interrupt) {
                    known.interrupt()
                } else {
                    Known {
                        pending: None,
                        ..known
                    }
                }
            });
            url.progress = Progress::Done;
        }
    }

    fn end(&mut self) {
        self.running = false;
        for url in &mut self.urls {
            url.progress = Progress::Done;
            url.known = url.known.map(Known::forget_dead).filter(|known| {
                let forgotten =
                    url.wanted.is_none() && known.belief == Belief::ABSENT && known.lost.is_none();
                !forgotten
            });
        }
    }

    fn tick(&mut self) {
        for url in &mut self.urls {
            url.known = url.known.map(Known::older);
            for (_, left, _) in &mut url.coming {
                *left -= 1;
            }
            url.coming.retain(|(_, left, _)| *left > 0);
            if let Progress::Journaled(_, _, left) | Progress::Flying(_, _, left) =
                &mut url.progress
            {
                *left = left.saturating_sub(1);
            }
        }
    }

    fn is_aging(&self) -> bool {
        self.urls.iter().any(|url| {
            let recorded = url.known.is_some_and(|known| {
                [known.lost, known.pending]
                    .into_iter()
                    .flatten()
                    .any(|(_, left)| left > 0)
            });
            recorded || !url.coming.is_empty()
        })
    }
}

/// Whether such a call may still arrive.
fn url_has(url: &Url, write: Write) -> bool {
    url.coming
        .iter()
        .any(|(_, _, other)| unordered(*other) == write)
}

const fn answer_to(write: Write, changed: bool, exists_is_an_error: bool) -> Answer {
    match (write, changed) {
        (Write::Delete, false) => Answer::NotThere,
        (Write::Add(_), false) if exists_is_an_error => Answer::AlreadyThere,
        _ => Answer::Applied,
    }
}
