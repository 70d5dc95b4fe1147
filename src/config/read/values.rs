//! Values of fields: ids, names, keywords and secret references.

use std::borrow::Cow;
use std::sync::Arc;

use super::reader::Reader;
use super::templates::Names;
use crate::config::code;
use crate::config::name::{closest, is_id, is_name, is_variable, listed, shown};
use crate::config::placeholder;
use crate::config::raw::{Kind, List, MaybeSecret, Reference, Text, Value};
use crate::config::secret::is_reserved;
use crate::config::yaml::Spanned;
use crate::diag::Place;
use crate::model::{Adoption, Environment, OperatorId};
use crate::secret::SecretReference;

/// The length of a `UserId` at eSign.
const USER_ID_LENGTH: usize = 32;

impl Reader<'_> {
    /// An id from eSign.
    pub(crate) fn id(
        &mut self,
        name: &str,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<Arc<str>> {
        let Spanned { value, span, .. } = self.text(name, value)?;
        if let Some(placeholder) = placeholder::in_secret(&value) {
            let message = format!(
                "`{name}` is a placeholder (`{}`), not an id",
                placeholder.written()
            );
            let help = "copy the id from the eSign console".to_owned();
            self.error(span, code::ID, message, Some(help));
            return None;
        }
        if is_id(&value) {
            return Some(Arc::from(value));
        }
        self.error(
            span,
            code::ID,
            format!("`{name}` must be one or more visible ASCII characters"),
            Some("copy the id from the eSign console, without spaces".to_owned()),
        );
        None
    }

    /// The employee in whose name calls are made, and the place of the id.
    pub(crate) fn operator(
        &mut self,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<(OperatorId, Place)> {
        let place = self.place(value.as_ref()?.span);
        let id = self.id("operator", value)?;
        if id.len() != USER_ID_LENGTH {
            self.report.warning(
                place,
                id.len(),
                code::OPERATOR_LENGTH,
                format!(
                    "this operator has {} characters; the UserIds of eSign have {USER_ID_LENGTH}",
                    id.len()
                ),
                "copy the UserId of the employee from the eSign console; a phone number or name \
                 does not work",
            );
        }
        Some((OperatorId::new(id), place))
    }

    /// A name that the user chooses. `what` describes it in messages.
    pub(crate) fn name(&mut self, what: &str, value: &Spanned<Cow<'_, str>>) -> Option<Arc<str>> {
        if is_name(&value.value) {
            return Some(Arc::from(value.value.as_ref()));
        }
        let message = if value.value.is_empty() {
            format!("{what} must not be empty")
        } else {
            format!("`{}` can't be {what}", shown(&value.value))
        };
        let help = "remove white space, invisible characters, and `/ \\ * ? [ ]`, which have a special \
                    meaning in addresses";
        self.error(value.span, code::NAME, message, Some(help.to_owned()));
        None
    }

    /// The meaning of one of a few keywords, and its place.
    fn word<T: Copy>(
        &mut self,
        name: &str,
        value: Option<Spanned<Value<Text<'_>>>>,
        words: &[(&str, T)],
    ) -> Option<(T, Place)> {
        let Spanned { value, span, .. } = self.text(name, value)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == value) {
            return Some((*meaning, self.place(span)));
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let help = closest(&value, &known).map_or_else(
            || format!("write one of {}", listed(&known)),
            |close| format!("did you mean `{close}`?"),
        );
        self.error(
            span,
            code::UNKNOWN_VALUE,
            format!("unknown value `{}` of `{name}`", shown(&value)),
            Some(help),
        );
        None
    }

    pub(crate) fn environment(
        &mut self,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<(Environment, Place)> {
        let words = [Environment::Production, Environment::Test];
        self.word(
            "environment",
            value,
            &words.map(|word| (word.as_str(), word)),
        )
    }

    pub(crate) fn adoption(
        &mut self,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<(Adoption, Place)> {
        let words = [("keep", Adoption::Keep), ("replace", Adoption::Replace)];
        self.word("adoption", value, &words)
    }

    /// The secret reference in `name` (`key` or `token`).
    pub(crate) fn reference(
        &mut self,
        name: &str,
        value: Option<Spanned<Value<MaybeSecret<'_, Reference<'_>>>>>,
        names: Names<'_>,
    ) -> Option<(SecretReference, Place)> {
        let Spanned { value, span, bytes } = self.field(name, value)?;
        let fields = match value {
            MaybeSecret::Mapping(fields) => *fields,
            MaybeSecret::Other(literal) => {
                for bytes in literal.scalars(bytes) {
                    self.hide(bytes);
                }
                let (code, message) = if literal.is_scalar {
                    let message = format!("`{name}` is a secret in clear text");
                    (code::LITERAL_SECRET, message)
                } else {
                    let message = format!("`{name}` must be a secret reference");
                    (code::SECRET_REFERENCE, message)
                };
                self.error(span, code, message, Some(write_a_reference(name)));
                return None;
            }
        };
        let unexpected = fields.unexpected.len();
        let reference = self.fields("a secret reference", fields);
        let Reference { env, file, command } = self.substitute_in_reference(reference, names);
        let given = [env.is_some(), file.is_some(), command.is_some()];
        let reference = match given.iter().filter(|given| **given).count() {
            1 => self
                .variable_reference(env)
                .or_else(|| self.file_reference(file))
                .or_else(|| self.command_reference(command))?,
            0 if unexpected > 0 => return None,
            _ => {
                let message = format!("`{name}` must have exactly one of `env`, `file`, `command`");
                let help = Some(write_a_reference(name));
                self.error(span, code::SECRET_REFERENCE, message, help);
                return None;
            }
        };
        Some((reference, self.place(span)))
    }

    fn variable_reference(
        &mut self,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<SecretReference> {
        let Spanned { value, span, .. } = self.variable("env", value)?;
        if is_reserved(&value) {
            self.error(
                span,
                code::RESERVED_VARIABLE,
                format!(
                    "`{value}` contains credentials for the API and must not be used as a secret of a callback"
                ),
                Some("use another variable".to_owned()),
            );
            return None;
        }
        Some(SecretReference::Env(value.into_owned()))
    }

    /// The name of an environment variable. Another value may be the secret itself, so it is hidden.
    pub(crate) fn variable<'t>(
        &mut self,
        name: &str,
        value: Option<Spanned<Value<Text<'t>>>>,
    ) -> Option<Spanned<Cow<'t, str>>> {
        let value = value?;
        let (bytes, span) = (value.bytes, value.span);
        match value.value {
            Value::WrongType(Kind::Null | Kind::Unresolved) => {
                self.text(name, Some(value));
                return None;
            }
            Value::Valid(Text(value)) if is_variable(&value) => {
                return Some(Spanned { value, span, bytes });
            }
            Value::Valid(_) => self.hide(bytes),
            // Only the start of a list or mapping is known.
            Value::WrongType(_) => self.hide_line_from(bytes.0),
        }
        self.error(
            span,
            code::VARIABLE_NAME,
            format!("`{name}` must be the name of an environment variable, not a value"),
            Some(
                "a name consists of letters, digits and `_`, and does not begin with a digit"
                    .to_owned(),
            ),
        );
        None
    }

    fn file_reference(
        &mut self,
        value: Option<Spanned<Value<Text<'_>>>>,
    ) -> Option<SecretReference> {
        let Spanned { value, span, .. } = self.text("file", value)?;
        if value.is_empty() {
            let message = "`file` must not be empty";
            self.error(span, code::SECRET_REFERENCE, message, None);
            return None;
        }
        Some(SecretReference::File(value.into_owned()))
    }

    fn command_reference(
        &mut self,
        value: Option<Spanned<Value<List<Text<'_>>>>>,
    ) -> Option<SecretReference> {
        let Spanned { value, span, .. } = self.field("command", value)?;
        let count = value.0.len();
        let words: Vec<_> = value
            .0
            .into_iter()
            .filter_map(|word| self.expect(format_args!("a word of `command`"), word))
            .map(|word| word.value.0.into_owned())
            .collect();
        if words.len() < count {
            return None;
        }
        if words.first().is_none_or(String::is_empty) {
            let message = "`command` must be a program and its arguments";
            let help = "write `command: [vault, kv, get, -field=key, secret/acme]`".to_owned();
            self.error(span, code::SECRET_REFERENCE, message, Some(help));
            return None;
        }
        Some(SecretReference::Command(words))
    }
}

fn write_a_reference(name: &str) -> String {
    format!(
        "write `{name}: {{ env: NAME }}`, `{name}: {{ file: PATH }}` or `{name}: {{ command: \
         [PROGRAM, ARGUMENT] }}`; replace a secret that was written in a file"
    )
}
