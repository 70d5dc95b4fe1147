//! One call until it has an outcome: journal, slot, attempt, record, and again where that is safe.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use super::clock::{OwnTime, WallClock};
use super::context::{Account, Context};
use super::ledger::End;
use super::standing::Standing;
use super::step::Step;
use crate::client::pace::{Reservation, SentAt, Slot};
use crate::client::retry::delay;
use crate::client::{Api, Renewal, ServerTime};
use crate::model::{
    ApiError, Blast, CallId, Calls, Event, Nonce, NotAttempted, Outcome, RequestId, Timestamp,
    Write,
};
use crate::plan::{Change, OrganizationPlan};

/// A call that eSign throttles so often in a row is given up: another program uses up the limit.
const MAX_THROTTLES: u32 = 100;

/// How often eSign is asked for its clock in a run before fences go by our own time.
const CLOCK_QUESTIONS: u32 = 5;

/// How often it is asked before deletes are signed by our own clock.
const CLOCK_QUESTIONS_BEFORE_DELETE: u32 = 2;

/// By how much less a later answer may say that the server's clock has reached without raising a fence
/// again that was passed.
const PASSED_MS: u64 = 10_000;

/// Sends the calls of one change.
pub(super) struct Sender<'a, 'c, A, W> {
    pub(super) context: &'a Context<'c, A, W>,
    pub(super) account: &'a Account,
    pub(super) organization: &'a OrganizationPlan,
    pub(super) change: &'a Change,
    pub(super) standing: &'a Standing,
    /// When its first call was about to leave.
    pub(super) begun: &'a OnceLock<Instant>,
    /// Since when it waits for lost calls.
    pub(super) own_time: &'a OwnTime,
    /// Whether Ctrl-C no longer stops it: the delete of a replace is done, and leaving now would
    /// leave the callback deleted.
    pub(super) committed: bool,
}

/// What has been tried for one call so far.
#[derive(Debug, Default)]
pub(super) struct Tries {
    retries: u32,
    throttles: u32,
    clock_corrected: bool,
    /// It was refused as signed with an expired credential, and there was another.
    renewed: bool,
    /// How often it waited for a credential to sign it with, and was then sent again at once.
    unsigned: u32,
    /// The last error that left the outcome open.
    opened: Option<ApiError>,
    /// A call that was lost must be dead before it is sent again.
    fenced: bool,
}

impl Tries {
    /// For a call that is not repeated while it may still arrive.
    pub(super) fn behind_a_fence() -> Self {
        Self {
            fenced: true,
            ..Self::default()
        }
    }

    /// Left before it was done.
    pub(super) fn left(&self, why: NotAttempted) -> End {
        match &self.opened {
            Some(error) => End::Unknown(error.clone()),
            None => End::NotAttempted(why),
        }
    }
}

/// A call whose intent is durable.
pub(super) struct Begun {
    id: CallId,
    nonce: Option<Nonce>,
}

/// Where in the rate a call has its place.
enum Place {
    Slot(Slot),
    Reserved(Reservation),
}

/// What eSign said to a call that is done.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) request_id: RequestId,
    /// An add of something new found it there.
    pub(super) was_there: bool,
}

/// What follows from an outcome.
#[derive(Debug)]
pub(super) enum Next {
    Done(Finished),
    Again(Duration),
    Over(End),
}

impl<A: Api, W: WallClock> Sender<'_, '_, A, W> {
    /// Sends the call until it has an outcome or must be given up.
    pub(super) async fn send(
        &self,
        step: Step<'_>,
        first: Option<Reservation>,
    ) -> Result<Finished, End> {
        let mut tries = Tries::default();
        let mut reserved = first;
        loop {
            let ended = async {
                if matches!(step, Step::Delete) {
                    self.know_the_time().await?;
                }
                self.fence(Some(step.write())).await?;
                self.attempt(step, reserved.take()).await
            };
            let (outcome, sent) = ended.await.map_err(|why| tries.left(why))?;
            match self.judge(outcome, sent, &mut tries).await {
                Next::Done(finished) => return Ok(finished),
                Next::Over(end) => return Err(end),
                Next::Again(pause) => {
                    self.sleep(pause).await.map_err(|why| tries.left(why))?;
                }
            }
        }
    }

