//! `report`: the status page from a state, with and without its configuration.

use insta::assert_snapshot;

use crate::support::{Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one?token=canary1234";
const TWO: &str = "https://hooks.example/two";
const REPORT: [&str; 3] = ["report", "--out", "status.html"];

fn applied() -> (TestEnv, Served) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    (env, served)
}

/// The text of an element of the page.
fn element(page: &str, start: &str, end: &str) -> String {
    let rest = page
        .split(start)
        .nth(1)
        .unwrap_or_else(|| panic!("no {start}"));
    rest.split(end).next().unwrap_or_default().to_owned()
}

fn headline(page: &str) -> String {
    element(&element(page, "<h1", "</h1>"), "<span>", "</span>")
}

#[test]
fn the_page_shows_what_is_recorded_and_what_is_pending() {
    let (mut env, _served) = applied();
    let said = env.run(&REPORT).exits(0);
    assert!(
        said.stdout.ends_with("Wrote the page to status.html.\n"),
        "{said}"
    );
    let page = env.read("status.html");
    assert_eq!(headline(&page), "All is well");
    assert!(page.contains("token=***") && !page.contains("canary"));
    // Neither secrets nor credentials are needed.
    env.unset("KEY");
    env.unset("TOKEN");
    env.write(
        "callbacks.yaml",
        configuration(&[("acme", &[ONE, TWO, "https://hooks.example/three"])]),
    );
    env.run(&REPORT).exits(0);
    let page = env.read("status.html");
    assert_eq!(headline(&page), "1 change is pending");
    assert!(page.contains("will be added"));
    // A refused plan is shown, and is no error of this command.
    env.write(
        "callbacks.yaml",
        configuration(&[("beta", &["https://hooks.example/b"])]),
    );
    env.run(&REPORT).exits(0);
    let page = env.read("status.html");
    assert_eq!(headline(&page), "1 problem");
    assert!(page.contains("<code>--allow-deletes 2</code>"));
}

#[test]
fn standard_output_gets_the_page_alone() {
    let (env, _served) = applied();
    let said = env.run(&["report", "--out", "-"]).exits(0);
    assert!(
        said.stdout.starts_with("<!DOCTYPE html><html lang=\"en\">"),
        "{said}"
    );
    assert!(said.stdout.ends_with("</html>"), "{said}");
    // Nothing else is printed there as events.
    let events = env.run(&["--json", "report", "--out", "-"]).exits(0);
    assert!(events.stdout.starts_with("<!DOCTYPE html>"), "{events}");
    let hash = |page: &str| element(page, "script-src '", "'");
    env.run(&REPORT).exits(0);
    assert_eq!(hash(&said.stdout), hash(&env.read("status.html")));
}

#[test]
fn without_the_configuration_the_state_is_enough() {
    let (env, _served) = applied();
    std::fs::remove_file(env.path("callbacks.yaml")).unwrap();
    assert_snapshot!(env.run(&REPORT), @r"
    exit 0
    --- stdout
    Wrote the page to status.html.
    --- stderr
    Note: there is no `callbacks.yaml`, so the page does not show what is pending.
    ");
    assert_eq!(headline(&env.read("status.html")), "Nothing is open");
    std::fs::remove_file(env.path("callbacks.state.json")).unwrap();
    std::fs::remove_file(env.path("status.html")).unwrap();
    env.run(&REPORT).exits(1);
    assert!(!env.exists("status.html"));
}

#[test]
fn an_invalid_configuration_is_on_the_page_and_an_error() {
    let (env, _served) = applied();
    env.write(
        "callbacks.yaml",
        "version: 1\nenvironment: moon\norganizations: {}\n",
    );
    let said = env.run(&REPORT).exits(1);
    assert!(
        said.stderr
            .contains("the configuration has errors, so the page does not show what is pending"),
        "{said}"
    );
    assert!(!said.stderr.contains("nothing was done"), "{said}");
    let page = env.read("status.html");
    assert!(headline(&page).contains("problem"));
    assert!(page.contains("https://hooks.example/two"));
}

#[test]
fn only_an_earlier_page_is_overwritten() {
    let (env, _served) = applied();
    for file in ["callbacks.yaml", "callbacks.state.json"] {
        let before = env.read(file);
        let said = env.run(&["report", "--out", file]).exits(64);
        assert!(said.stderr.contains("would overwrite"), "{said}");
        assert_eq!(env.read(file), before);
    }
    env.write("notes.html", "<!DOCTYPE html><p>mine</p>");
    assert_snapshot!(env.run(&["report", "--out", "notes.html"]), @r"
    exit 64
    --- stderr
    error: report --out would overwrite `notes.html`, which ess-callbacks did not write for report --out; nothing was written
      Give another file, or move that one away.
    ");
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    env.run(&["report", "--out", "plan.json"]).exits(64);
    env.run(&REPORT).exits(0);
    env.run(&REPORT).exits(0);
    env.run(&["report", "--out", "nowhere/status.html"])
        .exits(1);
}
