//! This process on its machine: signals, limits, and what others are told of it.

pub(super) mod descriptors;
mod job;
pub(super) mod owner;
pub(super) mod signals;
