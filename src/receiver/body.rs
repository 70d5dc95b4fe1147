//! The body of a request, as far as it can be told without a key.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};

use super::rejection::Rejection;

/// The constant of the vendor's documentation. It is neither base64 nor a whole block.
const VENDOR_CHECK: &str = "62KE4r5Wz0yHzEpMOwVRbM1KV0";

/// The members by which bodies are told apart; none of the others may be repeated either way.
const TOLD_BY: [&str; 3] = ["encrypt", "MsgType", "MsgData"];

pub(super) enum Body<'a> {
    /// `{}`.
    Empty,
    /// The vendor's check of an address.
    VendorCheck,
    /// `{"encrypt": "…"}`.
    Sealed,
    /// Any other object.
    Clear(&'a str),
}

impl<'a> Body<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(bytes).map_err(|_| Rejection::NotJson)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let told = json
            .deserialize_map(Members)
            .map_err(|_| Rejection::NotJson)?;
        json.end().map_err(|_| Rejection::NotJson)?;
        Ok(match told {
            Told::Nothing => Self::Empty,
            Told::Encrypt(constant) if constant => Self::VendorCheck,
            Told::Encrypt(_) => Self::Sealed,
            Told::Others => Self::Clear(text),
        })
    }
}

enum Told {
    Nothing,
    /// Whether its value is the vendor's constant.
    Encrypt(bool),
    Others,
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Told, A::Error> {
        let (mut told, mut count) = (Told::Nothing, 0_u64);
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            count += 1;
            if TOLD_BY.contains(&&*name) {
                if seen.contains(&name) {
                    return Err(A::Error::custom("a member is repeated"));
                }
                seen.push(name.clone());
            }
            if name == "encrypt" {
                let value: Option<String> = map
                    .next_value::<serde_json::Value>()?
                    .as_str()
                    .map(str::to_owned);
                told = value.map_or(Told::Others, |value| Told::Encrypt(value == VENDOR_CHECK));
            } else {
                map.next_value::<IgnoredAny>()?;
                if !matches!(told, Told::Encrypt(_)) {
                    told = Told::Others;
                }
            }
        }
        Ok(match told {
            // The constant is the whole body.
            Told::Encrypt(constant) => Told::Encrypt(constant && count == 1),
            Told::Nothing | Told::Others => told,
        })
    }
}
