//! Receipts: what remains of a request as evidence, one JSON line each.

use std::fmt;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::model::{CallbackUrl, Timestamp};

/// The longest body that a receipt takes, in bytes. Messages have a few thousand.
pub const MAX_RECEIPT_BODY: usize = 1 << 20;

/// One line of a receipts file: a request to a callback URL, as it arrived. The body proves by its encryption and its
/// signature which key and token the URL is configured with. It may hold personal data where there is no key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// When the request arrived: RFC 3339, in UTC when ess-callbacks writes it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub received_at: Timestamp,
    /// The callback URL as it is declared, byte for byte, whatever a proxy made of it.
    #[schemars(with = "String")]
    pub url: CallbackUrl,
    /// The raw body, byte for byte.
    pub body: String,
    /// The value of the header Content-Signature. Missing, null or empty if there was none.
    #[serde(
        default,
        deserialize_with = "none_if_empty",
        skip_serializing_if = "Option::is_none"
    )]
    pub content_signature: Option<String>,
}

/// Why a request has no receipt, or a line is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than [`MAX_RECEIPT_BODY`].
    #[error("the body has {0} bytes; a receipt takes at most {MAX_RECEIPT_BODY}")]
    TooLong(usize),
    /// The body is not text, so it can't be one of eSign's.
    #[error("the body is not UTF-8")]
    NotText,
    /// The line is not the JSON of a receipt.
    #[error("this is not a receipt: {0}")]
    Invalid(String),
}

impl Receipt {
    /// Of a request as it arrived.
    ///
    /// # Errors
    ///
    /// The body is too long, or not UTF-8.
    pub fn new(
        received_at: Timestamp,
        url: CallbackUrl,
        body: &[u8],
        content_signature: Option<&str>,
    ) -> Result<Self, ReceiptError> {
        if body.len() > MAX_RECEIPT_BODY {
            return Err(ReceiptError::TooLong(body.len()));
        }
        let body = std::str::from_utf8(body).map_err(|_| ReceiptError::NotText)?;
        Ok(Self {
            received_at,
            url,
            body: body.to_owned(),
            content_signature: content_signature
                .filter(|value| !value.is_empty())
                .map(str::to_owned),
        })
    }

    /// As one line, with its line end.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("texts are always JSON");
        line.push('\n');
        line
    }

    /// Reads a line. Unknown members are ignored.
    ///
    /// # Errors
    ///
    /// The line is not a receipt. The error does not repeat its body.
    pub fn parse(line: &str) -> Result<Self, ReceiptError> {
        serde_json::from_str(line).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "a member is missing or has another type",
                serde_json::error::Category::Eof => "the line ends early",
                serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
                    "it is not JSON"
                }
            };
            ReceiptError::Invalid(what.to_owned())
        })
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("received_at", &self.received_at)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// nginx writes an empty text for a header that is not there.
fn none_if_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Option::<String>::deserialize(deserializer)?;
    Ok(value.filter(|value| !value.is_empty()))
}

/// The JSON Schema of a receipt line.
pub fn receipt_schema() -> Value {
    let settings = SchemaSettings::draft07();
    let mut schema = settings.into_generator().into_root_schema_for::<Receipt>();
    schema.insert("title".to_owned(), json!("ess-callbacks receipt"));
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    schema.to_value()
}
