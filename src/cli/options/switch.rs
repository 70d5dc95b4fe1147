//! Boolean environment variables.

/// Whether this value turns a switch off.
pub(crate) fn says_no(value: &str) -> bool {
    is_one_of(value, ["0", "f", "false", "n", "no", "off"])
}

fn says_yes(value: &str) -> bool {
    is_one_of(value, ["1", "t", "true", "y", "yes", "on"])
}

fn is_one_of(value: &str, words: [&str; 6]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Reads the value of a switch. A misspelt one is an error, so that it turns nothing on.
pub(crate) fn parse(text: &str) -> Result<bool, &'static str> {
    match text {
        yes if says_yes(yes) => Ok(true),
        no if no.is_empty() || says_no(no) => Ok(false),
        _ => Err("the variable of a switch must be `true` or `false`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_no() {
        assert!(["0", "False", "NO", "off"].into_iter().all(says_no));
        assert_eq!(parse("Yes"), Ok(true));
        assert_eq!(parse("off"), Ok(false));
        assert!(
            ["flase", "none", "2", " true"]
                .into_iter()
                .all(|text| parse(text).is_err())
        );
        assert!(
            ["1", "true", "yes", "on", "00"]
                .into_iter()
                .all(|value| !says_no(value))
        );
    }
}
