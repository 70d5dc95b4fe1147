//! `plan`: shows what apply would change.

use std::path::Path;

use super::args::{self, Global};
use super::busy;
use super::exit::{Exit, Failure};
use super::form::{Brevity, Form};
use super::locations::Locations;
use super::outputs;
use super::random::random;
use super::shell;
use super::ui::{SystemClock, Ui};
use super::workspace::{Loaded, Resolve};
use super::written::{self, Readers};
use crate::apply::WallClock as _;
use crate::diag::Diagnostic;
use crate::model::Salt;
use crate::plan::{Plan, write_document, write_errored, write_shown};
use crate::render;
use crate::state::LockOwner;

pub(super) async fn run(global: &Global, args: args::Plan, ui: &mut Ui) -> Result<Exit, Failure> {
    let form = args.forms.form(global)?;
    let made = make(global, &args, ui).await;
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
    let args::Plan {
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
                "The plan was not saved to {}: a guard refuses it, so it could not be applied.",
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
            shell::apply(&path, global, planning.commands)
        ));
    }
    let pending = detailed_exitcode && (!plan.is_empty() || plan.records_something());
    Ok(if pending { Exit::Pending } else { Exit::Done })
}

/// A plan, and what is to be said beside it.
struct Made {
    plan: Plan,
    warnings: Vec<Diagnostic>,
    busy: Option<LockOwner>,
}

async fn make(global: &Global, args: &args::Plan, ui: &mut Ui) -> Result<Made, Failure> {
    let locations = Locations::of(global)?;
    outputs::check(&locations, None, &[("--out", args.out.as_deref())])?;
    if args.no_secrets && args.planning.heal {
        let message = "--heal adds callbacks again, with their keys and tokens, so it can't be planned with --no-secrets";
        return Err(Failure::usage(message).advice("Leave one of the two out."));
    }
    let resolve = (!args.no_secrets).then(|| Resolve::of(&args.planning));
    let (loaded, recorded) =
        Loaded::read_with_state(global, &locations, resolve.transpose()?, ui).await?;
    let busy = busy::holder(&locations.store()?).await;
    let plan = loaded.plan(&recorded, Salt(random()?), &args.planning)?;
    Ok(Made {
        plan,
        warnings: loaded.warnings,
        busy,
    })
}

/// Tells whoever reads the document or the comment why there is no plan.
fn errored(failure: &Failure, form: &Form, ui: &mut Ui) {
    match form {
        Form::Json if !failure.diagnostics.is_empty() => {
            ui.bytes(|out| write_errored(&failure.diagnostics, out));
        }
        Form::Markdown(subject) => {
            // It takes the place of a comment on a plan that no longer holds.
            let page = render::error_markdown(&ui.plain(failure), subject);
            ui.print(format_args!("{page}"));
        }
        Form::Json | Form::Text(_) | Form::Diff => {}
    }
}

/// The end of a command whose plan a guard refused. Its text was printed with the plan; here its
/// events end with what tripped.
pub(super) fn refused(plan: &Plan, ui: &mut Ui) -> Exit {
    let exit = Exit::Guarded;
    if ui.takes_json() {
        for line in render::guards_json(plan, exit.code(), SystemClock.now()) {
            ui.json_line(&line);
        }
        ui.flush();
    }
    exit
}

/// Prints a plan, as text, as the document, or as events.
pub(super) fn print(plan: &Plan, warnings: &[Diagnostic], form: &Form, rate: u32, ui: &mut Ui) {
    let now = SystemClock.now();
    if ui.takes_json() {
        for item in &plan.moves {
            ui.json_line(&render::planned_move_json(item, now));
        }
        for (organization, change) in plan.changes_by_organization() {
            ui.json_line(&render::planned_change_json(organization, change, now));
        }
        for update in plan.updates() {
            ui.json_line(&render::planned_update_json(&update, now));
        }
        ui.json_line(&render::change_summary_json(plan, now));
        ui.flush();
    }
    if ui.json() {
        return;
    }
    let style = ui.style(rate);
    match form {
        Form::Text(Brevity::InFull) => ui.stream(|out| render::plan_text(plan, &style, out)),
        Form::Text(Brevity::Addresses) => ui.stream(|out| render::plan_summary(plan, &style, out)),
        Form::Json => ui.bytes(|out| write_shown(plan, warnings, out)),
        Form::Markdown(subject) => {
            let page = render::plan_markdown(plan, subject, &style);
            ui.print(format_args!("{page}"));
        }
        Form::Diff => ui.diff(|out| render::plan_diff(plan, &style, out)),
    }
    // The document and the comment say it themselves, for whoever reads them elsewhere.
    if matches!(form, Form::Text(_) | Form::Diff) {
        ui.complain(|style, out| render::guards_text(plan, style, out));
    }
    ui.flush();
}

/// Writes the file whole or not at all.
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
