//! One run: lock, read, plan, guards, calls, save, release.
//!
//! [`run`] is the only way to apply: the command line, the simulation and the scenario tests call it. It has
//! no terminal and no signals; what it needs to know it asks its [`Caller`], and what happens it reports to it.
//!
//! # Invariants
//!
//! * Nothing is called before every guard has passed and the caller has approved.
//! * What belongs to another account now is recorded there, durably, before the first call: calls are recorded
//!   there too.
//! * The lock is released however the run ends, unless its future is dropped; then it is freed as that of a
//!   dead owner.
//! * Who asks to stop ends every wait before the first call, and then the lock is released at once. Only a store that
//!   does not answer [`soon`] keeps it, like that of a dead owner. [`apply`] knows what to do in the middle of calls.
//! * Rate limiters and server clocks are the caller's ([`Lanes`]), so a second run in one process knows the
//!   calls of the first.

mod accounts;
mod caller;
mod owners;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;

use crate::apply::{
    Lanes, Settings, Tools, WallClock as _, accounts, apply, keep_books, move_records,
};
use crate::client::Rate;
use crate::model::{
    AccountId, AccountName, Address, ApiError, Checkout, Destination, Environment, Handle,
    Recorded, Report,
};
use crate::plan::{Plan, Stale, calls_digest};
use crate::state::{LockOwner, Locked, Patience, Rescue, StateError, Store, asked, soon};

pub use self::accounts::{Signers, signers};
pub use self::caller::{Caller, Connection, Start, Testimonies};
pub use self::owners::Owners;

/// What a run is given.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a, W> {
    /// The state must be of it.
    pub environment: Environment,
    /// Where the calls go. The state must be of it, and the plan for it.
    pub destination: &'a Destination,
    /// Who takes the lock.
    pub owner: &'a LockOwner,
    /// How long to wait for another owner of the lock.
    pub lock_timeout: Duration,
    /// The digest of the plan that was reviewed; a plan with calls must have it.
    pub expected_digest: Option<&'a str>,
    /// Calls per second for each account.
    pub rate: Rate,
    /// Our time of day.
    pub wall: &'a W,
    /// Becomes true when the run is to stop.
    pub stop: &'a watch::Receiver<bool>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Nothing was planned: what is recorded is of calls to this place, and not to that of the request.
    Elsewhere(Destination),
    /// It was asked to stop before the first call.
    Interrupted,
    /// Nothing was called, for this reason.
    Refused(Plan, Refusal),
    /// There was nothing to call. What the record had to learn is saved.
    NothingToCall(Plan),
    /// Calls were made. The report says what became of each.
    Called {
        /// What was to be done.
        plan: Plan,
        report: Report,
        /// Whether it could be saved.
        saved: Result<(), Box<Unsaved>>,
    },
}

/// What a run knows is not in its state.
#[derive(Clone, Debug)]
pub struct Unsaved {
    /// Why.
    pub error: StateError,
    /// What would be lost with this process. `None` when the journal has it.
    pub rescue: Option<Rescue>,
}

/// Why nothing was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The plan is for another place than that of the request.
    OtherDestination,
    /// The plan was made from another state, or an older one.
    Stale(Stale),
    /// The guards of [`Plan::tripped`].
    Guards,
    /// Recorded callbacks of this organization belong to an account that is not declared, so their calls
    /// can't be signed.
    MissingAccount(AccountName, Handle),
    /// The plan has this digest, and not the expected one.
    NotReviewed(String),
    /// The first account has the credentials, or those of the Tencent Cloud account, that the callbacks of the second
    /// were recorded with: they are one account at eSign.
    SameAccount(AccountName, AccountName),
    /// The credentials of this account belong to another account of Tencent Cloud than `expect_account_id` says.
    UnexpectedOwner {
        account: AccountName,
        expected: AccountId,
        owner: AccountId,
    },
    /// Whose credentials they are could not be found out, and `expect_account_id` names an owner.
    OwnerUnknown {
        account: AccountName,
        expected: AccountId,
        why: Box<ApiError>,
    },
    /// Whose credentials they are could not be found out. They are not provably those of the recorded callbacks, which
    /// belong to a known owner.
    RecordedOwnerUnknown {
        account: AccountName,
        before: AccountId,
        why: Box<ApiError>,
    },
    /// Whose credentials the first account has could not be found out. If they are of the same owner as those of the
    /// second, which has one of its URLs, the callback is one at eSign.
    PerhapsSameOwner {
        accounts: (AccountName, AccountName),
        why: Box<ApiError>,
    },
    /// The credentials of two accounts belong to one account of Tencent Cloud.
    SameOwner {
        accounts: (AccountName, AccountName),
        owner: AccountId,
    },
    /// The recorded callbacks of this account belong to another enterprise than its credentials.
    OtherOwner {
        account: AccountName,
        before: AccountId,
        owner: AccountId,
    },
    /// The caller did not approve.
    NotApproved,
}

