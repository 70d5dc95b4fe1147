//! The pipelines to copy: what can be run here is run, the rest is read the way its reader would.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::docs::misuse;
use crate::support::{Said, TestEnv, configuration};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A machine with git, Python and the like.
fn machine() -> TestEnv {
    let mut env = TestEnv::new("");
    let path = std::env::var("PATH").unwrap();
    // Shims need the home they were made for.
    env.set("PATH", &format!("/usr/bin:/bin:{path}"))
        .set("GIT_CONFIG_GLOBAL", "/dev/null")
        .set("GIT_CONFIG_NOSYSTEM", "1");
    env
}

fn has(env: &TestEnv, program: &str) -> bool {
    let there = env.other(program).arg("--version").output().is_ok();
    if !there {
        // Not by `println!`, which is swallowed when a test passes.
        let text = format!("SKIPPED: there is no {program}\n");
        std::io::stderr().write_all(text.as_bytes()).ok();
    }
    there
}

fn sh(env: &TestEnv, folder: &str, script: &str) -> Said {
    let mut command = env.other("/bin/sh");
    command.args(["-euc", script]).current_dir(env.path(folder));
    let tool = root().join("examples/state-branch.sh");
    env.said(command.env("STATE_BRANCH_SH", tool))
}

/// A bare repository and two runners that have cloned it.
fn two_runners() -> Option<TestEnv> {
    let env = machine();
    if !has(&env, "git") {
        return None;
    }
    let script = "git init -q --bare remote.git -b main
        git init -q seed -b main; cd seed
        echo x > callbacks.yaml; git add .
        git -c user.name=t -c user.email=t@localhost commit -qm one
        git push -q ../remote.git main; cd ..
        git clone -q --depth 1 file://$PWD/remote.git one
        git clone -q --depth 1 file://$PWD/remote.git two";
    sh(&env, ".", script).exits(0);
    Some(env)
}

const PULL: &str = "\"$STATE_BRANCH_SH\" pull";
const PUSH: &str = "\"$STATE_BRANCH_SH\" push";

#[test]
fn the_state_travels_from_one_runner_to_the_next() {
    let Some(env) = two_runners() else { return };
    let said = sh(&env, "one", PULL).exits(0);
    assert!(
        said.stderr.contains("no branch 'callbacks-state' yet"),
        "{said}"
    );
    env.write("one/.state/callbacks.state.json", "first");
    env.write("one/.state/callbacks.state.lock", "mine");
    sh(&env, "one", PUSH).exits(0);
    let again = sh(&env, "one", PUSH).exits(0);
    assert!(again.stderr.contains("nothing new"), "{again}");

    sh(&env, "two", PULL).exits(0);
    assert_eq!(env.read("two/.state/callbacks.state.json"), "first");
    assert!(!env.exists("two/.state/callbacks.state.lock"));
    assert!(
        !env.exists("two/.state/callbacks.yaml"),
        "a branch of its own"
    );
    env.write("two/.state/callbacks.state.json", "second");
    env.write("two/.state/callbacks.state.journal", "an open call");
    sh(&env, "two", PUSH).exits(0);
    let kept = sh(
        &env,
        ".",
        "git -C remote.git ls-tree --name-only callbacks-state",
    )
    .exits(0);
    assert_eq!(
        kept.stdout,
        "callbacks.state.journal\ncallbacks.state.json\n"
    );
}

#[test]
fn of_two_runs_at_once_neither_overwrites_the_other() {
    let Some(env) = two_runners() else { return };
    for runner in ["one", "two"] {
        sh(&env, runner, PULL).exits(0);
        env.write(&format!("{runner}/.state/callbacks.state.json"), runner);
    }
    sh(&env, "one", PUSH).exits(0);
    let said = sh(&env, "two", PUSH).exits(6);
    assert!(
        said.stderr.contains("is on 'callbacks-state-conflict-"),
        "{said}"
    );
    let held = |branch: &str| {
        let script = format!(
            "git -C remote.git show \"$(git -C remote.git for-each-ref --format='%(refname)' \
             'refs/heads/{branch}')\":callbacks.state.json"
        );
        sh(&env, ".", &script).exits(0).stdout
    };
    assert_eq!(held("callbacks-state"), "one");
    assert_eq!(held("callbacks-state-conflict-*"), "two");
}

