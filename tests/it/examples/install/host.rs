//! A host of releases on loopback, with the faults that hosts and the ways to them have.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is answered to a path.
#[derive(Clone)]
pub(super) enum Answer {
    File(Vec<u8>),
    /// Half of it, and then the connection ends.
    Half(Vec<u8>),
    Redirect(String),
    /// The first half, and then nothing more.
    Stalls(Vec<u8>),
}

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Answer>,
    asked: Vec<String>,
}

pub(super) struct Host {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Host {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { port, shared }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn put(&self, path: &str, answer: Answer) {
        let mut shared = self.shared.lock().unwrap();
        shared.files.insert(path.to_owned(), answer);
    }

    pub(super) fn remove(&self, path: &str) {
        self.shared.lock().unwrap().files.remove(path);
    }

    /// What was asked for since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }
}

fn serve(mut stream: &TcpStream, shared: &Mutex<Shared>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let headers = lines.take_while(|line| !line.is_empty());
    headers.for_each(drop);
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    // As a proxy it is asked for a whole URL.
    let path = match target.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/').unwrap_or_default().1),
        None => target.clone(),
    };
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push(target);
        shared.files.get(&path).cloned()
    };
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
    };
    // A reader that is gone is no concern of the host.
    let mut send = |head: String, body: &[u8]| {
        stream.write_all(head.as_bytes()).ok();
        stream.write_all(body).ok();
    };
    match answer {
        None => send(head("404 Not Found", 4, ""), b"gone"),
        Some(Answer::File(body)) => send(head("200 OK", body.len(), ""), &body),
        Some(Answer::Half(body)) => {
            send(head("200 OK", body.len(), ""), &body[..body.len() / 2]);
        }
        Some(Answer::Redirect(to)) => {
            send(head("302 Found", 0, &format!("Location: {to}\r\n")), b"");
        }
        Some(Answer::Stalls(body)) => {
            send(head("200 OK", body.len(), ""), &body[..body.len() / 2]);
            thread::sleep(Duration::from_secs(60));
        }
    }
}
