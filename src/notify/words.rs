//! The words of messages, in English and in Chinese.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "words are values"
)]

use super::condition::{Kind, Severity};
use super::link::Link;
use super::memory::{News, Notice};

/// The language of the words around what the program printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    En,
    Zh,
}

impl Lang {
    /// Of a locale or an option, as `explain` reads it: `zh`, `zh_CN.UTF-8`.
    pub fn of(text: &str) -> Self {
        if text.to_ascii_lowercase().starts_with("zh") {
            Self::Zh
        } else {
            Self::En
        }
    }

    const fn choose(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::En => english,
            Self::Zh => chinese,
        }
    }
}

/// How messages are worded.
#[derive(Clone, Debug, Default)]
pub struct Wording {
    pub lang: Lang,
    /// What distinguishes this program from others that write to the same chat, such as `production`.
    pub name: Option<String>,
    /// Where to read more, or to approve.
    pub link: Option<Link>,
}

pub(super) const fn title(kind: Kind, lang: Lang) -> &'static str {
    let (english, chinese) = match kind {
        Kind::PlanRefused => ("plan refused", "计划被拒绝"),
        Kind::PlanWaiting => ("plan waits for approval", "计划等待批准"),
        Kind::RunFailed => ("run failed", "运行失败"),
        Kind::StateUnreadable => ("the state can't be read", "状态无法读取"),
        Kind::ReplicaBehind => ("a replica waits for newer files", "副本等待更新的文件"),
        Kind::DriftFound => ("drift found", "发现漂移"),
        Kind::CallbackMissing => ("callbacks missing", "回调缺失"),
        Kind::ConfigurationBroken => ("configuration invalid", "配置无效"),
        Kind::SecretsUnreadable => ("secrets can't be read", "机密无法读取"),
        Kind::Suspended => ("suspended", "已暂停"),
        Kind::EsignEvent => ("event of eSign", "电子签事件"),
    };
    lang.choose(english, chinese)
}

/// The first line: `ess-callbacks production: error: plan refused: acme`.
pub(super) fn headline(notice: &Notice, wording: &Wording) -> String {
    let Wording {
        lang,
        name,
        link: _,
    } = wording;
    let key = &notice.condition.key;
    let ended = lang.choose("suspension ended", "暂停已结束");
    let class = match (notice.news, notice.condition.severity) {
        (News::Resolved, _) => lang.choose("resolved", "已解决"),
        (_, Severity::Error) => lang.choose("error", "错误"),
        (_, Severity::Warning) => lang.choose("warning", "警告"),
        (_, Severity::Notice) => lang.choose("notice", "通知"),
    };
    let colon = lang.choose(": ", "：");
    let mut text = String::from("ess-callbacks");
    if let Some(name) = name {
        text.extend([" ", name.as_str()]);
    }
    if notice.news == News::Resolved && key.kind == Kind::Suspended {
        text.extend([colon, ended]);
    } else {
        text.extend([colon, class, colon, title(key.kind, *lang)]);
    }
    // The id of what happened means nothing to people.
    if !key.about.is_empty() && !key.kind.is_momentary() {
        text.extend([colon, &key.about]);
    }
    text
}

/// The second line, if there is something to say of the time.
pub(super) fn timing(notice: &Notice, lang: Lang) -> Option<String> {
    let span = span(notice.at.seconds_since(notice.since), lang);
    let since = notice.since.to_string();
    match (notice.news, lang) {
        (News::Appeared, _) => None,
        (News::Changed, Lang::En) => Some(format!("changed; since {since}")),
        (News::Changed, Lang::Zh) => Some(format!("内容有变化，始于 {since}")),
        (News::Lasting, Lang::En) => Some(format!("for {span}, since {since}")),
        (News::Lasting, Lang::Zh) => Some(format!("已持续 {span}，始于 {since}")),
        (News::Resolved, Lang::En) => Some(format!("after {span}, since {since}")),
        (News::Resolved, Lang::Zh) => Some(format!("持续了 {span}，始于 {since}")),
    }
}

