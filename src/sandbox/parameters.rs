//! The parameters of each action, checked as eSign's gateway checks them.

use serde_json::Value;

use super::failure::Failure;

/// No action needs more values in one request.
const MOST_VALUES: usize = 20_000;

/// What a parameter may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Whole,
    Flag,
    Object(&'static [Field]),
    List(&'static Self),
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn required(name: &'static str, kind: Kind) -> Field {
    let required = true;
    Field {
        name,
        kind,
        required,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    let required = false;
    Field {
        name,
        kind,
        required,
    }
}

/// `UserInfo`, with the members that are deprecated or internal: they are accepted and ignored.
const USER: Kind = Kind::Object(&[
    optional("UserId", Kind::Text),
    optional("Channel", Kind::Text),
    optional("OpenId", Kind::Text),
    optional("ClientIp", Kind::Text),
    optional("ProxyIp", Kind::Text),
]);

const AGENT: Kind = Kind::Object(&[
    optional("AppId", Kind::Text),
    optional("ProxyOrganizationId", Kind::Text),
    optional("ProxyAppId", Kind::Text),
    optional("ProxyOperator", USER),
]);

const CALLBACK: Kind = Kind::Object(&[
    required("CallbackUrl", Kind::Text),
    optional("Token", Kind::Text),
    optional("CallbackKey", Kind::Text),
    optional("CallbackToken", Kind::Text),
]);

const FILTER: Kind = Kind::Object(&[
    required("Key", Kind::Text),
    required("Values", Kind::List(&Kind::Text)),
]);

pub(super) const MODIFY_FIELDS: &[Field] = &[
    required("Operator", USER),
    required("OperateType", Kind::Whole),
    required("CallbackInfo", CALLBACK),
    optional("Agent", AGENT),
];

pub(super) const GROUP_FIELDS: &[Field] = &[
    required("Operator", USER),
    required("Limit", Kind::Whole),
    required("Offset", Kind::Whole),
    optional("Name", Kind::Text),
    optional("Status", Kind::Whole),
    optional("Export", Kind::Flag),
    optional("Id", Kind::Text),
];

pub(super) const EMPLOYEES_FIELDS: &[Field] = &[
    required("Operator", USER),
    optional("Limit", Kind::Whole),
    optional("Agent", AGENT),
    optional("Filters", Kind::List(&FILTER)),
    optional("Offset", Kind::Whole),
];

pub(super) const ROLES_FIELDS: &[Field] = &[
    required("Operator", USER),
    required("Limit", Kind::Whole),
    optional("Agent", AGENT),
    optional("Filters", Kind::List(&FILTER)),
    optional("Offset", Kind::Whole),
];

pub(super) const STATUS_FIELDS: &[Field] = &[required("Operator", USER), optional("Agent", AGENT)];

/// The body as JSON, if it has these fields and no others.
pub(super) fn parse(body: &[u8], fields: &[Field]) -> Result<Value, Failure> {
    // In memory, a value takes many times the two bytes that it may have here.
    let begun = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{');
    if body.iter().filter(begun).count() > MOST_VALUES {
        return Err(Failure::too_many_values());
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| Failure::not_json())?;
    if !value.is_object() {
        return Err(Failure::not_json());
    }
    check_object("", &value, fields)?;
    Ok(value)
}

fn check_object(path: &str, value: &Value, fields: &[Field]) -> Result<(), Failure> {
    let members = value.as_object().ok_or_else(|| Failure::wrong_type(path))?;
    let inside = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    for name in members.keys() {
        if !fields.iter().any(|field| field.name == name) {
            return Err(Failure::unknown_parameter(&inside(name)));
        }
    }
    for Field {
        name,
        kind,
        required,
    } in fields
    {
        match members.get(*name) {
            None | Some(Value::Null) if *required => return Err(Failure::missing(&inside(name))),
            None | Some(Value::Null) => {}
            Some(member) => check(&inside(name), member, *kind)?,
        }
    }
    Ok(())
}

fn check(path: &str, value: &Value, kind: Kind) -> Result<(), Failure> {
    let right = match kind {
        Kind::Text => value.is_string(),
        Kind::Whole => value.is_i64(),
        Kind::Flag => value.is_boolean(),
        Kind::Object(fields) => return check_object(path, value, fields),
        Kind::List(kind) => {
            let items = value.as_array().ok_or_else(|| Failure::wrong_type(path))?;
            for (place, item) in items.iter().enumerate() {
                check(&format!("{path}.{place}"), item, *kind)?;
            }
            true
        }
    };
    right.then_some(()).ok_or_else(|| Failure::wrong_type(path))
}

/// A text member, by JSON pointer. An empty one counts as missing, as at eSign.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    let text = value.pointer(pointer)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::failure::Language;
    use super::*;

    #[rstest]
    #[case("", "InvalidParameter: The request body is not a valid JSON object.")]
    #[case("[]", "InvalidParameter: The request body is not a valid JSON object.")]
    #[case(
        "{}",
        "MissingParameter: The request is missing a required parameter `Operator`."
    )]
    #[case(
        r#"{"Operator":null}"#,
        "MissingParameter: The request is missing a required parameter `Operator`."
    )]
    #[case(
        r#"{"Operator":{},"Agent":1}"#,
        "InvalidParameter: The value type of parameter `Agent` is not valid."
    )]
    #[case(
        r#"{"Operator":{"UserId":1}}"#,
        "InvalidParameter: The value type of parameter `Operator.UserId` is not valid."
    )]
    #[case(
        r#"{"Operator":{"Name":"x"}}"#,
        "UnknownParameter: The parameter `Operator.Name` is not recognized."
    )]
    #[case(
        r#"{"Operator":{},"Extra":1}"#,
        "UnknownParameter: The parameter `Extra` is not recognized."
    )]
    #[case(
        r#"{"Operator":{},"Filters":[{"Key":"a","Values":[1]}]}"#,
        "InvalidParameter: The value type of parameter `Filters.0.Values.0` is not valid."
    )]
    #[case(
        r#"{"Operator":{},"Filters":[{"Key":"a"}]}"#,
        "MissingParameter: The request is missing a required parameter `Filters.0.Values`."
    )]
    fn what_is_wrong_is_named(#[case] body: &str, #[case] expected: &str) {
        let failure = parse(body.as_bytes(), EMPLOYEES_FIELDS).unwrap_err();
        let message = failure.message(Language::English);
        assert_eq!(format!("{}: {message}", failure.code), expected);
    }

    #[test]
    fn a_body_of_very_many_or_very_deep_values_is_refused() {
        let many = format!(r#"{{"Operator":[{}0]}}"#, "0,".repeat(1 << 20));
        let failure = parse(many.as_bytes(), STATUS_FIELDS).unwrap_err();
        assert_eq!(failure, Failure::too_many_values());
        let deep = format!(r#"{{"Operator":{}"#, "[".repeat(10_000));
        assert_eq!(
            parse(deep.as_bytes(), STATUS_FIELDS),
            Err(Failure::not_json())
        );
    }

    #[test]
    fn known_fields_pass_the_deprecated_ones_too() {
        let body = br#"{"Operator":{"UserId":"u","Channel":"c"},"OperateType":1,
            "CallbackInfo":{"CallbackUrl":"u","Token":"t"},"Agent":{"ProxyOperator":{"UserId":"u"}}}"#;
        let value = parse(body, MODIFY_FIELDS).unwrap();
        assert_eq!(text(&value, "/CallbackInfo/Token"), Some("t"));
        assert_eq!(text(&value, "/CallbackInfo/CallbackKey"), None);
    }

    proptest! {
        #[test]
        fn a_body_that_is_no_object_is_refused(body: Vec<u8>) {
            prop_assume!(!body.starts_with(b"{"));
            prop_assert!(parse(&body, STATUS_FIELDS).is_err());
        }
    }
}
