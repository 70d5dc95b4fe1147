//! A state on a server that speaks Terraform's HTTP protocol: GitLab, and Gitea from 1.26 on.
//!
//! `GET` reads the document, `POST` writes the next one. Both servers take each serial once, so the serial is the
//! number of a record; a `POST` with a number that is taken is refused. Terraform's `LOCK` is not used: it has no
//! end when its owner dies. A lock that somebody else took with it is respected.
//!
//! Sources: `internal/backend/remote-state/http` of OpenTofu, `lib/api/terraform/state.rb` of GitLab,
//! `routers/api/packages/terraform` of Gitea.

pub(crate) mod document;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use url::{Position, Url};

use self::document::Stored;
use crate::client::transport::{self, Idle};
use crate::client::{Endpoint, EndpointError, ExtraRoots};
use crate::secret::Secret;
use crate::state::log::{Beginning, Contents, Created, Header, Log, NotCreated, Record, Timing};
use crate::state::{Place, StateError};

/// What a request may take at least, and what its body adds: a slow line carries a megabyte in eight seconds.
const TIMEOUT: Duration = Duration::from_secs(20);
const BYTES_PER_SECOND: u64 = 128 << 10;

/// More than any state has.
const LARGEST_ANSWER: usize = 1 << 30;

/// The address of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    url: Url,
    /// Its server.
    endpoint: Endpoint,
}

impl Address {
    /// Checks an address that the user gave.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub(crate) fn parse(url: Url) -> Result<Self, String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user name or password in the address would be shown in process lists and logs; set \
                        TF_HTTP_USERNAME and TF_HTTP_PASSWORD"
                .into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "an address ends with its path, without `?…` and `#…`; a password belongs in \
                        TF_HTTP_PASSWORD"
                    .into(),
            );
        }
        let endpoint = Endpoint::parse(&url[..Position::BeforePath]);
        let endpoint = endpoint.map_err(|error| match error {
            EndpointError::NotSecure(text) => format!(
                "{text} is not https; plain http would show the password and the state to everybody on the way, so it \
                 is allowed to this machine only"
            ),
            EndpointError::NotAUrl(_) | EndpointError::TooMuch(_) => error.to_string(),
        })?;
        if url.path() == "/" {
            return Err("the path is missing; on GitLab it is \
                        https://HOST/api/v4/projects/ID/terraform/state/NAME"
                .into());
        }
        Ok(Self { url, endpoint })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.url, f)
    }
}

/// What is needed to use a server.
pub(crate) struct Options {
    pub(crate) address: Address,
    /// For basic authentication.
    pub(crate) user: Option<(String, Secret)>,
    /// Certificates to trust beside those of the system.
    pub(crate) extra_roots: Option<ExtraRoots>,
}

/// The state behind one address.
struct Server {
    address: Address,
    user: Option<(String, Secret)>,
    client: Client,
    /// What was read or written last, which the next document continues.
    last: Mutex<Option<Stored>>,
}

/// Prepares to use the server; sends nothing.
pub(crate) fn open(options: Options) -> Result<Arc<dyn Log>, StateError> {
    let Options {
        address,
        user,
        extra_roots,
    } = options;
    let place = Place::new(address.to_string());
    let client = transport::client(&address.endpoint, extra_roots.as_ref(), Idle::Kept(1));
    let client = client.map_err(|error| StateError::Remote {
        doing: "opening",
        place,
        problem: error.to_string(),
        advice: "Correct that; then run the command again.".into(),
        passing: false,
    })?;
    Ok(Arc::new(Server {
        address,
        user,
        client,
        last: Mutex::new(None),
    }))
}

/// The answer of a server.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

/// Who locked a state, as Terraform writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockInfo {
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    who: String,
}

