//! `init`: what it writes works, and nothing is overwritten.

use std::fs;

use insta::assert_snapshot;

use crate::support::TestEnv;

fn empty() -> TestEnv {
    let mut env = TestEnv::new("");
    fs::remove_file(env.path("callbacks.yaml")).unwrap();
    env.unset("KEY").unset("TOKEN");
    env
}

fn replace_placeholders(env: &TestEnv) {
    let text = env.read("callbacks.yaml");
    let text = text.replace("<UserId>", crate::support::OPERATOR);
    env.write("callbacks.yaml", text.replace("<host>", "hooks.example"));
}

#[test]
fn what_it_writes_can_be_applied_once_its_placeholders_are_replaced() {
    let env = empty();
    env.write(".gitignore", "target/");
    assert_snapshot!(env.run(&["init"]), @"
    exit 0
    --- stdout
    Wrote callbacks.yaml
    Wrote callbacks.schema.json
    Added 9 lines to .gitignore

    Next: in callbacks.yaml, replace <UserId> (line 18) and <host> (line 24) with your own values
    and declare your organizations and URLs. Then run

        ess-callbacks validate
        ess-callbacks --sandbox apply    (calls only the sandbox)
        ess-callbacks plan    (needs the keys and tokens; `ess-callbacks secret new` generates one)
    ");
    assert_snapshot!(env.read(".gitignore"), @"
    target/
    *.state.lock
    *.state.json.backup
    plan.json
    .ess-callbacks/
    .state/
    secrets/
    *.key
    *.token
    callbacks.emergency-*.json
    ");
    assert_snapshot!(env.run(&["validate"]), @"
    exit 1
    --- stderr
    error[E021]: `operator` is a placeholder (`<…>`), not an id
      --> callbacks.yaml:18:13
       |
    18 |   operator: <UserId>
       |             ^^^^^^^^
       |
       = help: copy the id from the eSign console
    error[E044]: invalid host: a host name can't contain `<`
      --> callbacks.yaml:24:14
       |
    24 |       - url: https://<host>/esign
       |              ^^^^^^^^^^^^^^^^^^^^
       |
       = help: use letters, digits, `-`, `_` and single dots; wildcards and placeholders are not replaced
    error: the configuration has errors; nothing was done
    ");
    replace_placeholders(&env);
    assert_snapshot!(env.run(&["validate"]), @"
    exit 0
    --- stdout
    Success! The configuration is valid: 1 organization, 1 callback.
    ");
    let applied = env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    assert!(applied.stdout.contains("Apply complete!"), "{applied}");
    assert_eq!(
        env.read("callbacks.schema.json"),
        env.run(&["schema"]).stdout
    );
}

/// The commented parts are examples too: with their signs taken away, the file still says
/// something valid.
#[test]
fn what_is_commented_out_is_right_as_well() {
    let env = empty();
    env.run(&["init"]).exits(0);
    replace_placeholders(&env);
    let text = env.read("callbacks.yaml");
    let example = |line: &str| {
        let inner = line.trim_start();
        ["# absent:", "#   - ", "# acme-sh", "#   ", "# accounts:"]
            .iter()
            .any(|start| inner.starts_with(start))
            && !inner.contains("ess-callbacks ")
    };
    let all: Vec<String> = text
        .lines()
        .map(|line| {
            let signs = usize::from(example(line));
            line.replacen("# ", "", signs)
        })
        .collect();
    env.write("callbacks.yaml", all.join("\n"));
    assert_snapshot!(env.run(&["validate"]), @r"
        exit 0
        --- stdout
        Success! The configuration is valid: 2 organizations, 2 callbacks.
        ");
    assert!(all.iter().any(|line| line.trim() == "absent:"));
    assert!(all.iter().any(|line| line == "accounts:"));
}

#[test]
fn a_configuration_that_is_there_stays() {
    let env = TestEnv::new("mine");
    assert_snapshot!(env.run(&["init"]), @"
        exit 1
        --- stderr
        error: `callbacks.yaml` already exists; nothing was written
          Give another name with -f. To update only the schema, run `ess-callbacks schema > callbacks.schema.json`.
        ");
    assert_eq!(env.read("callbacks.yaml"), "mine");
    assert!(!env.exists("callbacks.schema.json") && !env.exists(".gitignore"));
}

#[test]
fn it_goes_where_f_says() {
    let env = empty();
    let said = env.run(&["init", "-f", "esign/callbacks.yaml"]).exits(0);
    assert!(
        said.stdout
            .contains("ess-callbacks -f esign/callbacks.yaml validate"),
        "{said}"
    );
    assert!(env.exists("esign/callbacks.schema.json") && env.exists("esign/.gitignore"));
    env.run(&["init", "-f", "-"]).exits(64);
    env.run(&["init", "-f", "esign"]).exits(64);
}

/// What can't be written is reported before the configuration is written, so that init can be repeated.
#[test]
fn a_file_that_can_not_be_written_is_reported_and_leaves_no_configuration() {
    let env = empty();
    fs::create_dir(env.path(".gitignore")).unwrap();
    assert_snapshot!(env.run(&["init"]), @"
    exit 1
    --- stderr
    error: `.gitignore` can't be written: Is a directory (os error 21)
    ");
    assert!(!env.exists("callbacks.yaml"));
    fs::remove_dir(env.path(".gitignore")).unwrap();
    fs::create_dir(env.path("callbacks.schema.json")).unwrap();
    env.run(&["init"]).exits(1);
    assert!(!env.exists("callbacks.yaml"));
    fs::remove_dir(env.path("callbacks.schema.json")).unwrap();
    env.run(&["init"]).exits(0);
}

#[cfg(unix)]
#[test]
fn a_link_is_a_configuration_that_is_there_wherever_it_leads() {
    let env = empty();
    std::os::unix::fs::symlink("nowhere.yaml", env.path("callbacks.yaml")).unwrap();
    env.run(&["init"]).exits(1);
    assert!(!env.exists("nowhere.yaml") && !env.exists(".gitignore"));
}

/// Git reads no linked .gitignore, so what is in it keeps nothing out.
#[cfg(unix)]
#[test]
fn a_linked_gitignore_is_reported_and_its_target_stays() {
    let env = empty();
    env.write("shared", "target/");
    std::os::unix::fs::symlink("shared", env.path(".gitignore")).unwrap();
    assert_snapshot!(env.run(&["init"]), @"
    exit 1
    --- stderr
    error: `.gitignore` is a symbolic link, which Git does not follow; nothing was written
      Replace it with a file.
    ");
    assert_eq!(env.read("shared"), "target/");
    assert!(!env.exists("callbacks.yaml") && !env.exists("callbacks.schema.json"));
}

#[test]
fn what_a_gitignore_has_stays_byte_by_byte() {
    let env = empty();
    let before = b"caf\xe9/\r\nsecrets/\r\n!test.key";
    env.write(".gitignore", before);
    env.run(&["init"]).exits(0);
    let after = fs::read(env.path(".gitignore")).unwrap();
    let added = after.strip_prefix(before.as_slice()).expect("the old part");
    assert_eq!(
        String::from_utf8_lossy(added),
        "\r\n*.state.lock\r\n*.state.json.backup\r\nplan.json\r\n.ess-callbacks/\r\n.state/\r\n*.key\r\n*.token\r\ncallbacks.emergency-*.json\r\n"
    );
    fs::remove_file(env.path("callbacks.yaml")).unwrap();
    env.run(&["init"]).exits(0);
    assert_eq!(fs::read(env.path(".gitignore")).unwrap(), after);
}

/// What it says to do next can be done as it says.
#[test]
fn its_next_steps_are_true() {
    let mut env = empty();
    env.run(&["init"]).exits(0);
    replace_placeholders(&env);
    env.run(&["validate"]).exits(0);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    env.run(&["plan"]).exits(1);
    for name in ["ACME_CALLBACK_KEY", "ACME_CALLBACK_TOKEN"] {
        let made = env.run(&["secret", "new"]).exits(0).stdout;
        env.set(name, made.trim());
    }
    env.run(&["plan"]).exits(0);
}

#[test]
fn the_operator_of_the_vendor_s_tools_is_written() {
    let mut env = empty();
    let id = crate::support::OPERATOR;
    let file = |operator: &str| {
        format!(
            "credentials: {{ secret_id: canary-id, secret_key: canary-key }}\noperator: {{ user_id: {operator} }}\n"
        )
    };
    env.write("tsign.yaml", file(id));
    env.set("TSIGN_CONFIG_PATH", "tsign.yaml");
    let said = env.run(&["init"]).exits(0);
    assert!(
        said.stdout.contains("replace <host> (line 24) with"),
        "{said}"
    );
    assert!(
        said.stderr
            .contains("the operator is the one of `tsign.yaml`"),
        "{said}"
    );
    let text = env.read("callbacks.yaml");
    assert!(text.contains(&format!("  operator: {id}\n")), "{text}");
    assert!(!text.contains("canary"), "{text}");
    // What can't be a UserId is not one.
    for other in [
        file("nobody: [\n"),
        "operator: 1".to_owned(),
        file("'x\ny'"),
    ] {
        env.write("tsign.yaml", other);
        fs::remove_file(env.path("callbacks.yaml")).unwrap();
        env.run(&["init"]).exits(0);
        assert!(env.read("callbacks.yaml").contains("operator: <UserId>"));
    }
}
