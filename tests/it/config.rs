//! callbacks.yaml from outside: the corpus, the schema, the list of codes, the example.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ess_callbacks::config::{
    CODES, Overrides, SecretProblem, SecretRole, Source, check_secret, parse, parse_with, schema,
    snippet,
};
use ess_callbacks::diag::{Diagnostic, Place, Severity};
use ess_callbacks::render::diagnostic::diagnostic;
use ess_callbacks::secret::{Secret, SecretReference};
use serde_json::Value;

/// Codes that a JSON Schema can't check: about YAML itself, or about several values at once.
const BEYOND_THE_SCHEMA: [&str; 11] = [
    "E018", "E019", "E022", "E023", "E024", "E030", "E037", "E038", "E039", "E047", "E048",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source(name: &str, text: impl Into<Vec<u8>>) -> Source {
    Source {
        name: name.into(),
        text: text.into(),
    }
}

fn read(path: &Path) -> Source {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    source(
        &path
            .file_name()
            .expect("a file has a name")
            .to_string_lossy(),
        text,
    )
}

/// The files of a folder of the corpus, in order.
fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("the corpus is readable").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

/// The text as a JSON value, read by an independent YAML reader.
fn as_json(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    let options = serde_yaml::options! { strict_booleans: true };
    serde_yaml::from_str_with_options(text, options).ok()
}

fn codes(diagnostics: &[Diagnostic], severity: Severity) -> BTreeSet<&'static str> {
    diagnostics
        .iter()
        .filter(|found| found.severity == severity)
        .map(|found| found.code.0)
        .collect()
}

fn drawn(diagnostics: &[Diagnostic]) -> String {
    let drawn: Vec<_> = diagnostics
        .iter()
        .map(|found| diagnostic(found, false))
        .collect();
    drawn.join("\n\n")
}

#[test]
fn good_files_are_accepted_by_parser_and_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for path in corpus("good") {
        let source = read(&path);
        let text = source.text.clone();
        if let Err(errors) = parse(&[source]) {
            panic!("{}:\n{}", path.display(), drawn(&errors));
        }
        let json = as_json(&text).unwrap_or_else(|| panic!("{} is not YAML", path.display()));
        let errors: Vec<_> = validator
            .iter_errors(&json)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

/// The first lines of a bad file list its errors, and whether the schema accepts it.
#[test]
fn bad_files_are_rejected_with_their_codes_and_by_the_schema_as_far_as_it_can() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for path in corpus("bad") {
        let source = read(&path);
        let text = String::from_utf8(source.text.clone()).unwrap();
        let expected = |key: &str| -> BTreeSet<_> {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().split_whitespace().collect()
        };
        let errors = parse(&[source]).expect_err(&path.display().to_string());
        let found = codes(&errors, Severity::Error);
        assert_eq!(
            found,
            expected("# codes:"),
            "{}:\n{}",
            path.display(),
            drawn(&errors)
        );
        let shown = drawn(&errors) + &serde_json::to_string(&errors).unwrap();
        assert!(!shown.contains("canary"), "{}:\n{shown}", path.display());

        let verdict = match as_json(text.as_bytes()) {
            None => "unreadable",
            Some(json) if validator.is_valid(&json) => "accepts",
            Some(_) => "rejects",
        };
        assert_eq!(
            BTreeSet::from([verdict]),
            expected("# schema:"),
            "{}",
            path.display()
        );
        if verdict == "accepts" {
            let beyond = found.iter().all(|code| BEYOND_THE_SCHEMA.contains(code));
            assert!(beyond, "{}: the schema could see {found:?}", path.display());
        }
    }
}

#[test]
fn the_files_of_a_directory_are_one_configuration() {
    let files: Vec<_> = corpus("directory").iter().map(|path| read(path)).collect();
    let parsed = parse(&files).unwrap_or_else(|errors| panic!("{}", drawn(&errors)));
    let handles: Vec<_> = parsed
        .desired
        .organizations
        .iter()
        .map(|organization| organization.handle.as_str())
        .collect();
    assert_eq!(handles, ["acme", "acme-mobile"]);
    assert_eq!(parsed.desired.accounts.len(), 2);
    assert!(parsed.warnings.is_empty(), "{}", drawn(&parsed.warnings));
    let callback = &parsed.desired.organizations[1].callbacks[0];
    assert_eq!(
        snippet(&files, callback.place, 5).file.as_ref(),
        "mobile.yaml"
    );
}

