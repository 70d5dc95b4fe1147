//! What looks like personal data, whatever its name is.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD as STANDARD, URL_SAFE_NO_PAD as URL_SAFE};

/// Longer texts are not identifiers.
const LONGEST: usize = 512;
/// The length of the shortest encoding that is decoded: two Chinese characters.
const SHORTEST: usize = 8;
/// The same inside of a text. A shorter part is too often text by chance.
const SHORTEST_PART: usize = 12;

/// Whether a text may hold personal data: words of any script, e-mail addresses, phone and identity numbers. What
/// remains is an identifier, a constant, a time or a URL.
pub(super) fn is_personal(text: &str) -> bool {
    // A text of letters and digits that is an identifier by its shape may be the encoding of a phone or a name.
    if is_time(text) || is_identifier_of_esign(text) {
        return false;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=&?#,;~".contains(&byte);
    text.len() > LONGEST
        || !text.bytes().all(plain)
        || text.contains("&#")
        || is_document_number(text)
        || has_personal_digits(text)
        || is_encoded_text(text)
}

/// Whether a text has the shape of an identifier, which no name and no number of a person has.
pub(super) fn is_identifier_of_esign(text: &str) -> bool {
    is_identifier(text) && !is_encoded_text(text)
}

/// Whether the digits of a JSON number are those of a phone, an identity card or a bank card.
pub(super) fn is_personal_number(number: &str) -> bool {
    has_personal_digits(number)
}

/// `2026-11-26`, `2026-11-26 12:00:00` and the like.
fn is_time(text: &str) -> bool {
    let date = |text: &str| {
        let mut parts = text.split(['-', '/']);
        let lengths = [4..=4, 1..=2, 1..=2];
        let part = |length: &std::ops::RangeInclusive<usize>| {
            parts.next().is_some_and(|part| {
                length.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        lengths.iter().all(part) && parts.next().is_none()
    };
    let time = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let known = |byte: u8| byte.is_ascii_digit() || b":.+-Z".contains(&byte);
        text.len() <= 24 && text.contains(':') && digits <= 19 && text.bytes().all(known)
    };
    match text.split_once(['T', ' ']) {
        Some((day, clock)) => date(day) && time(clock) && !runs(clock).any(|run| run.len() > 9),
        None => date(text),
    }
}

/// A UUID, or an identifier of eSign: 32 letters and digits. Some of them hold digits like those of a phone.
fn is_identifier(text: &str) -> bool {
    let letters = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let uuid = || {
        let lengths = text.split('-').map(str::len);
        let hex = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
        lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(hex)
    };
    let of_esign = || {
        text.len() == 32
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    letters && (uuid() || of_esign())
}

/// The digits that belong together, each run without what separates them.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| !run.is_empty())
}

fn has_personal_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let plus = at > 0 && bytes[at - 1] == b'+';
        let (mut digits, mut dashes) = (Vec::new(), 0);
        loop {
            let begun = at;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                at += 1;
            }
            if is_personal_run(&bytes[begun..at], plus, 0) {
                return true;
            }
            digits.extend_from_slice(&bytes[begun..at]);
            let joins = matches!(bytes.get(at), Some(b'-' | b'.' | b'/' | b'_'));
            if !(joins && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)) {
                break;
            }
            at += 1;
            dashes += 1;
        }
        if is_personal_run(&digits, plus, dashes) {
            return true;
        }
    }
    false
}

fn is_personal_run(digits: &[u8], plus: bool, dashes: usize) -> bool {
    let mobile =
        |digits: &[u8]| matches!(digits, [b'1', b'3'..=b'9', rest @ ..] if rest.len() == 9);
    let country = |code: &[u8]| digits.strip_prefix(code).is_some_and(mobile);
    mobile(digits)
        || country(b"86")
        || country(b"0086")
        || (15..=19).contains(&digits.len())
        || (plus && (7..=15).contains(&digits.len()))
        || (dashes > 0 && digits.first() == Some(&b'0') && (10..=12).contains(&digits.len()))
}

/// Passports and the identity cards of Hong Kong, Macao and Taiwan: one or two letters and seven to ten digits.
fn is_document_number(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_uppercase());
    (1..=2).contains(&(text.len() - digits.len()))
        && (7..=10).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text, or a part of it such as the value of a query, is the Base64 or hexadecimal form of a text that would
/// be masked itself. Random identifiers are almost never UTF-8.
fn is_encoded_text(text: &str) -> bool {
    let separates = |c: char| !c.is_ascii_alphanumeric() && !"+/-_".contains(c);
    is_encoding(text, SHORTEST)
        || text
            .split(separates)
            .any(|part| part.len() < text.len() && is_encoding(part, SHORTEST_PART))
}

fn is_encoding(text: &str, shortest: usize) -> bool {
    // Padding belongs to a whole text; its parts have lost it.
    let bare = text.trim_end_matches('=');
    let decodings = [
        STANDARD.decode(bare).ok(),
        URL_SAFE.decode(bare).ok(),
        hex::decode(bare).ok(),
    ];
    bare.len() >= shortest
        && decodings.into_iter().flatten().any(|bytes| {
            String::from_utf8(bytes).is_ok_and(|inner| {
                !inner.contains(|c: char| c.is_control() && !c.is_whitespace())
                    && is_personal(&inner)
            })
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("d0e14018-9325-43aa-a824-0f36a74ffd4e", true)]
    #[case("29872685-1342-4862-8b38-aac4cd491db0", true)]
    #[case("yDSandboxFlow0000000000000000001", true)]
    #[case("13812345678", false)]
    #[case("x-13812345678", false)]
    #[case("13800138000yDSandboxFlow00000001", false)]
    // Encodings of phones and names. The first has the shape of an identifier.
    #[case("MTM4MDAxMzgwMDAsMTM4MDAxMzgwMDEs", false)]
    #[case("aWQ9eDEyMyZwaG9uZT0xMzgwMDEzODAw", true)]
    #[case("cGhvbmU9MTM4MDAxMzgwMDAmYT0xMjM0", false)]
    #[case("e5bca0e4b889e5bca0e4b889e5bca031", false)]
    #[case("5byg5LiJ", false)]
    #[case("MTM4MDAxMzgwMDA", false)]
    #[case("MTM4MDAxMzgwMDA=", false)]
    #[case("5p2OPuWbmz8-", false)]
    #[case("3133383030313338303030", false)]
    #[case("https://a.example/x?p=MTM4MDAxMzgwMDA&q=1", false)]
    #[case("&#24352;&#19977;", false)]
    #[case("FlowStatusChange", true)]
    #[case("5af866900ca34d1a95382c48c678a085", true)]
    fn identifiers_are_shown_whatever_their_digits(#[case] text: &str, #[case] shown: bool) {
        assert_eq!(is_personal(text), !shown);
    }
}
