//! The same URL in both environments: a receiver that gets test contracts among the real ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::report::Report;
use super::{Source, code, parse};
use crate::model::{CallbackUrl, Desired, Environment};

/// What another configuration declares.
#[derive(Debug)]
pub(super) struct Elsewhere {
    environment: Environment,
    name: Arc<str>,
    /// Each URL and the line of its first callback.
    lines: BTreeMap<CallbackUrl, u32>,
}

/// What those of the files are configurations declare. What else they are is no concern of this one.
pub(super) fn of(files: &[Source]) -> Vec<Elsewhere> {
    files.iter().filter_map(read).collect()
}

fn read(source: &Source) -> Option<Elsewhere> {
    let desired = parse(std::slice::from_ref(source)).ok()?.desired;
    let callbacks = desired
        .organizations
        .iter()
        .flat_map(|organization| &organization.callbacks);
    let mut lines = BTreeMap::new();
    for callback in callbacks {
        lines
            .entry(callback.url.clone())
            .or_insert(callback.place.line);
    }
    Some(Elsewhere {
        environment: desired.environment,
        name: Arc::clone(&source.name),
        lines,
    })
}

/// Warns of URLs that are declared for the other environment too.
pub(super) fn check(desired: &Desired, elsewhere: &[Elsewhere], report: &mut Report) {
    let others = || {
        elsewhere
            .iter()
            .filter(|other| other.environment != desired.environment)
    };
    let organizations = desired.organizations.iter();
    for callback in organizations.flat_map(|organization| &organization.callbacks) {
        let found = others().find_map(|other| Some((other, other.lines.get(&callback.url)?)));
        let Some((other, line)) = found else {
            continue;
        };
        report.warning(
            callback.place,
            callback.url.as_str().len(),
            code::ELSEWHERE,
            format!(
                "this URL is also declared for the {} environment in {}:{line}",
                other.environment.as_str(),
                other.name
            ),
            "the receiver can't tell real messages from those of the test environment; give each environment a URL",
        );
    }
}
