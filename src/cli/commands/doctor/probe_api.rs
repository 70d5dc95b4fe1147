//! `doctor --probe-api`: a trial of eSign's API with a URL that nothing uses. It deletes what it adds, also after an
//! error or Ctrl-C, and says what may remain.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Args, taken};
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::process::signals;
use crate::cli::random::random;
use crate::cli::remote::inspect::Inspection;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::outputs;
use crate::cli::written::{self, Readers};
use crate::client::{Api as _, Endpoint, Pace, Rate};
use crate::doctor::trial::{Left, Made, Step, Target, Trial};
use crate::doctor::{self, Identity, Lookup, credentials};
use crate::model::{Call, CallbackUrl, Desired, Operation, Organization, Outcome, Recorded};
use crate::render;
use crate::secret::Secret;

/// How often the URL is deleted at the end, if that fails.
const CLEAN_UPS: u32 = 5;

pub(super) async fn run(
    settings: &Settings,
    args: &Args,
    url: &str,
    desired: &Desired,
    recorded: Option<&Recorded>,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    if ui.json() {
        let message = "--probe-api writes a report in Markdown, so it can't be used with --json";
        return Err(Failure::usage(message).advice("Leave one of the two out."));
    }
    let outputs = [("--report", args.report.as_deref())];
    outputs::check(settings.locations()?, None, &outputs)?;
    let unusable = |why: String| {
        Failure::usage(format!("--probe-api: this URL can't be used: {why}"))
            .advice("Give an https URL of yours that nothing uses, with a path of its own.")
    };
    let mut trial = Trial::new(url).map_err(|error| unusable(error.to_string()))?;
    if trial.collides(taken(desired, recorded)).is_some() {
        return Err(unusable(
            "it is declared or recorded, or is another spelling of a URL that is".to_owned(),
        ));
    }
    let organization = organization(desired, args)?;
    let accounts = desired.accounts.iter();
    let accounts = accounts
        .filter(|(name, _)| **name == organization.scope.account)
        .map(|(name, account)| (name.clone(), account.clone()))
        .collect();
    let inspection = Inspection::open(settings, desired, &accounts, args.rate).await?;
    if let Some(lookup) = inspection.lookups.get(&organization.scope.account)
        && !matches!(lookup, Lookup::Found(_))
    {
        let finding = credentials(lookup);
        let failure = Failure::error(finding.reason);
        return Err(failure.advice(finding.remedy.unwrap_or_default()));
    }
    check_owner(&inspection, organization, desired, recorded).await?;
    approve(args, organization, &trial, &inspection, ui).await?;
    // Messages that eSign sends meanwhile can't be read: no one has this key.
    let secrets = Secrets {
        key: Secret::new(hex::encode_upper(random::<16>()?)),
        token: Secret::new(hex::encode_upper(random::<16>()?)),
    };
    let shown = trial.url_of(Target::Given).to_string();
    let mut asked = signals::listen(move || {
        format!("{shown} may still be at eSign: delete it in the console.")
    });
    // Nothing else would say so if this program were killed.
    let given = trial.url_of(Target::Given);
    ui.note(format_args!(
        "{given} is added and deleted from now on. If this is killed before its report: {}",
        how_to_remove(given)
    ));
    ui.flush();
    let rate = Rate::per_second(f64::from(args.rate)).unwrap_or(Rate::ESIGN);
    let caller = Caller {
        inspection: &inspection,
        organization,
        secrets,
        pace: Pace::new(rate),
    };
    while let Some(step) = trial.next() {
        if *asked.borrow() {
            break;
        }
        ui.note(format_args!(
            "{} of at most {} calls …",
            trial.made().len() + 1,
            trial.most_calls()
        ));
        caller.make(&mut trial, step).await;
    }
    let interrupted = *asked.borrow_and_update();
    clean_up(&caller, &mut trial, &mut asked).await;
    let report = report(&trial, desired, &inspection)?;
    ui.print(format_args!("{report}"));
    ui.flush();
    if let Some(path) = &args.report {
        let saved = written::write(path, Readers::All, |out| out.write_all(report.as_bytes()));
        if let Err(error) = saved {
            ui.unwritten(format!("the report `{}`", path.display()), error);
        }
    }
    inspection.close().await;
    Ok(ended(&trial, interrupted, ui))
}

/// The organization that the trial is made for: the one named, otherwise the first of the account's own.
fn organization<'d>(desired: &'d Desired, args: &Args) -> Result<&'d Organization, Failure> {
    let chosen = super::Chosen::of(desired, args)?;
    let active = || chosen.organizations.iter().filter(|one| !one.suspend);
    let own = active().find(|one| one.scope.organization.is_none());
    own.or(active().next()).copied().ok_or_else(|| {
        Failure::error("--probe-api needs an organization, whose operator makes the calls; the configuration has none that is not suspended")
    })
}

/// The calls must be made for the enterprise of the configuration and of the record.
async fn check_owner(
    inspection: &Inspection,
    organization: &Organization,
    desired: &Desired,
    recorded: Option<&Recorded>,
) -> Result<(), Failure> {
    let name = &organization.scope.account;
    let expected = desired.accounts.get(name);
    let recorded = recorded.and_then(|recorded| recorded.accounts.get(name));
    let before = recorded.and_then(|account| account.account_id.as_ref());
    let identity = inspection.identity(name).await;
    let finding = doctor::account(
        &identity,
        expected.and_then(|account| account.expect_account_id.as_ref()),
        before,
        None,
    );
    // Whose credentials these are must be known where the record says whose they were.
    let is_unknown = before.is_some() && matches!(identity, Identity::Asked(Err(_)));
    if !finding.has_failed() && !is_unknown {
        return Ok(());
    }
    let message = format!(
        "--probe-api can't use the credentials of the account `{name}`: {}; nothing was called",
        finding.reason
    );
    Err(Failure::error(message).advice(finding.remedy.unwrap_or_default()))
}

