//! What plan, apply and import have in common: the configuration, its secrets, the state, the plan.

pub(super) mod busy;
pub(super) mod edit;
pub(super) mod lock;
pub(super) mod outputs;

use std::collections::BTreeSet;
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
use crate::model::{Address, Callback, Desired, Organization, Recorded, Salt, SecretIndex};
use crate::plan::{self, Destination, FingerprintTable, Heal, Options, Pattern, Plan, Secrets};
use crate::secret::Fingerprinter;
use lock::tell_copies;

/// Which secrets to resolve, and how.
#[derive(Clone, Debug)]
pub(crate) struct Resolve {
    /// Whether and how `command` references run.
    pub(crate) commands: Commands,
    /// Only those of callbacks that one of these addresses matches; without any, all.
    pub(crate) only: Vec<Pattern>,
}

impl Resolve {
    /// What these options need.
    pub(crate) fn of(planning: &Planning) -> Result<Self, Failure> {
        let only = planning.target.iter().map(|text| parsed("--target", text));
        Ok(Self {
            commands: planning.commands,
            only: only.collect::<Result<_, _>>()?,
        })
    }
}

/// A configuration that was read, checked and, where asked, resolved.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) desired: Desired,
    pub(crate) configuration: Configuration,
    pub(crate) warnings: Vec<Diagnostic>,
    /// `None` when the secrets were not asked for.
    pub(crate) values: Option<Values>,
    /// Whose secrets were asked for; without any, everybody's.
    only: Vec<Pattern>,
    /// What the plan's calls go to.
    pub(crate) destination: Destination,
}

impl Loaded {
    /// Reads and checks the configuration, and resolves its secrets unless told not to.
    pub(crate) async fn read(
        locations: &Locations,
        resolve: Option<Resolve>,
        ui: &mut Ui,
    ) -> Result<Self, Failure> {
        let read = sources::parse(&locations.config, &locations.given)?;
        Self::checked(locations, read, resolve, ui).await
    }

    /// The same and, at the same time, what is recorded: the two know nothing of each other, and
    /// reading them is nearly all that a plan does.
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
        // What is wrong with the configuration is told first.
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
        tell_copies(locations, ui);
        Ok((loaded, recorded))
    }

    async fn checked(
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
            loaded.tell_made_up(ui);
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

    /// Problems of secrets, each at the place of its first use.
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

    fn tell_made_up(&self, ui: &mut Ui) {
        let made_up = self.values.as_ref().map_or(0, |values| values.made_up);
        if made_up > 0 {
            let secrets = crate::render::counted(made_up, "secret is", "secrets are");
            ui.note(format_args!(
                "Note: {secrets} not set; the sandbox uses throw-away values."
            ));
        }
    }

    /// Key and token of every callback that something may be called for. What is suspended or disabled
    /// needs no secrets, and neither does what no target names.
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

    /// The fingerprints of every declared pair; `None` when the secrets were not resolved.
    pub(crate) fn fingerprints(&self, salt: Salt) -> Option<FingerprintTable> {
        let values = &self.values.as_ref()?.known;
        let distinct: BTreeSet<_> = self.pairs().collect();
        Some(fingerprints(Fingerprinter::new(salt), distinct, values))
    }

    /// Every declared address.
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

    /// Plans against what is recorded. `fresh_salt` is for a state that has none yet.
    pub(crate) fn plan(
        &self,
        recorded: &Recorded,
        fresh_salt: Salt,
        planning: &Planning,
    ) -> Result<Plan, Failure> {
        check_aim(recorded, &self.destination)?;
        let salt = recorded.salt.unwrap_or(fresh_salt);
        let table = self.fingerprints(salt);
        let options = self.options(recorded, planning)?;
        let mut plan = plan::plan(
            &self.desired,
            recorded,
            Secrets {
                salt,
                fingerprints: table.as_ref(),
            },
            &options,
        );
        plan.destination = self.destination.clone();
        let values = self.values.as_ref();
        plan.checks = values
            .map(|values| checks(&plan, &values.known))
            .unwrap_or_default();
        let missing = plan.missing_accounts().next();
        if let Some((account, handle)) = missing {
            let message = format!(
                "the callbacks recorded for `{handle}` belong to the account `{account}`, which the configuration \
                 does not declare, so nothing can be called for them"
            );
            let advice = format!(
                "Declare `{account}` under `accounts:` until they are deleted, or forget them with \
                 `ess-callbacks state rm '{handle}/*'`."
            );
            return Err(Failure::error(message).advice(advice));
        }
        Ok(plan)
    }

    fn options(&self, recorded: &Recorded, planning: &Planning) -> Result<Options, Failure> {
        if !planning.heal && (planning.older_than.is_some() || planning.max_calls.is_some()) {
            return Err(Failure::usage(
                "--older-than and --max-calls work only with --heal",
            ));
        }
        let heal = planning.heal.then(|| Heal {
            proved_before: planning.older_than.map(|age| {
                SystemClock
                    .now()
                    .plus(-i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
            }),
            max_calls: planning.max_calls,
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
            let message = format!("--replace {pattern} replaces nothing: no --target names it");
            return Err(Failure::usage(message).advice("Name it with --target too."));
        }
        Ok(Options {
            destroy: planning.destroy,
            heal,
            targets,
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

    /// Patterns that each mean something: a misspelt target must not look like "nothing to do".
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
                let message = format!(
                    "{flag}: no callback is called `{pattern}`, neither declared nor recorded"
                );
                return Err(Failure::error(message)
                    .advice("An address is `handle/URL`; `handle` means all of an organization."));
            }
            patterns.push(pattern);
        }
        Ok(patterns)
    }
}

/// A state knows what is at one place only: a rehearsal's says nothing of eSign.
pub(crate) fn check_aim(recorded: &Recorded, here: &Destination) -> Result<(), Failure> {
    let recorded = recorded.destination.as_ref();
    let Some(there) = recorded.filter(|there| !there.is_same_place(here)) else {
        return Ok(());
    };
    let message = format!(
        "the state records what calls to {there} have done, and these calls would go to {here}; nothing was called"
    );
    let mut advice = format!(
        "Name the state that belongs to {here} with --state; a new file begins with nothing recorded."
    );
    if !there.is_rehearsal() && !here.is_rehearsal() {
        advice += " If both are the same eSign, remove the line `\"destination\"` from the state file; the next \
                   apply writes it again.";
    }
    Err(Failure::new(Exit::Stale, message).advice(advice))
}

/// Says which command is waited for.
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

/// A plan can do without the secrets that this failure misses; no other command can.
fn advise_no_secrets(failure: Failure) -> Failure {
    let not_set = |problem: &Diagnostic| problem.code == config::SecretProblem::NOT_SET;
    if failure.diagnostics.iter().any(not_set) {
        return failure.advice(
            "Where there are no secrets, `plan --no-secrets` shows all but whether they have changed.",
        );
    }
    failure
}

/// What each secret of these pairs is used as.
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
