//! Integration tests.
mod state;
