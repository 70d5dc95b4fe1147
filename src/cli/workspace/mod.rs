//! The configuration and the state that a command works on, with the secrets, and the plan made of them.

pub(super) mod busy;
pub(super) mod edit;
pub(super) mod lock;
pub(super) mod outputs;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::Locations;
use crate::cli::options::planning::Planning;
use crate::cli::options::secret_commands::Commands;
use crate::cli::secrets::{Resolver, Unresolved, Use, Values, checks, fingerprints};
use crate::cli::sources::{self, Configuration};
use crate::cli::terminal::Ui;
use crate::config;
use crate::diag::{Diagnostic, Severity};
use crate::model::{
    AccountName, Address, Callback, CallbackUrl, Desired, Handle, Organization, Recorded, Salt,
    SecretIndex,
};
use crate::plan::{
    self, Destination, FingerprintTable, Heal, Options, Pattern, Plan, Rotations, Secrets,
};
use crate::secret::Fingerprinter;
use lock::{report_new, warn_of_copies};

/// Which secrets to resolve, and how.
#[derive(Clone, Debug)]
pub(crate) struct Resolve {
    /// Whether and how `command` references run.
    pub(crate) commands: Commands,
    /// Only for the callbacks that one of these patterns matches, or for all without a pattern.
    pub(crate) only: Vec<Pattern>,
}

impl Resolve {
    /// For a plan with these options.
    pub(crate) fn of(planning: &Planning) -> Result<Self, Failure> {
        let only = planning.target.iter().map(|text| parsed("--target", text));
        Ok(Self {
            commands: planning.commands,
            only: only.collect::<Result<_, _>>()?,
        })
    }
}

/// A valid configuration, with its secrets if they were resolved.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) desired: Desired,
    pub(crate) configuration: Configuration,
    pub(crate) warnings: Vec<Diagnostic>,
    /// `None` if the secrets were not resolved.
    pub(crate) values: Option<Values>,
    /// The callbacks whose secrets were resolved; all without a pattern.
    only: Vec<Pattern>,
    /// The destination of the plan's calls.
    pub(crate) destination: Destination,
}

impl Loaded {
    /// Reads and checks the configuration, and resolves its secrets if `resolve` is given.
    pub(crate) async fn read(
        locations: &Locations,
        resolve: Option<Resolve>,
        ui: &mut Ui,
    ) -> Result<Self, Failure> {
        let read = sources::parse(&locations.config, &locations.given)?;
        Self::checked(locations, read, resolve, ui).await
    }

    /// Reads the configuration and the state at the same time, which takes most of the time of a plan.
    pub(crate) async fn read_with_state(
        locations: &Locations,
        resolve: Option<Resolve>,
        ui: &mut Ui,
    ) -> Result<(Self, Recorded), Failure> {
        if let Some(note) = locations.older_name() {
            ui.note(format_args!("{note}"));
        }
        let (path, given) = (locations.config.clone(), locations.given.clone());
        let reading = tokio::task::spawn_blocking(move || sources::parse(&path, &given));
        // Errors in the configuration come before those of the state.
        let peeking = async {
            let store = locations.store()?;
            let recorded = store.peek().await;
            Ok::<_, Failure>((store, recorded))
        };
        let (read, peeked) = tokio::join!(reading, peeking);
        let read = read.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        let loaded = Self::checked(locations, read, resolve, ui).await;
        let loaded = loaded.map_err(advise_no_secrets)?;
        let (store, recorded) = peeked?;
        let recorded = store.of_environment(recorded?, loaded.desired.environment)?;
        warn_of_copies(locations, ui);
        report_new(&locations.state, recorded.lineage, ui);
        Ok((loaded, recorded))
    }

