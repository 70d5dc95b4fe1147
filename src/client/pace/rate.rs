//! How many calls a second are allowed.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A number of calls a second, or no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(Option<f64>);

/// Why a text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a rate: write calls a second from 0.01 to 10000, like 20, or 0 for no limit")]
pub struct NotARate(String);

impl Rate {
    /// eSign's limit for one set of credentials: 20 a second.
    pub const ESIGN: Self = Self(Some(20.0));
    /// No limit; for a sandbox.
    pub const LIFTED: Self = Self(None);

    /// From 0.01 to 10000 calls a second; 0 for no limit.
    pub fn per_second(calls: f64) -> Option<Self> {
        if calls == 0.0 {
            Some(Self::LIFTED)
        } else {
            (0.01..=10_000.0)
                .contains(&calls)
                .then_some(Self(Some(calls)))
        }
    }

    /// This rate, or the smaller one of an account.
    #[must_use]
    pub fn at_most(self, calls: Option<u32>) -> Self {
        let own = self.0.unwrap_or(f64::INFINITY);
        match calls.map(f64::from) {
            Some(calls) if calls < own => Self(Some(calls)),
            Some(_) | None => self,
        }
    }

    /// Calls a second; `None` when there is no limit. Of a rate that is not whole, any one second
    /// holds only the whole part.
    pub const fn calls_per_second(self) -> Option<f64> {
        self.0
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        text.parse()
            .ok()
            .and_then(Self::per_second)
            .ok_or_else(|| NotARate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(calls) => write!(f, "{calls}/s"),
            None => f.write_str("no limit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_from_text() {
        assert_eq!("20".parse(), Ok(Rate::ESIGN));
        assert_eq!("0".parse(), Ok(Rate::LIFTED));
        assert_eq!("2.5".parse::<Rate>().unwrap().to_string(), "2.5/s");
        for wrong in ["", "-1", "NaN", "inf", "20/s", "0.001", "1e9"] {
            assert_eq!(wrong.parse::<Rate>(), Err(NotARate(wrong.to_owned())));
        }
    }
}
