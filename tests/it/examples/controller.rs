//! A controller as the examples start it, against the sandbox.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Running, Said, TestEnv, eventually};

/// Runs until it is stopped or dropped.
pub(super) struct Controller {
    running: Running,
    address: String,
}

impl Controller {
    pub(super) fn start(env: &TestEnv, arguments: &[&str]) -> Self {
        let running = env.start(arguments);
        let begin = "Status: http://";
        let address = eventually("it serves", || {
            let said = running.so_far();
            assert_eq!(said.stderr, "", "{said}");
            let at = said.stdout.find(begin)? + begin.len();
            let rest = &said.stdout[at..];
            rest.find('/').map(|end| rest[..end].to_owned())
        });
        Self { running, address }
    }

    /// The code and the body of an answer.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = &self.address;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (code, body.to_owned())
    }

    /// Waits until this path is answered with 200, and gives the body.
    pub(super) fn answers(&self, path: &str) -> String {
        eventually(path, || {
            let (code, body) = self.get(path);
            (code == 200).then_some(body)
        })
    }

    pub(super) fn stop(self) -> Said {
        self.running.signal("TERM");
        self.running.wait().exits(0)
    }
}
