//! The way to eSign for commands that look and change nothing: `doctor` and `orgs`. Unlike for an apply, an account
//! without credentials is a finding and not an error.

use std::collections::BTreeMap;
use std::iter;
use std::time::Duration;

use tokio::time::timeout;

use super::credentials::{self, AllFound};
use super::{api, embedded, end};
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::process::descriptors::Bound;
use crate::cli::settings::Settings;
use crate::client::credentials::Machine;
use crate::client::{self, Credentials, Endpoint, HttpApi, Pace, Rate, Reader};
use crate::doctor::{Identity, Lookup, Origin, PassedOver};
use crate::model::{Account, AccountName, ApiError, Desired, Environment, ReadError, ReadFailure};
use crate::sandbox::{Member, Running};

/// How long to wait for the token service.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to eSign, with what came of looking for each account's credentials.
pub(crate) struct Inspection {
    pub(crate) api: HttpApi,
    pub(crate) endpoint: Endpoint,
    pub(crate) lookups: BTreeMap<AccountName, Lookup>,
    environment: Environment,
    /// The security token service; `None` for the embedded sandbox.
    sts: Option<Endpoint>,
    sandbox: Option<Running>,
}

impl Inspection {
    /// Looks for the credentials of these accounts. Opens no connection.
    pub(crate) async fn open(
        settings: &Settings,
        desired: &Desired,
        accounts: &BTreeMap<AccountName, Account>,
        rate: u32,
    ) -> Result<Self, Failure> {
        let locations = settings.locations()?;
        let environment = desired.environment;
        let connections = Bound::of_this_process(locations.cloud.is_some());
        if let Some(cloud) = &locations.cloud {
            let members = declared_members(desired);
            let (sandbox, found) = embedded(cloud, accounts.keys(), members, rate).await?;
            let endpoint = Endpoint::parse(&sandbox.endpoint())
                .map_err(|error| Failure::error(error.to_string()))?;
            let own = || {
                Lookup::Found(Origin {
                    provider: "the sandbox, made for this run".to_owned(),
                    passed_over: Vec::new(),
                })
            };
            return Ok(Self {
                api: api(locations, endpoint.clone(), found, accounts, connections)?,
                endpoint,
                lookups: accounts.keys().map(|name| (name.clone(), own())).collect(),
                environment,
                sts: None,
                sandbox: Some(sandbox),
            });
        }
        let machine = credentials::machine(environment, &settings.environment, locations)?;
        let (found, lookups) = look_up(accounts, &machine).await;
        let endpoint = locations.endpoint.clone();
        let endpoint = endpoint.unwrap_or_else(|| Endpoint::of(environment));
        Ok(Self {
            api: api(locations, endpoint.clone(), found, accounts, connections)?,
            endpoint,
            lookups,
            environment,
            sts: Some(machine.sts),
            sandbox: None,
        })
    }

    /// Whose credentials an account has.
    pub(crate) async fn identity(&self, account: &AccountName) -> Identity {
        let Some(sts) = &self.sts else {
            return Identity::NotAsked("the sandbox has no Tencent Cloud accounts");
        };
        if self.environment != Environment::Production {
            return Identity::NotAsked(
                "the credentials of the test environment belong to no Tencent Cloud account that can be asked for",
            );
        }
        let asked = timeout(
            PATIENCE,
            self.api.account_id(sts, account, SystemClock.now()),
        );
        let silent = || ApiError {
            code: None,
            message: format!(
                "no answer from {} within {} s",
                sts.host(),
                PATIENCE.as_secs()
            ),
            request_id: None,
            meaning: "nothing was learnt, and nothing was changed".into(),
            advice: "check that sts.tencentcloudapi.com can be reached".into(),
        };
        let answer = asked.await.unwrap_or_else(|_| Err(silent()));
        Identity::Asked(answer.map_err(|error| {
            let refused = error
                .code
                .as_deref()
                .is_some_and(|code| code.starts_with("AuthFailure"));
            let kind = if refused {
                ReadFailure::Credentials
            } else if error.code.is_some() {
                ReadFailure::Refused
            } else {
                ReadFailure::NoAnswer
            };
            ReadError { kind, error }
        }))
    }

    /// Reads for this account, at half of what eSign allows.
    pub(crate) fn reader<'a>(&'a self, account: &'a AccountName) -> Reader<'a> {
        let pace = Pace::new(Rate::per_second(10.0).unwrap_or(Rate::ESIGN));
        Reader::new(&self.api, account, pace, || SystemClock.now())
    }

    /// Ends the embedded sandbox.
    pub(crate) async fn close(self) {
        end(self.sandbox).await;
    }

    pub(crate) const fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }
}

/// Looks for the credentials of each account.
async fn look_up(
    accounts: &BTreeMap<AccountName, Account>,
    machine: &Machine,
) -> (Credentials, BTreeMap<AccountName, Lookup>) {
    let mut all = AllFound::new();
    let mut lookups = BTreeMap::new();
    for (name, found) in credentials::each(accounts, machine).await {
        let lookup = match found {
            Err(error) => {
                let (headline, reasons) = error.lines();
                Lookup::Missing {
                    why: error.to_string(),
                    lines: iter::once(headline).chain(reasons).collect(),
                    advice: error.advice().into_owned(),
                }
            }
            Ok(found) => {
                let lookup = match credentials::twin(&found, &all) {
                    Some((other, what)) => Lookup::SameAs(other.clone(), what),
                    None => Lookup::Found(origin(&found.origin)),
                };
                all.insert(name.clone(), found);
                lookup
            }
        };
        lookups.insert(name.clone(), lookup);
    }
    let caches = all.into_iter().map(|(name, found)| (name, found.cache));
    (caches.collect(), lookups)
}

fn origin(found: &client::credentials::Origin) -> Origin {
    let passed_over = found.passed_over.iter().map(|one| PassedOver {
        provider: one.provider.clone(),
        why: one.why.clone(),
    });
    Origin {
        provider: found.provider.clone(),
        passed_over: passed_over.collect(),
    }
}

/// The embedded sandbox's group is what the configuration declares.
fn declared_members(desired: &Desired) -> Vec<Member> {
    let organizations = desired.organizations.iter();
    let mut members: Vec<Member> = organizations
        .filter_map(|one| {
            let id = one.scope.organization.as_ref()?;
            Some(Member {
                id: id.as_str().to_owned(),
                name: one.handle.as_str().to_owned(),
                status: 5,
                licence_expires: 0,
            })
        })
        .collect();
    members.sort_by(|one, other| one.id.cmp(&other.id));
    members.dedup_by(|one, other| one.id == other.id);
    members
}
