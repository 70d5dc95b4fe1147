//! `apply`: changes the callbacks at eSign to match the configuration.

mod args;
pub(super) mod ended;
mod jitter;
pub(super) mod metrics;
pub(super) mod receivers;
mod saved;
pub(super) mod starter;
pub(super) mod witness;

pub(crate) use args::Args;

use std::path::Path;

use crate::apply::Lanes;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::Locations;
use crate::cli::options::outputs::Outputs;
use crate::cli::process::{owner, signals};
use crate::cli::remote::cloudaudit;
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::cli::workspace::lock;
use crate::cli::workspace::outputs;
use crate::cli::workspace::{Loaded, Resolve};
use crate::model::Environment;
use crate::plan::Plan;
use crate::run::{self, Request};
use metrics::Told;
use starter::Starter;

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
    begin(
        &args.outputs,
        settings.locations()?,
        args.plan.as_deref(),
        ui,
    )?;
    let mut told = Told::begin();
    let ended = apply(settings, &args, &mut told, ui).await;
    finish(&args.outputs, told, &ended, ui);
    ended
}

/// Checks where else a run writes, and begins to write events and to print nothing. `input` must not be written over.
pub(super) fn begin(
    outputs: &Outputs,
    locations: &Locations,
    input: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), Failure> {
    let Outputs {
        json_into,
        metrics_file,
        quiet,
    } = outputs;
    let files = [
        ("--json-into", json_into.as_deref()),
        ("--metrics-file", metrics_file.as_deref()),
    ];
    outputs::check(locations, input, &files)?;
    if let Some(path) = json_into {
        ui.json_into(path)?;
    }
    if *quiet {
        ui.hush();
    }
    Ok(())
}

/// Writes the metrics of a run.
pub(super) fn finish(outputs: &Outputs, told: Told, ended: &Result<Exit, Failure>, ui: &mut Ui) {
    let Some(path) = &outputs.metrics_file else {
        return;
    };
    let exit = ended
        .as_ref()
        .map_or_else(|failure| failure.exit, |exit| *exit);
    if let Err(error) = told.write(path, exit) {
        ui.unwritten(format!("the metrics `{}`", path.display()), error);
    }
}

/// Whether the plan is applied without a question.
const fn approved(args: &Args) -> bool {
    args.auto_approve || args.plan.is_some()
}

async fn apply(
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
        Wish::Saved(Box::new(saved::read(path)?))
    } else {
        let resolve = Some(Resolve::of(&args.planning)?);
        Wish::Configuration(Box::new(Loaded::read(locations, resolve, ui).await?))
    };
    told.environment = Some(wish.environment());
    if args.experimental_cloudaudit {
        cloudaudit::check("--experimental-cloudaudit", wish.environment(), locations)?;
    }
    let destination = locations.destination(wish.environment());
    if let Wish::Saved(plan) = &wish
        && plan.destination != destination
    {
        return Err(saved::elsewhere(plan, &destination));
    }
    let owner = owner::this_process(&settings.command)?;
    let store = lock::store(locations, ui)?;
    let stop = signals::listen(ui.open_changes());
    let request = Request {
        environment: wish.environment(),
        destination: &destination,
        owner: &owner,
        lock_timeout: args.calling.lock_timeout.unwrap_or_default(),
        expected_digest: args.expect_digest.as_deref(),
        rate: args.calling.limit()?,
        wall: &SystemClock,
        stop: &stop,
    };
    let mut starter = Starter::new(
        settings,
        (locations, store.lease()),
        args,
        (&wish, told, ui),
    );
    let ended = run::run(&store, &request, &mut Lanes::default(), &mut starter).await;
    starter.disconnect().await;
    let folder = sources::folder(&locations.config);
    ended::exit(ended?, (&folder, &destination), args, ui)
}
