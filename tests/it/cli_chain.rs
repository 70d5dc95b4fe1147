//! Temporary credentials through the whole program: an instance's role, roles that are assumed, regions, and whose they
//! are. One server is the metadata service, the token service and eSign.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use insta::assert_snapshot;

use crate::support::{TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const ROLE: &str = "qcs::cam::uin/100000000001:roleName/callbacks";

/// What a request was, in words, with what matters of its headers.
type Log = Arc<Mutex<Vec<String>>>;

/// Serves for as long as the test runs. Each `SecretId` that it gives is new.
fn serve(env: &mut TestEnv) -> Log {
    serve_of(env, "100000000001")
}

/// The same with credentials of this Tencent Cloud account, as JSON has it.
fn serve_of(env: &mut TestEnv, owner: &'static str) -> Log {
    serve_with(env, owner, "200 OK")
}

/// The same, with this status of the answer that names the account.
fn serve_with(env: &mut TestEnv, owner: &'static str, status: &'static str) -> Log {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    for name in ["ENDPOINT", "STS_ENDPOINT", "METADATA_ENDPOINT"] {
        env.set(&format!("ESS_CALLBACKS_{name}"), &address);
    }
    let log = Log::default();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            answer(stream.unwrap(), number, &kept, (owner, status));
        }
    });
    log
}

