//! Sends a probe and reads the answer, both bounded.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response};
use tokio::time::{Instant, timeout_at};
use url::Position;

use super::connect::{Line, Target};
use super::failure::Failure;
use super::judge::{Answer, Seen, is_html};
use super::probe::Probe;
use super::tls::Trust;
use crate::client::Redactor;
use crate::envelope::SIGNATURE_HEADER;

/// An answer has a few bytes.
const LARGEST_ANSWER: usize = 1 << 20;
/// What is kept of a body.
const KEPT: usize = 1024;

/// What the requests of one receiver share.
pub(super) struct Way<'a> {
    pub(super) target: &'a Target,
    pub(super) trust: &'a Trust,
    /// For each request.
    pub(super) timeout: Duration,
    pub(super) redactor: &'a Redactor,
    /// The connection of the last request, if it can be used again.
    pub(super) line: Option<Line>,
}

impl Way<'_> {
    /// Sends a probe. A connection that the receiver closed after its last answer is replaced, once.
    pub(super) async fn send(&mut self, probe: &Probe) -> Seen {
        let begun = Instant::now();
        let end = begun + self.timeout;
        let exchanged = match self.line.take() {
            Some(mut line) => match self.exchange(&mut line, probe, end).await {
                Err(Failure::Connection(_)) => self.anew(probe, end).await,
                other => other.map(|answer| (answer, line)),
            },
            None => self.anew(probe, end).await,
        };
        let (mut answer, line) = exchanged?;
        self.line = (!line.sender.is_closed()).then_some(line);
        answer.took = begun.elapsed();
        Ok(answer)
    }

    async fn anew(&self, probe: &Probe, end: Instant) -> Result<(Answer, Line), Failure> {
        let connecting = timeout_at(end, self.target.connect(self.trust, end)).await;
        let mut line = connecting.map_err(|_| Failure::Timeout(self.timeout))??;
        let answer = self.exchange(&mut line, probe, end).await?;
        Ok((answer, line))
    }

    async fn exchange(&self, line: &mut Line, probe: &Probe, end: Instant) -> Seen {
        let request = self.request(probe)?;
        let sending = async {
            line.sender.ready().await?;
            line.sender.send_request(request).await
        };
        let response = timeout_at(end, sending)
            .await
            .map_err(|_| Failure::Timeout(self.timeout))?
            .map_err(|error| failed(&error))?;
        self.read(response, end).await
    }

    fn request(&self, probe: &Probe) -> Result<Request<Full<Bytes>>, Failure> {
        let url = &self.target.url;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "*/*")
            .header(
                USER_AGENT,
                concat!("ess-callbacks-verify/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(signature) = &probe.signature {
            request = request.header(SIGNATURE_HEADER, signature);
        }
        let body = Full::new(Bytes::from(probe.body.clone()));
        request.body(body).map_err(|_| Failure::NotAUrl)
    }

    async fn read(&self, response: Response<Incoming>, end: Instant) -> Seen {
        let (head, mut body) = response.into_parts();
        let location = head.headers.get(LOCATION).map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            self.redactor.clean(&text)
        });
        let (mut kept, mut length) = (Vec::new(), 0);
        loop {
            let frame = timeout_at(end, body.frame()).await;
            let Some(frame) = frame.map_err(|_| Failure::Endless(self.timeout))? else {
                break;
            };
            let frame = frame.map_err(|error| failed(&error))?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            length += data.len();
            if length > LARGEST_ANSWER {
                return Err(Failure::TooLong(LARGEST_ANSWER));
            }
            kept.extend(data.iter().take(KEPT.saturating_sub(kept.len())));
        }
        Ok(Answer {
            status: head.status.as_u16(),
            location,
            html: is_html(&kept),
            took: Duration::ZERO,
        })
    }
}

/// Why there was no answer. The words are those of the library, and hold nothing of the answer.
fn failed(error: &hyper::Error) -> Failure {
    if error.is_parse() || error.is_parse_too_large() {
        Failure::NotHttp(error.to_string())
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Failure::Connection("it was closed before an answer was complete".to_owned())
    } else {
        let cause = std::error::Error::source(error);
        Failure::Connection(cause.map_or_else(|| error.to_string(), ToString::to_string))
    }
}
