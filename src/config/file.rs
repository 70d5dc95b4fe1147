//! One file: from bytes to its raw tree.

use super::code;
use super::raw::{Described, Key, Kind, Root, Value};
use super::read::{Reader, SecretTable, UnresolvedOrganization};
use super::report::{Report, concealed};
use super::source::{BOM, Source};
use super::variables::Variables;
use super::yaml::{Span, Spanned, Tokens, YamlError};
use crate::diag::{Diagnostic, Place, Severity};
use crate::model::AccountName;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// What to do about a larger one.
const SPLIT: &str = "split it into several files in a directory, and pass the directory with `-f`";

/// With so many errors in a file, the organizations that follow are not checked.
const MOST_ERRORS: usize = 100;

/// A file, as far as it could be read.
#[derive(Debug)]
pub(super) struct File<'s> {
    /// Without a byte order mark; up to the first wrong byte when it is not UTF-8.
    pub(super) text: &'s str,
    /// `None` when the file is not YAML.
    pub(super) root: Option<Root<'s>>,
    /// Those without an error in the handle, in the order of the file.
    pub(super) organizations: Vec<UnresolvedOrganization>,
    pub(super) report: Report,
}

/// Reads the file with this number. All files share the name of the default account, and the secrets.
pub(super) fn read<'s>(
    number: u32,
    source: &'s Source,
    variables: &'s Variables,
    (default_account, secrets): (&AccountName, &mut SecretTable),
) -> File<'s> {
    let mut report = Report::default();
    let (text, read) = match check_encoding(source) {
        Ok(text) => {
            let mut organizations = Organizations {
                file: number,
                text,
                default_account,
                secrets,
                report: Report::default(),
                read: Vec::new(),
                unread: 0,
            };
            let root = parse(number, text, variables, &mut report, &mut organizations);
            (text, root.map(|root| (root, organizations)))
        }
        Err((text, error)) => (text, Err(error)),
    };
    let (root, organizations) = match read {
        Ok((root, organizations)) => (Some(root), organizations.finish(&mut report)),
        Err(error) => {
            fail(number, text, *error, &mut report);
            (None, Vec::new())
        }
    };
    File {
        text,
        root,
        organizations,
        report,
    }
}

/// The organizations of a file, as far as it was read.
struct Organizations<'r, 's> {
    file: u32,
    text: &'s str,
    default_account: &'r AccountName,
    secrets: &'r mut SecretTable,
    /// Counts only if the whole file is YAML.
    report: Report,
    read: Vec<UnresolvedOrganization>,
    /// How many were not checked.
    unread: usize,
}

impl<'s> Organizations<'_, 's> {
    fn add(&mut self, handle: &Key<'s>, value: Described<'s>) {
        if self.report.error_count() >= MOST_ERRORS {
            if self.unread == 0 {
                // What was not looked at may hold secrets.
                self.report.hide(self.file, (handle.bytes.0, u32::MAX));
            }
            self.unread += 1;
            return;
        }
        let mut reader = Reader {
            report: &mut self.report,
            file: self.file,
            text: self.text,
        };
        let read = reader.organization(handle, value, self.default_account, self.secrets);
        self.read.extend(read);
    }

    /// What was read. Its problems go to the report.
    fn finish(mut self, report: &mut Report) -> Vec<UnresolvedOrganization> {
        if self.unread > 0 {
            let what = if self.unread == 1 {
                "one more organization is".to_owned()
            } else {
                format!("{} more organizations are", self.unread)
            };
            self.report.add_to_last_error(&format!(
                " (there are so many errors that {what} not checked)"
            ));
        }
        report.append(self.report);
        self.read
    }
}

fn parse<'s>(
    number: u32,
    text: &'s str,
    variables: &'s Variables,
    report: &mut Report,
    organizations: &mut Organizations<'_, 's>,
) -> Result<Root<'s>, Box<YamlError>> {
    let Some(mut tokens) = Tokens::open(text, variables)? else {
        return Ok(Spanned {
            value: Value::WrongType(Kind::Null),
            span: Span::default(),
            bytes: (0, 0),
        });
    };
    let root = Root::stream(&mut tokens, &mut |handle, value| {
        organizations.add(&handle, value);
    })?;
    let hidden = tokens.hidden();
    let errors = tokens.variable_errors();
    tokens.close()?;
    let mut reader = Reader {
        report,
        file: number,
        text,
    };
    for bytes in hidden {
        reader.hide(bytes);
    }
    for (span, error) in errors {
        reader.error(span, error.code, error.message, Some(error.help));
    }
    Ok(root)
}

/// Reports that the file can't be read.
fn fail(number: u32, text: &str, error: YamlError, report: &mut Report) {
    let YamlError {
        code,
        message,
        help,
        span,
    } = error;
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
    report.hide(number, concealed(text, span.line));
    report.error(place, span.length, code, message, help);
}

/// The text of a file; an error also has the text before the first wrong byte.
fn check_encoding(source: &Source) -> Result<&str, (&str, Box<YamlError>)> {
    if let Some(error) = too_large(source).or_else(|| utf16(source)) {
        return Err(("", Box::new(error)));
    }
    let text = source.decoded();
    match not_text(source, text) {
        Some(error) => Err((text, Box::new(error))),
        None => Ok(text),
    }
}

fn too_large(source: &Source) -> Option<YamlError> {
    // Whoever reads it stops there, so how much it is is not known.
    (source.text.len() > MAX_BYTES).then(|| YamlError {
        code: code::TOO_LARGE,
        message: format!("this file has more than {} MiB", MAX_BYTES >> 20),
        help: Some(SPLIT.to_owned()),
        span: None,
    })
}

/// What is wrong with a file of this name that was not read, because it has so many bytes.
pub(crate) fn oversized(name: &str, bytes: u64) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: code::TOO_LARGE,
        message: format!(
            "`{name}` has {} MiB; at most {} MiB are allowed",
            bytes.div_ceil(1 << 20),
            MAX_BYTES >> 20
        ),
        snippet: None,
        help: Some(SPLIT.to_owned()),
    }
}

fn utf16(source: &Source) -> Option<YamlError> {
    let marks = [b"\xff\xfe".as_slice(), b"\xfe\xff"];
    // Without a mark: one byte of the first character is zero.
    let zero = source.text.iter().take(2).any(|&byte| byte == 0);
    let marked = marks.iter().any(|mark| source.text.starts_with(mark));
    (marked || zero).then(|| YamlError {
        code: code::NOT_UTF8,
        message: "this file is UTF-16, not UTF-8".to_owned(),
        help: Some("save it as UTF-8".to_owned()),
        span: None,
    })
}

fn not_text(source: &Source, text: &str) -> Option<YamlError> {
    let bytes = source.text.strip_prefix(BOM).unwrap_or(&source.text);
    // The YAML crate takes a NUL for the end of the file, and would ignore the rest.
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Some(YamlError {
            code: code::CONTROL_CHARACTER,
            message: "this file contains a NUL character; it may be damaged or not a text file"
                .to_owned(),
            help: None,
            span: Some(span_at(text, at)),
        });
    }
    (text.len() < bytes.len()).then(|| YamlError {
        code: code::NOT_UTF8,
        message: format!(
            "this file is not UTF-8: the next byte is 0x{:02x}",
            bytes[text.len()]
        ),
        help: Some("save it as UTF-8; it may be Chinese text in GBK".to_owned()),
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