#[test]
fn files_that_are_no_text_end_in_one_error() {
    let good = "version: 1\nenvironment: test\norganizations: {}\n";
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let aliases = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let last = level - 1;
        format!("{text}a{level}: &a{level} [*a{last}, *a{last}]\n")
    });
    let cases: [(Vec<u8>, &str); 9] = [
        (utf16.clone(), "E002"),
        ([b"\xff\xfe".as_slice(), &utf16].concat(), "E002"),
        ([good.as_bytes(), b"# \xc9\xcf"].concat(), "E002"),
        (format!("{good}\0more: 1").into(), "E003"),
        (vec![b'#'; (64 << 20) + 1], "E004"),
        ("[".repeat(100_000).into(), "E006"),
        ("- ".repeat(100_000).into(), "E006"),
        ("{a: ".repeat(100_000).into(), "E006"),
        (aliases.into(), "E006"),
    ];
    for (text, code) in cases {
        let start = String::from_utf8_lossy(&text[..20]).into_owned();
        let errors = parse(&[source("f", text)]).expect_err(&start);
        assert_eq!((errors.len(), errors[0].code.0), (1, code), "{start:?}");
    }
    assert_eq!(parse(&[]).unwrap_err()[0].code.0, "E007");
}

/// `docs/errors.md`: code, title and the YAML examples of each section about our codes. Those of eSign come after them.
fn documented() -> Vec<(String, String, Vec<String>)> {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).expect("the page is there");
    let mut sections: Vec<(String, String, Vec<String>)> = Vec::new();
    let mut example: Option<String> = None;
    let ours = page.split("\n## Codes of eSign\n").next();
    for line in ours.expect("a first part").lines() {
        if let Some(text) = &mut example {
            if line == "```" {
                let (_, _, examples) = sections.last_mut().expect("an example is in a section");
                examples.extend(example.take());
            } else {
                *text += line;
                text.push('\n');
            }
        } else if line == "```yaml" {
            example = Some(String::new());
        } else if let Some(heading) = line.strip_prefix("### ") {
            let (code, title) = heading.split_once(' ').expect("a code and a title");
            sections.push((code.to_owned(), title.to_owned(), Vec::new()));
        }
    }
    sections
}

