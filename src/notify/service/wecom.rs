//! WeCom's group bot. From "群机器人配置说明" (developer.work.weixin.qq.com, document/path/91770) and "全局错误码"
//! (path/90313): `markdown.content` has at most 4096 bytes; `<@userid>` mentions someone; 20 messages a minute.

use serde_json::{Value, json};

use super::code::{Codes, Meaning};
use crate::notify::failure::A_MINUTE;
use crate::notify::memory::{News, Notice};
use crate::notify::text;
use crate::notify::words::{self, Wording};

const LONGEST: usize = 4096;

pub(super) fn message(notices: &[Notice], wording: &Wording) -> Value {
    let rows = text::rows(notices, wording);
    let (open, close) = ("<font color=\"", "</font>");
    // The two colours that stand for good and bad.
    let color = if notices.iter().all(|notice| notice.news == News::Resolved) {
        "info"
    } else {
        "warning"
    };
    let link = wording.link.as_ref();
    let link = link.map(|link| format!("\n[{}]({link})", words::details(wording.lang)));
    let link = link.unwrap_or_default();
    let frame = open.len() + color.len() + "\">".len() + close.len() + link.len();
    let fitted = text::fitted(&rows, LONGEST - frame, escape, text::bytes, wording.lang);
    let (title, rest) = match fitted.split_once('\n') {
        Some((title, rest)) => (title, format!("\n{rest}")),
        None => (fitted.as_str(), String::new()),
    };
    let content = format!("{open}{color}\">{title}{close}{rest}{link}");
    json!({"msgtype": "markdown", "markdown": {"content": content}})
}

/// Its Markdown has no escapes: titles, bold, links, code, quotes, colours and mentions begin with these.
fn escape(c: char, text: &mut String) {
    match c {
        // Who copies a command would copy what stands around it, too.
        '`' => {}
        '<' | '>' | '[' | ']' | '*' | '#' | '@' | '\\' | '~' | '|' => {
            text::full_width(c, text);
        }
        c => text.push(c),
    }
}

pub(super) static CODES: Codes = Codes {
    name: "WeCom",
    fields: &["errcode"],
    texts: &["errmsg"],
    meaning: |code| match code {
        // 系统繁忙
        -1 => Meaning::Busy(None),
        // 接口调用超过限制, and too many at once.
        45009 | 45033 => Meaning::Busy(Some(A_MINUTE)),
        93000 | 93008 | 93017 => {
            Meaning::Refused("the bot was removed or its URL is incomplete: set its current URL")
        }
        40058 | 44004 | 45002 => {
            Meaning::Refused("this program wrote what it does not take: please report that")
        }
        _ => Meaning::Refused("look the code up in WeCom's list of error codes"),
    },
};
