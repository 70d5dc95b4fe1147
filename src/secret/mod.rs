//! Values that must not be seen.
//!
//! [`Secret`] can't be printed, compared by accident or serialized; its value leaves only through
//! [`Secret::expose`], which is easy to search for. [`SecretReference`] says where a value comes from,
//! and [`Fingerprinter`] and [`Check`] tell whether it changed.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "secrets are read by `cli`; here they are values"
)]

mod check;
mod fingerprinter;
mod reference;

pub use check::Check;
pub use fingerprinter::Fingerprinter;
pub use reference::SecretReference;

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

/// A secret value. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself. Every use is a place to look at when a secret leaks.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::new("canary-value");
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("canary"));
        assert_eq!(secret.expose(), "canary-value");
    }
}
