//! The destination of the calls: eSign, the URL of `--endpoint`, or the embedded sandbox.

mod credentials;
pub(crate) mod group;
mod identity;
pub(crate) mod inspect;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::cli::clock;
use crate::cli::exit::{Failure, with_causes};
use crate::cli::locations::Locations;
use crate::cli::process::descriptors::Bound;
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::client::{
    CredentialCache, CredentialError, Credentials, Endpoint, ExtraRoots, HttpApi, HttpOptions,
};
use crate::model::{AccountName, RecordedAccount};
use crate::plan::Plan;
use crate::run::{Signers, signers};
use crate::sandbox::{CloudFile, Customer, Enterprise, Member, Options, Running, Sandbox};
use identity::Owners;

pub(crate) struct Remote {
    pub(crate) api: Arc<HttpApi>,
    /// Empty for the embedded sandbox, whose credentials are new in each run.
    pub(crate) signers: Signers,
    /// The Tencent Cloud accounts of the credentials, as far as they are known.
    pub(crate) owners: Owners,
    sandbox: Option<Running>,
    pub(crate) connections: Option<Bound>,
}

impl Remote {
    /// Finds the credentials, checks whose they are, and prepares to make calls. Changes nothing.
    pub(crate) async fn connect(
        settings: &Settings,
        plan: &Plan,
        known: &BTreeMap<AccountName, RecordedAccount>,
        rate: u32,
    ) -> Result<Self, Failure> {
        let locations = settings.locations()?;
        let connections = Bound::of_this_process(locations.cloud.is_some());
        let Some(cloud) = &locations.cloud else {
            let (credentials, secret_ids) =
                credentials::find(&plan.accounts, &settings.environment, locations).await?;
            let endpoint = locations.endpoint.clone();
            let endpoint = endpoint.unwrap_or_else(|| Endpoint::of(plan.environment));
            let signers = signers(
                plan,
                secret_ids.iter().map(|(name, id)| (name, id.as_str())),
            );
            let api = api(locations, endpoint.clone(), credentials, connections)?;
            let owners = identity::check(&api, plan, &endpoint, &signers, known).await?;
            return Ok(Self {
                api: Arc::new(api),
                signers,
                owners,
                sandbox: None,
                connections,
            });
        };
        let accounts = plan.accounts.keys();
        let (sandbox, credentials) = embedded(cloud, accounts, Vec::new(), rate).await?;
        let endpoint = Endpoint::parse(&sandbox.endpoint())
            .map_err(|error| Failure::error(error.to_string()))?;
        Ok(Self {
            api: Arc::new(api(locations, endpoint, credentials, connections)?),
            signers: Signers::new(),
            owners: Owners::new(),
            sandbox: Some(sandbox),
            connections,
        })
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
    connections: Option<Bound>,
) -> Result<HttpApi, Failure> {
    let extra_roots = match &locations.certificates {
        Some(path) => {
            let file = path.display().to_string();
            let pem = std::fs::read(path).map_err(|error| {
                Failure::error(format!("the certificates `{file}` can't be read: {error}"))
            })?;
            Some(ExtraRoots { file, pem })
        }
        None => None,
    };
    let options = HttpOptions {
        region: None,
        extra_roots,
        most_idle: connections.map(|bound| bound.idle),
    };
    HttpApi::new(endpoint, credentials, &options)
        .map_err(|error| Failure::error(with_causes(&error)))
}
