//! Property tests of reading callbacks.yaml.

use std::sync::LazyLock;

use ess_callbacks::config::{Source, parse, schema};
use ess_callbacks::diag::Diagnostic;
use ess_callbacks::model::Desired;
use proptest::prelude::*;
use serde_json::{Value, json};

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("the schema is one"));

fn source(text: impl Into<Vec<u8>>) -> [Source; 1] {
    [Source {
        name: "callbacks.yaml".into(),
        text: text.into(),
    }]
}

/// Everything declared, without places.
fn meaning(desired: &Desired) -> Vec<String> {
    let secrets = desired
        .secrets
        .iter()
        .map(|secret| format!("{:?}", secret.reference));
    let accounts = desired
        .accounts
        .iter()
        .map(|account| format!("{account:?}"));
    let organizations = desired.organizations.iter().map(|it| {
        let callbacks: Vec<_> = it
            .callbacks
            .iter()
            .map(|it| (&it.url, it.key, it.token, it.protect, &it.description))
            .collect();
        let about = (&it.handle, &it.scope, &it.operator, it.adoption, it.suspend);
        format!("{about:?} {callbacks:?} {:?}", it.absent)
    });
    secrets.chain(accounts).chain(organizations).collect()
}

fn whole() -> Value {
    json!({
        "version": 1,
        "environment": "test",
        "vars": { "domain": "acme.example", "app": "yDwFkUUckpstqfvzUE1h3jo1f3cqjkGm" },
        "defaults": { "operator": "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8", "adoption": "keep",
            "callbacks": ["https://all.acme.example/{handle}", { "url": "https://{handle}.acme.example/", "key": { "env": "{handle}_KEY" } }] },
        "accounts": {
            "default": {},
            "a": { "profile": "a" },
            "b": { "env": { "secret_id": "B_ID", "secret_key": "B_KEY", "token": "B_TOKEN" } },
        },
        "organizations": {
            "acme": {
                "account": "a",
                "callbacks": [
                    "https://one.${domain}/",
                    {
                        "url": "https://two.acme.example/x?y=z",
                        "key": { "env": "ACME_KEY" },
                        "token": { "file": "acme.token" },
                        "protect": true,
                        "description": "two",
                    },
                    { "url": "https://three.acme.example/", "token": { "command": ["pass", "x"] } },
                ],
                "absent": ["https://old.acme.example/"],
            },
            "beta": {
                "proxy_organization_id": "yDtwEUUckp7f87yrUygaLZxYk2SEodS7",
                "app_id": "${app}",
                "operator": "yDRSRUUgygj6rq2wUuO4zjEyBZ2NHiyT",
                "adoption": "replace",
                "suspend": true,
                "inherit": false,
            },
        },
    })
}

/// Every value in `value`, as pointers.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                pointers(value, &format!("{at}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "a",
        "keep",
        "production",
        "a b",
        "TKE_X",
        "A-B",
        "https://a.example/",
        "ftp://x",
        "签",
        "https://a.example/#",
        "https://u@a.example/",
        "yes",
        "1",
        "***",
        "a/b",
        "\u{200b}",
    ];
    prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        Just(json!(1.5)),
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["a"])),
        Just(json!({ "env": "A" })),
        Just(json!({ "env": "A", "file": "b" })),
        Just(json!({ "url": "https://a.example/" })),
    ]
}

/// The example with some values replaced, removed, or put under another key.
fn mutated() -> impl Strategy<Value = Value> {
    let change = (
        any::<prop::sample::Index>(),
        0..4,
        odd_value(),
        "[a-z_]{1,6}|env|url|key",
    );
    prop::collection::vec(change, 0..3).prop_map(|changes| {
        let mut value = whole();
        for (index, how, odd, key) in changes {
            let mut all = Vec::new();
            pointers(&value, "", &mut all);
            let at = index.get(&all);
            let (parent, last) = at.rsplit_once('/').unwrap_or(("", ""));
            match (how, value.pointer_mut(parent)) {
                (0 | 1, _) => *value.pointer_mut(at).expect("it was found there") = odd,
                (2, Some(Value::Object(entries))) => {
                    entries.remove(last);
                }
                (3, Some(Value::Object(entries))) => {
                    let moved = entries.remove(last).unwrap_or(Value::Null);
                    entries.insert(key, moved);
                }
                (_, _) => {}
            }
        }
        value
    })
}