    /// Waits until no lost call but `same` can take effect on this URL any more.
    ///
    /// eSign's clock says until when. Where it is not known, and where a clock that was far off signed the
    /// lost call, our own time does, counted from when this change began to wait.
    pub(super) async fn fence(&self, same: Option<Write>) -> Result<(), NotAttempted> {
        let mut reported = false;
        loop {
            let Some(lost) =
                self.context
                    .bounded_lost(self.account, self.organization, self.change)
            else {
                return Ok(());
            };
            if Some(lost.write) == same {
                return Ok(());
            }
            let until_dead = self.account.clock.until_dead(&lost);
            let wait_ms = until_dead.unwrap_or(u64::MAX).min(self.own_time.left());
            match wait_ms {
                0 => return Ok(()),
                // The delete of this replace has passed the fence just now, and since then came an answer
                // that was on its way for longer, or from a machine whose clock is a little slower. Both
                // were allowed for; waiting again would leave the callback deleted meanwhile.
                ..=PASSED_MS if self.committed => return Ok(()),
                _ if until_dead.is_none() && self.learn_the_time(CLOCK_QUESTIONS).await? => {
                    continue;
                }
                _ if !self.context.settings.wait => {
                    return Err(match until_dead {
                        Some(_) => NotAttempted::Fenced(self.context.moment(wait_ms)),
                        None => NotAttempted::FencedWithoutClock,
                    });
                }
                _ => {}
            }
            if !reported {
                reported = true;
                self.context.tell(Event::FenceWait {
                    address: self.change.address.clone(),
                    until: self.context.moment(wait_ms),
                    seconds: wait_ms.div_ceil(1000),
                });
            }
            self.sleep(Duration::from_millis(wait_ms)).await?;
        }
    }

    /// Makes sure, where that can be done, that a delete is signed by eSign's clock and not by ours. A
    /// delete that is lost holds up the callback's return until its signature expires. An add that is lost
    /// is simply sent again.
    pub(super) async fn know_the_time(&self) -> Result<(), NotAttempted> {
        self.learn_the_time(CLOCK_QUESTIONS_BEFORE_DELETE)
            .await
            .map(drop)
    }

    /// Asks for eSign's clock, unless it is known or was asked for so often. Whether it is known now.
    async fn learn_the_time(&self, questions: u32) -> Result<bool, NotAttempted> {
        let clock = &self.account.clock;
        if clock.now().is_some() {
            return Ok(true);
        }
        let mut asked = self.unless_barred(self.account.asked_time.lock()).await?;
        while *asked < questions && clock.now().is_none() {
            if *asked >= CLOCK_QUESTIONS_BEFORE_DELETE {
                self.sleep(delay(*asked, self.context.jitter())).await?;
            }
            *asked += 1;
            self.ask_the_time().await?;
        }
        Ok(clock.now().is_some())
    }

    async fn ask_the_time(&self) -> Result<(), NotAttempted> {
        let (slot, _trying) = self.place(|| self.account.pace.acquire()).await?;
        slot.start().await;
        let left = Instant::now();
        // It changes nothing, so it can be given up.
        let answer = self.context.api().server_time(&self.account.name);
        let time = match self.unless_barred(answer).await? {
            ServerTime::Known(time) => Some(time),
            ServerTime::NotTold => None,
            ServerTime::NoAnswer(error) => {
                if let Some(error) = self.account.reach.no_answer(left, &error) {
                    self.context.give_up(self.account, &error);
                }
                None
            }
        };
        self.context.learn_time(self.account, time, left);
        Ok(())
    }

    /// One attempt in its own slot, or in one reserved for it.
    async fn attempt(
        &self,
        step: Step<'_>,
        reserved: Option<Reservation>,
    ) -> Result<(Outcome, SentAt), NotAttempted> {
        let pace = &self.account.pace;
        // A replace holds its permit until its add is done, and that add goes before all others.
        let (_in_flight, slot) = match reserved {
            Some(reservation) => (None, Place::Reserved(reservation)),
            None if self.committed => {
                let reservation = self.unless_barred(pace.acquire_urgent()).await?;
                (None, Place::Reserved(reservation))
            }
            None => {
                let permit = self.unless_barred(self.account.in_flight.acquire()).await?;
                let (slot, trying) = self.place(|| pace.acquire()).await?;
                (Some((permit, trying)), Place::Slot(slot))
            }
        };
        // The add of a replace is awaited with its delete.
        let _awaited = (!self.committed).then(|| self.context.await_call());
        let signed_at = self.context.signing_time(self.account);
        let begun = self.record_intent(step, signed_at).await?;
        let sent = match slot {
            Place::Reserved(reservation) => reservation.use_now().await,
            Place::Slot(slot) => slot.start().await,
        };
        let outcome = self.make_call(begun, step, (signed_at, sent)).await;
        self.context.flush().await;
        Ok((outcome, sent))
    }

