//! Whether eSign answers at all.
//!
//! A closed port, a name that does not resolve, a proxy's page: when nothing that eSign says comes back, more
//! calls say nothing more, and each of them may be one whose outcome is lost. So the calls of an account that
//! has had no answer yet stop after a handful. One that had answers before rides out a short outage: it sends
//! one call at a time, less and less often, until there is an answer or the outage has lasted too long.
//!
//! The add of a replace whose delete is done is held back by none of this.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::model::{ApiError, Outcome};

/// So many calls in a row without an answer mean that there is none to be had: as many as one call makes.
pub(super) const HANDFUL: u32 = 6;

/// With a handful of calls on their way, no more leave when there was no answer for so long. The first answer
/// of a slow but working eSign is here before.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The wait before the first try while there is no answer, and how much longer each is than the one before, on
/// average three quarters of this. So an outage is noticed to be over after about a third of the time it lasted, and
/// costs about a dozen and a half calls if it lasts too long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGER: f64 = 1.3;

/// An outage that lasts longer is not waited for.
const OUTAGE: Duration = Duration::from_secs(120);

/// What one account has heard of eSign in this run.
#[derive(Debug)]
pub(super) struct Reach {
    heard: Mutex<Heard>,
    /// Held by the call that tries, while there is no answer.
    pub(super) probe: Semaphore,
    /// Changes with every end of a call.
    pub(super) ended: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    /// There was an answer.
    answered: bool,
    /// Calls without an answer since the last one that had one.
    silent: u32,
    /// When the first of these had left.
    since: Option<Instant>,
    /// Calls on their way.
    away: u32,
    /// The last answer, or when the first of those on their way left.
    sign_of_life: Option<Instant>,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            heard: Mutex::default(),
            probe: Semaphore::new(1),
            ended: Notify::new(),
        }
    }
}

impl Reach {
    fn with<T>(&self, work: impl FnOnce(&mut Heard) -> T) -> T {
        work(&mut self.heard.lock().expect("no panic while held"))
    }

    /// A call leaves.
    pub(super) fn left(&self) {
        self.with(|heard| {
            if heard.away == 0 {
                heard.sign_of_life = Some(Instant::now());
            }
            heard.away += 1;
        });
    }

    /// It has ended. Gives the error to stop with when eSign is given up.
    pub(super) fn ended(&self, left: Instant, outcome: &Outcome) -> Option<ApiError> {
        let given_up = self.with(|heard| {
            heard.away = heard.away.saturating_sub(1);
            match silence(outcome) {
                // It never left, so it says nothing of eSign.
                _ if matches!(outcome, Outcome::NotSigned(_)) => None,
                None => {
                    heard.answered = true;
                    heard.silent = 0;
                    heard.since = None;
                    heard.sign_of_life = Some(Instant::now());
                    None
                }
                Some(error) => heard.silent(left, error),
            }
        });
        self.ended.notify_waiters();
        given_up
    }

    /// eSign did not answer a question either.
    pub(super) fn no_answer(&self, left: Instant, error: &ApiError) -> Option<ApiError> {
        self.with(|heard| heard.silent(left, error))
    }

    /// How many calls in a row got no answer, when these are too many to go on as ever.
    pub(super) fn is_silent(&self) -> Option<u32> {
        let silent = self.with(|heard| heard.silent);
        (silent >= HANDFUL).then_some(silent)
    }

    /// Whether another call would only add to those that get no answer.
    pub(super) fn is_slow(&self) -> bool {
        self.with(|heard| {
            let quiet = heard
                .sign_of_life
                .is_some_and(|at| at.elapsed() >= PATIENCE);
            quiet && heard.away >= HANDFUL
        })
    }
}

impl Heard {
    fn silent(&mut self, left: Instant, error: &ApiError) -> Option<ApiError> {
        self.silent += 1;
        let lasts = self.since.get_or_insert(left).elapsed();
        let over = self.silent >= HANDFUL && (!self.answered || lasts >= OUTAGE);
        over.then(|| given_up(self.silent, self.answered, lasts, error))
    }
}

