//! Applying: makes the calls of a [`Plan`] and records what becomes of them.
//!
//! [`apply`] takes no decisions about *what* to call, only about *when*: it keeps to the rate limit,
//! waits for fences, repeats what may be repeated and stops what must be stopped.
//!
//! Invariants, each checked by the simulation:
//! * a call leaves only after its intent is durable in the journal;
//! * a call that is the opposite of a lost one leaves only when the lost one is dead by the *server's*
//!   clock;
//! * an organization's deletes begin only when all its adds succeeded, those in another scope too;
//! * every wait is bounded, and Ctrl-C ends all of them;
//! * dropping the future at any point loses nothing: the journal has it.

mod attempt;
mod awaited;
mod bookkeeping;
mod clock;
mod context;
mod gates;
mod lanes;
mod ledger;
mod organization;
mod place;
mod reach;
mod replace;
mod standing;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::sync::watch;

pub use self::clock::WallClock;
pub use self::context::Settings;

pub use self::bookkeeping::{keep_books, move_records};
use self::context::Context;
use self::gates::Gates;
pub use self::lanes::{Lanes, accounts};
use crate::client::Api;
use crate::model::{AccountName, Address, Event, Report, SecretIndex};
use crate::plan::{OrganizationPlan, Plan};
use crate::secret::Secret;
use crate::state::Locked;

/// Takes the events of a run as they happen.
pub trait Sink: Send {
    fn event(&mut self, event: Event);
}

/// What an apply works with, beside its plan.
#[derive(Debug)]
pub struct Tools<'a, A, W> {
    pub api: &'a A,
    pub state: &'a Locked,
    /// Our time of day, for the record. Fences go by the server's.
    pub wall: &'a W,
    /// The values of the secrets the plan's adds use.
    pub secrets: &'a BTreeMap<SecretIndex, Secret>,
    /// Callbacks that must not be added, because their receivers failed their verification.
    pub unverified: &'a BTreeSet<Address>,
    /// Open for each account of the plan.
    pub lanes: &'a Lanes,
    /// Becomes true when the user asks to stop.
    pub stop: watch::Receiver<bool>,
}

/// Makes the calls of `plan`.
///
/// Returns when everything is done, given up or stopped. The record is complete then, but not saved:
/// the caller saves it, so that a failure to save has its own error.
pub async fn apply<A: Api, W: WallClock>(
    plan: &Plan,
    tools: Tools<'_, A, W>,
    settings: &Settings,
    sink: &mut dyn Sink,
) -> Report {
    let context = Context::new(plan, tools, settings, sink);
    {
        let work = std::pin::pin!(every_account(plan, &context));
        tokio::select! {
            biased;
            () = work => {}
            () = context.watch_for_stop() => {}
        }
    }
    context.wait_for_twins(plan);
    context.close(plan)
}

/// Runs all accounts side by side. Deletes that wait for another organization's adds come last, so
/// that nothing they wait for is behind them.
async fn every_account<A: Api, W: WallClock>(plan: &Plan, context: &Context<'_, A, W>) {
    let gates = &Gates::of(plan);
    let accounts = by_account(plan)
        .into_iter()
        .map(|(name, organizations)| async move {
            let Some(account) = context.account(name) else {
                for (position, _) in organizations {
                    gates.built(position, false);
                }
                return;
            };
            let parallelism = context.settings.parallelism.max(1);
            let runs: Vec<_> = stream::iter(organizations)
                .map(|(position, organization)| {
                    organization::run(context, account, (position, organization), gates)
                })
                .buffer_unordered(parallelism)
                .collect()
                .await;
            stream::iter(runs.into_iter().flatten())
                .map(|run| run.held_deletes(gates))
                .buffer_unordered(parallelism)
                .collect::<()>()
                .await;
        });
    join_all(accounts).await;
}

/// The organizations with something to call, by account; within each those first that need not wait
/// for a fence, so that no wait holds up another organization's calls.
fn by_account(plan: &Plan) -> BTreeMap<&AccountName, Vec<(usize, &OrganizationPlan)>> {
    let mut accounts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (position, organization) in plan.organizations.iter().enumerate() {
        if organization
            .changes
            .iter()
            .any(|change| change.calls().count() > 0)
        {
            accounts
                .entry(&organization.scope.account)
                .or_default()
                .push((position, organization));
        }
    }
    for organizations in accounts.values_mut() {
        organizations.sort_by_key(|(_, organization)| {
            organization
                .changes
                .iter()
                .any(|change| change.fence.is_some())
        });
    }
    accounts
}
