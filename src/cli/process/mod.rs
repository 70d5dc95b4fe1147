//! This process: its signals, its limits, what the lock file says of it, and what systemd is told.

pub(super) mod descriptors;
mod job;
pub(super) mod owner;
pub(super) mod signals;
pub(super) mod systemd;
