//! The tokens of a JSON text that is known to be valid, so that it can be rewritten without losing its order, its
//! numbers or its depth.

/// One token, as it is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{` or `[`.
    Open(char),
    /// `}` or `]`.
    Close(char),
    Colon,
    Comma,
    /// With its quotes and escapes.
    Text(&'a str),
    /// A number, `true`, `false` or `null`.
    Scalar(&'a str),
}

/// The tokens, without white space.
pub(super) fn tokens(json: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = json;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let first = rest.chars().next()?;
        let (length, token): (usize, fn(&str) -> Token<'_>) = match first {
            '{' => (1, |_| Token::Open('{')),
            '[' => (1, |_| Token::Open('[')),
            '}' => (1, |_| Token::Close('}')),
            ']' => (1, |_| Token::Close(']')),
            ':' => (1, |_| Token::Colon),
            ',' => (1, |_| Token::Comma),
            '"' => (text_length(rest), |text| Token::Text(text)),
            _ => {
                let ends = |c: char| matches!(c, ',' | ']' | '}' | ' ' | '\t' | '\r' | '\n');
                let length = rest.find(ends).unwrap_or(rest.len());
                (length.max(first.len_utf8()), |text| Token::Scalar(text))
            }
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(token(text))
    })
}

/// The same JSON without white space.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for token in tokens(json) {
        match token {
            Token::Open(c) | Token::Close(c) => out.push(c),
            Token::Colon => out.push(':'),
            Token::Comma => out.push(','),
            Token::Text(text) | Token::Scalar(text) => out.push_str(text),
        }
    }
    out
}

/// The length of the text that begins here, with its quotes.
fn text_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The same JSON on several lines, in the layout of `jq`. Each line begins with `margin`. Deep nesting is not indented
/// further, so that the length is bounded by that of the text.
pub(crate) fn indented(json: &str, margin: &str) -> String {
    const DEEPEST: usize = 16;
    let mut out = String::from(margin);
    let mut depth = 0_usize;
    let mut before = None;
    for token in tokens(json) {
        if matches!(token, Token::Close(_)) {
            depth = depth.saturating_sub(1);
        }
        let empty = matches!((before, token), (Some(Token::Open(_)), Token::Close(_)));
        let breaks = match before {
            Some(Token::Open(_)) => !empty,
            Some(Token::Comma) => true,
            _ => matches!(token, Token::Close(_)),
        };
        if breaks {
            out.push('\n');
            out.push_str(margin);
            out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
        }
        match token {
            Token::Open(c) => {
                depth += 1;
                out.push(c);
            }
            Token::Close(c) => out.push(c),
            Token::Colon => out.push_str(": "),
            Token::Comma => out.push(','),
            Token::Text(text) | Token::Scalar(text) => out.push_str(text),
        }
        before = Some(token);
    }
    out
}
