//! The forms of a plan: one line a change, and comments that can be told apart and never go stale.

use insta::assert_snapshot;

use crate::support::{TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

fn two_organizations() -> String {
    configuration(&[("acme", &[ONE, TWO]), ("beta", &[TWO])])
}

#[test]
fn a_summary_has_one_line_a_change() {
    let env = TestEnv::new(&two_organizations());
    assert_snapshot!(env.run(&["--sandbox", "plan", "--summary"]).exits(0).out(), @"
      + acme/https://hooks.example/one
      + acme/https://hooks.example/two
      + beta/https://hooks.example/two

    Plan: 3 to add, 0 to change, 0 to destroy.
    3 calls, about 1 s at 20/s.
    Environment: test (sandbox), account: default
    ");
    let applied = env.run(&["--sandbox", "apply", "--auto-approve", "--summary"]);
    let applied = applied.exits(0).out();
    assert!(!applied.contains("callback {"), "{applied}");
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE])]));
    let out = [
        "--sandbox",
        "plan",
        "--summary",
        "--allow-deletes=2",
        "--out=p",
    ];
    let planned = env.run(&out).exits(0).out();
    assert_snapshot!(planned, @"
      - acme/https://hooks.example/two
      - beta/https://hooks.example/two

    Plan: 0 to add, 0 to change, 2 to destroy.
    2 calls, about 1 s at 20/s. 1 unchanged, 1 unproven.
    Environment: test (sandbox), account: default
    ");
    let shown = env.run(&["show", "p", "--summary"]).exits(0).out();
    assert_eq!(shown, planned);
    assert_snapshot!(env.run(&["plan", "--summary", "--format=json"]).exits(64).err(), @"
    error: --summary shortens the text, so it can't be used with another --format
      Leave one of the two out.
    ");
}

#[test]
fn a_comment_has_the_label_of_its_configuration() {
    let mut env = TestEnv::new("");
    env.write("teams/pay/test.yaml", two_organizations());
    let first =
        |said: crate::support::Said| said.stdout.lines().take(4).collect::<Vec<_>>().join("\n");
    let comment = [
        "-f",
        "./teams/pay/test.yaml",
        "plan",
        "--format=markdown",
        "--no-secrets",
    ];
    assert_snapshot!(first(env.run(&comment).exits(0)), @"
    <!-- ess-callbacks plan teams/pay/test.yaml -->
    ### ess-callbacks `teams/pay/test.yaml`, test: 3 to add, 0 to change, 0 to destroy

    ```diff
    ");
    let id = "0123456789abcdef0123456789abcdef01234567";
    env.set("ESS_CALLBACKS_LABEL", "支付 test");
    env.set("CI_COMMIT_SHA", id);
    assert_snapshot!(first(env.run(&comment).exits(0)), @"
    <!-- ess-callbacks plan 支付 test -->
    ### ess-callbacks `支付 test`, test: 3 to add, 0 to change, 0 to destroy

    Commit 0123456789abcdef0123456789abcdef01234567
    ");
    // For a pull request GitHub names a merge commit that was never pushed.
    env.unset("CI_COMMIT_SHA").set("GITHUB_SHA", id);
    assert!(env.run(&comment).exits(0).stdout.contains(id));
    env.set("GITHUB_EVENT_NAME", "pull_request");
    assert!(!env.run(&comment).exits(0).stdout.contains(id));
    env.set("ESS_CALLBACKS_COMMIT", "0123abc");
    assert!(
        env.run(&comment)
            .exits(0)
            .stdout
            .contains("\nCommit 0123abc\n")
    );
    env.set("ESS_CALLBACKS_LABEL", "a --> b");
    assert_snapshot!(env.run(&comment).exits(64).err(), @"
    error: invalid value 'a --> b' for '--label <NAME>': a label has up to 64 letters, digits, spaces, `.`, `_`, `/` and single `-`, and no space at its ends

    For more information, try '--help'.
    ");
}

#[test]
fn an_error_replaces_the_comment() {
    let env = TestEnv::new("version: 1\nenvironment: test\norganisations: {}\n");
    let said = env.run(&["plan", "--format=markdown"]).exits(1);
    assert_snapshot!(said.out(), @"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks: no plan, because of an error

    ```text
    error[E010]: unknown field `organisations` in a configuration
     --> callbacks.yaml:3:1
      |
    3 | organisations: {}
      | ^^^^^^^^^^^^^
      |
      = help: did you mean `organizations`?
    error: the configuration has errors; nothing was done
    ```

    What this comment showed before may be out of date.
    ");
    // A failure of another kind as well: what was planned before says nothing any more.
    env.write("callbacks.yaml", two_organizations());
    env.write("callbacks.state.json", "{");
    let said = env
        .run(&["plan", "--format=markdown", "--no-secrets"])
        .exits(1);
    assert_snapshot!(said.out(), @"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks: no plan, because of an error

    ```text
    error: `callbacks.state.json` line 1: it ends in the middle
      The file was left as it is. Restore it from version control or from the `.backup` beside the state file, or fix the line by hand; then run `plan`.
    ```

    What this comment showed before may be out of date.
    ");
    // One page, also when the plan is there and can't be saved.
    let env = TestEnv::new(&two_organizations());
    let said = env
        .run(&[
            "plan",
            "--format=markdown",
            "--out=no/such/folder/plan.json",
        ])
        .exits(1);
    assert_eq!(
        said.stdout.matches("<!-- ess-callbacks").count(),
        1,
        "{said}"
    );
}

#[test]
fn a_bare_handle_is_all_of_its_organization() {
    let env = TestEnv::new(&two_organizations());
    let summary = |target: &str| {
        let said = env.run(&["--sandbox", "plan", "--summary", "--target", target]);
        said.exits(0)
            .stdout
            .lines()
            .filter(|line| line.contains("://"))
            .count()
    };
    assert_eq!((summary("acme"), summary("beta"), summary("*")), (2, 1, 3));
    env.run(&["import", "beta"]).exits(0);
    assert_snapshot!(env.run(&["state", "list", "beta"]).exits(0).out(), @"beta/https://hooks.example/two");
    assert_snapshot!(env.run(&["state", "list", "gamma"]).exits(1).err(), @"
    error: no recorded callback matches `gamma`
      `ess-callbacks state list` lists them all.
    ");
    env.run(&["state", "rm", "beta"]).exits(0);
    assert_snapshot!(env.run(&["state", "list"]).exits(0).out(), @"");
}

#[test]
fn a_plan_that_can_not_be_saved_names_the_file_that_was_asked_for() {
    let env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.write("file", "");
    let failed = |out: &str| env.run(&["plan", "--out", out]).exits(1).err();
    assert_snapshot!(failed("no/such/folder/plan.json"), @"error: the plan can't be saved to `no/such/folder/plan.json`: the folder `no/such/folder` does not exist");
    assert_snapshot!(failed("file/plan.json"), @"error: the plan can't be saved to `file/plan.json`: in `file`: not a directory");
}
