//! What the sandbox draws by chance: faults and ids.

use crate::random::SplitMix64;

/// A [`SplitMix64`] for one purpose.
#[derive(Clone, Debug)]
pub(super) struct Random(SplitMix64);

impl Random {
    /// A generator for one purpose, independent of all others of the same seed.
    pub(super) fn keyed(seed: u64, purpose: &[u8], turn: u64) -> Self {
        // FNV-1a over the purpose; the first draw mixes it thoroughly.
        let hash = purpose
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        let mut mixed = SplitMix64::new(hash ^ turn.rotate_left(32));
        Self(SplitMix64::new(seed ^ mixed.next()))
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number in `0..bound`; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A UUID, version 4.
    pub(super) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes());
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// This many characters of `A–Z`, `a–z` and `0–9`.
    pub(super) fn letters(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| {
                let at = usize::try_from(self.below(62)).unwrap_or(0);
                char::from(LETTERS[at])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_purpose_and_turn_each_matter() {
        let draw = |seed, purpose: &[u8], turn| Random::keyed(seed, purpose, turn).next();
        let first = draw(7, b"a", 0);
        assert_eq!(first, draw(7, b"a", 0));
        for other in [draw(8, b"a", 0), draw(7, b"b", 0), draw(7, b"a", 1)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn ids_look_like_ids() {
        let mut random = Random::keyed(1, b"ids", 0);
        assert_eq!(random.uuid().len(), 36);
        assert_eq!(random.uuid().as_bytes()[14], b'4');
        assert_eq!(random.letters(36).len(), 36);
    }
}
