//! Integration tests.

mod client;
mod envelope;
mod render;
mod sign;
