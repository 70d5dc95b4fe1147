//! This process: its signals, its limits, what the lock file says of it, and its messages to systemd.

pub(super) mod descriptors;
mod job;
pub(super) mod owner;
pub(super) mod signals;
pub(super) mod systemd;
