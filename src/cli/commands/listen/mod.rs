//! `listen`: a receiver for development, which shows what eSign or the sandbox sends.

mod host;
mod places;
mod receipts;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{Notify, mpsc};

use crate::cli::exit::{Exit, Failure};
use crate::cli::not_bound::not_bound;
use crate::cli::options::secret_commands::Commands;
use crate::cli::options::{address, duration, switch};
use crate::cli::process::signals;
use crate::cli::secrets::given;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::cli::workspace::{Loaded, Resolve};
use crate::config::SecretRole;
use crate::model::{Address, CallbackUrl, masked};
use crate::plan::Pattern;
use crate::receiver::{Receiver, Secrets, Seen};
use crate::render::{self, Clean, Reception};
use crate::secret::Secret;
use crate::serving;
use host::Listening;
use places::{Declared, Place};
use receipts::Receipts;

/// How many keys are remembered, two of each message, and for how many seconds, to find duplicates.
const REMEMBERED: (NonZeroUsize, u64) = (NonZeroUsize::new(20_000).expect("not zero"), 86_400);
/// How many URLs are listed at the start.
const LISTED: usize = 20;
/// How many requests may wait to be printed.
const UNPRINTED: usize = 64;
const LONGEST_DELAY: Duration = Duration::from_secs(600);
/// The default address.
const ADDRESS: &str = "127.0.0.1:8902";
/// What other machines could do, and what to do about it.
const RISK: (&str, &str) = (
    "send messages",
    "Listen on 127.0.0.1:8902, or allow it with --allow-remote.",
);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Declared callbacks whose requests to receive: HANDLE or HANDLE/URL, where * matches any text [default: every
    /// declared callback].
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// The address to listen on. Other machines can't connect without --allow-remote.
    #[arg(long, env = "ESS_CALLBACKS_LISTEN", value_name = "ADDRESS", default_value = ADDRESS)]
    #[arg(value_parser = address::parse)]
    listen: String,
    /// Let other machines connect.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_REMOTE", value_parser = switch::parse)]
    allow_remote: bool,
    /// Where a callback key is: `env:NAME` or `file:PATH`. Without ADDRESS the configuration is not read; with it, the key is
    /// accepted besides the declared one. Repeatable.
    #[arg(
        long,
        env = "ESS_CALLBACKS_KEY_FROM",
        value_name = "REFERENCE",
        value_delimiter = ' '
    )]
    #[arg(hide_env_values = true)]
    key_from: Vec<String>,
    /// Where a callback token is, like --key-from. One token for all keys, or one per key in the same order.
    #[arg(
        long,
        env = "ESS_CALLBACKS_TOKEN_FROM",
        value_name = "REFERENCE",
        value_delimiter = ' '
    )]
    #[arg(hide_env_values = true)]
    token_from: Vec<String>,
    /// The callback URL that every request belongs to, whatever its path [default: the declared one with the path of the
    /// request].
    #[arg(
        long,
        env = "ESS_CALLBACKS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    url: Option<String>,
    /// Between URLs with the same path, choose by X-Forwarded-Host and X-Forwarded-Proto.
    #[arg(long, env = "ESS_CALLBACKS_TRUST_FORWARDED", value_parser = switch::parse)]
    trust_forwarded: bool,
    /// The status to answer what is valid; eSign sends again what does not get 200.
    #[arg(
        long,
        env = "ESS_CALLBACKS_STATUS",
        value_name = "CODE",
        default_value_t = 200
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// How long to wait before this answer, such as 5s; at most 10m.
    #[arg(long, env = "ESS_CALLBACKS_DELAY", value_name = "DURATION", value_parser = delay)]
    #[arg(default_value = "0s")]
    delay: Duration,
    /// Show names, phones, identity numbers and free text, which are masked by default.
    #[arg(long, env = "ESS_CALLBACKS_SHOW_PERSONAL", value_parser = switch::parse)]
    show_personal: bool,
    /// Append each request to this file as a receipt, a line of JSON with the raw body.
    #[arg(long, env = "ESS_CALLBACKS_RECEIPTS", value_name = "FILE")]
    receipts: Option<PathBuf>,
    #[command(flatten)]
    commands: Commands,
}

fn delay(text: &str) -> Result<Duration, String> {
    let delay = duration::parse(text)?;
    if delay > LONGEST_DELAY {
        return Err("at most 10m; eSign does not wait so long".to_owned());
    }
    Ok(delay)
}

