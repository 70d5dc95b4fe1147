//! `observe`: reads receipts of eSign's messages, and records what they prove. Makes no call.

mod input;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::lock::Lock;
use crate::cli::options::secret_commands::Commands;
use crate::cli::options::{duration, switch};
use crate::cli::secrets::given;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::edit::locked;
use crate::cli::workspace::{Loaded, Resolve, check_aim};
use crate::config::SecretRole;
use crate::model::{
    Address, Callback, CallbackUrl, Fingerprints, Organization, Recorded, Salt, SecretIndex,
    Timestamp,
};
use crate::observe::{Declared, Known, Lessons, Observed, Observer, OlderKey, learn};
use crate::receiver::Secrets;
use crate::render;
use crate::secret::Fingerprinter;
use crate::state::Locked;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of receipts, also compressed with gzip, or `-` for standard input: one file for each receiver, and those that
    /// it was rotated to.
    #[arg(value_name = "RECEIPTS", required = true)]
    receipts: Vec<PathBuf>,
    /// Where an older callback key is: `env:NAME` or `file:PATH`. Messages that it opens are told apart. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_KEY_FROM",
        value_name = "REFERENCE",
        value_delimiter = ' '
    )]
    #[arg(hide_env_values = true)]
    key_from: Vec<String>,
    /// How long a message may take to reach all URLs of an application, such as 6h.
    #[arg(long, env = "ESS_CALLBACKS_GRACE", value_name = "DURATION", value_parser = grace)]
    #[arg(default_value = "6h")]
    grace: Duration,
    /// Print what the receipts prove, and do not record it.
    #[arg(long, env = "ESS_CALLBACKS_NO_RECORD", value_parser = switch::parse)]
    no_record: bool,
    #[command(flatten)]
    commands: Commands,
    #[command(flatten)]
    lock: Lock,
}

/// A quarter of an hour to a week.
pub(in crate::cli) fn grace(text: &str) -> Result<Duration, String> {
    let grace = duration::parse(text)?;
    if (900..=7 * 86_400).contains(&grace.as_secs()) {
        Ok(grace)
    } else {
        Err("it must be at least 15m and at most 7d".to_owned())
    }
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let older = older_keys(&args.key_from, ui)?;
    if args.receipts.iter().any(|path| path == Path::new("-")) && io::stdin().is_terminal() {
        ui.note(format_args!(
            "Reading receipts from this terminal, a line each; Ctrl-D ends them."
        ));
    }
    let files = input::open(&args.receipts)?;
    let resolve = Resolve {
        commands: args.commands,
        only: Vec::new(),
    };
    let (loaded, recorded) = Loaded::read_with_state(locations, Some(resolve), ui).await?;
    let declared = declared(&loaded, &recorded);
    if declared.is_empty() {
        return Err(
            Failure::error("the configuration declares no callback that is enabled")
                .advice("Receipts are checked with the keys and tokens of declared callbacks."),
        );
    }
    let grace = i64::try_from(args.grace.as_secs()).unwrap_or(i64::MAX);
    let known = known(&loaded, &declared, &recorded);
    let mut observer = Observer::new(&declared, &older, known, grace);
    input::read(files, &mut observer, SystemClock.now())?;
    let observed = observer.observed();
    if observed.receipts == 0 && observed.unreadable > 0 {
        let lines = render::counted(
            usize::try_from(observed.unreadable).unwrap_or(usize::MAX),
            "line is",
            "lines are",
        );
        let message = format!("none of the {lines} a receipt");
        return Err(Failure::error(message).advice(
            "A receipt is a line of JSON with `received_at`, `url`, `body` and `content_signature`: see docs/receivers.md.",
        ));
    }
    let environment = loaded.desired.environment;
    let lessons = if args.no_record {
        None
    } else {
        let recorded = locked(settings, environment, args.lock, ui, async |state| {
            record(&loaded, (&declared, &older), &observed, state).await
        });
        match recorded.await {
            Ok(lessons) => Some(lessons),
            Err(failure) => {
                // What was read is worth something without the record.
                print(&observed, None, ui);
                return Err(failure);
            }
        }
    };
    print(&observed, lessons.as_ref(), ui);
    Ok(if observed.is_drift() {
        Exit::Unverified
    } else {
        Exit::Done
    })
}

