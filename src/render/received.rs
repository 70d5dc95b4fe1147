//! What `listen` received, as text and as events.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::escape::Clean;
use super::json_line::{Level, line};
use super::style::{Style, Tone};
use super::wrap::write_wrapped;
use crate::model::{Address, CallbackUrl, Timestamp};
use crate::receiver::{
    Content, Message, Opened, Rejection, Signature, V2, indented, masked, masked_text,
};

/// The longest text of a message in the first lines of a block, in characters.
const LONGEST: usize = 100;

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Reception {
    /// Counts the requests from 1.
    pub number: u64,
    pub at: Timestamp,
    pub method: String,
    /// The path and query, with credentials masked.
    pub path: String,
    /// The callback URL that the request belongs to.
    pub url: Option<CallbackUrl>,
    /// The declared callbacks whose secrets opened it.
    pub addresses: Vec<Address>,
    pub outcome: Outcome,
    /// The status of the answer.
    pub status: u16,
    /// A problem that the user has to know of, such as a receipt that was not written.
    pub note: Option<String>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    Accepted {
        opened: Opened,
        /// The pair is one that was given for a rotation, and not the declared one.
        older: bool,
        delivery: Delivery,
        /// Whether to show personal data.
        personal: bool,
    },
    Rejected(Rejection),
    /// Refused before it was opened.
    Refused(String),
}

/// Whether a message came before, and the number of the request that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    First,
    /// The same message.
    Again(u64),
    /// Another content with the same `MsgId`, or of the same event.
    Differs(u64),
}

/// A block of lines about a request.
///
/// # Errors
///
/// Those of `out`.
pub fn reception_text(
    reception: &Reception,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let Reception {
        number,
        at,
        method,
        path,
        url,
        addresses,
        outcome,
        status,
        note,
    } = reception;
    let (tone, _) = tone(outcome, *status);
    writeln!(
        out,
        "{} {} {} {} -> {}",
        style.paint(Tone::Faint, format!("{} UTC", at.clock_time())),
        style.paint(Tone::Strong, format!("#{number}")),
        Clean(short(method)),
        Clean(short(path)),
        style.paint(tone, status),
    )?;
    let mut wrapped = |text: &str| write_wrapped(out, ("    ", "    "), text, style.width);
    match (addresses.as_slice(), url) {
        ([], None) => {}
        ([], Some(url)) => wrapped(&Clean(url).to_string())?,
        ([one], _) => wrapped(&Clean(one).to_string())?,
        ([first, rest @ ..], _) => {
            wrapped(&format!(
                "{} and {} more with the same URL and secrets",
                Clean(first),
                rest.len()
            ))?;
        }
    }
    wrapped(&sentence(outcome))?;
    if let Some(note) = note {
        wrapped(&format!("Warning: {}", Clean(note)))?;
    }
    let Some(data) = data(outcome) else {
        return Ok(());
    };
    for line in indented(&data, "    ").lines() {
        writeln!(out, "{}", Clean(line))?;
    }
    Ok(())
}

fn tone(outcome: &Outcome, status: u16) -> (Tone, Level) {
    match outcome {
        Outcome::Accepted { .. } if status == 200 => (Tone::Add, Level::Info),
        Outcome::Accepted { .. } => (Tone::Change, Level::Info),
        Outcome::Rejected(_) | Outcome::Refused(_) => (Tone::Error, Level::Warn),
    }
}

