//! A file before it is parsed.

use std::sync::Arc;

/// The byte order mark of UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// A configuration file and its bytes.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user gave it, or `<stdin>`. Shown in messages.
    pub name: Arc<str>,
    /// UTF-8, with or without a byte order mark.
    pub text: Vec<u8>,
}

impl Source {
    /// The text without a byte order mark, up to the first byte that is not UTF-8.
    pub(super) fn decoded(&self) -> &str {
        let bytes = self.text.strip_prefix(BOM).unwrap_or(&self.text);
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}
