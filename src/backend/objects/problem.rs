//! What the refusal of a store means, and what to do next.

use reqwest::StatusCode;

use super::address::{Address, Dialect, Target};
use super::send::{Answer, NoAnswer};
use super::xml::Leaves;
use crate::client::{CredentialError, Redactor};
use crate::sign::Credential;
use crate::state::StateError;

/// What a request does: it names the right that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    List,
    Get,
    Put,
    Delete,
    Versioning,
}

/// What a store said in its own words.
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) code: String,
    message: String,
    /// The region that it names, if any.
    region: Option<String>,
    request_id: Option<String>,
}

impl Action {
    const fn doing(self) -> &'static str {
        match self {
            Self::List | Self::Get => "reading",
            Self::Put => "writing to",
            Self::Delete => "removing old records of",
            Self::Versioning => "checking the versioning of",
        }
    }

    const fn right(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::List, Dialect::S3) => "s3:ListBucket",
            (Self::Get, Dialect::S3) => "s3:GetObject",
            (Self::Put, Dialect::S3) => "s3:PutObject",
            (Self::Delete, Dialect::S3) => "s3:DeleteObject",
            (Self::Versioning, Dialect::S3) => "s3:GetBucketVersioning",
            (Self::List, Dialect::Cos) => "name/cos:GetBucket",
            (Self::Get, Dialect::Cos) => "name/cos:GetObject",
            (Self::Put, Dialect::Cos) => "name/cos:PutObject",
            (Self::Delete, Dialect::Cos) => "name/cos:DeleteObject",
            (Self::Versioning, Dialect::Cos) => "name/cos:GetBucketVersioning",
        }
    }
}

impl Said {
    pub(super) fn of(answer: &Answer, credential: &Credential) -> Self {
        let secrets = [Some(&credential.secret_key), credential.token.as_ref()];
        let redactor = Redactor::new(secrets.into_iter().flatten());
        let leaves = Leaves::read(&answer.body);
        let named = |name: &str| {
            let text = leaves.as_ref()?.named(name)?;
            (!text.is_empty()).then(|| redactor.clean(text))
        };
        Self {
            status: answer.status,
            code: named("Code").unwrap_or_default(),
            message: named("Message").unwrap_or_default(),
            region: answer
                .region
                .as_deref()
                .map(|region| redactor.clean(region))
                .or_else(|| named("Region")),
            request_id: named("RequestId")
                .or_else(|| Some(redactor.clean(answer.request_id.as_deref()?))),
        }
    }

    /// `NoSuchBucket: The specified bucket does not exist; request 4442587FB7D0A2F9`.
    fn words(&self) -> String {
        let status = StatusCode::from_u16(self.status).ok();
        let reason = status
            .and_then(|status| status.canonical_reason())
            .unwrap_or("unknown");
        let mut words = if self.code.is_empty() {
            format!("HTTP status {} {reason}", self.status)
        } else if self.message.is_empty() {
            format!("{}, HTTP status {}", self.code, self.status)
        } else {
            format!("{}: {}", self.code, self.message.trim_end_matches('.'))
        };
        if let Some(id) = &self.request_id {
            words.push_str("; request ");
            words.push_str(id);
        }
        words
    }

    pub(super) fn is_expired(&self) -> bool {
        matches!(
            self.code.as_str(),
            "ExpiredToken" | "TokenRefreshRequired" | "RequestExpired"
        )
    }

    /// Whether the same request may succeed later.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502..=506 | 508..)
    }
}

/// The error of an answer that refuses.
pub(super) fn refused(
    action: Action,
    address: &Address,
    target: &Target,
    credential: &Credential,
    said: &Said,
) -> StateError {
    let (problem, advice) = meaning(action, address, target, credential, said);
    StateError::Remote {
        doing: action.doing(),
        place: address.place(),
        problem: format!("{problem} ({})", said.words()),
        advice,
        passing: said.may_pass() || said.is_expired(),
    }
}

