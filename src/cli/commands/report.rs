//! `report`: writes the status page from the state, with what is pending where the configuration can be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::{Locations, missing};
use crate::cli::options::planning::Planning;
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::outputs::{self, PAGE};
use crate::cli::workspace::{Loaded, busy, check_aim};
use crate::cli::written::{self, Readers};
use crate::diag::{Diagnostic, Severity};
use crate::model::{Desired, Identity, Recorded, Salt};
use crate::page::{self, Page, Problem};
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the page to this file; - is standard output.
    #[arg(long, env = "ESS_CALLBACKS_OUT", value_name = "FILE")]
    out: PathBuf,
}

/// What the configuration adds to the page.
struct Declared {
    plan: Plan,
    descriptions: BTreeMap<Identity, Arc<str>>,
}

/// Ends with an error of the configuration only after the page is written, which shows it too.
pub(crate) async fn run(settings: &Settings, args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let out = Some(args.out.as_path()).filter(|path| *path != Path::new("-"));
    outputs::check(locations, None, &[(PAGE, out)])?;
    if out.is_none() {
        ui.print_one_document();
    }
    let store = locations.store()?;
    let recorded = store.peek().await?;
    let is_declared = locations.config == Path::new("-") || locations.config.exists();
    let (recorded, declared) = if is_declared {
        match Loaded::read(locations, None, ui).await {
            Ok(loaded) => {
                let environment = loaded.desired.environment;
                let recorded = store.of_environment(recorded, environment)?;
                let declared = declared(&loaded, &recorded);
                (recorded, declared.map(Some))
            }
            Err(failure) => (given(recorded, locations)?, Err(failure)),
        }
    } else {
        ui.note(format_args!(
            "Note: there is no `{}`, so the page does not show what is pending.",
            locations.config.display()
        ));
        (given(recorded, locations)?, Ok(None))
    };
    let holder = busy::holder(&store).await;
    let problems: Vec<Problem> = declared
        .as_ref()
        .err()
        .into_iter()
        .flat_map(problems)
        .collect();
    let place = locations.state.to_string();
    let (declared, ended) = match declared {
        Ok(declared) => (declared, Ok(Exit::Done)),
        Err(failure) => (None, Err(shown(failure, out.is_some()))),
    };
    let html = page::html(&Page {
        plan: declared.as_ref().map(|declared| &declared.plan),
        descriptions: declared.as_ref().map(|declared| &declared.descriptions),
        problems: &problems,
        lease: holder.as_ref(),
        ..Page::of(&recorded, &place, SystemClock.now())
    });
    match out {
        None => ui.bytes(|out| out.write_all(html.as_bytes())),
        Some(path) => {
            let saved = written::write(path, Readers::All, |out| out.write_all(html.as_bytes()));
            saved.map_err(|error| {
                Failure::error(format!(
                    "the page can't be written to `{}`: {error}",
                    path.display()
                ))
            })?;
            ui.say(format_args!("Wrote the page to {}.", path.display()));
        }
    }
    ended
}

fn given(recorded: Option<Recorded>, locations: &Locations) -> Result<Recorded, Failure> {
    recorded.ok_or_else(|| missing(&locations.state))
}

/// As `plan --no-secrets` plans.
fn declared(loaded: &Loaded, recorded: &Recorded) -> Result<Declared, Failure> {
    check_aim(recorded, &loaded.destination)?;
    Ok(Declared {
        plan: loaded.plan(recorded, Salt(random()?), &Planning::default())?,
        descriptions: descriptions(&loaded.desired),
    })
}

fn descriptions(desired: &Desired) -> BTreeMap<Identity, Arc<str>> {
    let organizations = desired.organizations.iter();
    let all = organizations.flat_map(|organization| {
        organization.callbacks.iter().filter_map(|callback| {
            let identity = Identity {
                scope: Arc::clone(&organization.scope),
                url: callback.url.clone(),
            };
            Some((identity, Arc::clone(callback.description.as_ref()?)))
        })
    });
    all.collect()
}

/// The page shows what is wrong, and what is recorded.
fn shown(failure: Failure, is_file: bool) -> Failure {
    if failure.diagnostics.is_empty() {
        return failure;
    }
    let page = if is_file {
        "the page"
    } else {
        "the page above"
    };
    let message = format!("the configuration has errors, so {page} does not show what is pending");
    Failure { message, ..failure }
}

/// The problems of a configuration that gives no plan.
fn problems(failure: &Failure) -> Vec<Problem> {
    let problem = |diagnostic: &Diagnostic| Problem {
        severity: diagnostic.severity,
        headline: diagnostic.message.clone(),
        details: Vec::new(),
        remedy: diagnostic.help.clone(),
    };
    if failure.diagnostics.is_empty() {
        return vec![Problem {
            severity: Severity::Error,
            headline: failure.message.clone(),
            details: Vec::new(),
            remedy: failure.advice.clone(),
        }];
    }
    failure.diagnostics.iter().map(problem).collect()
}
