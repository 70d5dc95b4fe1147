//! The options of a sandbox.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::enterprise::{Enterprise, Member};
use super::limit::DEFAULT_LIMIT;
use super::random::Random;
use super::spec::{FaultSpec, Script};
use crate::secret::Secret;
use crate::sign::Credential;

/// The default has no faults and no credentials, so every call is refused.
#[derive(Clone, Debug)]
pub struct Options {
    /// The key pairs that may call.
    pub customers: Vec<Customer>,
    /// Whose eSign it is.
    pub enterprise: Enterprise,
    /// Where the callbacks are kept; only in memory when `None`.
    pub cloud: Option<CloudFile>,
    /// Calls a second for each set of credentials and action; 0 is no limit.
    pub limit: u32,
    /// The answer to an add of an existing URL.
    pub exists: OnExists,
    /// The random faults.
    pub faults: FaultSpec,
    /// The faults of the first changes.
    pub script: Script,
    /// Chooses the faults, the delays and the ids.
    pub seed: u64,
    /// The limits for clients.
    pub limits: Limits,
}

/// Bounds, so that no client can exhaust this machine or block the other clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections. When one more arrives, the one that has waited longest for its client is closed.
    pub connections: usize,
    /// Request bodies of more than 64 KiB in memory at once.
    pub large_bodies: usize,
    /// How long a request's head may take, then its body, and how long a connection may be idle.
    pub patience: Duration,
    /// How long a receiver may take to answer a callback.
    pub receiver: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            large_bodies: 4,
            patience: Duration::from_secs(30),
            receiver: Duration::from_secs(10),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            customers: Vec::new(),
            enterprise: Enterprise::default(),
            cloud: None,
            limit: DEFAULT_LIMIT,
            exists: OnExists::Success,
            faults: FaultSpec::default(),
            script: Script::default(),
            seed: 0,
            limits: Limits::default(),
        }
    }
}

/// Where the callbacks are kept between runs.
#[derive(Clone, Debug)]
pub struct CloudFile {
    /// JSON Lines; created when missing.
    pub path: PathBuf,
    /// Whether keys and tokens are written there, in clear. Without them, a callback that was read
    /// back from the file can't be emitted to.
    pub keep_secrets: bool,
}

/// The answer to an add of an existing URL. Either way it changes nothing. The
/// vendor does not document which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExists {
    #[default]
    Success,
    /// `FailedOperation`, with a message that says 已存在.
    Error,
}

/// A set of credentials and the account it belongs to. Credentials of one account see the same
/// callbacks, those of another account see none of them.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Any name. The cloud file and the read API show it.
    pub account: String,
    /// With a token, calls must carry it; without, any `X-TC-Token` is accepted.
    pub credential: Credential,
}

/// Why a text is not a valid option. Never holds what may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    #[error(
        "invalid credential: write ID:KEY or ACCOUNT=ID:KEY, without white space (the text given is \
         not shown, because it may hold a key)"
    )]
    Credential,
    #[error("invalid answer to an add of an existing URL: write `success` or `error`")]
    Exists,
    #[error(
        "invalid member organization: write ID, ID:NAME or ID:NAME:STATUS, with a status from 1 to 5"
    )]
    Member,
}

impl Customer {
    /// A new pair: the id has the vendor's form, the key is drawn from `seed`.
    pub fn fresh(account: impl Into<String>, seed: u64) -> Self {
        let mut random = Random::keyed(seed, b"credential", 0);
        Self {
            account: account.into(),
            credential: Credential {
                secret_id: format!("AKID{}", random.letters(32)),
                secret_key: Secret::new(random.letters(32)),
                token: None,
            },
        }
    }
}

impl FromStr for Customer {
    type Err = OptionError;

    /// `ID:KEY`, whose account is then its id, or `ACCOUNT=ID:KEY`.
    fn from_str(text: &str) -> Result<Self, OptionError> {
        let (id, key) = text.split_once(':').ok_or(OptionError::Credential)?;
        let (account, id) = id.split_once('=').unwrap_or((id, id));
        let bad = |part: &str| part.is_empty() || part.contains(char::is_whitespace);
        if bad(account) || bad(id) || bad(key) || id.contains(['/', ',']) {
            return Err(OptionError::Credential);
        }
        Ok(Self {
            account: account.to_owned(),
            credential: Credential {
                secret_id: id.to_owned(),
                secret_key: Secret::new(key),
                token: None,
            },
        })
    }
}

impl FromStr for Member {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let mut parts = text.splitn(3, ':');
        let id = parts.next().unwrap_or_default();
        let name = parts.next().unwrap_or(id);
        let status = match parts.next() {
            Some(digit) => digit.parse().map_err(|_| OptionError::Member)?,
            None => 5,
        };
        if id.is_empty() || !(1..=5).contains(&status) {
            return Err(OptionError::Member);
        }
        Ok(Self {
            id: id.to_owned(),
            name: name.to_owned(),
            status,
            licence_expires: 0,
        })
    }
}

impl FromStr for OnExists {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "success" => Ok(Self::Success),
            "error" => Ok(Self::Error),
            _ => Err(OptionError::Exists),
        }
    }
}

impl fmt::Display for OnExists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Success => "success",
            Self::Error => "error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        let customer: Customer = "AKIDx:key:with:colons".parse().unwrap();
        assert_eq!(customer.account, "AKIDx");
        assert_eq!(customer.credential.secret_id, "AKIDx");
        assert_eq!(customer.credential.secret_key.expose(), "key:with:colons");
        let customer: Customer = "partner=AKIDx:k=".parse().unwrap();
        assert_eq!(customer.account, "partner");
        assert_eq!(customer.credential.secret_key.expose(), "k=");
        for bad in [
            "",
            "AKID",
            ":key",
            "AKID:",
            "AKID :key",
            "AKID:key\n",
            "=a:b",
        ] {
            let error = bad.parse::<Customer>().unwrap_err();
            assert!(!error.to_string().contains("key\n"), "{error}");
        }
    }

    #[test]
    fn a_fresh_pair_is_drawn_from_the_seed_and_keeps_its_key_to_itself() {
        let key = |seed| {
            let fresh = Customer::fresh("default", seed);
            fresh.credential.secret_key.expose().to_owned()
        };
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        assert!(!format!("{:?}", Customer::fresh("default", 1)).contains(&key(1)));
    }

    #[test]
    fn members() {
        let member: Member = "yD1:Acme Shanghai:4".parse().unwrap();
        assert_eq!((member.name.as_str(), member.status), ("Acme Shanghai", 4));
        assert_eq!("yD1".parse::<Member>().unwrap().status, 5);
        for bad in ["", ":x", "yD1:x:6", "yD1:x:y"] {
            assert_eq!(bad.parse::<Member>(), Err(OptionError::Member));
        }
    }
}
