//! JSON in which invisible and command characters are escaped. It parses to the same values.

use std::io::{self, Write};

use serde_json::ser::{Formatter, PrettyFormatter};

use super::characters::is_treacherous;

/// A compact format.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Json;

impl Formatter for Json {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_fragment(writer, fragment)
    }
}

/// An indented format.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrettyJson(PrettyFormatter<'static>);

impl Formatter for PrettyJson {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_fragment(writer, fragment)
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Writes a part of a string that JSON itself does not escape.
pub(crate) fn write_fragment<W: Write + ?Sized>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let ordinary = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b'#';
    if fragment.bytes().all(ordinary) {
        return writer.write_all(fragment.as_bytes());
    }
    let mut clean_from = 0;
    let mut last = ' ';
    for (at, c) in fragment.char_indices() {
        let escaped = is_treacherous(c) || (c == '#' && last == '#');
        last = if escaped { ' ' } else { c };
        if !escaped {
            continue;
        }
        writer.write_all(&fragment.as_bytes()[clean_from..at])?;
        clean_from = at + c.len_utf8();
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
    }
    writer.write_all(&fragment.as_bytes()[clean_from..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize as _;

    use super::*;
    use crate::harmless::is_command;

    fn written(text: &str, formatter: impl Formatter) -> String {
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        [text].serialize(&mut serializer).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_acts_is_escaped() {
        let json = written("a\u{9b}\u{e0041}中\n\"##[x]", Json);
        assert_eq!(json, r##"["a\u009b\udb40\udc41中\n\"#\u0023[x]"]"##);
    }

    proptest! {
        #[test]
        fn json_means_the_same_and_holds_no_command(
            text in "([#:~+^-]{2,3}|\\[|vso|[ \r\n\t\"\\\\\u{202e}\u{7f}中a]){0,9}",
        ) {
            for json in [written(&text, Json), written(&text, PrettyJson::default())] {
                prop_assert!(!json.lines().any(is_command), "{json}");
                prop_assert!(!json.contains(|c| c != '\n' && is_treacherous(c)), "{json:?}");
                prop_assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text.clone()]);
            }
        }
    }
}