    /// With a configuration that was read and checked already.
    pub(crate) async fn checked(
        locations: &Locations,
        (configuration, parsed): (Configuration, config::Parsed),
        resolve: Option<Resolve>,
        ui: &mut Ui,
    ) -> Result<Self, Failure> {
        let config::Parsed { desired, warnings } = parsed;
        ui.diagnostics(&warnings);
        let mut loaded = Self {
            destination: locations.destination(desired.environment),
            desired,
            configuration,
            warnings,
            only: Vec::new(),
            values: None,
        };
        if let Some(Resolve { commands, only }) = resolve {
            loaded.only = only;
            let folder = loaded.configuration.folder.clone();
            let accounts = loaded.desired.accounts.values();
            let resolver = Resolver::new(folder, commands, accounts, locations.cloud.is_some());
            let values = loaded.resolve(&resolver, ui).await?;
            let warnings = loaded.drawn(values.warnings.clone());
            ui.diagnostics(&warnings);
            loaded.warnings.extend(warnings);
            loaded.values = Some(values);
            loaded.note_generated(ui);
        }
        Ok(loaded)
    }

    async fn resolve(&self, resolver: &Resolver, ui: &mut Ui) -> Result<Values, Failure> {
        let uses = uses_of(self.pairs());
        let secrets = &self.desired.secrets;
        let reference = |index: SecretIndex| secrets[index.0 as usize].reference.clone();
        let resolved = resolver.resolve(&uses, reference, &mut waiting(ui)).await;
        resolved.map_err(|unresolved| match unresolved {
            Unresolved::Problems(problems) => Failure::invalid(self.drawn(problems)),
            Unresolved::Interrupted(failure) => failure,
        })
    }

    /// Problems of secrets, each with the place of its first use.
    fn drawn(&self, problems: Vec<(SecretIndex, config::SecretProblem)>) -> Vec<Diagnostic> {
        let at = |(index, problem): (SecretIndex, config::SecretProblem)| {
            let secret = &self.desired.secrets[index.0 as usize];
            let accepted =
                problem.severity == Severity::Warning && secret.accepted.contains(&problem.code);
            let snippet = || config::snippet(&self.configuration.sources, secret.place, 1);
            (!accepted).then(|| problem.at(Some(snippet())))
        };
        problems.into_iter().filter_map(at).collect()
    }

    fn note_generated(&self, ui: &mut Ui) {
        let generated = self.values.as_ref().map_or(0, |values| values.generated);
        if generated > 0 {
            let secrets = crate::render::counted(generated, "secret is", "secrets are");
            ui.note(format_args!(
                "Note: {secrets} not set; the sandbox uses generated values."
            ));
        }
    }

    /// Key and token of every callback that may need a call. Suspended organizations, disabled callbacks and those
    /// that no target matches need no secrets.
    fn pairs(&self) -> impl Iterator<Item = (Option<SecretIndex>, Option<SecretIndex>)> {
        let organizations = self.desired.organizations.iter();
        let active = organizations.filter(|organization| !organization.suspend);
        let chosen = |organization: &Organization, callback: &Callback| {
            if self.only.is_empty() {
                return true;
            }
            let address = Address {
                handle: organization.handle.clone(),
                url: callback.url.clone(),
            };
            self.only.iter().any(|pattern| pattern.matches(&address))
        };
        active.flat_map(move |organization| {
            let callbacks = organization.callbacks.iter();
            let chosen = callbacks
                .filter(move |callback| callback.enabled && chosen(organization, callback));
            chosen.map(|callback| (callback.key, callback.token))
        })
    }

    /// The fingerprints of every declared pair; `None` if the secrets were not resolved.
    pub(crate) fn fingerprints(&self, salt: Salt) -> Option<FingerprintTable> {
        let values = &self.values.as_ref()?.known;
        let distinct: BTreeSet<_> = self.pairs().collect();
        Some(fingerprints(Fingerprinter::new(salt), distinct, values))
    }