/// The wait before the next try after so many in vain, of which the second half is multiplied by `jitter` (0 to 1).
pub(super) fn pause(tries: u32, jitter: f64) -> Duration {
    let most = OUTAGE.as_secs_f64() / 4.0;
    let longest = FIRST_PAUSE.as_secs_f64() * LONGER.powf(f64::from(tries));
    Duration::from_secs_f64(longest.min(most) * (0.5 + jitter / 2.0))
}

/// What is no answer of eSign's. Its own have a code, or say that all went well.
const fn silence(outcome: &Outcome) -> Option<&ApiError> {
    match outcome {
        Outcome::NotSent(error) | Outcome::Unknown(error) if error.code.is_none() => Some(error),
        Outcome::Applied(_)
        | Outcome::AlreadyThere(_)
        | Outcome::NotThere(_)
        | Outcome::Throttled(_)
        | Outcome::NotSent(_)
        | Outcome::NotSigned(_)
        | Outcome::ClockOff(_)
        | Outcome::TokenExpired(_)
        | Outcome::Rejected(..)
        | Outcome::Unknown(_) => None,
    }
}

fn given_up(calls: u32, answered: bool, lasts: Duration, error: &ApiError) -> ApiError {
    let meaning = if answered {
        format!(
            "eSign answered at the beginning of this run and has not for {} s",
            lasts.as_secs()
        )
    } else {
        "no call of this run reached eSign, or what answered is not eSign".to_owned()
    };
    ApiError {
        code: None,
        message: format!(
            "{calls} calls in a row got no answer from eSign; the last: {}",
            error.message
        ),
        request_id: None,
        meaning: meaning.into(),
        advice: "check --endpoint, the network, the name server, HTTPS_PROXY and, for certificates, --ca-file; \
                 then run apply again, which goes on from here"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestId;

    fn error(code: Option<&str>) -> ApiError {
        ApiError {
            code: code.map(str::to_owned),
            message: "refused".to_owned(),
            request_id: None,
            meaning: "".into(),
            advice: "".into(),
        }
    }

    fn end(reach: &Reach, outcome: &Outcome) -> Option<ApiError> {
        reach.left();
        reach.ended(Instant::now(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_handful_without_an_answer_is_enough() {
        let reach = Reach::default();
        for _ in 0..5 {
            assert_eq!(end(&reach, &Outcome::NotSent(error(None))), None);
        }
        let given_up = end(&reach, &Outcome::Unknown(error(None))).unwrap();
        assert_eq!(
            given_up.message,
            "6 calls in a row got no answer from eSign; the last: refused"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_ridden_out_for_a_while() {
        let reach = Reach::default();
        assert_eq!(end(&reach, &Outcome::Applied(RequestId::new("r"))), None);
        for _ in 0..20 {
            assert_eq!(end(&reach, &Outcome::NotSent(error(None))), None);
        }
        assert_eq!(reach.is_silent(), Some(20));
        tokio::time::advance(OUTAGE).await;
        assert!(end(&reach, &Outcome::NotSent(error(None))).is_some());
        // A refusal is an answer.
        assert_eq!(
            end(&reach, &Outcome::Unknown(error(Some("InternalError")))),
            None
        );
        assert_eq!(reach.is_silent(), None);
    }

    /// However long an outage lasted, little time passes after its end, and few calls are made in it.
    #[test]
    fn the_waits_grow_with_the_outage() {
        for jitter in [0.0, 0.5, 1.0] {
            let mut lasted = Duration::ZERO;
            let mut tries = 0;
            while lasted < OUTAGE {
                let next = pause(tries, jitter);
                let most = Duration::from_millis(501) + lasted.mul_f64(0.3);
                assert!(next <= most, "{next:?} after {lasted:?}");
                lasted += next;
                tries += 1;
            }
            assert!((14..=22).contains(&tries), "{tries}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_leave_while_nothing_comes_back() {
        let reach = Reach::default();
        for _ in 0..6 {
            reach.left();
        }
        assert!(!reach.is_slow());
        tokio::time::advance(PATIENCE).await;
        assert!(reach.is_slow());
        reach.ended(Instant::now(), &Outcome::Applied(RequestId::new("r")));
        assert!(!reach.is_slow());
    }
}
