//! `import`: records declared callbacks that eSign already has, as assumed. Makes no call.

use std::sync::Arc;

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::options::secret_commands::Commands;
use crate::cli::options::switch;
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::edit::locked;
use crate::cli::workspace::lock::report_new;
use crate::cli::workspace::{Loaded, Resolve, check_aim};
use crate::model::{Address, Belief, Entry, Identity, Lineage, Presence, Recorded, Salt};
use crate::plan::{FingerprintTable, Pattern};
use crate::render::counted;
use crate::state::Locked;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Declared callbacks that eSign already has: HANDLE or HANDLE/URL, where * matches any text.
    #[arg(value_name = "ADDRESS", required_unless_present = "all")]
    addresses: Vec<String>,
    /// Import every declared callback that is not recorded, or is recorded as absent.
    #[arg(long, env = "ESS_CALLBACKS_ALL", value_parser = switch::parse, conflicts_with = "addresses")]
    all: bool,
    #[command(flatten)]
    commands: Commands,
    #[command(flatten)]
    lock: Lock,
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let texts = if args.all {
        vec!["*/*".to_owned()]
    } else {
        args.addresses
    };
    let patterns = texts
        .iter()
        .map(|text| Pattern::parse(text).map_err(|error| Failure::usage(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let resolve = Resolve {
        commands: args.commands,
        only: patterns.clone(),
    };
    let loaded = Loaded::read(locations, Some(resolve), ui).await?;
    let undeclared = patterns
        .iter()
        .find(|pattern| !loaded.addresses().any(|address| pattern.matches(&address)));
    if let Some(pattern) = undeclared.filter(|_| !args.all) {
        return Err(
            Failure::error(format!("no declared callback matches `{pattern}`")).advice(
                "Declare it in the configuration first: import records declared callbacks.",
            ),
        );
    }
    let environment = loaded.desired.environment;
    let (tally, before) = locked(settings, environment, args.lock, ui, async |state| {
        let before = state.read(|recorded| recorded.lineage);
        Ok((record(&loaded, &patterns, state).await?, before))
    })
    .await?;
    report_new(&locations.state, before, ui);
    let Tally {
        imported,
        absent,
        known,
        open: _,
    } = tally;
    let absent = match absent {
        0 => String::new(),
        absent => format!(
            " {} recorded as absent before.",
            counted(absent, "was", "were")
        ),
    };
    let known = match known {
        0 => String::new(),
        known => format!(" {} recorded already.", counted(known, "was", "were")),
    };
    ui.say(format_args!(
        "Import complete! Recorded {} as assumed, without a call.{absent}{known}",
        counted(imported, "callback", "callbacks")
    ));
    if imported > 0 {
        ui.note(format_args!(
            "eSign can't be asked whether it has them, or with which key and token. `apply --replace ADDRESS` confirms \
             both, with a gap of about one round trip."
        ));
    }
    Ok(Exit::Done)
}

/// Records the declared callbacks that a pattern matches and that are not recorded as present.
async fn record(loaded: &Loaded, patterns: &[Pattern], state: &Locked) -> Result<Tally, Failure> {
    state.read(|recorded| check_aim(recorded, &loaded.destination))?;
    let salt = state
        .read(|recorded| recorded.salt)
        .map_or_else(|| random().map(Salt), Ok)?;
    let table = loaded.fingerprints(salt).unwrap_or_default();
    let chosen = |address: &Address| patterns.iter().any(|pattern| pattern.matches(address));
    let mut tally = Tally::default();
    let new = state.read(|recorded| news(loaded, recorded, &table, &chosen, &mut tally));
    if let Some(address) = &tally.open {
        return Err(Failure::error(format!(
            "can't import `{address}`: an earlier call for it got no answer, so it is unknown whether eSign has it; \
             nothing was recorded"
        ))
        .advice("Run apply first, which settles that call. Then import what is still missing."));
    }
    if !new.is_empty() {
        let lineage = Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid());
        state.aim(&loaded.destination);
        state.initialize(lineage, salt).await?;
        state.edit(|recorded| {
            for (identity, entry) in new {
                recorded.insert(identity, entry);
            }
            true
        });
        state.save().await?;
    }
    Ok(tally)
}

/// The numbers of an import.
#[derive(Default)]
struct Tally {
    /// Recorded as assumed by this import.
    imported: usize,
    /// Those of them that were recorded as absent before.
    absent: usize,
    /// Recorded already, and unchanged.
    known: usize,
    /// The first callback with a call of unknown outcome.
    open: Option<Address>,
}

fn news(
    loaded: &Loaded,
    recorded: &Recorded,
    table: &FingerprintTable,
    chosen: &dyn Fn(&Address) -> bool,
    tally: &mut Tally,
) -> Vec<(Identity, Entry)> {
    let mut new = Vec::new();
    // The secrets of suspended organizations and disabled callbacks are not resolved, so they have no fingerprints.
    let organizations = loaded
        .desired
        .organizations
        .iter()
        .filter(|organization| !organization.suspend);
    for organization in organizations {
        for callback in organization
            .callbacks
            .iter()
            .filter(|callback| callback.enabled)
        {
            let address = Address {
                handle: organization.handle.clone(),
                url: callback.url.clone(),
            };
            if !chosen(&address) {
                continue;
            }
            if let Some(entry) = recorded.get(&organization.scope, &callback.url) {
                match (
                    entry.belief.presence(),
                    entry.lost.is_some() || entry.pending.is_some(),
                ) {
                    (Presence::Present, _) => {
                        tally.known += 1;
                        continue;
                    }
                    // A call that may still arrive could make the record wrong.
                    (Presence::Absent | Presence::Unknown, true) => {
                        tally.open.get_or_insert(address);
                        continue;
                    }
                    (Presence::Absent, false) => tally.absent += 1,
                    (Presence::Unknown, false) => {}
                }
            }
            tally.imported += 1;
            let fingerprints = table
                .get(&(callback.key, callback.token))
                .copied()
                .unwrap_or_default();
            let entry = Entry {
                belief: Belief::assumed(fingerprints),
                ..Entry::untouched(
                    organization.handle.clone(),
                    organization.operator.clone(),
                    callback.protect,
                )
            };
            new.push((
                Identity {
                    scope: Arc::clone(&organization.scope),
                    url: callback.url.clone(),
                },
                entry,
            ));
        }
    }
    new
}
