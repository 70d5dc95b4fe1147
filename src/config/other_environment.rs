//! The same URL in both environments: a receiver that gets test contracts among the real ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::code;
use super::report::Report;
use crate::model::{CallbackUrl, Desired, Environment};

/// The URLs that another configuration declares.
#[derive(Debug)]
pub(super) struct OtherConfiguration {
    environment: Environment,
    /// The name of the file.
    name: Arc<str>,
    /// The line of the first callback with each URL.
    lines: BTreeMap<CallbackUrl, u32>,
}

impl OtherConfiguration {
    pub(super) fn new(name: &Arc<str>, desired: &Desired) -> Self {
        let organizations = desired.organizations.iter();
        let mut lines = BTreeMap::new();
        for callback in organizations.flat_map(|organization| &organization.callbacks) {
            lines
                .entry(callback.url.clone())
                .or_insert(callback.place.line);
        }
        Self {
            environment: desired.environment,
            name: Arc::clone(name),
            lines,
        }
    }
}

/// Warns of URLs that are declared for the other environment too.
pub(super) fn check(desired: &Desired, others: &[OtherConfiguration], report: &mut Report) {
    let others = || {
        others
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
            "the receiver can't tell real messages from those of the test environment; use a different URL in each environment",
        );
    }
}
