//! Why a request is not accepted.

/// Why a request is not accepted. [`Self::status`] is what to answer; eSign sends everything again that does not get 200.
///
/// 403 is for what is not proven to come from eSign, 400 for what can't be read. Nothing of the request or of a secret
/// is in the text, so it can be logged and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// There is a token, and no signature.
    #[error(
        "the request is not signed: the callback is configured without a token at eSign, or someone else sent it"
    )]
    MissingSignature,
    /// More than one header.
    #[error(
        "the request has several Content-Signature headers; a proxy adds one, or someone else sent it"
    )]
    SeveralSignatures,
    /// Not `sha256=` and 64 lower-case hexadecimal digits.
    #[error(
        "Content-Signature is not `sha256=` and 64 hexadecimal digits in lower case: eSign did not send this"
    )]
    MalformedSignature,
    /// A signature by another token, or of another body.
    #[error(
        "the signature is wrong: another token is configured at eSign, the body was changed on its way, or someone \
         else sent it"
    )]
    WrongSignature,
    /// Not a JSON object, or one with a repeated member.
    #[error("the body is not a JSON object")]
    NotJson,
    /// There is a key, and the message is not encrypted.
    #[error(
        "the message is not encrypted: the callback is configured without a key at eSign, or someone else sent it"
    )]
    ClearText,
    /// There is no key, and the message is encrypted.
    #[error("the message is encrypted, and this receiver has no key for it")]
    EncryptedWithoutKey,
    /// `encrypt` is not base64, or not whole blocks.
    #[error(
        "`encrypt` is not a whole ciphertext in base64: the body was changed on its way, or someone else sent it"
    )]
    Damaged,
    /// It decrypts to nonsense.
    #[error("the message can't be decrypted: another key is configured at eSign")]
    WrongKey,
    /// It decrypts, but not to a JSON object.
    #[error(
        "the message decrypts to something that is not a JSON object: most likely another key is configured at eSign"
    )]
    NotAMessage,
}

impl Rejection {
    /// Every rejection.
    pub const ALL: [Self; 10] = [
        Self::MissingSignature,
        Self::SeveralSignatures,
        Self::MalformedSignature,
        Self::WrongSignature,
        Self::NotJson,
        Self::ClearText,
        Self::EncryptedWithoutKey,
        Self::Damaged,
        Self::WrongKey,
        Self::NotAMessage,
    ];

    /// The HTTP status to answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::MissingSignature
            | Self::SeveralSignatures
            | Self::MalformedSignature
            | Self::WrongSignature
            | Self::ClearText => 403,
            Self::NotJson
            | Self::EncryptedWithoutKey
            | Self::Damaged
            | Self::WrongKey
            | Self::NotAMessage => 400,
        }
    }

    /// A word for programs, which does not change.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing_signature",
            Self::SeveralSignatures => "several_signatures",
            Self::MalformedSignature => "malformed_signature",
            Self::WrongSignature => "wrong_signature",
            Self::NotJson => "not_json",
            Self::ClearText => "clear_text",
            Self::EncryptedWithoutKey => "encrypted_without_key",
            Self::Damaged => "damaged",
            Self::WrongKey => "wrong_key",
            Self::NotAMessage => "not_a_message",
        }
    }
}
