//! Printing a plan, and the end of a command whose plan a guard refused.

use super::Ui;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Exit;
use crate::cli::options::form::{Brevity, Form};
use crate::diag::Diagnostic;
use crate::plan::{Plan, write_shown};
use crate::render;

/// Ends a command whose plan a guard refused. The text was printed with the plan; this prints the events.
pub(crate) fn refused(plan: &Plan, ui: &mut Ui) -> Exit {
    let exit = Exit::Guarded;
    if ui.takes_json() {
        for line in render::guards_json(plan, exit.code(), SystemClock.now()) {
            ui.json_line(&line);
        }
        ui.flush();
    }
    exit
}

/// Prints a plan as events, where these are taken.
pub(crate) fn print_events(plan: &Plan, ui: &mut Ui) {
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
}

/// Prints a plan, as text, as the document, or as events.
pub(crate) fn print(plan: &Plan, warnings: &[Diagnostic], form: &Form, rate: u32, ui: &mut Ui) {
    print_events(plan, ui);
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
    // The document and the comment hold the guards themselves, as they are read elsewhere.
    if matches!(form, Form::Text(_) | Form::Diff) {
        ui.complain(|style, out| render::guards_text(plan, style, out));
    }
    ui.flush();
}
