//! Secret values.
//!
//! A [`Secret`] can't be printed, compared by accident or serialized. Its value is only available through
//! [`Secret::expose`], which is easy to search for. A [`SecretReference`] is the source of a value, and
//! [`Fingerprinter`] and [`Check`] detect whether it changed.
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "secrets are read by `cli`; here they are values"
)]

mod check;
mod fingerprint;
mod fingerprinter;
mod reference;
mod value;

pub use check::Check;
pub use fingerprint::{Fingerprint, Fingerprints, Salt};
pub use fingerprinter::Fingerprinter;
pub use reference::SecretReference;
pub use value::Secret;
