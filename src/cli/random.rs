//! Random bytes, for values that must not be guessed or must be unique.

use super::exit::Failure;

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::error(format!("the system can't generate random numbers: {error}"))
    })?;
    Ok(bytes)
}
