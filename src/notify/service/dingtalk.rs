//! DingTalk's custom robot. From "自定义机器人接入" (open.dingtalk.com, document/orgapp/custom-robot-access) and its
//! list of error codes: a body has at most 20,000 bytes; 20 messages a minute, and ten minutes of refusals after more;
//! members are mentioned by the field `at`.
//!
//! The message is a `text`, which has no markup.

use std::time::Duration;

use serde_json::{Value, json};

use super::code::{Codes, Meaning};
use crate::notify::memory::Notice;
use crate::notify::text;
use crate::notify::words::Wording;

/// What is left of 20,000 bytes after the link and the frame.
const LONGEST: usize = 16_000;
const REFUSES: Duration = Duration::from_secs(600);

pub(super) fn message(notices: &[Notice], wording: &Wording) -> Value {
    let rows = text::rows(notices, wording);
    let mut content = text::fitted(&rows, LONGEST, escape, text::in_json, wording.lang);
    if let Some(link) = &wording.link {
        content.extend(["\n", link.as_str()]);
    }
    json!({
        "msgtype": "text",
        "text": {"content": content},
        "at": {"atMobiles": [], "atUserIds": [], "isAtAll": false},
    })
}

fn escape(c: char, text: &mut String) {
    match c {
        '@' => text::full_width(c, text),
        c => text.push(c),
    }
}

pub(super) static CODES: Codes = Codes {
    name: "DingTalk",
    fields: &["errcode"],
    texts: &["errmsg"],
    meaning: |code| match code {
        // 系统繁忙
        -1 => Meaning::Busy(None),
        // 发送速度太快而限流
        130_101 | 130_102 | 410_100 | 90_030 => Meaning::Busy(Some(REFUSES)),
        310_000 => Meaning::Refused(
            "its security settings do not allow it: check the signing secret and this machine's clock, or add \
             `ess-callbacks` to its keywords, or this machine's address to its IP addresses",
        ),
        300_001 | 300_005 | 400_013 | 400_101 | 400_102 | 400_106 => Meaning::Refused(
            "the robot was removed or stopped, or its URL is incomplete: set its current URL",
        ),
        430_101..=430_104 => Meaning::Refused(
            "DingTalk does not allow its content, such as a link to a site that it does not trust",
        ),
        40_035 | 43_004 | 400_105 | 460_101 => {
            Meaning::Refused("this program wrote what it does not take: please report that")
        }
        _ => Meaning::Refused("look the code up in DingTalk's documentation of custom robots"),
    },
};
