//! Randomness, for what must not be guessed or must not collide.

use super::exit::Failure;

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::error(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}
