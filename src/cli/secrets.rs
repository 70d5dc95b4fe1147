//! Resolves secret references to values, checks the values, and makes their fingerprints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::config::{SecretProblem, SecretRole, check_secret};
use crate::model::SecretIndex;
use crate::plan::FingerprintTable;
use crate::secret::{Fingerprinter, Secret, SecretReference};

/// How references are resolved.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    /// Relative files start here, and commands run here.
    pub(super) folder: PathBuf,
    /// Whether `command` references may run.
    pub(super) allow_commands: bool,
    /// Whether what is not set gets a throw-away value.
    pub(super) sandbox: bool,
}

/// The values of a configuration's secrets.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) values: BTreeMap<SecretIndex, Secret>,
    /// How many of them are throw-away values of the sandbox.
    pub(super) made_up: usize,
}

/// A secret and what it is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) index: SecretIndex,
    pub(super) token: bool,
}

impl Resolver {
    /// Resolves and checks every use; all problems together.
    pub(super) fn resolve(
        &self,
        uses: &BTreeSet<Use>,
        reference: impl Fn(SecretIndex) -> SecretReference,
    ) -> Result<Values, Vec<(SecretIndex, SecretProblem)>> {
        let mut values = Values::default();
        let mut problems = Vec::new();
        let mut failed = BTreeSet::new();
        for Use { index, token } in uses {
            if !values.values.contains_key(index) && !failed.contains(index) {
                match self.value(&reference(*index)) {
                    Ok((value, made_up)) => {
                        values.made_up += usize::from(made_up);
                        values.values.insert(*index, value);
                    }
                    Err(problem) => {
                        failed.insert(*index);
                        problems.push((*index, problem));
                    }
                }
            }
            let role = if *token {
                SecretRole::Token
            } else {
                SecretRole::Key
            };
            if let Some(Err(problem)) = values
                .values
                .get(index)
                .map(|value| check_secret(role, value))
            {
                problems.push((*index, problem));
            }
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(problems)
        }
    }

    fn value(&self, reference: &SecretReference) -> Result<(Secret, bool), SecretProblem> {
        let found = match reference {
            SecretReference::Env(name) => variable(name, reference),
            SecretReference::File(path) => file(&self.folder.join(path), path, reference),
            SecretReference::Command(words) if self.allow_commands => {
                command(words, &self.folder, reference)
            }
            SecretReference::Command(words) => {
                Err(SecretProblem::command_not_allowed(program(words)))
            }
        };
        match found {
            Err(_) if self.sandbox => Ok((throw_away(reference), true)),
            found => Ok((found?, false)),
        }
    }
}

/// The fingerprints of every pair that is used.
pub(super) fn fingerprints(
    fingerprinter: Fingerprinter,
    pairs: impl IntoIterator<Item = (Option<SecretIndex>, Option<SecretIndex>)>,
    values: &BTreeMap<SecretIndex, Secret>,
) -> FingerprintTable {
    let mut table = FingerprintTable::new();
    for (key, token) in pairs {
        table.entry((key, token)).or_insert_with(|| {
            let value = |index: Option<SecretIndex>| index.and_then(|index| values.get(&index));
            fingerprinter.fingerprints(value(key), value(token))
        });
    }
    table
}

fn variable(name: &str, reference: &SecretReference) -> Result<Secret, SecretProblem> {
    match std::env::var(name) {
        Ok(value) => Ok(Secret::new(value)),
        Err(std::env::VarError::NotPresent) => Err(SecretProblem::not_set(name)),
        Err(std::env::VarError::NotUnicode(_)) => Err(SecretProblem::not_text(reference)),
    }
}

fn file(path: &Path, shown: &str, reference: &SecretReference) -> Result<Secret, SecretProblem> {
    let bytes = std::fs::read(path)
        .map_err(|error| SecretProblem::unreadable(shown, &error.to_string()))?;
    text(bytes, reference)
}

/// Runs a command without a shell. What it prints on standard error is the user's to see; what it
/// prints on standard output is the secret.
fn command(
    words: &[String],
    folder: &Path,
    reference: &SecretReference,
) -> Result<Secret, SecretProblem> {
    let failed = |why: &str| SecretProblem::command_failed(program(words), why);
    let (name, arguments) = words
        .split_first()
        .ok_or_else(|| failed("it has no name"))?;
    let output = Command::new(name)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(&output.status.to_string()));
    }
    text(output.stdout, reference)
}

fn program(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

fn text(bytes: Vec<u8>, reference: &SecretReference) -> Result<Secret, SecretProblem> {
    let mut text = String::from_utf8(bytes).map_err(|_| SecretProblem::not_text(reference))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::new(text))
}

/// What the sandbox uses for a secret that is not set: always the same for one reference, so that a
/// second run finds nothing to do.
fn throw_away(reference: &SecretReference) -> Secret {
    let digest = Sha256::digest(format!("ess-callbacks sandbox: {reference:?}").as_bytes());
    Secret::new(hex::encode(&digest[..16]))
}
