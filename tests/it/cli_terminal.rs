//! A person at a terminal: colour, the question, the progress bar, and a narrow screen.

use std::num::NonZero;

use insta::assert_snapshot;
use rstest::rstest;

use crate::support::{KEY, OTHER_KEY, TestEnv, at_a_terminal, configuration, plain};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

#[test]
fn yes_applies() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&["--fault", "slow=600ms"]);
    let said = at_a_terminal(&env, 100, "yes", &["apply"]).exits(0);
    let screen = &said.stdout;
    assert!(
        screen.contains("\u{1b}[32m  +\u{1b}[0m callback {"),
        "adds are green: {screen:?}"
    );
    let text = plain(screen);
    let question = format!(
        "Do you want to perform these actions?\n  ess-callbacks will make the calls described above.\n  \
         Environment: test (sandbox at {}/), account: default\n  Only 'yes' will be accepted to approve.\n\n  \
         Enter a value: yes\n",
        served.endpoint()
    );
    assert!(text.contains(&question), "{text}");
    assert!(
        text.contains("0/2 changes") && text.contains("1/2 changes"),
        "{text}"
    );
    assert!(
        text.contains("Apply complete! Resources: 2 added"),
        "{text}"
    );
    assert_eq!(served.urls(), [ONE, TWO]);
}

/// What is on a terminal of so many columns in the end, however far it scrolled.
fn on_the_screen(text: &str, columns: u16) -> String {
    let size = |count| NonZero::new(count).unwrap();
    let mut terminal = vt100::Parser::new(size(500), size(columns), 0);
    terminal.process(text.replace('\n', "\r\n").as_bytes());
    terminal.screen().contents()
}

#[rstest]
#[case::narrow(50)]
#[case::wide(100)]
fn the_bar_leaves_no_trace_below_wide_characters(#[case] columns: u16) {
    let urls: Vec<String> = (0..12)
        .map(|n| format!("https://hooks.example/{n:02}"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut env = TestEnv::new(&configuration(&[("上海分公司电子合同集团有限公司", &urls)]));
    let _served = env.serve(&["--fault", "slow=100ms"]);
    let said = at_a_terminal(&env, columns, "yes", &["apply", "--rate", "0"]).exits(0);
    assert!(said.stdout.contains("/12 changes, "), "{said}");
    let screen = on_the_screen(&said.stdout, columns);
    let (_, course) = screen.split_once("Enter a value: yes").expect(&screen);
    assert!(!course.contains("changes"), "a stale bar: {screen}");
    assert_eq!(
        course.matches(": Added after ").count(),
        urls.len(),
        "{screen}"
    );
    let end = "\nApply complete! Resources: 12 added, 0 changed, 0";
    assert!(course.contains(end), "{screen}");
}

/// The window is closed: the program gets SIGHUP, and can say nothing any more.
#[rstest]
#[case::quiet(&[][..])]
#[case::logging(&["-vvv"])]
#[case::json(&["--json"])]
fn a_closed_terminal_leaves_no_callback_gone(#[case] flags: &[&str]) {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    served.faults("slow=300ms", "");
    env.write("hangup.py", include_str!("support/hangup.py"));
    let mut command = env.other("python3");
    command.env("TERM", "xterm-256color");
    let wait_for = if flags == ["--json"] {
        "apply_start"
    } else {
        "0/2 changes"
    };
    command.arg(env.path("hangup.py")).arg(wait_for);
    command.arg(&env.program).args(flags);
    command.args(["apply", "--auto-approve", "--replace", "acme/*"]);
    let said = env.said(&mut command).exits(130);
    assert_eq!(said.stderr, "");
    assert_eq!(served.urls(), [ONE, TWO]);
    served.faults("", "");
    assert!(!env.exists("callbacks.state.journal"), "it ended well");
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Ctrl-C at the question.
#[test]
fn a_closed_terminal_is_no_approval() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.write("hangup.py", include_str!("support/hangup.py"));
    let mut command = env.other("python3");
    command.arg(env.path("hangup.py")).arg("Enter a value: ");
    command.arg(&env.program).arg("apply");
    let said = env.said(&mut command);
    // The end of its input or the signal, whichever comes first.
    assert!(matches!(said.code, Some(1 | 130)), "{said}");
    assert_eq!(served.log().len(), 0);
}

#[test]
fn anything_else_does_not() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    for answer in ["no", "y", "YES", ""] {
        let said = at_a_terminal(&env, 100, answer, &["apply"]).exits(1);
        let text = plain(&said.stdout);
        assert!(
            text.ends_with("error: apply was not approved; nothing was called\n"),
            "{text}"
        );
    }
    assert_eq!(served.log().len(), 0);
    assert!(!env.exists("callbacks.state.json"), "nothing was begun");
}

/// Both runs are one question, and it comes after all that will be done.
#[test]
fn a_rotation_asks_once() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    env.set("KEY", OTHER_KEY);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.set("KEY", KEY);
    let rotate = ["rotate", "acme", "--no-verify"];
    let said = at_a_terminal(&env, 100, "no", &rotate).exits(1);
    let text = plain(&said.stdout);
    assert!(
        text.ends_with("error: rotate was not approved; nothing was called\n"),
        "{text}"
    );
    assert_eq!(served.arrived(), 1);
    let said = at_a_terminal(&env, 100, "yes", &rotate).exits(0);
    let text = plain(&said.stdout);
    assert_eq!(text.matches("Enter a value:").count(), 1, "{text}");
    let (before, after) = text.split_once("Enter a value: yes").unwrap();
    assert!(before.contains("4 calls."), "{text}");
    assert!(after.contains("Rotation complete!"), "{text}");
    assert_eq!(served.arrived(), 5);
}

