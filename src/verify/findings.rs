//! The words of findings.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "words are a pure function of what was found"
)]

use std::time::Duration;

use super::address::{Forbidden, Refused};
use super::code::{self, Code};
use super::failure::Failure;
use super::probe::ProbeKind;
use super::tls::TlsProblem;
use crate::model::{Finding, Gravity};

fn finding(
    code: Code,
    severity: Gravity,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        code: code.code,
        severity,
        message: message.into(),
        remedy: remedy.into(),
    }
}

/// What was sent, in a sentence about its answer.
const fn sent(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Empty => "`{}` without a signature",
        ProbeKind::EmptySigned => "`{}` with a valid signature",
        ProbeKind::Message => "a message as eSign sends it",
        ProbeKind::Again => "the same message again",
        ProbeKind::Unusual => "a valid message in unusual JSON",
        ProbeKind::Forged => "a message with a wrong signature",
        ProbeKind::Unsigned => "a message without a signature",
        ProbeKind::WrongKey => "a message that another key encrypted",
        ProbeKind::VendorsCheck => "the check of the vendor's documentation",
    }
}

/// A finding about a probe that had no answer.
pub(super) fn failure(kind: ProbeKind, failure: &Failure) -> Finding {
    let (message, remedy) = words(failure);
    let message = if kind == ProbeKind::Empty {
        message
    } else {
        format!("{message}; this was sent: {}", sent(kind))
    };
    finding(failure.code(), Gravity::Error, message, remedy)
}

fn words(failure: &Failure) -> (String, String) {
    match failure {
        Failure::NotAUrl => (
            "the URL has no host to connect to".to_owned(),
            "correct the URL in the configuration".to_owned(),
        ),
        Failure::Key(why) => (
            format!("no message can be encrypted: {why}"),
            "generate a key with `ess-callbacks secret new`".to_owned(),
        ),
        Failure::NoAddress(why) => (
            format!("the host name resolves to no address: {why}"),
            "correct the host name, or publish it in the public DNS; eSign must be able to resolve it".to_owned(),
        ),
        Failure::Forbidden(Forbidden::Address(address, Refused::Private(what))) => (
            format!("the host is {address}, {what}; eSign can't reach it, and nothing was sent"),
            "give the receiver a public address; to test an internal receiver, verify with --allow-private".to_owned(),
        ),
        Failure::Forbidden(Forbidden::Address(address, Refused::NotThisMachine)) => (
            format!("the host is {address}, which is not this machine; with --sandbox nothing leaves it, so nothing was sent"),
            "verify without --sandbox".to_owned(),
        ),
        Failure::Forbidden(Forbidden::Name(name)) => (
            format!(
                "the host is the name `{name}`; with --sandbox nothing leaves this machine, so the name was not looked up \
                 and nothing was sent"
            ),
            "write `localhost` or a loopback address for a receiver on this machine; verify others without --sandbox"
                .to_owned(),
        ),
        Failure::Refused => (
            "the connection was refused: nothing listens at this address and port".to_owned(),
            "start the receiver, and check the port in the URL and the rules of the firewall".to_owned(),
        ),
        Failure::Timeout(limit) => (
            format!("no answer within {}", seconds(*limit)),
            "check that the receiver answers 200 before processing, and ends its answer; and that the firewall lets requests \
             from the internet through"
                .to_owned(),
        ),
        Failure::Endless(limit) => (
            format!("the body of the answer did not end within {}", seconds(*limit)),
            "answer 200 with a short body, and end it".to_owned(),
        ),
        Failure::TooLong(limit) => (
            format!("the body of the answer has more than {} MiB", limit >> 20),
            "answer 200 with a short body".to_owned(),
        ),
        Failure::Connection(why) => (
            format!("the connection failed: {why}"),
            "check the receiver and the load balancer in front of it, which must send a whole answer; then the network and the \
             firewall"
                .to_owned(),
        ),
        Failure::NotHttp(why) => (
            format!("the answer is not HTTP: {why}"),
            "check the port in the URL, whether it needs https instead of http, and that the head of the answer is valid and \
             not too large"
                .to_owned(),
        ),
        Failure::Tls(problem) => tls(problem),
    }
}

fn tls(problem: &TlsProblem) -> (String, String) {
    let (message, remedy) = match problem {
        TlsProblem::Expired => ("the certificate has expired", "renew the certificate"),
        TlsProblem::NotYetValid => (
            "the certificate is not valid yet",
            "check the clocks of this machine and of whoever issued the certificate",
        ),
        TlsProblem::WrongName => (
            "the certificate is for another host name",
            "use a certificate for the host name in the URL",
        ),
        TlsProblem::SelfSigned => (
            "the certificate is self-signed",
            "use a certificate of a public certificate authority; for a private one, give the authority's certificate with \
             --ca-file. A certificate that is an authority (`CA:TRUE`) is not accepted as that of a server",
        ),
        TlsProblem::MissingIntermediate => (
            "the server sends only its own certificate, and not the intermediate certificate that issued it",
            "configure the server with the full chain (`fullchain.pem`); if a private authority issued it directly, give \
             that one's certificate with --ca-file",
        ),
        TlsProblem::UnknownIssuer => (
            "the certificate chain ends at an authority that is not trusted here",
            "use a certificate of a public certificate authority; for a private one, give its certificate with --ca-file",
        ),
        TlsProblem::Other(why) => {
            return (
                format!("TLS failed: {why}"),
                "check that the port serves TLS 1.2 or 1.3, and that the certificate is a server certificate".to_owned(),
            );
        }
    };
    (message.to_owned(), remedy.to_owned())
}

