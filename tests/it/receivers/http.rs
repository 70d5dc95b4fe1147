//! Requests byte for byte, as a client would send them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// POSTs a body. Each of `headers` is a whole line.
pub(crate) fn post(address: &str, path: &str, headers: &[String], body: &[u8]) -> Answer {
    let length = format!("Content-Length: {}", body.len());
    let headers = [
        headers,
        &[length, "Content-Type: application/json".to_owned()],
    ]
    .concat();
    send(address, &format!("POST {path}"), &headers, body)
}

/// Sends a request with exactly these headers besides Host and Connection.
pub(crate) fn send(address: &str, line: &str, headers: &[String], body: &[u8]) -> Answer {
    let mut head = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        head.extend(["Host: ", address, "\r\n"]);
    }
    for header in headers {
        head += header;
        head += "\r\n";
    }
    head += "\r\n";
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as its end.
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{read:?} {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        body: body.to_owned(),
    }
}
