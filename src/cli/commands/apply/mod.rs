//! `apply`: changes the callbacks at eSign to match the configuration.

mod args;
mod jitter;
mod metrics;

pub(crate) use args::Args;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::apply::{self, Tools};
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::Locations;
use crate::cli::process::descriptors::Bound;
use crate::cli::process::signals;
use crate::cli::random::random;
use crate::cli::remote::Remote;
use crate::cli::remote::signers;
use crate::cli::secrets::{Resolver, Unresolved, Values, checks, fingerprints};
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::{print, refused};
use crate::cli::workspace::lock::lock;
use crate::cli::workspace::outputs;
use crate::cli::workspace::{Loaded, Resolve, check_aim, uses_of, waiting};
use crate::client::Rate;
use crate::model::{AccountName, Environment, Lineage, Recorded, Report, Salt, SecretIndex};
use crate::plan::{Change, Destination, Plan, calls_digest, read_document};
use crate::render::{self, Holdings, Style};
use crate::secret::{Fingerprinter, Secret};
use crate::state::{Locked, StateError};
use metrics::Told;

/// What is applied: a saved plan, or the configuration.
enum Wish {
    Saved(Box<Plan>),
    Configuration(Box<Loaded>),
}

impl Wish {
    const fn environment(&self) -> Environment {
        match self {
            Self::Saved(plan) => plan.environment,
            Self::Configuration(loaded) => loaded.desired.environment,
        }
    }
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = [
        ("--json-into", args.json_into.as_deref()),
        ("--metrics-file", args.metrics_file.as_deref()),
    ];
    outputs::check(settings.locations()?, args.plan.as_deref(), &files)?;
    if let Some(path) = &args.json_into {
        ui.json_into(path)?;
    }
    if args.quiet {
        ui.hush();
    }
    let mut told = Told::begin();
    let ended = locked(settings, &args, &mut told, ui).await;
    if let Some(path) = &args.metrics_file {
        let exit = ended
            .as_ref()
            .map_or_else(|failure| failure.exit, |exit| *exit);
        if let Err(error) = told.write(path, exit) {
            ui.unwritten(format!("the metrics `{}`", path.display()), error);
        }
    }
    ended
}

/// Whether the plan is applied without a question.
const fn approved(args: &Args) -> bool {
    args.auto_approve || args.plan.is_some()
}

async fn locked(
    settings: &Settings,
    args: &Args,
    told: &mut Told,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    if !approved(args) && !ui.interactive() {
        let message = "apply asks before the first call, but there is no terminal";
        return Err(Failure::usage(message)
            .advice("Give --auto-approve, or a reviewed plan that `plan --out` saved."));
    }
    let locations = settings.locations()?;
    if let Some(most) = args.jitter {
        jitter::wait(most, ui).await?;
    }
    let wish = if let Some(path) = &args.plan {
        Wish::Saved(Box::new(saved(path)?))
    } else {
        let resolve = Some(Resolve::of(&args.planning)?);
        Wish::Configuration(Box::new(Loaded::read(locations, resolve, ui).await?))
    };
    told.environment = Some(wish.environment());
    let state = lock(settings, wish.environment(), args.lock_timeout, ui).await?;
    let ended = with_state(settings, args, locations, &wish, &state, told, ui).await;
    told.recorded = Some(state.read(Holdings::of));
    let released = state.release().await;
    let exit = ended?;
    released?;
    Ok(exit)
}

