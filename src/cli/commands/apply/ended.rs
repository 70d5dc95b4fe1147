//! How a run ended: what is printed of it, and the exit code.

use std::io;
use std::path::{Path, PathBuf};

use super::{Args, saved};
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::shell;
use crate::cli::terminal::Ui;
use crate::cli::terminal::plan::refused;
use crate::cli::workspace::{elsewhere, missing_account};
use crate::cli::written::{self, Readers};
use crate::model::{
    AccountId, AccountName, ApiError, HowUnfinished, NotAttempted, Report, Unfinished,
};
use crate::plan::{Destination, Plan};
use crate::render::{self, Again, counted};
use crate::run::{Ended, Refusal, Unsaved};
use crate::state::{Rescue, StateError, format};

/// The exit code of a run.
///
/// # Errors
/// It was refused, or what became of its calls could not be saved; then what is missing is written into `folder`.
pub(super) fn exit(
    ended: Ended,
    (folder, here): (&Path, &Destination),
    args: &Args,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    match ended {
        Ended::Elsewhere(there) => Err(elsewhere(&there, here)),
        Ended::Interrupted => Err(interrupted()),
        Ended::NothingToCall(_) => Ok(Exit::Done),
        Ended::Called {
            plan: _,
            report,
            saved,
        } => match saved {
            Ok(()) => Ok(exit_of(&report)),
            Err(error) => Err(unsaved(*error, folder)),
        },
        Ended::Refused(plan, why) => {
            let expected = args.expect_digest.as_deref();
            refusal(&plan, why, here, expected).map_or_else(|| Ok(refused(&plan, ui)), Err)
        }
    }
}

/// Why nothing was called; `None` when it was for the guards, which are printed with the plan.
pub(in crate::cli::commands) fn refusal(
    plan: &Plan,
    why: Refusal,
    here: &Destination,
    expected_digest: Option<&str>,
) -> Option<Failure> {
    Some(match why {
        Refusal::Guards => return None,
        Refusal::OtherDestination => saved::elsewhere(plan, here),
        Refusal::Stale(why) => saved::stale(why),
        Refusal::MissingAccount(account, handle) => missing_account(&account, &handle),
        Refusal::NotReviewed(digest) => not_reviewed(&digest, expected_digest),
        Refusal::SameAccount(name, other) => same_account(&name, &other),
        Refusal::UnexpectedOwner {
            account,
            expected,
            owner,
        } => unexpected_owner(&account, &expected, &owner),
        Refusal::OwnerUnknown {
            account,
            expected,
            why,
        } => owner_unknown(&account, &expected, *why),
        Refusal::RecordedOwnerUnknown {
            account,
            before,
            why,
        } => recorded_owner_unknown(&account, &before, *why),
        Refusal::PerhapsSameOwner {
            accounts: (one, other),
            why,
        } => perhaps_same_owner(&one, &other, *why),
        Refusal::SameOwner {
            accounts: (one, other),
            owner,
        } => same_owner(&one, &other, &owner),
        Refusal::OtherOwner {
            account,
            before,
            owner,
        } => other_owner(&account, &before, &owner),
        Refusal::NotApproved => Failure::error("apply was not approved; nothing was called"),
    })
}

/// The error when a signal came before the first call.
pub(in crate::cli::commands) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; nothing was called")
}

