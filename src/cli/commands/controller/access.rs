//! Who may ask the server what.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// How often the file of the token is looked at, while requests come.
const LOOK: Duration = Duration::from_secs(1);

/// The token, if there is one.
#[derive(Debug)]
pub(super) struct Access {
    token: Option<Mutex<Secret>>,
    /// Where it is read again: what rotates secrets replaces the file.
    file: Option<PathBuf>,
    look: Mutex<Look>,
}

/// The last look at the file.
#[derive(Debug, Default)]
struct Look {
    at: Option<Instant>,
    /// Whether it could not be used then.
    failed: bool,
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
        let token = match file {
            Some(path) => Some(in_file(path)?),
            None => match std::env::var(VARIABLE) {
                Ok(token) if !token.is_empty() => Some(valid(&token, VARIABLE)?),
                Ok(_) | Err(_) => None,
            },
        };
        Ok(Self::of(token, file))
    }

    fn of(token: Option<Secret>, file: Option<&Path>) -> Self {
        Self {
            token: token.map(Mutex::new),
            file: file.map(Path::to_owned),
            look: Mutex::default(),
        }
    }

    /// Before a request that has a token: reads the file again, at most once a second. Gives what the log has to say.
    pub(super) fn look(&self, headers: &HeaderMap, now: Instant) -> Option<String> {
        let (Some(token), Some(file)) = (&self.token, &self.file) else {
            return None;
        };
        headers.get(AUTHORIZATION)?;
        let mut look = lock(&self.look);
        if look
            .at
            .is_some_and(|at| now.saturating_duration_since(at) < LOOK)
        {
            return None;
        }
        look.at = Some(now);
        let found = in_file(file);
        let had_failed = std::mem::replace(&mut look.failed, found.is_err());
        match found {
            Ok(found) => {
                let mut token = lock(token);
                let is_new = !is_same(&token, found.expose().as_bytes());
                *token = found;
                is_new.then(|| format!("The token in `{}` is another one now", file.display()))
            }
            // While it is replaced, it may be missing or half written.
            Err(why) => {
                (!had_failed).then(|| format!("The token before stays in use: {}", why.message))
            }
        }
    }

    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What the headers of a request prove.
    pub(super) fn proof(&self, headers: &HeaderMap) -> Proof {
        let Some(token) = self.token.as_ref().map(lock) else {
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
        if scheme.eq_ignore_ascii_case("bearer") && is_same(&token, value.as_bytes()) {
            return Proof::Bearer;
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(value).unwrap_or_default();
            let password = decoded.iter().position(|byte| *byte == b':');
            let password = password.and_then(|at| decoded.get(at + 1..));
            if password.is_some_and(|password| is_same(&token, password)) {
                return Proof::Password;
            }
        }
        Proof::Wrong
    }
}

/// Reads a token from this file.
fn in_file(path: &Path) -> Result<Secret, Failure> {
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
    let from = format!("the token in `{}`", path.display());
    let text = text.map_err(failed)?;
    if text.is_empty() {
        return Err(Failure::usage(format!("{from} is empty")));
    }
    valid(&text, &from)
}

/// The token in this text, which is from there.
fn valid(text: &str, from: &str) -> Result<Secret, Failure> {
    let token = text.strip_suffix('\n').unwrap_or(text);
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
    Ok(Secret::new(token.to_owned()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let access = Access::of(Some(Secret::new(TOKEN.to_owned())), None);
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
    fn a_token_that_is_replaced_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let write = |token: &str| std::fs::write(&file, format!("{token}\n")).unwrap();
        write(TOKEN);
        let access = Access::read(Some(&file)).unwrap();
        let start = Instant::now();
        let at = |millis: u64, token: &str| {
            let headers = headers(AUTHORIZATION, &format!("Bearer {token}"));
            let said = access.look(&headers, start + Duration::from_millis(millis));
            let said = said.map(|said| said.replace(&*folder.path().to_string_lossy(), "…"));
            (access.proof(&headers), said)
        };
        assert_eq!(at(0, TOKEN), (Proof::Bearer, None));
        let next = "canary-token-9876543210";
        write(next);
        assert_eq!(at(999, TOKEN), (Proof::Bearer, None));
        let said = Some("The token in `…/token` is another one now".to_owned());
        assert_eq!(at(1_000, TOKEN), (Proof::Wrong, said));
        assert_eq!(at(1_001, next), (Proof::Bearer, None));
        // What can't be used changes nothing, and is said once.
        write("short");
        let (proof, said) = at(2_000, next);
        assert_eq!(proof, Proof::Bearer);
        assert!(said.unwrap().starts_with("The token before stays in use: "));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(at(3_000, next), (Proof::Bearer, None));
        write(TOKEN);
        assert_eq!(access.look(&HeaderMap::new(), start + LOOK * 9), None);
        assert_eq!(at(10_000, TOKEN).0, Proof::Bearer);
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_count() {
        let access = Access::of(None, None);
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
