//! `audit`: lists the writes of others that CloudAudit has. Experimental; changes nothing.

use std::time::Duration;

use crate::apply::WallClock as _;
use crate::audit::{foreign, read};
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::duration;
use crate::cli::process::signals::Signals;
use crate::cli::remote::cloudaudit::{Logs, check, reachable, words};
use crate::cli::settings::Settings;
use crate::cli::sources;
use crate::cli::terminal::Ui;
use crate::doctor::{Lookup, credentials};
use crate::model::{AccountName, Audited, Desired, Recorded};
use crate::render::{self, AuditedWrites, counted};

/// The oldest that CloudAudit keeps.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How far to look back, such as 24h or 7d; at most 90d.
    #[arg(long, env = "ESS_CALLBACKS_SINCE", value_name = "DURATION", value_parser = since)]
    #[arg(default_value = "24h")]
    since: Duration,
}

fn since(text: &str) -> Result<Duration, String> {
    let since = duration::parse(text)?;
    if (Duration::from_secs(1)..=LONGEST).contains(&since) {
        Ok(since)
    } else {
        Err("it must be at least 1s and at most 90d, which is what CloudAudit keeps".to_owned())
    }
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    let (_, parsed) = sources::parse(&locations.config, &locations.given)?;
    let desired = parsed.desired;
    check("audit", desired.environment, locations)?;
    let recorded = locations.store()?.peek().await?;
    let recorded = recorded.unwrap_or_else(|| Recorded::nothing(desired.environment));
    let uses = |name: &AccountName| is_used(&desired, name);
    let logs = Logs::open(settings, &desired, uses).await?;
    for (name, lookup) in logs.lookups() {
        if !matches!(lookup, Lookup::Found(_)) {
            let finding = credentials(lookup);
            let failure = Failure::error(format!("account `{name}`: {}", finding.reason));
            return Err(failure.advice(finding.remedy.unwrap_or_default()));
        }
    }
    ui.note(format_args!(
        "Note: `audit` is experimental. It was only ever tried against the sandbox, and whether CloudAudit logs the calls \
         that change callbacks is not known: that a write is missing here proves nothing."
    ));
    let now = SystemClock.now();
    let back = i64::try_from(args.since.as_secs()).unwrap_or(i64::MAX);
    let since = reachable(now.plus(back.saturating_neg()), now);
    let mut signals = Signals::new();
    let mut events: Vec<Audited> = Vec::new();
    for account in logs.lookups().keys() {
        let line = ui.waiting_line();
        let show = |events| {
            if let Some(line) = &line {
                let events = counted(events, "event", "events");
                line.show(&format!(
                    "Reading CloudAudit: account `{account}`, {events} so far …"
                ));
            }
        };
        show(0);
        let logged = tokio::select! {
            logged = logs.read(account, since, show) => logged,
            () = signals.next() => {
                let message = "interrupted; nothing was changed";
                return Err(Failure::new(Exit::Interrupted, message));
            }
        };
        drop(line);
        let logged = logged.map_err(|error| {
            let message = format!("CloudAudit can't be read: {}", words(account, &error));
            Failure::error(message)
                .advice("Nothing was changed. No other command needs CloudAudit.")
        })?;
        if logged.incomplete {
            ui.warn(format_args!(
                "Warning: account `{account}`: CloudAudit has more events than are read at once; give a shorter --since."
            ));
        }
        events.extend(logged.events.iter().map(read));
    }
    // Two accounts may be of one account of Tencent Cloud, and the ends of two spans meet.
    events.sort_by(|one, two| (one.at, &one.request_id).cmp(&(two.at, &two.request_id)));
    events.dedup();
    let in_clear = events.iter().filter(|event| event.shows_secrets).count();
    let (foreign, own) = foreign(events, &recorded);
    let writes = AuditedWrites {
        since,
        foreign,
        own,
        in_clear,
    };
    if ui.json() {
        ui.bytes(|out| render::audited_json(&writes, out));
    } else {
        let style = ui.style(0);
        ui.stream(|out| render::audited_text(&writes, &style, out));
        if let Some(warning) = render::audited_warning(&writes) {
            ui.note(format_args!("{warning}"));
        }
    }
    ui.flush();
    Ok(Exit::Done)
}

/// The accounts that organizations use; `default` if there are none.
fn is_used(desired: &Desired, name: &AccountName) -> bool {
    let mut organizations = desired.organizations.iter();
    organizations.any(|one| one.scope.account == *name)
        || desired.organizations.is_empty() && name.as_str() == AccountName::DEFAULT
}
