//! The codes of all errors and warnings about a configuration. `docs/errors.md` explains each; a test keeps that page
//! and this list equal.

use crate::diag::Code;

/// A code and its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeDoc {
    pub code: Code,
    /// Its heading in `docs/errors.md`.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal $title:literal,)*) => {
        $(pub(super) const $name: Code = Code($code);)*

        /// Every code, errors first, in the order of the page.
        pub const CODES: &[CodeDoc] = &[$(CodeDoc { code: $name, title: $title }),*];
    };
}

codes! {
    SYNTAX = "E001" "not valid YAML",
    NOT_UTF8 = "E002" "not UTF-8",
    CONTROL_CHARACTER = "E003" "NUL character",
    TOO_LARGE = "E004" "more than 64 MiB",
    SEVERAL_DOCUMENTS = "E005" "more than one document",
    BLOWS_UP = "E006" "nested too deep, or too many aliases",
    NO_FILES = "E007" "no configuration file",
    UNKNOWN_KEY = "E010" "unknown field",
    DUPLICATE_KEY = "E011" "duplicate field",
    WRONG_TYPE = "E012" "wrong type of value",
    MISSING_KEY = "E013" "missing field",
    VERSION = "E014" "unknown version",
    UNKNOWN_VALUE = "E015" "unknown value",
    FORMER_NAME = "E018" "former name of an account in use",
    SAME_CREDENTIALS = "E019" "two accounts with the same credentials",
    NAME = "E020" "invalid name",
    ID = "E021" "invalid id",
    UNKNOWN_ACCOUNT = "E022" "unknown account",
    NO_OPERATOR = "E023" "no operator",
    SAME_SCOPE = "E024" "two organizations with one scope",
    ORGANIZATION_TWICE = "E025" "organization in two files",
    CONFLICT = "E026" "conflicting files",
    SEVERAL_SOURCES = "E027" "more than one source of credentials",
    ROLE = "E028" "invalid role, region or rate",
    CREDENTIAL_LITERAL = "E029" "credential in clear text",
    NOT_A_URL = "E030" "invalid URL",
    SCHEME = "E031" "not http or https",
    USER_INFO = "E032" "user name or password in a URL",
    FRAGMENT = "E033" "fragment in a URL",
    NON_ASCII = "E034" "non-ASCII character in a URL",
    WHITE_SPACE = "E035" "white space in a URL",
    TOO_LONG = "E036" "URL too long",
    TRAILING_DOT = "E037" "host name with a trailing dot",
    DUPLICATE_URL = "E038" "duplicate URL",
    DECLARED_AND_ABSENT = "E039" "URL both declared and absent",
    HOST = "E044" "invalid host",
    ESCAPE = "E045" "invalid percent escape",
    MASKED_URL = "E046" "masked URL",
    UNKNOWN_VARIABLE = "E047" "unknown variable",
    NO_MEMBER = "E048" "organization without proxy_organization_id",
    ACCEPTANCE = "E049" "invalid acceptance",
    LITERAL_SECRET = "E040" "secret in clear text",
    SECRET_REFERENCE = "E041" "not a secret reference",
    RESERVED_VARIABLE = "E042" "secret taken from a credential variable",
    VARIABLE_NAME = "E043" "not the name of an environment variable",
    KEY_LENGTH = "E050" "key not exactly 32 bytes",
    EMPTY_SECRET = "E051" "empty secret",
    MASKED_SECRET = "E052" "masked secret",
    NOT_SET = "E053" "environment variable not set",
    UNREADABLE = "E054" "secret file not readable",
    COMMAND_NOT_ALLOWED = "E055" "command without --allow-commands",
    COMMAND_FAILED = "E056" "command failed",
    NOT_TEXT = "E057" "secret is not text",
    SECRET_CHARACTER = "E058" "invalid character in a secret",
    SECRET_TOO_LONG = "E059" "secret too long",
    HTTP = "W001" "http",
    NO_KEY = "W002" "no key",
    NO_TOKEN = "W003" "no token",
    NEAR_DUPLICATE = "W004" "nearly the same URL",
    PRIVATE_HOST = "W005" "private or loopback host",
    OPERATOR_LENGTH = "W006" "operator not 32 characters",
    SHARED_SECRET = "W007" "one secret used by several organizations",
    PLACEHOLDER = "W008" "placeholder",
    QUOTED_SECRET = "W009" "quotes around a secret",
    URL_CREDENTIAL = "W010" "credential in a URL",
    ELSEWHERE = "W011" "same URL in two environments",
    UNUSED_ACCEPTANCE = "W012" "unused acceptance",
}
