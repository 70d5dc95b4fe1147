//! What a call writes.

use serde::{Deserialize, Serialize};

use crate::model::{Fingerprints, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WriteWord {
    Add,
    Delete,
}

/// A [`Write`] as the formats write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteParts {
    pub(crate) word: WriteWord,
    /// `None` for a delete.
    pub(crate) fingerprints: Option<Fingerprints>,
}

/// An add without fingerprints, or a delete with some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongFingerprints;

impl From<Write> for WriteParts {
    fn from(write: Write) -> Self {
        match write {
            Write::Add(fingerprints) => Self {
                word: WriteWord::Add,
                fingerprints: Some(fingerprints),
            },
            Write::Delete => Self {
                word: WriteWord::Delete,
                fingerprints: None,
            },
        }
    }
}

impl TryFrom<WriteParts> for Write {
    type Error = WrongFingerprints;

    fn try_from(parts: WriteParts) -> Result<Self, WrongFingerprints> {
        match (parts.word, parts.fingerprints) {
            (WriteWord::Add, Some(fingerprints)) => Ok(Self::Add(fingerprints)),
            (WriteWord::Delete, None) => Ok(Self::Delete),
            (WriteWord::Add, None) | (WriteWord::Delete, Some(_)) => Err(WrongFingerprints),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_what_its_parts_say() {
        for write in [Write::Add(Fingerprints::default()), Write::Delete] {
            let parts = WriteParts::from(write);
            assert_eq!(Write::try_from(parts), Ok(write));
            let wrong = WriteParts {
                fingerprints: parts.fingerprints.is_none().then(Fingerprints::default),
                ..parts
            };
            assert_eq!(Write::try_from(wrong), Err(WrongFingerprints));
        }
    }
}