#[test]
fn the_page_of_errors_lists_every_code() {
    let listed: Vec<_> = documented()
        .into_iter()
        .map(|(code, title, _)| (code, title))
        .collect();
    let findings = ess_callbacks::verify::CODES.iter();
    let known: Vec<_> = CODES
        .iter()
        .map(|doc| (doc.code.to_string(), doc.title.to_owned()))
        .chain(findings.map(|doc| (doc.code.to_owned(), doc.title.to_owned())))
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn every_code_has_an_example_that_triggers_exactly_it() {
    for (code, _, examples) in documented() {
        // A finding about a receiver, and not about a configuration.
        if code.starts_with('V') {
            continue;
        }
        if examples.is_empty() {
            assert_eq!(without_example(&code), code);
            continue;
        }
        let files: Vec<_> = examples
            .into_iter()
            .map(|text| source("example.yaml", text))
            .collect();
        let (found, severity) = match parse(&files) {
            Ok(parsed) => (parsed.warnings, Severity::Warning),
            Err(errors) => (errors, Severity::Error),
        };
        let found_codes = codes(&found, severity);
        assert_eq!(
            found_codes,
            BTreeSet::from([code.as_str()]),
            "{}",
            drawn(&found)
        );
    }
}

/// A file with an error that can't have an example on the page.
fn without_example(code: &str) -> String {
    let of_file = |text: Vec<u8>| parse(&[source("f", text)]).expect_err("an error")[0].code;
    let of_value = |value: &str| check_secret(SecretRole::Key, &Secret::new(value))[0].code;
    let long = format!(
        "version: 1\nenvironment: test\ndefaults: {{ operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }}\n\
         organizations: {{ acme: {{ absent: [https://a.example/{}] }} }}",
        "x".repeat(1000)
    );
    let problem = match code {
        "E002" => of_file(b"\xff\xfea\0".to_vec()),
        "E003" => of_file(b"abc\0".to_vec()),
        "E004" => of_file(vec![b' '; (64 << 20) + 1]),
        "E007" => parse(&[]).expect_err("an error")[0].code,
        "E036" => of_file(long.into()),
        "E050" => of_value("short"),
        "E051" => of_value(""),
        "E052" => of_value("********************************"),
        "E053" => SecretProblem::not_set("ACME_KEY").code,
        "E054" => SecretProblem::unreadable("acme.key", "no such file").code,
        "E055" => SecretProblem::command_not_allowed("vault").code,
        "E056" => SecretProblem::command_failed("vault", "it ended with 2").code,
        "E057" => SecretProblem::not_text(&SecretReference::File("acme.key".to_owned())).code,
        "E058" => of_value("0123456789abcdef0123456789abcdef\n"),
        "E059" => of_value(&"x1".repeat(1000)),
        "W009" => of_value("'0123456789abcdef0123456789abcd'"),
        "W011" => return elsewhere(),
        other => panic!("{other} needs an example"),
    };
    problem.to_string()
}

/// The codes of two configurations in one folder.
fn elsewhere() -> String {
    let stage = |environment: &str| {
        let text = format!(
            "version: 1\nenvironment: {environment}\ndefaults: {{ operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, \
             accept: {{ W002: x, W003: y }} }}\n\
             organizations: {{ acme: {{ callbacks: [\"https://a.example/\"] }} }}"
        );
        source(environment, text)
    };
    let parsed = parse_with(
        &[stage("test")],
        &Overrides::default(),
        &[stage("production")],
    )
    .unwrap();
    let codes: Vec<_> = parsed.warnings.iter().map(|found| found.code.0).collect();
    codes.join(" ")
}

#[test]
fn the_example_is_right_and_shows_every_key() {
    let source = read(&root().join("callbacks.yaml.example"));
    let text = String::from_utf8(source.text.clone()).unwrap();
    let schema = schema();
    assert!(jsonschema::is_valid(
        &schema,
        &as_json(text.as_bytes()).unwrap()
    ));
    let parsed = parse(&[source]).unwrap_or_else(|errors| panic!("{}", drawn(&errors)));
    assert_eq!(codes(&parsed.warnings, Severity::Warning), BTreeSet::new());

    let mut mappings = vec![&schema];
    let definitions = schema["definitions"].as_object().unwrap();
    mappings.extend(definitions.values());
    let mut keys = 0;
    for mapping in mappings {
        for key in mapping["properties"]
            .as_object()
            .into_iter()
            .flat_map(|all| all.keys())
        {
            assert!(text.contains(&format!("{key}:")), "{key}");
            keys += 1;
        }
    }
    assert!(keys > 20, "{keys}");
}

#[test]
fn everything_is_reported_at_once_and_in_order() {
    let text = "\
version: 1
environment: production
organizations:
  acme:
    proxy_organisation_id: yDtwEUUckp7f87yrUygaLZxYk2SEodS7
    operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8
    callbacks:
      - url: https://hooks.acme.example/合同
        key: abcdefghijklmnopqrstuvwxyz012345
      - http://10.0.0.1/esign
";
    let found = parse(&[source("callbacks.yaml", text)]).unwrap_err();
    insta::assert_snapshot!(drawn(&found), @"
    error[E010]: unknown field `proxy_organisation_id` in an organization
     --> callbacks.yaml:5:5
      |
    5 |     proxy_organisation_id: ********************************
      |     ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `proxy_organization_id`?

    error[E034]: this URL contains the non-ASCII character `合`
     --> callbacks.yaml:8:14
      |
    8 |       - url: https://hooks.acme.example/合同
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write a host name in Punycode (`xn--…`), and percent-encode a path (`%E4…`)

    error[E040]: `key` is a secret in clear text
     --> callbacks.yaml:9:14
      |
    9 |         key: ********************************
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `key: { env: NAME }`, `key: { file: PATH }` or `key: { command: [PROGRAM, ARGUMENT] }`; replace a secret that was written in a file

    warning[W001]: this URL is http: others can read and change the messages on the way
      --> callbacks.yaml:10:9
       |
    10 |       - http://10.0.0.1/esign
       |         ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: use https; a redirect from http to https is not enough, because it turns the POST into a GET

    warning[W002]: this callback has no key: eSign sends its messages unencrypted
      --> callbacks.yaml:10:9
       |
    10 |       - http://10.0.0.1/esign
       |         ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `key: { env: NAME }`; `ess-callbacks secret new` generates a key

    warning[W003]: this callback has no token: the receiver can't tell eSign's messages from forged ones
      --> callbacks.yaml:10:9
       |
    10 |       - http://10.0.0.1/esign
       |         ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `token: { env: NAME }`; `ess-callbacks secret new` generates a token

    warning[W005]: this host is private to a machine or network, so eSign can't reach it
      --> callbacks.yaml:10:9
       |
    10 |       - http://10.0.0.1/esign
       |         ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: use a host name or address that is reachable from the internet
    ");
    let json: Vec<_> = found
        .iter()
        .map(|found| serde_json::to_value(found).unwrap())
        .collect();
    insta::assert_snapshot!(json[2], @r#"
        {"code":"E040","help":"write `key: { env: NAME }`, `key: { file: PATH }` or `key: { command: [PROGRAM, ARGUMENT] }`; replace a secret that was written in a file","message":"`key` is a secret in clear text","severity":"error","snippet":{"column":14,"file":"callbacks.yaml","length":32,"line":9,"text":"        key: ********************************","text_column":1}}
        "#);
}

#[test]
fn a_later_problem_is_drawn_at_its_place() {
    let files = [source("callbacks.yaml", "a: 1\n  key: { env: ACME_KEY }\n")];
    let place = Place {
        file: 0,
        line: 2,
        column: 8,
    };
    let problem = SecretProblem::not_set("ACME_KEY").at(Some(snippet(&files, place, 17)));
    insta::assert_snapshot!(diagnostic(&problem, false), @"
        error[E053]: the environment variable ACME_KEY is not set
         --> callbacks.yaml:2:8
          |
        2 |   key: { env: ACME_KEY }
          |        ^^^^^^^^^^^^^^^^^
          |
          = help: set ACME_KEY where this command runs
        ");
}

#[test]
fn an_error_hides_no_warning_and_makes_none() {
    let text = "\
version: 1
environment: test
organizations:
  acme:
    callbacks:
      - http://hooks.acme.example/a
      - url: https://hooks.acme.example/b
        key: 0123456789ABCDEF0123456789ABCDEF
        tokn: { env: TOKEN }
";
    let diagnostics = parse(&[source("callbacks.yaml", text)]).unwrap_err();
    let codes: Vec<&str> = diagnostics.iter().map(|found| found.code.0).collect();
    assert_eq!(codes, ["E023", "W001", "W002", "W003", "E040", "E010"]);
}

#[test]
fn the_colon_of_a_key_without_a_value_is_shown() {
    let text = "version: 1\nenvironment: test\norganizations:\n  acme:\n";
    let shown = drawn(&parse(&[source("callbacks.yaml", text)]).unwrap_err());
    insta::assert_snapshot!(shown, @"
    error[E012]: `acme` must be a mapping, but it is empty
     --> callbacks.yaml:4:7
      |
    4 |   acme:
      |       ^
      |
      = help: write `{}` for an empty mapping, or remove the field
    ");
}

#[test]
fn what_is_taken_for_a_comment_is_not_shown() {
    let text = "version: 1\nenvironment: test\norganizations:\n  acme:\n    callbacks:\n      - url: https://a.example/\n        key: #SECRETSECRETSECRET\n      - #SECRETSECRETSECRET, and much more text in which nobody looks for anything but what was meant to be a value\n";
    let found = parse(&[source("callbacks.yaml", text)]).unwrap_err();
    let codes: Vec<&str> = found.iter().map(|found| found.code.0).collect();
    assert!(codes.contains(&"E012"), "{codes:?}");
    let shown = drawn(&found);
    assert!(
        !shown.contains("SECRET") && !shown.contains("meant"),
        "{shown}"
    );
}
