//! Models, checked in every state that they can reach: of the protocol between the applier and eSign, and of the
//! remote log that several runners write.
//!
//! They show two things that the simulation can't, which draws its schedules by chance: within their bounds no
//! order of events breaks a promise, and none of the rules can be left out without breaking one.
//!
//! In the first, what a call does to what is known ([`Entry`], [`Belief`]) and what is planned are the real code;
//! the applier's steps, the network and time are modelled. In the second everything is. See `docs/reliability.md`.
//!
//! [`Entry`]: ess_callbacks::model::Entry
//! [`Belief`]: ess_callbacks::model::Belief

mod knowledge;
mod log;
mod protocol;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use stateright::{Checker as _, Expectation, HasDiscoveries, Model};

use self::log::{Seen, Writers};
use self::protocol::{Bounds, Protocol, Rule};

/// The rules that are kept: all, or all but one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<R> {
    pub(crate) without: Option<R>,
}

impl<R: Copy + PartialEq> Rules<R> {
    fn keep(self, rule: R) -> bool {
        self.without != Some(rule)
    }
}

/// Small enough for every test run.
const SMALL: Bounds = Bounds {
    calls: 3,
    losses: 1,
    crashes: 1,
    edits: 1,
};

/// The same for the log, with two runners and with three.
const SMALL_LOGS: [log::Bounds; 2] = [
    log::Bounds {
        runners: 2,
        calls: 1,
        faults: 2,
        stale: 1,
        failures: 1,
    },
    log::Bounds {
        runners: 3,
        calls: 1,
        faults: 1,
        stale: 0,
        failures: 0,
    },
];

const LARGE_LOGS: [log::Bounds; 2] = [
    SMALL_LOGS[0],
    log::Bounds {
        stale: 1,
        failures: 1,
        ..SMALL_LOGS[1]
    },
];

/// Checks every reachable state; gives how many there are and the first broken property.
fn check<M>(model: M) -> (usize, Option<String>)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = model
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let discoveries = checker.discoveries();
    let mut properties = checker.model().properties().into_iter();
    let broken = properties.find_map(|property| {
        let found = discoveries.get(property.name);
        match (property.expectation, found) {
            (Expectation::Always | Expectation::Eventually, Some(path)) => Some(format!(
                "{}: {:#?}\n{:#?}",
                property.name,
                path.clone().into_actions(),
                path.last_state()
            )),
            (Expectation::Sometimes, None) => Some(format!("never: {}", property.name)),
            (Expectation::Sometimes, Some(_))
            | (Expectation::Always | Expectation::Eventually, None) => None,
        }
    });
    (checker.unique_state_count(), broken)
}

/// The number that asks for larger bounds than those of every test run.
fn calls() -> Option<u8> {
    let calls = std::env::var("ESS_CALLBACKS_MODEL_CALLS").ok()?;
    Some(
        calls
            .parse()
            .expect("ESS_CALLBACKS_MODEL_CALLS is a number"),
    )
}

#[test]
fn every_reachable_state_is_safe() {
    let bounds = calls().map_or(SMALL, |calls| Bounds {
        calls,
        losses: 3,
        crashes: 2,
        edits: 2,
    });
    let rules = Rules { without: None };
    let (states, broken) = check(Protocol { rules, bounds });
    println!("{states} states");
    if let Some(broken) = broken {
        println!("broken: {broken}");
        panic!("the protocol is not safe");
    }
    assert!(states > 10_000, "only {states} states");
}

/// Each rule is needed: without it the model finds what goes wrong.
#[test]
fn no_rule_can_be_left_out() {
    let rules = [
        Rule::Fence,
        Rule::Gateway,
        Rule::ReplaceWaits,
        Rule::JournalFirst,
        Rule::Order,
        Rule::Interrupt,
    ];
    for rule in rules {
        let rules = Rules {
            without: Some(rule),
        };
        let bounds = SMALL;
        let (_, broken) = check(Protocol { rules, bounds });
        assert!(broken.is_some(), "without {rule:?} the model finds nothing");
    }
}

#[test]
fn every_reachable_log_is_safe() {
    let seen = Arc::new(Seen::default());
    for bounds in calls().map_or(SMALL_LOGS, |_| LARGE_LOGS) {
        let rules = Rules { without: None };
        let (states, broken) = check(Writers {
            rules,
            bounds,
            seen: Arc::clone(&seen),
        });
        println!("{states} states");
        if let Some(broken) = broken {
            println!("broken: {broken}");
            panic!("the log is not safe with {bounds:?}");
        }
        assert!(states > 10_000, "only {states} states");
    }
    let Seen {
        late,
        overtaken,
        call_after_take_over,
    } = &*seen;
    assert!(late.load(Relaxed), "no record arrives late");
    assert!(
        overtaken.load(Relaxed),
        "no record has a newer one's number"
    );
    assert!(
        call_after_take_over.load(Relaxed),
        "no call leaves after a take-over"
    );
}

#[test]
fn no_rule_of_the_log_can_be_left_out() {
    let rules = [
        log::Rule::CreateOnly,
        log::Rule::HoldFirst,
        log::Rule::ReadToHold,
        log::Rule::IntentFirst,
        log::Rule::ReadBack,
        log::Rule::SameAgain,
        log::Rule::OnlyOurs,
        log::Rule::Remember,
        log::Rule::MayArrive,
        log::Rule::TakenMayBeOurs,
        log::Rule::After,
        log::Rule::LostStops,
        log::Rule::StaysOpen,
    ];
    for rule in rules {
        let rules = Rules {
            without: Some(rule),
        };
        let bounds = SMALL_LOGS[0];
        let (_, broken) = check(Writers {
            rules,
            bounds,
            seen: Arc::default(),
        });
        let broken = broken.unwrap_or_default();
        println!("without {rule:?}: {broken}");
        assert!(
            broken.starts_with('('),
            "without {rule:?} the model finds nothing"
        );
    }
}
