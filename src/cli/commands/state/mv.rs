//! `state mv`: records callbacks under another declared organization or account.

use std::sync::Arc;

use super::find::{Found, find};
use super::open;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::cli::workspace::edit::edit;
use crate::model::{Address, Entry, Identity, Organization, Recorded, Sighting, masked};
use crate::render::Clean;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recorded address.
    #[arg(value_name = "FROM")]
    from: String,
    /// A handle of the configuration, or a full address with the same URL.
    #[arg(value_name = "TO")]
    to: String,
    #[command(flatten)]
    lock: Lock,
}

pub(super) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args { from, to, lock } = args;
    let locations = settings.locations()?;
    let recorded = locations.recorded().await?;
    let found = find(&recorded, std::slice::from_ref(from))?;
    let (_, parsed) = sources::parse(&locations.config, &locations.given)?;
    let (handle, url) = to
        .split_once('/')
        .map_or((to.as_str(), None), |(handle, url)| (handle, Some(url)));
    let mut organizations = parsed.desired.organizations.iter();
    let Some(organization) = organizations.find(|one| one.handle.as_str() == handle) else {
        return Err(
            Failure::error(format!("the configuration has no organization `{handle}`"))
                .advice("Declare it first: mv records a callback under a declared organization."),
        );
    };
    if let Some(other) = found.iter().find(|found| {
        let same = |url| url == found.address.url.as_str() || url == found.address.url.shown();
        url.is_some_and(|url| !same(url))
    }) {
        let message = format!(
            "mv can't change a URL: `{}` and `{}` differ",
            other.address.url,
            masked(to)
        );
        return Err(Failure::usage(message)
            .advice("eSign can't rename a callback. Declare the new URL; plan then adds it and deletes the old one."));
    }
    let found = not_in_place(found, organization, ui);
    if found.is_empty() {
        return Ok(Exit::Done);
    }
    edit(settings, recorded.environment, *lock, ui, |recorded| {
        relocate(recorded, &found, organization).map(|()| true)
    })
    .await?;
    for Found { address, .. } in &found {
        let to = Address {
            handle: organization.handle.clone(),
            url: address.url.clone(),
        };
        ui.say(format_args!("Moved {} to {}", Clean(address), Clean(to)));
    }
    Ok(Exit::Done)
}

/// Those that are recorded elsewhere; the others are reported as unchanged.
fn not_in_place(found: Vec<Found>, organization: &Organization, ui: &mut Ui) -> Vec<Found> {
    let is_in_place = |found: &Found| {
        *found.identity.scope == *organization.scope && found.address.handle == organization.handle
    };
    let (in_place, elsewhere) = found.into_iter().partition::<Vec<_>, _>(is_in_place);
    for Found { address, .. } in in_place {
        ui.say(format_args!(
            "Unchanged: {} is recorded there already",
            Clean(address)
        ));
    }
    elsewhere
}

/// Records these callbacks under `organization`: all of them, or none if one can't be.
fn relocate(
    recorded: &mut Recorded,
    found: &[Found],
    organization: &Organization,
) -> Result<(), Failure> {
    let elsewhere = |one: &&Found| *one.identity.scope != *organization.scope;
    open::check(recorded, found.iter().filter(elsewhere))?;
    let moved = found
        .iter()
        .map(|one| Ok((&one.identity, moved(recorded, &one.identity, organization)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    for (identity, entry) in moved {
        recorded.remove(&identity.scope, &identity.url);
        let of = recorded.twins.remove(identity);
        let identity = Identity {
            scope: Arc::clone(&organization.scope),
            url: identity.url.clone(),
        };
        recorded.insert(identity.clone(), entry);
        recorded.twins.extend(of.map(|of| (identity, of)));
    }
    Ok(())
}

/// The entry in its new place, which must be free.
///
/// What was confirmed was confirmed in the old scope. In another one it is only assumed, until a call there
/// confirms it.
fn moved(
    recorded: &Recorded,
    identity: &Identity,
    organization: &Organization,
) -> Result<Entry, Failure> {
    let Organization { handle, scope, .. } = organization;
    let entry = recorded.get(&identity.scope, &identity.url);
    let entry = entry
        .ok_or_else(|| Failure::error("the state changed meanwhile; run the command again"))?;
    let mut moved = Entry {
        handle: handle.clone(),
        ..entry.clone()
    };
    if *identity.scope != **scope {
        if recorded.get(scope, &identity.url).is_some() {
            let message = format!("`{handle}/{}` is recorded already", identity.url);
            return Err(
                Failure::error(message).advice("Forget one of the two with `state rm` first.")
            );
        }
        moved.belief = moved.belief.elsewhere();
        moved.traces = None;
        moved.proof = None;
        moved.sighting = Sighting::default();
    }
    Ok(moved)
}