fn older_keys(named: &[String], ui: &mut Ui) -> Result<Vec<OlderKey>, Failure> {
    let mut keys = Vec::new();
    for name in named {
        let flag = "--key-from";
        let (key, warnings) = given(flag, SecretRole::Key, name)?;
        for problem in warnings {
            ui.warn(format_args!("Warning: {flag}: {problem}"));
        }
        let name = Arc::from(name.as_str());
        keys.push(OlderKey { name, key });
    }
    Ok(keys)
}

/// The declared callbacks that are enabled, with their secrets.
pub(in crate::cli) fn declared(loaded: &Loaded, recorded: &Recorded) -> Vec<Declared> {
    let known = loaded.values.as_ref().map(|values| &values.known);
    let value = |index: Option<SecretIndex>| match index {
        // Perhaps it could not be read.
        Some(index) => known.and_then(|known| known.get(&index).cloned()).map(Some),
        None => Some(None),
    };
    let is_active = |(organization, callback, _): &(&Organization, &Callback, Address)| {
        !organization.suspend && callback.enabled
    };
    let all = loaded.chosen(&[]).unwrap_or_default().into_iter();
    let declared = all
        .filter(is_active)
        .filter_map(|(organization, callback, address)| {
            let there_since = match recorded.get(&organization.scope, &callback.url) {
                // It may have been there before.
                None => Some(Timestamp(i64::MIN)),
                Some(entry) if entry.belief.may_be_absent() || entry.lost.is_some() => None,
                Some(entry) => Some(entry.answered_at().unwrap_or(Timestamp(i64::MIN))),
            };
            Some(Declared {
                address,
                scope: Arc::clone(&organization.scope),
                // Keys were checked where they were read.
                secrets: Secrets::new(value(callback.key)?, value(callback.token)?).ok()?,
                there_since,
            })
        });
    declared.collect()
}

/// The URLs that are recorded or declared, and have no secrets here.
pub(in crate::cli) fn known(
    loaded: &Loaded,
    declared: &[Declared],
    recorded: &Recorded,
) -> BTreeMap<CallbackUrl, Known> {
    let mut known: BTreeMap<_, _> = recorded
        .iter()
        .filter(|(_, _, entry)| entry.belief.presumed().is_some())
        .map(|(_, url, _)| (url.clone(), Known::Leaving))
        .collect();
    for organization in &loaded.desired.organizations {
        for callback in &organization.callbacks {
            known.insert(callback.url.clone(), Known::Idle);
        }
    }
    for callback in declared {
        known.remove(&callback.address.url);
    }
    known
}

/// The fingerprints by which secrets of a declared callback are recorded.
pub(in crate::cli) fn fingerprints<'a>(
    salt: Salt,
    declared: &'a [Declared],
    older: &'a [OlderKey],
) -> impl Fn(usize, Option<usize>) -> Fingerprints + use<'a> {
    let fingerprinter = Fingerprinter::new(salt);
    move |callback, number| {
        let secrets = &declared[callback].secrets;
        let key = number.and_then(|number| older.get(number));
        let key = key.map_or(secrets.key(), |older| Some(&older.key));
        fingerprinter.fingerprints(key, secrets.token())
    }
}

/// Records what the receipts prove.
async fn record(
    loaded: &Loaded,
    (declared, older): (&[Declared], &[OlderKey]),
    observed: &Observed,
    state: &Locked,
) -> Result<Lessons, Failure> {
    state.read(|recorded| check_aim(recorded, &loaded.destination))?;
    // Without a salt nothing is recorded yet, and no fingerprint is needed.
    let salt = state.read(|recorded| recorded.salt);
    let secrets = fingerprints(salt.unwrap_or(Salt([0; 16])), declared, older);
    let mut after = state.read(Clone::clone);
    let lessons = learn(&mut after, declared, observed, secrets);
    if !lessons.is_empty() {
        state.edit(|recorded| {
            recorded.scopes = after.scopes;
            true
        });
        state.save().await?;
    }
    Ok(lessons)
}

fn print(observed: &Observed, lessons: Option<&Lessons>, ui: &mut Ui) {
    if ui.json() {
        ui.bytes(|out| render::observed_json(observed, out));
        ui.flush();
        return;
    }
    let style = ui.style(0);
    ui.stream(|out| render::observed_text(observed, &style, out));
    let summary = render::observed_summary(observed, lessons);
    ui.say(format_args!("{summary}"));
    ui.flush();
}
