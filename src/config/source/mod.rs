//! The one place that knows the YAML crate: text in, tokens with places out.
//!
//! The crate's parser is used without its serde layer. That layer takes as long as the parser itself,
//! gives no places of keys, and stops at the first value of a wrong type, while here every problem
//! is reported at once.
//!
//! Limits are tight, so that a hostile file (nested a hundred thousand deep, or blown up by aliases)
//! ends in an error and not in a stack overflow or a full memory.
//!
//! Invariant: a [`Malformed`] says nothing that stands in the file, so it can't give a secret away.

mod place;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, StrInput};

use super::code;
use super::url::authority;
use super::variables::{Expanded, Fault, Variables};
use crate::model::credentials;

pub(super) use place::{At, Failure, Malformed, Span, Start};

/// The deepest nesting that is read. A complete configuration needs seven levels.
pub(in crate::config) const MAX_DEPTH: usize = 32;

/// How many tokens are kept of anchored values and taken from them by aliases, all in all.
const MAX_COPIES: usize = 200_000;

/// A piece of a document.
#[derive(Clone, Debug)]
pub(in crate::config) enum Token<'t> {
    /// Its text, and whether it stands without quotes, so that it may be a number and the like.
    Scalar(Cow<'t, str>, bool),
    /// The items follow, then [`Token::End`].
    List,
    /// Key, value, key, value, …, then [`Token::End`].
    Mapping,
    /// Of the innermost list or mapping.
    End,
}

/// An anchored list or mapping that is being read.
#[derive(Debug)]
struct Open {
    anchor: usize,
    /// Where it begins in the log.
    from: usize,
    /// How deep it stands.
    depth: usize,
}

/// An alias that is being read.
#[derive(Debug)]
struct Replay<'t> {
    tokens: Rc<[At<Token<'t>>]>,
    next: usize,
    site: Span,
}

/// The tokens of one document, aliases replaced by what they stand for.
pub(in crate::config) struct Tokens<'t> {
    parser: Parser<'t, StrInput<'t>>,
    start: Start,
    depth: usize,
    /// All tokens since the outermost open anchor.
    log: Vec<At<Token<'t>>>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<[At<Token<'t>>]>>,
    /// Never nested: what is logged has its aliases replaced already.
    replay: Option<Replay<'t>>,
    copies: usize,
    text: &'t str,
    /// Where scalars stand that were passed over or that hold credentials out of sight, in bytes.
    hidden: Vec<(u32, u32)>,
    variables: &'t Variables,
    /// References to variables that can't be replaced, and where they stand.
    faults: Vec<(Span, Fault)>,
}

