//! A target of messages: a service, and the URL that lets anyone who has it write there.

use std::fmt;

use thiserror::Error;
use url::{Position, Url};

use super::service::Service;
use super::sign;
use crate::client::{Endpoint, EndpointError, Redactor};
use crate::secret::Secret;

/// Where messages go. Only the service and the host are ever shown.
#[derive(Clone)]
pub struct Target {
    service: Service,
    endpoint: Endpoint,
    url: Secret,
    key: Key,
    redactor: Redactor,
}

/// What messages are signed with.
#[derive(Clone)]
pub(super) enum Key {
    None,
    /// Feishu's and DingTalk's.
    Secret(Secret),
    /// Of Standard Webhooks, decoded.
    Bytes(Vec<u8>),
}

/// What is wrong with a target. None of these repeats the URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    #[error("the URL of {0} is not a URL: write it as {example}", example = example(*.0))]
    NotAUrl(Service),
    #[error(
        "the URL of {service} at {host} is not https; plain http would show the messages and the URL to everybody on the way, so it is allowed to this machine only"
    )]
    NotSecure { service: Service, host: String },
    #[error("the URL of {0} has a user name or a password, which are not supported")]
    UserInfo(Service),
    #[error("the URL of {0} has no {what}: write it as {example}", what = required(*.0), example = example(*.0))]
    Incomplete(Service),
    #[error("{host} is an address of {other}, not of {service}: write `{other}=…`")]
    OtherService {
        service: Service,
        other: Service,
        host: String,
    },
    #[error("{0} has no secret: leave out `secret=…`")]
    NoSecret(Service),
    #[error(
        "webhook needs `,secret=env:NAME` or `,secret=file:PATH`, with which its messages are signed"
    )]
    SecretMissing,
    #[error(
        "the secret of webhook must be `whsec_` followed by the base64 of 24 to 64 random bytes"
    )]
    SecretInvalid,
    #[error("the secret of {0} is empty")]
    SecretEmpty(Service),
}

impl Target {
    /// Checks a URL and the secret that messages to it are signed with.
    pub fn parse(
        service: Service,
        url: &Secret,
        secret: Option<&Secret>,
    ) -> Result<Self, TargetError> {
        let parsed = Url::parse(url.expose().trim()).map_err(|_| TargetError::NotAUrl(service))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(TargetError::UserInfo(service));
        }
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let endpoint = Endpoint::parse(&parsed[..Position::BeforePath]);
        let endpoint = endpoint.map_err(|error| match error {
            EndpointError::NotSecure(_) => TargetError::NotSecure {
                service,
                host: host.clone(),
            },
            EndpointError::NotAUrl(_) | EndpointError::TooMuch(_) => TargetError::NotAUrl(service),
        })?;
        if let Some(other) = owner(&host).filter(|other| *other != service) {
            return Err(TargetError::OtherService {
                service,
                other,
                host,
            });
        }
        if !is_complete(service, &parsed) {
            return Err(TargetError::Incomplete(service));
        }
        let key = match (service, secret) {
            (Service::Wecom | Service::Slack, Some(_)) => {
                return Err(TargetError::NoSecret(service));
            }
            (_, Some(secret)) if secret.expose().is_empty() => {
                return Err(TargetError::SecretEmpty(service));
            }
            (Service::Webhook, None) => return Err(TargetError::SecretMissing),
            (Service::Webhook, Some(secret)) => {
                Key::Bytes(sign::webhook_key(secret).ok_or(TargetError::SecretInvalid)?)
            }
            (Service::Feishu | Service::Dingtalk, Some(secret)) => Key::Secret(secret.clone()),
            (Service::Wecom | Service::Slack | Service::Feishu | Service::Dingtalk, None) => {
                Key::None
            }
        };
        let redactor = redactor(&parsed, secret);
        Ok(Self {
            service,
            endpoint,
            url: Secret::new(parsed),
            key,
            redactor,
        })
    }

    pub const fn service(&self) -> Service {
        self.service
    }

    /// With the port, if it is not the default one.
    pub fn host(&self) -> &str {
        self.endpoint.host()
    }

    /// Whether both are the same place of one service.
    pub(super) fn has_url_of(&self, other: &Self) -> bool {
        self.service == other.service && self.url.expose() == other.url.expose()
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) const fn url(&self) -> &Secret {
        &self.url
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// Takes its URL and its secret out of foreign text.
    pub(super) const fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.service, self.host())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// The service that has this host.
fn owner(host: &str) -> Option<Service> {
    match host {
        "qyapi.weixin.qq.com" => Some(Service::Wecom),
        "open.feishu.cn" | "open.larksuite.com" => Some(Service::Feishu),
        "oapi.dingtalk.com" => Some(Service::Dingtalk),
        "hooks.slack.com" => Some(Service::Slack),
        _ => None,
    }
}

fn is_complete(service: Service, url: &Url) -> bool {
    let has = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.any(|(key, value)| key == name && !value.is_empty())
    };
    match service {
        Service::Wecom => has("key"),
        Service::Dingtalk => has("access_token"),
        Service::Feishu | Service::Slack => url.path().trim_matches('/').contains('/'),
        Service::Webhook => true,
    }
}