    /// Makes an intent durable. The first one of a change is when the change begins for those who
    /// watch: until then it stood in line.
    pub(super) async fn record_intent(
        &self,
        step: Step<'_>,
        signed_at: Timestamp,
    ) -> Result<Begun, NotAttempted> {
        // A repetition is another request, so it has another nonce.
        let nonce = self.context.api().nonce();
        let intent = step.intent(self.organization, self.change, (signed_at, nonce));
        let id = self.context.record_intent(intent).await?;
        if self.begun.set(Instant::now()).is_ok() {
            self.context.tell(Event::Started {
                address: self.change.address.clone(),
                action: self.change.action,
                calls: self.change.calls(),
            });
        }
        Ok(Begun { id, nonce })
    }

    /// The call itself, and what its answer teaches. Nothing interrupts it.
    pub(super) async fn make_call(
        &self,
        Begun { id, nonce }: Begun,
        step: Step<'_>,
        (signed_at, sent): (Timestamp, SentAt),
    ) -> Outcome {
        let secrets = self.context.secrets();
        let call = step.call(self.organization, self.change, nonce, secrets);
        self.context.ledger.count_call();
        let left = Instant::now();
        self.account.reach.left();
        let reply = self.context.send_once(&call, signed_at).await;
        if let Some(error) = self.account.reach.ended(left, &reply.outcome) {
            self.context.give_up(self.account, &error);
        }
        self.context
            .learn_time(self.account, reply.server_time, left);
        match reply.outcome {
            Outcome::Applied(_) | Outcome::AlreadyThere(_) | Outcome::NotThere(_) => {
                self.account.pace.answered(sent);
            }
            Outcome::Throttled(_)
            | Outcome::NotSent(_)
            | Outcome::NotSigned(_)
            | Outcome::ClockOff(_)
            | Outcome::TokenExpired(_)
            | Outcome::Rejected(..)
            | Outcome::Unknown(_) => {}
        }
        let settled = self.context.record_outcome(id, &reply.outcome);
        if let Some(drift) = settled.and_then(|settled| settled.drift) {
            self.context.ledger.drifted(&self.change.address, drift);
            self.context.tell(Event::Drifted {
                address: self.change.address.clone(),
                drift,
            });
        }
        reply.outcome
    }

    /// What follows from an outcome.
    pub(super) async fn judge(&self, outcome: Outcome, sent: SentAt, tries: &mut Tries) -> Next {
        match outcome {
            Outcome::Applied(request_id) | Outcome::NotThere(request_id) => Next::Done(Finished {
                request_id,
                was_there: false,
            }),
            // After a lost attempt it may be our own add that is there.
            Outcome::AlreadyThere(request_id) => Next::Done(Finished {
                request_id,
                was_there: self.is_new() && tries.opened.is_none(),
            }),
            Outcome::Throttled(error) => {
                self.context.ledger.throttled();
                if let Some(rate_per_minute) = self.account.pace.throttled(sent) {
                    self.context.tell(Event::Throttled {
                        account: self.account.name.clone(),
                        rate_per_minute,
                    });
                }
                tries.throttles += 1;
                if tries.throttles > MAX_THROTTLES {
                    self.over(tries, error)
                } else {
                    Next::Again(Duration::ZERO)
                }
            }
            Outcome::NotSent(error) => self.retry(tries, error),
            Outcome::Unknown(error) => {
                tries.opened = Some(error.clone());
                self.own_time.begin_anew();
                self.retry(tries, error)
            }
            Outcome::ClockOff(_) if !tries.clock_corrected => {
                tries.clock_corrected = true;
                // Its answer had no date, else the clock would be known now. Being barred shows next.
                drop(self.know_the_time().await);
                Next::Again(Duration::ZERO)
            }
            Outcome::TokenExpired(error) => match self.renew(tries).await {
                Ok(true) if !tries.renewed => {
                    tries.renewed = true;
                    Next::Again(Duration::ZERO)
                }
                // A call can outlive more than one credential.
                Ok(true) => self.retry(tries, error),
                Ok(false) => self.refused(tries, error),
                Err(next) => next,
            },
            Outcome::NotSigned(error) => match self.renew(tries).await {
                Ok(true) if tries.unsigned == 0 => {
                    tries.unsigned += 1;
                    Next::Again(Duration::ZERO)
                }
                // The next one, too, had expired when the call's turn came; or there is no other, and the call that
                // was refused stops the account.
                Ok(_) => self.retry(tries, error),
                Err(next) => next,
            },
            Outcome::ClockOff(error) | Outcome::Rejected(Blast::Account, error) => {
                self.refused(tries, error)
            }
            Outcome::Rejected(Blast::Organization, error) => {
                self.standing.stop();
                self.over(tries, error)
            }
            Outcome::Rejected(Blast::Call, error) => self.over(tries, error),
        }
    }

