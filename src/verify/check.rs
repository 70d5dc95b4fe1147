//! The probes of one receiver, one after the other.

use std::time::Duration;

use tokio::time::timeout;

use super::connect::{Resolve, Target};
use super::failure::Failure;
use super::findings;
use super::judge::{Next, judge, judge_vendors_check};
use super::probe::{ProbeKind, probes};
use super::send::Way;
use super::tls::Trust;
use super::{Options, Outcome, Receiver};
use crate::client::Redactor;

pub(super) async fn check<R: Resolve>(
    number: usize,
    receiver: &Receiver,
    options: &Options,
    trust: &Trust,
    resolver: &R,
) -> Outcome {
    let nothing = |failure: &Failure| Outcome {
        latency_ms: None,
        findings: vec![findings::failure(ProbeKind::Empty, failure)],
    };
    let probes = match probes(number, receiver, &options.msg_type, options.marks) {
        Ok(probes) => probes,
        Err(error) => return nothing(&Failure::Key(error.to_string())),
    };
    let url = receiver.url.as_str();
    let finding = timeout(options.timeout, Target::find(url, options.reach, resolver));
    let target = match finding.await {
        Ok(Ok(target)) => target,
        Ok(Err(failure)) => return nothing(&failure),
        Err(_) => {
            let why = "the name server did not answer in time";
            return nothing(&Failure::NoAddress(why.to_owned()));
        }
    };
    let secrets = receiver.key.iter().chain(&receiver.token);
    let mut way = Way {
        target: &target,
        trust,
        timeout: options.timeout,
        redactor: &Redactor::new(secrets),
        line: None,
    };
    let has_secrets = receiver.key.is_some() || receiver.token.is_some();
    let mut found = Vec::new();
    let mut slowest: Option<Duration> = None;
    let mut messages = true;
    for probe in probes {
        if !messages && needs_messages(probe.kind) {
            continue;
        }
        let seen = way.send(&probe).await;
        if let Ok(answer) = &seen {
            slowest = slowest.max(Some(answer.took));
        }
        let (finding, next) = match (&seen, probe.kind) {
            (Ok(answer), ProbeKind::VendorsCheck) => {
                let finding = judge_vendors_check(answer.status, has_secrets);
                (finding, Next::Continue)
            }
            _ => judge(url, probe.kind, &seen),
        };
        if let Some(finding) = finding
            // A page may come as the answer to each.
            && !found.contains(&finding)
        {
            found.push(finding);
        }
        match next {
            Next::Continue => {}
            Next::NoMessages => messages = false,
            Next::Stop => break,
        }
    }
    if let Some(took) = slowest.filter(|took| *took > options.slow) {
        found.push(findings::slow(took, options.slow));
    }
    Outcome {
        latency_ms: slowest.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        findings: found,
    }
}

/// Whether the answer to this probe says nothing when valid messages are refused.
const fn needs_messages(kind: ProbeKind) -> bool {
    match kind {
        ProbeKind::Empty
        | ProbeKind::EmptySigned
        | ProbeKind::Message
        | ProbeKind::VendorsCheck => false,
        ProbeKind::Again
        | ProbeKind::Unusual
        | ProbeKind::Forged
        | ProbeKind::Unsigned
        | ProbeKind::WrongKey => true,
    }
}
