//! From the raw tree of one file to checked values. Every problem is reported; what has an error is left out.

mod accept;
mod account;
mod callback;
mod fields;
mod organization;
mod reader;
mod role;
mod secret_table;
mod templates;
mod values;

pub(super) use fields::mistyped;
pub(super) use organization::UnresolvedOrganization;
pub(super) use reader::Reader;
pub(super) use secret_table::SecretTable;
pub(super) use templates::Names;
