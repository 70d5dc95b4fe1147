//! The tokens of one document, in which aliases and variables are replaced.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, StrInput};

use super::span::{ByteRange, MAX_DEPTH, Span, Spanned, YamlError, bytes};
use crate::config::code;
use crate::config::url::authority;
use crate::config::variables::{VariableError, Variables};
use crate::model::credentials;

/// How many tokens anchors and aliases may copy, in total.
const MAX_COPIES: usize = 200_000;

#[derive(Clone, Debug)]
pub(crate) enum Token<'t> {
    /// The text, and whether it has no quotes, so that it may be a number, boolean or null.
    Scalar(Cow<'t, str>, bool),
    /// Followed by the items, then [`Token::End`].
    List,
    /// Followed by key, value, key, value, …, then [`Token::End`].
    Mapping,
    /// Of the innermost list or mapping.
    End,
}

/// An anchored list or mapping that is being read.
#[derive(Debug)]
struct OpenAnchor {
    anchor: usize,
    /// The index of its first token in the log.
    from: usize,
    /// The depth of the list or mapping.
    depth: usize,
}

/// An alias that is being read.
#[derive(Debug)]
struct Alias<'t> {
    tokens: Rc<[Spanned<Token<'t>>]>,
    next: usize,
    span: Span,
}

/// A parser that gives one token after the other.
pub(crate) struct Tokens<'t> {
    parser: Parser<'t, StrInput<'t>>,
    depth: usize,
    /// All tokens since the outermost open anchor.
    log: Vec<Spanned<Token<'t>>>,
    open: Vec<OpenAnchor>,
    anchors: BTreeMap<usize, Rc<[Spanned<Token<'t>>]>>,
    /// Never nested: in the log, aliases are replaced already.
    alias: Option<Alias<'t>>,
    copies: usize,
    text: &'t str,
    /// See [`Tokens::hidden`].
    hidden: Vec<ByteRange>,
    /// See [`Tokens::hide_from`].
    rest: Option<ByteRange>,
    variables: &'t Variables,
    /// References to variables that can't be replaced.
    variable_errors: Vec<(Span, VariableError)>,
}

/// Whether two texts are the same document, apart from layout and comments.
pub fn same_meaning(one: &str, other: &str) -> bool {
    let tokens = |text: &str| -> Option<Vec<(String, bool)>> {
        let none = Variables::default();
        let mut tokens = Tokens::open(text, &none).ok()??;
        let mut all = Vec::new();
        loop {
            let item = match tokens.next().ok()?.value {
                Token::Scalar(text, plain) => (text.into_owned(), plain),
                Token::List => ("[".to_owned(), true),
                Token::Mapping => ("{".to_owned(), true),
                Token::End => ("}".to_owned(), true),
            };
            all.push(item);
            if tokens.depth == 0 {
                return Some(all);
            }
        }
    };
    tokens(one).is_some_and(|tokens_of_one| Some(tokens_of_one) == tokens(other))
}

impl<'t> Tokens<'t> {
    /// Begins to read; `None` when there is no document in `text`.
    pub(crate) fn open(
        text: &'t str,
        variables: &'t Variables,
    ) -> Result<Option<Self>, Box<YamlError>> {
        let options = granit_parser::options! {
            flow_nesting_limit: 2 * MAX_DEPTH,
            block_nesting_limit: 2 * MAX_DEPTH,
            emit_comments: false,
        };
        let mut parser = Parser::new_from_str_with_options(text, options);
        loop {
            match parser.next_event().transpose()? {
                Some((Event::StreamStart, _)) => {}
                Some((Event::DocumentStart(..), _)) => break,
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(Self {
            parser,
            depth: 0,
            log: Vec::new(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            alias: None,
            copies: 0,
            text,
            hidden: Vec::new(),
            rest: None,
            variables,
            variable_errors: Vec::new(),
        }))
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Spanned<Token<'t>>, Box<YamlError>> {
        let (token, anchor) = match self.next_of_alias()? {
            Some(token) => (token, 0),
            None => self.next_of_parser()?,
        };
        match token.value {
            Token::List | Token::Mapping => {
                if anchor != 0 {
                    self.open.push(OpenAnchor {
                        anchor,
                        from: self.log.len(),
                        depth: self.depth,
                    });
                }
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(YamlError::too_deep(token.span));
                }
            }
            Token::End => self.depth = self.depth.saturating_sub(1),
            Token::Scalar(..) => {
                if anchor != 0 {
                    self.count(1, token.span)?;
                    self.anchors.insert(anchor, Rc::from([token.clone()]));
                }
            }
        }
        if !self.open.is_empty() {
            self.log(&token)?;
        }
        Ok(token)
    }

    /// The next key of the mapping that is being read; `None` at its end.
    pub(crate) fn key(&mut self) -> Result<Option<Spanned<Cow<'t, str>>>, Box<YamlError>> {
        let Spanned { value, span, bytes } = self.next()?;
        match value {
            Token::End => Ok(None),
            Token::Scalar(value, _) => Ok(Some(Spanned { value, span, bytes })),
            Token::List | Token::Mapping => Err(Box::new(YamlError {
                code: code::SYNTAX,
                message: "a list or mapping can't be the name of a field".to_owned(),
                help: None,
                span: Some(span),
            })),
        }
    }

