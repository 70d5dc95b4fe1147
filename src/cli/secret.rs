//! `secret new`: makes a key or token.

use super::args;
use super::exit::{Exit, Failure};
use super::random::random;
use super::ui::Ui;

/// As many bytes as a `CallbackKey` has.
const LENGTH: usize = 32;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) fn run(args: &args::Secret, ui: &mut Ui) -> Result<Exit, Failure> {
    match args {
        args::Secret::New => ui.print(format_args!("{}\n", fresh()?)),
    }
    Ok(Exit::Done)
}

/// Evenly chosen letters: bytes that would favour the first ones are left out.
fn fresh() -> Result<String, Failure> {
    let mut text = String::with_capacity(LENGTH);
    while text.len() < LENGTH {
        let bytes: [u8; 64] = random()?;
        let even = bytes.into_iter().filter(|byte| *byte < 248);
        let letters = even.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        text.extend(letters.take(LENGTH - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SecretRole, check_secret};
    use crate::secret::Secret;

    #[test]
    fn a_fresh_secret_is_good_for_both_uses_and_never_the_same() {
        let (one, two) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one, two);
        for role in [SecretRole::Key, SecretRole::Token] {
            assert_eq!(check_secret(role, &Secret::new(one.clone())), []);
        }
    }
}
