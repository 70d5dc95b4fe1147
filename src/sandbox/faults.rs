//! Chooses the faults, reproducibly.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::fault::Fault;
use super::quantity::WHOLE;
use super::random::Random;
use super::spec::{FaultSpec, Script, Slow};

/// The faults still to come.
///
/// The script is used up first, in the order of arrival. After it, chance depends on the seed, on
/// the call's content and on how often it was made before, and not on the order of arrival: a run
/// with the same seed has the same faults, however its calls overlap.
#[derive(Debug)]
pub(super) struct Faults {
    spec: FaultSpec,
    script: VecDeque<Fault>,
    seed: u64,
    turns: BTreeMap<u64, u64>,
    /// The number of requests that were sent.
    ways: u64,
}

impl Faults {
    pub(super) fn new(spec: FaultSpec, script: Script, seed: u64) -> Self {
        Self {
            spec,
            script: script.0.into(),
            seed,
            turns: BTreeMap::new(),
            ways: 0,
        }
    }

    pub(super) fn spec(&self) -> &FaultSpec {
        &self.spec
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// What is left of the script.
    pub(super) fn script(&self) -> Script {
        Script(self.script.iter().copied().collect())
    }

    /// The fault of this call.
    pub(super) fn choose(&mut self, call: &[u8]) -> Fault {
        if let Some(fault) = self.script.pop_front() {
            return fault;
        }
        if self.spec.chances.is_empty() {
            return Fault::None;
        }
        let name = Random::keyed(self.seed, call, 0).next();
        let turn = self.turns.entry(name).or_default();
        *turn += 1;
        let mut draw = Random::keyed(self.seed, call, *turn).below(WHOLE.into());
        for (fault, millionths) in &self.spec.chances {
            match draw.checked_sub(u64::from(*millionths)) {
                Some(rest) => draw = rest,
                None => return *fault,
            }
        }
        Fault::None
    }

    /// How long the next request takes to arrive.
    pub(super) fn way(&mut self) -> Duration {
        self.ways += 1;
        let range = u64::try_from(self.spec.jitter.as_micros())
            .map_or(u64::MAX, |most| most.saturating_add(1));
        Duration::from_micros(Random::keyed(self.seed, b"way", self.ways).below(range))
    }

    /// How long the answer to the `arrival`th request takes.
    pub(super) fn delay(&self, arrival: u64) -> Duration {
        let Some(Slow { mean, spread }) = self.spec.slow else {
            return Duration::ZERO;
        };
        let swing = mean.saturating_mul(spread) / WHOLE;
        let range = u64::try_from(swing.as_micros())
            .map_or(u64::MAX, |swing| swing.saturating_mul(2).saturating_add(1));
        let drawn = Random::keyed(self.seed, b"slow", arrival).below(range);
        mean.saturating_sub(swing)
            .saturating_add(Duration::from_micros(drawn))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(spec: &str, script: &str, seed: u64) -> Faults {
        Faults::new(spec.parse().unwrap(), script.parse().unwrap(), seed)
    }

    #[test]
    fn the_script_comes_first_and_then_chance() {
        let mut faults = faults("502=1", "ok,lost-after", 7);
        let met: Vec<String> = (0..3).map(|_| faults.choose(b"a").to_string()).collect();
        assert_eq!(met, ["ok", "lost-after", "502"]);
    }

    #[test]
    fn chances_are_kept_within_a_tenth() {
        let mut faults = faults("lost-after=0.1,throttle=0.3", "", 7);
        let mut count = BTreeMap::<String, u32>::new();
        for call in 0..10_000_u32 {
            let fault = faults.choose(&call.to_le_bytes());
            *count.entry(fault.to_string()).or_default() += 1;
        }
        assert!((900..1100).contains(&count["lost-after"]), "{count:?}");
        assert!((2700..3300).contains(&count["throttle"]), "{count:?}");
        assert!((5400..6600).contains(&count["ok"]), "{count:?}");
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_each_call_the_same_faults_in_any_order(
            seed: u64, calls in proptest::collection::vec(0..5_u8, 0..60), shuffle: u64,
        ) {
            let met = |order: &[u8]| {
                let mut faults = faults("lost-before=0.3,502=0.3", "", seed);
                let mut met = BTreeMap::<u8, Vec<String>>::new();
                for call in order {
                    let fault = faults.choose(&[*call]).to_string();
                    met.entry(*call).or_default().push(fault);
                }
                met
            };
            let mut other = calls.clone();
            let mut random = Random::keyed(shuffle, b"shuffle", 0);
            other.sort_by_cached_key(|_| random.next());
            prop_assert_eq!(met(&calls), met(&other));
        }

        #[test]
        fn a_way_takes_some_part_of_the_jitter(seed: u64) {
            prop_assert_eq!(faults("", "", seed).way(), Duration::ZERO);
            let mut jittered = faults("jitter=200ms", "", seed);
            let ways: Vec<Duration> = (0..100).map(|_| jittered.way()).collect();
            prop_assert!(ways.iter().all(|&way| way <= Duration::from_millis(200)), "{:?}", ways);
            prop_assert!(ways.iter().any(|&way| way > Duration::from_millis(150)), "{:?}", ways);
            prop_assert!(ways.iter().any(|&way| way < Duration::from_millis(50)), "{:?}", ways);
        }

        #[test]
        fn a_delay_stays_within_its_spread(seed: u64, arrival: u64) {
            let delay = faults("slow=800ms±50%", "", seed).delay(arrival);
            prop_assert!(delay >= Duration::from_millis(400), "{delay:?}");
            prop_assert!(delay <= Duration::from_millis(1200), "{delay:?}");
        }
    }
}
