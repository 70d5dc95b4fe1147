//! The flags that choose what is planned.

use insta::assert_snapshot;

use crate::support::{OTHER_KEY, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";
const THREE: &str = "https://hooks.example/three";

/// Three callbacks, applied.
fn applied() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO, THREE])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    (env, served)
}

#[test]
fn targets_leave_the_rest_alone() {
    let (mut env, served) = applied();
    env.set("KEY", OTHER_KEY);
    let targets = [
        "--target",
        "acme/*/one",
        "--target",
        "acme/https://hooks.example/tw*",
    ];
    assert_snapshot!(env.run(&[&["apply", "--auto-approve"], &targets[..]].concat()).brief(), @"
    exit 0
      # acme/https://hooks.example/one must be replaced
      # (because its key changed)
      # acme/https://hooks.example/two must be replaced
      # (because its key changed)
    Plan: 2 to add, 0 to change, 2 to destroy.
    4 calls, about 1 s at 20/s; 2 replaces with a gap of about 1 round trip each.
    Apply complete! Resources: 2 added, 0 changed, 2 destroyed.
    ");
    assert_eq!(served.arrived(), 3 + 4);
    assert_snapshot!(env.run(&["plan", "--target", "acme/nothing"]), @"
    exit 1
    --- stderr
    error: --target: no declared or recorded callback matches `acme/nothing`
      An address is `HANDLE/URL`; `HANDLE` matches all callbacks of an organization.
    ");
    assert_snapshot!(env.run(&["plan", "--target", "acme"]).brief(), @"
    exit 0
      # acme/https://hooks.example/three must be replaced
      # (because its key changed)
    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip. 2 unchanged.
    ");
}

#[test]
fn a_requested_replace_proves_the_key_and_token() {
    let (env, _served) = applied();
    let address = format!("acme/{ONE}");
    assert_snapshot!(env.run(&["apply", "--auto-approve", "--replace", &address]), @r#"
    exit 0
    --- stdout
    Actions are indicated with the following symbols:
    -/+ replace (delete, then add)

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one must be replaced
      # (because --replace names it)
    -/+ callback {
            url   = "https://hooks.example/one"
          ~ key   = (secret, fp [FP], assumed) -> (secret, fp [FP])
          ~ token = (secret, fp [FP], assumed) -> (secret, fp [FP])
        }

    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip. 2 unchanged, 2 unproven.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    acme/https://hooks.example/one: Replacing (delete, then add)...
    acme/https://hooks.example/one: Replaced after [ELAPSED] [request id [UUID]]
    Apply complete! Resources: 1 added, 0 changed, 1 destroyed.
    "#);
    assert_snapshot!(env.run(&["state", "show", &address]), @r#"
    exit 0
    --- stdout
    # acme/https://hooks.example/one
    callback {
        url          = "https://hooks.example/one"
        status       = present
        evidence     = proven
        key          = (secret, fp [FP])
        token        = (secret, fp [FP])
        environment  = test
        account      = "default"
        organization = the account's own
        operator     = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
        confirmed    = [AGO] ([TIME], request id [UUID])
    }
    "#);
}

#[test]
fn healing_adds_again_what_was_deleted_behind_our_back() {
    let (mut env, served) = applied();
    // Another state deletes one of them at the same eSign.
    env.set("ESS_CALLBACKS_STATE", "other.state.json");
    env.write(
        "other.yaml",
        format!("{}    absent: [{TWO}]\n", configuration(&[("acme", &[])])),
    );
    env.run(&["-f", "other.yaml", "apply", "--auto-approve"])
        .exits(0);
    assert_eq!(served.urls(), [ONE, THREE]);
    env.unset("ESS_CALLBACKS_STATE");

    assert_snapshot!(env.run(&["plan", "--heal", "--older-than", "1h"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    3 unchanged, 3 unproven.
    ");
    assert_snapshot!(env.run(&["plan", "--heal", "--max-calls", "2"]), @r#"
    exit 0
    --- stdout
    Actions are indicated with the following symbols:
      * heal (add again)

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one will be healed (added again)
      # (because --heal asserts it again)
      * callback {
            url   = "https://hooks.example/one"
            key   = (secret, fp [FP], assumed)
            token = (secret, fp [FP], assumed)
        }

      # acme/https://hooks.example/three will be healed (added again)
      # (because --heal asserts it again)
      * callback {
            url   = "https://hooks.example/three"
            key   = (secret, fp [FP], assumed)
            token = (secret, fp [FP], assumed)
        }

    Plan: 0 to add, 2 to change, 0 to destroy.
    2 calls, about 1 s at 20/s. 1 unchanged, 1 unproven.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    Healing adds callbacks again, in case they were deleted outside ess-callbacks. It can't detect a deletion, nor a changed key or token.
    1 heal is left for a later run by --max-calls.
    "#);
    env.run(&["apply", "--auto-approve", "--heal"]).exits(0);
    assert_eq!(served.urls(), [ONE, THREE, TWO]);
    assert_snapshot!(env.run(&["plan", "--max-calls", "2"]), @"
    exit 64
    --- stderr
    error: --older-than and --max-calls need --heal or --heal-only
    ");
    assert_snapshot!(env.run(&["plan", "--heal", "--older-than", "1"]), @"
        exit 64
        --- stderr
        error: invalid value '1' for '--older-than <DURATION>': `1` is not a duration: write a number and a unit (s, m, h or d), such as 5m

        For more information, try '--help'.
        ");
}

#[test]
fn destroy_is_guarded_and_then_deletes_everything() {
    let (env, served) = applied();
    assert_snapshot!(env.run(&["plan", "--destroy"]).brief(), @"
    exit 5
      # acme/https://hooks.example/one will be deleted
      # (because of --destroy)
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      # acme/https://hooks.example/three will be deleted
      # (because of --destroy)
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      # acme/https://hooks.example/two will be deleted
      # (because of --destroy)
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
    Plan: 0 to add, 0 to change, 3 to destroy.
    3 calls, about 1 s at 20/s.
    --- stderr
    error: this plan deletes more than the guards allow and will not be applied
      acme: all its 3 callbacks; none would be left
    These callbacks are deleted because --destroy was given. If that is meant, say how many: --allow-deletes 3
    ");
    let flags = [
        "apply",
        "--auto-approve",
        "--destroy",
        "--allow-deletes",
        "3",
    ];
    env.run(&flags).exits(0);
    assert!(served.urls().is_empty());
    assert_snapshot!(env.run(&["state", "list"]), @"exit 0");
    assert_snapshot!(env.run(&["plan", "--destroy"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    ");
}

#[test]
fn without_secrets_a_rotation_is_not_checked() {
    let (mut env, _served) = applied();
    env.unset("KEY").unset("TOKEN");
    assert_snapshot!(env.run(&["plan"]), @r#"
        exit 1
        --- stderr
        error[E053]: the environment variable KEY is not set
         --> callbacks.yaml:7:50
          |
        7 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
          |                                                  ^
          |
          = help: set KEY where this command runs
        error[E053]: the environment variable TOKEN is not set
         --> callbacks.yaml:7:71
          |
        7 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
          |                                                                       ^
          |
          = help: set TOKEN where this command runs
        error: the configuration has errors; nothing was done
          Without the secrets, `plan --no-secrets` shows everything except whether they have changed.
        "#);
    assert_snapshot!(env.run(&["plan", "--no-secrets"]), @"
    exit 0
    --- stdout
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    3 unchanged, 3 unproven, 3 not checked.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    Not checked: the secrets were not read, so a missing, invalid or changed one is not detected. Adds and deletes are exact.
    ");
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[ONE, TWO, THREE, "https://new.example/"])]),
    );
    assert_snapshot!(env.run(&["plan", "--no-secrets", "--detailed-exitcode"]), @r#"
    exit 2
    --- stdout
    Actions are indicated with the following symbols:
      + add

    ess-callbacks will perform the following actions:

      # acme/https://new.example/ will be added
      + callback {
          + url   = "https://new.example/"
          + key   = (secret, not checked)
          + token = (secret, not checked)
        }

    Plan: 1 to add, 0 to change, 0 to destroy.
    1 call, about 1 s at 20/s. 3 unchanged, 3 unproven, 3 not checked.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    Not checked: the secrets were not read, so a missing, invalid or changed one is not detected. Adds and deletes are exact.
    "#);
    assert_snapshot!(env.run(&["plan", "--no-secrets", "--out", "plan.json"]), @"
        exit 64
        --- stderr
        error: the argument '--no-secrets' cannot be used with '--out <FILE>'

        Usage: ess-callbacks plan --no-secrets

        For more information, try '--help'.
        ");
}

#[test]
fn the_detailed_exit_code_tells_whether_there_are_changes() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.run(&["--sandbox", "plan", "--detailed-exitcode"])
        .exits(2);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    env.run(&["--sandbox", "plan", "--detailed-exitcode"])
        .exits(0);
}

#[test]
fn the_plan_document_is_printed_as_json() {
    let (mut env, _served) = applied();
    env.set("KEY", OTHER_KEY);
    let said = env.run(&["plan", "--format", "json"]).exits(0);
    let plan: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(plan["summary"]["replace"], 3);
    assert_eq!(
        plan["changes"][0]["actions"],
        serde_json::json!(["delete", "add"])
    );
    assert_eq!(plan["changes"][0]["address"], format!("acme/{ONE}"));
    assert_eq!(plan["applyable"], true);
    assert_eq!(plan["errored"], false);
    assert_eq!(said.err(), "");
}

#[test]
fn a_change_of_the_record_alone_is_not_called_no_changes() {
    let (env, _served) = applied();
    env.write(
        "callbacks.yaml",
        configuration(&[("renamed", &[ONE, TWO, THREE])]),
    );
    assert_snapshot!(env.run(&["plan", "--detailed-exitcode"]), @r#"
    exit 2
    --- stdout
    Changes to the record, without a call:
      ~ renamed: handle = "acme" -> "renamed" (3 callbacks)

    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    3 unchanged, 3 unproven.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    "#);
    let comment = env.run(&["plan", "--format", "markdown"]).exits(0);
    assert!(
        comment
            .stdout
            .contains("test: no calls, only the record is updated\n"),
        "{comment}"
    );
    env.run(&["apply", "--auto-approve"]).exits(0);
    let said = env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(said.stdout.starts_with("No changes."), "{said}");
}

#[test]
fn a_configuration_with_errors_gives_a_document_that_says_so() {
    let env = TestEnv::new("version: 2\n");
    let said = env.run(&["plan", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let shown = said
        .to_string()
        .replace(document["checksum"].as_str().unwrap(), "[CHECKSUM]")
        .replace(ess_callbacks::plan::FORMAT_VERSION, "[VERSION]");
    assert_snapshot!(shown, @r#"
    exit 1
    --- stdout
    {
      "format_version": "[VERSION]",
      "applyable": false,
      "errored": true,
      "changes": [],
      "diagnostics": [
        {"severity":"error","code":"E013","message":"missing field `environment`","snippet":{"file":"callbacks.yaml","line":1,"column":1,"length":1,"text":"version: 2","text_column":1},"help":"write `environment: production` or `environment: test`"},
        {"severity":"error","code":"E013","message":"missing field `organizations`","snippet":{"file":"callbacks.yaml","line":1,"column":1,"length":1,"text":"version: 2","text_column":1},"help":"write `organizations: {}` for none"},
        {"severity":"error","code":"E014","message":"unknown version of the format; this program reads version 1","snippet":{"file":"callbacks.yaml","line":1,"column":10,"length":1,"text":"version: 2","text_column":1},"help":"write `version: 1`, or use a newer ess-callbacks"}
      ],
      "checksum": "[CHECKSUM]"
    }
    --- stderr
    error[E013]: missing field `environment`
     --> callbacks.yaml:1:1
      |
    1 | version: 2
      | ^
      |
      = help: write `environment: production` or `environment: test`
    error[E013]: missing field `organizations`
     --> callbacks.yaml:1:1
      |
    1 | version: 2
      | ^
      |
      = help: write `organizations: {}` for none
    error[E014]: unknown version of the format; this program reads version 1
     --> callbacks.yaml:1:10
      |
    1 | version: 2
      |          ^
      |
      = help: write `version: 1`, or use a newer ess-callbacks
    error: the configuration has errors; nothing was done
    "#);
    // It is no plan, and says so to whoever takes it for one.
    env.write("plan.json", &said.stdout);
    assert_snapshot!(env.run(&["apply", "plan.json"]), @"
    exit 7
    --- stderr
    error: the plan `plan.json` can't be applied: it holds no plan, because the configuration had errors when it was made. Fix them and make a new one with `plan --out`
    ");

    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.unset("KEY");
    let said = env.run(&["plan", "--format", "json"]).exits(1);
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["diagnostics"][0]["code"], "E053", "{said}");
}
