//! Before calls: which adds must not be made, because their receivers failed their verification.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::verification::{self, How, PARALLEL, Subject, TIMEOUT};
use crate::model::{Action, Address, SecretIndex, Verdict, Verified};
use crate::plan::{Change, Plan};
use crate::render;
use crate::secret::Secret;
use crate::verify::MsgType;

/// The receivers that the plan adds or replaces. A heal changes nothing at a receiver that eSign has already.
pub(super) fn of_plan(plan: &Plan) -> Vec<Subject> {
    let subject = |change: &Change| {
        let after = change.adds().filter(|_| change.action != Action::Heal)?;
        Some(Subject {
            address: change.address.clone(),
            key: after.key,
            token: after.token,
        })
    };
    plan.changes().filter_map(subject).collect()
}

/// Verifies these receivers, prints what was found, and returns those that failed.
pub(in crate::cli::commands) async fn verify(
    subjects: &[Subject],
    values: &BTreeMap<SecretIndex, Secret>,
    (settings, allow_private): (&Settings, bool),
    ui: &mut Ui,
) -> Result<BTreeSet<Address>, Failure> {
    if subjects.is_empty() {
        return Ok(BTreeSet::new());
    }
    let how = How {
        allow_private,
        parallel: PARALLEL,
        timeout: TIMEOUT,
        msg_type: MsgType::harmless(),
    };
    let verified = verification::verify(subjects, values, how, settings, None, ui).await?;
    let failed = |one: &Verified| one.verdict() == Verdict::Failed;
    print(&verified, verified.iter().any(failed), ui);
    let failed = verified.into_iter().filter(failed);
    Ok(failed.map(|one| one.address).collect())
}

fn print(verified: &[Verified], any_failed: bool, ui: &mut Ui) {
    if any_failed {
        ui.speak();
    }
    let summary = render::verified_summary(verified, 0, 0);
    if ui.takes_json() {
        let found = verified.iter().filter(|one| !one.findings.is_empty());
        for line in found.flat_map(render::verified_lines) {
            ui.json_line(&render::log_json(&line, SystemClock.now()));
        }
        ui.json_line(&render::log_json(&summary, SystemClock.now()));
    }
    if !ui.json() {
        let style = ui.style(0);
        ui.stream(|out| render::verified_text(verified, &style, out));
        ui.print(format_args!("{summary}\n\n"));
    }
    ui.flush();
}
