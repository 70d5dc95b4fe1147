//! A machine and the servers around it, for tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, Machine, Request, Web};
use crate::client::Endpoint;
use crate::model::{Environment, Timestamp};

pub(super) const NOW: Timestamp = Timestamp(1_790_000_000);

type Serve = dyn Fn(&Request) -> Result<Answer, String> + Send + Sync;

/// Answers each request by a function, and keeps the requests.
#[derive(Clone)]
pub(super) struct Servers {
    serve: Arc<Serve>,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
}

impl Servers {
    pub(super) fn new(
        serve: impl Fn(&Request) -> Result<Answer, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            serve: Arc::new(serve),
            requests: Arc::default(),
        }
    }

    /// None answers.
    pub(super) fn none() -> Self {
        Self::new(|_| Err("no route to host".to_owned()))
    }

    pub(super) fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(super) fn header(&self, at: usize, name: &str) -> Option<String> {
        let requests = self.requests.lock().unwrap();
        let mut headers = requests[at].headers.iter();
        Some(headers.find(|(known, _)| *known == name)?.1.clone())
    }

    pub(super) fn body(&self, at: usize) -> Value {
        let requests = self.requests.lock().unwrap();
        serde_json::from_slice(requests[at].body.as_ref().unwrap()).unwrap()
    }
}

impl Web for Servers {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Answer, String>> {
        let answer = (self.serve)(&request);
        self.requests.lock().unwrap().push(request);
        ready(answer).boxed()
    }
}

/// A machine with a home directory, of which only what the test sets is there.
pub(super) struct World {
    pub(super) home: TempDir,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) servers: Servers,
}

impl World {
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: BTreeMap::new(),
            servers,
        }
    }

    pub(super) fn set(&mut self, variables: &[(&str, &str)]) {
        let pairs = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.variables.extend(pairs);
    }

    /// Writes a file below the home directory.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn machine(&self) -> Machine {
        let variables = self.variables.clone();
        Machine {
            variables: Arc::new(move |name| variables.get(name).map(OsString::from)),
            home: Some(self.home.path().to_owned()),
            system_file: self.home.path().join("etc"),
            folder: Path::new("/").to_owned(),
            environment: Environment::Production,
            sts: Endpoint::sts(),
            metadata: Endpoint::metadata(),
            web: Arc::new(self.servers.clone()),
            clock: Arc::new(|| NOW),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "servers may also not answer")]
pub(super) fn answer(status: u16, body: impl AsRef<[u8]>) -> Result<Answer, String> {
    Ok(Answer {
        status,
        body: body.as_ref().to_vec(),
        date: Some(NOW),
    })
}

/// The token service's answer with credentials of this `SecretId`.
pub(super) fn granted(id: &str, seconds: i64) -> Result<Answer, String> {
    let body = json!({ "Response": {
        "Credentials": { "Token": "canary-token", "TmpSecretId": id, "TmpSecretKey": "canary-key" },
        "ExpiredTime": NOW.0 + seconds,
        "Expiration": "2026-09-21T15:33:20Z",
        "RequestId": "request-1",
    }});
    answer(200, body.to_string())
}

pub(super) fn refused(code: &str, message: &str) -> Result<Answer, String> {
    let error = json!({ "Code": code, "Message": message });
    answer(
        200,
        json!({ "Response": { "Error": error, "RequestId": "request-1" } }).to_string(),
    )
}

/// The metadata service's answer with the credentials of a role.
pub(super) fn of_instance() -> String {
    json!({
        "TmpSecretId": "AKIDcvm", "TmpSecretKey": "canary-key", "Token": "canary-token",
        "ExpiredTime": NOW.0 + 7200, "Expiration": "2026-09-21T15:33:20Z", "Code": "Success",
    })
    .to_string()
}
