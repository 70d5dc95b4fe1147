//! The destination of the calls: eSign, the URL of `--endpoint`, or the embedded sandbox.

pub(crate) mod cloudaudit;
pub(crate) mod credentials;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod inspect;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::cli::clock;
use crate::cli::exit::{Failure, with_causes};
use crate::cli::locations::Locations;
use crate::cli::process::descriptors::Bound;
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::client::credentials::Found;
use crate::client::{
    CredentialCache, CredentialError, Credentials, Endpoint, HttpApi, HttpOptions,
};
use crate::model::{Account, AccountName, SecretIndex};
use crate::plan::Plan;
use crate::run::{Connection, Owners, Signers, signers};
use crate::sandbox::{CloudFile, Customer, Enterprise, Member, Options, Running, Sandbox};
use crate::secret::Secret;

pub(crate) struct Remote {
    pub(crate) api: Arc<HttpApi>,
    /// Empty for the embedded sandbox, whose credentials are new in each run.
    pub(crate) signers: Signers,
    /// The accounts whose fingerprint does not tell whose the credentials are.
    pub(crate) unidentified: BTreeSet<AccountName>,
    /// Who knows the owners of credentials; `None` for the embedded sandbox.
    pub(crate) sts: Option<Endpoint>,
    sandbox: Option<Running>,
    pub(crate) connections: Option<Bound>,
}

impl Remote {
    /// Finds the credentials, and prepares to make calls. Changes nothing.
    pub(crate) async fn connect(
        settings: &Settings,
        plan: &Plan,
        rate: u32,
    ) -> Result<Self, Failure> {
        let locations = settings.locations()?;
        let connections = Bound::of_this_process(locations.cloud.is_some());
        let Some(cloud) = &locations.cloud else {
            let variables = &settings.environment;
            let machine = credentials::machine(plan.environment, variables, locations)?;
            let found = credentials::find(&plan.accounts, &machine, locations).await?;
            let identity = |(name, found): (&AccountName, &Found)| {
                (name.clone(), found.principal.identity(name))
            };
            let identities: BTreeMap<_, _> = found.iter().map(identity).collect();
            let signers = signers(
                plan,
                identities.iter().map(|(name, id)| (name, id.as_str())),
            );
            let unidentified = found
                .iter()
                .filter(|(_, found)| found.principal.is_unknown());
            let unidentified = unidentified.map(|(name, _)| name.clone()).collect();
            let caches = found.into_iter().map(|(name, found)| (name, found.cache));
            let endpoint = locations.endpoint.clone();
            let endpoint = endpoint.unwrap_or_else(|| Endpoint::of(plan.environment));
            let api = api(
                locations,
                endpoint,
                caches.collect(),
                &plan.accounts,
                connections,
            )?;
            return Ok(Self {
                api: Arc::new(api),
                signers,
                unidentified,
                sts: Some(machine.sts),
                sandbox: None,
                connections,
            });
        };
        let accounts = plan.accounts.keys();
        let (sandbox, credentials) = embedded(cloud, accounts, Vec::new(), rate).await?;
        let endpoint = Endpoint::parse(&sandbox.endpoint())
            .map_err(|error| Failure::error(error.to_string()))?;
        Ok(Self {
            api: Arc::new(api(
                locations,
                endpoint,
                credentials,
                &plan.accounts,
                connections,
            )?),
            signers: Signers::new(),
            unidentified: BTreeSet::new(),
            sts: None,
            sandbox: Some(sandbox),
            connections,
        })
    }

    /// What a run needs of it. `secrets` are the values that the plan's adds send.
    pub(crate) fn connection(
        &self,
        secrets: BTreeMap<SecretIndex, Secret>,
    ) -> Connection<Arc<HttpApi>> {
        Connection {
            api: Arc::clone(&self.api),
            signers: self.signers.clone(),
            unidentified: self.unidentified.clone(),
            secrets,
        }
    }

    /// Asks which accounts of Tencent Cloud the credentials belong to.
    pub(crate) async fn owners(&self, plan: &Plan) -> Owners {
        match &self.sts {
            Some(sts) => identity::ask(&self.api, plan, sts).await,
            None => Owners::new(),
        }
    }

    /// Ends the embedded sandbox, whose file is up to date already.
    pub(crate) async fn shutdown(self) {
        end(self.sandbox).await;
    }
}

async fn end(sandbox: Option<Running>) {
    if let Some(sandbox) = sandbox {
        if let Err(error) = sandbox.shutdown().await {
            tracing::warn!("{}", with_causes(&error));
        }
    }
}

/// Starts the embedded sandbox, with a new pair of credentials for each account.
async fn embedded(
    cloud: &Path,
    accounts: impl Iterator<Item = &AccountName> + Clone,
    members: Vec<Member>,
    rate: u32,
) -> Result<(Running, Credentials), Failure> {
    let customers: Vec<Customer> = accounts
        .clone()
        .map(|account| {
            Ok(Customer::fresh(
                account.as_str(),
                u64::from_be_bytes(random()?),
            ))
        })
        .collect::<Result<_, Failure>>()?;
    let fixed = |(account, customer): (&AccountName, &Customer)| {
        let cache = CredentialCache::fixed(customer.credential.clone())?;
        Ok((account.clone(), cache))
    };
    let credentials = accounts.zip(&customers).map(fixed);
    let credentials: Result<Credentials, CredentialError> = credentials.collect();
    let credentials = credentials.map_err(|error| Failure::error(with_causes(&error)))?;
    let options = Options {
        customers,
        enterprise: Enterprise {
            members,
            ..Enterprise::default()
        },
        cloud: Some(CloudFile {
            path: cloud.to_owned(),
            keep_secrets: false,
        }),
        limit: rate,
        seed: u64::from_be_bytes(random()?),
        ..Options::default()
    };
    let sandbox = Sandbox::embedded(options, clock::of_sandbox())
        .await
        .map_err(|error| Failure::error(with_causes(&error)))?;
    Ok((sandbox, credentials))
}

fn api(
    locations: &Locations,
    endpoint: Endpoint,
    credentials: Credentials,
    accounts: &BTreeMap<AccountName, Account>,
    connections: Option<Bound>,
) -> Result<HttpApi, Failure> {
    let region =
        |(name, account): (&AccountName, &Account)| Some((name.clone(), account.region.clone()?));
    let options = HttpOptions {
        regions: accounts.iter().filter_map(region).collect(),
        extra_roots: locations.extra_roots()?,
        most_idle: connections.map(|bound| bound.idle),
    };
    HttpApi::new(endpoint, credentials, &options)
        .map_err(|error| Failure::error(with_causes(&error)))
}
