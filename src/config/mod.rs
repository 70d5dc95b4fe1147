//! callbacks.yaml: text in, a checked [`Desired`] out, or everything that is wrong with it.
//!
//! Reading has three stages. `raw` turns each file into a tree that may hold wrong things, `merge`
//! (with `organization`, `values`, `keys`) makes one configuration of all trees and reports what is
//! wrong, `warn` looks at the good configuration for what is seldom meant. `source` alone knows the
//! YAML crate.
//!
//! Invariants: a [`Desired`] from here passed every check; its content does not depend on the order
//! of organizations, callbacks and files; no diagnostic shows a secret that stands in the file; the
//! time is linear (but for sorting) in the size of the files.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the configuration is a pure function of its text; files and variables are read by `cli`"
)]

mod accept;
mod account;
mod alike;
mod callback;
mod code;
mod conceal;
mod cut;
mod elsewhere;
mod excerpt;
mod file;
mod inherit;
mod keys;
mod merge;
mod name;
mod names;
mod organization;
mod owners;
mod placeholder;
mod raw;
mod report;
mod schema;
mod secret;
mod shared;
mod source;
mod url;
mod values;
mod variables;
mod warn;

pub use code::{CODES, CodeDoc};
pub use file::MAX_BYTES;
pub use report::snippet;
pub use schema::schema;
pub use secret::{SecretProblem, SecretRole, check_secret};
pub use source::same_meaning;
pub use variables::Given;

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::diag::{Diagnostic, Severity};
use crate::model::Desired;
use elsewhere::Elsewhere;
use variables::Variables;

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What to call it in messages: its path as the user gave it, or `<stdin>`.
    pub name: Arc<str>,
    /// Its bytes. UTF-8, with or without a byte order mark.
    pub text: Vec<u8>,
}

/// A configuration without errors.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What is declared.
    pub desired: Desired,
    /// What is allowed but seldom meant, in the order of the files.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a configuration: one file, or all files of a directory merged.
///
/// Of several files, each may say anything, but what two of them say must be equal; an organization
/// lives in one file. `defaults` and `accounts` hold for all files.
///
/// # Errors
/// All errors and warnings, in the order of the files, when there is at least one error.
pub fn parse(sources: &[Source]) -> Result<Parsed, Vec<Diagnostic>> {
    parse_with(sources, &Given::default(), &[])
}

/// The same with other values for variables than the files have, and a look at the files beside them,
/// which may be configurations of the other environment.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    sources: &[Source],
    given: &Given,
    beside: &[Source],
) -> Result<Parsed, Vec<Diagnostic>> {
    let elsewhere = elsewhere::of(beside);
    parse_in_stretches(sources, given, &elsewhere, cut::STRETCH)
}

/// The same, with large files read in stretches of about so many bytes, which changes nothing.
fn parse_in_stretches(
    sources: &[Source],
    given: &Given,
    elsewhere: &[Elsewhere],
    stretch: usize,
) -> Result<Parsed, Vec<Diagnostic>> {
    if sources.is_empty() {
        return Err(vec![no_files()]);
    }
    let variables = Variables::of(sources, given);
    let files = open(sources, &variables, stretch);
    let texts: Vec<_> = files.iter().map(|file| file.text).collect();
    let mut merge = merge::Merge::new(sources);
    for (number, file) in (0..).zip(files) {
        merge.add(number, file);
    }
    let (mut desired, mut report) = merge.finish();
    variables.check(given, &mut report);
    warn::check(&desired, &mut report);
    elsewhere::check(&desired, elsewhere, &mut report);
    for secret in &mut desired.secrets {
        secret.accepted = report.acceptances.of_value(secret.place);
    }
    let good = !report.has_errors();
    let diagnostics = report.finish(sources, &texts);
    if good {
        Ok(Parsed {
            desired,
            warnings: diagnostics,
        })
    } else {
        Err(diagnostics)
    }
}

/// Reads every file.
fn open<'s>(
    sources: &'s [Source],
    variables: &'s Variables,
    stretch: usize,
) -> Vec<file::File<'s>> {
    let numbered: Vec<_> = (0..).zip(sources).collect();
    let looked = side_by_side(&numbered, |(number, source)| {
        file::look(*number, source, stretch, variables)
    });
    let stretches: Vec<_> = looked
        .iter()
        .map(|looked| {
            looked
                .as_ref()
                .map_or_else(|_| Vec::new(), file::Sheet::stretches)
        })
        .collect();
    let mut parts = side_by_side(&stretches.concat(), file::Stretch::read).into_iter();
    let files = looked.into_iter().zip(stretches);
    files
        .map(|(looked, stretches)| match looked {
            Ok(sheet) => sheet.file(parts.by_ref().take(stretches.len()).collect()),
            Err(file) => *file,
        })
        .collect()
}

/// Does the work on all items, on as many cores as there are: they know nothing of each other. The
/// results are in the order of the items, whoever was faster.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(items.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                return done;
            };
            done.push((number, work(item)));
        }
    };
    let mut results = thread::scope(|scope| {
        // Without more threads there is still this one.
        let helpers: Vec<_> = (1..workers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut results = work();
        for helper in helpers {
            results.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

fn no_files() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: code::NO_FILES,
        message: "there is no configuration file: the directory holds no `*.yaml` or `*.yml`"
            .to_owned(),
        snippet: None,
        help: Some("`ess-callbacks init` writes one to begin with".to_owned()),
    }
}
