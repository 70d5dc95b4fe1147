//! This process: its signals, its limits, and what the lock file says of it.

pub(super) mod descriptors;
mod job;
pub(super) mod owner;
pub(super) mod signals;
