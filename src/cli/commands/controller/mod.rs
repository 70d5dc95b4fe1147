//! `controller`: keeps eSign as declared until it is stopped.

mod access;
mod advice;
mod answer;
mod approving;
mod behind;
mod debt;
mod delivered;
mod directory;
mod drifted;
mod esign;
mod http;
mod keeper;
mod messenger;
mod page;
mod planned;
mod printing;
mod problems;
mod pulse;
mod reading;
mod receipts;
mod requests;
mod round;
mod rounds;
mod shared;
mod showing;
mod teller;
mod unsettled;
mod waiting;
mod words;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::locations::Locations;
use crate::cli::not_bound::not_bound;
use crate::cli::options::secret_commands::Commands;
use crate::cli::options::{address, duration, switch};
use crate::cli::process::{signals, systemd::Service};
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::terminal::log::Log;
use crate::cli::workspace::lock;
use crate::controller::{Board, LastGood, Phase, Policy, Schedule};
use crate::serving;
use crate::state::Store;
use access::Access;
use approving::Approving;
use behind::Order;
use directory::Watch;
use esign::Esign;
use keeper::Fenced;
use messenger::Place;
use pulse::beat;
use receipts::Receipts;
use round::Round;
use rounds::Rounds;
use teller::Teller;

/// The default address.
const ADDRESS: &str = "127.0.0.1:8980";
/// What other machines could do, and what to do about it.
const RISK: (&str, &str) = (
    "read the status and make requests",
    "Listen on 127.0.0.1:8980, or protect it with a token: ESS_CALLBACKS_CONTROLLER_TOKEN or --token-file.",
);
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long everything but the output may take to end after a signal.
const END: Duration = Duration::from_secs(9);
/// The same of a run that has the lock.
const GRACE: Duration = Duration::from_secs(7);
/// How long the output may take at the end.
const UNREAD: Duration = Duration::from_millis(500);
/// Shorter intervals would only make load.
const SHORTEST: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often to plan when nothing changes, such as 5m; it varies by a tenth.
    #[arg(long, env = "ESS_CALLBACKS_INTERVAL", value_name = "DURATION", value_parser = at_least_ten_seconds)]
    #[arg(default_value = "5m")]
    interval: Duration,
    /// Add each callback again at least this often, in small portions, in case something else deleted it; or never.
    #[arg(long, env = "ESS_CALLBACKS_HEAL_WITHIN", value_name = "DURATION", value_parser = heal_within)]
    #[arg(default_value = "24h")]
    heal_within: HealWithin,
    /// Which plans to apply: auto, those that the guards pass; approve, those that were approved, and heals.
    #[arg(
        long,
        env = "ESS_CALLBACKS_POLICY",
        value_name = "POLICY",
        default_value = "auto"
    )]
    policy: PolicyName,
    /// The address to serve on. One that other machines can reach needs a token.
    #[arg(long, env = "ESS_CALLBACKS_LISTEN", value_name = "ADDRESS", default_value = ADDRESS)]
    #[arg(value_parser = address::parse)]
    listen: String,
    /// Read the token of the server from this file, instead of `ESS_CALLBACKS_CONTROLLER_TOKEN`.
    #[arg(long, env = "ESS_CALLBACKS_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
    /// Requests per second for each set of credentials; 0 is no limit, for a sandbox.
    #[arg(
        long,
        env = "ESS_CALLBACKS_RATE",
        value_name = "N",
        default_value_t = 20
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000))]
    rate: u32,
    /// Where the token of a callback that leads to `/esign` is: `env:NAME` or `file:PATH`. eSign's events begin a round.
    #[arg(long, env = "ESS_CALLBACKS_ESIGN_TOKEN_FROM", value_name = "REFERENCE")]
    #[arg(hide_env_values = true)]
    esign_token_from: Option<String>,
    /// Where the key of that callback is.
    #[arg(long, env = "ESS_CALLBACKS_ESIGN_KEY_FROM", value_name = "REFERENCE")]
    #[arg(hide_env_values = true)]
    esign_key_from: Option<String>,
    /// Tell a chat or a webhook what needs a person: wecom, feishu, dingtalk, slack or webhook, and the place of its URL, like
    /// `wecom=env:WECOM_BOT_URL`. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_NOTIFY",
        value_name = "SERVICE=PLACE",
        value_delimiter = ' '
    )]
    #[arg(hide_env_values = true)]
    notify: Vec<String>,
    /// The language of notifications: en or zh.
    #[arg(
        long,
        env = "ESS_CALLBACKS_LANG",
        value_name = "LANG",
        default_value = "en"
    )]
    #[arg(value_parser = ["en", "zh"])]
    lang: String,
    /// The address of the status page, for the link in notifications.
    #[arg(long, env = "ESS_CALLBACKS_STATUS_URL", value_name = "URL")]
    #[arg(hide_env_values = true)]
    status_url: Option<String>,
    /// Mark calls, and ask CloudAudit what became of those without an answer. Experimental: only ever tried against
    /// the sandbox.
    #[arg(long, env = "ESS_CALLBACKS_EXPERIMENTAL_CLOUDAUDIT", value_parser = switch::parse)]
    experimental_cloudaudit: bool,
    #[command(flatten)]
    commands: Commands,
}