#[test]
fn a_remote_that_does_not_answer_is_not_a_state_that_is_not_there() {
    let Some(env) = two_runners() else { return };
    fs::rename(env.path("remote.git"), env.path("gone.git")).unwrap();
    let said = sh(&env, "one", PULL).exits(1);
    assert!(said.stderr.contains("can't be asked"), "{said}");
    assert!(!env.exists("one/.state"));
}

/// Answers one request with this body, and gives what was asked: the first line and the body.
fn receive(listener: TcpListener, answer: &'static str) -> thread::JoinHandle<(String, Value)> {
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (head, body) = request(&mut stream);
        let length = answer.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}"
        )
        .unwrap();
        let first = head.lines().next().unwrap().to_owned();
        (first, serde_json::from_slice(&body).unwrap())
    })
}

fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "it ended early");
        bytes.extend_from_slice(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>())
        });
        let length = length.unwrap().unwrap();
        if bytes.len() >= end + 4 + length {
            return (head, bytes[end + 4..].to_vec());
        }
    }
}

fn notify(env: &mut TestEnv, bot: &str, answer: &'static str) -> (Said, String, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?key=SECRET", listener.local_addr().unwrap());
    let received = receive(listener, answer);
    env.set("NOTIFY_URL", &url);
    let script = root().join("examples/notify/notify.py");
    let said = env.said(env.other("python3").arg(script).args([bot, "events.jsonl"]));
    let (line, body) = received.join().unwrap();
    (said, line, body)
}

#[test]
fn bots_are_told_what_failed() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.example/one?a=1&b=<2>"])]),
    );
    let served = env.serve(&[]);
    env.set("TENCENTCLOUD_SECRET_KEY", "wrong")
        .set("CI_JOB_URL", "https://ci.example/job/7")
        .set("NOTIFY_SECRET", "s3cret");
    let apply = [
        "apply",
        "--auto-approve",
        "--quiet",
        "--json-into",
        "events.jsonl",
    ];
    env.run(&apply).exits(3);
    drop(served);

    let fine = "{\"errcode\":0,\"errmsg\":\"ok\"}";
    let told = |text: &Value| {
        let text = text.as_str().unwrap_or_else(|| panic!("{text}"));
        assert!(text.starts_with("Apply incomplete!"), "{text}");
        assert!(text.contains("AuthFailure"), "{text}");
        assert!(text.ends_with("\nhttps://ci.example/job/7"), "{text}");
    };
    let (said, line, body) = notify(&mut env, "wecom", fine);
    said.exits(0);
    assert_eq!(line, "POST /hook?key=SECRET HTTP/1.1");
    assert_eq!(body["msgtype"], "text");
    told(&body["text"]["content"]);

    let (said, line, body) = notify(&mut env, "dingtalk", fine);
    said.exits(0);
    assert!(
        line.contains("&timestamp=") && line.contains("&sign="),
        "{line}"
    );
    told(&body["text"]["content"]);

    let (said, _, body) = notify(&mut env, "feishu", "{\"code\":0}");
    said.exits(0);
    assert_eq!(body["msg_type"], "text");
    assert!(
        body["sign"].is_string() && body["timestamp"].is_string(),
        "{body}"
    );
    told(&body["content"]["text"]);

    let (said, _, body) = notify(&mut env, "slack", "ok");
    said.exits(0);
    told(&body["text"]);

    // They answer 200 also when they refuse.
    let (said, _, _) = notify(
        &mut env,
        "wecom",
        "{\"errcode\":93000,\"errmsg\":\"invalid\"}",
    );
    let said = said.exits(1);
    assert!(
        said.stderr.contains("93000") && !said.stderr.contains("SECRET"),
        "{said}"
    );
}