/// Whether two texts are the same document but for layout, comments and quotes.
pub fn same_meaning(one: &str, other: &str) -> bool {
    let tokens = |text: &str| -> Option<Vec<(String, bool)>> {
        let nothing = Variables::default();
        let mut tokens = Tokens::open(text, Start::default(), &nothing).ok()??;
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
    /// Begins to read what stands at `start` of a file; `None` when there is no document in `text`.
    pub(in crate::config) fn open(
        text: &'t str,
        start: Start,
        variables: &'t Variables,
    ) -> Result<Option<Self>, Failure> {
        let options = granit_parser::options! {
            flow_nesting_limit: 2 * MAX_DEPTH,
            block_nesting_limit: 2 * MAX_DEPTH,
            emit_comments: false,
        };
        let mut parser = Parser::new_from_str_with_options(text, options);
        loop {
            match parser
                .next_event()
                .transpose()
                .map_err(|error| start.malformed(&error))?
            {
                Some((Event::StreamStart, _)) => {}
                Some((Event::DocumentStart(..), _)) => break,
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(Self {
            parser,
            start,
            depth: start.depth,
            log: Vec::new(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            replay: None,
            copies: 0,
            text,
            hidden: Vec::new(),
            variables,
            faults: Vec::new(),
        }))
    }

    /// The next token.
    pub(in crate::config) fn next(&mut self) -> Result<At<Token<'t>>, Failure> {
        let (token, anchor) = match self.replayed()? {
            Some(token) => (token, 0),
            None => self.parsed()?,
        };
        match token.value {
            Token::List | Token::Mapping => {
                if anchor != 0 {
                    self.open.push(Open {
                        anchor,
                        from: self.log.len(),
                        depth: self.depth,
                    });
                }
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(too_much(token.span));
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
    pub(in crate::config) fn key(&mut self) -> Result<Option<At<Cow<'t, str>>>, Failure> {
        let At { value, span, text } = self.next()?;
        match value {
            Token::End => Ok(None),
            Token::Scalar(value, _) => Ok(Some(At { value, span, text })),
            Token::List | Token::Mapping => Err(Box::new(Malformed {
                code: code::SYNTAX,
                message: "a list or mapping can't be the name of a field".to_owned(),
                help: None,
                span: Some(span),
            })),
        }
    }

    /// Passes over the rest of the list or mapping that is being read.
    pub(in crate::config) fn skip(&mut self) -> Result<(), Failure> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            let token = self.next()?;
            if matches!(token.value, Token::Scalar(..)) {
                self.hidden.push(token.text);
            }
        }
        Ok(())
    }

    /// Where scalars stand that no excerpt may show, in bytes: those that [`skip`](Self::skip) passed over,
    /// at which nobody has looked, and those with credentials in a URL that can't be found in the text,
    /// because it is written with escapes or over several lines.
    pub(in crate::config) fn hidden(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.hidden)
    }

    /// Hides a scalar whose credentials an excerpt would not know again.
    fn look_at(&mut self, value: &str, span: &granit_parser::Span) {
        if !holds_credentials(value) {
            return;
        }
        let byte = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or(0);
        let written = self.text.get(byte(&span.start)..byte(&span.end));
        if !written.is_some_and(|written| written.contains(value)) {
            self.hidden.push(self.start.bytes(span));
        }
    }

    /// Text with its variables replaced; `None` when one has no value.
    pub(in crate::config) fn expand(
        &mut self,
        text: Cow<'t, str>,
        span: Span,
    ) -> Option<Cow<'t, str>> {
        match self.variables.expand(text) {
            Expanded::Text(text) => Some(text),
            Expanded::Wrong(faults) => {
                self.faults
                    .extend(faults.into_iter().map(|fault| (span, fault)));
                None
            }
        }
    }

    /// What was wrong with the variables that were met so far.
    pub(in crate::config) fn faults(&mut self) -> Vec<(Span, Fault)> {
        std::mem::take(&mut self.faults)
    }

    /// Whether anchors or aliases were met so far, so that one part of the text depends on another.
    pub(in crate::config) const fn has_anchors(&self) -> bool {
        self.copies > 0
    }

    /// Makes sure that nothing follows the document.
    pub(in crate::config) fn close(mut self) -> Result<(), Failure> {
        while let Some((event, span)) = self
            .parser
            .next_event()
            .transpose()
            .map_err(|error| self.start.malformed(&error))?
        {
            if matches!(event, Event::DocumentStart(..)) {
                let message = "a file may hold one YAML document, but here a second one begins";
                let help = "move it to a file of its own in a directory and pass that with -f";
                return Err(Box::new(Malformed {
                    code: code::SEVERAL_DOCUMENTS,
                    message: message.to_owned(),
                    help: Some(help.to_owned()),
                    span: Some(self.start.place(&span)),
                }));
            }
        }
        Ok(())
    }

    fn replayed(&mut self) -> Result<Option<At<Token<'t>>>, Failure> {
        let Some(replay) = &mut self.replay else {
            return Ok(None);
        };
        let Some(token) = replay.tokens.get(replay.next).cloned() else {
            self.replay = None;
            return Ok(None);
        };
        replay.next += 1;
        let span = replay.site;
        self.count(1, span)?;
        Ok(Some(At { span, ..token }))
    }

    /// From the parser, with the number of its anchor, or 0.
    fn parsed(&mut self) -> Result<(At<Token<'t>>, usize), Failure> {
        loop {
            let event = self
                .parser
                .next_event()
                .transpose()
                .map_err(|error| self.start.malformed(&error))?;
            let Some((event, span)) = event else {
                return Err(Box::new(Malformed {
                    code: code::SYNTAX,
                    message: "this is not valid YAML: it ends too early".to_owned(),
                    help: None,
                    span: None,
                }));
            };
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "a foreign enum; the rest tells nothing of the document"
            )]
            let (token, anchor, tag) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    // What is borrowed is written as it is.
                    if let Cow::Owned(text) = &text {
                        self.look_at(text, &span);
                    }
                    let plain = style == ScalarStyle::Plain && tag.is_none();
                    (Token::Scalar(text, plain), anchor, tag)
                }
                Event::SequenceStart(_, anchor, tag) => (Token::List, anchor, tag),
                Event::MappingStart(_, anchor, tag) => (Token::Mapping, anchor, tag),
                Event::SequenceEnd | Event::MappingEnd => (Token::End, 0, None),
                Event::Alias(anchor) => {
                    self.replay = Some(self.alias(anchor, self.start.place(&span))?);
                    if let Some(token) = self.replayed()? {
                        return Ok((token, 0));
                    }
                    continue;
                }
                _ => continue,
            };
            let at = self.start.place(&span);
            if tag.is_some_and(|tag| !matches!(tag.core_suffix(), Some("str" | "seq" | "map"))) {
                return Err(Box::new(Malformed {
                    code: code::SYNTAX,
                    message: "tags (`!name`) have no meaning here".to_owned(),
                    help: Some(
                        "put a value that begins with `!` in quotes if it is meant as text"
                            .to_owned(),
                    ),
                    span: Some(at),
                }));
            }
            let token = At {
                value: token,
                span: at,
                text: self.start.bytes(&span),
            };
            return Ok((token, anchor));
        }
    }

    fn alias(&self, anchor: usize, site: Span) -> Result<Replay<'t>, Failure> {
        let Some(tokens) = self.anchors.get(&anchor) else {
            return Err(Box::new(Malformed {
                code: code::BLOWS_UP,
                message: "this alias stands inside the value it names, which would never end"
                    .to_owned(),
                help: Some("write the value out".to_owned()),
                span: Some(site),
            }));
        };
        Ok(Replay {
            tokens: Rc::clone(tokens),
            next: 0,
            site,
        })
    }

    /// Keeps a token for the anchors it belongs to.
    fn log(&mut self, token: &At<Token<'t>>) -> Result<(), Failure> {
        self.count(1, token.span)?;
        self.log.push(token.clone());
        while let Some(Open { anchor, from, .. }) = self
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

    fn count(&mut self, copies: usize, span: Span) -> Result<(), Failure> {
        self.copies += copies;
        if self.copies > MAX_COPIES {
            return Err(too_much(span));
        }
        Ok(())
    }
}

