//! Doubles of what is outside, for tests and simulations: a disk that loses what was not synced, and an
//! eSign without a network. Behind the feature `testing`; nothing of it is in the program.

mod disk;
pub mod esign;

pub use disk::{MemoryFile, MemoryFiles, MemoryLock};
