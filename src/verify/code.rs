//! The codes of findings. `docs/errors.md` explains each; a test keeps that page and this list equal.

/// A kind of finding, with its title in `docs/errors.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub code: &'static str,
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal $title:literal,)*) => {
        $(pub(super) const $name: Code = Code { code: $code, title: $title };)*

        /// Every code, in the order of the page.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    TO_HTTPS = "V001" "redirect from http to https",
    REDIRECT = "V002" "redirect",
    NO_ADDRESS = "V003" "host name without an address",
    REFUSED = "V004" "connection refused",
    TIMEOUT = "V005" "no answer in time",
    PRIVATE = "V006" "private address",
    CONNECTION = "V007" "connection failed",
    NOT_HTTP = "V008" "no HTTP answer",
    NOT_THIS_MACHINE = "V009" "not this machine, with --sandbox",
    EXPIRED = "V010" "certificate expired",
    NOT_YET_VALID = "V011" "certificate not valid yet",
    WRONG_NAME = "V012" "certificate for another name",
    SELF_SIGNED = "V013" "self-signed certificate",
    MISSING_INTERMEDIATE = "V014" "missing intermediate certificate",
    UNKNOWN_ISSUER = "V015" "certificate of an unknown issuer",
    TLS = "V016" "TLS failed",
    EMPTY = "V020" "empty object refused",
    EMPTY_SIGNED = "V021" "signed empty object refused",
    MESSAGE = "V022" "message refused",
    AGAIN = "V023" "repeated message refused",
    UNUSUAL = "V024" "unusual JSON refused",
    ENDLESS = "V030" "answer too long",
    HTML = "V031" "HTML page as an answer",
    SLOW = "V032" "slow answer",
    FORGED = "V040" "forged signature accepted",
    UNSIGNED = "V041" "unsigned message accepted",
    WRONG_KEY = "V042" "message with a wrong key accepted",
    VENDORS_CHECK = "V043" "check of the vendor's documentation refused",
}
