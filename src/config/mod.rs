//! callbacks.yaml: from text to a checked [`Desired`], or to all errors.
//!
//! The modules in the order in which they are used. Each imports only modules above it:
//!
//! | module | what it does |
//! |---|---|
//! | `source`, `code` | the bytes of a file; the codes of all errors and warnings |
//! | `name`, `url`, `placeholder`, `secret`, `similar_urls` | which names, URLs and secrets are allowed |
//! | `report` | collects problems, and adds their excerpts at the end, with secrets masked |
//! | `variables` | replaces `${name}` in a string |
//! | `yaml` | text → tokens with positions; aliases and variables are replaced |
//! | `raw` | tokens → the tree of a file, in which values may have a wrong type |
//! | `declarations` | a first pass that reads only `vars` of every file |
//! | `read` | the tree → checked values of one file |
//! | `file` | bytes → tree |
//! | `merge` | all files → one [`Desired`], with defaults and inherited callbacks |
//! | `warn`, `other_environment` | warnings about a `Desired` |
//! | `schema` | the JSON Schema, made from the types in `raw` |
//!
//! [`parse_with`] calls them in this order.
//!
//! Invariants: a [`Desired`] from here has passed every check. Its content does not depend on the order of
//! organizations, callbacks and files. No diagnostic shows a secret that is written in a file. The time is
//! linear in the size of the files, apart from sorting.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the configuration is a pure function of its text; files and variables are read by `cli`"
)]

mod code;
mod declarations;
mod file;
mod merge;
mod name;
mod other_environment;
mod placeholder;
mod raw;
mod read;
mod report;
mod role;
mod schema;
mod secret;
mod similar_urls;
mod source;
mod url;
mod variables;
mod warn;
mod yaml;

pub use code::{CODES, CodeDoc};
pub use file::MAX_BYTES;
pub(crate) use file::oversized;
pub use report::snippet;
pub use schema::schema;
pub use secret::{SecretProblem, SecretRole, check_secret};
pub use source::Source;
pub use variables::Overrides;
pub use yaml::same_meaning;

use crate::diag::{Diagnostic, Severity};
use crate::model::{CallbackUrl, Desired};
use merge::Merge;
use other_environment::OtherConfiguration;

/// A configuration without errors.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub desired: Desired,
    /// In the order of the files.
    pub warnings: Vec<Diagnostic>,
}

/// The first error of a callback URL that is not in a file, if it has one.
pub fn url_error(url: &str) -> Option<String> {
    let first = url::errors(url).into_iter().next()?;
    Some(match first.help {
        Some(help) => format!("{}; {help}", first.message),
        None => first.message,
    })
}

/// What there is to say against a URL that is not in a file and has no error, though not against that of the callback
/// beside it.
pub fn url_warnings(url: &CallbackUrl, beside: &CallbackUrl) -> Vec<String> {
    let known: Vec<_> = warn::of_url(beside).map(|(code, ..)| code).collect();
    warn::of_url(url)
        .filter(|(code, ..)| !known.contains(code))
        .map(|(_, message, help)| format!("{message}; {help}"))
        .collect()
}

/// Whether two URLs differ only in what a server or eSign may overlook: case, the default port, slashes, needless escapes,
/// or http and https.
pub fn are_similar(one: &CallbackUrl, other: &CallbackUrl) -> bool {
    similar_urls::normalized(one.as_str()) == similar_urls::normalized(other.as_str())
}

/// Reads a configuration: one file, or all files of a directory merged.
///
/// Of several files, each may set any field, but what two of them set must be equal; an organization
/// is in one file. `defaults` and `accounts` apply to all files.
///
/// # Errors
/// All errors and warnings, in the order of the files, when there is at least one error.
pub fn parse(sources: &[Source]) -> Result<Parsed, Vec<Diagnostic>> {
    parse_with(sources, &Overrides::default(), &[])
}

/// Reads a configuration with overrides of variables. Warns of URLs that a file in `beside` declares for the
/// other environment.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    sources: &[Source],
    overrides: &Overrides,
    beside: &[Source],
) -> Result<Parsed, Vec<Diagnostic>> {
    if sources.is_empty() {
        return Err(vec![no_files()]);
    }
    let variables = declarations::variables(sources, overrides);
    let mut merge = Merge::new(sources);
    let mut texts = Vec::with_capacity(sources.len());
    for (number, source) in (0..).zip(sources) {
        let file = file::read(number, source, &variables, merge.shared());
        texts.push(file.text);
        merge.add(number, file);
    }
    let (mut desired, mut report) = merge.finish();
    declarations::check_overrides(&variables, overrides, &mut report);
    warn::check(&desired, &mut report);
    let others: Vec<_> = beside.iter().filter_map(other_configuration).collect();
    other_environment::check(&desired, &others, &mut report);
    for secret in &mut desired.secrets {
        secret.accepted = report.acceptances.of_value(secret.place);
    }
    let has_errors = report.has_errors();
    let diagnostics = report.finish(sources, &texts);
    if has_errors {
        return Err(diagnostics);
    }
    Ok(Parsed {
        desired,
        warnings: diagnostics,
    })
}

/// What a file beside the configuration declares, if it is a valid configuration by itself.
fn other_configuration(source: &Source) -> Option<OtherConfiguration> {
    let parsed = parse(std::slice::from_ref(source)).ok()?;
    Some(OtherConfiguration::new(&source.name, &parsed.desired))
}

fn no_files() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: code::NO_FILES,
        message: "no configuration file: the directory has no `*.yaml` or `*.yml`".to_owned(),
        snippet: None,
        help: Some("run `ess-callbacks init` to create one".to_owned()),
    }
}
