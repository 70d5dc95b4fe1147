//! Integration tests.

mod client;
mod sign;
mod render;
