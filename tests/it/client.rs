//! The HTTP client against a server that misbehaves, on real connections.

use std::sync::{Arc, Mutex};

use ess_callbacks::client::{
    Api as _, CredentialCache, CredentialError, Credentials, Endpoint, ExtraRoots, HttpApi,
    HttpError, HttpOptions, Renewal, Reply, ServerTime,
};
use ess_callbacks::model::{
    AccountName, Blast, Call, CallbackUrl, Environment, Operation, OperatorId, Outcome, Region,
    RequestId, Scope, Timestamp,
};
use ess_callbacks::secret::Secret;
use ess_callbacks::sign::{Credential, CredentialProblem, Unsigned, sign};
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SIGNED_AT: Timestamp = Timestamp(1_700_000_000);
const KEY: &str = "canary-key-canary-key-canary-key";
const TOKEN: &str = "canary+token/with=odd characters";
const SUCCESS: &str = "HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:27 GMT\r\nContent-Length: 36\r\n\r\n{\"Response\":{\"RequestId\":\"r-12345\"}}";

/// What the server does with one connection's requests, one after the other.
#[derive(Clone, Debug)]
enum Does {
    /// Sends this and reads on.
    Answer(String),
    /// Sends this and closes.
    AnswerAndClose(String),
}

/// A server that reads requests whole, keeps them, and gives the answers it was made with.
struct Server {
    endpoint: Endpoint,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

async fn server(script: Vec<Does>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let connections = Arc::new(Mutex::new(0));
    let server = Server {
        endpoint: Endpoint::parse(&format!("http://{address}/")).expect("loopback"),
        requests: Arc::clone(&requests),
        connections: Arc::clone(&connections),
    };
    tokio::spawn(async move {
        let mut script = script.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            *connections.lock().expect("not poisoned") += 1;
            while let Some(request) = read_request(&mut stream).await {
                requests.lock().expect("not poisoned").push(request);
                let (answer, close) = match script.next() {
                    Some(Does::Answer(answer)) => (answer, false),
                    Some(Does::AnswerAndClose(answer)) => (answer, true),
                    None => (String::new(), true),
                };
                if stream.write_all(answer.as_bytes()).await.is_err() || close {
                    break;
                }
            }
        }
    });
    server
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().expect("a number"));
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => text.push_str(std::str::from_utf8(&buffer[..read]).ok()?),
        }
    }
}

fn credential(token: Option<&str>) -> Credential {
    Credential {
        secret_id: "AKIDexample".to_owned(),
        secret_key: Secret::new("canary-secret-key"),
        token: token.map(Secret::new),
    }
}

fn fixed(credential: Credential) -> CredentialCache {
    CredentialCache::fixed(credential).expect("it can be sent")
}

fn api_with(endpoint: &Endpoint, credential: Credential, options: &HttpOptions) -> HttpApi {
    let credentials = Credentials::from([(AccountName::default_account(), fixed(credential))]);
    HttpApi::new(endpoint.clone(), credentials, options).expect("a client for plain http")
}

fn api(endpoint: &Endpoint) -> HttpApi {
    api_with(endpoint, credential(None), &HttpOptions::default())
}

fn call(account: &str) -> Call {
    Call {
        scope: Arc::new(Scope {
            environment: Environment::Test,
            account: AccountName::new(account),
            organization: None,
            app_id: None,
        }),
        operator: OperatorId::new("yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"),
        url: CallbackUrl::new("https://hooks.acme.example/esign"),
        operation: Operation::Add {
            key: Some(Secret::new(KEY)),
            token: Some(Secret::new(TOKEN)),
        },
        nonce: None,
        new_connection: false,
    }
}

async fn attempt(endpoint: &Endpoint) -> Reply {
    api(endpoint).attempt(&call("default"), SIGNED_AT).await
}

fn message(outcome: &Outcome) -> &str {
    &outcome.error().expect("no success").message
}

