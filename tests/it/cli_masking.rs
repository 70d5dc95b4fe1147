//! Credentials in URLs: masked wherever people look, whole where the calls need them.

use crate::support::{TestEnv, configuration};

const ONE: &str = "https://hooks.example/one?token=canary1234&page=2";
const MASKED: &str = "https://hooks.example/one?token=***&page=2";
const TWO: &str = "https://hooks.example/two";

#[test]
fn a_credential_in_a_url_is_shown_nowhere() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    let unshown = |env: &TestEnv, arguments: &[&str], code: i32| {
        let said = env.run(arguments).exits(code);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains("canary"), "{arguments:?}: {said}");
        all
    };
    let said = unshown(&env, &["validate"], 0);
    assert!(
        said.contains("warning[W010]") && said.contains(MASKED),
        "{said}"
    );
    unshown(&env, &["validate", "--annotate", "github"], 0);
    unshown(&env, &["validate", "--annotate", "gitlab"], 0);
    // The line of another problem shows the URL too.
    let key = env.read("callbacks.yaml");
    env.set("KEY", "short");
    unshown(&env, &["plan"], 1);
    unshown(&env, &["plan", "--format", "json"], 1);
    env.set("KEY", crate::support::KEY);
    env.write("broken.yaml", format!("{key}\n  - [ {ONE}\n"));
    unshown(&env, &["-f", "broken.yaml", "validate"], 1);

    for format in ["text", "markdown", "diff", "json"] {
        let said = unshown(&env, &["plan", "--format", format], 0);
        assert!(said.contains("token=***"), "{said}");
    }
    unshown(&env, &["--json", "plan"], 0);
    for target in [
        &format!("acme/{ONE}"),
        &format!("acme/{MASKED}"),
        "acme/*one*",
    ] {
        let said = unshown(&env, &["plan", "--target", target], 0);
        assert!(said.contains("Plan: 1 to add"), "{said}");
    }
    let none = format!("beta/{ONE}");
    unshown(&env, &["plan", "--target", &none], 1);
    unshown(&env, &["plan", "--target", "acme/x", "--replace", &none], 1);

    // What is printed can't be applied; what is saved can, and calls the whole URL.
    env.write(
        "printed.json",
        env.run(&["plan", "--format", "json"]).stdout,
    );
    let said = unshown(&env, &["apply", "printed.json"], 7);
    assert!(said.contains("`plan --out` saves a plan"), "{said}");
    unshown(&env, &["plan", "--out", "plan.json"], 0);
    assert!(env.read("plan.json").contains(ONE));
    for format in ["text", "markdown", "diff", "json"] {
        unshown(&env, &["show", "plan.json", "--format", format], 0);
    }
    unshown(&env, &["-vvv", "--json", "apply", "plan.json"], 0);
    assert!(env.read("callbacks.state.json").contains(ONE));
    let there = |url: &str| served.urls().iter().any(|there| there == url);
    assert!(there(ONE) && !there(MASKED));

    let masked = format!("acme/{MASKED}");
    unshown(&env, &["show"], 0);
    unshown(&env, &["--json", "show"], 0);
    unshown(&env, &["state", "list"], 0);
    unshown(&env, &["--json", "state", "list"], 0);
    unshown(&env, &["state", "show", &masked], 0);
    unshown(&env, &["--json", "state", "show", "acme/*"], 0);
    unshown(&env, &["state", "rm", "--dry-run", &masked], 0);
    let said = unshown(
        &env,
        &["-vvv", "apply", "--auto-approve", "--replace", &masked],
        0,
    );
    assert!(said.contains("1 added, 0 changed, 1 destroyed"), "{said}");
    // For a machine.
    assert!(env.run(&["state", "pull"]).stdout.contains(ONE));
}
