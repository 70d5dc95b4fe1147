//! The plan document: what is read is written again as the same plan, and can be shown.
//!
//! The first byte chooses: the bytes as they are, or with the checksum that fits.

use ess_callbacks::plan::read_document;
use sha2::{Digest as _, Sha256};

use super::plans;

/// Reads a document of any bytes.
pub(crate) fn run(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    match read_document(&text) {
        Ok(plan) => plans::check(&plan),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The document that these bytes stand for.
pub(crate) fn text(data: &[u8]) -> Option<String> {
    let (choice, data) = data.split_first()?;
    let text = std::str::from_utf8(data).ok()?;
    Some(if choice & 1 == 0 {
        text.to_owned()
    } else {
        sealed(text)
    })
}

fn sealed(text: &str) -> String {
    let mark = "\n  \"checksum\": \"sha256:";
    let body = text
        .rsplit_once(mark)
        .map_or_else(|| text.trim_end_matches(['}', '\n']), |(body, _)| body);
    let body = body.strip_suffix(',').unwrap_or(body);
    let checksum = hex::encode(Sha256::digest(body.as_bytes()));
    format!("{body},{mark}{checksum}\"\n}}\n")
}
