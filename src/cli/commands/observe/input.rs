//! Files of receipts: read line by line, merged by time, so that memory does not grow with them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::cli::exit::Failure;
use crate::model::Timestamp;
use crate::observe::Observer;
use crate::observe::gaps::Source;
use crate::receiver::{MAX_RECEIPT_BODY, Receipt};

/// The longest line: an escaped body and little else.
const LONGEST: u64 = 6 * MAX_RECEIPT_BODY as u64 + (64 << 10);

/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// A file that is read.
pub(super) struct Input {
    name: String,
    source: Source,
    lines: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

/// A line, or that there was one.
enum Line {
    Receipt(Box<Receipt>),
    Unreadable,
}

/// Opens the files.
///
/// # Errors
///
/// One can't be opened, or is given twice.
pub(super) fn open(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut sources: BTreeMap<String, usize> = BTreeMap::new();
    let mut inputs: Vec<Input> = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        if inputs.iter().any(|input| input.name == name) {
            let message = format!("`{name}` is given twice");
            return Err(Failure::usage(message));
        }
        let next = sources.len();
        let name_of = name.strip_prefix("./").unwrap_or(&name);
        let source = *sources
            .entry(receiver_of(name_of).to_owned())
            .or_insert(next);
        let failed = |error: io::Error| {
            Failure::error(format!("the receipts `{name}` can't be read: {error}"))
        };
        let mut plain: Box<dyn BufRead + Send> = if path == Path::new("-") {
            Box::new(BufReader::with_capacity(BUFFER, io::stdin()))
        } else {
            let file = File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(failed(io::Error::other("it is a folder")));
            }
            Box::new(BufReader::with_capacity(BUFFER, file))
        };
        let is_compressed = plain.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let lines: Box<dyn BufRead + Send> = if is_compressed {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain)))
        } else {
            plain
        };
        inputs.push(Input {
            name,
            source: Source(source),
            lines,
            line: Vec::new(),
        });
    }
    Ok(inputs)
}

/// Gives all receipts to the observer, in the order in which they were received if each file has them in order.
///
/// # Errors
///
/// A file can't be read to its end.
pub(super) fn read(
    mut inputs: Vec<Input>,
    observer: &mut Observer,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut next: Vec<Option<Box<Receipt>>> = Vec::new();
    let mut queue = BinaryHeap::new();
    for (number, input) in inputs.iter_mut().enumerate() {
        let receipt = input.next(observer)?;
        queue.extend(receipt.as_ref().map(|it| Reverse((it.received_at, number))));
        next.push(receipt);
    }
    while let Some(Reverse((_, number))) = queue.pop() {
        let (Some(place), Some(input)) = (next.get_mut(number), inputs.get_mut(number)) else {
            break;
        };
        if let Some(receipt) = place.take() {
            observer.take(input.source, &receipt, now);
        }
        *place = input.next(observer)?;
        queue.extend(place.as_ref().map(|it| Reverse((it.received_at, number))));
    }
    Ok(())
}

impl Input {
    /// The next receipt. What is none is counted.
    fn next(&mut self, observer: &mut Observer) -> Result<Option<Box<Receipt>>, Failure> {
        loop {
            let line = self.line().map_err(|error| {
                Failure::error(format!(
                    "the receipts `{}` can't be read to their end: {error}",
                    self.name
                ))
                .advice(
                    "Nothing was recorded. If the file is damaged, give what can be read of it.",
                )
            })?;
            match line {
                None => return Ok(None),
                Some(Line::Receipt(receipt)) => return Ok(Some(receipt)),
                Some(Line::Unreadable) => observer.unreadable(),
            }
        }
    }

    fn line(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.line.clear();
            let length = (&mut self.lines)
                .take(LONGEST)
                .read_until(b'\n', &mut self.line)?;
            if length == 0 {
                return Ok(None);
            }
            let whole = self.line.ends_with(b"\n");
            if !whole && length as u64 == LONGEST {
                self.skip_line()?;
                return Ok(Some(Line::Unreadable));
            }
            let text = self
                .line
                .strip_prefix(b"\xef\xbb\xbf")
                .unwrap_or(&self.line);
            let text = text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let receipt = std::str::from_utf8(text).ok();
            let receipt = receipt.and_then(|text| Receipt::parse(text).ok());
            return Ok(Some(match receipt {
                Some(receipt) => Line::Receipt(Box::new(receipt)),
                None => Line::Unreadable,
            }));
        }
    }

    /// The rest of a line that is too long.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.lines.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.lines.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

/// What the names of files of receipts end with.
const ENDINGS: [&str; 5] = [".jsonl", ".ndjson", ".json", ".log", ".txt"];

/// The name of a file without what rotation adds: `a.jsonl-20260901.gz` and `a.jsonl.1` are of `a.jsonl`.
fn receiver_of(name: &str) -> &str {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let number = |c: char| c.is_ascii_digit() || c == '-';
    let rotated = plain
        .trim_end_matches(number)
        .strip_suffix('.')
        .unwrap_or_else(|| plain.trim_end_matches(number));
    if ENDINGS.iter().any(|ending| rotated.ends_with(ending)) {
        rotated
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_of_one_receiver_and_others_are_not() {
        for (name, receiver) in [
            ("logs/a.jsonl", "logs/a.jsonl"),
            ("logs/a.jsonl.1", "logs/a.jsonl"),
            ("logs/a.jsonl.12.gz", "logs/a.jsonl"),
            ("logs/a.jsonl-20260901.gz", "logs/a.jsonl"),
            ("logs/a.jsonl-2026-09-01", "logs/a.jsonl"),
            ("node-1", "node-1"),
            ("node-2.jsonl", "node-2.jsonl"),
            ("receipts.2025", "receipts.2025"),
            ("10.0.0.1", "10.0.0.1"),
            ("host2.gz", "host2"),
            ("-", "-"),
        ] {
            assert_eq!(receiver_of(name), receiver, "{name}");
        }
    }
}
