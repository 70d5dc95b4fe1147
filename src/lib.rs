//! The library behind `ess-callbacks`: declarative callback URLs for Tencent eSign.
//!
//! Modules in layers; each may import from its own line and the lines above (`tests/it/layering.rs`
//! checks it):
//!
//! | layer | modules |
//! |---|---|
//! | vocabulary | [`model`], [`diag`], [`secret`], [`random`], `harmless`, `exposition`, `facts` |
//! | pure | [`config`], [`plan`], [`render`], [`sign`], [`wire`], [`envelope`], [`receiver`], [`observe`], [`group`], [`doctor`] |
//! | effects | [`client`], [`audit`], [`state`], [`apply`], [`run`], `backend`, `serving`, [`sandbox`], [`verify`], [`notify`] |
//! | pages | [`page`] |
//! | program | [`cli`] |
//!
//! `testing` has doubles of the disk and of eSign, behind the feature of that name.

pub mod apply;
pub mod audit;
mod backend;
pub mod cli;
pub mod client;
pub mod config;
pub mod controller;
pub mod diag;
pub mod doctor;
pub mod envelope;
mod exposition;
mod facts;
pub mod group;
mod harmless;
pub mod model;
pub mod notify;
pub mod observe;
pub mod page;
pub mod plan;
pub mod random;
pub mod receiver;
pub mod render;
pub mod run;
pub mod sandbox;
pub mod secret;
mod serving;
pub mod sign;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod verify;
pub mod wire;
