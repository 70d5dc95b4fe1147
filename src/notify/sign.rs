//! The signatures of the services that have one.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "time is an argument"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

/// Feishu: the key is `timestamp\nsecret`, the message is empty. From "自定义机器人使用指南", section 签名校验
/// (open.feishu.cn, client-docs/bot-v3/add-custom-bot).
pub(super) fn feishu(timestamp: &str, secret: &Secret) -> String {
    hmac(format!("{timestamp}\n{}", secret.expose()).as_bytes(), &[])
}

/// DingTalk: the key is the secret, the message `timestamp\nsecret`; the timestamp is in milliseconds. From
/// "自定义机器人安全设置", section 加签 (open.dingtalk.com, document/robots/customize-robot-security-settings).
pub(super) fn dingtalk(timestamp: &str, secret: &Secret) -> String {
    let message = format!("{timestamp}\n{}", secret.expose());
    hmac(secret.expose().as_bytes(), &[message.as_bytes()])
}

/// Standard Webhooks: the message is `id.timestamp.body`. From the specification
/// (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
pub(super) fn webhook(id: &str, timestamp: &str, body: &[u8], key: &[u8]) -> String {
    let head = format!("{id}.{timestamp}.");
    format!("v1,{}", hmac(key, &[head.as_bytes(), body]))
}

/// The key in a secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
pub(super) fn webhook_key(secret: &Secret) -> Option<Vec<u8>> {
    let key = STANDARD
        .decode(secret.expose().strip_prefix("whsec_")?)
        .ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

fn hmac(key: &[u8], message: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in message {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations (`test_sign` of its libraries).
    #[test]
    fn standard_webhooks_has_a_public_example() {
        let key = webhook_key(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = webhook(id, "1614265330", b"{\"test\": 2432232314}", &key);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// The vendors publish no examples. These values are of Python's `hmac` by the code they publish.
    #[test]
    fn the_bots_signatures_are_those_of_the_published_code() {
        let secret = Secret::new("SECcanary");
        assert_eq!(
            feishu("1599360473", &secret),
            "DHBcrZtTanVYd//v33HtnWCnbzMPZW91O5f4hSeAdok="
        );
        assert_eq!(
            dingtalk("1599360473000", &secret),
            "uTkQxBFjGBAwn4CRbJK1w6jC7hnvXCoC9IDRXpC3OWc="
        );
    }

    #[test]
    fn a_webhook_secret_has_a_prefix_and_a_length() {
        for wrong in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_not base64, though long enough",
        ] {
            assert!(webhook_key(&Secret::new(wrong)).is_none(), "{wrong}");
        }
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert!(webhook_key(&Secret::new(long)).is_none());
    }
}
