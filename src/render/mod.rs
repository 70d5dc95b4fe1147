//! Rendering.

pub mod diagnostic;
