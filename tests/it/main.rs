//! Integration tests.

mod envelope;
mod sandbox;