/// Makes eSign hold what is declared.
///
/// # Errors
/// Those of the caller, and of the state as the caller's.
pub async fn run<C: Caller>(
    store: &Store,
    request: &Request<'_, C::Wall>,
    lanes: &mut Lanes,
    caller: &mut C,
) -> Result<Ended, C::Error> {
    let Request {
        environment,
        owner,
        lock_timeout,
        stop,
        ..
    } = *request;
    if *stop.borrow() {
        return Ok(Ended::Interrupted);
    }
    let waiting = |holder: Option<&LockOwner>| caller.waiting(holder);
    let patience = Patience {
        timeout: lock_timeout,
        stop: Some(stop.clone()),
    };
    // It is not dropped at once: a lock that was just taken would be left behind.
    let taking = store.lock(environment, owner, patience, waiting);
    let state = match soon(taking, stop).await {
        None => return Ok(Ended::Interrupted),
        Some(Err(StateError::Locked { .. })) if *stop.borrow() => return Ok(Ended::Interrupted),
        Some(state) => state?,
    };
    caller.locked(state.taken_over());
    let ended = with_state(&state, request, lanes, caller).await;
    state.read(|recorded| caller.ended(ended.as_ref().ok(), recorded));
    let is_called = matches!(ended, Ok(Ended::Called { .. }));
    let released = if is_called {
        state.release().await
    } else {
        soon(state.release(), stop).await.unwrap_or(Ok(()))
    };
    let ended = ended?;
    // That the calls are not saved matters more than the lock, and that it was interrupted, too.
    if !matches!(
        ended,
        Ended::Interrupted | Ended::Called { saved: Err(_), .. }
    ) {
        released?;
    }
    Ok(ended)
}

/// Records that these files are in force. Whether there are any.
fn follow(state: &Locked, checkout: Option<Checkout>) -> bool {
    let follows = checkout.is_some();
    if follows {
        state.edit(|recorded| {
            recorded.checkout = checkout;
            true
        });
    }
    follows
}

async fn with_state<C: Caller>(
    state: &Locked,
    request: &Request<'_, C::Wall>,
    lanes: &mut Lanes,
    caller: &mut C,
) -> Result<Ended, C::Error> {
    let mut stop = request.stop.clone();
    let prepared = tokio::select! {
        biased;
        () = asked(&mut stop) => return Ok(Ended::Interrupted),
        prepared = prepare(state, request, caller) => prepared?,
    };
    let Ready {
        plan,
        connection,
        unverified,
        settings,
    } = match prepared {
        Prepared::Ready(ready) => *ready,
        Prepared::Ended(ended) => return Ok(*ended),
    };
    let now = request.wall.now();
    state.read(|recorded| lanes.open(&plan, recorded, request.rate, now));
    let tools = Tools {
        api: &connection.api,
        state,
        wall: request.wall,
        secrets: &connection.secrets,
        unverified: &unverified,
        lanes,
        stop,
    };
    let report = apply(&plan, tools, &settings, caller).await;
    let saved = state.save().await.map(drop).map_err(|error| {
        let rescue = state.rescue(&error);
        Box::new(Unsaved { error, rescue })
    });
    Ok(Ended::Called {
        plan,
        report,
        saved,
    })
}

/// What comes before the first call.
enum Prepared<A> {
    Ended(Box<Ended>),
    Ready(Box<Ready<A>>),
}

/// Everything that the calls need.
struct Ready<A> {
    plan: Plan,
    connection: Connection<A>,
    unverified: BTreeSet<Address>,
    settings: Settings,
}

impl<A> From<Ended> for Prepared<A> {
    fn from(ended: Ended) -> Self {
        Self::Ended(Box::new(ended))
    }
}

