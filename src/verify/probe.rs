//! What is sent to a receiver.
//!
//! A message has a type that eSign does not have, unless another is asked for, and ids that begin with
//! `ess-callbacks-verify-`, so that a receiver and whoever reads its log can tell it from a real one. So that who has
//! another key can tell it too, each body has a [mark](is_marked), for which the ids are varied.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "probes are a pure function of the receiver and the marks"
)]

use std::fmt;

use serde::Serialize;

use super::Receiver;
use crate::envelope::{EnvelopeError, content_signature, encrypt, is_marked};
use crate::secret::Secret;

/// What every id of a probe begins with.
const MARK: &str = "ess-callbacks-verify-";

/// What the vendor's documentation checks an address with.
const VENDORS_BODY: &str = r#"{"encrypt":"62KE4r5Wz0yHzEpMOwVRbM1KV0"}"#;

/// What makes the ids of the messages of one run unique: random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(pub u64);

/// The type of the messages that are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MsgType(String);

impl MsgType {
    /// One that eSign does not have, so that a receiver processes nothing.
    pub fn harmless() -> Self {
        Self("EssCallbacksVerify".to_owned())
    }

    /// The name of a type: letters and digits.
    ///
    /// # Errors
    ///
    /// It is not one.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if letters && (1..=64).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a message type is 1 to 64 letters and digits, such as FlowStatusChange")
        }
    }
}

/// A request to a receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Probe {
    pub kind: ProbeKind,
    pub body: String,
    /// The value of the header `Content-Signature`.
    pub signature: Option<String>,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What a request is for, in the order in which they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeKind {
    /// `{}` without a signature, by which eSign checks an address.
    Empty,
    /// `{}` with a valid signature.
    EmptySigned,
    /// A message as eSign sends it.
    Message,
    /// The same bytes again: eSign repeats messages.
    Again,
    /// A message whose JSON is written in an unusual way, with a valid signature.
    Unusual,
    /// A message with a wrong signature.
    Forged,
    /// A message without a signature.
    Unsigned,
    /// A message that another key encrypted, with a valid signature.
    WrongKey,
    /// The body that the vendor's documentation checks an address with.
    VendorsCheck,
}

impl ProbeKind {
    /// Whether any answer but 200 means that messages of eSign are lost.
    pub const fn must_be_accepted(self) -> bool {
        match self {
            Self::Empty | Self::EmptySigned | Self::Message | Self::Again | Self::Unusual => true,
            Self::Forged | Self::Unsigned | Self::WrongKey | Self::VendorsCheck => false,
        }
    }
}

/// Everything that is sent to a receiver. What needs a key or a token is left out for one without.
///
/// # Errors
///
/// The key can't encrypt.
pub fn probes(
    number: usize,
    receiver: &Receiver,
    msg_type: &MsgType,
    Marks(marks): Marks,
) -> Result<Vec<Probe>, EnvelopeError> {
    let Receiver { url: _, key, token } = receiver;
    let key = key.as_ref();
    let marked = |purpose: &str, made: &dyn Fn(Message<'_>) -> Result<String, EnvelopeError>| {
        let mut attempt = 0_u32;
        loop {
            let id = format!("{marks:016x}-{number}-{purpose}-{attempt}");
            let body = made(Message::new(&id, msg_type))?;
            if is_marked(body.as_bytes()) {
                return Ok(body);
            }
            attempt += 1;
        }
    };
    let plain = |message: Message<'_>| match key {
        Some(key) => encrypt(key, &message.plain()),
        None => Ok(message.plain()),
    };
    let mut probes = Vec::new();
    let mut send = |kind, body: String, token: Option<&Secret>| {
        let signature = token.map(|token| content_signature(token, body.as_bytes()));
        probes.push(Probe {
            kind,
            body,
            signature,
        });
    };
    send(ProbeKind::Empty, "{}".to_owned(), None);
    if token.is_some() {
        send(ProbeKind::EmptySigned, "{}".to_owned(), token.as_ref());
    }
    let body = marked("message", &plain)?;
    send(ProbeKind::Message, body.clone(), token.as_ref());
    send(ProbeKind::Again, body, token.as_ref());
    if let Some(token) = token {
        let unusual = |message: Message<'_>| match key {
            Some(key) => Ok(unusual_envelope(&encrypt(key, &message.unusual())?)),
            None => Ok(message.unusual()),
        };
        send(
            ProbeKind::Unusual,
            marked("unusual", &unusual)?,
            Some(token),
        );
        let body = marked("forged", &plain)?;
        send(ProbeKind::Forged, body, Some(&other(token)));
        send(ProbeKind::Unsigned, marked("unsigned", &plain)?, None);
    }
    if let Some(key) = key {
        let other = other(key);
        let body = marked("wrong-key", &|message| encrypt(&other, &message.plain()))?;
        send(ProbeKind::WrongKey, body, token.as_ref());
    }
    send(ProbeKind::VendorsCheck, VENDORS_BODY.to_owned(), None);
    Ok(probes)
}