async fn approve(
    args: &Args,
    organization: &Organization,
    trial: &Trial,
    inspection: &Inspection,
    ui: &mut Ui,
) -> Result<(), Failure> {
    if args.auto_approve {
        return Ok(());
    }
    if !ui.interactive() {
        let message = "--probe-api changes eSign and needs a terminal to ask for approval";
        return Err(Failure::error(message).advice("Add --auto-approve to begin without asking."));
    }
    let text = format!(
        "This adds {} at {} for `{}` and deletes it again, several times, in up to {} calls. What is configured there under \
         this URL, or another spelling of it, is deleted. Every message of the organization is also sent to it \
         meanwhile, encrypted with a key that no one has.\n\nOnly 'yes' is accepted.\n  Enter a value: ",
        trial.url_of(Target::Given),
        inspection.endpoint,
        organization.handle,
        trial.most_calls()
    );
    let answer = ui
        .ask(|_, out| out.write_str(&text))
        .await
        .map_err(|error| Failure::error(format!("the answer can't be read: {error}")))?;
    if answer == "yes" {
        Ok(())
    } else {
        Err(Failure::error("cancelled; nothing was called"))
    }
}

struct Secrets {
    key: Secret,
    token: Secret,
}

/// Makes the calls.
struct Caller<'a> {
    inspection: &'a Inspection,
    organization: &'a Organization,
    secrets: Secrets,
    pace: Pace,
}

impl Caller<'_> {
    async fn make(&self, trial: &mut Trial, step: Step) {
        let operation = if step.add {
            Operation::Add {
                key: Some(self.secrets.key.clone()),
                token: Some(self.secrets.token.clone()),
            }
        } else {
            Operation::Delete
        };
        let call = Call {
            scope: Arc::clone(&self.organization.scope),
            operator: self.organization.operator.clone(),
            url: trial.url_of(step.target).clone(),
            operation,
            nonce: None,
            new_connection: false,
        };
        trial.leaves(step);
        let sent = self.pace.acquire().await.start().await;
        let at = SystemClock.now();
        // Once: what a repetition is answered would say nothing about the first.
        let reply = self.inspection.api.attempt(&call, at).await;
        if matches!(reply.outcome, Outcome::Throttled(_)) {
            self.pace.throttled(sent);
        } else {
            self.pace.answered(sent);
        }
        trial.take(Made {
            step,
            outcome: reply.outcome,
            at,
            dated: reply.server_time.is_some(),
        });
    }
}

/// Deletes the URL while it may be there.
async fn clean_up(caller: &Caller<'_>, trial: &mut Trial, asked: &mut watch::Receiver<bool>) {
    for attempt in 1..=CLEAN_UPS {
        let Some(step) = trial.clean_up() else {
            return;
        };
        caller.make(trial, step).await;
        let gone = trial
            .made()
            .last()
            .is_some_and(|made| matches!(made.outcome, Outcome::Applied(_) | Outcome::NotThere(_)));
        if gone {
            return;
        }
        let wait = crate::client::retry::delay(attempt, 0.5);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = asked.changed() => {}
        }
    }
}

fn report(trial: &Trial, desired: &Desired, inspection: &Inspection) -> Result<String, Failure> {
    let setting = render::Setting {
        version: env!("CARGO_PKG_VERSION"),
        environment: desired.environment,
        is_esign: inspection.endpoint == Endpoint::of(desired.environment),
        at: SystemClock.now(),
    };
    let mut text = String::new();
    render::trial_markdown(trial, &setting, &mut text)
        .map_err(|error| Failure::error(error.to_string()))?;
    Ok(text)
}

fn how_to_remove(url: &CallbackUrl) -> String {
    format!(
        "list it under `absent:` of the organization and run `ess-callbacks apply --target '*/{url}'`, or delete it in \
         eSign's console."
    )
}

/// Says what may remain, and how to remove it.
fn ended(trial: &Trial, interrupted: bool, ui: &mut Ui) -> Exit {
    let url = trial.url_of(Target::Given);
    let first = trial.made().first();
    if first.is_some_and(|made| matches!(made.outcome, Outcome::Applied(_))) {
        ui.note(format_args!(
            "Warning: the first call deleted {url}, so it was configured, or eSign answers success to every delete. If \
             something used it, add it again."
        ));
    }
    let remove = how_to_remove(url);
    match trial.left() {
        Left::Nothing if interrupted => {
            ui.note(format_args!("Interrupted; {url} is not at eSign."));
            Exit::Interrupted
        }
        Left::Nothing => {
            let finished =
                trial.next().is_none() && trial.answers().iter().all(|(_, one)| one != "not asked");
            if finished {
                Exit::Done
            } else {
                Exit::Unverified
            }
        }
        Left::Perhaps => {
            ui.note(format_args!(
                "Warning: {url} may still be at eSign: {remove}"
            ));
            Exit::Unknown
        }
        Left::UntilDead(until) => {
            ui.note(format_args!(
                "Warning: an add of {url} got no answer. It may still take effect until {} UTC; after that time: {remove}",
                until.clock_time()
            ));
            Exit::Unknown
        }
    }
}
