//! `plan`: shows what apply would change.

use std::path::Path;

use super::args::{self, Format, Global};
use super::busy;
use super::exit::{Exit, Failure};
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
use crate::plan::{Plan, write_document, write_errored};
use crate::render;

pub(super) async fn run(global: &Global, args: args::Plan, ui: &mut Ui) -> Result<Exit, Failure> {
    let args::Plan {
        planning,
        no_secrets,
        out,
        detailed_exitcode,
        format,
        rate,
    } = args;
    let locations = Locations::of(global)?;
    outputs::check(&locations, None, &[("--out", out.as_deref())])?;
    if no_secrets && planning.heal {
        let message = "--heal adds callbacks again, with their keys and tokens, so it can't be planned with --no-secrets";
        return Err(Failure::usage(message).advice("Leave one of the two out."));
    }
    let resolve = (!no_secrets).then(|| Resolve::of(&planning)).transpose()?;
    let read = Loaded::read_with_state(global, &locations, resolve, ui).await;
    if let Err(failure) = &read
        && format == Format::Json
        && !ui.json()
        && !failure.diagnostics.is_empty()
    {
        ui.bytes(|out| write_errored(&failure.diagnostics, out));
    }
    let (loaded, recorded) = read?;
    let busy = busy::holder(&locations.store()?).await;
    let plan = loaded.plan(&recorded, Salt(random()?), &planning)?;
    print(&plan, &loaded.warnings, format, rate, ui);
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
        save(&plan, &loaded.warnings, &path)?;
        ui.note(format_args!(
            "Saved the plan to {}. To apply exactly this:\n\n    {}\n",
            path.display(),
            shell::apply(&path, global, planning.commands)
        ));
    }
    let pending = detailed_exitcode && (!plan.is_empty() || plan.records_something());
    Ok(if pending { Exit::Pending } else { Exit::Done })
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
pub(super) fn print(plan: &Plan, warnings: &[Diagnostic], format: Format, rate: u32, ui: &mut Ui) {
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
    match format {
        Format::Text => {
            let style = ui.style(rate);
            ui.stream(|out| render::plan_text(plan, &style, out));
        }
        Format::Json => ui.bytes(|out| write_document(&plan.shown(), warnings, out)),
        Format::Markdown => {
            let style = ui.style(rate);
            ui.print(format_args!("{}", render::plan_markdown(plan, &style)));
        }
        Format::Diff => {
            let style = ui.style(rate);
            ui.diff(|out| render::plan_diff(plan, &style, out));
        }
    }
    // The document and the comment say it themselves, for whoever reads them elsewhere.
    if matches!(format, Format::Text | Format::Diff) {
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
