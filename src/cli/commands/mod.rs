//! The commands. Each is a file or a folder, with its arguments.

pub(super) mod apply;
pub(super) mod audit;
pub(super) mod completions;
pub(super) mod controller;
pub(super) mod doctor;
pub(super) mod explain;
pub(super) mod fmt;
pub(super) mod import;
pub(super) mod init;
pub(super) mod listen;
pub(super) mod man;
pub(super) mod observe;
pub(super) mod orgs;
pub(super) mod plan;
pub(super) mod report;
pub(super) mod rotate;
pub(super) mod sandbox;
pub(super) mod schema;
pub(super) mod secret;
pub(super) mod show;
pub(super) mod state;
pub(super) mod unlock;
pub(super) mod validate;
pub(super) mod verify;
pub(super) mod version;