fn answer(mut stream: TcpStream, number: usize, log: &Log, (owner, status): (&str, &str)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let header = |name: &str| {
        let start = format!("{name}: ");
        let mut found = lines.iter().filter(|line| {
            line.get(..start.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(&start))
        });
        found
            .next()
            .map_or("-", |line| &line[start.len()..])
            .to_owned()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let Some(first) = lines.first() else { return };
    let action = header("x-tc-action");
    let temporary = format!(
        r#""TmpSecretId":"AKID{number}","TmpSecretKey":"canary-key","Token":"canary-token","#
    );
    let text = match (action.as_str(), first.as_str()) {
        ("AssumeRole", _) => format!(
            r#"{{"Response":{{"Credentials":{{{}}},"ExpiredTime":9000000000,"RequestId":"r"}}}}"#,
            temporary.trim_end_matches(',')
        ),
        ("GetCallerIdentity", _) => {
            format!(r#"{{"Response":{{"AccountId":"{owner}","RequestId":"r"}}}}"#)
        }
        ("ModifyApplicationCallbackInfo", _) => r#"{"Response":{"RequestId":"r"}}"#.to_owned(),
        (_, line) if line.contains("/security-credentials/ ") => "esign-role".to_owned(),
        (_, line) if line.contains("/security-credentials/") => {
            format!(r#"{{{temporary}"ExpiredTime":9000000000,"Code":"Success"}}"#)
        }
        _ => "{}".to_owned(),
    };
    let (token, region) = (header("x-tc-token"), header("x-tc-region"));
    let what = if action == "-" { "metadata" } else { &action };
    log.lock()
        .unwrap()
        .push(format!("{what} token={token} region={region}"));
    let length = text.len();
    let status = match action.as_str() {
        "GetCallerIdentity" => status,
        _ => "200 OK",
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + &text).as_bytes()).unwrap();
}

fn production(accounts: &str) -> String {
    configuration(&[("acme", &[ONE])])
        .replace("environment: test", "environment: production")
        .replace(
            "organizations:\n",
            &format!("accounts:\n{accounts}organizations:\n"),
        )
}

#[test]
fn an_instance_s_role_signs_and_the_account_s_region_is_sent() {
    let mut env = TestEnv::new(&production("  default: { region: ap-shanghai }\n"));
    let log = serve(&mut env);
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert_snapshot!(log.lock().unwrap().join("\n"), @"
    metadata token=- region=-
    metadata token=- region=-
    GetCallerIdentity token=canary-token region=ap-guangzhou
    ModifyApplicationCallbackInfo token=canary-token region=ap-shanghai
    ");
    let state = env.read("callbacks.state.json");
    for text in [&said.stdout, &said.stderr, &state] {
        assert!(!text.contains("canary") && !text.contains("AKID"), "{text}");
    }
    assert!(state.contains(r#""account_id":"100000000001""#), "{state}");
    // The SecretId of the next run is another one, of the same account.
    let said = env
        .run(&["apply", "--auto-approve", "--replace", "acme"])
        .exits(0);
    assert_eq!(said.stderr, "");
    // Whose an instance's role is only asking tells.
    let asked = log.lock().unwrap();
    let asked = asked
        .iter()
        .filter(|line| line.starts_with("GetCallerIdentity"));
    assert_eq!(asked.count(), 2);
}

/// What another server answers in the place of the token service names no owner.
#[test]
fn an_owner_in_an_answer_that_is_no_success_is_unknown() {
    for status in ["302 Found", "500 Internal Server Error"] {
        let mut env = TestEnv::new(&production("  default: {}\n"));
        serve_with(&mut env, "100000000001", status);
        env.run(&["apply", "--auto-approve"]).exits(0);
        let state = env.read("callbacks.state.json");
        assert!(!state.contains("100000000001"), "{state}");
    }
}

/// What is no number is no owner: it is neither recorded nor shown, and no expectation is met.
#[test]
fn an_owner_that_is_not_a_number_is_unknown() {
    let expecting = "  default: { expect_account_id: \"100000000001\" }\n";
    for owner in ["", r"\u001b[2J", "canary", "123456789012345678901"] {
        let mut env = TestEnv::new(&production("  default: {}\n"));
        let _log = serve_of(&mut env, owner);
        env.run(&["apply", "--auto-approve"]).exits(0);
        let state = env.read("callbacks.state.json");
        assert!(!state.contains("account_id"), "{state}");
        env.write("callbacks.yaml", production(expecting));
        let said = env
            .run(&["apply", "--auto-approve", "--replace", "acme"])
            .exits(1);
        assert!(
            said.stderr
                .contains("has an AccountId that is not a number of 1 to 20 digits"),
            "{said}"
        );
        assert!(!said.stderr.contains("canary"), "{said}");
    }
}

#[test]
fn two_accounts_of_one_role_are_one_account() {
    let role = |source: &str| format!("{{ {source}, assume_role: {{ role_arn: \"{ROLE}\" }} }}");
    let accounts = format!(
        "  default: {}\n  partner: {}\n",
        role("profile: one"),
        role("profile: two")
    );
    let text = production(&accounts)
        + "  beta:\n    account: partner\n    app_id: b\n    callbacks: [\"https://hooks.example/two\"]\n";
    let mut env = TestEnv::new(&text);
    let log = serve(&mut env);
    for profile in ["one", "two"] {
        let text = format!(r#"{{"secretId": "AKID-{profile}", "secretKey": "canary"}}"#);
        env.write(&format!("home/.tccli/{profile}.credential"), text);
    }
    let said = env.run(&["apply", "--auto-approve", "--quiet"]).exits(1);
    let (_, error) = said.stderr.split_once("error: ").unwrap();
    assert_snapshot!(error.trim_end(), @"
    the accounts `default` and `partner` have the same role or login, so they are one account to eSign, and a callback deleted for one would be deleted for the other; nothing was called
      Use one account for both, or correct the credentials of one. If one is the new name of the other, write the old name under `formerly:` of the new one.
    ");
    assert_eq!(log.lock().unwrap().len(), 2, "two roles were assumed");
}

/// Other credentials of the same Tencent Cloud account, under another name.
#[test]
fn a_second_name_is_known_by_the_tencent_cloud_account() {
    let mut env = TestEnv::new(&production("  default: {}\n"));
    let log = serve(&mut env);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let calls = log.lock().unwrap().len();
    env.write(
        "home/.tccli/one.credential",
        r#"{"secretId": "AKID-one", "secretKey": "canary"}"#,
    );
    let text = production("  default: {}\n  main: { profile: one }\n");
    let beta = "  beta:\n    account: main\n    app_id: b\n    callbacks: [\"https://hooks.example/two\"]\n";
    env.write("callbacks.yaml", text + beta);
    let said = env.run(&["apply", "--auto-approve", "--quiet"]).exits(1);
    assert!(
        said.stderr.contains(
            "or others of the same Tencent Cloud account, so they are one account to eSign"
        ),
        "{said}"
    );
    assert_eq!(
        log.lock().unwrap().len(),
        calls + 1,
        "only its owner was asked for"
    );
}

#[test]
fn doubles_of_services_are_on_this_machine() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.set("ESS_CALLBACKS_STS_ENDPOINT", "https://sts.example/");
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).exits(64).err(), @"
    error: ESS_CALLBACKS_STS_ENDPOINT is for tests: it can only name a server on this machine
      Unset ESS_CALLBACKS_STS_ENDPOINT.
    ");
}
