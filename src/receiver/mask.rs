//! Masks personal data in a message.
//!
//! Types of messages are an open set, so that an unknown member may hold anything: a name in pinyin is one word of
//! letters, as a constant is. Only members that are known to hold an identifier, a constant or a time are shown, and of
//! the others switches, short numbers and what has the shape of an identifier of eSign. What looks personal is masked
//! under every name.

use std::borrow::Cow;

use super::json::{Token, tokens};
use super::shape::{is_identifier_of_esign, is_personal, is_personal_number};

/// What replaces a value.
pub const MASK: &str = "***";

/// Parts of the names of members that hold personal data, or free text that may.
const PERSONAL: [&str; 42] = [
    "name",
    "nick",
    "mobile",
    "phone",
    "telno",
    "fax",
    "mail",
    "idcard",
    "idno",
    "idnumber",
    "identity",
    "certificate",
    "certno",
    "passport",
    "license",
    "cardno",
    "cardnum",
    "address",
    "birth",
    "gender",
    "nation",
    "bank",
    "wechat",
    "weixin",
    "openid",
    "unionid",
    "contact",
    "avatar",
    "photo",
    "face",
    "video",
    "signature",
    "message",
    "description",
    "remark",
    "comment",
    "reason",
    "content",
    "userdata",
    "title",
    "text",
    "password",
];

/// Names that have such a part and are not personal: containers, and the names of types.
const NOT_PERSONAL: [&str; 2] = ["flowgroupmessage", "contenttype"];

/// The ends of names of members that hold constants, counts and times, also about personal data, such as
/// `ApproverIdCardType`.
const KINDS: [&str; 4] = ["type", "status", "count", "time"];

/// Names of members that hold identifiers, constants and times.
const KNOWN: [&str; 33] = [
    "applicationid",
    "approverid",
    "authorizationid",
    "autosignid",
    "creatorid",
    "createon",
    "createdon",
    "deadline",
    "departmentid",
    "documentid",
    "documentids",
    "endon",
    "expiredon",
    "flowgroupid",
    "flowid",
    "flowids",
    "msgid",
    "msgversion",
    "operate",
    "operatorid",
    "organizationid",
    "proxyorganizationid",
    "recipientid",
    "resultcode",
    "roleid",
    "sealid",
    "signid",
    "starton",
    "suborganizationid",
    "taskid",
    "templateid",
    "updatedon",
    "userid",
];

/// A number of fewer digits is shown under an unknown name: a switch or a count.
const LONG_NUMBER: usize = 6;

/// What a member may hold, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Personal data, as everything below it.
    Personal,
    /// An identifier, a constant or a time.
    Known,
    Unknown,
}

impl Meaning {
    fn of(name: &str) -> Self {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        let kind = KINDS.iter().any(|kind| name.ends_with(kind));
        if NOT_PERSONAL.contains(&&*name) {
            Self::Unknown
        } else if kind || KNOWN.contains(&&*name) {
            Self::Known
        } else if PERSONAL.iter().any(|part| name.contains(part)) {
            Self::Personal
        } else {
            Self::Unknown
        }
    }

    fn hides_text(self, text: &str) -> bool {
        match self {
            Self::Personal => true,
            Self::Known => is_personal(text),
            Self::Unknown => !is_identifier_of_esign(text),
        }
    }

    fn hides_number(self, number: &str) -> bool {
        match self {
            Self::Personal => true,
            Self::Known => is_personal_number(number),
            Self::Unknown => number.bytes().filter(u8::is_ascii_digit).count() >= LONG_NUMBER,
        }
    }
}

#[derive(Clone, Copy)]
struct Frame {
    object: bool,
    /// Of its values, unless they are members.
    meaning: Meaning,
}

/// `json` without personal data and without white space. Its structure, the order of its members and every other value
/// stay as they are; a masked value is the text `***`, also in the place of a number.
///
/// `json` must be valid JSON, such as [`Message::data`](super::Message::data).
pub fn masked(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut frames: Vec<Frame> = Vec::new();
    // Whether the next text is the name of a member, and the last name if its value comes.
    let (mut name_comes, mut named) = (false, None);
    for token in tokens(json) {
        // Below what is personal, everything is; a value of a list is what the list is.
        let meaning = match (frames.last(), named) {
            (Some(frame), _) if frame.meaning == Meaning::Personal => Meaning::Personal,
            (_, Some(named)) => named,
            (Some(frame), None) if !frame.object => frame.meaning,
            (Some(_) | None, None) => Meaning::Unknown,
        };
        match token {
            Token::Open(c) => {
                frames.push(Frame {
                    object: c == '{',
                    meaning,
                });
                (name_comes, named) = (c == '{', None);
                out.push(c);
            }
            Token::Close(c) => {
                frames.pop();
                (name_comes, named) = (false, None);
                out.push(c);
            }
            Token::Comma => {
                (name_comes, named) = (frames.last().is_some_and(|frame| frame.object), None);
                out.push(',');
            }
            Token::Colon => out.push(':'),
            Token::Text(quoted) if name_comes => {
                let decoded = decoded(quoted);
                named = Some(decoded.as_deref().map_or(Meaning::Personal, Meaning::of));
                name_comes = false;
                push(
                    &mut out,
                    quoted,
                    decoded.is_none_or(|name| is_personal(&name)),
                );
            }
            Token::Text(quoted) => {
                let hidden = || decoded(quoted).is_none_or(|text| meaning.hides_text(&text));
                push(&mut out, quoted, quoted != "\"\"" && hidden());
            }
            Token::Scalar(scalar) => {
                let number = !matches!(scalar, "true" | "false" | "null");
                push(&mut out, scalar, number && meaning.hides_number(scalar));
            }
        }
    }
    out
}

/// A text of a message outside of its data, such as a type, unless it looks personal.
pub fn masked_text(text: &str) -> &str {
    if is_personal(text) { MASK } else { text }
}

fn push(out: &mut String, token: &str, personal: bool) {
    if personal {
        out.push('"');
        out.push_str(MASK);
        out.push('"');
    } else {
        out.push_str(token);
    }
}

/// `None` for a text that is not Unicode.
fn decoded(quoted: &str) -> Option<Cow<'_, str>> {
    match quoted.strip_prefix('"')?.strip_suffix('"') {
        Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        Some(_) | None => serde_json::from_str(quoted).ok().map(Cow::Owned),
    }
}
