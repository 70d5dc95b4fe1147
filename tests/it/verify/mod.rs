//! Verifying receivers: each mistake that receivers make is named by its cause.

mod commands;
mod server;

use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use ess_callbacks::envelope;
use ess_callbacks::model::CallbackUrl;
use ess_callbacks::secret::Secret;
use ess_callbacks::verify::{
    Marks, MsgType, Options, Outcome, Reach, Receiver as Subject, Resolve, System, Trust, verify,
};
use server::{Authority, Got, Receiver, Server, flood, good, raw, status, with_header};

use crate::support::{KEY, OTHER_KEY, TOKEN};

fn options() -> Options {
    Options {
        reach: Reach::Anywhere,
        timeout: Duration::from_secs(30),
        slow: Duration::from_secs(30),
        parallel: 64,
        msg_type: MsgType::harmless(),
        marks: Marks(1),
    }
}

fn subject(url: &str, key: Option<&str>, token: Option<&str>) -> Subject {
    Subject {
        url: CallbackUrl::new(url),
        key: key.map(Secret::new),
        token: token.map(Secret::new),
    }
}

async fn outcomes<R: Resolve>(
    subjects: &[Subject],
    options: &Options,
    trust: &Trust,
    resolver: &R,
) -> Vec<Outcome> {
    let found = Mutex::new(vec![None; subjects.len()]);
    let done = |number: usize, outcome| found.lock().unwrap()[number] = Some(outcome);
    verify(subjects, options, trust, resolver, done).await;
    found.into_inner().unwrap().into_iter().flatten().collect()
}

fn trust() -> Trust {
    let root = Authority::root();
    Trust::new(Some(("test", root.pem().as_bytes()))).unwrap()
}

async fn outcome(url: &str, options: &Options) -> Outcome {
    let subjects = [subject(url, Some(KEY), Some(TOKEN))];
    let mut all = outcomes(&subjects, options, &trust(), &System).await;
    all.remove(0)
}

fn codes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.findings.iter().map(|found| found.code).collect()
}

/// The codes of what is found about a receiver that answers this.
async fn found(
    answer: impl Fn(&Got) -> Response + Clone + Send + Sync + 'static,
) -> Vec<&'static str> {
    let receiver = Receiver::start("127.0.0.1:0", answer).await;
    codes(&outcome(&receiver.url(), &options()).await)
}

#[tokio::test]
async fn a_good_receiver_gets_every_probe_and_no_warning() {
    let receiver = Receiver::start("127.0.0.1:0", good).await;
    let outcome = outcome(&receiver.url(), &options()).await;
    // It can't tell the vendor's check from a forged message, which is a note.
    assert_eq!(codes(&outcome), ["V043"]);
    assert!(outcome.latency_ms.is_some());
    let bodies = receiver.bodies();
    assert_eq!(bodies.len(), 9);
    assert_eq!(&bodies[..2], ["{}", "{}"]);
    assert_eq!(bodies[2], bodies[3]);
    for one in receiver.got.lock().unwrap().iter() {
        assert_eq!(one.headers["content-type"], "application/json");
        assert_eq!(one.headers["host"], receiver.address.to_string());
        assert!(
            one.headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("ess-callbacks-verify/")
        );
    }
}

