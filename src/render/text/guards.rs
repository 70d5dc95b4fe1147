//! Why a plan is refused, and the flag or line that lifts it.

use std::fmt;

use crate::plan::{Plan, Tripped};
use crate::render::escape::Clean;
use crate::render::style::{Style, Tone};
use crate::render::words::counted;
use crate::render::wrap::write_wrapped;

/// Writes an error for each kind of guard that tripped; nothing when none did.
///
/// # Errors
/// Those of `out` alone.
pub fn guards_text(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    block(
        style,
        out,
        "this plan deletes more than the guards allow and will not be applied",
        || plan.tripped.iter().filter_map(too_many),
        &format!(
            "These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, \
             say how many: --allow-deletes {}",
            plan.summary.deletes_by_omission
        ),
    )?;
    block(
        style,
        out,
        "--allow-deletes does not fit this plan, which will not be applied",
        || plan.tripped.iter().filter_map(wrong_allowance),
        &format!(
            "The plan may have changed since the flag was written. Read it again; if the deletes \
             are meant: --allow-deletes {}",
            plan.summary.deletes_by_omission
        ),
    )?;
    block(
        style,
        out,
        "this plan deletes what is protected and will not be applied",
        || plan.tripped.iter().filter_map(protected),
        "No flag lifts this. If they are to go, declare them with `protect: false`, apply that, \
         and delete them after.",
    )
}

fn block<I: Iterator<Item = String>>(
    style: &Style,
    out: &mut dyn fmt::Write,
    title: &str,
    rows: impl Fn() -> I,
    remedy: &str,
) -> fmt::Result {
    if rows().next().is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{} {}\n",
        style.paint(Tone::Error, "Error:"),
        style.paint(Tone::Strong, title)
    )?;
    for row in rows() {
        write_wrapped(out, ("  ", "    "), &row, style.width)?;
    }
    out.write_char('\n')?;
    write_wrapped(out, ("", ""), remedy, style.width)
}

fn too_many(tripped: &Tripped) -> Option<String> {
    match tripped {
        Tripped::MostOfOrganization {
            handle,
            deletes,
            recorded,
        } => Some(format!(
            "{}: {deletes} of its {}, more than 30 %",
            Clean(handle),
            counted(*recorded, "callback", "callbacks")
        )),
        Tripped::LastOfOrganization { handle, deletes } => Some(format!(
            "{}: {}; none would be left",
            Clean(handle),
            if *deletes == 1 {
                "its last callback".to_owned()
            } else {
                format!("all its {deletes} callbacks")
            }
        )),
        Tripped::MostOfAll { deletes, recorded } => Some(format!(
            "all organizations together: {deletes} of {}, more than 30 % and more than ten",
            counted(*recorded, "callback", "callbacks")
        )),
        Tripped::Protected { address: _ }
        | Tripped::WrongAllowance {
            allowed: _,
            deletes: _,
        } => None,
    }
}

fn wrong_allowance(tripped: &Tripped) -> Option<String> {
    match tripped {
        Tripped::WrongAllowance { allowed, deletes } => Some(format!(
            "--allow-deletes {allowed}, but the plan deletes {deletes}"
        )),
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::Protected { .. } => None,
    }
}

fn protected(tripped: &Tripped) -> Option<String> {
    match tripped {
        Tripped::Protected { address } => Some(Clean(address).to_string()),
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::WrongAllowance { .. } => None,
    }
}
