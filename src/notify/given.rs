//! How an option gives a target: `SERVICE=PLACE` or `SERVICE=PLACE,secret=PLACE`, where a place is `env:NAME` or `file:PATH`.
//! Other programs can read command lines, so neither the URL nor the secret is given itself.

use thiserror::Error;

use super::service::Service;
use crate::secret::SecretReference;

/// A target of the command line. What its places hold is read by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub service: Service,
    pub url: SecretReference,
    pub secret: Option<SecretReference>,
}

/// What is wrong with the text of an option. None of these repeats it but a short word: it may be the URL of a bot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GivenError {
    #[error(
        "write SERVICE=env:NAME or SERVICE=file:PATH, such as `wecom=env:WECOM_BOT_URL`; SERVICE is wecom, feishu, dingtalk, slack or webhook"
    )]
    Form,
    #[error("unknown service `{0}`: write wecom, feishu, dingtalk, slack or webhook")]
    Unknown(String),
    #[error(
        "{0} needs `env:NAME` or `file:PATH`, the place of its URL and not the URL, which lets anyone who has it write to the chat; if you gave the URL itself, create a new one"
    )]
    Url(Service),
    #[error(
        "the secret of {0} needs `env:NAME` or `file:PATH`, its place and not its value; if you gave the value itself, replace it"
    )]
    Secret(Service),
}

impl Given {
    /// Reads the text of an option.
    pub fn parse(text: &str) -> Result<Self, GivenError> {
        const SECRET: &str = ",secret=";
        let (name, places) = text.split_once('=').ok_or(GivenError::Form)?;
        let service = Service::of(name).ok_or_else(|| unknown(name))?;
        // The last one: a path may hold anything.
        let (url, secret) = match places.rsplit_once(SECRET) {
            Some((url, secret)) => (url, Some(secret)),
            None => (places, None),
        };
        let url = SecretReference::given(url).ok_or(GivenError::Url(service))?;
        let secret =
            secret.map(|secret| SecretReference::given(secret).ok_or(GivenError::Secret(service)));
        Ok(Self {
            service,
            url,
            secret: secret.transpose()?,
        })
    }
}

/// A word can be named. Anything longer may be a part of a URL.
fn unknown(name: &str) -> GivenError {
    let is_word = (1..=12).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase());
    if is_word {
        GivenError::Unknown(name.to_owned())
    } else {
        GivenError::Form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> SecretReference {
        SecretReference::Env(name.into())
    }

    fn file(path: &str) -> SecretReference {
        SecretReference::File(path.into())
    }

    #[test]
    fn places_are_read() {
        for (text, service, url, secret) in [
            ("wecom=env:BOT", Service::Wecom, env("BOT"), None),
            (
                "slack=file:/run/secrets/a=b,c",
                Service::Slack,
                file("/run/secrets/a=b,c"),
                None,
            ),
            (
                "feishu=env:BOT,secret=env:KEY",
                Service::Feishu,
                env("BOT"),
                Some(env("KEY")),
            ),
            (
                "webhook=file:a,secret=file:b,c",
                Service::Webhook,
                file("a"),
                Some(file("b,c")),
            ),
        ] {
            let given = Given {
                service,
                url,
                secret,
            };
            assert_eq!(Given::parse(text), Ok(given));
        }
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        for (text, error) in [
            ("", GivenError::Form),
            ("wecom", GivenError::Form),
            ("https://hooks.slack.com/services/CANARY", GivenError::Form),
            ("https://qyapi.example/send?key=CANARY", GivenError::Form),
            ("teams=env:CANARY", GivenError::Unknown("teams".into())),
            ("WECOM=env:CANARY", GivenError::Form),
            ("wecom=", GivenError::Url(Service::Wecom)),
            ("wecom=https://CANARY", GivenError::Url(Service::Wecom)),
            ("wecom=env:", GivenError::Url(Service::Wecom)),
            (
                "dingtalk=env:CANARY,secret=SECCANARY",
                GivenError::Secret(Service::Dingtalk),
            ),
            (
                "dingtalk=env:A,secrets=env:B",
                GivenError::Url(Service::Dingtalk),
            ),
        ] {
            assert!(!error.to_string().contains("CANARY"), "{error}");
            assert_eq!(Given::parse(text), Err(error), "{text}");
        }
    }
}