    /// Skips the rest of the list or mapping that is being read. Its scalars are hidden.
    pub(crate) fn skip(&mut self) -> Result<(), Box<YamlError>> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            let token = self.next()?;
            if matches!(token.value, Token::Scalar(..)) {
                self.hidden.push(token.bytes);
            }
        }
        Ok(())
    }

    /// No excerpt shows what is written from here on.
    pub(crate) fn hide_from(&mut self, start: u32) {
        let rest = (start, u32::MAX);
        if self.rest.is_none_or(|before| before.0 > start) {
            self.rest = Some(rest);
        }
    }

    /// The scalars that no excerpt may show: those that were skipped, and those with credentials in a URL that is
    /// written with escapes or over several lines, where an excerpt would not find them.
    pub(crate) fn hidden(&mut self) -> Vec<ByteRange> {
        let mut hidden = std::mem::take(&mut self.hidden);
        hidden.extend(self.rest.take());
        hidden
    }

    /// Hides a scalar with credentials that an excerpt would not find.
    fn hide_credentials(&mut self, value: &str, span: &granit_parser::Span) {
        if !holds_credentials(value) {
            return;
        }
        let byte = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or(0);
        let written = self.text.get(byte(&span.start)..byte(&span.end));
        if !written.is_some_and(|written| written.contains(value)) {
            self.hidden.push(bytes(span));
        }
    }

    /// Text with its variables replaced; `None` when one has no value.
    pub(crate) fn expand(&mut self, text: Cow<'t, str>, span: Span) -> Option<Cow<'t, str>> {
        match self.variables.expand(text) {
            Ok(text) => Some(text),
            Err(errors) => {
                let errors = errors.into_iter().map(|error| (span, error));
                self.variable_errors.extend(errors);
                None
            }
        }
    }

    /// The references to variables that could not be replaced so far.
    pub(crate) fn variable_errors(&mut self) -> Vec<(Span, VariableError)> {
        std::mem::take(&mut self.variable_errors)
    }

    /// Reads to the end of the file, where no second document may begin.
    pub(crate) fn close(mut self) -> Result<(), Box<YamlError>> {
        while let Some((event, span)) = self.parser.next_event().transpose()? {
            if matches!(event, Event::DocumentStart(..)) {
                let message = "this file contains more than one YAML document";
                let help = "move each document to a separate file in a directory, and pass the directory with `-f`";
                return Err(Box::new(YamlError {
                    code: code::SEVERAL_DOCUMENTS,
                    message: message.to_owned(),
                    help: Some(help.to_owned()),
                    span: Some(Span::from(&span)),
                }));
            }
        }
        Ok(())
    }

    /// The next token of the alias that is being read, if there is one.
    fn next_of_alias(&mut self) -> Result<Option<Spanned<Token<'t>>>, Box<YamlError>> {
        let Some(alias) = &mut self.alias else {
            return Ok(None);
        };
        let Some(token) = alias.tokens.get(alias.next).cloned() else {
            self.alias = None;
            return Ok(None);
        };
        alias.next += 1;
        let span = alias.span;
        self.count(1, span)?;
        Ok(Some(Spanned { span, ..token }))
    }

    /// The next token of the parser, with the number of its anchor, or 0.
    fn next_of_parser(&mut self) -> Result<(Spanned<Token<'t>>, usize), Box<YamlError>> {
        loop {
            let Some((event, span)) = self.parser.next_event().transpose()? else {
                return Err(Box::new(YamlError {
                    code: code::SYNTAX,
                    message: "this is not valid YAML: unexpected end of file".to_owned(),
                    help: None,
                    span: None,
                }));
            };
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "a foreign enum; other events are not part of the document"
            )]
            let (token, anchor, tag) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    // Borrowed text is written literally in the file.
                    if let Cow::Owned(text) = &text {
                        self.hide_credentials(text, &span);
                    }
                    let plain = style == ScalarStyle::Plain && tag.is_none();
                    (Token::Scalar(text, plain), anchor, tag)
                }
                Event::SequenceStart(_, anchor, tag) => (Token::List, anchor, tag),
                Event::MappingStart(_, anchor, tag) => (Token::Mapping, anchor, tag),
                Event::SequenceEnd | Event::MappingEnd => (Token::End, 0, None),
                Event::Alias(anchor) => {
                    self.alias = Some(self.find_anchor(anchor, Span::from(&span))?);
                    if let Some(token) = self.next_of_alias()? {
                        return Ok((token, 0));
                    }
                    continue;
                }
                _ => continue,
            };
            let at = Span::from(&span);
            if tag.is_some_and(|tag| !matches!(tag.core_suffix(), Some("str" | "seq" | "map"))) {
                return Err(Box::new(YamlError {
                    code: code::SYNTAX,
                    message: "tags (`!name`) are not supported".to_owned(),
                    help: Some(
                        "put a value that begins with `!` in quotes if it is meant as text"
                            .to_owned(),
                    ),
                    span: Some(at),
                }));
            }
            let token = Spanned {
                value: token,
                span: at,
                bytes: bytes(&span),
            };
            return Ok((token, anchor));
        }
    }

    fn find_anchor(&self, anchor: usize, span: Span) -> Result<Alias<'t>, Box<YamlError>> {
        let Some(tokens) = self.anchors.get(&anchor) else {
            return Err(Box::new(YamlError {
                code: code::BLOWS_UP,
                message: "this alias is inside the value of its own anchor".to_owned(),
                help: Some("write the value out".to_owned()),
                span: Some(span),
            }));
        };
        Ok(Alias {
            tokens: Rc::clone(tokens),
            next: 0,
            span,
        })
    }

    /// Keeps a token for the open anchors.
    fn log(&mut self, token: &Spanned<Token<'t>>) -> Result<(), Box<YamlError>> {
        self.count(1, token.span)?;
        self.log.push(token.clone());
        while let Some(OpenAnchor { anchor, from, .. }) = self
            .open
            .pop_if(|open| open.depth == self.depth && matches!(token.value, Token::End))
        {
            self.count(self.log.len() - from, token.span)?;
            self.anchors.insert(anchor, Rc::from(&self.log[from..]));
        }
        if self.open.is_empty() {
            self.log.clear();
        }
        Ok(())
    }

    fn count(&mut self, copies: usize, span: Span) -> Result<(), Box<YamlError>> {
        self.copies += copies;
        if self.copies > MAX_COPIES {
            return Err(YamlError::too_deep(span));
        }
        Ok(())
    }
}

