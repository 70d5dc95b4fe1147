//! The scope of a change whose handle is ambiguous: an organization with a new scope is in the plan
//! twice, with the old scope and with the new one.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{Handle, Scope};
use crate::plan::{Move, OrganizationPlan, Plan, Update};
use crate::render::escape::{Clean, Quoted};
use crate::render::style::{Style, Tone};
use crate::render::words::counted;

/// The handles of a plan that have more than one scope.
#[derive(Debug)]
pub(crate) struct Ambiguous<'a>(BTreeSet<&'a Handle>);

impl<'a> Ambiguous<'a> {
    pub(crate) fn of(plan: &'a Plan) -> Self {
        let mut seen = BTreeSet::new();
        let mut ambiguous = BTreeSet::new();
        for organization in &plan.organizations {
            let again = !seen.insert(&organization.handle);
            if again || organization.successor.is_some() {
                ambiguous.insert(&organization.handle);
            }
        }
        Self(ambiguous)
    }

    pub(crate) fn names(&self, handle: &Handle) -> bool {
        self.0.contains(handle)
    }

    /// The scope, if the organization's handle is ambiguous.
    pub(crate) fn scope<'o>(&self, organization: &'o OrganizationPlan) -> Option<&'o Scope> {
        self.names(&organization.handle)
            .then_some(&*organization.scope)
    }

    /// Like [`Self::scope`], for a change of the record.
    pub(crate) fn scope_of<'u>(&self, update: &Update<'u>) -> Option<&'u Scope> {
        self.names(update.handle).then_some(update.scope)
    }
}

/// The fields of a scope in callbacks.yaml, with their values as written there.
pub(crate) fn fields(scope: &Scope) -> [(&'static str, Option<String>); 3] {
    let Scope {
        environment: _,
        account,
        organization,
        app_id,
    } = scope;
    [
        ("account", Some(Quoted(account).to_string())),
        (
            "proxy_organization_id",
            organization.as_ref().map(|id| Quoted(id).to_string()),
        ),
        ("app_id", app_id.as_ref().map(|id| Quoted(id).to_string())),
    ]
}

/// `account "default", proxy_organization_id "yD…"`
pub(crate) fn words(scope: &Scope) -> String {
    let fields = fields(scope).into_iter();
    let named: Vec<_> = fields
        .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
        .collect();
    named.join(", ")
}

/// `proxy_organization_id = "yD…" -> "yE…"`, for each field that differs.
pub(crate) fn differences(old: &Scope, new: &Scope) -> Vec<String> {
    let value = |value: Option<String>| value.unwrap_or_else(|| "(none)".to_owned());
    fields(old)
        .into_iter()
        .zip(fields(new))
        .filter(|((_, old), (_, new))| old != new)
        .map(|((name, old), (_, new))| format!("{name} = {} -> {}", value(old), value(new)))
        .collect()
}

pub(crate) fn move_text(item: &Move, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let Move {
        handle,
        from,
        to,
        callbacks,
        renamed: _,
    } = item;
    let heading = format!("  # {} has moved, without a call", Clean(handle));
    writeln!(out, "{}", style.paint(Tone::Strong, heading))?;
    writeln!(
        out,
        "  # ({}; nothing changes at eSign)",
        counted(*callbacks, "recorded callback", "recorded callbacks")
    )?;
    let mark = || style.paint(Tone::Change, "~");
    writeln!(out, "  {} organization {{", mark())?;
    for difference in differences(from, to) {
        writeln!(out, "      {} {difference}", mark())?;
    }
    out.write_str("    }\n")
}
