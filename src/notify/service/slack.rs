//! Slack's incoming webhooks. From docs.slack.dev: messaging/sending-messages-using-incoming-webhooks,
//! messaging/formatting-message-text (`&`, `<` and `>` are control characters) and reference/block-kit (a text has at
//! most 3000 characters, a header 150); one message a second, then 429 with `Retry-After`.

use serde_json::{Value, json};

use crate::notify::failure::{Answer, Failure};
use crate::notify::memory::Notice;
use crate::notify::text;
use crate::notify::words::{self, Wording};

const LONGEST: usize = 3000;
const LONGEST_HEADER: usize = 150;

pub(super) fn message(notices: &[Notice], wording: &Wording) -> Value {
    let rows = text::rows(notices, wording);
    let (title, rest) = match rows.split_first() {
        Some((title, rest)) => (title.as_str(), rest),
        None => ("", rows.as_slice()),
    };
    let header = text::cut(title, LONGEST_HEADER, escape, text::characters);
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let mut blocks = vec![json!({"type": "header", "text": plain(&header)})];
    if !rest.is_empty() {
        let text = text::fitted(rest, LONGEST, escape, text::characters, wording.lang);
        blocks.push(json!({"type": "section", "text": plain(&text)}));
    }
    if let Some(link) = &wording.link {
        let text = format!(
            "<{}|{}>",
            link.as_str().replace('&', "&amp;"),
            words::details(wording.lang)
        );
        let text = json!({"type": "mrkdwn", "text": text, "verbatim": true});
        blocks.push(json!({"type": "section", "text": text}));
    }
    // The text is for notifications, in which no block is shown.
    json!({"text": header, "mrkdwn": false, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// `@` is no control character, but older clients make `@channel` a mention.
fn escape(c: char, text: &mut String) {
    match c {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '@' => text::full_width(c, text),
        c => text.push(c),
    }
}

pub(super) fn judge(answer: &Answer) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.trim();
    if answer.status == 200 {
        return if text == "ok" {
            Ok(())
        } else {
            Err(Failure::not_the_service("Slack"))
        };
    }
    let advice = match text {
        "channel_not_found" | "channel_is_archived" => {
            "its channel is gone or archived: create a webhook for another channel"
        }
        "no_service" | "no_service_id" | "no_team" | "team_disabled" | "invalid_token" => {
            "the webhook was removed or its URL is incomplete: set its current URL"
        }
        "action_prohibited" | "posting_to_general_channel_denied" => {
            "an administrator has to allow it to write to its channel"
        }
        "invalid_payload" | "invalid_blocks" | "no_text" | "msg_blocks_too_long" => {
            "this program wrote what it does not take: please report that"
        }
        _ => return Err(Failure::of_status(answer)),
    };
    Err(Failure::lasting("Slack refused the message", advice).saying(text))
}