async fn with_state(
    settings: &Settings,
    args: &Args,
    locations: &Locations,
    wish: &Wish,
    state: &Locked,
    told: &mut Told,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let (plan, secrets) = match wish {
        Wish::Configuration(loaded) => {
            let salt = Salt(random()?);
            let plan = state.read(|recorded| loaded.plan(recorded, salt, &args.planning))?;
            let expected = check_expected(&plan, args.expect_digest.as_deref());
            if !plan.tripped.is_empty() || expected.is_err() {
                ui.speak();
            }
            print(&plan, &loaded.warnings, &args.brief.into(), args.rate, ui);
            let values = loaded.values.as_ref();
            let secrets = values.map(|values| values.known.clone());
            (plan, secrets.unwrap_or_default())
        }
        Wish::Saved(plan) => {
            check_destination(plan, &locations.destination(plan.environment))?;
            state.read(|recorded| check_aim(recorded, &plan.destination))?;
            state.read(|recorded| check_fresh(plan, recorded))?;
            let mut plan = Plan::clone(plan);
            let values = resolve_saved(settings, args, &mut plan, ui).await?;
            (plan, values.known)
        }
    };
    if !plan.tripped.is_empty() {
        return Ok(refused(&plan, ui));
    }
    check_expected(&plan, args.expect_digest.as_deref())?;
    if plan.is_empty() {
        told.report(&plan, Report::default());
        return record_only(&plan, state, ui).await;
    }
    let known = state.read(|recorded| signers::known(&plan, recorded));
    let remote = Remote::connect(locations, &plan, &known, args.rate).await?;
    state.read(|recorded| signers::check(&plan, &remote.signers, recorded))?;
    for account in signers::changed(&remote.signers, &known) {
        if !remote.owners.contains_key(account) || known[account].account_id.is_none() {
            ui.warn(format_args!("{}", unlike(account)));
        }
    }
    let ended = if approved(args) || approve(&plan, ui)? {
        let called = calls(args, &plan, &secrets, &remote, state, ui).await;
        called.and_then(|(report, saved)| {
            let exit = exit_of(&report);
            told.report(&plan, report);
            saved.map(|()| exit)
        })
    } else {
        Err(Failure::error("apply was not approved; nothing was called"))
    };
    remote.shutdown().await;
    ended
}

/// The warning about another `SecretId` than that of the recorded callbacks, which may be another enterprise's.
fn unlike(account: &AccountName) -> String {
    format!(
        "Warning: the account `{account}` has another SecretId than its recorded callbacks. If it belongs to another \
         enterprise, stop: that enterprise does not have these callbacks, and they would be taken for deleted. Declare \
         it as another account."
    )
}

/// Makes the calls and saves the results.
async fn calls(
    args: &Args,
    plan: &Plan,
    secrets: &BTreeMap<SecretIndex, Secret>,
    remote: &Remote,
    state: &Locked,
    ui: &mut Ui,
) -> Result<(Report, Result<(), Failure>), Failure> {
    let lineage = Lineage(uuid::Builder::from_random_bytes(random()?).into_uuid());
    state.aim(&plan.destination);
    let accounts =
        state.read(|recorded| apply::accounts(plan, &remote.signers, &remote.owners, recorded));
    state.sign_with(accounts);
    state.initialize(lineage, plan.salt).await?;
    let rate = Rate::per_second(f64::from(args.rate))
        .ok_or_else(|| Failure::usage(format!("--rate {} is out of range", args.rate)))?;
    let now = apply::WallClock::now(&SystemClock);
    let paces = state.read(|recorded| apply::paces(plan, recorded, rate, now));
    let limits = apply::Settings {
        parallelism: parallelism(args, plan, paces.len(), remote.connections, ui),
        max_retries: args.max_retries,
        wait: !args.no_wait,
        seed: u64::from_be_bytes(random()?),
    };
    let stop = signals::listen(ui.open_changes());
    let tools = Tools {
        api: &remote.api,
        state,
        wall: &SystemClock,
        secrets,
        paces: &paces,
        stop,
    };
    ui.start_progress(plan.changes().count());
    let report = apply::apply(plan, tools, &limits, ui).await;
    ui.finish_progress();
    let saved = state.save().await;
    conclude(&report, ui);
    let saved = saved
        .map(drop)
        .map_err(|error| unsaved(error, report.journal_error.is_some()));
    Ok((report, saved))
}

/// The error when the calls were made, but their results could not be saved.
fn unsaved(error: StateError, journal_failed: bool) -> Failure {
    let failure = Failure::from(error);
    let advice = failure.advice.unwrap_or_default();
    // A journal that failed has every intent, but not the last outcomes.
    let held = if journal_failed {
        "The journal beside the state file could not be written completely either: it holds every call, but \
         not every outcome. The next run finishes what is open."
    } else {
        "Nothing is lost: the journal beside the state file holds every outcome, and the next run saves it."
    };
    let message = format!("the calls were made, but {}", failure.message);
    Failure::new(Exit::Incomplete, message).advice(format!("{held} {advice}"))
}

