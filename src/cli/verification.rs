//! Verifying receivers for commands: what `verify` and `apply --verify` share.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use crate::cli::exit::{Failure, with_causes};
use crate::cli::process::descriptors::Bound;
use crate::cli::random::random;
use crate::cli::settings::Settings;
use crate::cli::terminal::Ui;
use crate::model::{Address, SecretIndex, Verified};
use crate::render::counted;
use crate::secret::Secret;
use crate::verify::{self, Marks, MsgType, Options, Outcome, Reach, Receiver, System, Trust};

/// How many receivers are verified at once, unless an option says otherwise.
pub(crate) const PARALLEL: u32 = 16;
/// How long an answer may take, unless an option says otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer that takes longer is a warning.
const SLOW: Duration = Duration::from_secs(3);

/// What is verified.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) address: Address,
    pub(crate) key: Option<SecretIndex>,
    pub(crate) token: Option<SecretIndex>,
}

/// How it is verified.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) allow_private: bool,
    pub(crate) parallel: u32,
    pub(crate) timeout: Duration,
    pub(crate) msg_type: MsgType,
}

/// Verifies receivers, in the order given. A URL that several callbacks have with the same key and token is probed
/// once. After `stop`, only those that are done are returned.
pub(crate) async fn verify(
    subjects: &[Subject],
    values: &BTreeMap<SecretIndex, Secret>,
    how: How,
    settings: &Settings,
    stop: Option<watch::Receiver<bool>>,
    ui: &mut Ui,
) -> Result<Vec<Verified>, Failure> {
    let locations = settings.locations()?;
    let trust = trust(locations.certificates.as_deref())?;
    let reach = match (&locations.cloud, how.allow_private) {
        (Some(_), _) => Reach::ThisMachine,
        (None, true) => Reach::Anywhere,
        (None, false) => Reach::Public,
    };
    let mut numbers = BTreeMap::new();
    let mut receivers = Vec::new();
    let mut number_of = Vec::new();
    for Subject {
        address,
        key,
        token,
    } in subjects
    {
        let number = *numbers
            .entry((&address.url, *key, *token))
            .or_insert_with(|| {
                let value = |index: &Option<SecretIndex>| values.get(index.as_ref()?).cloned();
                receivers.push(Receiver {
                    url: address.url.clone(),
                    key: value(key),
                    token: value(token),
                });
                receivers.len() - 1
            });
        number_of.push(number);
    }
    note_proxy(ui);
    let parallel = usize::try_from(how.parallel).unwrap_or(usize::MAX);
    let most = Bound::of_this_process(false).map_or(usize::MAX, |bound| bound.in_flight);
    let options = Options {
        reach,
        timeout: how.timeout,
        slow: SLOW,
        parallel: parallel.min(most),
        msg_type: how.msg_type,
        marks: Marks(u64::from_be_bytes(random()?)),
    };
    if receivers.len() > 1 {
        ui.note(format_args!(
            "Verifying {} …",
            counted(receivers.len(), "receiver", "receivers")
        ));
    }
    let mut outcomes: Vec<Option<Outcome>> = vec![None; receivers.len()];
    {
        let mut done = |number: usize, outcome| outcomes[number] = Some(outcome);
        let work = verify::verify(&receivers, &options, &trust, &System, &mut done);
        tokio::select! {
            biased;
            () = asked_to(stop) => {}
            () = work => {}
        }
    }
    let verified = |(subject, number): (&Subject, usize)| {
        let Outcome {
            latency_ms,
            findings,
        } = outcomes[number].clone()?;
        Some(Verified {
            address: subject.address.clone(),
            latency_ms,
            findings,
        })
    };
    Ok(subjects
        .iter()
        .zip(number_of)
        .filter_map(verified)
        .collect())
}

async fn asked_to(stop: Option<watch::Receiver<bool>>) {
    if let Some(mut stop) = stop
        && stop.wait_for(|asked| *asked).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// The authorities of the system, and those of `--ca-file`.
fn trust(certificates: Option<&std::path::Path>) -> Result<Trust, Failure> {
    let trust = match certificates {
        None => Trust::new(None),
        Some(path) => {
            let file = path.display().to_string();
            let pem = std::fs::read(path).map_err(|error| {
                Failure::error(format!("the certificates `{file}` can't be read: {error}"))
            })?;
            Trust::new(Some((&file, &pem)))
        }
    };
    trust.map_err(|error| Failure::error(with_causes(&error)))
}

/// The other commands use the proxy of the environment. Through one, the address that is connected to can't be
/// checked, and eSign does not use it either.
fn note_proxy(ui: &mut Ui) {
    const NAMES: [&str; 6] = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(name) = NAMES.into_iter().find(|name| set(name)) {
        ui.note(format_args!(
            "Note: receivers are verified without the proxy of {name}: the address that is connected to must be the one \
             that was checked."
        ));
    }
}
