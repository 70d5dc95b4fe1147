//! `doctor`: checks everything that an apply needs, and changes nothing.

mod account;
mod args;
mod network;
mod probe;
mod probe_api;

pub(crate) use args::Args;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::cli::exit::{Exit, Failure};
use crate::cli::process::signals::Signals;
use crate::cli::random::random;
use crate::cli::remote::inspect::Inspection;
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::cli::workspace::check_aim;
use crate::doctor::{
    self, Check, CheckName, Finding, Identity, Lookup, Probe, connection, credentials,
};
use crate::model::{Account, AccountId, AccountName, CallbackUrl, Desired, Organization, Recorded};
use crate::render;
use account::{Patient, Probing};

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let (_, parsed) = sources::parse(&locations.config, &locations.given)?;
    let desired = parsed.desired;
    let recorded = locations.store()?.peek().await?;
    if let Some(recorded) = &recorded {
        check_aim(recorded, &locations.destination(desired.environment))?;
    }
    if let Some(url) = &args.probe_api {
        return probe_api::run(settings, &args, url, &desired, recorded.as_ref(), ui).await;
    }
    if args.auto_approve || args.report.is_some() {
        return Err(Failure::usage(
            "--auto-approve and --report need --probe-api",
        ));
    }
    let chosen = Chosen::of(&desired, &args)?;
    let mut signals = Signals::new();
    let checks = tokio::select! {
        checks = examine(settings, &args, &desired, recorded.as_ref(), &chosen) => checks?,
        () = signals.next() => {
            let message = "interrupted; the checks have changed nothing";
            return Err(Failure::new(Exit::Interrupted, message));
        }
    };
    if ui.json() {
        ui.bytes(|out| render::checks_json(&checks, out));
    } else {
        let style = ui.style(args.rate);
        ui.stream(|out| render::checks_text(&checks, &style, out));
    }
    let failed = checks.iter().any(|check| check.finding.has_failed());
    Ok(if failed { Exit::Unverified } else { Exit::Done })
}

/// The accounts and organizations to check.
struct Chosen<'a> {
    accounts: BTreeMap<AccountName, Account>,
    organizations: Vec<&'a Organization>,
}

impl<'a> Chosen<'a> {
    /// Those that the options name, otherwise all organizations and the accounts that they use.
    fn of(desired: &'a Desired, args: &Args) -> Result<Self, Failure> {
        let no_account = |name: &&String| {
            !desired
                .accounts
                .keys()
                .any(|known| known.as_str() == name.as_str())
        };
        if let Some(name) = args.account.iter().find(no_account) {
            return Err(Failure::usage(format!(
                "--account: the configuration has no account `{}`",
                name.escape_debug()
            )));
        }
        let no_organization = |name: &&String| {
            !desired
                .organizations
                .iter()
                .any(|one| one.handle.as_str() == name.as_str())
        };
        if let Some(name) = args.organization.iter().find(no_organization) {
            return Err(Failure::usage(format!(
                "--organization: the configuration has no organization `{}`",
                name.escape_debug()
            )));
        }
        let named =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|one| one == name);
        let organizations: Vec<&Organization> = desired
            .organizations
            .iter()
            .filter(|one| {
                named(&args.account, one.scope.account.as_str())
                    && named(&args.organization, one.handle.as_str())
            })
            .collect();
        let mut used: BTreeSet<&AccountName> =
            organizations.iter().map(|one| &one.scope.account).collect();
        let given = desired.accounts.keys();
        used.extend(given.filter(|name| args.account.iter().any(|one| one == name.as_str())));
        if used.is_empty() {
            used.extend(desired.accounts.keys());
        }
        let accounts = desired
            .accounts
            .iter()
            .filter(|(name, _)| used.contains(name))
            .map(|(name, account)| (name.clone(), account.clone()))
            .collect();
        Ok(Self {
            accounts,
            organizations,
        })
    }
}

/// Every URL that is declared or recorded.
fn taken<'a>(
    desired: &'a Desired,
    recorded: Option<&'a Recorded>,
) -> impl Iterator<Item = &'a CallbackUrl> {
    let declared = desired.organizations.iter().flat_map(|one| {
        let callbacks = one.callbacks.iter().map(|callback| &callback.url);
        callbacks.chain(&one.absent)
    });
    let recorded = recorded.into_iter().flat_map(Recorded::iter);
    declared.chain(recorded.map(|(_, url, _)| url))
}