/// Whether a URL in this text has a credential, or a user name or password.
fn holds_credentials(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let url = &text[at..];
        !credentials(url).is_empty() || authority(url).is_some_and(|(_, host)| host.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tokens, one character each: `[`, `{`, `/` or the text of a scalar.
    fn read(text: &str) -> Result<String, &'static str> {
        let variables = Variables::default();
        let mut tokens = match Tokens::open(text, &variables) {
            Ok(Some(tokens)) => tokens,
            Ok(None) => return Ok(String::new()),
            Err(failure) => return Err(failure.code.0),
        };
        let mut all = String::new();
        loop {
            match tokens.next().map_err(|failure| failure.code.0)?.value {
                Token::Scalar(text, true) => all.push_str(&text),
                Token::Scalar(text, false) => all.extend(["'", &text, "'"]),
                Token::List => all.push('['),
                Token::Mapping => all.push('{'),
                Token::End => all.push('/'),
            }
            all.push(' ');
            if tokens.depth == 0 {
                tokens.close().map_err(|failure| failure.code.0)?;
                return Ok(all.trim_end().to_owned());
            }
        }
    }

    #[test]
    fn a_document_is_its_tokens() {
        assert_eq!(
            read("a: [1, \"2\"]\nb: {c: ~}"),
            Ok("{ a [ 1 '2' / b { c ~ / /".to_owned())
        );
        assert_eq!(read("# nothing"), Ok(String::new()));
        assert_eq!(read("!!str 1"), Ok("'1'".to_owned()));
    }

    #[test]
    fn aliases_are_replaced_also_inside_anchors() {
        let text = "a: &a [x]\nb: &b [*a, {y: *a}]\nc: *b\nd: &d v\ne: *d";
        assert_eq!(
            read(text).as_deref(),
            Ok("{ a [ x / b [ [ x / { y [ x / / / c [ [ x / { y [ x / / / d v e v /")
        );
    }

    #[test]
    fn an_alias_has_its_own_span_and_the_bytes_of_the_anchored_value() {
        let variables = Variables::default();
        let mut tokens = Tokens::open("[&a secret,\n *a]", &variables)
            .expect("YAML")
            .expect("a document");
        let all: Vec<_> = (0..3).map(|_| tokens.next().expect("a token")).collect();
        assert_eq!((all[1].span.line, all[1].bytes), (1, (4, 10)));
        assert_eq!((all[2].span.line, all[2].bytes), (2, (4, 10)));
    }

    #[test]
    fn hostile_documents_end_in_an_error() {
        let deep = "[".repeat(100_000);
        let deep_block = "- ".repeat(100_000);
        let first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        let laughs = (1..20).fold(first, |text, level| {
            let last = vec![format!("*a{}", level - 1); 10].join(", ");
            format!("{text}a{level}: &a{level} [{last}]\n")
        });
        assert_eq!(read(&deep), Err("E006"));
        assert_eq!(read(&deep_block), Err("E006"));
        assert_eq!(read(&laughs), Err("E006"));
        assert_eq!(read("a: &a [*a]"), Err("E006"));
        assert_eq!(read("a: *a"), Err("E001"));
        assert_eq!(read("a: !x y"), Err("E001"));
        assert_eq!(read("a: [b"), Err("E001"));
        assert_eq!(read("a\n---\nb"), Err("E005"));
    }
}
