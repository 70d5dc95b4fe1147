//! Who may ask the server what.

use std::net::IpAddr;
use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::cli::exit::Failure;
use crate::cli::options::variables::CONTROLLER_TOKEN as VARIABLE;
use crate::secret::Secret;

/// A shorter token could be guessed.
const SHORTEST: usize = 16;
/// A token is shorter than this, in bytes.
const LONGEST: u64 = 4096;

/// The token, if there is one.
#[derive(Debug)]
pub(super) struct Access {
    token: Option<Secret>,
}

/// What a request proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It has the token as a bearer, which no browser sends by itself.
    Bearer,
    /// It has it as a password, which a browser sends after it has asked for it.
    Password,
    /// It comes from this machine, to a server without a token.
    Local,
    /// It has another token.
    Wrong,
    Nothing,
}

impl Access {
    /// Reads the token from its file or its variable.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let (token, from) = match file {
            Some(path) => {
                let failed = |error: std::io::Error| {
                    let path = path.display();
                    Failure::usage(format!("the token file `{path}` can't be read: {error}"))
                };
                let found = path.metadata().map_err(failed)?;
                let text = if !found.is_file() {
                    Err(std::io::Error::other("it is not a file"))
                } else if found.len() > LONGEST {
                    Err(std::io::Error::other("it is larger than 4 KiB"))
                } else {
                    std::fs::read_to_string(path)
                };
                let text = text.map_err(failed)?;
                (Some(text), format!("the token in `{}`", path.display()))
            }
            None => (std::env::var(VARIABLE).ok(), VARIABLE.to_owned()),
        };
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return if file.is_some() {
                Err(Failure::usage(format!("{from} is empty")))
            } else {
                Ok(Self { token: None })
            };
        };
        let token = token.strip_suffix('\n').unwrap_or(&token);
        let token = token.strip_suffix('\r').unwrap_or(token);
        if token
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii())
        {
            return Err(Failure::usage(format!(
                "{from} has characters that no header can carry: only visible ASCII characters are possible"
            )));
        }
        if token.len() < SHORTEST {
            return Err(Failure::usage(format!(
                "{from} is shorter than {SHORTEST} characters, so it could be guessed"
            ))
            .advice("Generate one, for example with `openssl rand -hex 32`."));
        }
        Ok(Self {
            token: Some(Secret::new(token.to_owned())),
        })
    }

    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What the headers of a request prove.
    pub(super) fn proof(&self, headers: &HeaderMap) -> Proof {
        let Some(token) = &self.token else {
            // A page of another site must not reach it under a name of its choice.
            return if is_to_this_machine(headers) {
                Proof::Local
            } else {
                Proof::Nothing
            };
        };
        let given = headers.get(AUTHORIZATION);
        let Some(given) = given.and_then(|given| given.to_str().ok()) else {
            return Proof::Nothing;
        };
        let (scheme, value) = given.split_once(' ').unwrap_or((given, ""));
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") && is_same(token, value.as_bytes()) {
            return Proof::Bearer;
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(value).unwrap_or_default();
            let password = decoded.iter().position(|byte| *byte == b':');
            let password = password.and_then(|at| decoded.get(at + 1..));
            if password.is_some_and(|password| is_same(token, password)) {
                return Proof::Password;
            }
        }
        Proof::Wrong
    }
}

/// Compares hashes, in constant time, so that not even the length shows.
fn is_same(token: &Secret, given: &[u8]) -> bool {
    let (one, other) = (Sha256::digest(token.expose()), Sha256::digest(given));
    bool::from(one.as_slice().ct_eq(other.as_slice()))
}

fn is_to_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Result<IpAddr, _> = name.parse();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "canary-token-0123456789";

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_token_is_compared_as_a_whole() {
        let access = Access {
            token: Some(Secret::new(TOKEN.to_owned())),
        };
        let proof = |value: &str| access.proof(&headers(AUTHORIZATION, value));
        assert_eq!(proof(&format!("Bearer {TOKEN}")), Proof::Bearer);
        assert_eq!(proof(&format!("bearer  {TOKEN}")), Proof::Bearer);
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(proof(&basic(&format!("me:{TOKEN}"))), Proof::Password);
        for wrong in [
            "Bearer".to_owned(),
            format!("Bearer {TOKEN}x"),
            format!("Bearer {}", &TOKEN[1..]),
            format!("Token {TOKEN}"),
            basic(TOKEN),
            "Basic %%%".to_owned(),
        ] {
            assert_eq!(proof(&wrong), Proof::Wrong, "{wrong}");
        }
        assert_eq!(access.proof(&headers(HOST, "localhost")), Proof::Nothing);
        assert!(!format!("{access:?}").contains("canary"));
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_count() {
        let access = Access { token: None };
        let proof = |host: &str| access.proof(&headers(HOST, host));
        for name in [
            "localhost:8980",
            "127.0.0.1:8980",
            "[::1]:8980",
            "LOCALHOST",
        ] {
            assert_eq!(proof(name), Proof::Local, "{name}");
        }
        for name in [
            "evil.example",
            "127.0.0.1.evil.example:8980",
            "10.0.0.1",
            "[",
            "",
        ] {
            assert_eq!(proof(name), Proof::Nothing, "{name}");
        }
        assert_eq!(access.proof(&HeaderMap::new()), Proof::Nothing);
    }
}
