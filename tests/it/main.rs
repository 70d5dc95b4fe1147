//! Integration tests.

mod apply;
mod cli_apply;
mod cli_planning;
mod client;
mod docs;
mod envelope;
mod layering;
mod render;
mod sandbox;
mod shape;
mod sign;
mod state;
mod support;
