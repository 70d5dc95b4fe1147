//! The services: the message that each takes, the limits that each documents, and what each answer means.
//!
//! All of this is from the vendors' documentation, which each file names. It was not tried against the real services.

mod code;
mod dingtalk;
mod feishu;
mod slack;
mod webhook;
mod wecom;

#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::failure::{Answer, Failure};
use super::memory::Notice;
use super::words::Wording;

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// A group bot of WeCom (企业微信).
    Wecom,
    /// A custom bot of Feishu (飞书) or Lark.
    Feishu,
    /// A custom robot of DingTalk (钉钉).
    Dingtalk,
    /// An incoming webhook of Slack.
    Slack,
    /// Any receiver that speaks Standard Webhooks.
    Webhook,
}

impl Service {
    pub const ALL: [Self; 5] = [
        Self::Wecom,
        Self::Feishu,
        Self::Dingtalk,
        Self::Slack,
        Self::Webhook,
    ];

    /// As options write it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Wecom => "wecom",
            Self::Feishu => "feishu",
            Self::Dingtalk => "dingtalk",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }

    /// The service of this id.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.id() == id)
    }

    /// The least time between two messages. WeCom and DingTalk take 20 a minute and DingTalk then refuses for ten
    /// minutes; Feishu takes 100 a minute, Slack one a second. Twelve a minute leave room for other programs.
    pub(super) const fn spacing(self) -> Duration {
        match self {
            Self::Wecom | Self::Feishu | Self::Dingtalk | Self::Slack => Duration::from_secs(5),
            Self::Webhook => Duration::from_millis(200),
        }
    }

    /// How many notices a message may hold. A webhook is an event, which has one.
    pub(super) const fn batch(self) -> usize {
        match self {
            Self::Wecom | Self::Feishu | Self::Dingtalk | Self::Slack => 20,
            Self::Webhook => 1,
        }
    }

    /// The message about these notices, not signed yet.
    pub(super) fn message(self, notices: &[Notice], wording: &Wording) -> Value {
        match self {
            Self::Wecom => wecom::message(notices, wording),
            Self::Feishu => feishu::message(notices, wording),
            Self::Dingtalk => dingtalk::message(notices, wording),
            Self::Slack => slack::message(notices, wording),
            Self::Webhook => webhook::message(notices, wording),
        }
    }

    /// Whether the answer says that the message was taken.
    pub(super) fn judge(self, answer: &Answer) -> Result<(), Failure> {
        match self {
            Self::Wecom => code::judge(answer, &wecom::CODES),
            Self::Feishu => code::judge(answer, &feishu::CODES),
            Self::Dingtalk => code::judge(answer, &dingtalk::CODES),
            Self::Slack => slack::judge(answer),
            Self::Webhook => webhook::judge(answer),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
