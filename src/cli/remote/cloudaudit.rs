//! CloudAudit, the experimental second witness: where it is, what it says of lost calls, and what it has of an account.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use super::inspect::Inspection;
use crate::apply::WallClock as _;
use crate::audit::{read, testimonies};
use crate::cli::clock::SystemClock;
use crate::cli::doubles::{CLOUDAUDIT, double};
use crate::cli::exit::Failure;
use crate::cli::locations::Locations;
use crate::cli::settings::Settings;
use crate::client::{AuditLog, Endpoint, Logged, Pace, Rate};
use crate::doctor::{Lookup, told};
use crate::model::{
    AccountName, ApiError, Audited, Desired, Environment, Nonce, Sought, Testimony, Timestamp,
};
use crate::run::Testimonies;

/// How far back the log can be read, in seconds: 90 days, and a minute for the way.
const REACH: i64 = 90 * 86_400 - 60;

/// How much earlier than its signature a call may have arrived by CloudAudit's clock, in seconds.
const MARGIN: i64 = 600;

/// How long a run waits for a witness that it can do without.
const PATIENCE: Duration = Duration::from_secs(60);

/// Refuses what CloudAudit has no log of. `what` is the option or command.
pub(crate) fn check(
    what: &str,
    environment: Environment,
    locations: &Locations,
) -> Result<(), Failure> {
    if locations.cloud.is_some() {
        return Err(Failure::usage(format!(
            "{what}: the audit log of the embedded sandbox ends with each run"
        ))
        .advice("Serve a sandbox with `ess-callbacks sandbox` and name it with --endpoint."));
    }
    match environment {
        Environment::Production => Ok(()),
        Environment::Test => Err(Failure::usage(format!(
            "{what}: CloudAudit does not have the calls of eSign's test environment"
        ))
        .advice("It is for `environment: production` only.")),
    }
}

/// CloudAudit's place: that of tests, else the server of `--endpoint`, else Tencent Cloud's.
fn endpoint(
    environment: Environment,
    settings: &Settings,
    locations: &Locations,
) -> Result<Endpoint, Failure> {
    if let Some(double) = double(&settings.environment, CLOUDAUDIT)? {
        return Ok(double);
    }
    let given = locations.endpoint.clone();
    let other = given.filter(|endpoint| *endpoint != Endpoint::of(environment));
    Ok(other.unwrap_or_else(Endpoint::cloudaudit))
}

/// The audit logs of accounts.
pub(crate) struct Logs {
    inspection: Inspection,
    endpoint: Endpoint,
    pace: Pace,
}

impl Logs {
    /// Looks for the credentials of these accounts.
    pub(crate) async fn open(
        settings: &Settings,
        desired: &Desired,
        accounts: impl Fn(&AccountName) -> bool,
    ) -> Result<Self, Failure> {
        let locations = settings.locations()?;
        let endpoint = endpoint(desired.environment, settings, locations)?;
        let chosen = desired.accounts.iter().filter(|(name, _)| accounts(name));
        let chosen = chosen.map(|(name, account)| (name.clone(), account.clone()));
        let chosen: BTreeMap<_, _> = chosen.collect();
        let inspection = Inspection::open(settings, desired, &chosen, 20).await?;
        Ok(Self {
            inspection,
            endpoint,
            pace: Pace::new(Rate::per_second(10.0).unwrap_or(Rate::ESIGN)),
        })
    }

    /// What came of looking for the credentials.
    pub(crate) const fn lookups(&self) -> &BTreeMap<AccountName, Lookup> {
        &self.inspection.lookups
    }

    /// The events of an account from `since` until now. `seen` gets their number as they come.
    pub(crate) async fn read(
        &self,
        account: &AccountName,
        since: Timestamp,
        seen: impl FnMut(usize) + Send,
    ) -> Result<Logged, ApiError> {
        let now = SystemClock.now();
        let (api, pace) = (&self.inspection.api, self.pace.clone());
        let log = AuditLog::new(api, (&self.endpoint, account), pace, || SystemClock.now());
        log.writes((reachable(since, now), now), seen).await
    }
}

/// The nearest moment that the log can be read from.
pub(crate) fn reachable(since: Timestamp, now: Timestamp) -> Timestamp {
    since.max(now.plus(-REACH))
}

/// Asks CloudAudit for these calls. What hinders it is reported to `warn`, and hinders nothing else.
pub(crate) async fn ask(
    settings: &Settings,
    desired: &Desired,
    sought: &[Sought],
    mut warn: impl FnMut(String),
) -> Option<Testimonies> {
    let asked = timeout(
        PATIENCE,
        every_account(settings, desired, sought, &mut warn),
    );
    if let Ok(said) = asked.await {
        return said;
    }
    warn(format!("no answer within {} s", PATIENCE.as_secs()));
    None
}

async fn every_account(
    settings: &Settings,
    desired: &Desired,
    sought: &[Sought],
    warn: &mut impl FnMut(String),
) -> Option<Testimonies> {
    let mut calls: BTreeMap<&AccountName, Vec<Sought>> = BTreeMap::new();
    for call in sought {
        let account = &call.identity.scope.account;
        calls.entry(account).or_default().push(call.clone());
    }
    let logs = Logs::open(settings, desired, |name| calls.contains_key(name)).await;
    let logs = match logs {
        Ok(logs) => logs,
        Err(failure) => {
            warn(failure.message);
            return None;
        }
    };
    let mut said: BTreeMap<Nonce, Testimony> = BTreeMap::new();
    let mut server_now = None;
    for (account, calls) in calls {
        if !matches!(logs.lookups().get(account), Some(Lookup::Found(_))) {
            warn(format!("the account `{account}` has no usable credentials"));
            continue;
        }
        let oldest = calls.iter().map(|call| call.signed_at).min();
        let since = oldest.unwrap_or(Timestamp(0)).plus(-MARGIN);
        match logs.read(account, since, |_| {}).await {
            Ok(logged) => {
                let events: Vec<Audited> = logged.events.iter().map(read).collect();
                tracing::info!(%account, events = events.len(), "CloudAudit answered");
                // The earlier of two clocks: a call that is dead by both can't arrive any more.
                if let Some(time) = logged.server_time {
                    let passed = time.min(SystemClock.now());
                    server_now =
                        Some(server_now.map_or(passed, |others: Timestamp| others.min(passed)));
                    said.extend(testimonies(&events, &calls));
                }
            }
            Err(error) => warn(words(account, &error)),
        }
    }
    server_now.map(|server_now| Testimonies { said, server_now })
}

/// An error of CloudAudit on one line.
pub(crate) fn words(account: &AccountName, error: &ApiError) -> String {
    format!("account `{account}`: {}: {}", told(error), error.advice)
}
