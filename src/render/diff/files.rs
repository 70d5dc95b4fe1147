//! The files of a diff: one for each organization with calls or changes of the record.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{CallbackUrl, Calls, Handle, Scope};
use crate::plan::{Change, Plan, Update, Updated};
use crate::render::escape::Quoted;
use crate::render::text::scope_fields;
use crate::render::words::counted;

/// The parts of one organization's file.
#[derive(Default)]
pub(super) struct File<'a> {
    /// Its own lines, as recorded and as they will be.
    pub(super) own: Vec<(String, String)>,
    pub(super) callbacks: BTreeMap<&'a CallbackUrl, Callback<'a>>,
}

#[derive(Default)]
pub(super) struct Callback<'a> {
    pub(super) change: Option<&'a Change>,
    /// The old and the new protection, if it changes in the record.
    pub(super) protect: Option<(bool, bool)>,
}

/// The organizations with calls or changes of the record, in order.
pub(super) fn files(plan: &Plan) -> BTreeMap<(&Handle, &Scope), File<'_>> {
    let mut files: BTreeMap<(&Handle, &Scope), File<'_>> = BTreeMap::new();
    for organization in &plan.organizations {
        let changes = &organization.changes;
        // For other organizations a saved plan has only the changes, so only these are shown.
        if changes
            .iter()
            .all(|change| change.calls() == Calls::Nothing)
        {
            continue;
        }
        let file = files
            .entry((&organization.handle, &organization.scope))
            .or_default();
        for change in changes {
            let callback = file.callbacks.entry(&change.address.url).or_default();
            callback.change = Some(change);
        }
    }
    for item in &plan.moves {
        let file = files.entry((&item.handle, &item.to)).or_default();
        let fields = scope_fields(&item.from)
            .into_iter()
            .zip(scope_fields(&item.to));
        let line = |name, value: Option<String>| {
            value.map_or_else(String::new, |value| format!("{name}: {value}\n"))
        };
        file.own.extend(
            fields
                .filter(|(old, new)| old != new)
                .map(|((name, old), (_, new))| (line(name, old), line(name, new))),
        );
    }
    for Update {
        handle,
        scope,
        field,
    } in plan.updates()
    {
        let file = files.entry((handle, scope)).or_default();
        let own = |name, value: &dyn fmt::Display, callbacks| {
            let of = counted(callbacks, "callback", "callbacks");
            format!("{name}: {} ({of})\n", Quoted(value))
        };
        match field {
            Updated::Handle {
                before,
                after,
                callbacks,
            } => file.own.push((
                own("handle", before, callbacks),
                own("handle", after, callbacks),
            )),
            Updated::Operator {
                before,
                after,
                callbacks,
            } => file.own.push((
                own("operator", before, callbacks),
                own("operator", after, callbacks),
            )),
            Updated::Protect { url, before, after } => {
                let callback = file.callbacks.entry(url).or_default();
                callback.protect = Some((before, after));
            }
        }
    }
    files
}
