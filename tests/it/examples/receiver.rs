//! A small HTTP server in the place of a real one: it records requests and gives fixed answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path, like `POST /hook`.
    pub(crate) line: String,
    /// All header lines.
    pub(crate) head: String,
    /// Null when there was none.
    pub(crate) body: Value,
}

/// What it answers: a status, a header line, and a body.
pub(crate) type Answer = (u16, String, String);

/// Ends when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ending = Arc::new(AtomicBool::new(false));
        let (noted, ends) = (Arc::clone(&asked), Arc::clone(&ending));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.unwrap();
                let one = request(&mut stream);
                let (status, header, body) = answer(&one);
                noted.lock().unwrap().push(one);
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} .\r\n{header}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        Self {
            address,
            asked,
            ending,
            thread: Some(thread),
        }
    }

    /// Answers everything with this body.
    pub(crate) fn saying(body: &'static str) -> Self {
        Self::start(move |_| (200, "X-Nothing: 1".to_owned(), body.to_owned()))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "it could not answer");
    }
}

fn request(stream: &mut TcpStream) -> Asked {
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
            let found = name.eq_ignore_ascii_case("content-length");
            found.then(|| value.parse::<usize>().unwrap())
        });
        if bytes.len() < end + 4 + length.unwrap_or(0) {
            continue;
        }
        let (line, head) = head.split_once("\r\n").unwrap_or((&head, ""));
        return Asked {
            line: line.trim_end_matches(" HTTP/1.1").to_owned(),
            head: head.to_owned(),
            body: serde_json::from_slice(&bytes[end + 4..]).unwrap_or(Value::Null),
        };
    }
}
