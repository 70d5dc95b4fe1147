//! Plans that are saved, reviewed and applied later: applied once, to the state they were made for.

use insta::assert_snapshot;

use crate::support::{OTHER_KEY, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

/// One callback is applied, and a plan for another is saved.
fn planned() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE, TWO])]));
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    (env, served)
}

#[test]
fn a_saved_plan_is_applied_once_and_without_the_configuration() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    assert_snapshot!(env.run(&["plan", "--out", "plan.json"]), @r#"
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
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    --- stderr
    Saved the plan to plan.json. To apply exactly this:

        ess-callbacks apply plan.json
    "#);
    std::fs::remove_file(env.path("callbacks.yaml")).unwrap();
    assert_snapshot!(env.run(&["apply", "plan.json"]), @r"
        exit 0
        --- stdout
        acme/https://hooks.example/one: Adding...
        acme/https://hooks.example/one: Added after [ELAPSED] [request id [UUID]]
        Apply complete! Resources: 1 added, 0 changed, 0 destroyed.
        ");
    assert_eq!(served.urls(), [ONE]);
    assert_snapshot!(env.run(&["apply", "plan.json"]), @"
        exit 7
        --- stderr
        error: the plan was made before there was a state, which exists now: another run has written it since
          Make a new plan with `plan --out`, and review it again.
        ");
    assert_eq!(served.arrived(), 1);
}

#[test]
fn a_saved_plan_is_shown_as_it_was() {
    let (env, _served) = planned();
    let (shown, planned) = (env.run(&["show", "plan.json"]), env.run(&["plan"]));
    assert_eq!(shown.out(), planned.out());
    assert_snapshot!(shown, @r#"
    exit 0
    --- stdout
    Actions are indicated with the following symbols:
      + add

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/two will be added
      + callback {
          + url   = "https://hooks.example/two"
          + key   = (secret)
          + token = (secret)
        }

    Plan: 1 to add, 0 to change, 0 to destroy.
    1 call, about 1 s at 20/s. 1 unchanged, 1 unproven.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    "#);
    let document = env.run(&["show", "plan.json", "--format", "json"]).exits(0);
    assert_eq!(document.stdout, env.read("plan.json"));
}

#[test]
fn organizations_in_which_nothing_is_called_are_not_saved() {
    let (one, two) = (
        ("acme", &[ONE][..]),
        ("beta", &["https://beta.example/"][..]),
    );
    let mut env = TestEnv::new(&configuration(&[one, two]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[ONE, TWO]), two]),
    );
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    let saved: serde_json::Value = serde_json::from_str(&env.read("plan.json")).unwrap();
    let changes = saved["changes"].as_array().unwrap();
    let addresses: Vec<&str> = changes
        .iter()
        .map(|change| change["address"].as_str().unwrap())
        .collect();
    let expected = [format!("acme/{TWO}"), format!("acme/{ONE}")];
    assert_eq!(addresses, expected, "those of the changed one alone");
    for format in ["text", "diff", "markdown"] {
        let shown = env.run(&["show", "plan.json", "--format", format]).exits(0);
        let planned = env.run(&["plan", "--format", format]).exits(0);
        assert_eq!(shown.out(), planned.out());
    }
    env.run(&["apply", "plan.json"]).exits(0);
    assert_eq!(served.arrived(), 3);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn another_apply_makes_it_stale() {
    let (env, served) = planned();
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_snapshot!(env.run(&["apply", "plan.json"]), @"
        exit 7
        --- stderr
        error: the plan is stale: it was made from serial 4 of the state, which is now at 7: an apply, a controller or another command has changed what it was made from
          Make a new plan with `plan --out`, and review it again.
        ");
    assert_eq!(served.arrived(), 2);
}

#[test]
fn it_is_for_one_state_only() {
    let (env, served) = planned();
    env.run(&["apply", "--auto-approve", "--state", "other.json"])
        .exits(0);
    let said = env
        .run(&["apply", "plan.json", "--state", "other.json"])
        .exits(7);
    assert_snapshot!(said, @r"
        exit 7
        --- stderr
        error: the plan was made for another state (lineage [UUID], but this one has [UUID])
          Make a new plan with `plan --out`, and review it again.
        ");
    let said = env
        .run(&["apply", "plan.json", "--state", "new.json"])
        .exits(7);
    assert_snapshot!(said, @r"
        exit 7
        --- stderr
        error: the plan was made for another state (lineage [UUID], but this one has no state yet)
          Make a new plan with `plan --out`, and review it again.
        ");
    assert_eq!(served.arrived(), 1 + 2);
}

#[test]
fn an_edited_plan_is_refused() {
    let (env, served) = planned();
    let text = env.read("plan.json");
    for (from, to) in [
        (TWO, "https://evil.example/"),
        ("\"add\"", "\"delete\""),
        ("\n", "\r\n"),
        ("\n", ""),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text, "{from} stands in it");
        env.write("plan.json", edited);
        let said = env.run(&["apply", "plan.json"]).exits(7);
        assert!(
            said.stderr.contains("make a new one with `plan --out`"),
            "{said}"
        );
    }
    env.write("plan.json", &text[..text.len() / 2]);
    assert_snapshot!(env.run(&["apply", "plan.json"]).exits(7).err(), @"error: the plan `plan.json` can't be applied: the plan is cut off: it ends in the middle. Make a new one with `plan --out`");
    assert_eq!(served.arrived(), 1);
}

#[test]
fn a_secret_that_changed_since_makes_it_stale() {
    let (mut env, served) = planned();
    env.set("KEY", OTHER_KEY);
    assert_snapshot!(env.run(&["apply", "plan.json"]), @r"
        exit 7
        --- stderr
        error: the key or token of acme/https://hooks.example/two has another value now than when the plan was made
          Make a new plan with `plan --out`.
        ");
    env.unset("KEY");
    assert_snapshot!(env.run(&["apply", "plan.json"]), @"
        exit 1
        --- stderr
        error[E053]: the environment variable KEY is not set
         |
         = help: set KEY where this command runs
        error: keys or tokens that the plan needs can't be read; nothing was done
        ");
    assert_eq!(served.arrived(), 1);
}

#[test]
fn what_is_no_plan_says_so() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    assert_snapshot!(env.run(&["apply", "missing.json"]), @r"
        exit 1
        --- stderr
        error: the plan `missing.json` can't be read: No such file or directory (os error 2)
        ");
    env.write("broken.json", "{\"format_version\": \"9.0\"}");
    assert_snapshot!(env.run(&["apply", "broken.json"]), @"
    exit 7
    --- stderr
    error: the plan `broken.json` can't be applied: the plan has format version `9.0`, and this program reads `1.4` only. Make a new one with `plan --out`, or use the program that made it
    ");
    assert_snapshot!(env.run(&["show", "broken.json"]), @"
    exit 1
    --- stderr
    error: the plan `broken.json` can't be shown: the plan has format version `9.0`, and this program reads `1.4` only. Make a new one with `plan --out`, or use the program that made it
    ");
    assert_snapshot!(env.run(&["plan", "--out", "no/such/folder.json"]).err(), @"error: the plan can't be saved to `no/such/folder.json`: the folder `no/such` does not exist");
}

#[test]
fn a_plan_that_a_guard_refuses_is_not_saved() {
    let (env, _served) = planned();
    env.write(
        "callbacks.yaml",
        format!("{}    absent: [{TWO}]\n", configuration(&[("acme", &[])])),
    );
    env.run(&["plan", "--out", "refused.json"]).exits(5);
    assert!(!env.exists("refused.json"));
}

#[test]
fn it_is_for_one_place_only() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.run(&["plan", "--sandbox", "--out", "sandbox.json"])
        .exits(0);
    env.run(&["plan", "--out", "esign.json"]).exits(0);
    let served = env.serve(&[]);
    env.run(&["plan", "--out", "served.json"]).exits(0);
    assert_snapshot!(env.run(&["apply", "sandbox.json"]), @"
        exit 7
        --- stderr
        error: the plan was made for the sandbox, and these calls would go to http://127.0.0.1:[PORT]/; nothing was called
          Apply it with --sandbox, as it was planned, or make a new plan.
        ");
    assert_snapshot!(env.run(&["apply", "esign.json"]), @"
        exit 7
        --- stderr
        error: the plan was made for eSign, and these calls would go to http://127.0.0.1:[PORT]/; nothing was called
          Apply it without --sandbox and --endpoint, as it was planned, or make a new plan.
        ");
    env.unset("ESS_CALLBACKS_ENDPOINT");
    assert_snapshot!(env.run(&["apply", "served.json"]), @"
        exit 7
        --- stderr
        error: the plan was made for http://127.0.0.1:[PORT]/, and these calls would go to eSign; nothing was called
          Apply it with --endpoint http://127.0.0.1:[PORT]/, as it was planned, or make a new plan.
        ");
    let said = env.run(&["apply", "esign.json", "--sandbox"]).exits(7);
    assert!(said.stderr.contains("would go to the sandbox"), "{said}");
    assert_eq!(served.arrived(), 0);
    let said = env.run(&["apply", "sandbox.json", "--sandbox"]).exits(0);
    assert!(said.stdout.contains("1 added"), "{said}");
    env.set("ESS_CALLBACKS_ENDPOINT", &served.endpoint());
    env.run(&["apply", "served.json"]).exits(0);
    assert_eq!(served.urls(), [ONE]);
}
