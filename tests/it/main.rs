//! Integration tests.

mod client;
mod envelope;
mod layering;
mod render;
mod sandbox;
mod shape;
mod sign;