#[tokio::test]
async fn a_request_is_signed_as_it_is_sent() {
    let server = server(vec![Does::Answer(SUCCESS.to_owned())]).await;
    let options = HttpOptions {
        regions: [(AccountName::default_account(), Region::new("ap-guangzhou"))].into(),
        ..HttpOptions::default()
    };
    let api = api_with(
        &server.endpoint,
        credential(Some("session/token==")),
        &options,
    );
    let reply = api.attempt(&call("default"), SIGNED_AT).await;
    assert_eq!(
        reply,
        Reply {
            outcome: Outcome::Applied(RequestId::new("r-12345")),
            server_time: Some(Timestamp(1_700_000_007)),
        }
    );

    let requests = server.requests.lock().expect("not poisoned");
    let (head, body) = requests[0].split_once("\r\n\r\n").expect("a whole request");
    let signed = sign(
        &Unsigned {
            service: "ess",
            host: server.endpoint.host(),
            content_type: "application/json",
            body: body.as_bytes(),
        },
        &credential(None),
        SIGNED_AT,
    );
    let mut lines: Vec<_> = head.lines().collect();
    lines[1..].sort_unstable();
    let sent = lines
        .join("\n")
        .replace(server.endpoint.host(), "HOST:PORT")
        .replace(&signed.authorization, "AUTHORIZATION")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(sent, @r"
    POST / HTTP/1.1
    accept: */*
    authorization: AUTHORIZATION
    content-length: 240
    content-type: application/json
    host: HOST:PORT
    user-agent: ess-callbacks/VERSION
    x-tc-action: ModifyApplicationCallbackInfo
    x-tc-language: zh-CN
    x-tc-region: ap-guangzhou
    x-tc-timestamp: 1700000000
    x-tc-token: session/token==
    x-tc-version: 2020-11-11
    ");
    assert!(body.contains(KEY) && body.contains(TOKEN));
}

#[tokio::test]
async fn nothing_is_sent_to_a_closed_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    drop(listener);
    let endpoint = Endpoint::parse(&format!("http://{address}/")).expect("loopback");
    let reply = attempt(&endpoint).await;
    assert!(matches!(reply.outcome, Outcome::NotSent(_)), "{reply:?}");
    assert!(message(&reply.outcome).contains(&address.to_string()));
    assert!(message(&reply.outcome).to_lowercase().contains("refused"));
}

/// A server that speaks no TLS: nothing of the call leaves before the handshake is done.
#[tokio::test]
async fn nothing_is_sent_without_tls() {
    let server = server(vec![]).await;
    let https = format!("https://{}/", server.endpoint.host());
    let endpoint = Endpoint::parse(&https).expect("https");
    // Where the machine has no CA bundle there is no client to try this with.
    let account = AccountName::default_account();
    let credentials = Credentials::from([(account, fixed(credential(None)))]);
    let api = match HttpApi::new(endpoint, credentials, &HttpOptions::default()) {
        Ok(api) => api,
        Err(error) => {
            assert!(error.to_string().contains("--ca-file"), "{error}");
            return;
        }
    };
    let listener = tokio::spawn(async move { api.attempt(&call("default"), SIGNED_AT).await });
    let reply = listener.await.expect("no panic");
    assert!(matches!(reply.outcome, Outcome::NotSent(_)), "{reply:?}");
}

/// Whatever comes after the request has left, short of eSign's own answer, proves nothing.
#[rstest]
#[case::closed_at_once("", "lost before its answer")]
#[case::closed_in_the_head("HTTP/1.1 200 OK\r\nContent-Le", "lost before its answer")]
#[case::closed_in_the_body(
    "HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n{\"Response\"",
    "lost before its answer"
)]
#[case::not_http("220 smtp.example ESMTP\r\n", "lost before its answer")]
#[case::redirect(
    "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "HTTP status 302 with an empty body"
)]
#[case::bad_gateway(
    "HTTP/1.1 502 Bad Gateway\r\nDate: Tue, 14 Nov 2023 22:13:27 GMT\r\nContent-Length: 24\r\n\r\n<html>Bad Gateway</html>",
    "HTTP status 502 with the body: <html>Bad Gateway</html>"
)]
#[case::not_json(
    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome",
    "HTTP status 200 with the body: welcome"
)]
#[case::success_with_another_status(
    "HTTP/1.1 202 Accepted\r\nContent-Length: 36\r\n\r\n{\"Response\":{\"RequestId\":\"r-12345\"}}",
    "HTTP status 202"
)]
#[case::no_content(
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP status 204 with an empty body"
)]
#[tokio::test]
async fn the_outcome_is_unknown(#[case] answer: &str, #[case] expected: &str) {
    let server = server(vec![Does::AnswerAndClose(answer.to_owned())]).await;
    let reply = attempt(&server.endpoint).await;
    assert!(matches!(reply.outcome, Outcome::Unknown(_)), "{reply:?}");
    assert!(message(&reply.outcome).contains(expected), "{reply:?}");
    assert_eq!(reply.server_time, None, "not eSign's clock");
    let requests = server.requests.lock().expect("not poisoned");
    assert_eq!(requests.len(), 1, "it was sent again");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let body = "x".repeat(3 << 20);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = server(vec![Does::AnswerAndClose(answer)]).await;
    let reply = attempt(&server.endpoint).await;
    assert!(matches!(reply.outcome, Outcome::Unknown(_)), "{reply:?}");
    assert!(message(&reply.outcome).contains("more than 1048576 bytes"));
}

/// A secret that the server echoes, in whatever form, is not repeated.
#[tokio::test]
async fn an_echo_of_the_request_is_cleaned() {
    let echo = format!(
        "{KEY} {} {TOKEN} canary%2Btoken%2Fwith%3Dodd+characters canary-secret-key",
        hex::encode(KEY)
    );
    let body = serde_json::json!({"Response": {
        "Error": {"Code": "InvalidParameter", "Message": echo},
        "RequestId": "r-1",
    }})
    .to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = server(vec![Does::Answer(answer)]).await;
    let reply = attempt(&server.endpoint).await;
    assert!(matches!(reply.outcome, Outcome::Rejected(Blast::Call, _)));
    assert_eq!(
        message(&reply.outcome),
        "(secret) (secret) (secret) (secret) (secret)"
    );
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = server(vec![Does::Answer(SUCCESS.to_owned()); 5]).await;
    let api = api(&server.endpoint);
    for _ in 0..5 {
        let reply = api.attempt(&call("default"), SIGNED_AT).await;
        assert!(matches!(reply.outcome, Outcome::Applied(_)), "{reply:?}");
    }
    assert_eq!(*server.connections.lock().expect("not poisoned"), 1);
}

/// The server closes an idle connection. The next call either notices and takes a new one, or is lost
/// on it; it never arrives twice, and is never called "not sent".
#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_trusted() {
    let closing = || Does::AnswerAndClose(SUCCESS.to_owned());
    let server = server(vec![closing(), closing(), closing()]).await;
    let api = api(&server.endpoint);
    let mut applied = 0;
    for _ in 0..3 {
        let reply = api.attempt(&call("default"), SIGNED_AT).await;
        let was_applied = matches!(reply.outcome, Outcome::Applied(_));
        assert!(
            was_applied || matches!(reply.outcome, Outcome::Unknown(_)),
            "{reply:?}"
        );
        applied += usize::from(was_applied);
    }
    assert_eq!(server.requests.lock().expect("not poisoned").len(), applied);
}

#[tokio::test]
async fn the_servers_time_is_had_without_signing_anything() {
    let server = server(vec![Does::AnswerAndClose(
        "HTTP/1.1 404 Not Found\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Length: 0\r\n\r\n"
            .to_owned(),
    )])
    .await;
    let account = AccountName::default_account();
    let api = api(&server.endpoint);
    assert_eq!(
        api.server_time(&account).await,
        ServerTime::Known(SIGNED_AT)
    );
    let request = server.requests.lock().expect("not poisoned")[0].clone();
    assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_lowercase().contains("authorization"));
    let silence = api.server_time(&account).await;
    assert!(matches!(silence, ServerTime::NoAnswer(_)), "{silence:?}");
    assert_eq!(
        api.renew(&account).await,
        Renewal::Renewed,
        "none was refused"
    );
}

/// What `orgs` reads of a long answer.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    total: u32,
}

#[rstest]
#[case::an_answer(r#"{"Response":{"Total":3,"Phone":"1","RequestId":"r"}}"#, Ok(Listing { total: 3 }))]
#[case::a_refusal(
    r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"m"},"RequestId":"r"}}"#,
    Err("the SecretKey does not belong to the SecretId")
)]
#[case::rubbish(r#"{"Phone":"1"}"#, Err("nothing was learnt, and nothing was changed"))]
#[tokio::test]
async fn reading_calls_are_signed_alike(
    #[case] body: &str,
    #[case] expected: Result<Listing, &'static str>,
) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = server(vec![Does::Answer(answer)]).await;
    let asked: Result<Listing, _> = api(&server.endpoint)
        .ask(
            &AccountName::default_account(),
            "DescribeOrganizationGroupOrganizations",
            &serde_json::json!({"Limit": 1}),
            SIGNED_AT,
        )
        .await;
    let asked = asked.map_err(|error| {
        assert!(!error.message.contains("Phone"), "{error:?}");
        error.meaning
    });
    assert_eq!(asked, expected.map_err(Into::into));
    let request = server.requests.lock().expect("not poisoned")[0].clone();
    assert!(request.contains("x-tc-action: DescribeOrganizationGroupOrganizations\r\n"));
    assert!(request.ends_with(r#"{"Limit":1}"#), "{request}");
}

#[tokio::test]
async fn an_account_without_credentials_stops() {
    let server = server(vec![]).await;
    let reply = api(&server.endpoint)
        .attempt(&call("partner"), SIGNED_AT)
        .await;
    assert!(matches!(
        reply.outcome,
        Outcome::Rejected(Blast::Account, _)
    ));
    assert!(message(&reply.outcome).contains("`partner`"));
    assert_eq!(*server.connections.lock().expect("not poisoned"), 0);
}

fn refused(endpoint: &str, options: &HttpOptions) -> HttpError {
    let endpoint = Endpoint::parse(endpoint).expect("a valid endpoint");
    match HttpApi::new(endpoint, Credentials::new(), options) {
        Err(error) => error,
        Ok(_) => panic!("it was taken"),
    }
}

#[test]
fn what_can_never_work_is_said_at_once() {
    let spaced = Credential {
        secret_id: " AKID".to_owned(),
        ..credential(None)
    };
    let error = CredentialCache::fixed(spaced).expect_err("it can't be sent");
    let problem = CredentialProblem::WhiteSpace("SecretId");
    assert_eq!(error, CredentialError::Unusable(problem));

    let options = HttpOptions {
        regions: [(
            AccountName::default_account(),
            Region::new("ap guangzhou\r\n"),
        )]
        .into(),
        ..HttpOptions::default()
    };
    let error = refused("http://127.0.0.1:1/", &options);
    insta::assert_snapshot!(error, @r"`ap guangzhou\r\n` is not a region: write one like ap-guangzhou, or leave it out");

    for pem in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let options = HttpOptions {
            extra_roots: Some(ExtraRoots {
                file: "ca.pem".to_owned(),
                pem: pem.as_bytes().to_vec(),
            }),
            ..HttpOptions::default()
        };
        let error = refused("https://127.0.0.1:1/", &options).to_string();
        assert!(
            error.contains("ca.pem") || error.contains("--ca-file"),
            "{error}"
        );
    }
}

#[test]
fn a_client_prints_no_secret() {
    let endpoint = Endpoint::parse("http://127.0.0.1:1/").expect("loopback");
    let api = api_with(
        &endpoint,
        credential(Some("canary-session")),
        &HttpOptions::default(),
    );
    assert!(!format!("{api:?} {:?}", call("default")).contains("canary"));
}
