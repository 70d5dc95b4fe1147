//! Where calls go: what was planned for, or recorded of, one place must not be called at another.

use std::fmt;

/// Where the calls go.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Destination {
    /// eSign, at the address of the environment.
    #[default]
    Esign,
    /// The sandbox inside the command (`--sandbox`).
    Sandbox,
    /// An address that the user gave (`--endpoint`).
    Endpoint(String),
}

const ESIGN: &str = "esign";
const SANDBOX: &str = "sandbox";

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::Esign => ESIGN.to_owned(),
            Destination::Sandbox => SANDBOX.to_owned(),
            Destination::Endpoint(url) => url,
        }
    }
}

impl From<String> for Destination {
    /// An address has a scheme, so that the words are none.
    fn from(text: String) -> Self {
        match text.as_str() {
            ESIGN => Self::Esign,
            SANDBOX => Self::Sandbox,
            _ => Self::Endpoint(text),
        }
    }
}

impl Destination {
    /// Whether what is recorded of one is true of the other. Plain http reaches this machine only, so
    /// eSign is not there; and a sandbox gets another port whenever it is started.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let served = |one: &Self| matches!(one, Self::Endpoint(_)) && one.is_rehearsal();
        self == other || (served(self) && served(other))
    }

    /// Whether this can't be eSign.
    pub fn is_rehearsal(&self) -> bool {
        match self {
            Self::Endpoint(url) => url.starts_with("http://"),
            Self::Sandbox => true,
            Self::Esign => false,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Esign => f.write_str("eSign"),
            Self::Sandbox => f.write_str("the sandbox"),
            Self::Endpoint(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rehearsal_on_this_machine_may_change_its_port() {
        let at = |url: &str| Destination::from(url.to_owned());
        let (one, other) = (at("http://127.0.0.1:8901/"), at("http://localhost:8902/"));
        assert!(one.is_same_place(&other));
        // An encrypted port of this machine may be a tunnel to anywhere.
        let tunnels = (at("https://localhost:1/"), at("https://localhost:2/"));
        assert!(tunnels.0.is_same_place(&tunnels.0) && !tunnels.0.is_same_place(&tunnels.1));
        for elsewhere in [Destination::Esign, Destination::Sandbox, tunnels.0] {
            assert!(!one.is_same_place(&elsewhere) && !elsewhere.is_same_place(&one));
        }
    }
}
