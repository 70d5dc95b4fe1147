//! Completions in the real shells: a line is typed, Tab and Return are pressed, and the arguments that the program would
//! get are compared.

use rstest::rstest;

use crate::support::{OPERATOR, TestEnv};

/// Organizations with names and URLs that would do harm if a shell expanded them.
fn world() -> TestEnv {
    let configuration = format!(
        "version: 1
environment: test
defaults: {{ operator: {OPERATOR} }}
accounts: {{ default: {{}}, partner: {{ profile: partner }} }}
organizations:
  acme:
    callbacks:
      - https://hooks.example/one?x=1&y=$HOME
      - https://hooks.example/two
  $(touch${{IFS}}pwned):
    proxy_organization_id: yDtwEUUckp7f87yrUygaLZxYk2SEodS7
    callbacks: [\"https://hooks.example/`touch$${{IFS}}pwned`;exit\"]
  上海公司:
    account: partner
    callbacks: [https://sh.example/cb]
"
    );
    let mut env = TestEnv::new(&configuration);
    let real = env.program.display().to_string();
    env.set("REAL", &real);
    env.write("complete.py", include_str!("support/complete.py"));
    env
}

/// The arguments after Tab, or `None` where this shell is not installed.
fn completed(env: &TestEnv, shell: &str, line: &str) -> Option<Vec<String>> {
    let installed = ["/usr/bin", "/bin"]
        .iter()
        .any(|folder| std::path::Path::new(folder).join(shell).exists());
    if !installed {
        assert_ne!(shell, "bash", "bash is everywhere");
        return None;
    }
    let mut command = env.other("python3");
    command.arg(env.path("complete.py")).args([shell, line]);
    let said = env.said(&mut command).exits(0);
    assert!(!env.exists("pwned"), "a name was run: {said}");
    let words = said.stdout.lines().map(|line| {
        let inner = line
            .strip_prefix('<')
            .and_then(|line| line.strip_suffix('>'));
        inner.unwrap_or_else(|| panic!("{said}")).to_owned()
    });
    Some(words.collect())
}

#[rstest]
#[case::a_command("val", &["validate"])]
#[case::below_a_command("state li", &["state", "list"])]
#[case::a_flag("plan --detail", &["plan", "--detailed-exitcode"])]
#[case::a_format("plan --format mark", &["plan", "--format", "markdown"])]
#[case::after_an_equals_sign("plan --format=mark", &["plan", "--format=markdown"])]
#[case::a_handle("plan --target 上", &["plan", "--target", "上海公司"])]
#[case::an_address("plan --target acme/https://hooks.example/t", &["plan", "--target", "acme/https://hooks.example/two"])]
#[case::an_address_in_one_word("plan --target=acme/https://hooks.example/t", &["plan", "--target=acme/https://hooks.example/two"])]
#[case::an_address_with_signs("import acme/https://hooks.example/o", &["import", "acme/https://hooks.example/one?x=1&y=$HOME"])]
#[case::in_double_quotes("import \"acme/https://hooks.example/t", &["import", "acme/https://hooks.example/two"])]
#[case::a_name_that_is_a_command("import '$(touch${IFS}pwned)/", &["import", "$(touch${IFS}pwned)/https://hooks.example/`touch${IFS}pwned`;exit"])]
#[case::a_name_that_is_a_command_and_is_not_quoted("import \\$\\(tou", &["import", "$(touch${IFS}pwned)"])]
#[case::an_account("sandbox --credential par", &["sandbox", "--credential", "partner="])]
#[case::a_code("explain E05", &["explain", "E05"])]
#[case::one_code("explain E058", &["explain", "E058"])]
#[case::a_file("-f callb", &["-f", "callbacks.yaml"])]
fn every_shell_completes(
    #[case] typed: &str,
    #[case] expected: &[&str],
    #[values("bash", "zsh", "fish")] shell: &str,
) {
    let env = world();
    let Some(words) = completed(&env, shell, &format!("ess-callbacks {typed}")) else {
        return;
    };
    assert_eq!(words, expected, "{shell}");
}

/// Not in fish, which expands the wildcard before it asks.
#[rstest]
fn the_end_of_a_query_is_completed(#[values("bash", "zsh")] shell: &str) {
    let line = "ess-callbacks import 'acme/https://hooks.example/one?x=1&";
    if let Some(words) = completed(&world(), shell, line) {
        assert_eq!(
            words,
            ["import", "acme/https://hooks.example/one?x=1&y=$HOME"]
        );
    }
}

/// The state and the lock are completed, too. What can't be read gives neither a candidate nor an error.
#[test]
fn what_is_recorded_completes_and_what_is_broken_is_silent() {
    let mut env = world();
    env.run(&["import", "--all"]).exits(0);
    env.write("callbacks.yaml", "version: 1\norganizations: [");
    let ask = |env: &TestEnv, words: &[&str]| {
        let all: Vec<&str> = [&["ess-callbacks"], words].concat();
        let said = env.run(&all).exits(0);
        assert_eq!(said.stderr, "");
        said.stdout
    };
    env.set("_ESS_CALLBACKS_COMPLETE", "zsh");
    assert_eq!(
        ask(&env, &["state", "rm", "上海公司/"]),
        "上海公司/https://sh.example/cb\n"
    );
    env.write(
        "callbacks.state.lock",
        "{\"id\":\"0123\",\"who\":\"ci\",\"host\":\"elsewhere\",\"pid\":1,\"command\":\"apply\",\"since\":\"2026-11-26T12:00:00Z\"}\n",
    );
    let before = env.files();
    assert_eq!(ask(&env, &["unlock", ""]), "0123\n");
    for words in [
        &["-f", "no/such.yaml", "plan", "--target", "a"][..],
        &["-f", "/dev/zero", "plan", "--target", "a"],
        &["--state", "s3://bucket/key", "state", "rm", "a"],
        &["--state", "complete.py", "state", "rm", "a"],
        &[],
    ] {
        assert_eq!(ask(&env, words), "", "{words:?}");
    }
    assert_eq!(env.files(), before, "something was written");
    // Exported by mistake, it changes nothing.
    for shell in ["cobol", "zsh", "bash"] {
        env.set("_ESS_CALLBACKS_COMPLETE", shell);
        assert!(
            env.run(&["explain", "E053"])
                .exits(0)
                .stdout
                .starts_with("E053")
        );
    }
}
