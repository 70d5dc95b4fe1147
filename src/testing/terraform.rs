//! A server that keeps states as GitLab or Gitea does for Terraform's HTTP protocol.
//!
//! Sources: `lib/api/terraform/state.rb` and `app/services/terraform/remote_state_handler.rb` of GitLab,
//! `routers/api/packages/terraform` of Gitea. `tests/it/terraform.rs` holds it against the real Terraform.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Whose answers it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    GitLab,
    Gitea,
    /// Takes every document, like a server that was made for one user.
    Careless,
}

impl Flavour {
    /// The answer about a lock that somebody else has.
    const fn lock_refused(self) -> StatusCode {
        match self {
            Self::GitLab => StatusCode::CONFLICT,
            Self::Gitea | Self::Careless => StatusCode::LOCKED,
        }
    }
}

/// A server on a port of this machine, as long as its runtime lives.
#[derive(Debug)]
pub struct TerraformServer {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    flavour: Flavour,
    states: Mutex<BTreeMap<String, Versions>>,
    instead: Mutex<Option<Instead>>,
}

#[derive(Debug, Default)]
struct Versions {
    documents: BTreeMap<u64, Value>,
    lock: Option<Value>,
}

/// What a user may do with the states of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Reads them.
    Developer,
    /// Writes them too.
    Maintainer,
}

/// What is answered in the place of the truth.
#[derive(Debug)]
struct Instead {
    times: u32,
    status: StatusCode,
    body: String,
    /// Whether what is asked for is done all the same.
    carries_out: bool,
}

type Answer = (StatusCode, String);

impl TerraformServer {
    /// A user who may read and write.
    pub const USER: &str = "ann";
    pub const PASSWORD: &str = "canary-password";
    /// Of a job that a maintainer started, for the user `gitlab-ci-token`.
    pub const JOB_TOKEN: &str = "canary-job-token";
    /// Of a job that a developer started: it may only read.
    pub const READING_JOB_TOKEN: &str = "canary-reading-job-token";

    /// Starts to listen on 127.0.0.1.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(flavour: Flavour) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            flavour,
            states: Mutex::default(),
            instead: Mutex::default(),
        });
        let router = Router::new()
            .route("/state/{name}", get(read).post(write))
            .route("/state/{name}/lock", post(take_lock).delete(free_lock))
            .route(
                "/api/v4/projects/42/terraform/state/{name}",
                get(read).post(write),
            )
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        drop(tokio::spawn(
            async move { axum::serve(listener, router).await },
        ));
        Ok(Self { port, shared })
    }

    /// The address of a state.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/state/{name}", self.port)
    }

    /// The API, as jobs of GitLab know it. The states are those of the project 42, too.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}/api/v4", self.port)
    }

    /// Answers the next requests like this, and does what they ask for only if `carries_out`.
    pub fn answer(&self, times: u32, status: u16, body: &str, carries_out: bool) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
        let body = body.to_owned();
        *lock(&self.shared.instead) = Some(Instead {
            times,
            status,
            body,
            carries_out,
        });
    }

    /// Terraform's lock on a state, if it is taken.
    pub fn locked(&self, name: &str) -> Option<Value> {
        lock(&self.shared.states).get(name)?.lock.clone()
    }

    /// Locks a state as Terraform does.
    pub fn lock(&self, name: &str, info: Value) {
        let mut states = lock(&self.shared.states);
        states.entry(name.to_owned()).or_default().lock = Some(info);
    }

    /// Every version of a state, by serial.
    pub fn documents(&self, name: &str) -> BTreeMap<u64, Value> {
        let states = lock(&self.shared.states);
        states
            .get(name)
            .map(|versions| versions.documents.clone())
            .unwrap_or_default()
    }
}

impl Shared {
    fn instead(&self) -> Option<(Answer, bool)> {
        let mut instead = lock(&self.instead);
        let Instead {
            times,
            status,
            body,
            carries_out,
        } = instead.as_mut()?;
        *times = times.checked_sub(1)?;
        Some(((*status, body.clone()), *carries_out))
    }

