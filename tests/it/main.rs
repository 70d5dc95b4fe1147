//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod apply;
mod cli_apply;
mod cli_init;
mod cli_planning;
mod client;
mod config;
mod config_properties;
mod docs;
mod envelope;
mod examples;
mod layering;
mod pipelines;
mod render;
mod sandbox;
mod shape;
mod sign;
mod state;
mod support;
