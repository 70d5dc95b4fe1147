//! A replace: a delete and, adjacent to it, an add.
//!
//! Both rate slots are taken together, so that the callback is gone for one round trip only. Once the
//! delete has happened nothing but the add matters: Ctrl-C waits for it. A delete whose outcome is
//! lost is not repeated at once: the add would have to wait for the lost one to die, with the callback
//! gone all the while. So we wait first, and then delete and add back to back.

use super::attempt::{Next, Sender, Tries};
use super::clock::WallClock;
use super::context::add_of;
use super::ledger::End;
use crate::client::Api;
use crate::client::pace::{Reservation, SentAt};
use crate::model::{NotAttempted, Outcome, RequestId, Write};
use crate::state::Files;

pub(super) async fn run<A: Api, F: Files, W: WallClock>(
    sender: &Sender<'_, '_, A, F, W>,
) -> Result<RequestId, End> {
    let mut tries = Tries::default();
    loop {
        let (outcome, sent, reservation) = delete(sender)
            .await
            .map_err(|why| sender.left(&tries, why))?;
        match sender.judge(outcome, sent, &mut tries).await {
            Next::Done(_) => {
                let committed = Sender {
                    committed: true,
                    ..*sender
                };
                return committed
                    .send(add_of(sender.change), Some(reservation))
                    .await;
            }
            Next::Over(end) => return Err(end),
            Next::Again(pause) => {
                drop(reservation);
                let slept = sender.unless_barred(tokio::time::sleep(pause)).await;
                slept.map_err(|why| sender.left(&tries, why))?;
            }
        }
    }
}

async fn delete<A: Api, F: Files, W: WallClock>(
    sender: &Sender<'_, '_, A, F, W>,
) -> Result<(Outcome, SentAt, Reservation), NotAttempted> {
    sender.fence(None).await?;
    let account = sender.account;
    let _in_flight = sender.unless_barred(account.in_flight.acquire()).await?;
    let slot = sender.unless_barred(account.pace.acquire_pair()).await?;
    let signed_at = sender.context.signing_time(account);
    let id = sender.begin(Write::Delete, signed_at).await?;
    let (sent, reservation) = slot.start().await;
    Ok((
        sender.call(id, Write::Delete, signed_at).await,
        sent,
        reservation,
    ))
}
