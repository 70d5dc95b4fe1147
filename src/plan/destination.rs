//! Where a plan's calls go: what was reviewed for one place must not be called at another.

use std::fmt;

/// Where the calls go.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Destination {
    /// eSign, at the address of the plan's environment.
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

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Esign => f.write_str("eSign"),
            Self::Sandbox => f.write_str("the sandbox"),
            Self::Endpoint(url) => f.write_str(url),
        }
    }
}
