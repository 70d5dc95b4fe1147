//! `state list|show|rm|mv`: looks at the state, or repairs it. None of them makes a call. `pull` and
//! `push` are in `transfer`.

mod transfer;

use std::path::PathBuf;
use std::sync::Arc;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::global::Global;
use crate::cli::options::lock::Lock;
use crate::cli::options::switch;
use crate::cli::terminal::Ui;
use crate::cli::workspace::locations::Locations;
use crate::cli::workspace::lock::lock;
use crate::cli::workspace::sources;
use crate::model::{
    Address, CallbackUrl, Entry, Handle, Identity, Organization, Recorded, Scope, masked,
};
use crate::plan::Pattern;
use crate::render::{self, counted};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    /// List what is recorded, one address per line.
    List {
        /// Only these; * stands for any text.
        #[arg(value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
    /// Show all that is recorded of some callbacks.
    Show {
        /// Which; * stands for any text.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
    },
    /// Forget callbacks. They stay at eSign; nothing is called.
    Rm {
        /// Which; * stands for any text.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
        /// Only say what would be forgotten.
        #[arg(long, env = "ESS_CALLBACKS_DRY_RUN", value_parser = switch::parse)]
        dry_run: bool,
        #[command(flatten)]
        lock: Lock,
    },
    /// Record a callback under another organization of the configuration, or under another account.
    Mv {
        /// The recorded address.
        #[arg(value_name = "FROM")]
        from: String,
        /// The organization's handle in the configuration, or a full address with the same URL.
        #[arg(value_name = "TO")]
        to: String,
        #[command(flatten)]
        lock: Lock,
    },
    /// Print the whole state, with what only the journal knows.
    Pull,
    /// Put a state file in the place of the state. It must be of the same lineage, and not older.
    Push {
        /// What `state pull` has printed; - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        lock: Lock,
    },
}

pub(crate) async fn run(global: &Global, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = Locations::of(global)?;
    let recorded = async || locations.recorded().await;
    match args {
        Args::List { addresses } => list(&recorded().await?, &addresses, ui),
        Args::Show { addresses } => show(&recorded().await?, &addresses, ui),
        Args::Rm {
            addresses,
            dry_run,
            lock,
        } => {
            let patience = (!dry_run).then_some(lock);
            remove(&locations, &recorded().await?, &addresses, patience, ui).await
        }
        Args::Mv { from, to, lock } => {
            rename(&locations, &recorded().await?, (&from, &to), lock, ui).await
        }
        Args::Pull => transfer::pull(&locations, ui).await,
        Args::Push { file, lock } => transfer::push(&locations, &file, lock, ui).await,
    }
}

/// A recorded callback, found by its address.
struct Found {
    identity: Identity,
    address: Address,
}

