//! Durations: `30s`, `5m`, `24h`, `7d`.

use std::time::Duration;

/// Reads a number with a unit. A number without one is an error, as its unit would be a guess.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let explain = || {
        format!("`{text}` is not a duration: write a number and a unit (s, m, h or d), such as 5m")
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(explain)?;
    let number: u64 = text[..digits].parse().map_err(|_| explain())?;
    let unit = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(explain()),
    };
    number
        .checked_mul(unit)
        .map(Duration::from_secs)
        .ok_or_else(explain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(604_800)));
        for bad in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "5w",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
