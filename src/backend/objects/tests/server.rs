//! Object stores for tests: one in this process, which can also misbehave, and moto where it is installed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use axum::routing::any;
use tokio::runtime::{Handle, Runtime};

/// Where CI says that a Python with `tests/external/objects/requirements.txt` is.
const PYTHON: &str = "ESS_CALLBACKS_OBJECTS_PYTHON";

/// A runtime with a clock that is never paused.
pub(super) fn real_time() -> &'static Handle {
    static RUNTIME: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap()).handle()
}

type Answer = Box<dyn Fn(&Method, &Uri) -> Option<Response<Body>> + Send + Sync>;

#[derive(Default)]
pub(super) struct Inside {
    pub(super) objects: BTreeMap<String, (Vec<u8>, i64)>,
    /// Seconds since 1970.
    pub(super) clock: i64,
    pub(super) ignores_conditions: bool,
    pub(super) versioning: &'static str,
    /// Answers in place of the store, if it gives something.
    pub(super) instead: Option<Answer>,
    /// Method, path and query, and the header `authorization`.
    pub(super) requests: Vec<(Method, String, String)>,
    pub(super) headers: Vec<HeaderMap>,
}

/// A store in this process, for one bucket.
#[derive(Clone)]
pub(super) struct Fake {
    inside: Arc<Mutex<Inside>>,
    pub(super) origin: String,
}

impl Fake {
    pub(super) fn start() -> Self {
        let inside = Arc::new(Mutex::new(Inside {
            clock: 1_790_000_000,
            ..Inside::default()
        }));
        let router = Router::new()
            .fallback(any(answer))
            .with_state(Arc::clone(&inside));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        drop(real_time().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        }));
        Self { inside, origin }
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// From now on every request gets this answer.
    pub(super) fn always(
        &self,
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) {
        self.inside().instead = Some(Box::new(move |_, _| Some(respond(status, headers, body))));
    }
}

pub(super) fn respond(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

pub(super) fn error(status: u16, code: &str) -> Response<Body> {
    let body = format!(
        "<Error><Code>{code}</Code><Message>why.</Message><RequestId>R1</RequestId></Error>"
    );
    respond(status, &[], body)
}

async fn answer(
    State(inside): State<Arc<Mutex<Inside>>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut inside = inside.lock().unwrap();
    let path = parts.uri.to_string();
    let authorization = parts
        .headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    inside.requests.push((
        parts.method.clone(),
        path,
        authorization.unwrap_or_default(),
    ));
    inside.headers.push(parts.headers.clone());
    if let Some(instead) = &inside.instead
        && let Some(response) = instead(&parts.method, &parts.uri)
    {
        return response;
    }
    let mut response = inside.serve(&parts.method, &parts.uri, &parts.headers, &body);
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(inside.clock.unsigned_abs());
    response
        .headers_mut()
        .insert("date", httpdate::fmt_http_date(date).parse().unwrap());
    response
}

impl Inside {
    fn serve(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response<Body> {
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let Some((_, key)) = uri.path()[1..].split_once('/') else {
            if query.contains_key("versioning") {
                let status = self.versioning;
                return respond(
                    200,
                    &[],
                    format!("<VersioningConfiguration>{status}</VersioningConfiguration>"),
                );
            }
            return respond(200, &[], self.list(&query));
        };
        match method.as_str() {
            "PUT" => {
                let s3 = headers.contains_key("if-none-match");
                let conditional = s3 || headers.contains_key("x-cos-forbid-overwrite");
                if self.objects.contains_key(key) && conditional && !self.ignores_conditions {
                    return if s3 {
                        error(412, "PreconditionFailed")
                    } else {
                        error(409, "FileAlreadyExists")
                    };
                }
                self.objects
                    .insert(key.to_owned(), (body.to_vec(), self.clock));
                respond(200, &[("etag", "\"1\"")], "")
            }
            "GET" => match self.objects.get(key) {
                Some((body, _)) if headers.contains_key("range") => {
                    respond(206, &[], body[..body.len().min(16 << 10)].to_vec())
                }
                Some((body, _)) => respond(200, &[], body.clone()),
                None => error(404, "NoSuchKey"),
            },
            "DELETE" => {
                self.objects.remove(key);
                respond(204, &[], "")
            }
            _ => respond(StatusCode::METHOD_NOT_ALLOWED.as_u16(), &[], ""),
        }
    }

    fn list(&self, query: &BTreeMap<String, String>) -> String {
        let most: usize = query["max-keys"].parse().unwrap();
        let found = self.objects.iter().filter(|(key, _)| {
            key.starts_with(&query["prefix"]) && key.as_str() > query["marker"].as_str()
        });
        let found: Vec<_> = found.take(most + 1).collect();
        let objects = found.iter().take(most).map(|(key, (_, at))| {
            let at = crate::model::Timestamp(*at);
            format!("<Contents><Key>{key}</Key><LastModified>{at}</LastModified></Contents>")
        });
        let objects: String = objects.collect();
        format!(
            "<ListBucketResult><IsTruncated>{}</IsTruncated>{objects}</ListBucketResult>",
            found.len() > most
        )
    }
}

/// moto, which is ended when this is dropped.
pub(super) struct Moto {
    child: Child,
    pub(super) origin: String,
}

impl Moto {
    /// `None` where it is not installed, which CI does not accept.
    pub(super) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "{PYTHON} must be set in CI; tests/external/objects/run.sh prints it"
            );
            // Not by `println!`, which is swallowed when a test passes.
            let skipped =
                format!("SKIPPED: {PYTHON} is not set; tests/external/objects/run.sh makes one\n");
            std::io::stderr().write_all(skipped.as_bytes()).ok();
            return None;
        };
        let mut child = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/external/objects/serve.py"
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let origin =
            lines.find_map(|line| Some(line.split_once("Running on ")?.1.trim().to_owned()));
        // It would stop when no one reads what it says.
        drop(std::thread::spawn(move || lines.for_each(drop)));
        let origin = origin.expect("it says where it listens");
        Some(Self { child, origin })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