/// What the patterns name; each must name something.
fn find(recorded: &Recorded, texts: &[String]) -> Result<Vec<Found>, Failure> {
    let patterns = texts
        .iter()
        .map(|text| Pattern::parse(text).map_err(|error| Failure::usage(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut used = vec![false; patterns.len()];
    let mut found = Vec::new();
    for (scope, url, entry) in recorded.by_handle() {
        let address = Address {
            handle: entry.handle.clone(),
            url: url.clone(),
        };
        let mut wanted = patterns.is_empty();
        for (pattern, used) in patterns.iter().zip(&mut used) {
            let matches = pattern.matches(&address);
            *used |= matches;
            wanted |= matches;
        }
        if wanted {
            found.push(Found {
                identity: Identity {
                    scope: Arc::clone(scope),
                    url: url.clone(),
                },
                address,
            });
        }
    }
    match used.iter().position(|used| !used) {
        Some(at) => Err(Failure::error(format!(
            "no recorded callback is called `{}`",
            patterns[at]
        ))
        .advice("`ess-callbacks state list` shows them all.")),
        None => Ok(found),
    }
}

fn list(recorded: &Recorded, addresses: &[String], ui: &mut Ui) -> Result<Exit, Failure> {
    for Found { identity, address } in find(recorded, addresses)? {
        if ui.json() {
            print_json(recorded, &identity, ui);
        } else {
            ui.print(format_args!("{}\n", render::Clean(address)));
        }
    }
    Ok(Exit::Done)
}

fn show(recorded: &Recorded, addresses: &[String], ui: &mut Ui) -> Result<Exit, Failure> {
    for (
        position,
        Found {
            identity,
            address: _,
        },
    ) in find(recorded, addresses)?.into_iter().enumerate()
    {
        if ui.json() {
            print_json(recorded, &identity, ui);
            continue;
        }
        let Some(entry) = recorded.get(&identity.scope, &identity.url) else {
            continue;
        };
        let style = ui.style(20);
        let gap = if position > 0 { "\n" } else { "" };
        ui.print(format_args!("{gap}"));
        ui.stream(|out| render::entry_text(&identity.scope, &identity.url, entry, &style, out));
    }
    Ok(Exit::Done)
}

fn print_json(recorded: &Recorded, identity: &Identity, ui: &mut Ui) {
    if let Some(entry) = recorded.get(&identity.scope, &identity.url) {
        ui.print(format_args!(
            "{}\n",
            render::entry_json(&identity.scope, &identity.url, entry)
        ));
    }
}

/// Without a `patience` for the lock it only says what it would do.
async fn remove(
    locations: &Locations,
    recorded: &Recorded,
    addresses: &[String],
    patience: Option<Lock>,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let found = find(recorded, addresses)?;
    let would = if patience.is_none() {
        "Would forget"
    } else {
        "Forgot"
    };
    if let Some(Lock { lock_timeout }) = patience {
        let state = lock(locations, recorded.environment, lock_timeout, ui).await?;
        if let Err(failure) = state.read(|recorded| still_on_the_way(recorded, &found)) {
            state.release().await?;
            return Err(failure);
        }
        state.edit(|recorded| {
            let gone = found.iter().filter(|Found { identity, .. }| {
                recorded.remove(&identity.scope, &identity.url).is_some()
            });
            gone.count() > 0
        });
        state.save().await?;
        state.release().await?;
    } else {
        still_on_the_way(recorded, &found)?;
    }
    for Found {
        identity: _,
        address,
    } in &found
    {
        ui.say(format_args!("{would} {}", render::Clean(address)));
    }
    ui.note(format_args!(
        "{would} {}. Nothing was called: what eSign has, it still has.",
        counted(found.len(), "callback", "callbacks")
    ));
    Ok(Exit::Done)
}

fn still_on_the_way<'a>(
    recorded: &Recorded,
    found: impl IntoIterator<Item = &'a Found>,
) -> Result<(), Failure> {
    none_on_the_way(found.into_iter().filter_map(|Found { identity, address }| {
        let entry = recorded.get(&identity.scope, &identity.url)?;
        Some((address.clone(), entry))
    }))
}

/// What forgets a call forgets its fence too: a later call for the callback would not wait for one that
/// may still arrive and undo it.
pub(crate) fn none_on_the_way<'a>(
    forgotten: impl Iterator<Item = (Address, &'a Entry)>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    let calls = forgotten.filter_map(|(address, entry)| {
        let pending = entry.pending.map(|pending| pending.call);
        let until = entry.lost.into_iter().chain(pending);
        let until = until.filter_map(|call| call.may_arrive_until(now)).max()?;
        Some((address, until))
    });
    let Some((address, until)) = calls.max_by_key(|(_, until)| *until) else {
        return Ok(());
    };
    let message = format!(
        "an earlier call for {} got no answer and may still arrive until {} {} UTC; nothing was changed",
        render::Clean(address),
        until.utc_date(),
        until.clock_time()
    );
    Err(Failure::error(message).advice(
        "Wait until then, or run apply if it is planned: that settles what is open. Forgotten now, the call could \
         undo a later one.",
    ))
}

