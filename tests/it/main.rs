//! Integration tests.

mod client;
mod envelope;
mod render;
mod sandbox;
mod sign;
