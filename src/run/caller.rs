//! Who starts a run: what the run asks of it, and what it reports to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::{Settings, Sink, WallClock};
use crate::client::Api;
use crate::model::{
    AccountName, Address, CallbackUrl, Checkout, Identity, Lineage, Nonce, Recorded, SecretIndex,
    Sought, Testimony, Timestamp, Witnessed,
};
use crate::plan::Plan;
use crate::run::{Ended, Owners, Signers};
use crate::secret::Secret;
use crate::state::{LockOwner, StateError};

/// Who starts a run. The methods are in the order in which a run calls them. A run that is to stop before its first call
/// drops what they return.
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

    /// Asks a witness for lost calls, if there is one. What it says is recorded before the plan is made.
    fn witness(
        &mut self,
        _sought: Vec<Sought>,
    ) -> impl Future<Output = Option<Testimonies>> + Send {
        async { None }
    }

    /// What the witness said has settled these, durably. Perhaps none.
    fn witnessed(&mut self, _settled: &[(Address, Witnessed)]) {}

    /// Makes the plan from what is recorded, or gives a saved one.
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

    /// Finds the way to eSign for the accounts of the plan. Calls nothing that changes eSign.
    fn connect(
        &mut self,
        plan: &Plan,
    ) -> impl Future<Output = Result<Connection<Self::Api>, Self::Error>> + Send;

    /// Asks which accounts of Tencent Cloud the credentials of the plan's accounts belong to.
    fn owners(&mut self, plan: &Plan) -> impl Future<Output = Owners> + Send;

    /// Whether the calls of this plan may be made. The accounts in `unproven` have another `SecretId` than that of
    /// their recorded callbacks, which may be another enterprise's.
    fn approve(
        &mut self,
        plan: &Plan,
        unproven: &[AccountName],
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// The files that the plan was made of, if who comes later has to know them.
    fn checkout(&self) -> Option<Checkout> {
        None
    }

    /// Twins that the plan adds and whose URLs do not show it. They are recorded before their calls, so that each later plan
    /// knows them.
    fn twins(&self) -> BTreeMap<Identity, CallbackUrl> {
        BTreeMap::new()
    }

    /// The calls begin now.
    fn start(&mut self, plan: &Plan) -> Result<Start, Self::Error>;

    /// How it ended, and what is recorded now; `None` when an error ended it. The lock is still held.
    fn ended(&mut self, _ended: Option<&Ended>, _recorded: &Recorded) {}
}

/// What a witness says of lost calls.
#[derive(Clone, Debug)]
pub struct Testimonies {
    pub said: BTreeMap<Nonce, Testimony>,
    /// A time that the witness's clock had passed when it said so.
    pub server_now: Timestamp,
}

/// The way to eSign.
#[derive(Debug)]
pub struct Connection<A> {
    pub api: A,
    /// Of each account, but of no `SecretId` that is new with each run or fetch: of temporary credentials, of whom they
    /// belong to.
    pub signers: Signers,
    /// The accounts whose fingerprint does not tell whose the credentials are.
    pub unidentified: BTreeSet<AccountName>,
    /// The values of the secrets that the plan's adds send.
    pub secrets: BTreeMap<SecretIndex, Secret>,
}

/// How the calls begin.
#[derive(Debug)]
pub struct Start {
    pub settings: Settings,
    /// For a state that has none yet.
    pub lineage: Lineage,
}
