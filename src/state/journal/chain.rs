//! The sums that tell a whole line from a damaged one.

use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

/// Between a line's contents and its sum.
const SUM: &[u8] = br#","sum":""#;

/// After the sum.
const END: &[u8] = br#""}"#;

/// What the sum of the next line depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::state) struct Chain([u8; 8]);

impl Chain {
    /// Completes a line that ends before its sum.
    pub(super) fn seal(&mut self, line: &mut Vec<u8>) {
        *self = self.over(line);
        line.extend_from_slice(SUM);
        line.extend_from_slice(hex::encode(self.0).as_bytes());
        line.extend_from_slice(END);
        line.push(b'\n');
    }

    /// The contents of a line as an object of their own. `None` when it is not whole.
    pub(super) fn open(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let line = line.strip_suffix(b"\n")?;
        let (start, sum) = line.strip_suffix(END)?.split_last_chunk::<16>()?;
        let start = start.strip_suffix(SUM)?;
        *self = self.over(start);
        if hex::encode(self.0).as_bytes() != sum {
            return None;
        }
        let mut object = start.to_vec();
        object.push(b'}');
        Some(object)
    }

    /// Whether what looks like one line is at least a whole one and something more. No torn write
    /// looks so; a lost line end does. (In JSON a text can't hold what is before a sum.)
    pub(super) fn has_sum_inside(line: &[u8]) -> bool {
        let sum = line.windows(SUM.len()).position(|bytes| bytes == SUM);
        sum.is_some_and(|place| line.len() > place + SUM.len() + 16 + END.len() + 1)
    }

    /// Whether this is a whole line, whatever its sum. What a crash leaves is cut off or has a hole
    /// in it, and is no JSON.
    pub(super) fn is_whole(line: &[u8]) -> bool {
        line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_ok()
    }

    fn over(self, line: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(line);
        let mut sum = [0; 8];
        sum.copy_from_slice(&hasher.finalize()[..8]);
        Self(sum)
    }
}
