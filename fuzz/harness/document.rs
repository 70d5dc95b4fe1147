//! The plan document: what is read is written again as the same plan, and can be shown.
//!
//! The first byte chooses: the bytes as they are, or with the digest that fits.

use ess_callbacks::plan::read_document;
use sha2::{Digest as _, Sha256};

use super::plans;

/// Reads a document of any bytes.
pub(crate) fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let text = if choice & 1 == 0 {
        text.to_owned()
    } else {
        sealed(text)
    };
    match read_document(&text) {
        Ok(plan) => plans::check(&plan),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn sealed(text: &str) -> String {
    let mark = "\n  \"digest\": \"sha256:";
    let body = text
        .rsplit_once(mark)
        .map_or_else(|| text.trim_end_matches(['}', '\n']), |(body, _)| body);
    let body = body.strip_suffix(',').unwrap_or(body);
    let digest = hex::encode(Sha256::digest(body.as_bytes()));
    format!("{body},{mark}{digest}\"\n}}\n")
}
