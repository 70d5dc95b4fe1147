//! The texts of `--fault` and `--script`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, MAX_FAULTS, MAX_STEPS, SpecError};
use super::quantity::{WHOLE, chance, duration, show_chance, show_duration};

/// `--fault`: the chance of each fault, the latency of answers and the offset of the clock.
///
/// Like `lost-after=0.1,throttle=5%,skew=+400,slow=800ms±50%`. The empty text means no faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSpec {
    /// Each fault with its chance in millionths; they add up to a million at most.
    pub(super) chances: Vec<(Fault, u32)>,
    /// Seconds by which the server's clock is ahead; negative when it is behind.
    pub(super) skew: i64,
    pub(super) slow: Option<Slow>,
    /// The longest time that a call takes to arrive; each takes a random part of it.
    pub(super) jitter: Duration,
}

/// The latency of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slow {
    pub(super) mean: Duration,
    /// In millionths of the mean, either way.
    pub(super) spread: u32,
}

/// `--script`: what happens to the first calls, one by one. Like `ok*2,lost-after,ok`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script(pub(super) Vec<Fault>);

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        let mut seen = Vec::new();
        for part in parts(text) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| SpecError::NotAPair(part.to_owned()))?;
            if seen.len() > MAX_FAULTS {
                return Err(SpecError::TooMany);
            }
            if seen.contains(&name) {
                return Err(SpecError::Twice(name.to_owned()));
            }
            seen.push(name);
            match name {
                "skew" => {
                    spec.skew = value
                        .parse()
                        .map_err(|_| SpecError::Skew(value.to_owned()))?;
                }
                "slow" => spec.slow = Some(value.parse()?),
                "jitter" => {
                    spec.jitter =
                        duration(value).ok_or_else(|| SpecError::Duration(value.to_owned()))?;
                }
                _ => {
                    let fault: Fault = name.parse()?;
                    // `late@60s` and `late@1m` are one.
                    if spec.chances.iter().any(|(known, _)| *known == fault) {
                        return Err(SpecError::Twice(name.to_owned()));
                    }
                    let millionths = chance(value).ok_or_else(|| SpecError::Chance {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    })?;
                    spec.chances.push((fault, millionths));
                }
            }
        }
        let total: u64 = spec.chances.iter().map(|(_, part)| u64::from(*part)).sum();
        if total > u64::from(WHOLE) {
            return Err(SpecError::TooLikely);
        }
        Ok(spec)
    }
}

impl FromStr for Slow {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = || SpecError::Duration(text.to_owned());
        let split = text.split_once('±').or_else(|| text.split_once("+-"));
        let (mean, spread) = split.unwrap_or((text, "0%"));
        Ok(Self {
            mean: duration(mean).ok_or_else(wrong)?,
            spread: chance(spread).ok_or_else(wrong)?,
        })
    }
}

