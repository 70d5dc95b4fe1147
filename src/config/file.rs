//! One file: from bytes to a tree with places. A pure function of the file alone, so that files can
//! be read side by side.

use super::raw::{Document, Fields, Kind, Loose};
use super::report::Report;
use super::source::{At, Failure, Malformed, Span, Tokens};
use super::{Source, code, conceal};
use crate::diag::Place;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The root of a file.
pub(super) type Root<'s> = At<Loose<Fields<'s, Document<'s>>>>;

/// A file as far as it could be read.
#[derive(Debug)]
pub(super) struct File<'s> {
    /// Without a byte order mark; up to the first wrong byte when it is not UTF-8.
    pub(super) text: &'s str,
    /// `None` when it is not YAML.
    pub(super) root: Option<Root<'s>>,
    pub(super) report: Report,
}

impl Source {
    /// Its text without a byte order mark, up to the first byte that is not UTF-8.
    pub(super) fn decoded(&self) -> &str {
        let bytes = self.text.strip_prefix(BOM).unwrap_or(&self.text);
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        }
    }
}

/// Reads the file with this number.
pub(super) fn open(number: u32, source: &Source) -> File<'_> {
    let mut file = File {
        text: "",
        root: None,
        report: Report::default(),
    };
    if let Some(malformed) = too_large(source) {
        file.fail(number, malformed);
        return file;
    }
    if let Some(malformed) = utf16(source) {
        file.fail(number, malformed);
        return file;
    }
    file.text = source.decoded();
    if let Some(malformed) = not_text(source, file.text) {
        file.fail(number, malformed);
        return file;
    }
    match read(file.text) {
        Ok((root, skipped)) => {
            file.root = Some(root);
            for bytes in skipped {
                file.report.hide(number, bytes);
            }
        }
        Err(malformed) => file.fail(number, *malformed),
    }
    file
}

impl File<'_> {
    /// The file can't be read.
    fn fail(&mut self, number: u32, malformed: Malformed) {
        let Malformed {
            code,
            message,
            help,
            span,
        } = malformed;
        let span = span.unwrap_or(Span {
            line: 1,
            column: 1,
            length: 1,
        });
        let place = Place {
            file: number,
            line: span.line,
            column: span.column,
        };
        // What stands there was not understood, so it is not known what of it is secret.
        self.report
            .hide(number, conceal::around(self.text, span.line));
        self.report.error(place, span.length, code, message, help);
    }
}

/// The tree, and where the scalars stand that are not in it, in bytes.
fn read(text: &str) -> Result<(Root<'_>, Vec<(u32, u32)>), Failure> {
    let Some(mut tokens) = Tokens::open(text)? else {
        let nothing = At {
            value: Loose::Not(Kind::Nothing),
            span: Span::default(),
            text: (0, 0),
        };
        return Ok((nothing, Vec::new()));
    };
    let root = At::read(&mut tokens)?;
    let skipped = tokens.skipped();
    tokens.close()?;
    Ok((root, skipped))
}

fn too_large(source: &Source) -> Option<Malformed> {
    (source.text.len() > MAX_BYTES).then(|| Malformed {
        code: code::TOO_LARGE,
        message: format!(
            "this file has {} MiB; at most {} are read",
            source.text.len().div_ceil(1 << 20),
            MAX_BYTES >> 20
        ),
        help: Some("split it into several in a directory and pass that with -f".to_owned()),
        span: None,
    })
}

fn utf16(source: &Source) -> Option<Malformed> {
    let marks = [b"\xff\xfe".as_slice(), b"\xfe\xff"];
    // Without a mark, the first character gives it away: half of it is zero.
    let zero = source.text.iter().take(2).any(|&byte| byte == 0);
    let marked = marks.iter().any(|mark| source.text.starts_with(mark));
    (marked || zero).then(|| Malformed {
        code: code::NOT_UTF8,
        message: "this file is UTF-16, not UTF-8".to_owned(),
        help: Some("save it as UTF-8".to_owned()),
        span: None,
    })
}

fn not_text(source: &Source, text: &str) -> Option<Malformed> {
    let bytes = source.text.strip_prefix(BOM).unwrap_or(&source.text);
    // The YAML crate takes a NUL for the end of the file, and the rest would be lost in silence.
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Some(Malformed {
            code: code::CONTROL_CHARACTER,
            message: "this file holds a NUL character; it may be damaged or not a text file"
                .to_owned(),
            help: None,
            span: Some(span_at(text, at)),
        });
    }
    (text.len() < bytes.len()).then(|| Malformed {
        code: code::NOT_UTF8,
        message: format!(
            "this file is not UTF-8: after this place comes the byte 0x{:02x}",
            bytes[text.len()]
        ),
        help: Some("save it as UTF-8; Chinese text saved as GBK looks like this".to_owned()),
        span: Some(span_at(text, text.len())),
    })
}

fn span_at(text: &str, offset: usize) -> Span {
    let before = &text[..offset];
    let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let crlf = before.matches("\r\n").count();
    let breaks = before.matches(['\n', '\r']).count() - crlf;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Span {
        line: small(breaks + 1),
        column: small(before[line_start..].chars().count() + 1),
        length: 1,
    }
}
