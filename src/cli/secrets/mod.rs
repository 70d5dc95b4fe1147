//! Resolves secret references to values, checks the values and computes their fingerprints.

mod command;
mod file;
pub(crate) mod given;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::secret_commands::Commands;
use crate::cli::process::signals::Signals;
use crate::config::{SecretProblem, SecretRole, check_secret};
use crate::diag::Severity;
use crate::model::{
    Account, AccountSource, AssumeRole, CredentialVariables, IdentityToken, SecretIndex,
    WebIdentity,
};
use crate::plan::{Change, FingerprintTable, Plan};
use crate::secret::{Check, Fingerprinter, Secret, SecretReference};
use command::Ended;
pub(crate) use given::given;

/// The maximum size of a file or of the output of a command. Secrets are much smaller.
const MAX_BYTES: usize = 64 << 10;

#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    /// Relative paths start here, and commands run here.
    folder: PathBuf,
    allow_commands: bool,
    command_timeout: Duration,
    /// Variables that commands do not get, besides those that no command gets.
    withheld: BTreeSet<String>,
    /// Whether a secret that is not set gets a generated value.
    sandbox: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) known: BTreeMap<SecretIndex, Secret>,
    /// Problems that are no errors.
    pub(crate) warnings: Vec<(SecretIndex, SecretProblem)>,
    /// How many were generated for the sandbox.
    pub(crate) generated: usize,
}

/// Why there are no values.
#[derive(Debug)]
pub(crate) enum Unresolved {
    /// Everything that is wrong with the values, including warnings.
    Problems(Vec<(SecretIndex, SecretProblem)>),
    /// A signal came while a command ran.
    Interrupted(Failure),
}

/// A secret that is used as a key or as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) index: SecretIndex,
    pub(crate) token: bool,
}

enum Found {
    Real(Secret),
    Generated(Secret),
}

impl Resolver {
    /// For a configuration in this folder with these accounts.
    pub(crate) fn new<'a>(
        folder: PathBuf,
        commands: Commands,
        accounts: impl IntoIterator<Item = &'a Account>,
        sandbox: bool,
    ) -> Self {
        let Commands {
            allow_commands,
            command_timeout,
        } = commands;
        Self {
            folder,
            allow_commands,
            command_timeout,
            withheld: accounts
                .into_iter()
                .flat_map(|account| credential_variables(&account.source))
                .collect(),
            sandbox,
        }
    }

    /// Resolves and checks every use, and collects all problems. `waiting` is called with the name of a command
    /// that takes long.
    pub(crate) async fn resolve(
        &self,
        uses: &BTreeSet<Use>,
        reference: impl Fn(SecretIndex) -> SecretReference,
        waiting: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Values, Unresolved> {
        let mut values = Values::default();
        let mut problems = Vec::new();
        let mut failed = BTreeSet::new();
        let mut signals = None;
        for Use { index, token } in uses {
            if !values.known.contains_key(index) && !failed.contains(index) {
                match self.value(&reference(*index), &mut signals, waiting).await {
                    Ok(Found::Real(value)) => {
                        values.known.insert(*index, value);
                    }
                    Ok(Found::Generated(value)) => {
                        values.generated += 1;
                        values.known.insert(*index, value);
                    }
                    Err(Ended::Failed(problem)) => {
                        failed.insert(*index);
                        problems.push((*index, problem));
                    }
                    Err(Ended::Interrupted) => {
                        return Err(Unresolved::Interrupted(interrupted(&reference(*index))));
                    }
                }
            }
            let role = if *token {
                SecretRole::Token
            } else {
                SecretRole::Key
            };
            let found = values.known.get(index);
            let found = found.map_or_else(Vec::new, |value| check_secret(role, value));
            problems.extend(found.into_iter().map(|problem| (*index, problem)));
        }
        if problems
            .iter()
            .any(|(_, problem)| problem.severity == Severity::Error)
        {
            return Err(Unresolved::Problems(problems));
        }
        values.warnings = problems;
        Ok(values)
    }

    async fn value(
        &self,
        reference: &SecretReference,
        signals: &mut Option<Signals>,
        waiting: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Found, Ended> {
        let found = match reference {
            SecretReference::Env(name) => variable(name, reference).map_err(Ended::Failed),
            SecretReference::File(path) => file::read(&self.folder.join(path), path, reference)
                .and_then(|bytes| text(bytes, reference))
                .map_err(Ended::Failed),
            SecretReference::Command(words) if self.allow_commands => {
                let signals = signals.get_or_insert_with(Signals::new);
                let printed = command::run(words, self, reference, signals, waiting).await;
                printed.and_then(|bytes| text(bytes, reference).map_err(Ended::Failed))
            }
            SecretReference::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                Err(Ended::Failed(SecretProblem::command_not_allowed(program)))
            }
        };
        match found {
            Err(Ended::Failed(_)) if self.sandbox => Ok(Found::Generated(generate(reference))),
            found => found.map(Found::Real),
        }
    }
}

/// The variables that hold the credentials of an account.
fn credential_variables(source: &AccountSource) -> Vec<String> {
    match source {
        AccountSource::Default {} | AccountSource::Profile(_) | AccountSource::Tsign(_) => {
            Vec::new()
        }
        AccountSource::AssumeRole(AssumeRole { with, role: _ }) => credential_variables(with),
        AccountSource::WebIdentity(WebIdentity { token, .. }) => match token {
            IdentityToken::Env(name) => vec![name.clone()],
            IdentityToken::File(_) | IdentityToken::Github { audience: _ } => Vec::new(),
        },
        AccountSource::Env(CredentialVariables {
            secret_id,
            secret_key,
            token,
        }) => [secret_id, secret_key]
            .into_iter()
            .chain(token)
            .cloned()
            .collect(),
    }
}

fn interrupted(reference: &SecretReference) -> Failure {
    let message = format!(
        "interrupted while the {reference} ran; the command was stopped and nothing was called"
    );
    Failure::new(Exit::Interrupted, message)
}

/// The checks of the secrets that the plan sends.
pub(crate) fn checks(
    plan: &Plan,
    values: &BTreeMap<SecretIndex, Secret>,
) -> BTreeMap<SecretIndex, Check> {
    let sent = plan.changes().filter_map(Change::adds);
    sent.flat_map(|after| [after.key, after.token])
        .flatten()
        .filter_map(|index| Some((index, Check::of(values.get(&index)?))))
        .collect()
}

/// The fingerprints of every pair that is used.
pub(crate) fn fingerprints(
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

/// The sandbox's value for a secret that is not set. It is the same in each run, so that a second one finds no
/// change.
fn generate(reference: &SecretReference) -> Secret {
    let digest = Sha256::digest(format!("ess-callbacks sandbox: {reference:?}").as_bytes());
    Secret::new(hex::encode(&digest[..16]))
}