    /// Every declared address, including those under `absent`.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.desired.organizations.iter().flat_map(|organization| {
            let urls = organization
                .callbacks
                .iter()
                .map(|callback| &callback.url)
                .chain(&organization.absent);
            urls.map(|url| Address {
                handle: organization.handle.clone(),
                url: url.clone(),
            })
        })
    }

    /// The declared callbacks that a pattern matches, or all without a pattern, in the order of handles and URLs.
    pub(crate) fn chosen(
        &self,
        patterns: &[Pattern],
    ) -> Result<Vec<(&Organization, &Callback, Address)>, Failure> {
        let mut matched = vec![false; patterns.len()];
        let mut chosen = Vec::new();
        for organization in &self.desired.organizations {
            for callback in &organization.callbacks {
                let address = Address {
                    handle: organization.handle.clone(),
                    url: callback.url.clone(),
                };
                let mut meant = patterns.is_empty();
                for (pattern, matched) in patterns.iter().zip(&mut matched) {
                    let matches = pattern.matches(&address);
                    *matched |= matches;
                    meant |= matches;
                }
                if meant {
                    chosen.push((organization, callback, address));
                }
            }
        }
        if let Some(at) = matched.iter().position(|matched| !matched) {
            let message = format!("no declared callback matches `{}`", patterns[at]);
            return Err(Failure::error(message).advice(
                "An address is `HANDLE/URL`; `HANDLE` matches all callbacks of an organization. URLs under `absent` \
                 are not matched.",
            ));
        }
        Ok(chosen)
    }

    /// Plans against what is recorded. `fresh_salt` is for a state without a salt.
    pub(crate) fn plan(
        &self,
        recorded: &Recorded,
        fresh_salt: Salt,
        planning: &Planning,
    ) -> Result<Plan, Failure> {
        let salt = recorded.salt.unwrap_or(fresh_salt);
        let table = self.fingerprints(salt);
        let options = self.options(recorded, planning)?;
        let secrets = Secrets {
            salt,
            fingerprints: table.as_ref(),
        };
        self.finished(plan::plan(&self.desired, recorded, secrets, &options))
    }

    /// Plans what comes next in the rotation of each of these callbacks, which have these twins.
    pub(crate) fn rotate(
        &self,
        recorded: &Recorded,
        fresh_salt: Salt,
        twins: &BTreeMap<Address, CallbackUrl>,
        begin: bool,
    ) -> Result<Rotations, Failure> {
        let salt = recorded.salt.unwrap_or(fresh_salt);
        let table = self.fingerprints(salt);
        let secrets = Secrets {
            salt,
            fingerprints: table.as_ref(),
        };
        let Rotations { plan, rotations } =
            plan::rotate(&self.desired, recorded, secrets, twins, begin);
        Ok(Rotations {
            plan: self.finished(plan)?,
            rotations,
        })
    }

    /// A plan with what the planner does not know.
    fn finished(&self, mut plan: Plan) -> Result<Plan, Failure> {
        plan.destination = self.destination.clone();
        let values = self.values.as_ref();
        plan.checks = values
            .map(|values| checks(&plan, &values.known))
            .unwrap_or_default();
        let missing = plan.missing_accounts().next();
        if let Some((account, handle)) = missing {
            return Err(missing_account(account, handle));
        }
        Ok(plan)
    }

    fn options(&self, recorded: &Recorded, planning: &Planning) -> Result<Options, Failure> {
        let heals = planning.heal || planning.heal_only;
        if !heals && (planning.older_than.is_some() || planning.max_calls.is_some()) {
            return Err(Failure::usage(
                "--older-than and --max-calls need --heal or --heal-only",
            ));
        }
        let heal = heals.then(|| Heal {
            proved_before: planning.older_than.map(|age| {
                SystemClock
                    .now()
                    .plus(-i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
            }),
            proved_by: Some(SystemClock.now().plus(Heal::CLOCKS)),
            max_calls: planning.max_calls,
            only: planning.heal_only,
        });
        let targets = self.patterns("--target", &planning.target, recorded)?;
        let replace = self.patterns("--replace", &planning.replace, recorded)?;
        let targeted = |address: &Address| targets.iter().any(|target| target.matches(address));
        let left_out = |pattern: &&Pattern| {
            !targets.is_empty()
                && !self
                    .known(recorded)
                    .any(|address| pattern.matches(&address) && targeted(&address))
        };
        if let Some(pattern) = replace.iter().find(left_out) {
            let message = format!("--replace {pattern} replaces nothing: no --target matches it");
            return Err(Failure::usage(message).advice("Give it to --target too."));
        }
        Ok(Options {
            destroy: planning.destroy,
            keep: planning.keep,
            heal,
            targets,
            only: None,
            twins: BTreeMap::new(),
            rotates: false,
            replace,
            allow_deletes: planning.allow_deletes,
        })
    }

    /// Every address that is declared or recorded.
    fn known(&self, recorded: &Recorded) -> impl Iterator<Item = Address> {
        let recorded = recorded.iter().map(|(_, url, entry)| Address {
            handle: entry.handle.clone(),
            url: url.clone(),
        });
        self.addresses().chain(recorded)
    }

    /// Patterns, each of which must match something: a misspelt target must not end in "no changes".
    fn patterns(
        &self,
        flag: &str,
        texts: &[String],
        recorded: &Recorded,
    ) -> Result<Vec<Pattern>, Failure> {
        let mut patterns = Vec::new();
        for text in texts {
            let pattern = parsed(flag, text)?;
            if !self
                .known(recorded)
                .any(|address| pattern.matches(&address))
            {
                let message =
                    format!("{flag}: no declared or recorded callback matches `{pattern}`");
                return Err(Failure::error(message)
                    .advice("An address is `HANDLE/URL`; `HANDLE` matches all callbacks of an organization."));
            }
            patterns.push(pattern);
        }
        Ok(patterns)
    }
}

