//! Integration tests.

mod apply;
mod client;
mod envelope;
mod layering;
mod render;
mod sandbox;
mod shape;
mod sign;
mod state;
