//! Options that several commands share, and how their values are read.

pub(super) mod address;
pub(super) mod calling;
pub(super) mod duration;
pub(super) mod form;
pub(super) mod global;
pub(super) mod lock;
pub(super) mod outputs;
pub(super) mod planning;
pub(super) mod receivers;
pub(super) mod secret_commands;
pub(super) mod switch;
pub(super) mod variables;