pub(crate) async fn run(settings: &Settings, args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let secrets = Given::read(&args, ui)?;
    let places = if args.addresses.is_empty() && (!secrets.is_empty() || args.url.is_some()) {
        vec![alone(&args, &secrets)?]
    } else {
        declared(settings, &args, &secrets, ui).await?
    };
    if args.receipts.is_some() && places.iter().any(|place| place.url.is_none()) {
        let message =
            "--receipts needs --url: a receipt names the callback URL that the request belongs to";
        return Err(Failure::usage(message));
    }
    let receipts = args.receipts.as_deref().map(Receipts::open).transpose()?;
    if let Some(advice) = receipts.as_ref().and_then(Receipts::readable_by_others) {
        ui.warn(format_args!("Warning: {advice}"));
    }
    let bound = serving::bind(&args.listen, args.allow_remote).await;
    let listener = bound.map_err(|error| not_bound(&args.listen, &error, RISK))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::error(error.to_string()))?;
    announce(address, &places, ui);

    let (report, mut reports) = mpsc::channel(UNPRINTED);
    let (capacity, seconds) = REMEMBERED;
    let listening = Arc::new(Listening {
        places,
        status: StatusCode::from_u16(args.status).unwrap_or(StatusCode::OK),
        delay: args.delay,
        show_personal: args.show_personal,
        trust_forwarded: args.trust_forwarded,
        seen: Mutex::new(Seen::new(capacity, seconds)),
        receipts: receipts.map(Mutex::new),
        report,
        large_bodies: Listening::large_bodies(),
        count: AtomicU64::new(0),
    });
    let mut asked = signals::listen(|| "Requests in flight get no answer.".to_owned());
    let unread = Arc::new(Notify::new());
    let no_reader = Arc::clone(&unread);
    let shutdown = async move {
        tokio::select! {
            () = signals::first(&mut asked) => {}
            () = no_reader.notified() => {}
        }
    };
    let router = host::router(Arc::clone(&listening));
    let mut served = std::pin::pin!(serving::serve(listener, router, listening, shutdown));
    loop {
        tokio::select! {
            Some(reception) = reports.recv() => {
                show(&reception, ui);
                if ui.is_unread() {
                    unread.notify_one();
                }
            }
            () = &mut served => break,
        }
    }
    while let Ok(reception) = reports.try_recv() {
        show(&reception, ui);
    }
    Ok(Exit::Done)
}

/// The secrets of the command line.
struct Given {
    keys: Vec<Secret>,
    tokens: Vec<Secret>,
}

impl Given {
    fn read(args: &Args, ui: &mut Ui) -> Result<Self, Failure> {
        let mut all = |flag: &str, role, named: &[String]| -> Result<Vec<Secret>, Failure> {
            let mut values = Vec::new();
            for named in named {
                let (value, warnings) = given(flag, role, named)?;
                for problem in warnings {
                    ui.warn(format_args!("Warning: {flag}: {problem}"));
                }
                values.push(value);
            }
            Ok(values)
        };
        let keys = all("--key-from", SecretRole::Key, &args.key_from)?;
        let tokens = all("--token-from", SecretRole::Token, &args.token_from)?;
        if keys.len() > 1 && tokens.len() > 1 && keys.len() != tokens.len() {
            let message = format!(
                "{} keys and {} tokens: give one token for all keys, or one for each key",
                keys.len(),
                tokens.len()
            );
            return Err(Failure::usage(message));
        }
        Ok(Self { keys, tokens })
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tokens.is_empty()
    }

    /// The pairs, where a missing key or token is that of `declared`.
    fn pairs(&self, declared: (Option<&Secret>, Option<&Secret>)) -> Vec<Secrets> {
        let count = self.keys.len().max(self.tokens.len());
        let one = |values: &[Secret], declared: Option<&Secret>, at: usize| {
            let value = values.get(at).or_else(|| values.last());
            value.or(declared).cloned()
        };
        let pair = |at| {
            let key = one(&self.keys, declared.0, at);
            // Keys were checked where they were read.
            Secrets::new(key, one(&self.tokens, declared.1, at)).ok()
        };
        (0..count).filter_map(pair).collect()
    }
}

/// A receiver with the secrets of the command line alone.
fn alone(args: &Args, secrets: &Given) -> Result<Place, Failure> {
    let url = args.url.as_deref().map(checked).transpose()?;
    let mut pairs = secrets.pairs((None, None)).into_iter();
    let first = pairs.next().or_else(|| Secrets::new(None, None).ok());
    let first = first.ok_or_else(|| Failure::error("the secrets can't be used"))?;
    Ok(Place {
        url,
        any_path: true,
        receiver: pairs.fold(Receiver::new(first), Receiver::also),
        owners: Vec::new(),
    })
}

