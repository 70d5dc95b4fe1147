//! Chances and durations as people write them: `0.1`, `10%`, `800ms`, `1.5s`, `2m`.
//!
//! Both are kept as whole numbers, so that the same text means the same on every machine.

use std::time::Duration;

/// Millionths: the unit of a chance.
pub(super) const WHOLE: u32 = 1_000_000;

/// `0.1`, `1` or `10%` in millionths; `None` when it is not a number from 0 to 1.
pub(super) fn chance(text: &str) -> Option<u32> {
    let millionths = match text.strip_suffix('%') {
        Some(percent) => millionths(percent)? / 100,
        None => millionths(text)?,
    };
    u32::try_from(millionths)
        .ok()
        .filter(|&parts| parts <= WHOLE)
}

/// The text that [`chance`] reads back as the same number.
pub(super) fn show_chance(millionths: u32) -> String {
    let text = format!("{}.{:06}", millionths / WHOLE, millionths % WHOLE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `800ms`, `1.5s` or `2m`; `None` when it is none of these.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, micros_in_unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1_000)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1_000_000)
    } else {
        (text.strip_suffix('m')?, 60_000_000)
    };
    let micros = u128::from(millionths(number)?) * micros_in_unit / u128::from(WHOLE);
    u64::try_from(micros).ok().map(Duration::from_micros)
}

/// The text that [`duration`] reads back as the same time, to the microsecond.
pub(super) fn show_duration(time: Duration) -> String {
    let micros = time.as_micros();
    // The larger unit for all but the smallest, or the number could be too large to read.
    let (text, unit) = if micros < 1_000_000 {
        (format!("{}.{:03}", micros / 1_000, micros % 1_000), "ms")
    } else {
        (
            format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000),
            "s",
        )
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

/// A plain decimal number times a million. More than six decimals are refused, not rounded.
fn millionths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 6 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let padded = format!("{decimals:0<6}");
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(WHOLE.into())?
        .checked_add(padded.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chances() {
        assert_eq!(chance("0.1"), Some(100_000));
        assert_eq!(chance("10%"), Some(100_000));
        assert_eq!(chance("0.5%"), Some(5_000));
        assert_eq!(chance("1"), Some(1_000_000));
        for bad in ["", "1.1", "101%", "-0.1", ".5", "1e-3", "0.0000001", "x"] {
            assert_eq!(chance(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("800ms"), Some(Duration::from_millis(800)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        for bad in ["", "s", "800", "-1s", "1h", "99999999999999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(parts in 0..=WHOLE, micros: u64) {
            prop_assert_eq!(chance(&show_chance(parts)), Some(parts));
            let time = Duration::from_micros(micros);
            prop_assert_eq!(duration(&show_duration(time)), Some(time));
        }
    }
}