    /// A write, by who has the lock with this id.
    fn accept(&self, name: &str, id: Option<&str>, body: &[u8]) -> Answer {
        let Some((serial, document)) = valid(body) else {
            return (StatusCode::BAD_REQUEST, "not a state of Terraform".into());
        };
        let mut states = lock(&self.states);
        let versions = states.entry(name.to_owned()).or_default();
        let lock_id = versions.lock.as_ref().map(lock_id);
        match (self.flavour, &versions.lock) {
            // Its API does not rescue the error that its handler raises then.
            (Flavour::GitLab, _) if lock_id != id => {
                let body = r#"{"message":"500 Internal Server Error"}"#;
                return (StatusCode::INTERNAL_SERVER_ERROR, body.into());
            }
            (Flavour::Gitea | Flavour::Careless, Some(info)) if lock_id != id => {
                return (StatusCode::LOCKED, info.to_string());
            }
            _ => {}
        }
        if versions.documents.contains_key(&serial) {
            match self.flavour {
                Flavour::GitLab => {
                    let body = r#"{"message":{"version":["has already been taken"]}}"#;
                    return (StatusCode::UNPROCESSABLE_ENTITY, body.into());
                }
                Flavour::Gitea => return (StatusCode::CONFLICT, "it is there".into()),
                Flavour::Careless => {}
            }
        }
        versions.documents.insert(serial, document);
        let status = match self.flavour {
            Flavour::GitLab | Flavour::Careless => StatusCode::OK,
            Flavour::Gitea => StatusCode::CREATED,
        };
        (status, String::new())
    }
}

fn lock_id(info: &Value) -> &str {
    info["ID"].as_str().unwrap_or_default()
}

/// What Gitea checks.
fn valid(body: &[u8]) -> Option<(u64, Value)> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let is_text = |key: &str| document[key].as_str().is_some_and(|text| !text.is_empty());
    let serial = document["serial"].as_u64().filter(|serial| *serial >= 1)?;
    let valid = document["version"] == 4
        && is_text("terraform_version")
        && is_text("lineage")
        && document["resources"].is_array()
        && document["outputs"].is_object();
    valid.then_some((serial, document))
}

/// `None` for users that it does not know.
fn role(headers: &HeaderMap) -> Option<Role> {
    const JOB: &str = "gitlab-ci-token";
    let known = [
        (
            TerraformServer::USER,
            TerraformServer::PASSWORD,
            Role::Maintainer,
        ),
        (JOB, TerraformServer::JOB_TOKEN, Role::Maintainer),
        (JOB, TerraformServer::READING_JOB_TOKEN, Role::Developer),
    ];
    let given = headers.get("authorization")?;
    let found = known.into_iter().find(|(user, password, _)| {
        let expected = STANDARD.encode(format!("{user}:{password}"));
        *given == *format!("Basic {expected}")
    });
    Some(found?.2)
}

/// The refusal of a user who may do less than this.
fn refused(headers: &HeaderMap, needed: Role) -> Option<Answer> {
    let (status, body) = match role(headers) {
        None => (
            StatusCode::UNAUTHORIZED,
            r#"{"message":"401 Unauthorized"}"#,
        ),
        Some(role) if role < needed => (StatusCode::FORBIDDEN, r#"{"message":"403 Forbidden"}"#),
        Some(_) => return None,
    };
    Some((status, body.into()))
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    if let Some((answer, _)) = shared.instead() {
        return answer;
    }
    if let Some(answer) = refused(&headers, Role::Developer) {
        return answer;
    }
    let states = lock(&shared.states);
    let versions = states.get(&name);
    match versions.and_then(|versions| versions.documents.values().next_back()) {
        Some(document) => (StatusCode::OK, document.to_string()),
        // A lock alone makes a state there.
        None if versions.is_some() && shared.flavour == Flavour::GitLab => {
            (StatusCode::NO_CONTENT, String::new())
        }
        None => (
            StatusCode::NOT_FOUND,
            r#"{"message":"404 Not Found"}"#.into(),
        ),
    }
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let id = query.get("ID").map(String::as_str);
    if let Some((answer, carries_out)) = shared.instead() {
        if carries_out {
            shared.accept(&name, id, &body);
        }
        return answer;
    }
    if let Some(answer) = refused(&headers, Role::Maintainer) {
        return answer;
    }
    shared.accept(&name, id, &body)
}

async fn take_lock(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    if let Some(answer) = refused(&headers, Role::Maintainer) {
        return answer;
    }
    let wanted: Value = serde_json::from_slice(&body).unwrap_or_default();
    if lock_id(&wanted).is_empty() {
        return (StatusCode::BAD_REQUEST, String::new());
    }
    let mut states = lock(&shared.states);
    let versions = states.entry(name).or_default();
    if let Some(info) = &versions.lock {
        return (shared.flavour.lock_refused(), info.to_string());
    }
    let body = match shared.flavour {
        Flavour::GitLab => wanted.to_string(),
        Flavour::Gitea | Flavour::Careless => String::new(),
    };
    versions.lock = Some(wanted);
    (StatusCode::OK, body)
}

async fn free_lock(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    if let Some(answer) = refused(&headers, Role::Maintainer) {
        return answer;
    }
    let wanted: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut states = lock(&shared.states);
    let versions = states.entry(name).or_default();
    match &versions.lock {
        Some(info) if lock_id(info) != lock_id(&wanted) => {
            (shared.flavour.lock_refused(), String::new())
        }
        _ => {
            versions.lock = None;
            (StatusCode::OK, String::new())
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
