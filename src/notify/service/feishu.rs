//! Feishu's custom bot. From "自定义机器人使用指南" (open.feishu.cn, client-docs/bot-v3/add-custom-bot): a request has at
//! most 20 KB; 100 messages a minute and 5 a second; a tag `at` in a text mentions someone.
//!
//! The message is a `post`: a title, text and links are separate elements, and text is not parsed.

use serde_json::{Value, json};

use super::code::{Codes, Meaning};
use crate::notify::failure::A_MINUTE;
use crate::notify::memory::Notice;
use crate::notify::text;
use crate::notify::words::{self, Lang, Wording};

/// What is left of 20 KB for the text, after the link, the title and the frame.
const LONGEST: usize = 16_000;
const LONGEST_TITLE: usize = 300;

pub(super) fn message(notices: &[Notice], wording: &Wording) -> Value {
    let rows = text::rows(notices, wording);
    let (title, rest) = match rows.split_first() {
        Some((title, rest)) => (title.as_str(), rest),
        None => ("", rows.as_slice()),
    };
    let title = text::cut(title, LONGEST_TITLE, escape, text::in_json);
    let mut content = Vec::new();
    if !rest.is_empty() {
        let text = text::fitted(rest, LONGEST, escape, text::in_json, wording.lang);
        content.push(json!([{"tag": "text", "text": text}]));
    }
    if let Some(link) = &wording.link {
        content.push(json!([{"tag": "a", "text": words::details(wording.lang), "href": link}]));
    }
    if content.is_empty() {
        // A post without content is refused.
        content.push(json!([{"tag": "text", "text": title}]));
    }
    let lang = match wording.lang {
        Lang::En => "en_us",
        Lang::Zh => "zh_cn",
    };
    json!({
        "msg_type": "post",
        "content": {"post": {lang: {"title": title, "content": content}}},
    })
}

fn escape(c: char, text: &mut String) {
    match c {
        '<' | '>' | '@' => text::full_width(c, text),
        c => text.push(c),
    }
}

pub(super) static CODES: Codes = Codes {
    name: "Feishu",
    // The second is what older answers have.
    fields: &["code", "StatusCode"],
    texts: &["msg", "StatusMessage"],
    meaning: |code| match code {
        11232 => Meaning::Busy(Some(A_MINUTE)),
        19021 => Meaning::Refused(
            "the signature does not match: check the signing secret, and this machine's clock, which may differ by \
             at most an hour",
        ),
        19022 => Meaning::Refused("add this machine's address to the bot's IP whitelist"),
        19024 => Meaning::Refused("add `ess-callbacks` to the bot's keywords"),
        19001 => {
            Meaning::Refused("the bot was removed or its URL is incomplete: set its current URL")
        }
        9499 | 19002 | 19036 => {
            Meaning::Refused("this program wrote what it does not take: please report that")
        }
        _ => Meaning::Refused("look the code up in Feishu's documentation of custom bots"),
    },
};
