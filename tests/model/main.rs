//! A model of the protocol between the applier and eSign, checked in every state it can reach.
//!
//! It shows two things that the simulation can't, which draws its schedules by chance: within its bounds no
//! order of calls, losses, crashes and edits breaks a promise, and none of the rules can be left out
//! without breaking one.
//!
//! What a call does to what is known ([`Entry`], [`Belief`]) and what is planned are the real code;
//! the applier's steps, the network and time are modelled. See `docs/reliability.md`.
//!
//! [`Entry`]: ess_callbacks::model::Entry
//! [`Belief`]: ess_callbacks::model::Belief

mod knowledge;
mod protocol;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use self::protocol::{Bounds, Protocol, Rule, Rules};

/// Small enough for every test run.
const SMALL: Bounds = Bounds {
    calls: 3,
    losses: 1,
    crashes: 1,
    edits: 1,
};

/// Checks every reachable state; gives how many there are and the first broken property.
fn check(rules: Rules, bounds: Bounds) -> (usize, Option<String>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = Protocol { rules, bounds }
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let broken = checker
        .discoveries()
        .into_iter()
        .find(|(name, _)| name.starts_with('('))
        .map(|(name, path)| {
            format!(
                "{name}: {:?}\n{:#?}",
                path.clone().into_actions(),
                path.last_state()
            )
        });
    (checker.unique_state_count(), broken)
}

#[test]
fn every_reachable_state_is_safe() {
    let bounds = match std::env::var("ESS_CALLBACKS_MODEL_CALLS") {
        Ok(calls) => Bounds {
            calls: calls
                .parse()
                .expect("ESS_CALLBACKS_MODEL_CALLS is a number"),
            losses: 3,
            crashes: 2,
            edits: 2,
        },
        Err(_) => SMALL,
    };
    let (states, broken) = check(Rules { without: None }, bounds);
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
        let without = Some(rule);
        let (_, broken) = check(Rules { without }, SMALL);
        assert!(broken.is_some(), "without {rule:?} the model finds nothing");
    }
}