/// Whether a URL in this text holds what is masked in one, or a user name or password.
fn holds_credentials(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let url = &text[at..];
        !credentials(url).is_empty() || authority(url).is_some_and(|(_, host)| host.contains('@'))
    })
}

#[expect(
    clippy::unnecessary_box_returns,
    reason = "failures are boxed everywhere"
)]
fn too_much(span: Span) -> Failure {
    Box::new(Malformed {
        code: code::BLOWS_UP,
        message: format!(
            "the file is nested deeper than {MAX_DEPTH} levels or its aliases blow it up"
        ),
        help: Some(
            "write the values out, or split the file into several in a directory".to_owned(),
        ),
        span: Some(span),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tokens, one character each: `[`, `{`, `/` or the text of a scalar.
    fn read(text: &str) -> Result<String, &'static str> {
        let variables = Variables::default();
        let mut tokens = match Tokens::open(text, Start::default(), &variables) {
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
    fn an_alias_knows_where_it_stands_and_where_its_text_does() {
        let variables = Variables::default();
        let mut tokens = Tokens::open("[&a secret,\n *a]", Start::default(), &variables)
            .expect("YAML")
            .expect("a document");
        let all: Vec<_> = (0..3).map(|_| tokens.next().expect("a token")).collect();
        assert_eq!((all[1].span.line, all[1].text), (1, (4, 10)));
        assert_eq!((all[2].span.line, all[2].text), (2, (4, 10)));
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
