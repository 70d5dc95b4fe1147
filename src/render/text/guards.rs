//! Why a plan is refused, and the flag or the lines that allow it.

use std::fmt;

use crate::model::{Handle, Timestamp};
use crate::plan::{Change, OrganizationPlan, Plan, Reason, Tripped};
use crate::render::escape::Clean;
use crate::render::failure::{error_json, sentences};
use crate::render::style::{Style, Tone};
use crate::render::words::counted;
use crate::render::wrap::{write_sentence, write_wrapped};

/// What the remedies of refusals name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remedies<'a> {
    /// Flags of the command.
    Flags,
    /// Approvals of a controller that reads this configuration. How to give one is said elsewhere.
    Approval(&'a str),
}

/// The tripped guards of one kind.
pub(crate) struct Refusal {
    /// What is wrong, without a full stop.
    pub(crate) title: &'static str,
    /// What to do if the plan is intended.
    pub(crate) remedy: String,
    row: fn(&Tripped, &Plan) -> Option<String>,
}

impl Refusal {
    /// One line for each guard that tripped.
    pub(crate) fn rows<'a>(&self, plan: &'a Plan) -> impl Iterator<Item = String> + 'a {
        let row = self.row;
        plan.tripped
            .iter()
            .filter_map(move |tripped| row(tripped, plan))
    }
}

/// Empty if the plan is not refused.
pub(crate) fn refusals(plan: &Plan, remedies: Remedies<'_>) -> Vec<Refusal> {
    let (file, overrides) = match remedies {
        Remedies::Flags => ("callbacks.yaml".to_owned(), "flag"),
        Remedies::Approval(file) => (format!("`{}`", Clean(file)), "approval"),
    };
    let deletes = plan.summary.deletes_by_omission;
    let destroys = |change: &Change| change.reason == Reason::Destroy;
    let moved = |change: &Change| matches!(change.reason, Reason::ScopeChanged { .. });
    let why = if plan.changes().any(destroys) {
        "--destroy was given".to_owned()
    } else if plan.changes().any(moved) {
        format!("{file} leaves them out, or their organization has another scope there")
    } else {
        format!("{file} leaves them out")
    };
    let is_final = |tripped: &Tripped| match tripped {
        Tripped::Protected { .. } | Tripped::PerhapsShared { .. } => true,
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::WrongAllowance { .. } => false,
    };
    // A flag that would not help is not named.
    let is_final = plan.tripped.iter().any(is_final);
    let (say_how_many, say_again) = match remedies {
        Remedies::Flags | Remedies::Approval(_) if is_final => (
            format!(
                "If that is meant, first settle what is refused below, which no {overrides} overrides."
            ),
            format!("First settle what is refused below, which no {overrides} overrides."),
        ),
        Remedies::Flags => (
            format!("If that is meant, say how many: --allow-deletes {deletes}"),
            format!("Read it again; if the deletes are meant: --allow-deletes {deletes}"),
        ),
        Remedies::Approval(_) => (
            "If that is meant, approve the plan.".to_owned(),
            "Read it again; if the deletes are meant, approve the plan.".to_owned(),
        ),
    };
    let once_applied = match remedies {
        Remedies::Flags => "apply that",
        Remedies::Approval(_) => "wait until that is recorded",
    };
    let all = [
        Refusal {
            title: "this plan deletes more than the guards allow and will not be applied",
            remedy: format!("These callbacks are deleted because {why}. {say_how_many}"),
            row: too_many,
        },
        Refusal {
            title: "--allow-deletes does not match this plan, which will not be applied",
            remedy: format!("The plan may have changed since the flag was written. {say_again}"),
            row: wrong_allowance,
        },
        Refusal {
            title: "this plan may delete callbacks that another account still declares, and will not \
                    be applied",
            remedy: format!(
                "If these accounts belong to one enterprise, the callbacks are the same at eSign, \
                 and deleting them for one account erases them for the other. After a change of \
                 name, write `formerly: OLD` under the new account. If the enterprises are \
                 different, write `expect_account_id` under both accounts. No {overrides} overrides this."
            ),
            row: perhaps_shared,
        },
        Refusal {
            title: "this plan deletes what is protected and will not be applied",
            remedy: format!(
                "No {overrides} overrides this. To delete them, put each into callbacks.yaml with `protect: false`, \
                 {once_applied}, then remove it."
            ),
            row: protected,
        },
    ];
    all.into_iter()
        .filter(|refusal| refusal.rows(plan).next().is_some())
        .collect()
}

