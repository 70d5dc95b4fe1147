//! Masks personal data in a message.
//!
//! A value is masked by its name, or by its shape whatever its name: types of messages are an open set, so that an
//! unknown member may hold anything. Only numbers, switches and what looks like an identifier or a constant remain.

use std::borrow::Cow;

use super::json::{Token, tokens};
use super::shape::{is_personal, is_personal_number};

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

/// The ends of names of members about personal data that are none themselves, such as `ApproverIdCardType`.
const KINDS: [&str; 4] = ["type", "status", "count", "time"];

#[derive(Clone, Copy)]
struct Frame {
    object: bool,
    /// Everything below it is personal.
    personal: bool,
}

/// `json` without personal data and without white space. Its structure, the order of its members and every other value
/// stay as they are; a masked value is the text `***`, also in the place of a number.
///
/// `json` must be valid JSON, such as [`Message::data`](super::Message::data).
pub fn masked(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut frames: Vec<Frame> = Vec::new();
    // Whether the next text is the name of a member, and whether the member of the last name is personal.
    let (mut name_comes, mut named) = (false, false);
    for token in tokens(json) {
        let within = frames.last().is_some_and(|frame| frame.personal);
        match token {
            Token::Open(c) => {
                frames.push(Frame {
                    object: c == '{',
                    personal: within || named,
                });
                (name_comes, named) = (c == '{', false);
                out.push(c);
            }
            Token::Close(c) => {
                frames.pop();
                (name_comes, named) = (false, false);
                out.push(c);
            }
            Token::Comma => {
                (name_comes, named) = (frames.last().is_some_and(|frame| frame.object), false);
                out.push(',');
            }
            Token::Colon => out.push(':'),
            Token::Text(quoted) if name_comes => {
                let decoded = decoded(quoted);
                named = decoded.as_deref().is_none_or(names_personal_data);
                name_comes = false;
                push(
                    &mut out,
                    quoted,
                    decoded.is_none_or(|name| is_personal(&name)),
                );
            }
            Token::Text(quoted) => {
                let personal = || decoded(quoted).is_none_or(|text| is_personal(&text));
                push(
                    &mut out,
                    quoted,
                    quoted != "\"\"" && (within || named || personal()),
                );
            }
            Token::Scalar(scalar) => {
                let number = !matches!(scalar, "true" | "false" | "null");
                let personal = number && (within || named || is_personal_number(scalar));
                push(&mut out, scalar, personal);
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

fn names_personal_data(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    !NOT_PERSONAL.contains(&&*name)
        && !KINDS.iter().any(|kind| name.ends_with(kind))
        && PERSONAL.iter().any(|part| name.contains(part))
}
