//! The two formats of messages.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::dedupe::DedupeKey;
use super::json::compact;
use super::rejection::Rejection;

/// A message, in the format that the enterprise has. Types are an open set: ignore unknown ones, and answer 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    V2(V2),
    V1(V1),
}

/// `{"MsgId", "MsgType", "MsgVersion", "MsgData"}`.
#[derive(Clone, PartialEq, Eq)]
pub struct V2 {
    /// The same in every delivery of a message. Always there by the documentation.
    pub msg_id: Option<String>,
    pub msg_type: String,
    /// `CustomApp` or `ThirdPartyApp`.
    pub msg_version: Option<String>,
    /// The member `MsgData` as it was sent; `null` without one. JSON, with personal data in it.
    pub data: String,
}

/// The older format, of enterprises from before May 2023: `MsgData` alone.
#[derive(Clone, PartialEq, Eq)]
pub struct V1 {
    /// The whole message as it was sent. JSON, with personal data in it.
    pub data: String,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "MsgId")]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "MsgType")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, rename = "MsgVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, rename = "MsgData")]
    data: Option<&'a RawValue>,
}

impl Message {
    /// Reads a JSON object. One whose `MsgType` is a text is V2, any other V1.
    pub(super) fn read(text: &str) -> Result<Self, Rejection> {
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|_| Rejection::NotAMessage)?;
        let Some(msg_type) = envelope.kind.and_then(text_of) else {
            return Ok(Self::V1(V1 {
                data: text.to_owned(),
            }));
        };
        Ok(Self::V2(V2 {
            // A number is as good.
            msg_id: envelope
                .id
                .filter(|id| id.get() != "null")
                .map(|id| text_of(id).unwrap_or_else(|| id.get().to_owned())),
            msg_type,
            msg_version: envelope.version.and_then(text_of),
            data: envelope.data.map_or("null", RawValue::get).to_owned(),
        }))
    }

    /// What repeated deliveries of this message have in common: `MsgId`, or the event of a V1 message.
    pub fn dedupe_key(&self) -> DedupeKey {
        match self {
            Self::V2(V2 {
                msg_id: Some(id), ..
            }) => DedupeKey::of_message_id(id),
            Self::V2(V2 { msg_type, data, .. }) => DedupeKey::of_content(msg_type, data),
            Self::V1(V1 { data }) => DedupeKey::of_event(data),
        }
    }

    /// What deliveries with the same content have in common, whatever their white space. A message whose
    /// [`dedupe_key`](Self::dedupe_key) is known and whose content is not is no repetition.
    pub fn content_key(&self) -> DedupeKey {
        match self {
            Self::V2(V2 {
                msg_id,
                msg_type,
                msg_version,
                data,
            }) => DedupeKey::of(
                "whole",
                [
                    msg_id.as_deref(),
                    Some(msg_type),
                    msg_version.as_deref(),
                    Some(&compact(data)),
                ],
            ),
            Self::V1(V1 { data }) => DedupeKey::of("whole V1", [Some(&*compact(data))]),
        }
    }

    /// `MsgData`, or all of a V1 message: JSON as it was sent, with personal data in it.
    pub fn data(&self) -> &str {
        match self {
            Self::V2(V2 { data, .. }) | Self::V1(V1 { data }) => data,
        }
    }
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

impl fmt::Debug for V2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("V2")
            .field("msg_id", &self.msg_id)
            .field("msg_type", &self.msg_type)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for V1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("V1").finish_non_exhaustive()
    }
}