/// Whether the schema can't check this.
fn beyond_the_schema(found: &Diagnostic) -> bool {
    [
        "E018", "E019", "E022", "E023", "E024", "E030", "E037", "E038", "E039", "E047", "E048",
    ]
    .contains(&found.code.0)
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(parse(&source(text)));
    }

    #[test]
    fn anything_like_yaml_is_read_without_panic(
        text in "([ \\n]|version: 1\\n|organizations:|  acme:|    callbacks:|- |url: |key: |\\{|\\}|\\[|\\]|,|&a|\\*a|\\||\"|'|#|!!str|https://é.example|\\t|\\r|~|5){0,40}"
    ) {
        drop(parse(&source(text)));
    }

    #[test]
    fn schema_and_parser_agree(value in mutated()) {
        let valid = VALIDATOR.is_valid(&value);
        match parse(&source(value.to_string())) {
            Ok(_) => prop_assert!(valid, "only the schema rejects {value}"),
            Err(found) if found.iter().all(beyond_the_schema) => {}
            Err(found) => {
                let seen = found.iter().any(|it| it.code.0.starts_with('E') && !beyond_the_schema(it));
                // The schema does not know the values of variables.
                let as_declared = value.get("vars") == whole().get("vars");
                prop_assert!(!(valid && seen && as_declared), "only the parser rejects {value}: {found:?}");
            }
        }
    }

    #[test]
    fn the_order_in_the_file_does_not_matter(
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        inner in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle(),
        split in 0..7_usize,
    ) {
        let header = "version: 1\nenvironment: test\n\
                      defaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }\norganizations:\n";
        let organization = |number: usize, inner: &[usize]| {
            let callbacks: Vec<_> = inner
                .iter()
                .map(|n| format!("      - {{ url: https://h{n}.example/{number}, key: {{ env: K{} }} }}\n", n * number))
                .collect();
            let callbacks = callbacks.concat();
            format!("  o{number}:\n    app_id: a{number}\n    callbacks:\n{callbacks}")
        };
        let expected: String = (0..6).map(|number| organization(number, &[0, 1, 2, 3])).collect();
        let expected = parse(&source(format!("{header}{expected}"))).unwrap();
        let (first, second) = order.split_at(split.min(order.len()));
        let files: Vec<_> = [first, second]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| part.iter().map(|number| organization(*number, &inner)).collect::<String>())
            .flat_map(|text| source(format!("{header}{text}")))
            .collect();
        let shuffled = parse(&files).unwrap();
        prop_assert_eq!(meaning(&shuffled.desired), meaning(&expected.desired));
    }

    /// No message shows a secret of a file, wherever the file is broken.
    #[test]
    fn a_secret_in_a_broken_file_is_not_shown(
        at in any::<prop::sample::Index>(), drop in 0..4_usize, insert in "[ \\n\"'{}\\[\\],:#&*!|>-]{0,2}|kye",
    ) {
        let text = "\
version: 1
environment: test
defaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }
accounts:
  a: { env: { secret_id: AKIDCANARYAAAAAAAAAAAAAAAAAAAAAAAAAA, secret_key: CANARYBBBBBBBBBBBBBBBBBBBBBBBBBB } }
organizations:
  acme:
    callbacks:
      - url: https://one.acme.example/
        key: CANARYCCCCCCCCCCCCCCCCCCCCCCCCCC
        token: \"CANARYDDDDDDDDDDDDDDDDDDDDDDDDDD\"
      - { url: https://two.acme.example/, key: 'CANARYEEEEEEEEEEEEEEEEEEEEEEEEEE', kye: CANARYFFFFFFFFFFFFFFFFFFFFFFFFFF, token: { env: \"CANARY GGGGGGGGGGGGGGGGGGGGGGGGG\" } }
      - url: https://esign:CANARYHHHHHHHHHHHHHHHHHHHHHHHHHH@three.acme.example/
        token: |
          CANARYIIIIIIIIIIIIIIIIIIIIIIIIII
";
        // Not inside a secret, which would change it.
        let whole = |start: usize| {
            let end = (start + drop).min(text.len());
            let broken = format!("{}{insert}{}", &text[..start], &text[end..]);
            broken.matches("CANARY").count() == 9 && !text[start.saturating_sub(32)..start].contains("CANARY")
        };
        let starts: Vec<_> = (0..text.len()).filter(|start| whole(*start)).collect();
        let start = starts[at.index(starts.len())];
        let end = (start + drop).min(text.len());
        let broken = format!("{}{insert}{}", &text[..start], &text[end..]);
        let found = match parse(&source(broken.clone())) {
            Ok(parsed) => parsed.warnings,
            Err(found) => found,
        };
        let shown = serde_json::to_string(&found).unwrap();
        prop_assert!(!shown.contains("CANARY"), "{broken}\n{shown}");
    }
}

/// No excerpt shows a secret, however it is written.
#[test]
fn no_way_of_writing_a_secret_shows_it() {
    let callbacks = [
        r#"{ kye: 1, url: "https://a.example/x?token=\x63anary12" }"#,
        r#"{ kye: 1, url: "https://a.example/x?\x74oken=canary12" }"#,
        "{ kye: 1, url: \"https://a.example/x?tok\\\n          en=canary12\", kei: 2 }",
        "{ kye: 1, url: \"https://a.example/x?token=a\n          canary12\", kei: 2 }",
        r"{ kye: 1, url: 'https://a.example/x?token=a''canary12' }",
        r#"{ kye: 1, url: https://a.example/x?token=a"canary12 }"#,
        r#"{ kye: 1, url: "https://u:canary12\x40a.example/" }"#,
        r#"{ kye: 1, url: "https://a.example/x\x20key:canary12" }"#,
        r#"{ kye: 1, url: https://a.example/, description: "see https://b.example/?\u0074oken=canary12" }"#,
        r#"{ kye: 1, url: https://a.example/, key: "\x63anary12" }"#,
        "{ kye: 1, url: https://a.example/, key: \"\n          canary12\", kei: 2 }",
        "{ kye: 1, url: https://a.example/, token: b\n          canary12, kei: 2 }",
        "url: https://a.example/\n        kye: 1\n        key: |\n          canary12",
        "url: https://a.example/\n        kye: >-\n          canary12",
        r#"{ url: "https://a.example/x?\x74oken=canary12" ]"#,
        "{ url: \"https://a.example/x?tok\\\n          en=canary12\" ]",
    ];
    for callback in callbacks {
        let text = format!(
            "version: 1\nenvironment: test\norganizations:\n  acme:\n    callbacks:\n      - {callback}\n"
        );
        let problems = parse(&source(text)).expect_err(callback);
        assert!(!problems.is_empty());
        for problem in &problems {
            let shown = format!("{problem:?}");
            assert!(!shown.contains("anary12"), "{callback}: {shown}");
        }
    }
}
