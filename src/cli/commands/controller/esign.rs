//! `POST /esign`: a receiver of eSign's own events, some of which change what has to be called.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::receipts::Receipts;
use crate::apply::WallClock as _;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::secrets::given::given;
use crate::cli::terminal::log::Log;
use crate::config::SecretRole;
use crate::controller::{Board, EsignEvent};
use crate::receiver::{Content, Message, Novelty, Receiver, Secrets, Seen, V2};

/// How many messages are remembered, and for how many seconds, to find repetitions.
const REMEMBERED: (NonZeroUsize, u64) = (NonZeroUsize::new(10_000).expect("not zero"), 86_400);

/// The types of messages after which a plan may be another one, or calls may fail, and what each means.
const TYPES: [(&str, &str); 6] = [
    (
        "SubOrganizationJoinOrganizationGroup",
        "a member organization joined the group",
    ),
    (
        "UnbindOrganizationGroup",
        "a member organization left the group",
    ),
    ("CloseOrganization", "an organization was closed"),
    (
        "QuiteJob",
        "an employee left; calls in the name of an operator who left fail",
    ),
    (
        "RolesChange",
        "the roles of an employee changed, which may be an operator's",
    ),
    ("SuperAdminChange", "the super administrator changed"),
];

/// Opens messages, and knows which came before.
#[derive(Debug)]
pub(super) struct Esign {
    receiver: Receiver,
    secrets: Secrets,
    seen: Mutex<Seen<()>>,
}

impl Esign {
    /// With the key and token of the callback that leads here; `None` without a token, because anyone could forge
    /// messages then.
    pub(super) fn read(key: Option<&str>, token: Option<&str>) -> Result<Option<Self>, Failure> {
        let Some(token) = token else {
            return if key.is_some() {
                Err(Failure::usage(
                    "--esign-key-from needs --esign-token-from: without a token, anyone could forge messages",
                ))
            } else {
                Ok(None)
            };
        };
        let read = |flag: &str, role, place: &str| given(flag, role, place).map(|it| it.0);
        let token = read("--esign-token-from", SecretRole::Token, token)?;
        let key = key.map(|key| read("--esign-key-from", SecretRole::Key, key));
        let secrets = Secrets::new(key.transpose()?, Some(token));
        let secrets =
            secrets.map_err(|error| Failure::error(format!("--esign-key-from: {error}")))?;
        let (capacity, seconds) = REMEMBERED;
        Ok(Some(Self {
            receiver: Receiver::new(secrets.clone()),
            secrets,
            seen: Mutex::new(Seen::new(capacity, seconds)),
        }))
    }

    /// The key and token of the callback that leads here.
    pub(super) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Takes a message. What it says of people is neither kept nor shown.
    pub(super) fn take(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        (board, receipts, log): (&Board, &Receipts, &Log),
    ) -> Answer {
        let signature = headers.get("content-signature");
        let signature = signature.and_then(|value| value.to_str().ok());
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let opened = match self.receiver.open(headers, body) {
            Ok(opened) => opened,
            Err(rejection) => {
                let status = StatusCode::from_u16(rejection.status());
                let status = status.unwrap_or(StatusCode::BAD_REQUEST);
                return Answer::error(status, &rejection.to_string(), None);
            }
        };
        if let Content::Message(message) = opened.content {
            if !self.note(&message, board, log) {
                return Answer::error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the controller stops",
                    Some("Deliver it again, to the one that runs then."),
                );
            }
            receipts.heard(body, signature);
        }
        Answer::json(StatusCode::OK, &json!({ "received": true }))
    }

    /// Whether it was taken, or needs not be.
    fn note(&self, message: &Message, board: &Board, log: &Log) -> bool {
        let Message::V2(V2 {
            msg_id, msg_type, ..
        }) = message
        else {
            return true;
        };
        let Some((kind, meaning)) = TYPES.into_iter().find(|(kind, _)| kind == msg_type) else {
            return true;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let novelty = seen.note(message.dedupe_key(), SystemClock.now(), ());
        drop(seen);
        if novelty != Novelty::New {
            return true;
        }
        let is_taken = board.happened(EsignEvent {
            id: msg_id.clone().unwrap_or_default(),
            kind,
            meaning,
        });
        if is_taken {
            log.say(format_args!("eSign reports {kind}: {meaning}"));
        }
        is_taken
    }
}
