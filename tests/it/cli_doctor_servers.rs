//! `doctor` against servers that answer badly, or not at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::cli_doctor::{failed, group};
use crate::support::TestEnv;

/// A server on 127.0.0.1 that answers each connection with this, and how many there were.
fn answering(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || respond(stream, answer));
        }
    });
    (format!("http://{address}/"), count)
}

/// Answers every request of a connection.
fn respond(stream: TcpStream, answer: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let date = httpdate();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok()?;
    }
}

fn httpdate() -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[rstest]
#[case::html("<html>welcome to the hotel</html>")]
#[case::nothing("")]
#[case::half(r#"{"Response":{"Req"#)]
#[case::hostile(
    "{\"Response\":{\"Error\":{\"Code\":\"FailedOperation\",\"Message\":\"\\u001b[2J::set-output name=a::b\\u202e\"},\"RequestId\":\"##[group]\\u001b\"}}"
)]
#[case::a_new_code(r#"{"Response":{"Error":{"Code":"Brand.New","Message":"x"},"RequestId":"r"}}"#)]
fn whatever_a_server_answers_is_reported(#[case] answer: &'static str) {
    let (endpoint, asked) = answering(answer);
    let mut env = TestEnv::new(&group("test"));
    env.set("ESS_CALLBACKS_ENDPOINT", &endpoint)
        .set("TENCENTCLOUD_SECRET_ID", "AKIDx")
        .set("TENCENTCLOUD_SECRET_KEY", "canary-secret-key");
    for form in [
        &["doctor", "--organization", "acme"][..],
        &["--json", "doctor", "--organization", "acme"],
        &["orgs"],
    ] {
        let said = env.run(form);
        assert!(matches!(said.code, Some(8 | 1)), "{said}");
        for text in [&said.stdout, &said.stderr] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{202e}'),
                "{said}"
            );
            assert!(!text.contains("canary"), "{said}");
        }
    }
    assert!(asked.load(Ordering::Relaxed) > 0);
}

/// Serves TLS with a certificate of `tests/vectors/tls`.
fn tls(certificate: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let chain = CertificateDer::from_pem_slice(&read(certificate)).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut connection = rustls::ServerConnection::new(config).ok()?;
                while connection.is_handshaking() {
                    connection.complete_io(&mut stream).ok()?;
                }
                let mut tls = rustls::Stream::new(&mut connection, &mut stream);
                let mut some = [0; 4096];
                let _read = tls.read(&mut some).ok()?;
                write!(
                    tls,
                    "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Length: 0\r\n\r\n",
                    httpdate()
                )
                .ok()
            });
        }
    });
    format!("https://{address}/")
}

#[rstest]
#[case::expired("expired.pem", true, "expired")]
#[case::wrong_name("other-name.pem", true, "for another name")]
#[case::unknown_issuer("good.pem", false, "does not trust the issuer")]
#[case::good("good.pem", true, "")]
fn certificates_are_checked(#[case] certificate: &str, #[case] trusted: bool, #[case] words: &str) {
    let mut env = TestEnv::new(&group("test"));
    env.set("ESS_CALLBACKS_ENDPOINT", &tls(certificate))
        .set("TENCENTCLOUD_SECRET_ID", "AKIDx")
        .set("TENCENTCLOUD_SECRET_KEY", "key");
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/tls/ca.pem");
    if trusted {
        env.set("ESS_CALLBACKS_CA_FILE", ca);
    }
    let said = env.run(&["doctor", "--organization", "acme"]).exits(8);
    let line = said
        .stdout
        .lines()
        .find(|line| line.contains(" tls "))
        .unwrap();
    let expected = if words.is_empty() { "ok" } else { "failed" };
    assert!(line.starts_with(expected) && line.contains(words), "{said}");
}

#[test]
fn a_wrong_port_or_name_is_found() {
    let mut env = TestEnv::new(&group("test"));
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (plain, _) = answering("");
    let not_tls = plain.replace("http://", "https://");
    for (endpoint, name) in [
        (format!("http://{unused}/"), "connection"),
        ("https://does-not-exist.invalid/".to_owned(), "dns"),
        (not_tls, "tls"),
    ] {
        env.set("ESS_CALLBACKS_ENDPOINT", &endpoint);
        env.set("TENCENTCLOUD_SECRET_ID", "x")
            .set("TENCENTCLOUD_SECRET_KEY", "y");
        let said = env.run(&["--json", "doctor"]).exits(8);
        assert_eq!(failed(&said), [format!("{name} -")], "{said}");
    }
}

#[test]
fn a_proxy_is_named_without_its_password() {
    let mut env = TestEnv::new(&group("test"));
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    env.set("HTTPS_PROXY", &format!("http://me:canary@{unused}"))
        .set("TENCENTCLOUD_SECRET_ID", "x")
        .set("TENCENTCLOUD_SECRET_KEY", "y");
    let said = env.run(&["doctor"]).exits(8);
    assert!(
        said.stdout
            .contains(&format!("the proxy {unused} did not connect")),
        "{said}"
    );
    assert!(!said.stdout.contains("canary"), "{said}");
}