#[tokio::test]
async fn what_receivers_get_wrong() {
    let signed = |got: &Got| got.headers.contains_key("content-signature");
    // Refuses the probe by which an address is checked.
    let strict = move |got: &Got| if signed(got) { good(got) } else { status(403) };
    assert_eq!(found(strict).await, ["V020", "V043"]);
    let no_envelope = move |got: &Got| {
        if got.body == "{}" && signed(got) {
            status(400)
        } else {
            good(got)
        }
    };
    assert_eq!(found(no_envelope).await, ["V021", "V043"]);
    // Another key than the declared one.
    let other_key = |got: &Got| {
        let readable = envelope::decrypt(&Secret::new(OTHER_KEY), got.body.as_bytes()).is_ok();
        if got.body == "{}" || readable {
            status(200)
        } else {
            status(500)
        }
    };
    assert_eq!(found(other_key).await, ["V022", "V043"]);
    // The signature of JSON that was parsed and serialized again.
    let again = |got: &Got| {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&got.body) else {
            return status(400);
        };
        let mut got = got.clone();
        got.body = json.to_string();
        good(&got)
    };
    assert_eq!(found(again).await, ["V024", "V043"]);
    assert_eq!(found(|_| status(200)).await, ["V040", "V041", "V042"]);
    assert_eq!(
        found(|_| status(404)).await,
        ["V020", "V021", "V022", "V043"]
    );
    // Accepts no message twice.
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let once = move |got: &Got| {
        let mut seen = seen.lock().unwrap();
        if got.body != "{}" && seen.contains(&got.body) {
            return status(409);
        }
        seen.push(got.body.clone());
        good(got)
    };
    assert_eq!(found(once).await, ["V023", "V043"]);
    let page = |_: &Got| {
        let page = Body::from("<!DOCTYPE html><title>Just a moment...</title>");
        Response::builder()
            .header("content-type", "text/html")
            .body(page)
            .unwrap()
    };
    assert_eq!(found(page).await[0], "V031");
}

#[tokio::test]
async fn without_key_and_token_fewer_probes_are_sent() {
    let receiver = Receiver::start("127.0.0.1:0", |_| status(200)).await;
    let subjects = [subject(&receiver.url(), None, None)];
    let all = outcomes(&subjects, &options(), &trust(), &System).await;
    assert_eq!(codes(&all[0]), [""; 0]);
    let bodies = receiver.bodies();
    assert_eq!(bodies.len(), 4);
    assert!(bodies[1].contains(r#""MsgType":"EssCallbacksVerify""#));
}

#[tokio::test]
async fn redirects_are_named_and_not_followed() {
    let target = Receiver::start("127.0.0.1:0", |_| status(200)).await;
    let to = target.url();
    let redirect = move |_: &Got| with_header(302, "location", &to);
    assert_eq!(found(redirect).await, ["V002"]);
    assert!(target.bodies().is_empty());
    let secure = format!("https://127.0.0.1/esign?token={TOKEN}");
    let receiver = Receiver::start("127.0.0.1:0", move |_| {
        with_header(301, "location", &secure)
    })
    .await;
    let outcome = outcome(&receiver.url(), &options()).await;
    assert_eq!(codes(&outcome), ["V001"]);
    assert_eq!(receiver.bodies().len(), 1);
    let message = &outcome.findings[0].message;
    assert!(
        message.contains("https://127.0.0.1/esign") && !message.contains(TOKEN),
        "{message}"
    );
}

#[tokio::test]
async fn connections_that_fail_are_named() {
    let short = Options {
        timeout: Duration::from_millis(300),
        ..options()
    };
    let of = async |url: String| codes(&outcome(&url, &short).await);
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = free.local_addr().unwrap();
    drop(free);
    assert_eq!(of(format!("http://{closed}/")).await, ["V004"]);
    let silent = raw(b"", false).await;
    assert_eq!(of(format!("http://{silent}/")).await, ["V005"]);
    assert_eq!(of(format!("https://{silent}/")).await, ["V005"]);
    let gone = raw(b"", true).await;
    assert_eq!(of(format!("http://{gone}/")).await, ["V007"]);
    let ssh = raw(b"SSH-2.0-OpenSSH_9.6\r\n", true).await;
    assert_eq!(of(format!("http://{ssh}/")).await, ["V008"]);
    assert_eq!(of(format!("https://{ssh}/")).await, ["V016"]);
    let endless = raw(b"HTTP/1.1 200 OK\r\n\r\nx", false).await;
    assert_eq!(of(format!("http://{endless}/")).await, ["V030"]);
    let flooding = format!("http://{}/", flood().await);
    assert_eq!(codes(&outcome(&flooding, &options()).await), ["V030"]);
    assert_eq!(
        of("http://no-such-host.invalid/".to_owned()).await,
        ["V003"]
    );
}

#[tokio::test]
async fn an_answer_over_the_threshold_is_slow() {
    let receiver = Receiver::start("127.0.0.1:0", good).await;
    let options = Options {
        slow: Duration::ZERO,
        ..options()
    };
    assert_eq!(
        codes(&outcome(&receiver.url(), &options).await),
        ["V043", "V032"]
    );
}

#[tokio::test]
async fn certificates_are_told_apart() {
    let root = Authority::root();
    let intermediate = Authority::below(&root);
    let trust = Trust::new(Some(("test", root.pem().as_bytes()))).unwrap();
    let of = async |server: Server| {
        let url = format!("https://localhost:{}/", server.serve().await.port());
        let subjects = [subject(&url, None, None)];
        let all = outcomes(&subjects, &options(), &trust, &Names("127.0.0.1")).await;
        codes(&all[0])
    };
    assert_eq!(of(root.issue("localhost", |_| {})).await, [""; 0]);
    let old = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    assert_eq!(of(root.issue("localhost", old)).await, ["V010"]);
    let early = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    };
    assert_eq!(of(root.issue("localhost", early)).await, ["V011"]);
    assert_eq!(of(root.issue("other.example", |_| {})).await, ["V012"]);
    assert_eq!(of(Server::self_signed("localhost")).await, ["V013"]);
    assert_eq!(of(intermediate.issue("localhost", |_| {})).await, ["V014"]);
    let mut whole = intermediate.issue("localhost", |_| {});
    whole.chain.push(intermediate.der());
    assert_eq!(of(whole).await, [""; 0]);
    for foreign in [Authority::root(), Authority::named("foreign")] {
        let mut unknown = foreign.issue("localhost", |_| {});
        unknown.chain.push(foreign.der());
        assert_eq!(of(unknown).await, ["V015"]);
    }
}

/// Gives every name this address.
struct Names(&'static str);

impl Resolve for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![self.0.parse().unwrap()])
    }
}

