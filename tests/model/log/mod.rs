//! The remote log, of which it is said that it is the lock: runners that write it, a store that creates each
//! number once, the network between them, and the calls that leave.
//!
//! A runner is one run with an id of its own. Nobody's clock is modelled: anyone may take over at any time. A
//! runner that stands still is one whose next step comes late, and one that died is one whose next step
//! never comes; what it had sent arrives all the same. An `unlock` is a take-over by a runner that then does nothing.
//!
//! A request and its answer are one step: between them its sender does nothing, so that nobody could see a
//! difference. The decisions are those of `state::log::held`, whose types are private; they are written
//! again here, so that each can be left out.

mod search;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A rule of the runners, or of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The store refuses a second record with a number.
    CreateOnly,
    /// Who takes over begins with a record that says so.
    HoldFirst,
    /// What a new holder reads reaches its own first record.
    ReadToHold,
    /// An intent is known to be durable before its call leaves.
    IntentFirst,
    /// After an unclear answer the newest record says what happened.
    ReadBack,
    /// What got no answer is sent again as it was.
    SameAgain,
    /// A record is ours only when it has an id of ours.
    OnlyOurs,
    /// Records whose fate is not known are remembered when the next is written.
    Remember,
    /// A refusal says nothing of the same record sent before.
    MayArrive,
    /// A number that is taken may have been taken by a copy of our own request.
    TakenMayBeOurs,
    /// When an earlier record of ours has the number, the new one comes after it.
    After,
    /// Who lost the hold writes nothing more.
    LostStops,
    /// A call without an answer stays open.
    StaysOpen,
}

type Rules = crate::Rules<Rule>;

/// How much may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) runners: usize,
    pub(crate) calls: u8,
    /// Requests to the store that don't go as they should.
    pub(crate) faults: u8,
    /// Looks that show an older log.
    pub(crate) stale: u8,
    /// Writes that fail because nothing is known of them for too long.
    pub(crate) failures: u8,
}

pub(crate) struct Writers {
    pub(crate) rules: Rules,
    pub(crate) bounds: Bounds,
    pub(crate) seen: Arc<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    log: BTreeMap<u8, Record>,
    runners: Vec<Runner>,
    /// Records that have not arrived, and whose senders don't wait for them any more.
    coming: Vec<Record>,
    /// The same for calls.
    calls_coming: Vec<Call>,
    /// Calls that left.
    left: Vec<Call>,
    calls: u8,
    faults: u8,
    stale: u8,
    failures: u8,
    /// What was done that must not be done.
    broken: Option<&'static str>,
}

/// A record is told from all others by its runner, its number and how many its runner had tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Record {
    number: u8,
    by: usize,
    tried: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Hold,
    Intent,
    /// Of the intent with this number; whether the call was answered.
    Outcome(u8, bool),
    Release,
}

/// By whom, and the number of its intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Call {
    by: usize,
    intent: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Runner {
    begun: bool,
    phase: Phase,
    /// The number of the newest record that it knows to be its own.
    head: u8,
    /// The number of its first record; 0 before.
    hold: u8,
    /// How far it read when it had taken over; 0 before.
    read: u8,
    tried: u8,
    unclear: Vec<Record>,
    /// Intents that it knows to be durable, and whose calls have not left. They may leave whatever else it does.
    intended: Vec<u8>,
    /// Calls that ended, whether with an answer, and whose outcome is not written.
    ended: Vec<(u8, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Out,
    /// It sends a record. Whether a request before may have had an effect.
    Sending(Record, bool),
    /// It has to look at the newest record.
    Asking(Record, bool),
    Holding,
    /// It ended without knowing whether its first or its last record is there.
    Left,
    /// It was told that its release is there.
    Released,
    /// It was told that it lost the hold.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Looks at the log, so far, to take over after it.
    Look(usize, u8),
    /// Reads the log, so far.
    Read(usize, u8),
    Write(usize, Kind),
    Create(usize, Fate),
    /// Looks at the newest record, which seems to be the one with this number.
    Ask(usize, u8),
    GiveUp(usize),
    /// Whether it is answered. Else it is on its way, and may arrive.
    Call(usize, bool),
    Late(usize),
    LateCall(usize),
}

/// What becomes of a request to create a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Done,
    AnswerLost,
    /// It arrives at any time, or never.
    Late,
    /// It arrives twice, and the second answer counts.
    Doubled,
    /// The store does nothing, and says so.
    Refused,
}

/// What happened in some order of steps, so that the bounds are known to allow it. It is no part of a state: that would
/// only multiply them.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) late: AtomicBool,
    /// An earlier record of a runner has the number of its newer one.
    pub(crate) overtaken: AtomicBool,
    pub(crate) call_after_take_over: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Created {
    Now,
    Taken,
}

