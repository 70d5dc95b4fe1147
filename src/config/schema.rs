//! callbacks.schema.json, generated from the types that read callbacks.yaml.
//!
//! It accepts what the parser accepts, except for what a JSON Schema can't express: that an account or a variable
//! exists, that there is an operator, that URLs, handles and scopes are distinct, that a port or an IP address is in
//! range, and that in a directory `version`, `environment` and `organizations` may be in another file.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::raw::{
    self, AnyValue, Callback, CallbackFields, Document, Entries, Fields, Flag, List, MaybeSecret,
    Number, Text, Verbatim,
};
use super::url;
use super::yaml::Spanned;

/// Matches text with a reference to a variable.
const REFERENCE: &str = r"(^|[^$])\$\{[A-Za-z_][A-Za-z0-9_]*\}";

pub fn schema() -> Value {
    let settings = SchemaSettings::draft07();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Document<'_>>();
    RecursiveTransform(tidy).transform(&mut schema);
    schema.insert("title".to_owned(), json!("callbacks.yaml"));
    schema.to_value()
}

/// Removes what only matters to Rust: `null` for optional fields, formats of numbers, line breaks of comments.
fn tidy(schema: &mut Schema) {
    schema.remove("format");
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    or_a_variable(schema);
    let null = json!("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&null));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.ensure_object().entry(key).or_insert(value);
            }
        }
    }
}

/// Allows a reference to a variable wherever text must match a pattern or a list.
fn or_a_variable(schema: &mut Schema) {
    let is_text = |kind: &Value| {
        kind == "string"
            || kind
                .as_array()
                .is_some_and(|kinds| kinds.contains(&json!("string")))
    };
    if !schema.get("type").is_some_and(is_text) {
        return;
    }
    if let Some(Value::String(pattern)) = schema.get_mut("pattern") {
        *pattern = format!("{pattern}|{REFERENCE}");
    }
    if let Some(words) = schema.remove("enum") {
        let either = json!([{ "enum": words }, { "pattern": REFERENCE }]);
        schema.insert("anyOf".to_owned(), either);
    }
}

/// Gives a type the schema of another type.
macro_rules! like {
    (for<$($generics:ident)?> $name:ty => $other:ty) => {
        impl$(<$generics: JsonSchema>)? JsonSchema for $name {
            fn inline_schema() -> bool {
                <$other>::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                <$other>::schema_name()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$other>::json_schema(generator)
            }
        }
    };
}

like!(for<T> Spanned<T> => T);
like!(for<T> raw::Value<T> => T);
like!(for<R> Fields<'_, R> => R);
like!(for<R> MaybeSecret<'_, R> => R);
like!(for<T> List<T> => Vec<T>);
like!(for<T> Entries<'_, T> => std::collections::BTreeMap<String, T>);
like!(for<> Text<'_> => String);
like!(for<> Verbatim<'_> => String);
like!(for<> Flag => bool);
like!(for<> Number => f64);
like!(for<> AnyValue => Value);

impl JsonSchema for Callback<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Callback".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A callback: its URL alone, or a mapping.",
            "anyOf": [url::schema(), generator.subschema_for::<CallbackFields<'_>>()],
        })
    }
}
