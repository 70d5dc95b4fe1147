//! Stores that many machines reach, each a [`Log`](crate::state::log::Log) for `state`.
//!
//! A store can create a record with a number once, tell the newest, and give records back. What follows from
//! that is in [`state::log`](crate::state::log). Nothing here repeats a conditional write, and nothing here reads
//! the environment: variables, home and certificates are values that `cli` passes in.
