//! The JSON lines before and after an apply's events.

use serde::Serialize;

use crate::diag::{Diagnostic, Severity};
use crate::facts::{LocalScopeJson, ResourceJson};
use crate::model::{Action, Handle, Report, Timestamp};
use crate::plan::{
    Change, Move, OrganizationPlan, Plan, Reason, Summary, Update, Updated, calls_digest,
};
use crate::render::escape::Clean;
use crate::render::json_line::{Level, line};
use crate::render::{report, text, words};

/// The version of the format.
const UI_VERSION: &str = "1.2";

/// The first line: the versions of the program and of this format.
pub fn version_json(program: &str, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        ess_callbacks: &'a str,
        ui: &'static str,
    }
    line(
        (Level::Info, "version"),
        &format!("ess-callbacks {program}"),
        at,
        Payload {
            ess_callbacks: program,
            ui: UI_VERSION,
        },
    )
}

/// A message of a command that is neither an event nor a problem, like Terraform's `log`.
pub fn log_json(message: &str, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload {}
    line(
        (Level::Info, "log"),
        &Clean(message.trim_end()).to_string(),
        at,
        Payload {},
    )
}

/// A problem in the configuration.
pub fn diagnostic_json(diagnostic: &Diagnostic, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        diagnostic: &'a Diagnostic,
    }
    let level = match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warn,
    };
    line(
        (level, "diagnostic"),
        &format!("{}: {}", diagnostic.severity, Clean(&diagnostic.message)),
        at,
        Payload { diagnostic },
    )
}

/// A scope that will be recorded under another account.
pub fn planned_move_json(item: &Move, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        r#move: Moved<'a>,
    }
    #[derive(Serialize)]
    struct Moved<'a> {
        organization: &'a Handle,
        from: LocalScopeJson<'a>,
        to: LocalScopeJson<'a>,
        callbacks: usize,
    }
    let Move {
        handle,
        from,
        to,
        callbacks,
        renamed: _,
    } = item;
    line(
        (Level::Info, "planned_move"),
        &format!(
            "{}: Plan to record under the account {}",
            Clean(handle),
            Clean(&to.account)
        ),
        at,
        Payload {
            r#move: Moved {
                organization: handle,
                from: LocalScopeJson::from(&**from),
                to: LocalScopeJson::from(&**to),
                callbacks: *callbacks,
            },
        },
    )
}

pub fn planned_update_json(update: &Update<'_>, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        update: Planned<'a>,
    }
    #[derive(Serialize)]
    struct Planned<'a> {
        organization: &'a Handle,
        scope: LocalScopeJson<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        resource: Option<ResourceJson<'a>>,
        field: &'static str,
        before: Value<'a>,
        after: Value<'a>,
        callbacks: usize,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Value<'a> {
        Text(&'a str),
        Flag(bool),
    }
    let Update {
        handle,
        scope,
        field,
    } = *update;
    let address = update.address();
    let (field, before, after, callbacks) = match field {
        Updated::Handle {
            before,
            after,
            callbacks,
        } => (
            "handle",
            Value::Text(before.as_str()),
            Value::Text(after.as_str()),
            callbacks,
        ),
        Updated::Operator {
            before,
            after,
            callbacks,
        } => (
            "operator",
            Value::Text(before.as_str()),
            Value::Text(after.as_str()),
            callbacks,
        ),
        Updated::Protect {
            url: _,
            before,
            after,
        } => ("protect", Value::Flag(before), Value::Flag(after), 1),
    };
    line(
        (Level::Info, "planned_update"),
        &text::update_words(update, None),
        at,
        Payload {
            update: Planned {
                organization: handle,
                scope: LocalScopeJson::from(scope),
                resource: address.as_ref().map(ResourceJson::from),
                field,
                before,
                after,
                callbacks,
            },
        },
    )
}

pub fn planned_change_json(
    organization: &OrganizationPlan,
    change: &Change,
    at: Timestamp,
) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        change: Planned<'a>,
    }
    #[derive(Serialize)]
    struct Planned<'a> {
        resource: ResourceJson<'a>,
        scope: LocalScopeJson<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        successor: Option<LocalScopeJson<'a>>,
        action: Action,
        reason: Reason,
    }
    line(
        (Level::Info, "planned_change"),
        &format!(
            "{}: Plan to {}",
            Clean(&change.address),
            words::plan_to(change.action)
        ),
        at,
        Payload {
            change: Planned {
                resource: ResourceJson::from(&change.address),
                scope: LocalScopeJson::from(&*organization.scope),
                successor: organization.successor.as_deref().map(LocalScopeJson::from),
                action: change.action,
                reason: change.reason,
            },
        },
    )
}

/// Counts, by Terraform's names.
#[derive(Serialize)]
struct Changes {
    add: usize,
    change: usize,
    remove: usize,
    operation: &'static str,
}

pub fn change_summary_json(plan: &Plan, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload<'a> {
        changes: Changes,
        summary: &'a Summary,
        digest: String,
    }
    line(
        (Level::Info, "change_summary"),
        &text::summary_line(plan),
        at,
        Payload {
            changes: Changes {
                add: plan.summary.to_add,
                change: plan.summary.to_change,
                remove: plan.summary.to_destroy,
                operation: "plan",
            },
            summary: &plan.summary,
            digest: calls_digest(plan),
        },
    )
}

/// The counts of an apply, in the form of a plan's.
pub fn apply_summary_json(applied: &Report, at: Timestamp) -> String {
    #[derive(Serialize)]
    struct Payload {
        changes: Changes,
    }
    line(
        (Level::Info, "change_summary"),
        &report::headline(applied),
        at,
        Payload {
            changes: Changes {
                add: applied.tally.added,
                change: applied.tally.changed,
                remove: applied.tally.destroyed,
                operation: "apply",
            },
        },
    )
}