/// How old a proof may get. `None` when nothing is healed.
#[derive(Clone, Copy, Debug)]
struct HealWithin(Option<Duration>);

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PolicyName {
    Auto,
    Approve,
}

impl From<PolicyName> for Policy {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::Auto => Self::Auto,
            PolicyName::Approve => Self::Approve,
        }
    }
}

fn at_least_ten_seconds(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if duration < SHORTEST {
        return Err("must be at least 10s".to_owned());
    }
    Ok(duration)
}

fn heal_within(text: &str) -> Result<HealWithin, String> {
    if text == "never" {
        return Ok(HealWithin(None));
    }
    let duration = at_least_ten_seconds(text);
    let or_never = |why| format!("{why}, or `never`");
    duration.map(|it| HealWithin(Some(it))).map_err(or_never)
}

/// What can't work, whatever the files say.
fn check(locations: &Locations, args: &Args) -> Result<(), Failure> {
    if locations.config == std::path::Path::new("-") {
        return Err(Failure::usage(
            "the controller reads its configuration again and again, which standard input can't be",
        )
        .advice("Give a directory or a file with -f."));
    }
    if args.heal_within.0.is_some_and(|it| it < args.interval) {
        return Err(Failure::usage(
            "--heal-within is shorter than --interval: a round heals at most once",
        ));
    }
    Ok(())
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let locations = settings.locations()?;
    check(locations, &args)?;
    let access = Access::read(args.token_file.as_deref())?;
    let esign = Esign::read(
        args.esign_key_from.as_deref(),
        args.esign_token_from.as_deref(),
    )?;
    let notifier = teller::notifier(&args, locations)?;
    let store = lock::store(locations, ui)?;
    let board = Board::new(env!("CARGO_PKG_VERSION"), locations.state.to_string());
    let bound = serving::bind(&args.listen, access.has_token()).await;
    let listener = bound.map_err(|error| not_bound(&args.listen, &error, RISK))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::error(error.to_string()))?;
    let approving = Approving::new(args.status_url.as_deref(), address, access.has_token());
    let log = ui.detach();
    let place = Place {
        store: store.clone(),
        command: settings.command.clone(),
        log: log.clone(),
    };
    let teller = Teller::new(notifier, (&args.lang, &locations.config), place);
    let mut stop = signals::listen(ui.open_changes());
    ui.say(format_args!(
        "Keeping {} as declared in {}",
        if locations.cloud.is_some() {
            "the sandbox"
        } else {
            "eSign"
        },
        locations.config.display()
    ));
    ui.say(format_args!("State: {}", locations.state));
    ui.say(format_args!("Status: http://{address}/"));
    ui.flush();
    let receipts = Arc::new(Receipts::new(esign.as_ref().map(Esign::secrets)));
    let served = http::Served::new(
        board.clone(),
        (access, esign, address),
        (store.clone(), Arc::clone(&receipts)),
        log.clone(),
        (
            args.interval,
            locations.config.display().to_string(),
            settings.command.clone(),
            locations.state.file().is_none(),
        ),
    );
    let (over, is_over) = watch::channel(false);
    let (mut asked, mut over_too) = (stop.clone(), is_over);
    let ends = async move {
        tokio::select! {
            () = signals::first(&mut asked) => {}
            _ = over_too.wait_for(|over| *over) => {}
        }
    };
    let router = http::router(Arc::clone(&served));
    let server = tokio::spawn(serving::serve(listener, router, served, ends));
    let mut rounds = Rounds {
        settings,
        locations,
        args: &args,
        store,
        board: board.clone(),
        last_good: LastGood::default(),
        order: Order::default(),
        lanes: Default::default(),
        teller,
        last_unfinished: None,
        fenced: Fenced::Leave,
        receipts,
        approval: None,
        wait: waiting::Wait::default(),
        approving,
        log,
        ui,
    };
    let mut service = Service::from_environment();
    let kept = keep(&mut rounds, &args, (&mut stop, &mut service)).await;
    service.stopping();
    board.update(|status| status.phase = Phase::Stopping);
    // A signal that ended the command of a secret has not reached the server.
    over.send_replace(true);
    let until = kept
        .as_ref()
        .map_or_else(|_| Instant::now(), |began| *began)
        + END;
    rounds.teller.finish((&board, &rounds.log), until).await;
    // An error means that it has ended.
    drop(timeout_at(until, server).await);
    if kept.is_ok() {
        rounds.ui.say(format_args!("Stopped."));
    }
    rounds.ui.attach(UNREAD);
    kept.map(|_| Exit::Done)
}

