//! The style, the script, and the policy that allows these two and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

pub(super) const STYLE: &str = include_str!("style.css");

pub(super) const SCRIPT: &str = include_str!("script.js");

/// The `Content-Security-Policy` of the page. It is in the page; a server sends it as a header too, with
/// `frame-ancestors`, which a page can't set.
pub fn content_security_policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    )
}

/// The hash of an inline element. A browser reads each line end as `\n`, and hashes what it read.
fn source(text: &str) -> String {
    let digest = Sha256::digest(text.replace("\r\n", "\n"));
    format!("sha256-{}", STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_element_can_be_closed_from_inside() {
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("</") && !text.contains("<!--"));
            assert!(text.is_ascii());
        }
    }

    #[test]
    fn the_hash_is_that_of_browsers() {
        // The example of the specification, https://www.w3.org/TR/CSP3/#external-hash.
        assert_eq!(
            source("alert('Hello, world.');"),
            "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
        );
        assert_eq!(source("a\r\nb"), source("a\nb"));
    }
}