async fn rename(
    locations: &Locations,
    recorded: &Recorded,
    (from, to): (&str, &str),
    Lock { lock_timeout }: Lock,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let found = find(recorded, &[from.to_owned()])?;
    let (_, parsed) = sources::parse(&locations.config, &locations.given)?;
    let (handle, url) = to
        .split_once('/')
        .map_or((to, None), |(handle, url)| (handle, Some(url)));
    let organizations = &parsed.desired.organizations;
    let Some(organization) = organizations
        .iter()
        .find(|organization| organization.handle.as_str() == handle)
    else {
        return Err(Failure::error(format!(
            "the configuration has no organization called `{handle}`"
        ))
        .advice(
            "mv records a callback under an organization that is declared; declare it first.",
        ));
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
    let state = lock(locations, recorded.environment, lock_timeout, ui).await?;
    let moved = state.read(|recorded| {
        let elsewhere = |one: &&Found| *one.identity.scope != *organization.scope;
        still_on_the_way(recorded, found.iter().filter(elsewhere))?;
        found
            .iter()
            .map(|Found { identity, .. }| {
                relocate(
                    recorded,
                    identity,
                    &organization.scope,
                    &organization.handle,
                )
            })
            .collect::<Result<Vec<_>, _>>()
    });
    let moved = match moved {
        Ok(moved) => moved,
        Err(failure) => {
            state.release().await?;
            return Err(failure);
        }
    };
    state.edit(|recorded| {
        for (identity, url, entry) in moved {
            recorded.remove(&identity.scope, &url);
            recorded.insert(
                Identity {
                    scope: Arc::clone(&organization.scope),
                    url,
                },
                entry,
            );
        }
        true
    });
    state.save().await?;
    state.release().await?;
    for Found {
        identity: _,
        address,
    } in &found
    {
        let to = Address {
            handle: organization.handle.clone(),
            url: address.url.clone(),
        };
        ui.say(format_args!(
            "Moved {} to {}",
            render::Clean(address),
            render::Clean(to)
        ));
    }
    Ok(Exit::Done)
}

/// Those that are recorded elsewhere; of the others it is said that nothing changes.
fn not_in_place(found: Vec<Found>, organization: &Organization, ui: &mut Ui) -> Vec<Found> {
    let is_in_place = |found: &Found| {
        *found.identity.scope == *organization.scope && found.address.handle == organization.handle
    };
    let (in_place, elsewhere) = found.into_iter().partition::<Vec<_>, _>(is_in_place);
    for Found {
        identity: _,
        address,
    } in in_place
    {
        ui.say(format_args!(
            "Unchanged: {} is recorded there already",
            render::Clean(address)
        ));
    }
    elsewhere
}

/// The entry as it is to be recorded in its new place, which must be free.
///
/// What was proven of it was proven in the old scope. In another one it is only assumed, until a call
/// there says more.
fn relocate<'a>(
    recorded: &Recorded,
    identity: &'a Identity,
    scope: &Scope,
    handle: &Handle,
) -> Result<(&'a Identity, CallbackUrl, Entry), Failure> {
    let entry = recorded.get(&identity.scope, &identity.url);
    let entry = entry
        .ok_or_else(|| Failure::error("the state changed meanwhile; run the command again"))?;
    let mut moved = Entry {
        handle: handle.clone(),
        ..entry.clone()
    };
    if *identity.scope != *scope {
        if recorded.get(scope, &identity.url).is_some() {
            let message = format!("`{handle}/{}` is recorded already", identity.url);
            return Err(
                Failure::error(message).advice("Forget one of the two with `state rm` first.")
            );
        }
        moved.belief = moved.belief.elsewhere();
        moved.proof = None;
    }
    Ok((identity, identity.url.clone(), moved))
}
