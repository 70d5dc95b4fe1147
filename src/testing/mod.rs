//! Doubles of what is outside, for tests and simulations: a disk that loses what was not synced, a
//! store of records behind a bad network, and an eSign without a network. Behind the feature `testing`; nothing of it is in the program.

mod disk;
pub mod esign;
mod log;
mod terraform;

pub use disk::{MemoryFile, MemoryFiles, MemoryLock};
pub use log::{MemoryLog, Weather};
pub use terraform::{Flavour, TerraformServer};