/// A secret of the same length that is certainly another one.
fn other(secret: &Secret) -> Secret {
    let turned = |c: char| if c == 'x' { 'y' } else { 'x' };
    Secret::new(secret.expose().chars().map(turned).collect::<String>())
}

/// The same envelope for every parser of JSON, with other bytes.
fn unusual_envelope(envelope: &str) -> String {
    // What is between the quotes is base64, in which only the slash may be escaped.
    let sealed = envelope
        .strip_prefix(r#"{"encrypt":""#)
        .and_then(|rest| rest.strip_suffix(r#""}"#))
        .unwrap_or_default();
    format!(
        "\n {{ \"\\u0065ncrypt\" :\r\n\t\"{}\" }} \n",
        sealed.replace('/', "\\/")
    )
}

#[expect(
    clippy::struct_field_names,
    reason = "the names are those of eSign's messages"
)]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    msg_id: String,
    msg_type: &'a str,
    msg_version: &'static str,
    msg_data: MsgData,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MsgData {
    flow_id: String,
    flow_name: String,
    callback_type: &'static str,
    flow_callback_status: u8,
    flow_callback_show_status: &'static str,
}

impl<'a> Message<'a> {
    fn new(id: &str, MsgType(msg_type): &'a MsgType) -> Self {
        Self {
            msg_id: format!("{MARK}{id}"),
            msg_type,
            msg_version: "CustomApp",
            msg_data: MsgData {
                flow_id: format!("{MARK}{id}"),
                flow_name: "ess-callbacks verify 接收端测试".to_owned(),
                callback_type: "sign",
                flow_callback_status: 1,
                flow_callback_show_status: "INIT",
            },
        }
    }

    fn plain(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same message for every parser of JSON: members in another order, white space, and escapes that a
    /// serializer would not write.
    fn unusual(&self) -> String {
        let data = serde_json::to_string(&self.msg_data).unwrap_or_default();
        // ASCII alone, so that re-serialized text differs.
        let data: String = data
            .encode_utf16()
            .map(|unit| match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
                Ok(_) | Err(_) => format!("\\u{unit:04X}"),
            })
            .collect();
        format!(
            "{{ \"MsgData\" :\t{data} ,\r\n  \"MsgVersion\":\"{}\",\n\"Msg\\u0054ype\" : \"{}\" , \"MsgId\": \"{}\" }}\n",
            self.msg_version, self.msg_type, self.msg_id
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{decrypt, verify};
    use crate::model::CallbackUrl;
    use serde_json::Value;

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF";
    const TOKEN: &str = "5AF866900CA34D1A95382C48C678A085";

    fn sent(key: Option<&str>, token: Option<&str>) -> Vec<Probe> {
        let receiver = Receiver {
            url: CallbackUrl::new("https://hooks.acme.example/"),
            key: key.map(Secret::new),
            token: token.map(Secret::new),
        };
        probes(7, &receiver, &MsgType::harmless(), Marks(0xabc)).unwrap()
    }

    fn kinds(key: Option<&str>, token: Option<&str>) -> Vec<ProbeKind> {
        sent(key, token).iter().map(|probe| probe.kind).collect()
    }

    #[test]
    fn what_is_sent_depends_on_key_and_token() {
        use ProbeKind::*;
        assert_eq!(kinds(None, None), [Empty, Message, Again, VendorsCheck]);
        assert_eq!(
            kinds(Some(KEY), None),
            [Empty, Message, Again, WrongKey, VendorsCheck]
        );
        assert_eq!(
            kinds(None, Some(TOKEN)),
            [
                Empty,
                EmptySigned,
                Message,
                Again,
                Unusual,
                Forged,
                Unsigned,
                VendorsCheck
            ]
        );
        let all = kinds(Some(KEY), Some(TOKEN));
        assert_eq!(all.len(), 9);
        assert!(all.is_sorted());
    }

    #[test]
    fn signatures_are_right_where_they_must_be_and_only_there() {
        let token = Secret::new(TOKEN);
        for probe in sent(Some(KEY), Some(TOKEN)) {
            let valid = probe
                .signature
                .as_deref()
                .map(|header| verify(&token, probe.body.as_bytes(), header));
            let expected = match probe.kind {
                ProbeKind::Empty | ProbeKind::Unsigned | ProbeKind::VendorsCheck => None,
                ProbeKind::Forged => Some(false),
                ProbeKind::EmptySigned
                | ProbeKind::Message
                | ProbeKind::Again
                | ProbeKind::Unusual
                | ProbeKind::WrongKey => Some(true),
            };
            assert_eq!(valid, expected, "{probe:?}");
        }
    }

    #[test]
    fn messages_decrypt_to_marked_ids_but_for_the_wrong_key() {
        let key = Secret::new(KEY);
        for probe in sent(Some(KEY), Some(TOKEN)) {
            let plain = decrypt(&key, probe.body.as_bytes());
            match probe.kind {
                ProbeKind::Empty
                | ProbeKind::EmptySigned
                | ProbeKind::WrongKey
                | ProbeKind::VendorsCheck => assert!(plain.is_err(), "{probe:?}"),
                ProbeKind::Message
                | ProbeKind::Again
                | ProbeKind::Unusual
                | ProbeKind::Forged
                | ProbeKind::Unsigned => {
                    let message: Value = serde_json::from_str(&plain.unwrap()).unwrap();
                    let id = message["MsgId"].as_str().unwrap();
                    assert!(id.starts_with("ess-callbacks-verify-0000000000000abc-7-"));
                    assert_eq!(message["MsgType"], "EssCallbacksVerify");
                    assert_eq!(message["MsgData"]["FlowId"], id);
                }
            }
        }
    }

    #[test]
    fn each_message_is_marked() {
        for (key, token) in [
            (Some(KEY), Some(TOKEN)),
            (None, Some(TOKEN)),
            (Some(KEY), None),
        ] {
            let probes = sent(key, token);
            let others = [
                ProbeKind::Empty,
                ProbeKind::EmptySigned,
                ProbeKind::VendorsCheck,
            ];
            for probe in probes.iter().filter(|probe| !others.contains(&probe.kind)) {
                assert!(is_marked(probe.body.as_bytes()), "{probe:?}");
            }
        }
    }

    #[test]
    fn the_repeated_message_has_the_same_bytes_and_the_others_have_other_ids() {
        let probes = sent(None, Some(TOKEN));
        let body = |kind| &probes.iter().find(|probe| probe.kind == kind).unwrap().body;
        assert_eq!(body(ProbeKind::Message), body(ProbeKind::Again));
        assert_ne!(body(ProbeKind::Message), body(ProbeKind::Forged));
        assert_ne!(body(ProbeKind::Forged), body(ProbeKind::Unsigned));
    }

    #[test]
    fn unusual_json_has_other_bytes_once_it_is_serialized_again() {
        for key in [None, Some(KEY)] {
            let probes = sent(key, Some(TOKEN));
            let unusual = probes.iter().find(|probe| probe.kind == ProbeKind::Unusual);
            let body = &unusual.unwrap().body;
            let parsed: Value = serde_json::from_str(body).unwrap();
            assert_ne!(&serde_json::to_string(&parsed).unwrap(), body);
            assert!(body.is_ascii());
        }
    }

    #[test]
    fn a_type_is_letters_and_digits() {
        assert!(MsgType::parse("FlowStatusChange").is_ok());
        for bad in ["", "a b", "a\"", "合同", &"x".repeat(65)] {
            assert!(MsgType::parse(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_probe_holds_the_key_or_the_token(key in "[!-~]{32}", token in "[!-~]{8,40}") {
            for probe in sent(Some(&key), Some(&token)) {
                proptest::prop_assert!(!probe.body.contains(&key) && !probe.body.contains(&token));
                let shown = format!("{probe:?}");
                proptest::prop_assert!(!shown.contains(&token));
            }
        }
    }
}
