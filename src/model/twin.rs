//! The URLs of twins: which URL takes the messages of a callback while a rotation replaces it.

use super::CallbackUrl;
use crate::secret::Check;

/// The query parameter of a twin.
const PARAMETER: &str = "esign-rotation=";

/// The URL of the twin that a rotation to this key adds.
///
/// Its value makes the twins of different keys different URLs, and reveals no more of the key than a saved plan does.
/// Two keys with one value do no harm: the twin is recorded with its fingerprints, and replaced where these differ.
pub fn twin(url: &CallbackUrl, key: Option<Check>) -> CallbackUrl {
    let Check(value) = key.unwrap_or(Check(0));
    CallbackUrl::new(format!("{}{value:02x}", stem(url)))
}

/// What the URLs of its twins begin with.
pub(crate) fn stem(url: &CallbackUrl) -> String {
    let url = url.as_str();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{PARAMETER}")
}

/// The URL whose twin this would be.
pub(crate) fn original(twin: &CallbackUrl) -> Option<CallbackUrl> {
    let (start, value) = twin.as_str().rsplit_once(PARAMETER)?;
    let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    let url = start.strip_suffix(['?', '&'])?;
    let separator = if url.contains('?') { '&' } else { '?' };
    (start.ends_with(separator) && !value.is_empty() && value.chars().all(hexadecimal))
        .then(|| CallbackUrl::new(url))
}
