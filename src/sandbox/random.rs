//! Reproducible chance: the same seed draws the same numbers, on every machine.

/// `SplitMix64`. Good enough to choose faults and to make ids, and no more.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator for one purpose, independent of all others of the same seed.
    pub(super) fn keyed(seed: u64, purpose: &[u8], turn: u64) -> Self {
        // FNV-1a over the purpose; the first draw mixes it thoroughly.
        let hash = purpose
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        let mut mixed = Self(hash ^ turn.rotate_left(32));
        Self(seed ^ mixed.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 when there is nothing to choose from.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
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
    fn the_first_numbers_are_those_of_the_published_generator() {
        let mut random = Random(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

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
        let mut random = Random(1);
        assert_eq!(random.uuid().len(), 36);
        assert_eq!(random.uuid().as_bytes()[14], b'4');
        assert_eq!(random.letters(36).len(), 36);
    }
}