fn checked(url: &str) -> Result<CallbackUrl, Failure> {
    let known = ["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !known || url::Url::parse(url).is_err() {
        let message = format!("--url: `{}` is not an http or https URL", masked(url));
        return Err(Failure::usage(message));
    }
    Ok(CallbackUrl::new(url))
}

/// The callbacks of callbacks.yaml that the addresses match.
async fn declared(
    settings: &Settings,
    args: &Args,
    secrets: &Given,
    ui: &mut Ui,
) -> Result<Vec<Place>, Failure> {
    let locations = settings.locations()?;
    let parse =
        |text: &String| Pattern::parse(text).map_err(|error| Failure::usage(error.to_string()));
    let patterns: Vec<Pattern> = args.addresses.iter().map(parse).collect::<Result<_, _>>()?;
    let resolve = Resolve {
        commands: args.commands,
        only: patterns.clone(),
    };
    let loaded = Loaded::read(locations, Some(resolve), ui).await?;
    let values = loaded.values.as_ref().map(|values| &values.known);
    let mut found = Vec::new();
    for organization in loaded.desired.organizations.iter().filter(|it| !it.suspend) {
        for callback in organization.callbacks.iter().filter(|it| it.enabled) {
            let address = Address {
                handle: organization.handle.clone(),
                url: callback.url.clone(),
            };
            if !patterns.is_empty() && !patterns.iter().any(|pattern| pattern.matches(&address)) {
                continue;
            }
            let value = |index: Option<_>| Some(values?.get(&index?)?.clone());
            let pair = Secrets::new(value(callback.key), value(callback.token));
            let secrets =
                pair.map_err(|error| Failure::error(format!("{}: {error}", Clean(&address))))?;
            found.push(Declared {
                address,
                indices: (callback.key, callback.token),
                secrets,
            });
        }
    }
    let unmatched = |pattern: &&Pattern| !found.iter().any(|it| pattern.matches(&it.address));
    if let Some(pattern) = patterns.iter().find(unmatched) {
        let message = format!("no declared callback that is enabled matches `{pattern}`");
        return Err(Failure::error(message).advice(
            "An address is `HANDLE/URL`; `HANDLE` matches all callbacks of an organization.",
        ));
    }
    if found.is_empty() {
        return Err(
            Failure::error("the configuration declares no callback that is enabled")
                .advice("Declare one, or give the secrets with --key-from and --token-from."),
        );
    }
    let older = |current: &Secrets| secrets.pairs((current.key(), current.token()));
    let mut places = places::of_declared(found, older);
    if let Some(url) = &args.url {
        places.retain(|place| place.url.as_ref().is_some_and(|it| it.as_str() == url));
        let Some(place) = places.first_mut() else {
            let message = format!(
                "--url: no declared callback that is listened for has the URL `{}`",
                masked(url)
            );
            return Err(Failure::usage(message).advice("It is compared byte for byte."));
        };
        place.any_path = true;
    }
    Ok(places)
}

fn announce(address: SocketAddr, places: &[Place], ui: &mut Ui) {
    ui.say(format_args!("Listening on http://{address}"));
    if !ui.json() {
        for place in places.iter().take(LISTED) {
            let path = match &place.url {
                Some(url) if !place.any_path => places::shown(&places::path_of(url.as_str())),
                Some(_) | None => "every path".to_owned(),
            };
            let url = place.url.as_ref().map_or("no URL", CallbackUrl::as_str);
            let current = place.receiver.accepted().first();
            let secrets = match current.map(|it| (it.has_key(), it.has_token())) {
                Some((true, true)) => "key and token",
                Some((true, false)) => "key, no token",
                Some((false, true)) => "token, no key",
                Some((false, false)) | None => "neither key nor token: anyone can forge messages",
            };
            ui.print(format_args!(
                "  {} for {} ({secrets})\n",
                Clean(path),
                Clean(masked(url))
            ));
        }
        if places.len() > LISTED {
            ui.print(format_args!("  and {} more URLs\n", places.len() - LISTED));
        }
    }
    let elsewhere = |place: &&Place| place.other_port(address.port()).is_some();
    let mut elsewhere = places.iter().filter(elsewhere);
    if let Some(place) = elsewhere.next() {
        let url = place.url.as_ref().map_or("", CallbackUrl::as_str);
        let more = match elsewhere.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        ui.note(format_args!(
            "Note: `{}`{more} has another port than {}, so requests to it do not arrive here unless something forwards them",
            Clean(masked(url)),
            address.port()
        ));
    }
    ui.flush();
}

fn show(reception: &Reception, ui: &mut Ui) {
    if ui.json() {
        ui.json_line(&render::reception_json(reception));
    } else {
        let style = ui.style(0);
        ui.stream(|out| render::reception_text(reception, &style, out));
    }
    ui.flush();
}
