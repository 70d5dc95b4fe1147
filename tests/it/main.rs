//! Integration tests.

mod config;
mod config_properties;
