//! `rotate`: another key or token for declared callbacks, without a lost message.
//!
//! Two runs: the first adds the twins, the second replaces the callbacks and deletes the twins. Each makes its plan
//! from the record under its own lock ([`plan::rotate`](crate::plan::rotate)), so that a rotation that was ended
//! between any two calls goes on in the next one.

mod args;
mod caller;
mod twins;

pub(crate) use args::Args;

use crate::apply::Lanes;
use crate::cli::clock::SystemClock;
use crate::cli::commands::apply::ended::{conclude, exit_of, interrupted, refusal, unsaved};
use crate::cli::commands::apply::metrics::Told;
use crate::cli::commands::apply::{begin, finish};
use crate::cli::exit::{Exit, Failure};
use crate::cli::process::{owner, signals};
use crate::cli::remote::cloudaudit;
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::refused;
use crate::cli::workspace::{Loaded, Resolve, elsewhere, lock};
use crate::model::{NotAttempted, Report, Tally};
use crate::plan::Pattern;
use crate::render;
use crate::run::{self, Ended, Refusal, Request};
use crate::state::Store;
use caller::Rotator;

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    begin(&args.outputs, settings.locations()?, None, ui)?;
    let mut told = Told::begin();
    let ended = prepared(settings, &args, &mut told, ui).await;
    finish(&args.outputs, told, &ended, ui);
    ended
}

async fn prepared(
    settings: &Settings,
    args: &Args,
    told: &mut Told,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    if !args.auto_approve && !ui.interactive() {
        let message = "rotate asks before the first call, but there is no terminal";
        return Err(Failure::usage(message).advice("Give --auto-approve."));
    }
    let patterns = args
        .addresses
        .iter()
        .map(|text| Pattern::parse(text).map_err(|error| Failure::usage(error.to_string())));
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    let locations = settings.locations()?;
    let resolve = Resolve {
        commands: args.commands,
        only: patterns.clone(),
    };
    let loaded = Loaded::read(locations, Some(resolve), ui).await?;
    told.environment = Some(loaded.desired.environment);
    if args.experimental_cloudaudit {
        let environment = loaded.desired.environment;
        cloudaudit::check("--experimental-cloudaudit", environment, locations)?;
    }
    let twins = twins::twins(&loaded, &patterns, args, ui)?;
    let owner = owner::this_process(&settings.command)?;
    let store = lock::store(locations, ui)?;
    let stop = signals::listen(ui.open_changes());
    let request = Request {
        environment: loaded.desired.environment,
        destination: &loaded.destination,
        owner: &owner,
        lock_timeout: args.calling.lock_timeout.unwrap_or_default(),
        expected_digest: None,
        rate: args.calling.limit()?,
        wall: &SystemClock,
        stop: &stop,
    };
    let place = (locations, store.lease());
    let mut rotator = Rotator::new(settings, place, args, (&loaded, twins), (told, ui));
    let folder = sources::folder(&locations.config);
    let ended = rotate(&store, &request, &folder, &mut rotator).await;
    rotator.disconnect().await;
    ended
}

/// Makes both runs, and prints how they ended.
async fn rotate(
    store: &Store,
    request: &Request<'_, SystemClock>,
    folder: &std::path::Path,
    rotator: &mut Rotator<'_>,
) -> Result<Exit, Failure> {
    let mut lanes = Lanes::default();
    let mut report = None;
    let (mut second, mut made) = (false, false);
    let ended = loop {
        let stop = match run::run(store, request, &mut lanes, rotator).await {
            Ok(Ended::Called {
                plan: _,
                report: now,
                saved,
            }) => {
                let over = now.interrupted || now.journal_error.is_some();
                let whole = report.take().unwrap_or_else(Report::default).then(now);
                let exit = exit_of(&whole);
                made = second;
                let last = second || over || saved.is_err() || !rotator.go_on(&whole);
                report = Some(whole);
                match saved {
                    Err(error) => Some(Err(unsaved(*error, folder))),
                    Ok(()) => last.then_some(Ok(exit)),
                }
            }
            Ok(Ended::NothingToCall(_)) => {
                made = second;
                Some(Ok(report.as_ref().map_or(Exit::Done, exit_of)))
            }
            Ok(Ended::Interrupted) => Some(match &mut report {
                // The second run made no call.
                Some(report) => {
                    report.interrupted = true;
                    Ok(Exit::Interrupted)
                }
                None => Err(interrupted()),
            }),
            Ok(Ended::Elsewhere(there)) => Some(Err(elsewhere(&there, request.destination))),
            Ok(Ended::Refused(_, Refusal::NotApproved)) => Some(Err(Failure::error(
                "rotate was not approved; nothing was called",
            ))),
            Ok(Ended::Refused(plan, why)) => Some(
                refusal(&plan, why, request.destination, None)
                    .map_or_else(|| Ok(refused(&plan, rotator.ui)), Err),
            ),
            Err(failure) => Some(Err(failure)),
        };
        if let Some(ended) = stop {
            break ended;
        }
        second = true;
    };
    let Some(mut report) = report else {
        if ended.is_ok() {
            rotator.told.made(Report::default());
        }
        return ended;
    };
    // What the second run would have done.
    if report.interrupted && !made {
        rotator.leave_out(&mut report, &NotAttempted::Interrupted);
    } else if second && !made && matches!(ended, Err(_) | Ok(Exit::Guarded)) {
        rotator.leave_out(&mut report, &NotAttempted::Refused);
    }
    rotator.told.made(report.clone());
    conclude(&report, render::Again::Rotate, rotator.ui);
    let (complete, of) = rotator.complete(&report, made);
    let text = render::rotated_text(complete, of, was_called(&report));
    if complete == of {
        rotator.ui.say(format_args!("{text}"));
        return ended;
    }
    rotator.ui.note(format_args!(""));
    // Machines have the report, which is the last line.
    rotator.ui.speak();
    rotator.ui.note(format_args!("{text}"));
    ended.map(|exit| {
        if exit == Exit::Done {
            Exit::Incomplete
        } else {
            exit
        }
    })
}

/// Whether any call may have left.
const fn was_called(report: &Report) -> bool {
    let Tally {
        added,
        changed,
        destroyed,
        failed,
        unknown,
        not_attempted: _,
    } = report.tally;
    added + changed + destroyed + failed + unknown > 0
}