impl Server {
    async fn send(&self, body: Option<Vec<u8>>) -> Result<Answer, String> {
        let url = self.address.url.clone();
        let bytes = match &body {
            Some(body) => body.len(),
            None => self.last_size(),
        };
        let mut request = match body {
            Some(body) => self
                .client
                .post(url)
                .header("Content-Type", "application/json")
                .body(body),
            None => self.client.get(url),
        };
        if let Some((user, password)) = &self.user {
            request = request.basic_auth(user, Some(password.expose()));
        }
        let more = Duration::from_secs(bytes as u64 / BYTES_PER_SECOND);
        let request = request.timeout(TIMEOUT.saturating_add(more));
        let reasons = |error: reqwest::Error| transport::reasons(&error);
        let mut response = request.send().await.map_err(reasons)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reasons)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err("its answer is larger than 1 GiB".into());
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status();
        Ok(Answer { status, body })
    }

    fn last_size(&self) -> usize {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map_or(1 << 20, |stored| {
            stored.contents.snapshot.as_ref().map_or(0, Vec::len) + stored.contents.journal.len()
        })
    }

    fn remember(&self, stored: Option<Stored>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = stored;
    }

    fn failed(&self, doing: &'static str, problem: String, advice: String) -> StateError {
        StateError::Remote {
            doing,
            place: self.place(),
            problem,
            advice,
            passing: false,
        }
    }

    /// The request got no answer, or only a part of one.
    fn unanswered(&self, doing: &'static str, problem: String) -> StateError {
        StateError::Remote {
            doing,
            place: self.place(),
            problem,
            advice: "Check that the server can be reached from this machine, then run the command again.".into(),
            passing: true,
        }
    }

    fn no_history(&self) -> StateError {
        self.failed(
            "reading older versions from",
            "Terraform's protocol has no request for them".into(),
            "GitLab lists them under Operate > Terraform states. `state push FILE` takes a version that was downloaded \
             there, after its checks."
                .into(),
        )
    }

    async fn fetch(&self) -> Result<Option<Stored>, StateError> {
        let answer = self
            .send(None)
            .await
            .map_err(|problem| self.unanswered("reading", problem))?;
        let stored = match answer.status {
            StatusCode::OK if !answer.body.is_empty() => {
                Some(document::decode(&self.place(), &answer.body)?)
            }
            // Gitea answers 404 without more when there is no state yet, GitLab too. When the project is not
            // there, or must not be seen, GitLab says so.
            StatusCode::NOT_FOUND if said(&answer).contains("Project Not Found") => {
                return Err(self.refusal("reading", &answer));
            }
            StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => None,
            _ => return Err(self.refusal("reading", &answer)),
        };
        self.remember(stored.clone());
        Ok(stored)
    }

    /// The document before this record.
    async fn before(&self, record: &Record) -> Result<Option<Stored>, StateError> {
        let number = record.header.number - 1;
        let known = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let is_it = |stored: &Option<Stored>| {
            stored
                .as_ref()
                .map_or(0, |stored| stored.contents.head.number)
                == number
        };
        if is_it(&known) {
            return Ok(known);
        }
        self.fetch().await
    }

    async fn create_record(&self, record: &Record) -> Result<Created, NotCreated> {
        let before = self.before(record).await.map_err(unclear_if_passing)?;
        let head = before
            .as_ref()
            .map_or(0, |stored| stored.contents.head.number);
        let stored = if head + 1 == record.header.number {
            self.after(before, record).map_err(NotCreated::Refused)?
        } else if let Some(stored) = before.filter(|stored| stored.contents.head == record.header) {
            // It is there. The server has to refuse it all the same.
            stored
        } else {
            return Ok(Created::Taken);
        };
        let text = document::encode(&stored);
        let answer = match self.send(Some(text)).await {
            Ok(answer) => answer,
            Err(problem) => {
                return Err(NotCreated::Unclear(self.unanswered("writing", problem)));
            }
        };
        match answer.status {
            StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => {
                if !is_confirmation(&answer.body) {
                    let what = "the answer says that the document is written, but is a page: a proxy answers in the \
                                server's place";
                    return Err(NotCreated::Unclear(self.unanswered("writing", what.into())));
                }
                self.remember(Some(stored));
                Ok(Created::Now)
            }
            // GitLab says 422 to a serial that is taken, Gitea 409. When somebody has locked the state, Gitea says
            // 423 and GitLab 500.
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::LOCKED => {
                let newest = self.fetch().await.map_err(unclear_if_passing)?;
                let newest = newest.map_or(0, |stored| stored.contents.head.number);
                if newest >= record.header.number {
                    return Ok(Created::Taken);
                }
                Err(NotCreated::Refused(self.locked(&answer)))
            }
            // At a limit it certainly is not written, and the same request will do.
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(NotCreated::Unclear(self.refusal("writing", &answer)))
            }
            _ => Err(NotCreated::Refused(self.refusal("writing", &answer))),
        }
    }

    fn after(&self, before: Option<Stored>, record: &Record) -> Result<Stored, StateError> {
        let place = self.place();
        Ok(match before {
            None => Stored {
                lineage: document::lineage(&record.header.id),
                contents: Contents::fold(&place, [record.clone()])?
                    .ok_or_else(|| self.failed("writing", "nothing".into(), String::new()))?,
            },
            Some(Stored { lineage, contents }) => Stored {
                lineage,
                contents: contents.with(&place, record.clone())?,
            },
        })
    }

    /// Somebody locked the state with Terraform's protocol, or the server refuses this serial for ever.
    fn locked(&self, answer: &Answer) -> StateError {
        let said = said(answer);
        match serde_json::from_slice::<LockInfo>(&answer.body) {
            Ok(LockInfo { id, who }) if !id.is_empty() => self.failed(
                "writing",
                format!("the server answers {}: it is locked by {who} with the lock id {id}", answer.status),
                "Another program took Terraform's lock on it, which ess-callbacks does not use. Wait for it to end, \
                 or run `terraform force-unlock` there."
                    .into(),
            ),
            Ok(_) | Err(_) => self.failed(
                "writing",
                format!("{said}, though it has no newer version"),
                "The state may be locked by another program, or was deleted on the server, which takes each serial \
                 once: use another name for the state."
                    .into(),
            ),
        }
    }

    fn refusal(&self, doing: &'static str, answer: &Answer) -> StateError {
        let advice = match answer.status.as_u16() {
            401 => {
                "Set TF_HTTP_USERNAME and TF_HTTP_PASSWORD. On GitLab the password is an access token with the \
                    scope `api`; in its jobs `gitlab-ci-token` and CI_JOB_TOKEN are used by themselves."
            }
            403 => {
                "The user may not do this. On GitLab reading needs the role Developer, writing Maintainer."
            }
            404 => "Check the address: the project does not exist, or the user may not see it.",
            413 => {
                "The state is larger than the server accepts: raise its limit, or keep the state elsewhere."
            }
            301 | 302 | 307 | 308 => {
                "Redirects are not followed. Give the address that the server really has."
            }
            500 if doing == "writing" => {
                "The server has a problem. GitLab also answers this when somebody locked the state with Terraform: \
                 look under Operate > Terraform states. Then run the command again; it finds out what was written."
            }
            500.. => {
                "The server has a problem. Run the command again; it finds out what was written."
            }
            429 => "The server limits how often it is asked. Run the command again later.",
            _ => "Check --state.",
        };
        StateError::Remote {
            doing,
            place: self.place(),
            problem: said(answer),
            advice: advice.into(),
            passing: answer.status.is_server_error() || answer.status.as_u16() == 429,
        }
    }
}