/// How many calls may be in flight for each account: `--parallelism`, or fewer if the system does not allow as many
/// connections. A note says so if that may be too few for the rate: a call takes at most 40 s.
fn parallelism(
    args: &Args,
    plan: &Plan,
    accounts: usize,
    connections: Option<Bound>,
    ui: &mut Ui,
) -> usize {
    const LONGEST_CALL: usize = 40;
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let asked = size(args.parallelism);
    let Some(bound) = connections else {
        return asked;
    };
    let most = bound.for_each(accounts);
    let rate = if args.rate == 0 {
        usize::MAX
    } else {
        size(args.rate)
    };
    let needed = rate
        .saturating_mul(LONGEST_CALL)
        .min(asked)
        .min(plan.changes().count());
    if most < needed {
        ui.note(format_args!(
            "Note: at most {} in flight at once for each account, because this process may open only {} files and \
             connections (`ulimit -n`).",
            render::counted(most, "call is", "calls are"),
            bound.files
        ));
    }
    asked.min(most)
}

/// Updates the record for a plan without calls.
async fn record_only(plan: &Plan, state: &Locked, ui: &mut Ui) -> Result<Exit, Failure> {
    state.aim(&plan.destination);
    state.edit(|recorded| apply::keep_books(plan, recorded));
    state.save().await?;
    conclude(&Report::default(), ui);
    Ok(Exit::Done)
}

fn conclude(report: &Report, ui: &mut Ui) {
    if !render::is_complete(&report.tally) || !report.drifted.is_empty() {
        ui.speak();
    }
    let now = apply::WallClock::now(&SystemClock);
    ui.json_line(&render::apply_summary_json(&report.tally, now));
    ui.json_line(&render::report_json(report, now));
    if !ui.json() {
        if render::is_complete(&report.tally) {
            let style = ui.style(0);
            ui.stream(|out| render::report_text(report, &style, out));
        } else {
            ui.complain(|style, out| render::report_text(report, style, out));
        }
    }
    ui.flush();
}

/// The exit code of a finished run. An interruption takes precedence, then an unknown outcome.
fn exit_of(report: &Report) -> Exit {
    let Report {
        tally,
        unfinished,
        drifted: _,
        were_there: _,
        calls: _,
        throttled: _,
        interrupted,
        fenced,
        journal_error,
    } = report;
    if *interrupted {
        Exit::Interrupted
    } else if tally.unknown > 0 || *fenced {
        Exit::Unknown
    } else if !unfinished.is_empty() || journal_error.is_some() {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

fn approve(plan: &Plan, ui: &mut Ui) -> Result<bool, Failure> {
    let question =
        |style: &Style, out: &mut dyn fmt::Write| render::question_text(plan, style, out);
    let answer = ui.ask(question).map_err(|error| {
        Failure::error(format!(
            "the answer can't be read: {error}; nothing was called"
        ))
    })?;
    ui.print(format_args!("\n"));
    Ok(answer == "yes")
}

fn saved(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::error(format!(
            "the plan `{}` can't be read: {error}",
            path.display()
        ))
    })?;
    if crate::cli::sources::is_yaml(path) {
        let message = format!("`{}` is a configuration, not a saved plan", path.display());
        return Err(Failure::usage(message).advice("Name a configuration with `-f FILE`."));
    }
    read_document(&text).map_err(|error| {
        let message = format!("the plan `{}` can't be applied: {error}", path.display());
        Failure::new(Exit::Stale, message)
    })
}

/// Refuses a plan with other calls than the reviewed ones. A plan without calls needs no review.
fn check_expected(plan: &Plan, expected: Option<&str>) -> Result<(), Failure> {
    let Some(expected) = expected.filter(|_| !plan.is_empty()) else {
        return Ok(());
    };
    let digest = calls_digest(plan);
    if digest == expected {
        return Ok(());
    }
    let message = format!(
        "the plan makes other calls than the reviewed ones: its digest is {digest}, not {expected} as \
         --expect-digest says; nothing was called"
    );
    Err(Failure::new(Exit::Stale, message).advice(
        "The configuration, the state or a secret has changed since the review. Review this plan and give its digest, \
         which `plan --json`, `plan --format json` and comments show.",
    ))
}

