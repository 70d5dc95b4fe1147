//! Finds recorded callbacks by their addresses.

use std::sync::Arc;

use crate::cli::exit::Failure;
use crate::model::{Address, Identity, Recorded};
use crate::plan::Pattern;

pub(super) struct Found {
    pub(super) identity: Identity,
    pub(super) address: Address,
}

/// The callbacks that these patterns match, or all without a pattern. A pattern that matches none is an error.
pub(super) fn find(recorded: &Recorded, texts: &[String]) -> Result<Vec<Found>, Failure> {
    let patterns = texts
        .iter()
        .map(|text| Pattern::parse(text).map_err(|error| Failure::usage(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut used = vec![false; patterns.len()];
    let mut found = Vec::new();
    for (scope, url, entry) in recorded.by_handle() {
        let address = Address {
            handle: entry.handle.clone(),
            url: url.clone(),
        };
        let mut wanted = patterns.is_empty();
        for (pattern, used) in patterns.iter().zip(&mut used) {
            let matches = pattern.matches(&address);
            *used |= matches;
            wanted |= matches;
        }
        if wanted {
            found.push(Found {
                identity: Identity {
                    scope: Arc::clone(scope),
                    url: url.clone(),
                },
                address,
            });
        }
    }
    match used.iter().position(|used| !used) {
        Some(at) => Err(
            Failure::error(format!("no recorded callback matches `{}`", patterns[at]))
                .advice("`ess-callbacks state list` lists them all."),
        ),
        None => Ok(found),
    }
}
