//! [`CredentialCache`]: one account's credential, fetched before it is needed.
//!
//! Invariants: one fetch at a time, which goes on when its callers stop waiting; no lock is held while a provider
//! works; a valid credential is never given up for a failed fetch; failed fetches back off, however many callers ask.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::fixed::Fixed;
use super::{CredentialError, CredentialProvider, Issued, Renewal};
use crate::client::retry::delay;
use crate::model::AccountName;
use crate::secret::Secret;
use crate::sign::Credential;

/// A fetch that takes longer has failed.
pub(super) const LONGEST_FETCH: Duration = Duration::from_secs(30);

/// How long before its expiry a credential is renewed, or a tenth of its life when that is longer; at half of its
/// life when that is later.
const MARGIN: Duration = Duration::from_secs(300);
/// A credential that is valid for less signs nothing: a call could arrive too late.
pub(super) const LEAST: Duration = Duration::from_secs(30);
/// When renewing fails, the credential is used until it is valid for no more than this.
const LEAST_WHEN_FAILING: Duration = Duration::from_secs(60);

/// One account's credential. Clones share it.
#[derive(Clone)]
pub struct CredentialCache(Arc<Shared>);

struct Shared {
    /// The provider in words.
    name: Option<String>,
    provider: Box<dyn CredentialProvider>,
    state: Mutex<State>,
    /// Changes when a fetch ends.
    ended: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    fetching: bool,
    /// The fetches that failed since the last one that did not.
    failed: Option<Failed>,
}

struct Kept {
    credential: Arc<Credential>,
    renew_at: Option<Instant>,
    expires_at: Option<Instant>,
    /// eSign has refused it as expired.
    refused: bool,
}

struct Failed {
    error: CredentialError,
    times: u32,
    next_at: Instant,
}

impl CredentialCache {
    /// Of this provider. Fetches nothing yet.
    pub fn new(provider: impl CredentialProvider + 'static) -> Self {
        Self::of(None, Box::new(provider))
    }

    /// The same of a provider that errors name.
    pub(super) fn boxed(name: String, provider: Box<dyn CredentialProvider>) -> Self {
        Self::of(Some(name), provider)
    }

    fn of(name: Option<String>, provider: Box<dyn CredentialProvider>) -> Self {
        Self(Arc::new(Shared {
            name,
            provider,
            state: Mutex::default(),
            ended: watch::Sender::new(()),
        }))
    }

    /// Of a credential that is known and can't be renewed.
    pub fn fixed(credential: Credential) -> Result<Self, CredentialError> {
        let issued = Issued::lasting(credential);
        let kept = Kept::of(Instant::now(), issued.clone())?;
        let cache = Self::new(Fixed(issued));
        cache.0.state().kept = Some(kept);
        Ok(cache)
    }

    /// The credential to sign with now, without waiting. Starts a fetch when one is due.
    ///
    /// A caller that has its place in the rate must not wait: calls that wait together would leave together.
    ///
    /// # Errors
    /// There is none, it has expired, or eSign refused it. [`Self::get`] waits for the next one.
    pub fn current(&self) -> Result<Arc<Credential>, CredentialError> {
        let now = Instant::now();
        let mut state = self.0.state();
        let flight = state.is_due(now).then(|| {
            state.fetching = true;
            Flight::of(&self.0)
        });
        let valid = state.valid(now);
        let found = valid.map(Arc::clone).ok_or_else(|| {
            let failed = state.failed.as_ref();
            failed.map_or(CredentialError::Pending, |failed| failed.error.clone())
        });
        drop(state);
        if let Some(flight) = flight {
            drop(tokio::spawn(flight.run()));
        }
        found
    }

    /// The credential to sign with now; waits for a fetch when there is none.
    pub async fn get(&self) -> Result<Arc<Credential>, CredentialError> {
        let found = self.current();
        if found.is_ok() {
            return found;
        }
        let ended = {
            let state = self.0.state();
            state.fetching.then(|| self.0.ended.subscribe())
        };
        if let Some(mut ended) = ended {
            // The sender lives as long as `self`.
            let _changed = ended.changed().await;
        }
        self.current()
    }

    /// Waits for a credential that eSign has not refused, nor has expired.
    pub async fn renew(&self, account: &AccountName) -> Renewal {
        match self.get().await {
            Ok(_) => Renewal::Renewed,
            Err(CredentialError::Unchanged) => Renewal::Unchanged,
            Err(error) => Renewal::Failed {
                error: error.of_call(account),
                times: self.0.state().failures(),
            },
        }
    }

