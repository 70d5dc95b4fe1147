//! The way to eSign: endpoint, proxy, name, connection, TLS, clock.

use super::{Check, CheckName, Finding};
use crate::model::{Reached, Stage, Timestamp, TlsProblem};

/// More than this, in seconds, is a warning.
const FAR: i64 = 60;
/// With more than this, in seconds, eSign refuses every signature.
const TOO_FAR: i64 = 300;
const NTP: &str = "Set the clock of this machine (NTP).";

/// What was found on the way.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The URL of calls.
    pub endpoint: String,
    /// Whose it is, such as `eSign's, environment test`.
    pub whose: String,
    pub host: String,
    /// Whether `--endpoint` gave it.
    pub is_given: bool,
    pub https: bool,
    /// The proxy that the environment names for it, without a password.
    pub proxy: Option<String>,
    /// A variable that names a proxy which can't be used.
    pub unusable_proxy: Option<String>,
    pub names: Names,
    pub reached: Reached,
    /// When the request left.
    pub asked_at: Timestamp,
    /// When its answer, or its failure, was there.
    pub answered_at: Timestamp,
}

/// What came of resolving the endpoint's name.
#[derive(Clone, Debug)]
pub enum Names {
    /// It has so many addresses.
    Resolved(usize),
    Failed(String),
    /// It is an address itself, or the proxy resolves it.
    NotNeeded(&'static str),
}

type Decide = fn(&Connection) -> Finding;

/// The checks of the way, up to the first that failed; those after it are skipped.
pub fn connection(found: &Connection) -> Vec<Check> {
    let checks: [(CheckName, Decide); 6] = [
        (CheckName::Endpoint, endpoint),
        (CheckName::Proxy, proxy),
        (CheckName::Dns, dns),
        (CheckName::Connection, connected),
        (CheckName::Tls, tls),
        (CheckName::Clock, clock),
    ];
    let mut done = Vec::new();
    let mut failed = None;
    for (name, check) in checks {
        let finding = match failed {
            Some(CheckName::Proxy | CheckName::Dns | CheckName::Connection | CheckName::Tls) => {
                Finding::skipped("there is no connection to eSign")
            }
            Some(_) | None => check(found),
        };
        if finding.has_failed() {
            failed = Some(name);
        }
        done.push(Check {
            name,
            account: None,
            organization: None,
            finding,
        });
    }
    done
}

fn endpoint(found: &Connection) -> Finding {
    Finding::ok(format!("{}, {}", found.endpoint, found.whose))
}

fn proxy(found: &Connection) -> Finding {
    match (&found.proxy, &found.reached) {
        (
            Some(proxy),
            Reached::Failed {
                stage: Stage::Proxy,
                reason,
            },
        ) => Finding::failed(
            format!(
                "the proxy {proxy} did not connect to {}: {reason}",
                found.host
            ),
            "Check HTTPS_PROXY and its password; or let the proxy pass this host, or list the host in NO_PROXY.",
        ),
        (Some(proxy), Reached::Answered { .. } | Reached::Failed { .. }) => {
            Finding::ok(format!("calls go through {proxy}"))
        }
        (None, _) => match &found.unusable_proxy {
            Some(variable) => Finding::warning(
                format!(
                    "{variable} is set, but not to the URL of a proxy that can be used; calls go without one"
                ),
                format!(
                    "Write it like http://proxy.example:3128, or unset {variable}. SOCKS proxies are not supported."
                ),
            ),
            None => Finding::ok("none"),
        },
    }
}

fn dns(found: &Connection) -> Finding {
    match (&found.names, &found.reached) {
        (Names::Failed(reason), _)
        | (
            Names::Resolved(_),
            Reached::Failed {
                stage: Stage::Name,
                reason,
            },
        ) => Finding::failed(
            format!("the name {} has no address: {reason}", found.host),
            if found.is_given {
                "Check --endpoint for a typing mistake, and the name server of this machine (/etc/resolv.conf)."
            } else {
                "Check the name server of this machine (/etc/resolv.conf), and that it resolves names of the internet; \
                 behind a proxy, set HTTPS_PROXY."
            },
        ),
        (Names::Resolved(count), _) => {
            let addresses = if *count == 1 { "address" } else { "addresses" };
            Finding::ok(format!("{} has {count} {addresses}", found.host))
        }
        (Names::NotNeeded(why), _) => Finding::skipped(*why),
    }
}

fn connected(found: &Connection) -> Finding {
    let place = found.proxy.as_deref().unwrap_or(&found.host);
    match &found.reached {
        Reached::Failed {
            stage: Stage::Connect | Stage::Name | Stage::Proxy,
            reason,
        } => Finding::failed(
            format!("can't connect to {place}: {reason}"),
            if found.is_given {
                "Check --endpoint, and that a firewall or security group lets this machine connect to it; behind a \
                 proxy, set HTTPS_PROXY."
            } else {
                "Check that a firewall or security group lets this machine connect to it; behind a proxy, set \
                 HTTPS_PROXY."
            },
        ),
        Reached::Failed {
            stage: Stage::Answer,
            reason,
        } => Finding::failed(
            format!("{place} accepted the connection and did not answer: {reason}"),
            if found.is_given {
                "Try again; if it persists, check --endpoint and what is on the way: a proxy, a firewall that inspects TLS."
            } else {
                "Try again; if it persists, check what is on the way: a proxy, a firewall that inspects TLS."
            },
        ),
        Reached::Answered { .. }
        | Reached::Failed {
            stage: Stage::Tls(_),
            ..
        } => Finding::ok(format!("{place} answers")),
    }
}

fn tls(found: &Connection) -> Finding {
    if !found.https {
        return Finding::skipped("plain http, to this machine only");
    }
    let Reached::Failed {
        stage: Stage::Tls(problem),
        reason,
    } = &found.reached
    else {
        return Finding::ok(format!("the certificate is valid for {}", found.host));
    };
    let (what, remedy) = match problem {
        TlsProblem::Expired => (
            "its certificate has expired, or this machine's clock is off",
            "Check the clock of this machine; then the certificate of the server or of the proxy that inspects TLS.",
        ),
        TlsProblem::UnknownIssuer => (
            "this machine does not trust the issuer of its certificate",
            "Install the CA bundle (package ca-certificates). If a proxy inspects TLS, give its certificate with --ca-file.",
        ),
        TlsProblem::WrongName => (
            "its certificate is for another name",
            "Check --endpoint: it must have the name that is in the certificate.",
        ),
        TlsProblem::NotTls => (
            "it does not speak TLS",
            "Check the port in --endpoint; something else listens there.",
        ),
        TlsProblem::Other => (
            "TLS failed",
            "Check --endpoint, --ca-file and a proxy that inspects TLS.",
        ),
    };
    Finding::failed(format!("{what}: {reason}"), remedy)
}

fn clock(found: &Connection) -> Finding {
    let Reached::Answered { date } = found.reached else {
        return Finding::skipped("there is no answer");
    };
    let Some(date) = date else {
        return Finding::warning(
            "the answer has no Date, so this machine's clock can't be compared",
            "Check --endpoint: eSign's answers have one.",
        );
    };
    let middle = found
        .asked_at
        .plus(found.answered_at.seconds_since(found.asked_at).max(0) / 2);
    let off = middle.seconds_since(date);
    let size = off.unsigned_abs();
    let way = if off > 0 { "ahead of" } else { "behind" };
    match off.saturating_abs() {
        0..=2 => Finding::ok("this machine's clock agrees with eSign's"),
        3..=FAR => Finding::ok(format!("this machine's clock is {size} s {way} eSign's")),
        off if off <= TOO_FAR => Finding::warning(
            format!(
                "this machine's clock is {size} s {way} eSign's; eSign refuses signatures from {TOO_FAR} s on"
            ),
            NTP,
        ),
        _ => Finding::failed(
            format!(
                "this machine's clock is {size} s {way} eSign's, which refuses signatures from {TOO_FAR} s on"
            ),
            NTP,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::CheckResult;

    fn found(reached: Reached) -> Connection {
        Connection {
            endpoint: "https://ess.example/".to_owned(),
            whose: "of --endpoint".to_owned(),
            host: "ess.example".to_owned(),
            is_given: true,
            https: true,
            proxy: None,
            unusable_proxy: None,
            names: Names::Resolved(2),
            reached,
            asked_at: Timestamp(1000),
            answered_at: Timestamp(1002),
        }
    }

    fn shown(found: &Connection) -> String {
        let line = |check: &Check| {
            format!(
                "{} {}: {}",
                check.name.word(),
                check.finding.result.word(),
                check.finding.reason
            )
        };
        connection(found)
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn all_is_well() {
        insta::assert_snapshot!(shown(&found(Reached::Answered { date: Some(Timestamp(1000)) })), @"
        endpoint ok: https://ess.example/, of --endpoint
        proxy ok: none
        dns ok: ess.example has 2 addresses
        connection ok: ess.example answers
        tls ok: the certificate is valid for ess.example
        clock ok: this machine's clock agrees with eSign's
        ");
    }

    #[test]
    fn the_first_failure_is_the_only_one() {
        let failed = |stage, names| Connection {
            names,
            proxy: (stage == Stage::Proxy).then(|| "proxy.example:3128".to_owned()),
            ..found(Reached::Failed {
                stage,
                reason: "why".to_owned(),
            })
        };
        for (stage, names, name) in [
            (Stage::Name, Names::Failed("why".to_owned()), CheckName::Dns),
            (Stage::Name, Names::Resolved(1), CheckName::Dns),
            (Stage::Proxy, Names::NotNeeded("proxy"), CheckName::Proxy),
            (Stage::Connect, Names::Resolved(1), CheckName::Connection),
            (Stage::Answer, Names::Resolved(1), CheckName::Connection),
            (
                Stage::Tls(TlsProblem::Expired),
                Names::Resolved(1),
                CheckName::Tls,
            ),
        ] {
            let checks = connection(&failed(stage, names));
            let bad: Vec<_> = checks
                .iter()
                .filter(|check| check.finding.has_failed())
                .map(|check| check.name)
                .collect();
            assert_eq!(bad, [name], "{stage:?}");
            let after = checks.iter().skip_while(|check| check.name != name).skip(1);
            for check in after {
                assert_eq!(check.finding.result, CheckResult::Skipped, "{stage:?}");
            }
            assert!(
                checks
                    .iter()
                    .all(|check| !check.finding.has_failed() || check.finding.remedy.is_some())
            );
        }
    }

    #[test]
    fn the_clock_is_compared_with_the_middle_of_the_round_trip() {
        for (date, result) in [
            (1001, CheckResult::Ok),
            (1061, CheckResult::Ok),
            (941, CheckResult::Ok),
            (1062, CheckResult::Warning),
            (940, CheckResult::Warning),
            (701, CheckResult::Warning),
            (1301, CheckResult::Warning),
            (700, CheckResult::Failed),
            (1302, CheckResult::Failed),
            (i64::MAX, CheckResult::Failed),
            (i64::MIN, CheckResult::Failed),
        ] {
            let date = Some(Timestamp(date));
            let finding = clock(&found(Reached::Answered { date }));
            assert_eq!(finding.result, result, "{date:?}: {}", finding.reason);
        }
        let silent = clock(&found(Reached::Answered { date: None }));
        assert_eq!(silent.result, CheckResult::Warning);
    }
}
