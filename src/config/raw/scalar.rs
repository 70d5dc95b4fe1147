//! The type of a scalar without quotes, by the core schema of YAML 1.2: `yes`, `on` and dates are strings.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Number(f64),
    String,
}

pub(super) fn scalar(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Boolean(true),
        "false" | "False" | "FALSE" => Scalar::Boolean(false),
        _ => number(text).map_or(Scalar::String, Scalar::Number),
    }
}

fn number(text: &str) -> Option<f64> {
    let first = text.bytes().next()?;
    if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.') {
        return None;
    }
    let radix = |prefix, radix| {
        let digits: &str = text.strip_prefix(prefix)?;
        (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))).then(|| {
            // The value does not matter: no field accepts a number this large.
            u32::from_str_radix(digits, radix).map_or(f64::INFINITY, f64::from)
        })
    };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(number);
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if unsigned == text => return Some(f64::NAN),
        _ => {}
    }
    // Rust also parses words such as "inf" and "nan"; they have other letters than `e`.
    let decimal = unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Scalar::Null)]
    #[case("~", Scalar::Null)]
    #[case("null", Scalar::Null)]
    #[case("True", Scalar::Boolean(true))]
    #[case("false", Scalar::Boolean(false))]
    #[case("yes", Scalar::String)]
    #[case("on", Scalar::String)]
    #[case("1", Scalar::Number(1.0))]
    #[case("+1", Scalar::Number(1.0))]
    #[case("-01", Scalar::Number(-1.0))]
    #[case("1.0", Scalar::Number(1.0))]
    #[case(".5", Scalar::Number(0.5))]
    #[case("1e3", Scalar::Number(1000.0))]
    #[case("0x1F", Scalar::Number(31.0))]
    #[case("0o17", Scalar::Number(15.0))]
    #[case("99999999999999999999", Scalar::Number(1e20))]
    #[case("-.inf", Scalar::Number(f64::INFINITY))]
    #[case("0x", Scalar::String)]
    #[case("-", Scalar::String)]
    #[case(".", Scalar::String)]
    #[case("1.2.3.4", Scalar::String)]
    #[case("2026-11-01", Scalar::String)]
    #[case("12e", Scalar::String)]
    #[case("1_000", Scalar::String)]
    #[case("inf", Scalar::String)]
    #[case("e1", Scalar::String)]
    fn plain_text_means_what_yaml_1_2_says(#[case] text: &str, #[case] meaning: Scalar) {
        assert_eq!(scalar(text), meaning);
    }
}
