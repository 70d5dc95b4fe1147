//! A sandbox served by the real program, and its own API.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::{TestEnv, eventually};

/// A served sandbox. Killed when it is dropped.
pub(crate) struct Served {
    child: Child,
    address: String,
    pub(crate) secret_id: String,
    pub(crate) secret_key: String,
    _stdout: BufReader<ChildStdout>,
}

impl Served {
    /// Without a rate limit unless `arguments` name one, and with a fresh pair of credentials unless they
    /// name some. The first pair is the one to use.
    pub(crate) fn start(env: &TestEnv, arguments: &[&str]) -> Self {
        let mut command = env.command(&["sandbox", "--listen", "127.0.0.1:0"]);
        if !arguments.contains(&"--limit") {
            command.args(["--limit", "0"]);
        }
        for name in ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"] {
            command.env_remove(name);
        }
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = |start: &str| {
            let mut text = String::new();
            stdout.read_line(&mut text).expect("it speaks");
            let rest = text.trim_end().strip_prefix(start);
            rest.unwrap_or_else(|| panic!("{start}: {text}")).to_owned()
        };
        let address = line("Listening on http://");
        let mut given = arguments.iter().skip_while(|word| **word != "--credential");
        let (secret_id, secret_key) = match given.nth(1) {
            Some(pair) => {
                let pair = pair.split_once('=').map_or(*pair, |(_, pair)| pair);
                let (id, key) = pair.split_once(':').expect("a pair");
                (id.to_owned(), key.to_owned())
            }
            None => (
                line("TENCENTCLOUD_SECRET_ID="),
                line("TENCENTCLOUD_SECRET_KEY="),
            ),
        };
        Self {
            address,
            secret_id,
            secret_key,
            child,
            _stdout: stdout,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} /_sandbox/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// What has arrived, as the sandbox lists it.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = self.ask("GET", "log", &Value::Null);
        log.as_array().expect("a list").clone()
    }

    /// What arrived for one URL, oldest first.
    pub(crate) fn operations(&self, url: &str) -> Vec<String> {
        let of = |call: &&Value| call["url"] == url;
        let operation = |call: &Value| call["operation"].as_str().unwrap_or("none").to_owned();
        self.log().iter().filter(of).map(operation).collect()
    }

    /// How many calls have arrived that change something.
    pub(crate) fn arrived(&self) -> usize {
        let changes = |call: &&Value| !call["operation"].is_null();
        self.log().iter().filter(changes).count()
    }

    /// Waits until so many have.
    pub(crate) fn wait_for(&self, calls: usize) {
        eventually("the calls arrive", || {
            (self.arrived() >= calls).then_some(())
        });
    }

    /// The URLs that are configured, in order.
    pub(crate) fn urls(&self) -> Vec<String> {
        let url = |callback: &Value| callback["url"].as_str().expect("a text").to_owned();
        self.callbacks().iter().map(url).collect()
    }

    pub(crate) fn callbacks(&self) -> Vec<Value> {
        let all = self.ask("GET", "callbacks", &Value::Null);
        all.as_array().expect("a list").clone()
    }

    /// Sends a callback to what is configured, and gives the report of it.
    pub(crate) fn emit(&self, emission: &Value) -> Value {
        self.ask("POST", "emit", emission)
    }

    /// What goes wrong from now on. Replaces the skew of the clock too.
    pub(crate) fn faults(&self, fault: &str, script: &str) {
        self.ask(
            "POST",
            "faults",
            &json!({ "fault": fault, "script": script }),
        );
    }

    /// The time, as this machine has it.
    pub(crate) fn true_seconds(&self) -> i64 {
        let clock = self.ask("GET", "clock", &Value::Null);
        clock["true_micros"].as_i64().expect("a number") / 1_000_000
    }

    /// How late its audit log is, in seconds, and whether it leaves out what arrives from now on.
    pub(crate) fn audit_log(&self, delay: i64, drop: bool) {
        self.ask("POST", "audit", &json!({ "delay": delay, "drop": drop }));
    }

    /// Sets its clock ahead of the true time by so many seconds.
    pub(crate) fn skew(&self, seconds: i64) {
        self.ask("POST", "clock", &json!({ "skew": seconds }));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