/// Comes to the first call, or to the reason why there is none. May be dropped at any point.
async fn prepare<C: Caller>(
    state: &Locked,
    request: &Request<'_, C::Wall>,
    caller: &mut C,
) -> Result<Prepared<C::Api>, C::Error> {
    let elsewhere = |recorded: &Recorded| recorded.elsewhere(request.destination).cloned();
    if let Some(there) = state.read(elsewhere) {
        return Ok(Ended::Elsewhere(there).into());
    }
    // A plan that was reviewed is of what was recorded then.
    if request.expected_digest.is_none() {
        settle(state, caller).await?;
    }
    let plan = state.read(|recorded| caller.plan(recorded))?;
    if plan.destination != *request.destination {
        return Ok(Ended::Refused(plan, Refusal::OtherDestination).into());
    }
    if let Some(stale) = state.read(|recorded| plan.stale(recorded)) {
        return Ok(Ended::Refused(plan, Refusal::Stale(stale)).into());
    }
    let plan = caller.resolve(plan).await?;
    if let Some(refusal) = refusal(&plan, request.expected_digest) {
        return Ok(Ended::Refused(plan, refusal).into());
    }
    if plan.is_empty() {
        state.aim(&plan.destination);
        state.edit(|recorded| keep_books(&plan, recorded));
        follow(state, caller.checkout());
        state.save().await?;
        return Ok(Ended::NothingToCall(plan).into());
    }
    // Before the question, so that whoever answers it has seen the findings.
    let unverified = caller.verify(&plan).await?;
    let connection = caller.connect(&plan).await?;
    let (signers, unidentified) = (&connection.signers, &connection.unidentified);
    let known = state.read(|recorded| accounts::known(&plan, recorded));
    let owners = if owners::asks(&plan, signers, unidentified, &known) {
        caller.owners(&plan).await
    } else {
        Owners::new()
    };
    if let Some(refusal) = owners::refusal(&plan, signers, unidentified, &owners, &known) {
        return Ok(Ended::Refused(plan, refusal).into());
    }
    let unproven = owners::unproven(signers, &owners, &known);
    let owners = owners::known_owners(owners);
    if let Some((name, other)) =
        state.read(|recorded| accounts::same(&plan, signers, &owners, recorded))
    {
        return Ok(Ended::Refused(plan, Refusal::SameAccount(name, other)).into());
    }
    if !caller.approve(&plan, &unproven).await? {
        return Ok(Ended::Refused(plan, Refusal::NotApproved).into());
    }
    let Start { settings, lineage } = caller.start(&plan)?;
    state.aim(&plan.destination);
    state.edit(|recorded| move_records(&plan, recorded));
    let follows = follow(state, caller.checkout());
    let twins = caller.twins();
    let has_twins = !twins.is_empty();
    state.edit(|recorded| {
        recorded.twins.extend(twins);
        has_twins
    });
    state.sign_with(state.read(|recorded| accounts(&plan, signers, &owners, recorded)));
    state.initialize(lineage, plan.salt).await?;
    if follows || has_twins || !plan.moves.is_empty() {
        state.save().await?;
    }
    Ok(Prepared::Ready(Box::new(Ready {
        plan,
        connection,
        unverified,
        settings,
    })))
}

/// Records what a witness says of lost calls, before anything is planned for them.
async fn settle<C: Caller>(state: &Locked, caller: &mut C) -> Result<(), C::Error> {
    let sought = state.read(Recorded::sought);
    if sought.is_empty() {
        return Ok(());
    }
    let Some(Testimonies { said, server_now }) = caller.witness(sought).await else {
        return Ok(());
    };
    let mut settled = Vec::new();
    state.edit(|recorded| {
        settled = recorded.settle(&said, server_now);
        !settled.is_empty()
    });
    if !settled.is_empty() {
        state.save().await?;
    }
    caller.witnessed(&settled);
    Ok(())
}

/// Why this plan must not be applied. One without calls needs no review.
fn refusal(plan: &Plan, expected_digest: Option<&str>) -> Option<Refusal> {
    if let Some((account, handle)) = plan.missing_accounts().next() {
        return Some(Refusal::MissingAccount(account.clone(), handle.clone()));
    }
    if !plan.tripped.is_empty() {
        return Some(Refusal::Guards);
    }
    let expected = expected_digest.filter(|_| !plan.is_empty())?;
    let digest = calls_digest(plan);
    (digest != expected).then_some(Refusal::NotReviewed(digest))
}
