//! `secret new`: generates a key or token.

use crate::cli::exit::{Exit, Failure};
use crate::cli::random::random;
use crate::cli::terminal::Ui;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    /// Print a new random secret of 32 letters and digits, for a key or a token.
    New,
}

/// The length of a `CallbackKey`.
const LENGTH: usize = 32;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    match args {
        Args::New => ui.print(format_args!("{}\n", fresh()?)),
    }
    Ok(Exit::Done)
}

/// Chooses each character with the same probability, by leaving out bytes that would favour the first ones.
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