/// The exit code of a finished run. An interruption takes precedence, then an unknown outcome.
pub(in crate::cli::commands) fn exit_of(report: &Report) -> Exit {
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
    } else if journal_error.is_none() && is_only_unverified(unfinished) {
        Exit::Unverified
    } else if !unfinished.is_empty() || journal_error.is_some() {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

/// Whether all that was not done is adds whose receivers failed their verification, and deletes that wait for them.
fn is_only_unverified(unfinished: &[Unfinished]) -> bool {
    let left_out = |why| {
        let mut all = unfinished.iter();
        all.any(|one| matches!(&one.how, HowUnfinished::NotAttempted(this) if *this == why))
    };
    let other = |one: &Unfinished| match &one.how {
        HowUnfinished::Failed(_) | HowUnfinished::Unknown(_) => true,
        HowUnfinished::NotAttempted(why) => {
            !matches!(why, NotAttempted::Unverified | NotAttempted::AddsFailed)
        }
    };
    left_out(NotAttempted::Unverified) && !unfinished.iter().any(other)
}

/// Prints the report. What needs attention is printed in spite of `--quiet`.
pub(in crate::cli::commands) fn conclude(report: &Report, again: Again, ui: &mut Ui) {
    if !render::is_complete(report) || !report.drifted.is_empty() {
        ui.speak();
    }
    let now = SystemClock.now();
    ui.json_line(&render::apply_summary_json(report, now));
    ui.json_line(&render::report_json(report, now));
    if !ui.json() {
        if render::is_complete(report) {
            let style = ui.style(0);
            ui.stream(|out| render::report_text(report, again, &style, out));
        } else {
            ui.complain(|style, out| render::report_text(report, again, style, out));
        }
    }
    ui.flush();
}

/// The error when the calls were made, but their results could not be saved. Writes an emergency copy of what is
/// nowhere else.
pub(in crate::cli::commands) fn unsaved(
    Unsaved { error, rescue }: Unsaved,
    folder: &Path,
) -> Failure {
    let how_lost = error.how_lost();
    let is_damaged = matches!(error, StateError::Damaged { .. });
    let failure = Failure::from(error);
    let cause = how_lost.map_or_else(|| failure.advice.unwrap_or_default(), str::to_owned);
    let message = format!("the calls were made, but {}", failure.message);
    let next = match rescue {
        None => "Nothing is lost: the state's journal has every outcome. Make sure that no other apply runs, then run \
                 `ess-callbacks apply`, which saves them."
            .to_owned(),
        Some(rescue) if is_damaged => replaced(&rescue, folder),
        Some(rescue) => rescued(&rescue, folder),
    };
    Failure::new(Exit::Incomplete, message).advice(format!("{cause} {next}"))
}

/// Writes the emergency copy of a state that is not whole any more, and tells what it is good for.
fn replaced(rescue: &Rescue, folder: &Path) -> String {
    match write_rescue(rescue, folder) {
        Ok(path) => format!(
            "`{file}` is the whole state as this run knew it. If the records can't be restored there, run `ess-callbacks \
             state push {word} --state PLACE` with a new place, and use that from now on.",
            file = path.display(),
            word = shell::path(&path),
        ),
        Err(error) => format!(
            "An emergency copy of the whole state could not be written ({error}). What this run did may be recorded \
             nowhere: eSign has these callbacks all the same."
        ),
    }
}

/// Writes the emergency copy, and tells how to bring it home.
fn rescued(rescue: &Rescue, folder: &Path) -> String {
    let outcomes = counted(rescue.ended.len(), "outcome", "outcomes");
    match write_rescue(rescue, folder) {
        Ok(path) => format!(
            "Every call is recorded, but not every outcome: `{file}` has the others, and no secrets. Next: 1) make sure \
             that no other apply runs; 2) run `ess-callbacks state push {word}`, which records {outcomes}; 3) run \
             `ess-callbacks apply`. Without the second step nothing goes wrong, but apply takes those calls for lost and \
             repeats them.",
            file = path.display(),
            word = shell::path(&path),
        ),
        Err(error) => format!(
            "Every call is recorded, but not every outcome, and an emergency copy of the others ({outcomes}) could not be \
             written ({error}). Make sure that no other apply runs, then run `ess-callbacks apply`: it takes those calls \
             for lost and repeats them."
        ),
    }
}

/// Writes the copy into `folder`, or where temporary files are: a pod's configuration may be read-only.
fn write_rescue(rescue: &Rescue, folder: &Path) -> io::Result<PathBuf> {
    let written = write_new(rescue, folder);
    written.or_else(|error| write_new(rescue, &std::env::temp_dir()).map_err(|_| error))
}

/// Writes a file that was not there before.
fn write_new(rescue: &Rescue, folder: &Path) -> io::Result<PathBuf> {
    let serial = rescue.recorded.serial;
    let mut path = folder.join(format!("callbacks.emergency-{serial}.json"));
    let mut number = 1;
    while path.exists() {
        number += 1;
        path = folder.join(format!("callbacks.emergency-{serial}-{number}.json"));
    }
    // Messages show `x`, not `./x`.
    let path = path
        .strip_prefix(".")
        .map(Path::to_path_buf)
        .unwrap_or(path);
    written::write(&path, Readers::Owner, |mut out| {
        format::write_copy(rescue, &mut out)
    })?;
    Ok(path)
}

/// The error when the plan makes other calls than the reviewed ones.
fn not_reviewed(digest: &str, expected: Option<&str>) -> Failure {
    let expected = expected.unwrap_or_default();
    let message = format!(
        "the plan makes other calls than the reviewed ones: its digest is {digest}, not {expected} as \
         --expect-digest says; nothing was called"
    );
    Failure::new(Exit::Stale, message).advice(
        "The configuration, the state or a secret has changed since the review. Review this plan and give its digest, \
         which `plan --json`, `plan --format json` and comments show.",
    )
}

/// The error when the owner of the credentials is not the expected one.
fn unexpected_owner(account: &AccountName, expected: &AccountId, owner: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the account `{account}` belong to the Tencent Cloud account {owner}, but \
         `expect_account_id` says {expected}; nothing was called"
    ))
    .advice("Use the credentials of that account, or correct `expect_account_id`.")
}

