//! Sources of configurations and secrets, and reports of all their problems.

use insta::assert_snapshot;

use crate::support::{KEY, OPERATOR, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

#[test]
fn it_is_read_from_standard_input() {
    let env = TestEnv::new("");
    let said = env.run_with_input(
        &["-f", "-", "validate"],
        &configuration(&[("acme", &[ONE])]),
    );
    assert_snapshot!(said, @r"
        exit 0
        --- stdout
        Success! The configuration is valid: 1 organization, 1 callback.
        ");
    let said = env.run_with_input(&["-f", "-", "validate"], "version: 3\n");
    assert_snapshot!(said, @"
    exit 1
    --- stderr
    error[E013]: missing field `environment`
     --> <stdin>:1:1
      |
    1 | version: 3
      | ^
      |
      = help: write `environment: production` or `environment: test`
    error[E013]: missing field `organizations`
     --> <stdin>:1:1
      |
    1 | version: 3
      | ^
      |
      = help: write `organizations: {}` for none
    error[E014]: unknown version of the format; this program reads version 1
     --> <stdin>:1:10
      |
    1 | version: 3
      |          ^
      |
      = help: write `version: 1`, or use a newer ess-callbacks
    error: the configuration has errors; nothing was done
    ");
}

#[test]
fn a_folder_is_merged_from_its_files() {
    let env = TestEnv::new("");
    let head = configuration(&[("acme", &[ONE])]);
    env.write("teams/a.yaml", &head);
    let beta = format!(
        "organizations:\n  beta:\n    app_id: b\n    callbacks: [{{ url: {TWO}, key: {{ file: b.key }}, token: {{ file: b.token }} }}]\n"
    );
    env.write("teams/b.yml", &beta);
    env.write("teams/.hidden.yaml", "nonsense: true");
    env.write("teams/README.md", "not YAML");
    env.write("teams/b.key", KEY.to_lowercase());
    env.write("teams/b.token", "another-token-of-beta-A34D1A9538\r\n");
    assert_snapshot!(env.run(&["-f", "teams", "validate", "--secrets"]), @r"
        exit 0
        --- stdout
        Success! The configuration is valid: 2 organizations, 2 callbacks.
        ");
    env.run(&["-f", "teams", "import", "--all"]).exits(0);
    assert!(
        env.exists("teams/callbacks.state.json"),
        "the state is in the folder"
    );

    env.write("teams/c.yaml", &head);
    assert_snapshot!(env.run(&["-f", "teams", "validate"]), @"
        exit 1
        --- stderr
        error[E025]: the organization `acme` is also declared in teams/a.yaml:5
         --> teams/c.yaml:5:3
          |
        5 |   acme:
          |   ^^^^
          |
          = help: an organization must be in one file; move its callbacks there
        error: the configuration has errors; nothing was done
        ");
    std::fs::create_dir(env.path("empty")).unwrap();
    assert_snapshot!(env.run(&["-f", "empty", "validate"]), @"
        exit 1
        --- stderr
        error: the directory `empty` has no *.yaml or *.yml file
          Name another with -f, or create one with `ess-callbacks init -f empty/callbacks.yaml`.
        ");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    let text = configuration(&[("acme", &[ONE])]).replace('\n', "\r\n");
    let env = TestEnv::new(&format!("\u{feff}{text}"));
    assert_snapshot!(env.run(&["validate", "--secrets"]), @r"
        exit 0
        --- stdout
        Success! The configuration is valid: 1 organization, 1 callback.
        ");
}

#[test]
fn a_missing_file_says_what_to_do() {
    let env = TestEnv::new("");
    assert_snapshot!(env.run(&["-f", "nowhere.yaml", "plan"]), @"
        exit 1
        --- stderr
        error: the configuration `nowhere.yaml` can't be read: No such file or directory (os error 2)
          Name another with -f, or create one with `ess-callbacks init -f nowhere.yaml`.
        ");
    env.write("binary.yaml", [0xff, 0xfe, 0x00]);
    assert_snapshot!(env.run(&["-f", "binary.yaml", "plan"]), @r"
        exit 1
        --- stderr
        error[E002]: this file is UTF-16, not UTF-8
         --> binary.yaml:1:1
          |
        1 |
          | ^
          |
          = help: save it as UTF-8
        error: the configuration has errors; nothing was done
        ");
}

/// One callback, with its key from `reference`.
fn with_key(reference: &str) -> String {
    configuration(&[("acme", &[ONE])]).replace("{ env: KEY }", reference)
}

#[test]
fn a_secret_may_come_from_a_file_beside_the_configuration() {
    let env = TestEnv::new("");
    env.write(
        "team/callbacks.yaml",
        with_key("{ file: secrets/acme.key }"),
    );
    assert_snapshot!(env.run(&["-f", "team/callbacks.yaml", "validate", "--secrets"]), @r#"
        exit 1
        --- stderr
        error[E054]: the secret file secrets/acme.key can't be read: No such file or directory (os error 2)
         --> team/callbacks.yaml:7:50
          |
        7 |       - { url: "https://hooks.example/one", key: { file: secrets/acme.key }, token: { env: TOKEN } }
          |                                                  ^
          |
          = help: a relative path is relative to the folder of the configuration file
        error: the configuration has errors; nothing was done
        "#);
    env.write("team/secrets/acme.key", format!("{KEY}\n"));
    env.run(&["-f", "team/callbacks.yaml", "validate", "--secrets"])
        .exits(0);
    env.write("team/secrets/acme.key", format!("{KEY}\n\n"));
    assert_snapshot!(env.run(&["-f", "team/callbacks.yaml", "validate", "--secrets"]), @r#"
        exit 1
        --- stderr
        error[E058]: the key contains a line break (U+000A) at the end
         --> team/callbacks.yaml:7:50
          |
        7 |       - { url: "https://hooks.example/one", key: { file: secrets/acme.key }, token: { env: TOKEN } }
          |                                                  ^
          |
          = help: one line break at the end of a file or output is dropped; remove the others
        error: the configuration has errors; nothing was done
        "#);
    env.write("team/secrets/acme.key", [0xff; 32]);
    let said = env
        .run(&["-f", "team/callbacks.yaml", "validate", "--secrets"])
        .exits(1);
    assert!(said.stderr.contains("is not UTF-8 text"), "{said}");
}

#[test]
fn a_command_runs_only_when_allowed() {
    let env = TestEnv::new(&with_key("{ command: [sh, key.sh, ran] }"));
    env.write(
        "key.sh",
        format!("touch $1\necho asked >&2\nprintf '%s\\n' {KEY}\n"),
    );
    assert_snapshot!(env.run(&["validate", "--secrets"]), @r#"
        exit 1
        --- stderr
        error[E055]: this secret comes from the command `sh`, but commands are not allowed
         --> callbacks.yaml:7:50
          |
        7 |       - { url: "https://hooks.example/one", key: { command: [sh, key.sh, ran] }, token: { env: TOKEN } }
          |                                                  ^
          |
          = help: pass `--allow-commands` if you trust everyone who can change this file
        error: the configuration has errors; nothing was done
        "#);
    env.run(&["plan"]).exits(1);
    assert!(!env.exists("ran"));
    let said = env
        .run(&["validate", "--secrets", "--allow-commands"])
        .exits(0);
    assert_eq!(said.err(), "asked\n");
    assert!(env.exists("ran"));
    env.run(&["plan", "--allow-commands"]).exits(0);
    env.write("key.sh", "exit 3");
    assert_snapshot!(env.run(&["plan", "--allow-commands"]), @r#"
        exit 1
        --- stderr
        error[E056]: the command `sh` gave no secret: exit status: 3
         --> callbacks.yaml:7:50
          |
        7 |       - { url: "https://hooks.example/one", key: { command: [sh, key.sh, ran] }, token: { env: TOKEN } }
          |                                                  ^
          |
          = help: run it by hand in the folder of the configuration file to see its output
        error: the configuration has errors; nothing was done
        "#);
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = format!(
        "version: 1\nenvironment: test\norganizations:\n  acme:\n    proxy_organisation_id: x\n    operator: {OPERATOR}\n    \
         callbacks:\n      - ftp://a.example/\n      - {{ url: {ONE}, key: literal-key, token: {{ env: TENCENTCLOUD_TOKEN }} }}\n      \
         - {{ url: {ONE} }}\n    absent: [{ONE}]\n"
    );
    let env = TestEnv::new(&text);
    assert_snapshot!(env.run(&["validate"]), @"
    exit 1
    --- stderr
    error[E010]: unknown field `proxy_organisation_id` in an organization
     --> callbacks.yaml:5:5
      |
    5 |     proxy_organisation_id: *
      |     ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `proxy_organization_id`?
    error[E031]: a callback URL must begin with `https://` or `http://`
     --> callbacks.yaml:8:9
      |
    8 |       - ftp://a.example/
      |         ^^^^^^^^^^^^^^^^
      |
      = help: write it in full: `https://host/path`
    error[E040]: `key` is a secret in clear text
     --> callbacks.yaml:9:48
      |
    9 |       - { url: https://hooks.example/one, key: ***********, token: { env: TENCENTCLOUD_TOKEN } }
      |                                                ^^^^^^^^^^^
      |
      = help: write `key: { env: NAME }`, `key: { file: PATH }` or `key: { command: [PROGRAM, ARGUMENT] }`; replace a secret that was written in a file
    error[E042]: `TENCENTCLOUD_TOKEN` contains credentials for the API and must not be used as a secret of a callback
     --> callbacks.yaml:9:75
      |
    9 |       - { url: https://hooks.example/one, key: ***********, token: { env: TENCENTCLOUD_TOKEN } }
      |                                                                           ^^^^^^^^^^^^^^^^^^
      |
      = help: use another variable
    error[E038]: duplicate URL; it is also in line 9
      --> callbacks.yaml:10:16
       |
    10 |       - { url: https://hooks.example/one }
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: remove one of the two
    error[E039]: this URL is both declared and listed under `absent`
      --> callbacks.yaml:11:14
       |
    11 |     absent: [https://hooks.example/one]
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: remove it here or in line 9
    error: the configuration has errors; nothing was done
    ");
    let events = env.run(&["--json", "validate"]).exits(1).events();
    let codes: Vec<_> = events
        .iter()
        .filter_map(|event| event["diagnostic"]["code"].as_str())
        .collect();
    assert_eq!(codes, ["E010", "E031", "E040", "E042", "E038", "E039"]);
}

#[test]
fn many_equal_warnings_are_one_with_the_places_of_the_rest() {
    let urls: Vec<_> = (0..300)
        .map(|number| format!("      - https://hooks.example/{number}\n"))
        .collect();
    let urls = urls.concat();
    let env = TestEnv::new(&format!(
        "version: 1\nenvironment: test\ndefaults: {{ operator: {OPERATOR} }}\norganizations:\n  acme:\n    callbacks:\n{urls}"
    ));
    assert_snapshot!(env.run(&["validate"]).exits(0), @"
    exit 0
    --- stdout
    Success! The configuration is valid: 1 organization, 300 callbacks, 600 warnings.
    --- stderr
    warning[W002]: this callback has no key: eSign sends its messages unencrypted
     --> callbacks.yaml:7:9
      |
    7 |       - https://hooks.example/0
      |         ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `key: { env: NAME }`; `ess-callbacks secret new` generates a key
      = note: also at callbacks.yaml:8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27 and 279 more (-v shows each in full)
    warning[W003]: this callback has no token: the receiver can't tell eSign's messages from forged ones
     --> callbacks.yaml:7:9
      |
    7 |       - https://hooks.example/0
      |         ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `token: { env: NAME }`; `ess-callbacks secret new` generates a token
      = note: also at callbacks.yaml:8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27 and 279 more (-v shows each in full)
    ");
    let warnings = |said: &str| said.matches("warning[W002]").count();
    assert_eq!(warnings(&env.run(&["-v", "validate"]).exits(0).stderr), 300);
    let events = env.run(&["--json", "validate"]).exits(0).events();
    let codes = events.iter().map(|event| &event["diagnostic"]["code"]);
    assert_eq!(codes.filter(|code| **code == "W002").count(), 300);
}

#[test]
fn a_bad_value_is_named_without_being_shown() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.set("KEY", "too-short").set("TOKEN", "changeme");
    let said = env.run(&["validate", "--secrets"]).exits(1);
    assert!(
        !said.stderr.contains("too-short") && !said.stderr.contains("changeme"),
        "{said}"
    );
    assert_snapshot!(said, @r#"
        exit 1
        --- stderr
        error[E050]: the key has 9 bytes; it must have exactly 32
         --> callbacks.yaml:7:50
          |
        7 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
          |                                                  ^
          |
          = help: `ess-callbacks secret new` generates one
        error[E052]: the token looks like a masked secret, not like a real one
         --> callbacks.yaml:7:71
          |
        7 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
          |                                                                       ^
          |
          = help: use the real value; `ess-callbacks secret new` generates one
        error: the configuration has errors; nothing was done
        "#);
}

#[test]
fn a_stage_is_a_value_of_a_variable() {
    let mut env = TestEnv::new("");
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &["https://hooks.${domain}/"])]).replace(
            "organizations:",
            "vars: { domain: test.example }\norganizations:",
        ),
    );
    let planned = |env: &TestEnv, arguments: &[&str]| {
        let said = env.run(&[&["plan", "--format", "json", "--no-secrets"], arguments].concat());
        let plan: serde_json::Value = serde_json::from_str(&said.exits(0).stdout).unwrap();
        plan["changes"][0]["url"].as_str().unwrap().to_owned()
    };
    assert_eq!(planned(&env, &[]), "https://hooks.test.example/");
    let flag = ["--var", "domain=flag.example"];
    assert_eq!(planned(&env, &flag), "https://hooks.flag.example/");
    let said = env.run(&["validate", "--var", "domian=x", "--var", "domain"]);
    assert_snapshot!(said, @"
    exit 64
    --- stderr
    error: invalid value 'domain' for '--var <NAME=VALUE>': write NAME=VALUE

    For more information, try '--help'.
    ");
    let said = env.run(&["validate", "--var", "domian=x"]);
    assert_snapshot!(said, @"
    exit 1
    --- stderr
    error[E047]: --var domian: unknown variable
     |
     = help: did you mean `domain`?
    error: the configuration has errors; nothing was done
    ");
    let said = env.run(&["validate", "--var", "domain=x", "--var", "domain=y"]);
    assert_snapshot!(said, @"
    exit 64
    --- stderr
    error: --var domain is given twice with different values
    ");
    env.set("ESS_CALLBACKS_VAR_DOMAIN", "variable.example");
    assert_eq!(planned(&env, &[]), "https://hooks.variable.example/");
    assert_eq!(planned(&env, &flag), "https://hooks.flag.example/");
}

#[test]
fn stages_live_in_one_folder() {
    let env = TestEnv::new("");
    let stage = |environment: &str| {
        configuration(&[("acme", &[ONE])])
            .replace("environment: test", &format!("environment: {environment}"))
    };
    env.write("production.yaml", stage("production"));
    env.write("test.yaml", stage("test"));
    let said = env.run(&["-f", "test.yaml", "validate"]);
    assert_snapshot!(said, @r#"
    exit 0
    --- stdout
    Success! The configuration is valid: 1 organization, 1 callback, 1 warning.
    --- stderr
    warning[W011]: this URL is also declared for the production environment in production.yaml:7
     --> test.yaml:7:16
      |
    7 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: the receiver can't tell real messages from those of the test environment; use a different URL in each environment
    "#);
    for file in ["production.yaml", "test.yaml"] {
        env.run(&["-f", file, "import", "--all"]).exits(0);
    }
    assert!(env.exists("production.state.json") && env.exists("test.state.json"));
    assert!(!env.exists("callbacks.state.json"));
}

#[test]
fn an_older_state_keeps_its_meaning() {
    let env = TestEnv::new("");
    std::fs::remove_file(env.path("callbacks.yaml")).unwrap();
    env.write("test.yaml", configuration(&[("acme", &[ONE])]));
    env.run(&[
        "-f",
        "test.yaml",
        "--state",
        "callbacks.state.json",
        "import",
        "--all",
    ])
    .exits(0);
    let said = env.run(&["-f", "test.yaml", "plan"]);
    assert_snapshot!(said, @"
    exit 0
    --- stdout
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. Nothing has been confirmed yet.
    1 unchanged, 1 unproven.
    Environment: test (ess.test.ess.tencent.cn)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    --- stderr
    Note: the state is callbacks.state.json, as there is no test.state.json. To name it after the configuration, rename it when no apply is running and no callbacks.state.journal is left.
    ");
    // With a callbacks.yaml, it belongs to that.
    env.write("callbacks.yaml", configuration(&[("acme", &[TWO])]));
    let said = env
        .run(&["-f", "test.yaml", "plan", "--format", "json"])
        .exits(0);
    assert!(said.stdout.contains("\"add\": 1,"), "{said}");
}
