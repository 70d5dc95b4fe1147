//! What changes in the record alone is in every format of a plan: protection that is taken away, another
//! operator, another handle.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{OPERATOR, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";
const OTHER: &str = "yDw6yUUgyg3caowzUx4GOtherOperator";

/// `acme` was applied with its first callback protected; now the configuration is as the function says.
fn then(change: impl Fn(String) -> String) -> TestEnv {
    let text = configuration(&[("acme", &[ONE, TWO])]);
    let protected = text.replacen("key:", "protect: true, key:", 1);
    let env = TestEnv::new(&protected);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", change(text));
    env
}

fn plan(env: &TestEnv, flags: &[&str]) -> String {
    let base = ["--sandbox", "plan"];
    env.run(&[&base, flags].concat()).exits(0).out()
}

#[test]
fn protection_that_is_taken_away_is_in_every_format() {
    let env = then(|text| text);
    assert_snapshot!(plan(&env, &[]), @"
    Changes to the record, without a call:
      ~ acme/https://hooks.example/one: protect = true -> false

    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    2 unchanged, 2 unproven.
    Environment: test (sandbox)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    ");
    assert_snapshot!(plan(&env, &["--format", "diff"]), @"
    --- recorded/acme
    +++ desired/acme
    @@ -1,2 +1 @@
     https://hooks.example/one
    -    protect: true
    ");
    let page = plan(&env, &["--format", "markdown"]);
    let change = "acme/https://hooks.example/one: protect = true -> false";
    assert!(page.contains(&format!("\n! {change}\n")), "{page}");
    assert!(
        page.contains("no calls, only the record is updated"),
        "{page}"
    );

    let document: Value = serde_json::from_str(&plan(&env, &["--format", "json"])).unwrap();
    let [item] = &document["bookkeeping"].as_array().unwrap()[..] else {
        panic!("{document:#}")
    };
    assert_eq!(item["url"], ONE);
    assert_eq!(item["before"]["protect"], true);
    assert_eq!(item["after"]["protect"], false);
    assert_eq!(document["applyable"], true);

    let events = env.run(&["--json", "--sandbox", "plan"]).exits(0).events();
    let [_, update, summary] = &events[..] else {
        panic!("{events:#?}")
    };
    assert_eq!(update["type"], "planned_update");
    assert_eq!(update["@message"], change);
    assert_eq!(update["update"]["before"], true);
    assert_eq!(summary["type"], "change_summary");
    // It counts as pending, and an apply ends it.
    env.run(&["--sandbox", "plan", "--detailed-exitcode"])
        .exits(2);
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    assert_eq!(plan(&env, &["--format", "diff"]), "");
}

#[test]
fn a_saved_plan_shows_what_the_plan_showed() {
    let env = then(|text| text.replace(OPERATOR, OTHER).replace("acme:", "renamed:"));
    plan(&env, &["--out", "plan.json"]);
    for format in ["text", "markdown", "diff"] {
        let shown = env.run(&["show", "plan.json", "--format", format]).exits(0);
        assert_eq!(shown.out(), plan(&env, &["--format", format]), "{format}");
    }
    assert_snapshot!(env.run(&["show", "plan.json"]).out(), @r#"
    Changes to the record, without a call:
      ~ renamed: handle = "acme" -> "renamed" (2 callbacks)
      ~ renamed: operator = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8" -> "yDw6yUUgyg3caowzUx4GOtherOperator" (2 callbacks)
      ~ renamed/https://hooks.example/one: protect = true -> false

    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    2 unchanged, 2 unproven.
    Environment: test (sandbox)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    "#);
    let said = env.run(&["--sandbox", "apply", "plan.json"]).exits(0);
    assert!(said.stdout.contains("0 added"), "{said}");
    let document: Value = serde_json::from_str(&plan(&env, &["--format", "json"])).unwrap();
    assert_eq!(document["bookkeeping"], json!([]));
}
