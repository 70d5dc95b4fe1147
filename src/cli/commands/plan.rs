//! `plan`: shows what apply would change.

use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::form::{Form, Forms};
use crate::cli::options::planning::Planning;
use crate::cli::options::switch;
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::cli::shell;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::{print, refused};
use crate::cli::workspace::busy;
use crate::cli::workspace::outputs;
use crate::cli::workspace::{Loaded, Resolve, check_aim};
use crate::cli::written::{self, Readers};
use crate::diag::Diagnostic;
use crate::model::Salt;
use crate::plan::{Plan, write_document, write_errored};
use crate::render;
use crate::state::LockOwner;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    planning: Planning,
    /// Plan without resolving the secrets; a changed key or token is then not found.
    #[arg(long, env = "ESS_CALLBACKS_NO_SECRETS", value_parser = switch::parse)]
    no_secrets: bool,
    /// Save the plan to this file, for `apply FILE`.
    #[arg(
        long,
        help_heading = "Output options",
        env = "ESS_CALLBACKS_OUT",
        value_name = "FILE",
        conflicts_with = "no_secrets"
    )]
    out: Option<PathBuf>,
    /// Exit with 2 if there are changes.
    #[arg(long, help_heading = "Output options", env = "ESS_CALLBACKS_DETAILED_EXITCODE", value_parser = switch::parse)]
    detailed_exitcode: bool,
    #[command(flatten)]
    forms: Forms,
    /// Requests per second, to estimate how long an apply takes.
    #[arg(
        long,
        env = "ESS_CALLBACKS_RATE",
        value_name = "N",
        default_value_t = 20
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    rate: u32,
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let form = args.forms.form(settings.config())?;
    let made = make(settings, &args, ui).await;
    if let Err(failure) = &made
        && !ui.json()
    {
        errored(failure, &form, ui);
    }
    let Made {
        plan,
        warnings,
        busy,
    } = made?;
    let Args {
        planning,
        no_secrets: _,
        out,
        detailed_exitcode,
        forms: _,
        rate,
    } = args;
    print(&plan, &warnings, &form, rate, ui);
    busy::note(busy.as_ref(), "this plan", ui);
    if !plan.tripped.is_empty() {
        if let Some(path) = out {
            ui.note(format_args!(
                "The plan was not saved to {}: a guard refuses it, so it can't be applied.",
                path.display()
            ));
        }
        return Ok(refused(&plan, ui));
    }
    if let Some(path) = out {
        save(&plan, &warnings, &path)?;
        ui.note(format_args!(
            "Saved the plan to {}. To apply exactly this:\n\n    {}\n",
            path.display(),
            shell::apply(&path, &settings.flags, planning.commands)
        ));
    }
    let pending = detailed_exitcode && (!plan.is_empty() || plan.records_something());
    Ok(if pending { Exit::Pending } else { Exit::Done })
}

/// A plan, and what is printed with it.
struct Made {
    plan: Plan,
    warnings: Vec<Diagnostic>,
    busy: Option<LockOwner>,
}

async fn make(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Made, Failure> {
    let locations = settings.locations()?;
    outputs::check(locations, None, &[("--out", args.out.as_deref())])?;
    if args.no_secrets && (args.planning.heal || args.planning.heal_only) {
        let message =
            "--heal needs the keys and tokens of callbacks, so it can't be used with --no-secrets";
        return Err(Failure::usage(message).advice("Leave one of the two out."));
    }
    let resolve = (!args.no_secrets).then(|| Resolve::of(&args.planning));
    let (loaded, recorded) = Loaded::read_with_state(locations, resolve.transpose()?, ui).await?;
    let busy = busy::holder(&locations.store()?).await;
    check_aim(&recorded, &loaded.destination)?;
    let plan = loaded.plan(&recorded, Salt(random()?), &args.planning)?;
    Ok(Made {
        plan,
        warnings: loaded.warnings,
        busy,
    })
}

/// Prints the document or the comment that says why there is no plan.
fn errored(failure: &Failure, form: &Form, ui: &mut Ui) {
    match form {
        Form::Json if !failure.diagnostics.is_empty() => {
            ui.bytes(|out| write_errored(&failure.diagnostics, out));
        }
        Form::Markdown(subject) => {
            // It replaces the comment on an earlier plan.
            let page = render::error_markdown(&ui.plain(failure), subject);
            ui.print(format_args!("{page}"));
        }
        Form::Json | Form::Text(_) | Form::Diff => {}
    }
}

/// Writes the file completely or not at all.
fn save(plan: &Plan, warnings: &[Diagnostic], path: &Path) -> Result<(), Failure> {
    let plan = &plan.where_something_is_called();
    let saved = written::write(path, Readers::Owner, |out| {
        write_document(plan, warnings, out)
    });
    saved.map_err(|error| {
        Failure::error(format!(
            "the plan can't be saved to `{}`: {error}",
            path.display()
        ))
    })
}