    /// eSign refused this credential as expired, so it is not used again.
    pub fn refuse(&self, credential: &Credential) {
        let mut state = self.0.state();
        if let Some(kept) = &mut state.kept {
            kept.refused |= same(&kept.credential, credential);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, began: Instant, fetched: Result<Issued, CredentialError>) {
        let mut state = self.state();
        state.fetching = false;
        match fetched.and_then(|issued| state.accept(began, issued)) {
            Ok(kept) => {
                state.kept = Some(kept);
                state.failed = None;
            }
            Err(error) => {
                let error = match &self.name {
                    Some(name) => error.of_provider(name),
                    None => error,
                };
                let times = state.failures() + 1;
                let left = state.left(Instant::now());
                if left.is_some_and(|left| left > LEAST_WHEN_FAILING) {
                    let advice = error.advice();
                    tracing::warn!(
                        "the credential can't be renewed: {error}. The one in use is valid for {} s more; {advice}",
                        left.unwrap_or_default().as_secs()
                    );
                } else {
                    tracing::info!(%error, "no new credential");
                }
                state.failed = Some(Failed {
                    error,
                    times,
                    next_at: Instant::now() + delay(times, 1.0),
                });
            }
        }
        drop(state);
        self.ended.send_replace(());
    }
}

impl State {
    fn valid(&self, now: Instant) -> Option<&Arc<Credential>> {
        let kept = self.kept.as_ref()?;
        let least = if self.failed.is_some() {
            LEAST_WHEN_FAILING
        } else {
            LEAST
        };
        let is_long = |at: Instant| at.saturating_duration_since(now) > least;
        let valid = !kept.refused && kept.expires_at.is_none_or(is_long);
        valid.then_some(&kept.credential)
    }

    /// How long the credential in use is valid.
    fn left(&self, now: Instant) -> Option<Duration> {
        let kept = self.kept.as_ref().filter(|kept| !kept.refused)?;
        Some(kept.expires_at?.saturating_duration_since(now))
    }

    /// How many fetches in a row have failed.
    fn failures(&self) -> u32 {
        self.failed.as_ref().map_or(0, |failed| failed.times)
    }

    fn is_due(&self, now: Instant) -> bool {
        let is_old = |kept: &Kept| kept.renew_at.is_some_and(|at| at <= now);
        let wanted = self.valid(now).is_none() || self.kept.as_ref().is_some_and(is_old);
        let backing_off = self
            .failed
            .as_ref()
            .is_some_and(|failed| now < failed.next_at);
        wanted && !self.fetching && !backing_off
    }

    fn accept(&self, began: Instant, issued: Issued) -> Result<Kept, CredentialError> {
        let issuer = issued.issuer.clone();
        let named = |error: CredentialError| match &issuer {
            Some(tried) => error.of_answer(tried),
            None => error,
        };
        let new = Kept::of(began, issued).map_err(named)?;
        let is_short = |at: Instant| at.saturating_duration_since(Instant::now()) <= LEAST;
        if new.expires_at.is_some_and(is_short) {
            return Err(named(CredentialError::Expired));
        }
        match &self.kept {
            Some(old) if old.refused && same(&old.credential, &new.credential) => {
                Err(CredentialError::Unchanged)
            }
            Some(_) | None => Ok(new),
        }
    }
}

impl Kept {
    fn of(began: Instant, issued: Issued) -> Result<Self, CredentialError> {
        let Issued {
            credential,
            life,
            issuer: _,
        } = issued;
        credential.check().map_err(CredentialError::Unusable)?;
        // A moment that the clock can't reach never comes.
        let after = |life: Duration| began.checked_add(life);
        Ok(Self {
            credential: Arc::new(credential),
            renew_at: life
                .and_then(|life| after(life.saturating_sub(MARGIN.max(life / 10).min(life / 2)))),
            expires_at: life.and_then(after),
            refused: false,
        })
    }
}

/// A fetch under way. However it ends, a panic included, dropping it reports its end.
struct Flight {
    shared: Arc<Shared>,
    began: Instant,
    fetched: Option<Result<Issued, CredentialError>>,
}

impl Flight {
    fn of(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            began: Instant::now(),
            fetched: None,
        }
    }

    async fn run(mut self) {
        let fetched = timeout(LONGEST_FETCH, self.shared.provider.fetch()).await;
        self.fetched = Some(fetched.unwrap_or(Err(CredentialError::TimedOut)));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let fetched = self.fetched.take().unwrap_or(Err(CredentialError::Aborted));
        self.shared.land(self.began, fetched);
    }
}

fn same(one: &Credential, other: &Credential) -> bool {
    let Credential {
        secret_id,
        secret_key,
        token,
    } = one;
    let (token, other_token) = (token.as_ref(), other.token.as_ref());
    *secret_id == other.secret_id
        && secret_key.expose() == other.secret_key.expose()
        && token.map(Secret::expose) == other_token.map(Secret::expose)
}

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        let kept = state.kept.as_ref().map(|kept| &kept.credential);
        f.debug_struct("CredentialCache")
            .field("kept", &kept)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
