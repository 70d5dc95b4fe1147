//! What can go wrong with one call, and its name in a fault specification.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::quantity::{duration, show_duration};

/// What the sandbox does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call is answered as eSign would.
    None,
    /// The connection ends without an answer.
    Lost {
        /// Whether the call took effect before.
        applied: bool,
    },
    /// The connection ends without an answer, and the call arrives this much later. It is then
    /// admitted or refused like any other: not after its signature has expired.
    Late(Duration),
    /// The answer comes this much later. The call takes effect at once.
    Slow(Duration),
    /// HTTP 502 from a proxy.
    BadGateway {
        /// Whether the call took effect before.
        applied: bool,
    },
    /// HTTP 200 with a body that is not a complete answer.
    Garbage {
        /// Whether the call took effect before.
        applied: bool,
    },
    /// `InternalError`.
    InternalError {
        /// Whether the call took effect before.
        applied: bool,
    },
    /// `RequestLimitExceeded`, within the limit or not.
    Throttle,
}

/// The names without an argument.
const NAMES: [(&str, Fault); 10] = [
    ("ok", Fault::None),
    ("lost-before", Fault::Lost { applied: false }),
    ("lost-after", Fault::Lost { applied: true }),
    ("502", Fault::BadGateway { applied: false }),
    ("502-after", Fault::BadGateway { applied: true }),
    ("garbage", Fault::Garbage { applied: false }),
    ("garbage-after", Fault::Garbage { applied: true }),
    ("internal-error", Fault::InternalError { applied: false }),
    (
        "internal-error-after",
        Fault::InternalError { applied: true },
    ),
    ("throttle", Fault::Throttle),
];

/// Why a text is not a valid fault specification or script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No fault has this name.
    #[error("unknown fault `{0}`; the faults are {known}", known = known())]
    UnknownFault(String),
    /// Something other than `name=value`.
    #[error("`{0}` is not of the form `fault=chance`, like `lost-after=0.1`")]
    NotAPair(String),
    /// Not a number from 0 to 1.
    #[error(
        "invalid chance `{value}` for `{name}`; write `0.1` or `10%`, with at most six decimals"
    )]
    Chance {
        name: String,
        /// As written.
        value: String,
    },
    /// Each fault has one chance.
    #[error("duplicate fault `{0}`")]
    Twice(String),
    /// The list is longer than [`MAX_FAULTS`].
    #[error("there are more than {MAX_FAULTS} faults")]
    TooMany,
    /// The chances of one call exceed certainty.
    #[error("the chances add up to more than 1")]
    TooLikely,
    /// Not a whole number of seconds.
    #[error(
        "invalid skew `{0}`; write whole seconds, like `+400` or `-30`, from {min} to {max}",
        min = i64::MIN,
        max = i64::MAX
    )]
    Skew(String),
    #[error("invalid duration `{0}`; write `800ms`, `1.5s` or `2m`, and `800ms±50%` for a spread")]
    Duration(String),
    #[error("invalid repetition `{0}`; write `ok*3`, with at most {MAX_STEPS} steps in all")]
    Repetition(String),
}

/// The most faults with a chance.
pub(super) const MAX_FAULTS: usize = 100;
/// The longest script.
pub(super) const MAX_STEPS: usize = 100_000;

fn known() -> String {
    let mut names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    names.extend(["late@DURATION", "slow@DURATION"]);
    names.join(", ")
}

impl FromStr for Fault {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let delay = |text: &str| duration(text).ok_or_else(|| SpecError::Duration(text.to_owned()));
        if let Some(after) = text.strip_prefix("late@") {
            return delay(after).map(Self::Late);
        }
        if let Some(after) = text.strip_prefix("slow@") {
            return delay(after).map(Self::Slow);
        }
        NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, fault)| *fault)
            .ok_or_else(|| SpecError::UnknownFault(text.to_owned()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Late(delay) = self {
            return write!(f, "late@{}", show_duration(*delay));
        }
        if let Self::Slow(delay) = self {
            return write!(f, "slow@{}", show_duration(*delay));
        }
        let name = NAMES.iter().find(|(_, fault)| fault == self);
        f.pad(name.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for (name, fault) in NAMES {
            assert_eq!(name.parse(), Ok(fault));
            assert_eq!(fault.to_string(), name);
        }
        for (name, fault) in [
            ("late@90s", Fault::Late(Duration::from_secs(90))),
            ("slow@5s", Fault::Slow(Duration::from_secs(5))),
        ] {
            assert_eq!(name.parse(), Ok(fault));
            assert_eq!(fault.to_string(), name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "lost".parse::<Fault>().unwrap_err();
        insta::assert_snapshot!(error, @"unknown fault `lost`; the faults are ok, lost-before, lost-after, 502, 502-after, garbage, garbage-after, internal-error, internal-error-after, throttle, late@DURATION, slow@DURATION");
    }
}