impl FromStr for Script {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut steps = Vec::new();
        for part in parts(text) {
            let (name, times) = part.split_once('*').unwrap_or((part, "1"));
            let fault: Fault = name.parse()?;
            let times = times
                .parse::<usize>()
                .ok()
                .filter(|&times| times >= 1 && steps.len().saturating_add(times) <= MAX_STEPS)
                .ok_or_else(|| SpecError::Repetition(part.to_owned()))?;
            steps.extend(std::iter::repeat_n(fault, times));
        }
        Ok(Self(steps))
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chances,
            skew,
            slow,
            jitter,
        } = self;
        let mut words: Vec<String> = chances
            .iter()
            .map(|(fault, part)| format!("{fault}={}", show_chance(*part)))
            .collect();
        if *skew != 0 {
            words.push(format!("skew={skew:+}"));
        }
        if let Some(Slow { mean, spread }) = slow {
            let mean = show_duration(*mean);
            words.push(format!("slow={mean}±{}", show_chance(*spread)));
        }
        if !jitter.is_zero() {
            words.push(format!("jitter={}", show_duration(*jitter)));
        }
        f.pad(&words.join(","))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .0
            .chunk_by(|one, next| one == next)
            .map(|run| match run {
                [fault] => fault.to_string(),
                _ => format!("{}*{}", run[0], run.len()),
            })
            .collect();
        f.pad(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn everything_at_once() {
        let text =
            " lost-after=0.1, throttle=5%,late@90s=0.01,skew=+400,slow=800ms±50%,jitter=20ms ";
        let spec: FaultSpec = text.parse().unwrap();
        insta::assert_snapshot!(spec, @"lost-after=0.1,throttle=0.05,late@90s=0.01,skew=+400,slow=800ms±0.5,jitter=20ms");
        assert_eq!(
            "slow=800ms+-50%".parse::<FaultSpec>().unwrap().slow,
            spec.slow
        );
        assert_eq!("".parse(), Ok(FaultSpec::default()));
    }

    #[rstest]
    #[case("lost-after", SpecError::NotAPair("lost-after".into()))]
    #[case("lost=1", SpecError::UnknownFault("lost".into()))]
    #[case("502=2", SpecError::Chance { name: "502".into(), value: "2".into() })]
    #[case("502=1,garbage=0.000001", SpecError::TooLikely)]
    #[case("502=0.1,502=0.1", SpecError::Twice("502".into()))]
    #[case("late@60s=0.1,late@1m=0.1", SpecError::Twice("late@1m".into()))]
    #[case("skew=soon", SpecError::Skew("soon".into()))]
    #[case("skew=9223372036854775808", SpecError::Skew("9223372036854775808".into()))]
    #[case("skew=-9223372036854775809", SpecError::Skew("-9223372036854775809".into()))]
    #[case("slow=fast", SpecError::Duration("fast".into()))]
    #[case("slow=1s±200%", SpecError::Duration("1s±200%".into()))]
    #[case("jitter=much", SpecError::Duration("much".into()))]
    #[case("late@x=0.1", SpecError::Duration("x".into()))]
    fn a_mistake_is_named(#[case] text: &str, #[case] expected: SpecError) {
        assert_eq!(text.parse::<FaultSpec>(), Err(expected));
    }

    #[test]
    fn a_list_without_end_is_not_read_to_its_end() {
        let many: Vec<String> = (1..100_000).map(|n| format!("late@{n}s=0")).collect();
        let read = many.join(",").parse::<FaultSpec>();
        assert_eq!(read, Err(SpecError::TooMany));
    }

    #[test]
    fn a_script_is_unrolled() {
        let script: Script = "ok*2, lost-after,late@5m".parse().unwrap();
        assert_eq!(script.0.len(), 4);
        assert_eq!(script.to_string(), "ok*2,lost-after,late@300s");
        for bad in ["ok*0", "ok*x", "ok*100001", "ok*99999,ok*2"] {
            let error = bad.parse::<Script>().unwrap_err();
            assert!(matches!(error, SpecError::Repetition(_)), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(
            lost in 0..500_000_u32, late in 0..500_000_u32, skew: i64,
            slow in proptest::option::of((1..10_000_000_u64, 0..=WHOLE)), jitter in 0..10_000_u64,
        ) {
            let spec = FaultSpec {
                chances: vec![
                    (Fault::Lost { applied: true }, lost),
                    (Fault::Late(Duration::from_millis(late.into())), late),
                ],
                skew,
                slow: slow.map(|(micros, spread)| Slow {
                    mean: Duration::from_micros(micros),
                    spread,
                }),
                jitter: Duration::from_millis(jitter),
            };
            prop_assert_eq!(spec.to_string().parse(), Ok(spec));
        }

        #[test]
        fn no_text_causes_a_panic(text: String) {
            if let Ok(spec) = text.parse::<FaultSpec>() {
                prop_assert_eq!(spec.to_string().parse(), Ok(spec));
            }
        }
    }
}
