//! Verifying receivers: POSTs to a callback URL what eSign would, and names what is wrong with the answers.
//!
//! [`probes`] says what is sent and [`judge`](judge()) what an answer means; both are functions of values. [`verify`](verify()) sends.
//!
//! Invariants: a connection goes only to an address that was checked ([`Reach`]), because the name is resolved
//! once and the checked addresses are those connected to; no redirect is followed and no proxy is used; what is read
//! of an answer, and how long it is waited for, is bounded; at most [`MOST_ON_A_HOST`] receivers of one host are
//! probed at once. No finding holds a key, a token or the text of an answer.

mod address;
mod check;
mod code;
mod connect;
mod failure;
mod findings;
mod judge;
mod probe;
mod schedule;
mod send;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

pub use self::address::{Forbidden, Reach, Refused};
pub use self::code::{CODES, Code};
pub use self::connect::{Resolve, System};
pub use self::failure::Failure;
pub use self::judge::{Answer, Next, Seen, judge};
pub use self::probe::{Marks, MsgType, Probe, ProbeKind, probes};
pub use self::schedule::{MOST_ON_A_HOST, Schedule};
pub use self::tls::{TlsProblem, Trust, TrustError};

use crate::model::{CallbackUrl, Finding};
use crate::secret::Secret;

/// What is verified: a URL with the key and the token that eSign has for it.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub url: CallbackUrl,
    pub key: Option<Secret>,
    pub token: Option<Secret>,
}

/// How receivers are verified.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// How long each answer may take, from the connection to the end of the body.
    pub timeout: Duration,
    /// An answer that takes longer is a warning.
    pub slow: Duration,
    /// At most so many receivers at once.
    pub parallel: usize,
    /// The type of the messages.
    pub msg_type: MsgType,
    /// What makes the ids of the messages of this run unique.
    pub marks: Marks,
}

/// What the probes of one receiver found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The longest time until an answer was read, in milliseconds; `None` when there was none.
    pub latency_ms: Option<u64>,
    /// In the order of the probes.
    pub findings: Vec<Finding>,
}

/// Verifies receivers side by side, and reports each as it is done, by its number.
///
/// Dropping the future ends it at once; what was reported stays reported.
pub async fn verify<R: Resolve>(
    receivers: &[Receiver],
    options: &Options,
    trust: &Trust,
    resolver: &R,
    mut done: impl FnMut(usize, Outcome) + Send,
) {
    let options = &Arc::new(options.clone());
    let mut schedule = Schedule::new(receivers.iter().map(|receiver| host(&receiver.url)));
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < options.parallel.max(1) {
            let Some(number) = schedule.next() else { break };
            running.push(async move {
                let receiver = &receivers[number];
                let outcome = check::check(number, receiver, options, trust, resolver).await;
                (number, outcome)
            });
        }
        let Some((number, outcome)) = running.next().await else {
            return;
        };
        schedule.done(number);
        done(number, outcome);
    }
}

/// The host of a URL, as it is written after parsing; URLs that are none share one.
fn host(url: &CallbackUrl) -> String {
    let parsed = url::Url::parse(url.as_str()).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str);
    host.unwrap_or_default().to_owned()
}