#[test]
fn a_guard_refuses_before_it_asks() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let said = at_a_terminal(&env, 100, "yes", &["apply", "--destroy"]).exits(5);
    assert!(!said.stdout.contains("Enter a value"), "{said}");
}

#[test]
fn no_colour_where_it_is_not_wanted() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    for (flags, variable) in [
        (&["--no-color", "plan"][..], None),
        (&["plan"], Some(("NO_COLOR", "1"))),
        (&["plan"], Some(("ESS_CALLBACKS_NO_COLOR", "1"))),
        (&["--color=never", "plan"], Some(("CLICOLOR_FORCE", "1"))),
        (&["plan"], Some(("ESS_CALLBACKS_COLOR", "never"))),
        (&["plan"], Some(("CLICOLOR", "0"))),
        (&["--json", "plan"], None),
    ] {
        if let Some((name, value)) = variable {
            env.set(name, value);
        }
        let said = at_a_terminal(&env, 80, "", flags).exits(0);
        assert!(!said.stdout.contains('\u{1b}'), "{flags:?}: {said}");
        if let Some((name, _)) = variable {
            env.unset(name);
        }
    }
    // Nobody's terminal.
    for (flags, variables, colour) in [
        (&["plan"][..], &[][..], false),
        (&["--color=always", "plan"], &[("NO_COLOR", "1")], true),
        (&["--no-color", "plan"], &[("CLICOLOR_FORCE", "1")], false),
        (
            &["plan"],
            &[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")],
            true,
        ),
        (&["plan"], &[("CLICOLOR_FORCE", "0")], false),
        (
            &["plan"],
            &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
            false,
        ),
        (&["--json", "--color=always", "plan"], &[], false),
        (&["--color=always", "plan", "--format=markdown"], &[], false),
    ] {
        for (name, value) in variables {
            env.set(name, value);
        }
        let said = env.run(flags).exits(0);
        let found = said.stdout.contains('\u{1b}');
        assert_eq!(found, colour, "{flags:?} {variables:?}: {said}");
        for (name, _) in variables {
            env.unset(name);
        }
    }
    env.set("NO_COLOR", "");
    let said = at_a_terminal(&env, 80, "", &["plan"]).exits(0);
    assert!(
        said.stdout.contains('\u{1b}'),
        "an empty NO_COLOR means nothing: {said}"
    );
}

#[test]
fn prose_is_wrapped_on_a_narrow_screen() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let _served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let said = at_a_terminal(&env, 40, "", &["plan"]).exits(0);
    let text = plain(&said.stdout);
    let fits = |line: &str| line.chars().count() <= 40;
    assert!(text.lines().all(fits), "{text}");
    assert_snapshot!(crate::support::redact(&text, &env.path("")), @"
    No changes. Your configuration matches
    the recorded state.

    eSign can't be read back: changes made
    in its console do not show here. The
    oldest was last confirmed [AGO].
    1 unchanged, 1 unproven.
    Environment: test (sandbox at
      http://127.0.0.1:[PORT]/)
    Unproven: present, but perhaps with
      another key or token. `--replace
      ADDRESS` proves one.
    ");
}

#[test]
fn no_word_of_a_plan_or_its_question_is_broken_on_a_narrow_screen() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE, TWO])]));
    let _served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", configuration(&[("acme", &[ONE])]));
    for (arguments, code) in [(&["plan", "--destroy"][..], 5), (&["apply"], 0)] {
        let said = at_a_terminal(&env, 50, "yes", arguments).exits(code);
        let text = plain(&said.stdout);
        // An address stays whole.
        let long = |line: &&str| line.chars().count() > 50 && !line.contains("://");
        let long: Vec<&str> = text.lines().filter(long).collect();
        assert!(long.is_empty(), "{long:#?}\n{text}");
    }
}