/// The error when recorded callbacks belong to an account that is not declared.
pub(crate) fn missing_account(account: &AccountName, handle: &Handle) -> Failure {
    let message = format!(
        "the callbacks recorded for `{handle}` belong to the account `{account}`, which is not declared, so no \
         call can be made for them"
    );
    Failure::error(message).advice(format!(
        "Declare `{account}` under `accounts:` until they are deleted, or forget them with \
         `ess-callbacks state rm '{handle}/*'`."
    ))
}

/// Refuses a state of another destination: that of the sandbox does not hold what eSign has.
pub(crate) fn check_aim(recorded: &Recorded, here: &Destination) -> Result<(), Failure> {
    recorded
        .elsewhere(here)
        .map_or(Ok(()), |there| Err(elsewhere(there, here)))
}

/// The error when the state is of calls to another destination.
pub(crate) fn elsewhere(there: &Destination, here: &Destination) -> Failure {
    let message = format!(
        "the state records calls to {there}, and these calls would go to {here}; nothing was called"
    );
    let mut advice = format!(
        "Give the state that belongs to {here} with --state; a new file begins with nothing recorded."
    );
    if there.is_rehearsal() && !here.is_rehearsal() {
        advice += " After a rehearsal, move its state file away, with the journal and the copy beside it.";
    }
    if !there.is_rehearsal() && !here.is_rehearsal() {
        advice += " If both are the same eSign, remove the line `\"destination\"` from the state file; the next \
                   apply writes it again.";
    }
    Failure::new(Exit::Stale, message).advice(advice)
}

/// Prints a note about the command that is waited for.
pub(crate) fn waiting(ui: &mut Ui) -> impl FnMut(&str) + Send {
    |program| {
        ui.note(format_args!(
            "Waiting for the command `{program}`, which prints a secret …"
        ));
    }
}

fn parsed(flag: &str, text: &str) -> Result<Pattern, Failure> {
    Pattern::parse(text).map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

/// Secrets that are not set are needed by other commands, but not by a plan.
fn advise_no_secrets(failure: Failure) -> Failure {
    let not_set = |problem: &Diagnostic| problem.code == config::SecretProblem::NOT_SET;
    if failure.diagnostics.iter().any(not_set) {
        return failure.advice(
            "Without the secrets, `plan --no-secrets` shows everything except whether they have changed.",
        );
    }
    failure
}

/// The uses of the secrets in these pairs of key and token.
pub(crate) fn uses_of(
    pairs: impl Iterator<Item = (Option<SecretIndex>, Option<SecretIndex>)>,
) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    for (key, token) in pairs {
        uses.extend(key.map(|index| Use {
            index,
            token: false,
        }));
        uses.extend(token.map(|index| Use { index, token: true }));
    }
    uses
}