/// Refuses a plan that was made for another destination.
fn check_destination(plan: &Plan, here: &Destination) -> Result<(), Failure> {
    if plan.destination == *here {
        return Ok(());
    }
    let message = format!(
        "the plan was made for {}, and these calls would go to {here}; nothing was called",
        plan.destination
    );
    let flag = match &plan.destination {
        Destination::Esign => "without --sandbox and --endpoint".to_owned(),
        Destination::Sandbox => "with --sandbox".to_owned(),
        Destination::Endpoint(url) => format!("with --endpoint {url}"),
    };
    Err(Failure::new(Exit::Stale, message).advice(format!(
        "Apply it {flag}, as it was planned, or make a new plan."
    )))
}

/// Refuses a plan that was made from another state, or an older one.
fn check_fresh(plan: &Plan, recorded: &Recorded) -> Result<(), Failure> {
    let stale = |message: String| {
        Err(Failure::new(Exit::Stale, message)
            .advice("Make a new plan with `plan --out`, and review it again."))
    };
    if plan.lineage.is_none() && recorded.lineage.is_some() {
        return stale("the plan was made before there was a state, which exists now: this plan or another one was applied since".to_owned());
    }
    let name = |lineage: Option<Lineage>| {
        lineage.map_or_else(|| "no state yet".to_owned(), |id| id.to_string())
    };
    if plan.lineage != recorded.lineage {
        return stale(format!(
            "the plan was made for another state (lineage {}, but this one has {})",
            name(plan.lineage),
            name(recorded.lineage)
        ));
    }
    if plan.serial != recorded.serial {
        return stale(format!(
            "the plan is stale: it was made from serial {} of the state, which is now at {}; this plan or another one was \
             applied since",
            plan.serial, recorded.serial
        ));
    }
    Ok(())
}

/// Resolves the secrets of a saved plan's adds. Their values must be those that it was made with. Their fingerprints
/// are added to the plan.
async fn resolve_saved(
    settings: &Settings,
    args: &Args,
    plan: &mut Plan,
    ui: &mut Ui,
) -> Result<Values, Failure> {
    let folder = crate::cli::sources::folder(settings.config());
    let commands = args.planning.commands;
    let resolver = Resolver::new(
        folder,
        commands,
        plan.accounts.values(),
        settings.flags.sandbox,
    );
    let pairs: BTreeSet<_> = plan
        .changes()
        .filter_map(Change::adds)
        .map(|after| (after.key, after.token))
        .collect();
    let reference = |index: SecretIndex| plan.secrets[index.0 as usize].clone();
    let resolved = resolver
        .resolve(&uses_of(pairs.iter().copied()), reference, &mut waiting(ui))
        .await
        .map_err(|unresolved| match unresolved {
            Unresolved::Problems(problems) => Failure {
                message: "keys or tokens that the plan needs can't be read; nothing was done"
                    .to_owned(),
                ..Failure::invalid(
                    problems
                        .into_iter()
                        .map(|(_, problem)| problem.at(None))
                        .collect(),
                )
            },
            Unresolved::Interrupted(failure) => failure,
        })?;
    let warnings = resolved.warnings.iter().cloned();
    let warnings: Vec<_> = warnings.map(|(_, problem)| problem.at(None)).collect();
    ui.diagnostics(&warnings);
    let table = fingerprints(Fingerprinter::new(plan.salt), pairs, &resolved.known);
    let checks = checks(plan, &resolved.known);
    plan.learn(&table, &checks).map_err(|unlike| {
        Failure::new(Exit::Stale, unlike.to_string()).advice("Make a new plan with `plan --out`.")
    })?;
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Place;

    #[test]
    fn the_advice_says_what_the_journal_lacks() {
        let advice = |journal_failed| {
            let error = StateError::LockLost {
                place: Place::new("callbacks.state.lock"),
            };
            let failure = unsaved(error, journal_failed);
            assert_eq!(failure.exit, Exit::Incomplete);
            failure.advice.unwrap()
        };
        assert!(advice(false).contains("holds every outcome"));
        assert!(advice(true).contains("not every outcome"));
        assert!(!advice(true).contains("Nothing is lost"));
    }
}
