//! The library behind `ess-callbacks`: declarative callback URLs for Tencent eSign.
//!
//! Modules in layers; each may import from its own line and the lines above (`tests/it/layering.rs`
//! checks it):
//!
//! | layer | modules |
//! |---|---|
//! | vocabulary | [`model`], [`diag`], [`secret`], [`random`], `harmless`, `facts` |
//! | pure | [`config`], [`plan`], [`render`], [`sign`], [`wire`], [`envelope`] |
//! | effects | [`client`], [`state`], [`apply`], [`run`], [`sandbox`], [`verify`] |
//! | program | [`cli`] |
//!
//! `testing` has doubles of the disk and of eSign, behind the feature of that name.

pub mod apply;
pub mod cli;
pub mod client;
pub mod config;
pub mod diag;
pub mod envelope;
mod facts;
mod harmless;
pub mod model;
pub mod plan;
pub mod random;
pub mod render;
pub mod run;
pub mod sandbox;
pub mod secret;
pub mod sign;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod verify;
pub mod wire;