/// The error when an owner is expected, and the real one can't be found out.
fn owner_unknown(account: &AccountName, expected: &AccountId, why: ApiError) -> Failure {
    unanswered(
        &format!(
            "can't check that the credentials of the account `{account}` belong to the Tencent Cloud account {expected}, \
             as `expect_account_id` says"
        ),
        why,
    )
    .advice(
        "Try again. If it persists, check that sts.tencentcloudapi.com can be reached, or remove `expect_account_id`.",
    )
}

/// The error when the recorded callbacks belong to a known owner, and that of new credentials can't be found out.
fn recorded_owner_unknown(account: &AccountName, before: &AccountId, why: ApiError) -> Failure {
    unanswered(
        &format!(
            "can't check that the credentials of the account `{account}` belong to the Tencent Cloud account {before}, \
             with which its callbacks were recorded"
        ),
        why,
    )
    .advice(
        "They are not known to be the credentials of the last apply, and those of another enterprise would make every \
         recorded callback look deleted. Try again. If it persists, check that sts.tencentcloudapi.com can be reached, \
         also through HTTPS_PROXY; or use the SecretId of the last apply, which needs no answer.",
    )
}

/// The error when two accounts share URLs, and may belong to one owner.
fn perhaps_same_owner(one: &AccountName, other: &AccountName, why: ApiError) -> Failure {
    unanswered(
        &format!(
            "can't check that the credentials of the accounts `{one}` and `{other}`, which share URLs, belong to \
             different Tencent Cloud accounts"
        ),
        why,
    )
    .advice(format!(
        "If both belong to one, a callback that is deleted or replaced for one account is so for the other. Try again. If \
         it persists, check that sts.tencentcloudapi.com can be reached, also through HTTPS_PROXY. If `{one}` is the new \
         name of `{other}`, write `formerly: {other}` under it."
    ))
}

/// The error of a question that the security token service did not answer.
fn unanswered(question: &str, why: ApiError) -> Failure {
    let ApiError {
        code,
        message,
        request_id,
        meaning: _,
        advice: _,
    } = why;
    let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
    let id = request_id.map(|id| format!(" [request id {id}]"));
    let id = id.unwrap_or_default();
    let answer = format!("{code}{message}{id}");
    Failure::error(format!("{question}: {answer}; nothing was called"))
        .lines(vec![format!("{question}; nothing was called"), answer])
}