/// A probe that hits nothing.
fn probe(desired: &Desired, recorded: Option<&Recorded>) -> Result<Probe, Failure> {
    let probe = Probe::new(random()?);
    if probe.is_free(taken(desired, recorded)) {
        return Ok(probe);
    }
    // 128 random bits are in a URL already only if they are not random.
    Err(Failure::error(
        "the random part of the probe's URL is in a declared or recorded URL; nothing was called",
    ))
}

async fn examine(
    settings: &Settings,
    args: &Args,
    desired: &Desired,
    recorded: Option<&Recorded>,
    chosen: &Chosen<'_>,
) -> Result<Vec<Check>, Failure> {
    let rate = args.rate;
    let inspection = Inspection::open(settings, desired, &chosen.accounts, rate).await?;
    let found = network::look(&inspection, desired.environment, &settings.environment).await;
    let mut checks = connection(&found);
    let no_way = checks.iter().find(|check| check.finding.has_failed());
    let no_way = no_way.map(|check| check.name);
    let probing = Probing {
        probe: probe(desired, recorded)?,
        own: taken(desired, None).next(),
        all: args.all,
        rate,
    };
    let identities = identities(&inspection, no_way.is_some()).await;
    let each = inspection.lookups.iter().map(|(name, lookup)| {
        let identity = identities.get(name).cloned();
        let twin = identity
            .as_ref()
            .and_then(|own| twin(name, own, &identities));
        let organizations = chosen.organizations.iter();
        let own = organizations.filter(|one| one.scope.account == *name);
        let patient = Patient {
            name,
            account: chosen.accounts.get(name),
            organizations: own.copied().collect(),
            recorded: recorded.and_then(|recorded| recorded.accounts.get(name)),
            twin,
            identity: identity.unwrap_or(Identity::NotAsked("there are no credentials")),
        };
        let (inspection, probing) = (&inspection, &probing);
        async move { of_account(inspection, &patient, lookup, probing, no_way).await }
    });
    for of_account in join_all(each).await {
        checks.extend(of_account);
    }
    inspection.close().await;
    Ok(checks)
}

async fn of_account(
    inspection: &Inspection,
    patient: &Patient<'_>,
    lookup: &Lookup,
    probing: &Probing<'_>,
    no_way: Option<CheckName>,
) -> Vec<Check> {
    const REST: [CheckName; 3] = [
        CheckName::Account,
        CheckName::Enterprise,
        CheckName::Permission,
    ];
    let finding: Finding = credentials(lookup);
    let root = if finding.has_failed() {
        Some(CheckName::Credentials)
    } else {
        no_way
    };
    let mut checks = vec![Check {
        name: CheckName::Credentials,
        account: Some(patient.name.clone()),
        organization: None,
        finding,
    }];
    match root {
        Some(failed) => checks.extend(doctor::skipped_after(failed, &REST, Some(patient.name))),
        None => checks.extend(account::check(inspection, patient, probing).await),
    }
    checks
}

/// Whose credentials the accounts have, of those that have some.
async fn identities(inspection: &Inspection, no_way: bool) -> BTreeMap<AccountName, Identity> {
    if no_way {
        return BTreeMap::new();
    }
    let usable = inspection.lookups.iter();
    let usable = usable.filter(|(_, lookup)| matches!(lookup, Lookup::Found(_)));
    let asked =
        usable.map(|(name, _)| async move { (name.clone(), inspection.identity(name).await) });
    join_all(asked).await.into_iter().collect()
}

/// An account before this one that belongs to the same Tencent Cloud account.
fn twin<'a>(
    name: &AccountName,
    own: &Identity,
    all: &'a BTreeMap<AccountName, Identity>,
) -> Option<&'a AccountName> {
    let id = |identity: &Identity| -> Option<AccountId> {
        match identity {
            Identity::Asked(Ok(id)) => Some(id.clone()),
            Identity::Asked(Err(_)) | Identity::NotAsked(_) => None,
        }
    };
    let own = id(own)?;
    let mut before = all.iter().take_while(|(other, _)| *other != name);
    let same = before.find(|(_, other)| id(other).as_ref() == Some(&own));
    same.map(|(other, _)| other)
}