/// Round after round, until a signal comes; returns when it came.
async fn keep(
    rounds: &mut Rounds<'_>,
    args: &Args,
    (stop, service): (&mut watch::Receiver<bool>, &mut Service),
) -> Result<Instant, Failure> {
    let board = rounds.board.clone();
    let mut files = Watch::new(&rounds.locations.config);
    let mut schedule = Schedule::new(args.interval);
    loop {
        files.begin();
        let mut signalled = None;
        let ended = {
            let mut round = pin!(rounds.round());
            let beating = async {
                loop {
                    beat(&board, service);
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::select! {
                ended = &mut round => Some(ended),
                () = beating => None,
                () = signals::first(stop) => {
                    signalled = Some(Instant::now());
                    board.halt();
                    // Without the lock there is nothing to finish.
                    if board.has_lock() {
                        drop(timeout(GRACE, &mut round).await);
                    }
                    None
                }
            }
        };
        let (failed, fenced) = match ended {
            Some(Round::Held) => (None, None),
            None | Some(Round::Interrupted) => return Ok(signalled.unwrap_or_else(Instant::now)),
            Some(Round::Failed | Round::Unread) => (Some(true), None),
            Some(Round::Later(until)) => (Some(false), Some(until)),
            Some(Round::Done | Round::Outdated) => (Some(false), None),
        };
        let dice = u64::from_be_bytes(random()?);
        let pause = failed.map_or(LOOK, |failed| schedule.pause(failed, dice));
        // A suspension ends on time, and what waits goes on.
        let suspended = board.status().suspended.map(|it| it.until);
        let first = suspended.into_iter().chain(fenced).min();
        let left = first.map(|until| until.seconds_since(SystemClock.now()) + 1);
        let left = left.and_then(|left| u64::try_from(left).ok());
        let pause = left.map_or(pause, |left| pause.min(Duration::from_secs(left)));
        http::next_round(&board, pause);
        let (store, log) = (rounds.store.clone(), rounds.log.clone());
        tokio::select! {
            () = rest(&board, (&store, &log, &mut files, &mut rounds.teller, service), pause) => {}
            () = signals::first(stop) => return Ok(Instant::now()),
        }
    }
}

/// Waits until the next round is due: after the pause, when the files have changed, when somebody asks for it, or when
/// another run seems to have died.
async fn rest(
    board: &Board,
    (store, log, files, teller, service): (&Store, &Log, &mut Watch, &mut Teller, &mut Service),
    pause: Duration,
) {
    let due = Instant::now() + pause;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut other = pin!(lingers(store));
    loop {
        tokio::select! {
            () = sleep_until(due) => return,
            () = board.poked() => return,
            () = &mut other => return,
            _ = look.tick() => {
                beat(board, service);
                teller.tell(board, log);
                if files.look() {
                    return;
                }
            }
        }
    }
}

/// Completes when the same other run holds the lock at two looks in a row: it may have died.
async fn lingers(store: &Store) {
    let Some(every) = store.watch() else {
        return std::future::pending().await;
    };
    let mut before = None;
    loop {
        tokio::time::sleep(every).await;
        let holder = store.holder().await.map(|owner| owner.id);
        if holder.is_some() && holder == before {
            return;
        }
        before = holder;
    }
}
