//! Rule (g): no second holds too many calls, no call is repeated without end, and none goes on and on where
//! nothing answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Id;
use crate::dice::Dice;
use crate::world::{Sent, World};

/// How many calls in a row may get no answer.
const MOST_IN_SILENCE: u32 = 30;

/// A second, as the rate limit counts.
const SECOND: Duration = Duration::from_secs(1);

/// How many calls there are in a second.
pub(crate) struct Rates {
    departures: LastSecond,
    arrivals: LastSecond,
    /// The runs that came to an end and saved what they knew.
    pub(crate) saved: BTreeSet<usize>,
    /// How long every call takes to arrive, if all take equally long.
    pub(crate) way: Option<Duration>,
}

impl Rates {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let way = Duration::from_millis(dice.pick(&[1, 20, 100, 400]));
        Self {
            departures: LastSecond::default(),
            arrivals: LastSecond::default(),
            saved: BTreeSet::new(),
            way: dice.percent(50).then_some(way),
        }
    }
}

/// The calls of the last second, each with its run, by enterprise.
#[derive(Default)]
struct LastSecond(BTreeMap<&'static str, VecDeque<(Instant, usize)>>);

impl LastSecond {
    /// One more; the runs of all of them.
    fn add(&mut self, enterprise: &'static str, run: usize) -> Vec<usize> {
        let now = Instant::now();
        let calls = self.0.entry(enterprise).or_default();
        calls.push_back((now, run));
        calls.retain(|(at, _)| now.duration_since(*at) < SECOND);
        calls.iter().map(|(_, run)| *run).collect()
    }
}

impl World {
    /// (g) Never more than the limit leave in any second, whatever the account is called and in whichever run.
    pub(crate) fn check_departure_rate(&mut self, run: usize, enterprise: &'static str) {
        let runs = self.rates.departures.add(enterprise, run);
        self.check_second("leave", run, &runs, 1);
    }

    /// (g) Nor do more arrive, where all are on their way for equally long. Where they aren't, by less than a
    /// second, those that leave in two seconds may arrive in one.
    pub(crate) fn check_arrival_rate(&mut self, number: usize) {
        let Sent {
            run, enterprise, ..
        } = self.calls[number];
        let runs = self.rates.arrivals.add(enterprise, run);
        // Here the calls of a process that stands still do so too, and arrive all at once.
        if runs.iter().any(|run| self.runs[*run].overtaken) {
            return;
        }
        let most = if self.rates.way.is_some() { 1 } else { 2 };
        self.check_second("arrive", run, &runs, most);
    }

    fn check_second(&mut self, what: &str, run: usize, runs: &[usize], most: usize) {
        let counted = runs.iter().filter(|other| self.knows_of(run, **other));
        let rates = counted.clone().map(|other| self.runs[*other].rate);
        let rate = rates.max().unwrap_or_default();
        let count = counted.count();
        if count > rate * most {
            let what = format!("run {run}: {count} calls {what} in a second at {rate}/s");
            self.breaks("g", &what);
        }
    }

    /// Whether a run can know what another called before it: that one saved it, and their clocks agree.
    fn knows_of(&self, run: usize, other: usize) -> bool {
        let clock = self.runs[run].clock;
        let between = other.min(run)..other.max(run);
        run == other
            || (clock.is_some()
                && self.rates.saved.contains(&other)
                && between.into_iter().all(|number| {
                    let facts = &self.runs[number];
                    facts.clock == clock && !facts.overtaken
                }))
    }

    /// (g) No unbounded retry.
    pub(crate) fn check_retries(&mut self, run: usize, id: Id) {
        let facts = &mut self.runs[run];
        let tries = facts.tries.entry(id).or_default();
        *tries += 1;
        // Two calls of a replace; each may be repeated, signed again for a wrong clock and for new
        // credentials.
        let most = 2 * (facts.max_retries + 4) + facts.throttles.get(&id).copied().unwrap_or(0);
        let tries = *tries;
        if tries > most {
            self.breaks("g", &format!("run {run}: {tries} calls for {id:?}"));
        }
    }

    /// (g) Where nothing answers, no more than a handful of calls is sent, and a few to see whether it does
    /// again. Those on their way when the silence began are no more than a second and a half of the rate.
    pub(crate) fn check_silence(&mut self, run: usize, enterprise: &'static str) {
        let facts = &mut self.runs[run];
        let silent = facts.silent.entry(enterprise).or_default();
        *silent += 1;
        let count = *silent;
        if count > MOST_IN_SILENCE {
            self.breaks(
                "g",
                &format!("run {run}: {count} calls in a row without an answer"),
            );
        }
    }
}