const fn required(service: Service) -> &'static str {
    match service {
        Service::Wecom => "`key`",
        Service::Dingtalk => "`access_token`",
        Service::Feishu | Service::Slack | Service::Webhook => "token in its path",
    }
}

const fn example(service: Service) -> &'static str {
    match service {
        Service::Wecom => "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
        Service::Feishu => "https://open.feishu.cn/open-apis/bot/v2/hook/…",
        Service::Dingtalk => "https://oapi.dingtalk.com/robot/send?access_token=…",
        Service::Slack => "https://hooks.slack.com/services/…",
        Service::Webhook => "https://HOST/PATH",
    }
}

/// Knows the URL, its parts that may be tokens, and the secret.
fn redactor(url: &Url, secret: Option<&Secret>) -> Redactor {
    /// A shorter part is a word of the API.
    const SHORTEST: usize = 8;
    let words = url.path().split('/').filter(|part| {
        part.len() >= 2 * SHORTEST
            || (part.len() >= SHORTEST && part.bytes().any(|byte| byte.is_ascii_digit()))
    });
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let values = values.filter(|value| value.len() >= SHORTEST);
    let whole = [url.as_str(), &url[Position::BeforePath..]];
    let parts: Vec<Secret> = whole
        .into_iter()
        .filter(|part| part.len() >= SHORTEST)
        .chain(words)
        .map(str::to_owned)
        .chain(values)
        .map(Secret::new)
        .chain(secret.cloned())
        .collect();
    Redactor::new(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn parse(service: Service, url: &str, secret: Option<&str>) -> Result<Target, TargetError> {
        let secret = secret.map(Secret::new);
        Target::parse(service, &Secret::new(url), secret.as_ref())
    }

    #[test]
    fn urls_as_the_services_give_them() {
        for (service, url, secret) in [
            (
                Service::Wecom,
                "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=CANARY-1",
                None,
            ),
            (
                Service::Feishu,
                "https://open.feishu.cn/open-apis/bot/v2/hook/CANARY-1",
                Some("CANARY-2"),
            ),
            (
                Service::Feishu,
                "https://open.larksuite.com/open-apis/bot/v2/hook/CANARY-1\n",
                None,
            ),
            (
                Service::Dingtalk,
                "https://oapi.dingtalk.com/robot/send?access_token=CANARY-1",
                Some("SECCANARY-2"),
            ),
            (
                Service::Slack,
                "https://hooks.slack.com/services/T0/B0/CANARY-1",
                None,
            ),
            (
                Service::Slack,
                "https://slack.proxy.example:8443/services/T0/B0/CANARY-1",
                None,
            ),
            (Service::Webhook, "https://hooks.example/", Some(WHSEC)),
            (
                Service::Webhook,
                "http://127.0.0.1:8080/CANARY-1",
                Some(WHSEC),
            ),
        ] {
            let target = parse(service, url, secret).unwrap();
            let shown = format!("{target} {target:?}");
            assert!(
                !shown.contains("CANARY") && !shown.contains("whsec"),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        let wecom = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=CANARY";
        let mut said = Vec::new();
        for (service, url, secret) in [
            (Service::Wecom, "CANARY", None),
            (Service::Wecom, "ftp://CANARY.example/", None),
            (Service::Wecom, "http://bot.example/?key=CANARY", None),
            (Service::Wecom, "https://me:CANARY@bot.example/?key=a", None),
            (
                Service::Wecom,
                "https://qyapi.weixin.qq.com/cgi-bin/webhook/send",
                None,
            ),
            (Service::Slack, "https://hooks.slack.com/CANARY", None),
            (Service::Dingtalk, wecom, None),
            (Service::Wecom, wecom, Some("CANARY")),
            (Service::Webhook, "https://bot.example/", None),
            (Service::Webhook, "https://bot.example/", Some("CANARY")),
            (
                Service::Feishu,
                "https://open.feishu.cn/open-apis/bot/v2/hook/a",
                Some(""),
            ),
        ] {
            said.push(parse(service, url, secret).unwrap_err().to_string());
        }
        let said = said.join("\n");
        assert!(!said.contains("CANARY"), "{said}");
        insta::assert_snapshot!(said, @"
        the URL of wecom is not a URL: write it as https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…
        the URL of wecom is not a URL: write it as https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…
        the URL of wecom at bot.example is not https; plain http would show the messages and the URL to everybody on the way, so it is allowed to this machine only
        the URL of wecom has a user name or a password, which are not supported
        the URL of wecom has no `key`: write it as https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…
        the URL of slack has no token in its path: write it as https://hooks.slack.com/services/…
        qyapi.weixin.qq.com is an address of wecom, not of dingtalk: write `wecom=…`
        wecom has no secret: leave out `secret=…`
        webhook needs `,secret=env:NAME` or `,secret=file:PATH`, with which its messages are signed
        the secret of webhook must be `whsec_` followed by the base64 of 24 to 64 random bytes
        the secret of feishu is empty
        ");
    }
}