    /// Waits for another credential, outside of the rate: calls that wait in it would leave together. Whether there
    /// is one; what follows when that can't be known.
    async fn renew(&self, tries: &mut Tries) -> Result<bool, Next> {
        let renewal = self.context.api().renew(&self.account.name);
        let renewal = self.unless_barred(renewal).await;
        match renewal.map_err(|why| Next::Over(tries.left(why)))? {
            Renewal::Renewed => Ok(true),
            Renewal::Unchanged => Ok(false),
            Renewal::Failed { error, times } => {
                // A credential is tried for as often as a call.
                if times > self.context.settings.max_retries {
                    self.context.give_up_signing(self.account, &error);
                }
                Err(self.retry(tries, error))
            }
        }
    }

    /// No call of this account can succeed.
    fn refused(&self, tries: &Tries, error: ApiError) -> Next {
        self.context.stop_account(self.account, &error);
        self.over(tries, error)
    }

    /// Whether nothing is recorded of the callback, and it is added without a delete before.
    fn is_new(&self) -> bool {
        self.change.before.is_none() && self.change.calls() == Calls::Add
    }

    fn retry(&self, tries: &mut Tries, error: ApiError) -> Next {
        if tries.retries >= self.context.settings.max_retries {
            return self.over(tries, error);
        }
        if let Some(why) = self.context.barred(self.account, self.committed) {
            return Next::Over(tries.left(why));
        }
        tries.retries += 1;
        let pause = delay(tries.retries, self.context.jitter());
        let fence = self
            .context
            .lost(self.organization, self.change)
            .filter(|_| tries.fenced)
            .map(|lost| {
                let until_dead = self.account.clock.until_dead(&lost);
                until_dead.unwrap_or(u64::MAX).min(self.own_time.left())
            });
        // A fence that will not be waited for ends it instead.
        if fence.is_none_or(|wait_ms| wait_ms == 0 || self.context.settings.wait) {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            self.context.tell(Event::Retrying {
                address: self.change.address.clone(),
                error,
                attempt: tries.retries,
                delay_ms: pause_ms.max(fence.unwrap_or(0)),
            });
        }
        Next::Again(pause)
    }

    /// Given up. Whatever the last answer was, an earlier attempt without one leaves it unknown. So it
    /// is for a heal too, which leaves nothing open: what it adds again was believed present before.
    fn over(&self, tries: &Tries, error: ApiError) -> Next {
        let open = tries.opened.is_some() || self.context.is_open(self.organization, self.change);
        Next::Over(if open {
            End::Unknown(error)
        } else {
            End::Failed(error)
        })
    }

    pub(super) async fn unless_barred<T>(
        &self,
        wait: impl Future<Output = T> + Send,
    ) -> Result<T, NotAttempted> {
        self.context
            .unless_barred(self.account, self.committed, wait)
            .await
    }

    async fn sleep(&self, pause: Duration) -> Result<(), NotAttempted> {
        self.unless_barred(tokio::time::sleep(pause)).await
    }
}
