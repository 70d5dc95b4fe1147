//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod apply;
mod chaos_faults;
mod chaos_kill;
mod chaos_machine;
mod cli_apply;
mod cli_config;
mod cli_credentials;
mod cli_events;
mod cli_init;
mod cli_lost;
mod cli_output;
mod cli_planning;
mod cli_saved_plan;
mod cli_secrets;
mod cli_slips;
mod cli_state;
mod cli_terminal;
mod cli_usage;
mod client;
mod config;
mod config_properties;
mod docs;
mod edited_files;
mod envelope;
mod examples;
mod fuzz_findings;
mod layering;
mod pipelines;
mod render;
mod sandbox;
mod schemas;
mod shape;
mod sign;
mod state;
mod support;
