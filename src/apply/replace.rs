//! A replace: a delete and, adjacent to it, an add.
//!
//! Both rate slots are taken together, so that the callback is gone for one round trip only. Once the
//! delete has happened nothing but the add matters: Ctrl-C waits for it. A delete whose outcome is
//! lost is not repeated at once: the add would have to wait for the lost one to die, with the callback
//! gone all the while. So we wait first, and then delete and add back to back. To keep that wait short,
//! the delete is signed so that it expires soon, as long as eSign takes such signatures.

use tokio::sync::SemaphorePermit;

use super::attempt::{Finished, Next, Sender, Tries};
use super::awaited::Awaited;
use super::clock::WallClock;
use super::ledger::End;
use super::step::Step;
use crate::client::Api;
use crate::client::pace::{Reservation, SentAt};
use crate::model::{ApiError, NotAttempted, Outcome};
use crate::plan::After;

pub(super) async fn run<A: Api, W: WallClock>(
    sender: &Sender<'_, '_, A, W>,
    after: &After,
) -> Result<Finished, End> {
    let mut tries = Tries::behind_a_fence();
    loop {
        let Deleted {
            outcome,
            sent,
            short_lived,
            reservation,
            in_flight,
            awaited,
        } = delete(sender).await.map_err(|why| tries.left(why))?;
        if short_lived && matches!(outcome, Outcome::ClockOff(_)) {
            sender.account.clock.no_short_lives();
            continue;
        }
        // What follows may be a long wait, in which other calls may have their place.
        let kept = is_done(&outcome).then_some((reservation, in_flight, awaited));
        match sender.judge(outcome, sent, &mut tries).await {
            Next::Done(_) => {
                let committed = Sender {
                    committed: true,
                    ..*sender
                };
                let (reservation, _until_added) = match kept {
                    Some((reservation, in_flight, awaited)) => {
                        (Some(reservation), Some((in_flight, awaited)))
                    }
                    None => (None, None),
                };
                let added = committed.send(Step::Add(after), reservation).await;
                return added.map_err(|end| match end {
                    End::NotAttempted(why) => End::Failed(missing(&why)),
                    End::Done | End::Failed(_) | End::Unknown(_) => end,
                });
            }
            Next::Over(end) => return Err(end),
            Next::Again(pause) => {
                let slept = sender.unless_barred(tokio::time::sleep(pause)).await;
                slept.map_err(|why| tries.left(why))?;
            }
        }
    }
}

/// Whether the callback is gone.
const fn is_done(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Applied(_) | Outcome::AlreadyThere(_) | Outcome::NotThere(_) => true,
        Outcome::Throttled(_)
        | Outcome::NotSent(_)
        | Outcome::NotSigned(_)
        | Outcome::ClockOff(_)
        | Outcome::TokenExpired(_)
        | Outcome::Rejected(..)
        | Outcome::Unknown(_) => false,
    }
}

/// The first half, and what is kept for the second.
struct Deleted<'a> {
    outcome: Outcome,
    sent: SentAt,
    /// Whether it was signed to expire soon.
    short_lived: bool,
    reservation: Reservation,
    in_flight: Option<SemaphorePermit<'a>>,
    awaited: Awaited<'a>,
}

async fn delete<'a, A: Api, W: WallClock>(
    sender: &Sender<'a, '_, A, W>,
) -> Result<Deleted<'a>, NotAttempted> {
    sender.know_the_time().await?;
    sender.fence(None).await?;
    let account = sender.account;
    // It is never closed.
    let in_flight = sender
        .unless_barred(account.in_flight.acquire())
        .await?
        .ok();
    let (slot, _trying) = sender.place(|| account.pace.acquire_pair()).await?;
    let awaited = sender.context.await_call();
    let short = account.clock.short_lived();
    let signed_at = short.unwrap_or_else(|| sender.context.signing_time(account));
    let begun = sender.record_intent(Step::Delete, signed_at).await?;
    let (sent, reservation) = slot.start().await;
    Ok(Deleted {
        outcome: sender
            .make_call(begun, Step::Delete, (signed_at, sent))
            .await,
        sent,
        short_lived: short.is_some(),
        reservation,
        in_flight,
        awaited,
    })
}

/// The error of a replace whose delete is done and whose add could not be sent: not the same as a change that
/// was left out.
fn missing(why: &NotAttempted) -> ApiError {
    let cause = match why {
        NotAttempted::JournalFailed => "the journal could not be written",
        NotAttempted::AccountStopped(_) => "the credentials of the account were refused",
        NotAttempted::AccountUnreachable(..)
        | NotAttempted::AccountUnsigned(..)
        | NotAttempted::OrganizationStopped
        | NotAttempted::AddsFailed
        | NotAttempted::WaitsForTwin
        | NotAttempted::Unverified
        | NotAttempted::Refused
        | NotAttempted::Interrupted
        | NotAttempted::Fenced(_)
        | NotAttempted::FencedWithoutClock => "it could not be sent",
    };
    ApiError {
        code: None,
        message: format!("the callback was deleted, but not added again: {cause}"),
        request_id: None,
        meaning: "the callback is missing at eSign until it is added".into(),
        advice: "correct the cause and run apply again at once: it adds the callback".into(),
    }
}
