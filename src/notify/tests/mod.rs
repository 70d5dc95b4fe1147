//! Deliveries: over real connections to receivers that check, and on paused time for what takes long.

mod network;
mod queue;
mod receiver;

use std::sync::Arc;

use super::condition::{Condition, Kind, Severity};
use super::memory::{News, Notice};
use super::notifier::Options;
use super::service::Service;
use super::target::Target;
use super::words::Wording;
use crate::model::Timestamp;
use crate::secret::Secret;

const NOW: i64 = 1_790_000_000;
pub(super) const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(super) fn notice(about: &str) -> Notice {
    Notice {
        news: News::Appeared,
        condition: Condition {
            lines: vec!["error: refused <@all>".into(), "  do this".into()],
            ..Condition::new(Kind::PlanRefused, about, Severity::Error)
        },
        since: Timestamp(NOW),
        at: Timestamp(NOW),
    }
}

/// A target as its service gives it, at another server.
pub(super) fn target(service: Service, origin: &str, secret: Option<&str>) -> Target {
    let path = match service {
        Service::Wecom => "/cgi-bin/webhook/send?key=CANARY-key-1",
        Service::Feishu => "/open-apis/bot/v2/hook/CANARY-hook-1",
        Service::Dingtalk => "/robot/send?access_token=CANARY-token-1",
        Service::Slack => "/services/T00/B00/CANARY-path-1",
        Service::Webhook => "/CANARY-path-1",
    };
    let secret = secret.map(Secret::new);
    Target::parse(
        service,
        &Secret::new(format!("{origin}{path}")),
        secret.as_ref(),
    )
    .unwrap()
}

fn options() -> Options {
    Options {
        wording: Wording::default(),
        clock: Arc::new(|| Timestamp(NOW)),
        seed: 7,
        extra_roots: None,
    }
}