/// What stands for lines that don't fit; the words of `examples/notify/notify.py`.
pub(super) fn more(count: usize, lang: Lang) -> String {
    match lang {
        Lang::En => format!("… and {count} more"),
        Lang::Zh => format!("… 另有 {count} 行"),
    }
}

/// The text of a link.
pub(super) const fn details(lang: Lang) -> &'static str {
    lang.choose("Details", "查看详情")
}

/// A length of time in its largest unit, as `for 3 days`; up to two days in hours.
fn span(seconds: i64, lang: Lang) -> String {
    let (count, units) = match seconds {
        ..3_600 => (seconds.max(0) / 60, ["minute", "minutes", "分钟"]),
        3_600..172_800 => (seconds / 3_600, ["hour", "hours", "小时"]),
        172_800.. => (seconds / 86_400, ["day", "days", "天"]),
    };
    let [one, many, chinese] = units;
    let unit = match lang {
        Lang::En if count == 1 => one,
        Lang::En => many,
        Lang::Zh => chinese,
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::notify::condition::Condition;

    fn notice(news: News, kind: Kind, about: &str, lasted: i64) -> Notice {
        Notice {
            news,
            condition: Condition::new(kind, about, Severity::Error),
            since: Timestamp(1_790_000_000),
            at: Timestamp(1_790_000_000 + lasted),
        }
    }

    #[test]
    fn messages_begin_alike() {
        let english = Wording::default();
        let chinese = Wording {
            lang: Lang::Zh,
            name: Some("production".into()),
            link: None,
        };
        let mut said = Vec::new();
        for notice in [
            notice(News::Appeared, Kind::PlanRefused, "acme", 0),
            notice(News::Changed, Kind::ConfigurationBroken, "", 90),
            notice(News::Lasting, Kind::PlanWaiting, "", 90_000),
            notice(News::Resolved, Kind::RunFailed, "acme", 200_000),
            notice(News::Resolved, Kind::Suspended, "", 7_200),
            notice(News::Appeared, Kind::EsignEvent, "msg-1", 0),
        ] {
            for wording in [&english, &chinese] {
                said.push(headline(&notice, wording));
                said.extend(timing(&notice, wording.lang).map(|line| format!("  {line}")));
            }
        }
        insta::assert_snapshot!(said.join("\n"), @"
        ess-callbacks: error: plan refused: acme
        ess-callbacks production：错误：计划被拒绝：acme
        ess-callbacks: error: configuration invalid
          changed; since 2026-09-21T14:13:20Z
        ess-callbacks production：错误：配置无效
          内容有变化，始于 2026-09-21T14:13:20Z
        ess-callbacks: error: plan waits for approval
          for 25 hours, since 2026-09-21T14:13:20Z
        ess-callbacks production：错误：计划等待批准
          已持续 25 小时，始于 2026-09-21T14:13:20Z
        ess-callbacks: resolved: run failed: acme
          after 2 days, since 2026-09-21T14:13:20Z
        ess-callbacks production：已解决：运行失败：acme
          持续了 2 天，始于 2026-09-21T14:13:20Z
        ess-callbacks: suspension ended
          after 2 hours, since 2026-09-21T14:13:20Z
        ess-callbacks production：暂停已结束
          持续了 2 小时，始于 2026-09-21T14:13:20Z
        ess-callbacks: error: event of eSign
        ess-callbacks production：错误：电子签事件
        ");
    }

    #[test]
    fn a_locale_has_a_language() {
        for (text, lang) in [
            ("zh", Lang::Zh),
            ("zh_CN.UTF-8", Lang::Zh),
            ("ZH-TW", Lang::Zh),
            ("en", Lang::En),
            ("C", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(Lang::of(text), lang);
        }
    }
}