/// Writes an error for each kind of guard that tripped.
pub fn guards_text(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    for refusal in refusals(plan, Remedies::Flags) {
        out.write_char('\n')?;
        write_sentence(
            out,
            style,
            (Tone::Error, "error:"),
            (Tone::Strong, refusal.title),
        )?;
        out.write_char('\n')?;
        for row in refusal.rows(plan) {
            write_wrapped(out, ("  ", "    "), &row, style.width)?;
        }
        out.write_char('\n')?;
        for sentence in sentences(&refusal.remedy) {
            write_wrapped(out, ("", ""), sentence, style.width)?;
        }
    }
    Ok(())
}

/// Why a plan is refused: a sentence for each kind of guard that tripped, without a full stop. Empty if it is not.
pub fn refusal_sentences(plan: &Plan) -> Vec<String> {
    let all = refusals(plan, Remedies::Flags);
    all.iter().map(|refusal| sentence(refusal, plan)).collect()
}

fn sentence(refusal: &Refusal, plan: &Plan) -> String {
    let mut rows = refusal.rows(plan);
    let named: Vec<String> = rows.by_ref().take(NAMED).collect();
    let more = match rows.count() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{}: {}{more}", refusal.title, named.join("; "))
}

/// The most rows that a message names.
const NAMED: usize = 10;

/// Like [`guards_text`], as a diagnostic event for each kind of guard, with the exit code.
pub fn guards_json(plan: &Plan, exit_code: u8, at: Timestamp) -> Vec<String> {
    let all = refusals(plan, Remedies::Flags);
    let event = |refusal: &Refusal| {
        let message = sentence(refusal, plan);
        error_json(&message, Some(&refusal.remedy), exit_code, at)
    };
    all.iter().map(event).collect()
}

/// Says that the callbacks are in the previous scope, if the handle has another one now.
fn former(plan: &Plan, handle: &Handle) -> &'static str {
    let moved = |organization: &OrganizationPlan| {
        organization.handle == *handle && organization.successor.is_some()
    };
    if plan.organizations.iter().any(moved) {
        " in its previous scope"
    } else {
        ""
    }
}

fn too_many(tripped: &Tripped, plan: &Plan) -> Option<String> {
    match tripped {
        Tripped::MostOfOrganization {
            handle,
            deletes,
            recorded,
        } => Some(format!(
            "{}: {deletes} of its {}{}, more than 30 %",
            Clean(handle),
            counted(*recorded, "callback", "callbacks"),
            former(plan, handle)
        )),
        Tripped::LastOfOrganization { handle, deletes } => Some(format!(
            "{}: {}{}; none would be left",
            Clean(handle),
            if *deletes == 1 {
                "its last callback".to_owned()
            } else {
                format!("all its {deletes} callbacks")
            },
            former(plan, handle)
        )),
        Tripped::MostOfAll { deletes, recorded } => Some(format!(
            "all organizations together: {deletes} of {}, more than 30 % and more than ten",
            counted(*recorded, "callback", "callbacks")
        )),
        Tripped::Protected { address: _ }
        | Tripped::PerhapsShared { .. }
        | Tripped::WrongAllowance {
            allowed: _,
            deletes: _,
        } => None,
    }
}

fn wrong_allowance(tripped: &Tripped, plan: &Plan) -> Option<String> {
    match tripped {
        Tripped::WrongAllowance { allowed, deletes } => {
            let others = plan.summary.delete.saturating_sub(*deletes);
            let others = match others {
                0 => String::new(),
                count => format!(
                    ", not counting {} listed under `absent` or added by a rotation",
                    counted(count, "callback that is", "callbacks that are")
                ),
            };
            Some(format!(
                "--allow-deletes {allowed}, but the plan deletes {deletes}{others}"
            ))
        }
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::PerhapsShared { .. }
        | Tripped::Protected { .. } => None,
    }
}

fn protected(tripped: &Tripped, _: &Plan) -> Option<String> {
    match tripped {
        Tripped::Protected { address } => Some(Clean(address).to_string()),
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::PerhapsShared { .. }
        | Tripped::WrongAllowance { .. } => None,
    }
}

fn perhaps_shared(tripped: &Tripped, _: &Plan) -> Option<String> {
    match tripped {
        Tripped::PerhapsShared {
            handle,
            account,
            other,
            callbacks,
        } => Some(format!(
            "{}: {} would be deleted for the account `{}`, and kept for `{}`",
            Clean(handle),
            counted(*callbacks, "callback", "callbacks"),
            Clean(account),
            Clean(other)
        )),
        Tripped::MostOfOrganization { .. }
        | Tripped::LastOfOrganization { .. }
        | Tripped::MostOfAll { .. }
        | Tripped::Protected { .. }
        | Tripped::WrongAllowance { .. } => None,
    }
}
