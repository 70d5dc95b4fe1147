//! What a run is asked to do, by chance.

use std::collections::BTreeSet;

use ess_callbacks::model::Timestamp;
use ess_callbacks::plan::{Heal, Options, Pattern};

use crate::config::{Id, SCOPES, URLS, any_id};
use crate::dice::Dice;
use crate::process::Stop;
use crate::rules::RunFacts;

/// Ctrl-C, or a signal that means the same.
pub(crate) fn any_stop(dice: &mut Dice) -> Stop {
    match dice.below(20) {
        0 => Stop::After(dice.millis(0, 60_000)),
        1 => Stop::After(dice.millis(0, 700_000)),
        2 | 3 => Stop::AtPoll(dice.any_size(1000)),
        _ => Stop::Never,
    }
}

/// What to plan. `facts` learn of it.
pub(crate) fn any_options(dice: &mut Dice, facts: &mut RunFacts) -> Options {
    let mut options = Options::default();
    if dice.percent(2) {
        options.destroy = true;
        facts.destroy = true;
    }
    if dice.percent(15) {
        options.heal = Some(Heal {
            proved_before: dice.percent(50).then_some(Timestamp(1_800_000_200)),
            proved_by: None,
            max_calls: dice.percent(30).then(|| dice.below(4)),
            only: false,
        });
    }
    if dice.percent(10) {
        let ids: BTreeSet<_> = (0..=dice.below(2)).map(|_| any_id(dice)).collect();
        options.targets = ids.iter().map(|id| pattern(*id)).collect();
        facts.targets = Some(ids);
    }
    if dice.percent(10) {
        let id = any_id(dice);
        options.replace = vec![pattern(id)];
        facts.forced.insert(id);
    }
    options
}

/// A pattern that means this callback, whatever its organization's handle is.
fn pattern(id: Id) -> Pattern {
    debug_assert!(id.scope < SCOPES && id.url < URLS);
    Pattern::parse(&format!("o{}-*/{}", id.scope, id.url())).expect("a pattern")
}
