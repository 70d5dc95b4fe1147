//! Secrets that can't work, by each way in, and sources that never end.

use crate::support::{KEY, Said, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";

/// One callback, whose token comes from `reference`.
fn with_token(reference: &str) -> String {
    configuration(&[("acme", &[ONE])]).replace("{ env: TOKEN }", reference)
}

/// The same token by a variable, a file and a command.
fn by_each_way(value: &str) -> [Said; 3] {
    let mut env = TestEnv::new(&with_token("{ env: BAD }"));
    env.set("BAD", value);
    let by_variable = env.run(&["validate", "--secrets"]);
    let env = TestEnv::new(&with_token("{ file: bad }"));
    env.write("bad", value);
    let by_file = env.run(&["validate", "--secrets"]);
    let env = TestEnv::new(&with_token("{ command: [cat, bad] }"));
    env.write("bad", value);
    let by_command = env.run(&["validate", "--secrets", "--allow-commands"]);
    [by_variable, by_file, by_command]
}

#[test]
fn a_secret_that_cannot_work_is_found_by_each_way_in() {
    for (value, code, kind) in [
        (
            "canaryGOOD\ncanaryMORE",
            "error[E058]",
            "a line break (U+000A) as character 11",
        ),
        ("canaryGOOD\t", "error[E058]", "a tab (U+0009) at the end"),
        (
            "\u{feff}canaryGOOD",
            "error[E058]",
            "a byte order mark (U+FEFF) at the beginning",
        ),
        (
            "canary\u{a0}GOOD",
            "error[E058]",
            "a no-break space (U+00A0) as character 7",
        ),
        (
            "canary\u{200b}GOOD",
            "error[E058]",
            "a zero-width space (U+200B) as character 7",
        ),
        (
            "canaryGOOD\u{1b}[0m",
            "error[E058]",
            "a control character (U+001B) as character 11",
        ),
        (" ", "error[E051]", "the token is empty"),
        ("****", "error[E052]", "a masked secret"),
        ("<redacted>", "error[E052]", "a masked secret"),
        ("\"canaryGOOD\"", "warning[W009]", "the quotes"),
        (
            "${canaryGOOD}",
            "warning[W008]",
            "contains a placeholder (`${…}`)",
        ),
        (
            "undefined",
            "warning[W008]",
            "contains a placeholder (`undefined`)",
        ),
    ] {
        for said in by_each_way(value) {
            let expected = i32::from(code.starts_with("error"));
            let said = said.exits(expected);
            assert!(
                said.stderr.contains(code) && said.stderr.contains(kind),
                "{value:?}: {said}"
            );
            let all = format!("{}{}", said.stdout, said.stderr);
            assert!(!all.contains("canary") && !all.contains("GOOD"), "{said}");
        }
    }
}

#[test]
fn nul_characters_and_megabytes_are_refused() {
    let env = TestEnv::new(&with_token("{ file: bad }"));
    let command = TestEnv::new(&with_token("{ command: [cat, bad] }"));
    for (value, code) in [
        (b"canary\0GOOD".to_vec(), "E058"),
        (b"c\0a\0n\0a\0r\0y\0".to_vec(), "E058"),
        (vec![0xff, 0xfe, b'c', 0], "E057"),
        (vec![b'a'; 2000], "E059"),
        (vec![b'a'; 3 << 20], "E059"),
    ] {
        env.write("bad", &value);
        command.write("bad", &value);
        for said in [
            env.run(&["validate", "--secrets"]),
            command.run(&["validate", "--secrets", "--allow-commands"]),
        ] {
            let said = said.exits(1);
            assert!(said.stderr.contains(&format!("error[{code}]")), "{said}");
            assert!(!said.stderr.contains("canary"), "{said}");
        }
    }
}

#[test]
fn a_key_of_another_platform_gets_a_hint() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.set("KEY", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
    let said = env.run(&["plan"]).exits(1);
    assert!(
        said.stderr.contains("E050") && said.stderr.contains("WeCom"),
        "{said}"
    );
}

#[test]
fn warnings_about_values_are_in_the_plan_and_its_document() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    env.set("TOKEN", "'canaryGOOD'");
    let said = env.run(&["plan", "--format", "json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["diagnostics"][0]["code"], "W009");
    assert_eq!(document["diagnostics"][0]["severity"], "warning");
    // The warning is also printed for a saved plan, when its secrets are read again.
    let _served = env.serve(&[]);
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    let said = env.run(&["apply", "plan.json"]).exits(0);
    assert!(said.stderr.contains("warning[W009]"), "{said}");
}

#[cfg(unix)]
mod endless {
    use super::*;
    use crate::support::eventually;

    #[test]
    fn a_file_that_is_none_is_refused() {
        for (path, what) in [
            ("/dev/zero", "a device"),
            ("/proc/self/environ", "a part of /proc"),
            ("link", "a part of /proc"),
            ("pipe", "a named pipe"),
            (".", "a directory"),
        ] {
            if path.starts_with("/proc") && !cfg!(target_os = "linux") {
                continue;
            }
            let env = TestEnv::new(&with_token(&format!("{{ file: {path} }}")));
            std::os::unix::fs::symlink("/proc/self/environ", env.path("link")).unwrap();
            let made = env.other("/usr/bin/mkfifo").arg("pipe").status().unwrap();
            assert!(made.success());
            if path == "link" && !cfg!(target_os = "linux") {
                continue;
            }
            let said = env.run(&["validate", "--secrets"]).exits(1);
            assert!(
                said.stderr.contains("error[E054]") && said.stderr.contains(what),
                "{said}"
            );
        }
    }

    /// Waits until this process is gone.
    fn wait_until_gone(id: &str) {
        eventually("the command ends", || {
            let status = std::process::Command::new("kill")
                .args(["-0", id.trim()])
                .stderr(std::process::Stdio::null())
                .status();
            (!status.unwrap().success()).then_some(())
        });
    }

    #[test]
    fn a_slow_command_is_named_while_it_is_waited_for() {
        let env = TestEnv::new(&with_token("{ command: [sh, wait.sh] }"));
        env.write(
            "wait.sh",
            "while [ ! -e go ]; do sleep 0.05; done; echo a-good-token\n",
        );
        let run = env.start(&["validate", "--secrets", "--allow-commands"]);
        run.wait_until_it_says("Waiting for the command `sh`, which prints a secret …");
        env.write("go", "");
        run.wait().exits(0);
    }

    #[test]
    fn a_command_that_takes_too_long_is_stopped() {
        let env = TestEnv::new(&with_token("{ command: [sh, wait.sh] }"));
        env.write("wait.sh", "sleep 1000 & echo $! > id; wait\n");
        let arguments = ["plan", "--allow-commands", "--command-timeout", "1s"];
        let said = env.run(&arguments).exits(1);
        assert!(said.stderr.contains("error[E056]"), "{said}");
        assert!(said.stderr.contains("did not end within 1 s"), "{said}");
        wait_until_gone(&env.read("id"));
    }

    #[test]
    fn a_signal_ends_the_command_and_what_it_started() {
        for (signal, arguments) in [
            ("INT", &["validate", "--secrets", "--allow-commands"][..]),
            ("TERM", &["plan", "--allow-commands"]),
            ("INT", &["apply", "--auto-approve", "--allow-commands"]),
            ("TERM", &["import", "--all", "--allow-commands"]),
        ] {
            let env = TestEnv::new(&with_token("{ command: [sh, wait.sh] }"));
            env.write(
                "wait.sh",
                "sleep 1000 & echo $! > id.new; mv id.new id; wait\n",
            );
            let run = env.start(arguments);
            eventually("the command runs", || env.exists("id").then_some(()));
            run.signal(signal);
            let said = run.wait().exits(130);
            assert!(
                said.stderr.contains("interrupted while the command sh ran"),
                "{said}"
            );
            wait_until_gone(&env.read("id"));
        }
    }

    #[test]
    fn a_command_gets_no_credentials() {
        let mut env = TestEnv::new(&with_token("{ command: [sh, env.sh] }").replace(
            "organizations:",
            "accounts:\n  partner: { env: { secret_id: P_ID, secret_key: P_KEY } }\norganizations:",
        ));
        env.write(
            "env.sh",
            "env | sed 's/=.*//' | sort > names; echo a-good-token\n",
        );
        for name in [
            "TENCENTCLOUD_SECRET_KEY",
            "Tencentcloud_Token",
            "TKE_ROLE_ARN",
            "TCCLI_PROFILE",
            "ESS_CALLBACKS_CREDENTIAL",
            "P_ID",
            "P_KEY",
            "VAULT_TOKEN",
        ] {
            env.set(name, "canary");
        }
        env.run(&["validate", "--secrets", "--allow-commands"])
            .exits(0);
        let names = env.read("names");
        assert!(
            names.contains("VAULT_TOKEN") && names.contains("PATH"),
            "{names}"
        );
        let upper = names.to_uppercase();
        for gone in [
            "TENCENTCLOUD",
            "TKE_",
            "TCCLI",
            "ESS_CALLBACKS",
            "P_ID",
            "P_KEY",
        ] {
            assert!(!upper.contains(gone), "{names}");
        }
    }

    #[test]
    fn a_key_may_still_come_from_a_command() {
        let text =
            configuration(&[("acme", &[ONE])]).replace("{ env: KEY }", "{ command: [cat, key] }");
        let mut env = TestEnv::new(&text);
        env.write("key", format!("{KEY}\r\n"));
        let _served = env.serve(&[]);
        env.run(&["apply", "--auto-approve", "--allow-commands"])
            .exits(0);
    }
}
