//! The document if there is no plan, because of errors: it has the diagnostics and no changes.

use std::io::{self, Write};

use serde::Serialize;

use super::FORMAT_VERSION;
use super::write::write_sealed;
use crate::diag::Diagnostic;

/// Writes a document with these errors, and without changes.
pub fn write_errored(diagnostics: &[Diagnostic], out: impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct NoPlan<'a> {
        format_version: &'static str,
        applyable: bool,
        errored: bool,
        changes: [(); 0],
        diagnostics: &'a [Diagnostic],
    }
    let document = NoPlan {
        format_version: FORMAT_VERSION,
        applyable: false,
        errored: true,
        changes: [],
        diagnostics,
    };
    write_sealed(&document, out)
}
