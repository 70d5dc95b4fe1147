//! A place in the rate for one call, once a call makes sense: see [`reach`](super::reach).

use tokio::sync::SemaphorePermit;

use super::attempt::Sender;
use super::clock::WallClock;
use super::context::Account;
use super::reach::{HANDFUL, pause};
use crate::client::Api;
use crate::client::pace::{PairSlot, Slot};
use crate::model::NotAttempted;

/// A place in the rate that may be given back.
pub(super) trait Place {}

impl Place for Slot {}
impl Place for PairSlot {}

impl<A: Api, W: WallClock> Sender<'_, '_, A, W> {
    /// Takes a place in the rate by `acquire` once a call makes sense, and with it, while eSign does not
    /// answer, the permit to try.
    pub(super) async fn place<P: Place + Send, I: Future<Output = P> + Send>(
        &self,
        acquire: impl Fn() -> I + Send + Sync,
    ) -> Result<(P, Option<SemaphorePermit<'_>>), NotAttempted> {
        let account: &Account = self.account;
        let reach = &account.reach;
        loop {
            let permit = self.when_reachable().await?;
            let place = self.unless_barred(acquire()).await?;
            // It may have fallen silent while this call stood in line.
            if permit.is_some() || (reach.is_silent().is_none() && !reach.is_slow()) {
                return Ok((place, permit));
            }
        }
    }

    async fn when_reachable(&self) -> Result<Option<SemaphorePermit<'_>>, NotAttempted> {
        let reach = &self.account.reach;
        loop {
            let mut ended = std::pin::pin!(reach.ended.notified());
            ended.as_mut().enable();
            if reach.is_silent().is_some() {
                // It is never closed.
                let permit = self.unless_barred(reach.probe.acquire()).await?.ok();
                if let Some(silent) = reach.is_silent() {
                    let pause = pause(silent - HANDFUL, self.context.jitter());
                    self.unless_barred(tokio::time::sleep(pause)).await?;
                    return Ok(permit);
                }
            } else if reach.is_slow() {
                self.unless_barred(ended).await?;
            } else {
                return Ok(None);
            }
        }
    }
}
