//! Makes the calls of the checks that need the API: one account at a time, one organization after the other.

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::client::{Api as _, HttpApi, Pace, Renewal, SentAt, retry};
use crate::model::{Call, Outcome};

/// How often a call is sent at most when eSign is busy or its answer is lost.
const ATTEMPTS: u32 = 4;

/// Sends a call that may be repeated, at this pace, and says how its last attempt ended.
pub(super) async fn send(api: &HttpApi, call: &Call, pace: &Pace) -> Outcome {
    let mut renewed = false;
    let mut attempt = 1;
    loop {
        let sent: SentAt = pace.acquire().await.start().await;
        let outcome = api.attempt(call, SystemClock.now()).await.outcome;
        match &outcome {
            Outcome::Throttled(_) => {
                pace.throttled(sent);
            }
            Outcome::Unknown(_) | Outcome::NotSent(_) => {}
            Outcome::TokenExpired(_) if !renewed => {
                renewed = true;
                if matches!(api.renew(&call.scope.account).await, Renewal::Renewed) {
                    continue;
                }
                return outcome;
            }
            Outcome::Applied(_)
            | Outcome::AlreadyThere(_)
            | Outcome::NotThere(_)
            | Outcome::NotSigned(_)
            | Outcome::ClockOff(_)
            | Outcome::TokenExpired(_)
            | Outcome::Rejected(..) => {
                pace.answered(sent);
                return outcome;
            }
        }
        if attempt == ATTEMPTS {
            return outcome;
        }
        tokio::time::sleep(retry::delay(attempt, 0.5)).await;
        attempt += 1;
    }
}