fn meaning(
    action: Action,
    address: &Address,
    target: &Target,
    credential: &Credential,
    said: &Said,
) -> (String, String) {
    let bucket = &address.bucket;
    let key_id = &credential.secret_id;
    match (said.status, said.code.as_str()) {
        (_, "NoSuchBucket") => (
            format!("there is no bucket `{bucket}` at {}", target.endpoint.host()),
            "Create the bucket, or correct its name, region and endpoint in the address.".into(),
        ),
        (301 | 302 | 307 | 308, _) | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") => {
            match &said.region {
                Some(region) if *region != target.region => (
                    format!("the bucket `{bucket}` is in the region `{region}`, not `{}`", target.region),
                    format!("Write `region={region}` in the address."),
                ),
                Some(_) | None => (
                    format!(
                        "the bucket `{bucket}` is not in the region `{}` of {}",
                        target.region,
                        target.endpoint.host()
                    ),
                    "Correct `region` and `endpoint` in the address. Redirects are not followed.".into(),
                ),
            }
        }
        (_, "InvalidAccessKeyId") => (
            format!("the store does not know the access key `{key_id}`"),
            "Use credentials of the store that the address names.".into(),
        ),
        (_, "SignatureDoesNotMatch") => (
            format!("the secret key does not belong to the access key `{key_id}`"),
            "Copy both again, from the same pair. A proxy that changes requests has the same effect.".into(),
        ),
        (_, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "RequestExpired") => (
            format!("the temporary credentials `{key_id}` have expired or are invalid"),
            "Get new ones. Access key, secret key and token must come from the same set.".into(),
        ),
        (_, "RequestTimeTooSkewed") => (
            "the clock of this machine differs too much from the store's".into(),
            "Set this machine's clock (NTP).".into(),
        ),
        (501, _) | (_, "NotImplemented") if action == Action::Put => (
            "the store does not support conditional writes, so two programs could overwrite each other".into(),
            "Use a store that supports `If-None-Match: *`: Amazon S3, MinIO, Cloudflare R2, Ceph, or Tencent COS \
             with cos://. Aliyun OSS does not."
                .into(),
        ),
        (507, _) | (_, "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage") => (
            "the store is full, or a quota is used up".into(),
            "Free space or raise the quota. Nothing that was recorded is lost.".into(),
        ),
        (_, "InvalidBucketState" | "ObjectLockConfigurationNotFoundError") if action == Action::Delete => (
            "the bucket keeps its objects locked".into(),
            "Old records stay, which does no harm.".into(),
        ),
        (407, _) => (
            "a proxy requires credentials".into(),
            "Check HTTPS_PROXY and NO_PROXY.".into(),
        ),
        (401 | 403, _) => {
            let right = action.right(address.dialect);
            (
                format!("the credentials `{key_id}` have no right to do that"),
                format!(
                    "Allow {right} for `{bucket}/{}/*` to these credentials. A plan needs only the rights to list and to \
                     read.",
                    address.key
                ),
            )
        }
        (429 | 503, _) => (
            "the store asks for fewer requests, or is not available".into(),
            "Run the command again later.".into(),
        ),
        (500.., _) => (
            "the store failed".into(),
            "Run the command again later. If it lasts, ask the store's support with the request id.".into(),
        ),
        _ => (
            "the store refused the request".into(),
            "Check bucket, key, region and endpoint of the address.".into(),
        ),
    }
}

/// The error of a request without an answer. What the network says holds no secret.
pub(super) fn unanswered(
    action: Action,
    address: &Address,
    target: &Target,
    why: &NoAnswer,
) -> StateError {
    let host = target.endpoint.host();
    let (problem, advice) = match why {
        NoAnswer::Credentials(error) => return no_credentials(address, error),
        NoAnswer::Unusable(reason) => (
            reason.clone(),
            "Correct that; then run the command again.".to_owned(),
        ),
        NoAnswer::Unsent(reason) => (
            format!("no connection to {host}: {reason}"),
            network(reason),
        ),
        NoAnswer::Lost(reason) => (format!("no answer from {host}: {reason}"), network(reason)),
        NoAnswer::TooLarge => (
            format!("the answer of {host} is longer than any record"),
            "Check that `endpoint` names an object store, and that no proxy answers in its place."
                .to_owned(),
        ),
    };
    StateError::Remote {
        doing: action.doing(),
        place: address.place(),
        problem,
        advice,
        passing: why.may_pass(),
    }
}

/// What may be wrong between here and the store.
fn network(reason: &str) -> String {
    let has = |words: &[&str]| {
        words
            .iter()
            .any(|word| reason.to_ascii_lowercase().contains(word))
    };
    if has(&["dns error", "lookup address", "name resolution"]) {
        "Check bucket, region and endpoint of the address, and this machine's name resolution (DNS)."
    } else if has(&["certificate", "tls", "handshake"]) {
        "If the store has a certificate of your own CA, give its file with --ca-file. A proxy that reads TLS needs the \
         same."
    } else if has(&["proxy", "tunnel"]) {
        "Check HTTPS_PROXY and NO_PROXY."
    } else {
        "Check the network, the endpoint, and HTTPS_PROXY and NO_PROXY; then run the command again."
    }
    .to_owned()
}

pub(super) fn no_credentials(address: &Address, error: &CredentialError) -> StateError {
    let (problem, advice) = match error {
        CredentialError::NoneServes(_) => {
            return StateError::NoCredentials {
                place: address.place(),
                reasons: error.lines().1,
                advice: sentence(&error.advice()),
            };
        }
        CredentialError::Unchanged => (
            "the store refused the credentials as expired, and there are no others".to_owned(),
            "Get new temporary credentials. Access key, secret key and token must come from the same set.".to_owned(),
        ),
        CredentialError::Provider { .. }
        | CredentialError::Unusable(_)
        | CredentialError::Expired
        | CredentialError::TimedOut
        | CredentialError::Aborted
        | CredentialError::Pending => (error.to_string(), sentence(&error.advice())),
    };
    StateError::Remote {
        doing: "finding credentials for",
        place: address.place(),
        problem,
        advice,
        passing: false,
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let mut text: String = first.into_iter().chain(letters).collect();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// The error of an answer that no object store gives.
pub(super) fn not_a_store(
    action: Action,
    address: &Address,
    target: &Target,
    what: &str,
) -> StateError {
    StateError::Remote {
        doing: action.doing(),
        place: address.place(),
        problem: format!("the answer of {} {what}", target.endpoint.host()),
        advice:
            "Check that `endpoint` names an object store, and that no proxy answers in its place."
                .into(),
        passing: false,
    }
}

/// The error of a bucket in which the condition of a write is void.
pub(super) fn versioned(address: &Address, status: &str) -> StateError {
    let status = Redactor::default().clean(status);
    StateError::Remote {
        doing: Action::Put.doing(),
        place: address.place(),
        problem: format!(
            "the bucket `{}` has or had versioning (its status is {status}), and then Tencent COS lets two programs \
             overwrite each other's records",
            address.bucket
        ),
        advice: "Use a bucket that never had versioning. It can't be undone for this one.".into(),
        passing: false,
    }
}
