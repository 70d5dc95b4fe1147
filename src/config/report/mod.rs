//! Problems: collected while a configuration is read, and turned into diagnostics at the end, when everything
//! that must not be shown is known.

mod acceptances;
mod collect;
mod conceal;
mod excerpt;

pub use collect::snippet;

pub(super) use acceptances::Acceptance;
pub(super) use collect::Report;
pub(super) use conceal::concealed;
