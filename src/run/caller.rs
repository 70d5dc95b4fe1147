//! Who starts a run: what the run asks of it, and what it reports to it.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use crate::apply::{Settings, Sink, WallClock};
use crate::client::Api;
use crate::model::{
    AccountId, AccountName, Address, Lineage, Recorded, RecordedAccount, SecretIndex,
};
use crate::plan::Plan;
use crate::run::{Ended, Signers};
use crate::secret::Secret;
use crate::state::{LockOwner, StateError};

/// Who starts a run. The methods are in the order in which a run calls them.
pub trait Caller: Sink {
    /// The way to eSign.
    type Api: Api;
    /// Our time of day.
    type Wall: WallClock;
    /// What ends a run early.
    type Error: From<StateError> + Send;

    /// Another owner has the lock, and is waited for. Called again when that owner changes.
    fn waiting(&mut self, _holder: Option<&LockOwner>) {}

    /// The lock is taken, from this owner if it died without releasing it.
    fn locked(&mut self, _taken_over: Option<&LockOwner>) {}

    /// Makes the plan from what is recorded, or checks that a saved plan was made from just this.
    fn plan(&mut self, recorded: &Recorded) -> Result<Plan, Self::Error>;

    /// Adds to a saved plan what only the values of its secrets tell.
    fn resolve(&mut self, plan: Plan) -> impl Future<Output = Result<Plan, Self::Error>> + Send {
        async { Ok(plan) }
    }

    /// Verifies the receivers of the plan's adds, if that is wanted. Those that are returned are not added in
    /// this run, and deletes that wait for them are not made.
    fn verify(
        &mut self,
        _plan: &Plan,
    ) -> impl Future<Output = Result<BTreeSet<Address>, Self::Error>> + Send {
        async { Ok(BTreeSet::new()) }
    }

    /// Finds the way to eSign for the accounts of the plan. `known` is what the state has of those with
    /// recorded callbacks. Calls nothing that changes eSign.
    fn connect(
        &mut self,
        plan: &Plan,
        known: &BTreeMap<AccountName, RecordedAccount>,
    ) -> impl Future<Output = Result<Connection<Self::Api>, Self::Error>> + Send;

    /// Whether the calls of this plan may be made.
    fn approve(&mut self, plan: &Plan) -> Result<bool, Self::Error>;

    /// The calls begin now.
    fn start(&mut self, plan: &Plan) -> Result<Start, Self::Error>;

    /// How it ended, and what is recorded now; `None` when an error ended it. The lock is still held.
    fn ended(&mut self, _ended: Option<&Ended>, _recorded: &Recorded) {}
}

/// The way to eSign.
#[derive(Debug)]
pub struct Connection<A> {
    pub api: A,
    /// Of each account, but not a `SecretId` that is new with each run.
    pub signers: Signers,
    /// The accounts of Tencent Cloud that the credentials belong to, as far as they are known.
    pub owners: BTreeMap<AccountName, AccountId>,
    /// The values of the secrets that the plan's adds send.
    pub secrets: BTreeMap<SecretIndex, Secret>,
}

/// How the calls begin.
#[derive(Debug)]
pub struct Start {
    pub settings: Settings,
    /// Becomes true when the user asks to stop.
    pub stop: watch::Receiver<bool>,
    /// For a state that has none yet.
    pub lineage: Lineage,
}