/// The error when two accounts have credentials of one owner.
fn same_owner(one: &AccountName, other: &AccountName, owner: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the accounts `{one}` and `{other}` belong to one Tencent Cloud account ({owner}), so they \
         are one account to eSign, and a callback deleted for one would be deleted for the other; nothing was called"
    ))
    .advice(
        "Use one account for both, or correct the credentials of one. If one is the new name of the other, write the old \
         name under `formerly:` of the new one.",
    )
}

/// The error when the recorded callbacks belong to another enterprise than the credentials.
fn other_owner(account: &AccountName, before: &AccountId, owner: &AccountId) -> Failure {
    Failure::error(format!(
        "the credentials of the account `{account}` belong to the Tencent Cloud account {owner}, but its callbacks were \
         recorded with those of {before}, which is another enterprise; nothing was called"
    ))
    .advice(format!(
        "Use credentials of {before}, or declare {owner} as a separate account. To leave the callbacks of `{account}` at \
         eSign as they are, forget them with `ess-callbacks state rm`."
    ))
}

/// The error when an account is another one under a new name.
fn same_account(name: &AccountName, other: &AccountName) -> Failure {
    let message = format!(
        "the account `{name}` has the credentials that the callbacks of the account `{other}` were recorded with, or \
         others of the same Tencent Cloud account, so they are one account to eSign; nothing was called"
    );
    Failure::error(message).advice(format!(
        "If `{name}` is the new name of `{other}`, write `formerly: {other}` under it. Otherwise correct the \
         credentials of one."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Environment, Lineage, Recorded, Salt};
    use crate::state::Place;

    fn advice(rescue: Option<Rescue>, folder: &Path) -> String {
        let error = StateError::LockLost {
            place: Place::new("memory://state"),
        };
        let failure = unsaved(Unsaved { error, rescue }, folder);
        assert_eq!(failure.exit, Exit::Incomplete);
        failure.advice.unwrap()
    }

    #[test]
    fn the_advice_says_what_the_journal_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let whole = advice(None, folder.path());
        let cause =
            "`unlock` was run, or this run wrote nothing for so long that another one took over. ";
        assert!(whole.starts_with(cause), "{whole}");
        assert!(whole.contains("has every outcome"), "{whole}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        let mut recorded = Recorded::nothing(Environment::Test);
        recorded.lineage = Some(Lineage(uuid::Uuid::nil()));
        recorded.salt = Some(Salt([0; 16]));
        let rescue = Rescue {
            recorded,
            ended: Vec::new(),
        };
        // A copy of an earlier run stays.
        for name in ["callbacks.emergency-0.json", "callbacks.emergency-0-2.json"] {
            let lacking = advice(Some(rescue.clone()), folder.path());
            assert!(lacking.contains("not every outcome"), "{lacking}");
            assert!(lacking.contains(name), "{lacking}");
            assert!(folder.path().join(name).exists());
        }
        // A store that has lost records may lack more than that.
        let error = StateError::Damaged {
            place: Place::new("memory://state"),
            problem: "its record 3 is missing".into(),
        };
        let copy = Some(rescue.clone());
        let damaged = unsaved(
            Unsaved {
                error,
                rescue: copy,
            },
            folder.path(),
        );
        let advice_then = damaged.advice.unwrap();
        assert!(advice_then.contains("the whole state"), "{advice_then}");
        let elsewhere = advice(Some(rescue), &folder.path().join("missing"));
        let temporary = std::env::temp_dir().display().to_string();
        assert!(elsewhere.contains(&temporary), "{elsewhere}");
        let is_copy = |part: &&str| part.starts_with(&temporary);
        let copy = elsewhere.split('`').find(is_copy).unwrap();
        std::fs::remove_file(copy).unwrap();
    }
}
