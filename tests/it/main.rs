//! Integration tests.
mod render;
