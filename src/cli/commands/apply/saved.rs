//! A plan that was saved by `plan --out`: read, checked and completed.

use std::collections::BTreeSet;
use std::path::Path;

use super::Args;
use crate::cli::exit::{Exit, Failure};
use crate::cli::secrets::{Resolver, Unresolved, Values, checks, fingerprints};
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::cli::workspace::{uses_of, waiting};
use crate::model::SecretIndex;
use crate::plan::{Change, Destination, Plan, Stale, read_document};
use crate::secret::Fingerprinter;

pub(super) fn read(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::error(format!(
            "the plan `{}` can't be read: {error}",
            path.display()
        ))
    })?;
    if sources::is_yaml(path) {
        let message = format!("`{}` is a configuration, not a saved plan", path.display());
        return Err(Failure::usage(message).advice("Name a configuration with `-f FILE`."));
    }
    let refused = |why: &dyn std::fmt::Display| {
        let message = format!("the plan `{}` can't be applied: {why}", path.display());
        Failure::new(Exit::Stale, message)
    };
    let plan = read_document(&text).map_err(|error| refused(&error))?;
    match plan.contradiction() {
        None => Ok(plan),
        Some(what) => Err(refused(&what).advice("Make a new plan with `plan --out`.")),
    }
}

/// The error when a plan was made for another destination.
pub(super) fn elsewhere(plan: &Plan, here: &Destination) -> Failure {
    let message = format!(
        "the plan was made for {}, and these calls would go to {here}; nothing was called",
        plan.destination
    );
    let flag = match &plan.destination {
        Destination::Esign => "without --sandbox and --endpoint".to_owned(),
        Destination::Sandbox => "with --sandbox".to_owned(),
        Destination::Endpoint(url) => format!("with --endpoint {url}"),
    };
    Failure::new(Exit::Stale, message).advice(format!(
        "Apply it {flag}, as it was planned, or make a new plan."
    ))
}

/// The error when a plan was made from another state, or an older one.
pub(super) fn stale(why: Stale) -> Failure {
    let message = match why {
        Stale::Begun => {
            "the plan was made before there was a state, which exists now: another run has written it since".to_owned()
        }
        Stale::OtherState { planned, found } => {
            let found = found.map_or_else(|| "no state yet".to_owned(), |id| id.to_string());
            format!("the plan was made for another state (lineage {planned}, but this one has {found})")
        }
        Stale::OtherSerial { planned, found } => format!(
            "the plan is stale: it was made from serial {planned} of the state, which is now at {found}: an apply, a \
             controller or another command has changed what it was made from"
        ),
    };
    Failure::new(Exit::Stale, message)
        .advice("Make a new plan with `plan --out`, and review it again.")
}

/// Resolves the secrets of a saved plan's adds. Their values must be those that it was made with. Their fingerprints
/// are added to the plan.
pub(super) async fn resolve(
    settings: &Settings,
    args: &Args,
    plan: &mut Plan,
    ui: &mut Ui,
) -> Result<Values, Failure> {
    let folder = sources::folder(settings.config());
    let commands = args.planning.commands;
    let resolver = Resolver::new(
        folder,
        commands,
        plan.accounts.values(),
        settings.flags.sandbox,
    );
    let pairs: BTreeSet<_> = plan
        .changes()
        .filter_map(Change::adds)
        .map(|after| (after.key, after.token))
        .collect();
    let reference = |index: SecretIndex| plan.secrets[index.0 as usize].clone();
    let resolved = resolver
        .resolve(&uses_of(pairs.iter().copied()), reference, &mut waiting(ui))
        .await
        .map_err(|unresolved| match unresolved {
            Unresolved::Problems(problems) => Failure {
                message: "keys or tokens that the plan needs can't be read; nothing was done"
                    .to_owned(),
                ..Failure::invalid(
                    problems
                        .into_iter()
                        .map(|(_, problem)| problem.at(None))
                        .collect(),
                )
            },
            Unresolved::Interrupted(failure) => failure,
        })?;
    let warnings = resolved.warnings.iter().cloned();
    let warnings: Vec<_> = warnings.map(|(_, problem)| problem.at(None)).collect();
    ui.diagnostics(&warnings);
    let table = fingerprints(Fingerprinter::new(plan.salt), pairs, &resolved.known);
    let checks = checks(plan, &resolved.known);
    plan.learn(&table, &checks).map_err(|unlike| {
        Failure::new(Exit::Stale, unlike.to_string()).advice("Make a new plan with `plan --out`.")
    })?;
    Ok(resolved)
}
