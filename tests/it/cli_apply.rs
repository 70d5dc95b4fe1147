//! From the first plan to the last delete, as a user sees it.

use insta::assert_snapshot;

use crate::support::{OPERATOR, OTHER_KEY, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";
const THREE: &str = "https://hooks.example/three";
const FOUR: &str = "https://hooks.example/four";

fn acme(urls: &[&str]) -> String {
    configuration(&[("acme", urls)])
}

#[test]
fn plan_apply_and_plan_again_on_the_embedded_sandbox() {
    let env = TestEnv::new(&acme(&[ONE, TWO]));
    assert_snapshot!(env.run(&["--sandbox", "plan"]).brief(), @"
    exit 0
      # acme/https://hooks.example/one will be added
      # acme/https://hooks.example/two will be added
    Plan: 2 to add, 0 to change, 0 to destroy.
    2 calls, about 1 s at 20/s.
    ");
    assert_snapshot!(env.run(&["--sandbox", "apply", "--auto-approve"]), @r#"
    exit 0
    --- stdout
    Actions are indicated with the following symbols:
      + add

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one will be added
      + callback {
          + url   = "https://hooks.example/one"
          + key   = (secret)
          + token = (secret)
        }

      # acme/https://hooks.example/two will be added
      + callback {
          + url   = "https://hooks.example/two"
          + key   = (secret)
          + token = (secret)
        }

    Plan: 2 to add, 0 to change, 0 to destroy.
    2 calls, about 1 s at 20/s.
    Environment: test (sandbox), account: default
    acme/https://hooks.example/one: Adding...
    acme/https://hooks.example/one: Added after [ELAPSED] [request id [UUID]]
    acme/https://hooks.example/two: Adding...
    acme/https://hooks.example/two: Added after [ELAPSED] [request id [UUID]]
    Apply complete! Resources: 2 added, 0 changed, 0 destroyed.
    "#);
    assert_snapshot!(env.run(&["--sandbox", "plan"]), @"
    exit 0
    --- stdout
    No changes. Your configuration matches the recorded state.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    2 unchanged, 2 unproven.
    Environment: test (sandbox)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    ");
    assert_snapshot!(env.run(&["--sandbox", "apply", "--auto-approve"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    2 unchanged, 2 unproven.
    Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
    ");
    assert!(
        !env.exists("callbacks.state.json"),
        "the real state is not touched"
    );
}

#[test]
fn a_plan_before_the_first_apply_is_the_same_each_time() {
    let env = TestEnv::new(&acme(&[ONE]));
    let (first, second) = (env.run(&["plan"]), env.run(&["plan"]));
    assert_eq!(first.stdout, second.stdout);
    assert_snapshot!(first, @r#"
    exit 0
    --- stdout
    Actions are indicated with the following symbols:
      + add

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one will be added
      + callback {
          + url   = "https://hooks.example/one"
          + key   = (secret)
          + token = (secret)
        }

    Plan: 1 to add, 0 to change, 0 to destroy.
    1 call, about 1 s at 20/s.
    Environment: test (ess.test.ess.tencent.cn), account: default
    "#);
}

#[test]
fn a_served_sandbox_is_called_with_the_credentials_of_the_environment() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let served = env.serve(&[]);
    let said = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(
        said.stdout.contains("Apply complete! Resources: 2 added"),
        "{said}"
    );
    let callbacks = served.callbacks();
    assert_eq!(served.urls(), [ONE, TWO]);
    // What sha256sum says of the key.
    let digest = "cd6c1f7d1dc6717d6371d2647910ca71ba3bf0b611083d322466b8843b4285b6";
    assert_eq!(callbacks[0]["key_sha256"], digest);
    assert_eq!(callbacks[0]["account"], "default");
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_changed_key_is_a_replace_and_proves_what_is_there() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.set("KEY", OTHER_KEY);
    assert_snapshot!(env.run(&["apply", "--auto-approve"]), @r#"
    exit 0
    --- stdout
    Actions are indicated with the following symbols:
    -/+ replace (delete, then add)

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one must be replaced
      # (because its key changed)
    -/+ callback {
            url   = "https://hooks.example/one"
          ~ key   = (secret, fp [FP], assumed) -> (secret, changed)
          ~ token = (secret, fp [FP], assumed) -> (secret)
        }

    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    acme/https://hooks.example/one: Replacing (delete, then add)...
    acme/https://hooks.example/one: Replaced after [ELAPSED] [request id [UUID]]
    Apply complete! Resources: 1 added, 0 changed, 1 destroyed.
    "#);
    assert_eq!(served.operations(ONE), ["add", "delete", "add"]);
    assert_snapshot!(env.run(&["plan"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    1 unchanged.
    ");
}

#[test]
fn leaving_out_most_of_an_organization_needs_the_number_of_deletes() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO, THREE, FOUR]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);

    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    assert_snapshot!(env.run(&["plan"]), @r#"
    exit 5
    --- stdout
    Actions are indicated with the following symbols:
      - delete

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/four will be deleted
      # (because it is not in callbacks.yaml)
      - callback {
          - url   = "https://hooks.example/four"
          - key   = (secret, fp [FP], assumed)
          - token = (secret, fp [FP], assumed)
        }

      # acme/https://hooks.example/three will be deleted
      # (because it is not in callbacks.yaml)
      - callback {
          - url   = "https://hooks.example/three"
          - key   = (secret, fp [FP], assumed)
          - token = (secret, fp [FP], assumed)
        }

    Plan: 0 to add, 0 to change, 2 to destroy.
    2 calls, about 1 s at 20/s. 2 unchanged, 2 unproven.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    --- stderr

    error: this plan deletes more than the guards allow and will not be applied

      acme: 2 of its 4 callbacks, more than 30 %

    These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, say how many: --allow-deletes 2
    "#);
    env.run(&["apply", "--auto-approve"]).exits(5);
    assert_eq!(served.urls().len(), 4, "nothing was deleted");
}

#[test]
fn the_number_of_deletes_must_be_right() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO, THREE]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);

    env.write("callbacks.yaml", acme(&[ONE]));
    let apply = |number| env.run(&["apply", "--auto-approve", "--allow-deletes", number]);
    assert_snapshot!(apply("1").exits(5).brief(), @"
    exit 5
      # acme/https://hooks.example/three will be deleted
      # (because it is not in callbacks.yaml)
      # acme/https://hooks.example/two will be deleted
      # (because it is not in callbacks.yaml)
    Plan: 0 to add, 0 to change, 2 to destroy.
    2 calls, about 1 s at 20/s. 1 unchanged, 1 unproven.
    --- stderr
    error: this plan deletes more than the guards allow and will not be applied
      acme: 2 of its 3 callbacks, more than 30 %
    These callbacks are deleted because callbacks.yaml leaves them out. If that is meant, say how many: --allow-deletes 2
    error: --allow-deletes does not match this plan, which will not be applied
      --allow-deletes 1, but the plan deletes 2
    The plan may have changed since the flag was written. Read it again; if the deletes are meant: --allow-deletes 2
    ");
    assert_eq!(served.urls().len(), 3, "nothing was deleted");

    assert_snapshot!(apply("2").exits(0).brief(), @"
    exit 0
      # acme/https://hooks.example/three will be deleted
      # (because it is not in callbacks.yaml)
      # acme/https://hooks.example/two will be deleted
      # (because it is not in callbacks.yaml)
    Plan: 0 to add, 0 to change, 2 to destroy.
    2 calls, about 1 s at 20/s. 1 unchanged, 1 unproven.
    Apply complete! Resources: 0 added, 0 changed, 2 destroyed.
    ");
    assert_eq!(served.urls(), [ONE]);
    assert_snapshot!(env.run(&["state", "list"]), @r"
        exit 0
        --- stdout
        acme/https://hooks.example/one
        ");
}

#[test]
fn a_protected_callback_stays_even_when_its_block_is_gone() {
    let protected = format!(
        "  acme:\n    callbacks:\n      - {{ url: {ONE}, key: {{ env: KEY }}, token: {{ env: TOKEN }}, protect: true }}\n      \
         - {{ url: {TWO}, key: {{ env: KEY }}, token: {{ env: TOKEN }} }}\n"
    );
    let other = format!(
        "  beta:\n    app_id: app-1\n    callbacks:\n      - {{ url: {ONE}, key: {{ file: beta.key }}, token: {{ file: beta.token }} }}\n"
    );
    let head = acme(&[]).replace("  acme:\n", "");
    let mut env = TestEnv::new(&format!("{head}{protected}{other}"));
    env.write("beta.key", format!("{OTHER_KEY}\n"));
    env.write("beta.token", "beta-token-5AF866900CA34D1A9538");
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);

    env.write("callbacks.yaml", format!("{head}{other}"));
    let flags = ["apply", "--auto-approve", "--allow-deletes", "2"];
    assert_snapshot!(env.run(&flags).brief(), @"
    exit 5
      # acme/https://hooks.example/one will be deleted
      # (because its organization is not in callbacks.yaml)
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      # acme/https://hooks.example/two will be deleted
      # (because its organization is not in callbacks.yaml)
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
    Plan: 0 to add, 0 to change, 2 to destroy.
    2 calls, about 1 s at 20/s. 1 unchanged, 1 unproven.
    --- stderr
    error: this plan deletes what is protected and will not be applied
      acme/https://hooks.example/one
    No flag overrides this. To delete them, put each into callbacks.yaml with `protect: false`, apply that, then remove it.
    ");
    assert_eq!(served.urls().len(), 3);
}

#[test]
fn what_is_listed_absent_is_deleted_once_and_remembered() {
    let absent = format!("    absent: [{TWO}]\n");
    let mut env = TestEnv::new(&format!("{}{absent}", acme(&[ONE])));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_snapshot!(env.run(&["state", "list"]), @r"
        exit 0
        --- stdout
        acme/https://hooks.example/one
        acme/https://hooks.example/two
        ");
    assert_snapshot!(env.run(&["plan", "--detailed-exitcode"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    1 unchanged, 1 unproven.
    ");
    env.write("callbacks.yaml", acme(&[ONE]));
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    1 unchanged, 1 unproven.
    1 recorded callback will be forgotten: absent, and not declared.
    Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
    ");
    assert_snapshot!(env.run(&["state", "list"]), @r"
        exit 0
        --- stdout
        acme/https://hooks.example/one
        ");
    assert_eq!(served.arrived(), 2, "an add and one delete");
}

#[test]
fn a_suspended_organization_is_left_alone() {
    let suspended = acme(&[ONE]).replace("  acme:\n", "  acme:\n    suspend: true\n");
    let mut env = TestEnv::new(&suspended);
    let served = env.serve(&[]);
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    1 suspended.
    1 organization is suspended; no calls are made for it: acme.
    Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
    ");
    assert_eq!(served.log().len(), 0);
}

#[test]
fn adopting_by_replace_proves_at_once() {
    let config = acme(&[ONE]).replace(OPERATOR, &format!("{OPERATOR}, adoption: replace"));
    let mut env = TestEnv::new(&config);
    let served = env.serve(&[]);
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).brief(), @"
    exit 0
      # acme/https://hooks.example/one must be replaced
      # (because it is new here and `adoption: replace` asks for proof)
    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s; 1 replace with a gap of about 1 round trip.
    Apply complete! Resources: 1 added, 0 changed, 1 destroyed.
    ");
    assert_snapshot!(env.run(&["plan"]).brief(), @"
    exit 0
    No changes. Your configuration matches the recorded state.
    1 unchanged.
    ");
    assert_eq!(served.urls(), [ONE]);
}

#[test]
fn an_apply_that_can_not_be_approved_calls_nothing() {
    let env = TestEnv::new(&acme(&[ONE]));
    assert_snapshot!(env.run(&["--sandbox", "apply"]), @"
        exit 64
        --- stderr
        error: apply asks before the first call, but there is no terminal
          Give --auto-approve, or a reviewed plan that `plan --out` saved.
        ");
    assert!(!env.exists(".ess-callbacks"));
}
