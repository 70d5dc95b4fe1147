//! Integration tests.

mod client;
mod sign;
