//! The library behind `ess-callbacks`: declarative callback URLs for Tencent eSign.
//!
//! # For other programs
//!
//! The modules shown here are for others to use. Before 1.0, a minor version may change them; CHANGELOG.md says how.
//!
//! * [`receiver`] verifies, decrypts and tells apart what eSign POSTs to a callback URL, with [`envelope`] for its
//!   headers and encryption.
//! * [`sign`] is TC3-HMAC-SHA256, the signature of requests to Tencent Cloud, as functions of values.
//! * [`client`] makes one attempt at a call of eSign and says what is known afterwards; [`wire`] has the API's types.
//!   A provider of `rustls` has to be installed before.
//! * [`config`] reads callbacks.yaml, into what is declared or into all that is wrong with it.
//! * [`plan`] compares what is declared with what is recorded.
//!
//! [`model`], [`secret`], [`diag`] and [`random`] are the values that they share.
//!
//! ```
//! use ess_callbacks::config::{Source, parse};
//! use ess_callbacks::model::{Recorded, Salt};
//! use ess_callbacks::plan::{Options, Secrets, plan};
//!
//! let source = Source {
//!     name: "callbacks.yaml".into(),
//!     text: include_bytes!("../callbacks.yaml.example").to_vec(),
//! };
//! let desired = parse(&[source]).expect("the example is valid").desired;
//! let recorded = Recorded::nothing(desired.environment);
//! let secrets = Secrets { salt: Salt([0; 16]), fingerprints: None };
//! assert_eq!(plan(&desired, &recorded, secrets, &Options::default()).changes().count(), 7);
//! ```
//!
//! All other modules are public for the program and its tests alone. They are hidden here, and change in any version.
//!
//! # For those who work on it
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

#[doc(hidden)]
pub mod apply;
#[doc(hidden)]
pub mod audit;
mod backend;
#[doc(hidden)]
pub mod cli;
pub mod client;
pub mod config;
#[doc(hidden)]
pub mod controller;
pub mod diag;
#[doc(hidden)]
pub mod doctor;
pub mod envelope;
mod exposition;
mod facts;
#[doc(hidden)]
pub mod group;
mod harmless;
pub mod model;
#[doc(hidden)]
pub mod notify;
#[doc(hidden)]
pub mod observe;
#[doc(hidden)]
pub mod page;
pub mod plan;
pub mod random;
pub mod receiver;
#[doc(hidden)]
pub mod render;
#[doc(hidden)]
pub mod run;
#[doc(hidden)]
pub mod sandbox;
pub mod secret;
mod serving;
pub mod sign;
#[doc(hidden)]
pub mod state;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
#[doc(hidden)]
pub mod verify;
pub mod wire;