/// Nothing of the record was written so far, but a failure that passes is worth another try.
fn unclear_if_passing(error: StateError) -> NotCreated {
    if matches!(error, StateError::Remote { passing: true, .. }) {
        NotCreated::Unclear(error)
    } else {
        NotCreated::Refused(error)
    }
}

/// Whether this can be what a server of states answers to a write: nothing, or JSON.
fn is_confirmation(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// What the server said, in one line.
fn said(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    let line = line.trim();
    if line.is_empty() || line.starts_with('<') {
        return format!("the server answers {}", answer.status);
    }
    format!("the server answers {}: {line}", answer.status)
}

impl Log for Server {
    fn place(&self) -> Place {
        Place::new(self.address.to_string())
    }

    /// The server keeps every version, so a sign of life is given rarely.
    fn timing(&self) -> Timing {
        Timing {
            lease: Duration::from_secs(180),
            poll: Duration::from_secs(5),
            // Each look reads all of it.
            watch: None,
            patience: Duration::from_secs(60),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        async { Ok(self.fetch().await?.map(|stored| stored.contents.head)) }.boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        async { Ok(self.fetch().await?.map(|stored| stored.contents)) }.boxed()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        ready(Err(self.no_history())).boxed()
    }

    fn record(&self, _number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        ready(Err(self.no_history())).boxed()
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        self.create_record(record).boxed()
    }

    /// The server keeps what it wants to keep.
    fn prune<'a>(&'a self, _head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        ready(Ok(())).boxed()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