#[tokio::test]
async fn private_addresses_get_nothing() {
    let receiver = Receiver::start("127.0.0.1:0", good).await;
    let port = receiver.address.port();
    let public = Options {
        reach: Reach::Public,
        ..options()
    };
    for url in [
        format!("http://0x7f.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://hooks.acme.example:{port}/"),
    ] {
        let subjects = [subject(&url, None, None)];
        let all = outcomes(&subjects, &public, &trust(), &Names("127.0.0.1")).await;
        assert_eq!(codes(&all[0]), ["V006"], "{url}");
    }
    let here = Options {
        reach: Reach::ThisMachine,
        ..options()
    };
    let subjects = [subject("http://hooks.acme.example/", None, None)];
    let all = outcomes(&subjects, &here, &trust(), &Names("8.8.8.8")).await;
    assert_eq!(codes(&all[0]), ["V009"]);
    assert!(receiver.bodies().is_empty());
}

/// Gives another address each time.
struct Rebinding(Mutex<u8>);

impl Resolve for Rebinding {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        Ok(vec![format!("127.0.0.{asked}").parse().unwrap()])
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_gains_nothing() {
    let first = Receiver::start("127.0.0.1:0", |_| with_header(200, "connection", "close")).await;
    let port = first.address.port();
    let second = Receiver::start(&format!("127.0.0.2:{port}"), |_| status(200)).await;
    let subjects = [subject(
        &format!("http://hooks.acme.example:{port}/"),
        None,
        None,
    )];
    let resolver = Rebinding(Mutex::new(0));
    outcomes(&subjects, &options(), &trust(), &resolver).await;
    // Each request had its own connection, and all went to the address that was checked.
    assert_eq!(first.bodies().len(), 4);
    assert!(second.bodies().is_empty());
    assert_eq!(*resolver.0.lock().unwrap(), 1);
}

#[tokio::test]
async fn ipv6() {
    let Ok(probe) = tokio::net::TcpListener::bind("[::1]:0").await else {
        return;
    };
    drop(probe);
    let receiver = Receiver::start("[::1]:0", good).await;
    assert_eq!(codes(&outcome(&receiver.url(), &options()).await), ["V043"]);
}

#[tokio::test]
async fn one_host_is_never_hammered() {
    let receiver = Receiver::start("127.0.0.1:0", |_| status(200)).await;
    let subjects = vec![subject(&receiver.url(), None, None); 40];
    let all = outcomes(&subjects, &options(), &trust(), &System).await;
    assert_eq!(all.len(), 40);
    assert!(receiver.most.load(Ordering::SeqCst) <= 4);
}