#[test]
fn bots_are_not_told_of_what_went_well() {
    let mut env = machine();
    if !has(&env, "python3") {
        return;
    }
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.example/one"])]),
    );
    let apply = [
        "--sandbox",
        "apply",
        "--auto-approve",
        "--json-into",
        "events.jsonl",
    ];
    env.run(&apply).exits(0);
    // Nobody listens there.
    env.set("NOTIFY_URL", "http://127.0.0.1:1/");
    let script = root().join("examples/notify/notify.py");
    let said = env.said(
        env.other("python3")
            .arg(&script)
            .args(["slack", "events.jsonl"]),
    );
    said.exits(0);
    env.set("NOTIFY_URL", "http://bot.example/");
    let said = env.said(
        env.other("python3")
            .arg(&script)
            .args(["slack", "events.jsonl"]),
    );
    said.exits(1);
}

/// Every YAML file among the examples, parsed.
fn yaml_files() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yml" || extension == "yaml")
            {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                let value =
                    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                found.push((name, value));
            }
        }
    }
    found.sort_by(|one, two| one.0.cmp(&two.0));
    found
}

/// Every script in it: `run` of GitHub's steps, `script` and `before_script` of GitLab's jobs.
fn scripts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("run", Value::String(script)) => into.push(script.clone()),
                    ("script" | "before_script", Value::Array(lines)) => {
                        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                        into.push(lines.join("\n"));
                    }
                    _ => scripts(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| scripts(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn pipelines_say_what_the_program_understands() {
    let mut calls = 0;
    let mut wrong = Vec::new();
    let files = yaml_files();
    assert_eq!(
        files.len(),
        7,
        "{:?}",
        files.iter().map(|file| &file.0).collect::<Vec<_>>()
    );
    for (name, value) in files {
        let mut all = Vec::new();
        scripts(&value, &mut all);
        for script in all {
            let parsed = Command::new("bash")
                .args(["-n", "-c", &script])
                .output()
                .unwrap();
            assert!(
                parsed.status.success(),
                "{name}: {}",
                String::from_utf8_lossy(&parsed.stderr)
            );
            for line in script.replace("\\\n", " ").lines() {
                if let Some(rest) = line.trim().strip_prefix("ess-callbacks ") {
                    calls += 1;
                    wrong.extend(misuse(rest).map(|problem| format!("{name}: {problem}")));
                }
            }
            // What comes from outside goes through the environment: in a script it would be code.
            if name.contains("github") && script.contains("${{") {
                wrong.push(format!("{name}: an expression stands in a script"));
            }
        }
    }
    let unit =
        fs::read_to_string(root().join("examples/systemd/ess-callbacks-heal.service")).unwrap();
    let line = unit
        .lines()
        .find_map(|line| line.split_once("ess-callbacks apply"))
        .unwrap();
    wrong.extend(misuse(&format!("apply{}", line.1)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls >= 8, "{calls}");
}

#[test]
fn systemd_reads_its_units() {
    let env = machine();
    if !has(&env, "systemd-analyze") {
        return;
    }
    let unit = |name: &str| root().join("examples/systemd").join(name);
    let mut command = env.other("systemd-analyze");
    command.arg("verify").args([
        unit("ess-callbacks-heal.service"),
        unit("ess-callbacks-heal.timer"),
    ]);
    let said = env.said(&mut command).exits(0);
    assert_eq!(said.stderr, "");
}

/// An alert about a metric that nobody writes never fires.
#[test]
fn alerts_are_about_metrics_that_exist() {
    let mut env = machine();
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.example/one"])]),
    );
    env.set("KEY", crate::support::KEY);
    let apply = [
        "--sandbox",
        "apply",
        "--auto-approve",
        "--metrics-file",
        "esign.prom",
    ];
    env.run(&apply).exits(0);
    let metrics = env.read("esign.prom");
    let name = regex::Regex::new(r"ess_callbacks_[a-z_]+").unwrap();
    let (_, alerts) = yaml_files()
        .into_iter()
        .find(|file| file.0.ends_with("alerts.yml"))
        .unwrap();
    let mut seen = 0;
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        let rule = rule["expr"].as_str().unwrap();
        for found in name.find_iter(rule) {
            seen += 1;
            assert!(
                metrics.contains(&format!("# TYPE {} gauge", found.as_str())),
                "{rule}"
            );
        }
    }
    assert!(seen >= 5);
    assert_ne!(alerts["groups"][0]["name"], json!(null));
}