/// A redirect.
pub(super) fn redirect(status: u16, target: &str, to_https: bool) -> Finding {
    if to_https {
        return finding(
            code::TO_HTTPS,
            Gravity::Error,
            format!(
                "answered {status}: redirects from http to https, to {target}. A redirect turns a POST into a GET, and \
                 the message is lost"
            ),
            "declare the https URL",
        );
    }
    finding(
        code::REDIRECT,
        Gravity::Error,
        format!(
            "answered {status}: redirects to {target}. A redirect is not followed, and the message is lost"
        ),
        "declare the URL that it redirects to, or serve the receiver at this one",
    )
}

/// A probe that must be accepted got another answer than 200.
pub(super) fn refused(kind: ProbeKind, status: u16) -> Finding {
    let (code, remedy) = match kind {
        ProbeKind::Empty => (
            code::EMPTY,
            "answer 200 to `{}` before any check: eSign sends it to check an address, and refuses to configure one that gives another answer",
        ),
        ProbeKind::EmptySigned => (
            code::EMPTY_SIGNED,
            "answer 200 to `{}` also when it is signed; it has no member `encrypt`",
        ),
        ProbeKind::Message => (
            code::MESSAGE,
            "check that the receiver has the same key and token, verifies the signature over the body as received, \
             and answers 200 to types of messages that it does not know",
        ),
        ProbeKind::Again => (
            code::AGAIN,
            "answer 200 to a MsgId that was received already: eSign repeats messages",
        ),
        // The others need not be accepted.
        ProbeKind::Unusual
        | ProbeKind::Forged
        | ProbeKind::Unsigned
        | ProbeKind::WrongKey
        | ProbeKind::VendorsCheck => (
            code::UNUSUAL,
            "verify the signature over the bytes of the body as received, before they are parsed; do not serialize \
             the JSON again",
        ),
    };
    let remedy = match status {
        404 => "serve the receiver at the path and query of the URL".to_owned(),
        405 => "accept POST at the path of the URL".to_owned(),
        500..=599 => format!("look for the error in the log of the receiver; {remedy}"),
        _ => remedy.to_owned(),
    };
    finding(
        code,
        Gravity::Error,
        format!("{} got {status}, not 200", sent(kind)),
        remedy,
    )
}

/// A probe that should be refused got 200.
pub(super) fn accepted(kind: ProbeKind) -> Finding {
    let (code, remedy) = match kind {
        ProbeKind::WrongKey => (
            code::WRONG_KEY,
            "decrypt before answering, and refuse what can't be decrypted; otherwise a wrong key is not noticed",
        ),
        ProbeKind::Unsigned => (
            code::UNSIGNED,
            "refuse a message without `Content-Signature`: anyone who knows the URL can forge it",
        ),
        ProbeKind::Empty
        | ProbeKind::EmptySigned
        | ProbeKind::Message
        | ProbeKind::Again
        | ProbeKind::Unusual
        | ProbeKind::Forged
        | ProbeKind::VendorsCheck => (
            code::FORGED,
            "verify `Content-Signature`, and refuse a message whose signature is wrong: anyone who knows the URL can \
             forge it",
        ),
    };
    finding(
        code,
        Gravity::Warning,
        format!("{} got 200", sent(kind)),
        remedy,
    )
}

/// An HTML page with 200.
pub(super) fn html() -> Finding {
    finding(
        code::HTML,
        Gravity::Warning,
        "answered 200 with an HTML page, perhaps of a firewall or a content delivery network in front of the receiver",
        "exempt the path from challenges and login pages; if the receiver itself sends this page, answer with a short \
         text instead",
    )
}

/// An answer that took long.
pub(super) fn slow(took: Duration, limit: Duration) -> Finding {
    finding(
        code::SLOW,
        Gravity::Warning,
        format!(
            "the slowest answer took {}, more than {}",
            seconds(took),
            seconds(limit)
        ),
        "answer 200 before processing: a late answer makes eSign send the message again",
    )
}

/// The vendor's check was refused.
pub(super) fn vendors_check(status: u16, severity: Gravity) -> Finding {
    let remedy = match severity {
        Gravity::Note => {
            "nothing, if the receiver refuses forged messages on purpose: this one can't be told from them"
        }
        Gravity::Warning | Gravity::Error => {
            "answer 200 to what the receiver does not understand, as the vendor's documentation demands"
        }
    };
    let message = format!("{} got {status}, not 200", sent(ProbeKind::VendorsCheck));
    finding(code::VENDORS_CHECK, severity, message, remedy)
}

fn seconds(duration: Duration) -> String {
    let text = format!("{:.1}", duration.as_secs_f64());
    format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
}
