//! Reads a file, and hands over each organization as soon as it was read: as it is written, it takes many times the memory of
//! what is kept of it.

use std::borrow::Cow;

use super::document::{Document, Organization};
use super::fields::{Fields, Record as _};
use super::value::{Entries, Value};
use crate::config::yaml::{Spanned, Token, Tokens, YamlError};

/// What a file holds.
pub(crate) type Root<'t> = Spanned<Value<Fields<'t, Document<'t>>>>;
/// The handle of an organization.
pub(crate) type Key<'t> = Spanned<Cow<'t, str>>;
/// What a file says of an organization.
pub(crate) type Described<'t> = Spanned<Value<Fields<'t, Organization<'t>>>>;

/// The organizations of a file.
type All<'t> = Entries<'t, Fields<'t, Organization<'t>>>;

/// The field whose entries are handed over.
const ORGANIZATIONS: &str = "organizations";

impl<'t> Root<'t> {
    /// Reads a file, whose `organizations` are empty then.
    pub(crate) fn stream(
        tokens: &mut Tokens<'t>,
        each: &mut dyn FnMut(Key<'t>, Described<'t>),
    ) -> Result<Self, Box<YamlError>> {
        let root = tokens.next()?;
        if !matches!(root.value, Token::Mapping) {
            return Self::of(root, tokens);
        }
        let fields = Fields::read_with(tokens, |document: &mut Document<'t>, index, tokens| {
            if Document::NAMES[index] != ORGANIZATIONS {
                return document.read(index, tokens);
            }
            document.organizations = Some(organizations(tokens, each)?);
            Ok(())
        })?;
        Ok(Self {
            value: Value::Valid(fields),
            span: root.span,
            bytes: root.bytes,
        })
    }
}

fn organizations<'t>(
    tokens: &mut Tokens<'t>,
    each: &mut dyn FnMut(Key<'t>, Described<'t>),
) -> Result<Spanned<Value<All<'t>>>, Box<YamlError>> {
    let value = tokens.next()?;
    if !matches!(value.value, Token::Mapping) {
        return Spanned::of(value, tokens);
    }
    while let Some(key) = tokens.key()? {
        each(key, Spanned::read(tokens)?);
    }
    Ok(Spanned {
        value: Value::Valid(Entries(Vec::new())),
        span: value.span,
        bytes: value.bytes,
    })
}