const OUT: Runner = Runner {
    begun: false,
    phase: Phase::Out,
    head: 0,
    hold: 0,
    read: 0,
    tried: 0,
    unclear: Vec::new(),
    intended: Vec::new(),
    ended: Vec::new(),
};

impl State {
    fn new(runners: usize) -> Self {
        Self {
            log: BTreeMap::new(),
            runners: vec![OUT; runners],
            coming: Vec::new(),
            calls_coming: Vec::new(),
            left: Vec::new(),
            calls: 0,
            faults: 0,
            stale: 0,
            failures: 0,
            broken: None,
        }
    }

    fn breaks(&mut self, rule: &'static str) {
        self.broken.get_or_insert(rule);
    }

    /// The number of the newest record.
    fn newest(&self) -> u8 {
        self.log.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// The record that says who may write the one with this number.
    fn hold_at(&self, number: u8) -> Option<Record> {
        let before = self.log.range(..=number).map(|(_, record)| *record);
        before
            .rev()
            .find(|record| matches!(record.kind, Kind::Hold | Kind::Release))
            .filter(|record| record.kind == Kind::Hold)
    }

    /// Whether there is no gap, and each record is by the holder that those before it name.
    fn only_holders_write(&self) -> bool {
        (1..).zip(&self.log).all(|(expected, (number, record))| {
            let by_holder = || {
                self.hold_at(number - 1)
                    .is_some_and(|hold| hold.by == record.by)
            };
            expected == *number && (record.kind == Kind::Hold || by_holder())
        })
    }

    /// Whether no two runners can believe that they create the next record as its holder, and be right.
    fn one_can_write(&self) -> bool {
        let newest = self.newest();
        let can = |runner: &&Runner| {
            let over = matches!(
                runner.phase,
                Phase::Out | Phase::Left | Phase::Released | Phase::Lost
            );
            runner.hold > 0 && runner.head == newest && !over
        };
        self.runners.iter().filter(can).count() < 2
    }

    /// Whether each holder has read the intents of all calls that left from under a hold before its own.
    fn calls_are_known(&self) -> bool {
        self.left.iter().all(|call| {
            let knows = |runner: &Runner| {
                let later = runner.read > 0 && runner.hold > self.runners[call.by].hold;
                !later || call.intent <= runner.read
            };
            self.runners.iter().all(knows)
        })
    }

    /// The store does what a request says.
    fn put(&mut self, record: Record, rules: Rules) -> Created {
        let there = self.log.get(&record.number).copied();
        if there.is_some() && rules.keep(Rule::CreateOnly) {
            return Created::Taken;
        }
        if there.is_some_and(|there| there != record) {
            self.breaks("(1) a number has had two contents");
        }
        if matches!(self.runners[record.by].phase, Phase::Lost | Phase::Released) {
            self.breaks("(5) a runner appends after it was told that its hold is over");
        }
        self.log.insert(record.number, record);
        Created::Now
    }

    /// Takes over after the record with this number, which seems to be the newest.
    fn look(&mut self, at: usize, view: u8, rules: Rules) {
        self.stale += u8::from(view < self.newest());
        let runner = &mut self.runners[at];
        runner.begun = true;
        if rules.keep(Rule::HoldFirst) {
            let record = Record {
                number: view + 1,
                by: at,
                tried: 0,
                kind: Kind::Hold,
            };
            runner.unclear = vec![record];
            runner.phase = Phase::Sending(record, false);
        } else {
            runner.head = view;
            runner.hold = view + 1;
            runner.read = view;
            runner.phase = Phase::Holding;
        }
    }

    fn write(&mut self, at: usize, kind: Kind, rules: Rules) {
        let runner = &mut self.runners[at];
        runner.tried += 1;
        let record = Record {
            number: runner.head + 1,
            by: at,
            tried: runner.tried,
            kind,
        };
        if !rules.keep(Rule::Remember) {
            runner.unclear.clear();
        }
        runner.unclear.push(record);
        runner.phase = Phase::Sending(record, false);
        if kind == Kind::Intent && !rules.keep(Rule::IntentFirst) {
            runner.intended.push(record.number);
        }
    }

    fn create(&mut self, at: usize, fate: Fate, rules: Rules) -> Option<()> {
        let Phase::Sending(record, may_arrive) = self.runners[at].phase else {
            return None;
        };
        self.faults += u8::from(fate != Fate::Done);
        let answer = match fate {
            Fate::Done => Some(self.put(record, rules)),
            Fate::Doubled => {
                self.put(record, rules);
                Some(self.put(record, rules))
            }
            Fate::AnswerLost => {
                self.put(record, rules);
                None
            }
            Fate::Late => {
                self.coming.push(record);
                self.coming.sort_unstable();
                None
            }
            Fate::Refused => {
                if !may_arrive || !rules.keep(Rule::MayArrive) {
                    self.runners[at].unclear.pop();
                }
                self.fail(at, record);
                return Some(());
            }
        };
        match answer {
            Some(Created::Now) => self.ours(at, record, record, rules),
            None if !rules.keep(Rule::ReadBack) => self.ours(at, record, record, rules),
            Some(Created::Taken) => {
                let may_arrive = may_arrive || rules.keep(Rule::TakenMayBeOurs);
                self.runners[at].phase = Phase::Asking(record, may_arrive);
            }
            None => self.runners[at].phase = Phase::Asking(record, true),
        }
        Some(())
    }

    fn ask(&mut self, at: usize, view: u8, rules: Rules) -> Option<()> {
        let Phase::Asking(record, may_arrive) = self.runners[at].phase else {
            return None;
        };
        self.stale += u8::from(view < self.newest());
        let runner = &mut self.runners[at];
        if view < record.number {
            runner.phase = Phase::Sending(record, may_arrive);
            if !rules.keep(Rule::SameAgain) && record.kind != Kind::Hold {
                runner.unclear.pop();
                self.write(at, record.kind, rules);
            }
            return Some(());
        }
        let head = *self.log.get(&view)?;
        if runner.unclear.contains(&head) {
            self.ours(at, record, head, rules);
        } else if rules.keep(Rule::OnlyOurs) {
            self.theirs(at, record, rules);
        } else {
            self.ours(at, record, record, rules);
        }
        Some(())
    }

    /// There is a record of ours with the number of the one to write: this one, or an earlier one.
    fn ours(&mut self, at: usize, record: Record, there: Record, rules: Rules) {
        let runner = &mut self.runners[at];
        runner.head = there.number;
        runner.unclear.clear();
        if there != record && rules.keep(Rule::After) {
            self.write(at, record.kind, rules);
            return;
        }
        runner.phase = Phase::Holding;
        match record.kind {
            Kind::Hold => runner.hold = record.number,
            Kind::Intent if rules.keep(Rule::IntentFirst) => runner.intended.push(record.number),
            Kind::Intent => {}
            Kind::Outcome(intent, _) => runner.ended.retain(|(ended, _)| *ended != intent),
            Kind::Release => runner.phase = Phase::Released,
        }
        if self.log.get(&record.number) != Some(&record) {
            self.breaks("(5) a runner was told that a record is durable, and it is not");
        }
    }

    /// The newest record is another runner's, and has the number of the one to write or a higher one.
    fn theirs(&mut self, at: usize, record: Record, rules: Rules) {
        let newest = self.newest();
        let runner = &mut self.runners[at];
        if record.kind == Kind::Hold {
            runner.unclear.clear();
            runner.phase = Phase::Out;
            return;
        }
        if !rules.keep(Rule::LostStops) {
            runner.head = newest;
            runner.unclear.clear();
            runner.phase = Phase::Holding;
            return;
        }
        runner.phase = Phase::Lost;
        // Its own record may be there too, below the other's: then it can't tell, and what it recorded is known.
        if self
            .log
            .range(record.number..)
            .all(|(_, there)| there.by == at)
        {
            self.breaks("(5) a runner was told that it lost the hold, and it has not");
        }
    }

    /// A write failed. What comes next may be written all the same; a run that begins or ends with it is over.
    fn fail(&mut self, at: usize, record: Record) {
        self.runners[at].phase = match record.kind {
            Kind::Hold | Kind::Release => Phase::Left,
            Kind::Intent | Kind::Outcome(..) => Phase::Holding,
        };
    }

    /// Everything that must hold when a call leaves.
    fn call(&mut self, at: usize, answered: bool, rules: Rules) -> Option<()> {
        let intent = self.runners[at].intended.pop()?;
        let call = Call { by: at, intent };
        let durable = self
            .log
            .get(&intent)
            .is_some_and(|record| record.by == at && record.kind == Kind::Intent);
        if !durable {
            self.breaks("(3) a call left whose intent is not durable");
        }
        if self.hold_at(intent).is_none_or(|hold| hold.by != at) {
            self.breaks("(3) a call left from under another's hold");
        }
        self.left.push(call);
        self.left.sort_unstable();
        if !answered {
            self.calls_coming.push(call);
            self.calls_coming.sort_unstable();
        }
        let answered = answered || !rules.keep(Rule::StaysOpen);
        self.runners[at].ended.push((intent, answered));
        Some(())
    }

    /// eSign gets a call whose sender does not wait for it any more.
    fn late_call(&mut self, number: usize) {
        let Call { intent, .. } = self.calls_coming.remove(number);
        let is_closed = self
            .log
            .values()
            .any(|record| record.kind == Kind::Outcome(intent, true));
        if is_closed {
            self.breaks("(4) a call arrived that is recorded as answered");
        }
    }
}