/// At most [`LONGEST`] characters.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn sentence(outcome: &Outcome) -> String {
    let (opened, older, delivery, personal) = match outcome {
        Outcome::Accepted {
            opened,
            older,
            delivery,
            personal,
        } => (opened, *older, *delivery, *personal),
        Outcome::Rejected(rejection) => return format!("rejected: {rejection}"),
        Outcome::Refused(why) => return format!("refused: {}", Clean(why)),
    };
    let shown =
        |text: &str| Clean(short(if personal { text } else { masked_text(text) })).to_string();
    let again = match (delivery, &opened.content) {
        (Delivery::First, _) => String::new(),
        (Delivery::Again(number), _) => format!("duplicate of #{number}: "),
        (
            Delivery::Differs(number),
            Content::Message(Message::V2(V2 {
                msg_id: Some(_), ..
            })),
        ) => {
            format!("another content than #{number} with the same MsgId: ")
        }
        (Delivery::Differs(number), _) => {
            format!("another content than #{number} of the same event: ")
        }
    };
    let what = match &opened.content {
        Content::Probe => "probe {}".to_owned(),
        Content::VendorCheck => {
            "the check of the vendor's documentation, which holds no message".to_owned()
        }
        Content::Message(Message::V2(message)) => {
            let id = match &message.msg_id {
                Some(id) => format!("MsgId {}", shown(id)),
                None => "without MsgId".to_owned(),
            };
            let version = message.msg_version.as_ref();
            let version = version.map(|version| format!(", {}", shown(version)));
            let kind = shown(&message.msg_type);
            format!("{kind}, {id}{}", version.unwrap_or_default())
        }
        Content::Message(Message::V1(_)) => "message in the format V1".to_owned(),
    };
    let encrypted = if opened.encrypted {
        "encrypted"
    } else {
        "not encrypted"
    };
    let signature = match opened.signature {
        Signature::Valid => "signature valid",
        Signature::Absent => "not signed",
        Signature::Unverified => "signature not verified: there is no token",
    };
    let older = if older {
        ", with a key or token from the command line"
    } else {
        ""
    };
    format!("{again}{what}; {encrypted}, {signature}{older}")
}

/// What a message holds; nothing for a duplicate, whose first delivery was shown.
fn data(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted {
            opened:
                Opened {
                    content: Content::Message(message),
                    ..
                },
            delivery: Delivery::First | Delivery::Differs(_),
            personal,
            older: _,
        } => Some(if *personal {
            message.data().to_owned()
        } else {
            masked(message.data())
        }),
        Outcome::Accepted { .. } | Outcome::Rejected(_) | Outcome::Refused(_) => None,
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    received: Received<'a>,
}

#[derive(Serialize)]
struct Received<'a> {
    number: u64,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    addresses: &'a [Address],
    status: u16,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differs_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// The event of a request: one line, without a line end.
pub fn reception_json(reception: &Reception) -> String {
    let Reception {
        number,
        at,
        method,
        path,
        url,
        addresses,
        outcome,
        status,
        note,
    } = reception;
    let mut received = Received {
        number: *number,
        method,
        path,
        url: url.as_ref().map(|url| url.shown().into_owned()),
        addresses,
        status: *status,
        outcome: "refused",
        reason: None,
        duplicate_of: None,
        differs_from: None,
        encrypted: None,
        signature: None,
        format: None,
        msg_id: None,
        msg_type: None,
        msg_version: None,
        data: data(outcome).and_then(|data| serde_json::from_str(&data).ok()),
        note: note.as_deref(),
    };
    match outcome {
        Outcome::Refused(why) => received.reason = Some(why),
        Outcome::Rejected(rejection) => {
            received.outcome = "rejected";
            received.reason = Some(rejection.code());
        }
        Outcome::Accepted {
            opened,
            older: _,
            delivery,
            personal,
        } => {
            let shown = |text| if *personal { text } else { masked_text(text) };
            match *delivery {
                Delivery::First => {}
                Delivery::Again(number) => received.duplicate_of = Some(number),
                Delivery::Differs(number) => received.differs_from = Some(number),
            }
            received.encrypted = Some(opened.encrypted);
            received.signature = Some(match opened.signature {
                Signature::Valid => "valid",
                Signature::Absent => "absent",
                Signature::Unverified => "unverified",
            });
            match &opened.content {
                Content::Probe => received.outcome = "probe",
                Content::VendorCheck => received.outcome = "vendor_check",
                Content::Message(message) => {
                    received.outcome = "message";
                    received.format = Some(match message {
                        Message::V1(_) => "V1",
                        Message::V2(_) => "V2",
                    });
                    if let Message::V2(message) = message {
                        received.msg_id = message.msg_id.as_deref().map(shown);
                        received.msg_type = Some(shown(&message.msg_type));
                        received.msg_version = message.msg_version.as_deref().map(shown);
                    }
                }
            }
        }
    }
    let message = format!("#{number} {}: {status}", sentence(outcome));
    let (_, level) = tone(outcome, *status);
    line((level, "received"), &message, *at, Payload { received })
}
