//! What pipelines read: plans as Markdown and as a diff, annotations, metrics, and silence.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{KEY, OTHER_KEY, TOKEN, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

fn acme(urls: &[&str]) -> String {
    configuration(&[("acme", urls)])
}

fn digest(page: &str) -> &str {
    let at = page.find("sha256:").unwrap_or_else(|| panic!("{page}"));
    &page[at..at + "sha256:".len() + 64]
}

#[test]
fn a_fork_and_a_trusted_run_agree_on_the_digest_until_a_secret_changes() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    let markdown = ["--sandbox", "plan", "--format", "markdown"];
    let trusted = env.run(&markdown).exits(0);
    assert_snapshot!(trusted.out().replace(digest(&trusted.stdout), "[DIGEST]"), @r#"
    <!-- ess-callbacks plan callbacks.yaml -->
    ### ess-callbacks, test: 1 to add, 0 to change, 0 to destroy

    ```diff
    + acme/https://hooks.example/two (add)
    ```

    ```text
    1 call, about 1 s at 20/s. 1 unchanged, 1 unproven.
    Environment: test (sandbox), account: default
    ```

    Digest: `[DIGEST]`. A plan with the same digest makes the same calls; `apply --expect-digest` makes these or none.

    <details open><summary><code>acme</code>: 1 change</summary>

    ```diff
      # acme/https://hooks.example/two will be added
    +   callback {
    +       url   = "https://hooks.example/two"
    +       key   = (secret)
    +       token = (secret)
        }
    ```

    </details>
    "#);

    let other = env.run(&["--sandbox", "plan", "--format=markdown", "--no-secrets"]);
    let fork = other.exits(0);
    assert_eq!(digest(&fork.stdout), digest(&trusted.stdout));
    assert!(
        fork.stdout
            .contains("Not checked: the secrets were not read"),
        "{fork}"
    );

    // The very thing that a run without secrets can't see.
    env.set("KEY", OTHER_KEY);
    let rotated = env.run(&markdown).exits(0);
    assert_ne!(digest(&fork.stdout), digest(&rotated.stdout), "{rotated}");
}

#[test]
fn a_plan_for_a_fork_needs_no_network_and_no_credentials() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    env.unset("KEY")
        .unset("TOKEN")
        .set("HTTPS_PROXY", "http://127.0.0.1:1");
    let said = env
        .run(&["plan", "--no-secrets", "--format", "markdown"])
        .exits(0);
    assert!(
        said.stdout
            .starts_with("<!-- ess-callbacks plan callbacks.yaml -->\n"),
        "{said}"
    );
    assert!(
        said.stdout
            .contains("+ acme/https://hooks.example/one (add)"),
        "{said}"
    );
}

#[test]
fn a_refused_plan_is_shown_in_every_format() {
    let env = TestEnv::new(&acme(&[ONE]));
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    for format in ["text", "json", "markdown", "diff"] {
        let said = env
            .run(&["--sandbox", "plan", "--destroy", "--format", format])
            .exits(5);
        assert!(said.stdout.contains(ONE), "{said}");
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(
            all.contains("--allow-deletes 1") || all.contains("\"guard\":\"last_of_organization\""),
            "{said}"
        );
    }
    assert_snapshot!(env.run(&["--sandbox", "plan", "--destroy", "--format", "diff"]), @"
    exit 5
    --- stdout
    --- recorded/acme
    +++ desired/acme
    @@ -1,3 +0,0 @@
    -https://hooks.example/one
    -    key: fp [FP]
    -    token: fp [FP]
    --- stderr

    error: this plan deletes more than the guards allow and will not be applied

      acme: its last callback; none would be left

    These callbacks are deleted because --destroy was given. If that is meant, say how many: --allow-deletes 1
    ");
}

#[test]
fn a_saved_plan_is_shown_as_markdown_and_a_state_is_not() {
    let env = TestEnv::new(&acme(&[ONE]));
    env.run(&["--sandbox", "apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", acme(&[ONE, TWO]));
    let planned = env.run(&[
        "--sandbox",
        "plan",
        "--format=markdown",
        "--out",
        "plan.json",
    ]);
    let shown = env
        .run(&["show", "plan.json", "--format", "markdown"])
        .exits(0);
    assert_eq!(digest(&shown.stdout), digest(&planned.stdout));
    env.run(&["--sandbox", "show", "--format", "markdown"])
        .exits(64);
}

const BAD: &str = "version: 1\nenvironment: test\norganizations:\n  acme:\n    callbacks:\n      - { url: \"https://hooks.example/one\", kye: x }\n";

#[test]
fn problems_are_annotated_for_github() {
    let env = TestEnv::new(BAD);
    let said = env.run(&["validate", "--annotate", "github"]).exits(1);
    assert_snapshot!(said.stdout, @"
    ::error file=callbacks.yaml,line=4,col=3,endColumn=7,title=E023::`acme` has no operator%0Ahelp: set `operator:` to the UserId of an employee, here or under `defaults:`
    ::warning file=callbacks.yaml,line=6,col=16,endColumn=41,title=W003::this callback has no token: the receiver can't tell eSign's messages from forged ones%0Ahelp: add `token: { env: NAME }`; `ess-callbacks secret new` generates a token
    ::error file=callbacks.yaml,line=6,col=45,endColumn=48,title=E010::unknown field `kye` in a callback%0Ahelp: did you mean `key`?
    ");
    assert!(said.stderr.contains("did you mean `key`?"), "{said}");
    let env = TestEnv::new(&acme(&[ONE]));
    assert_snapshot!(env.run(&["validate", "--annotate", "github"]), @"exit 0");
}

#[test]
fn problems_are_a_code_quality_report_for_gitlab() {
    let env = TestEnv::new(BAD);
    let said = env.run(&["validate", "--annotate", "gitlab"]).exits(1);
    let issues: Value = serde_json::from_str(&said.stdout).unwrap();
    let issues = issues.as_array().unwrap();
    assert!(!issues.is_empty());
    for issue in issues {
        for member in ["description", "check_name", "fingerprint", "severity"] {
            assert!(issue[member].is_string(), "{issue}");
        }
        assert_eq!(issue["location"]["path"], "callbacks.yaml");
        assert!(
            issue["location"]["lines"]["begin"].as_u64() > Some(0),
            "{issue}"
        );
    }
    let fine = TestEnv::new(&acme(&[ONE])).run(&["validate", "--annotate", "gitlab"]);
    assert_eq!(fine.exits(0).stdout, "[]\n");
}

fn sample<'a>(metrics: &'a str, name: &str) -> &'a str {
    let line = metrics.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{metrics}"));
    line.rsplit(' ').next().unwrap()
}

#[test]
fn metrics_tell_of_a_success_and_keep_it_through_a_failure() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let _served = env.serve(&[]);
    let apply = ["apply", "--auto-approve", "--metrics-file", "esign.prom"];
    env.run(&apply).exits(0);
    let metrics = env.read("esign.prom");
    for (name, value) in [
        ("ess_callbacks_last_run_exit_code", "0"),
        ("ess_callbacks_last_run_calls", "2"),
        (
            "ess_callbacks_last_run_changes{environment=\"test\",outcome=\"added\"}",
            "2",
        ),
        (
            "ess_callbacks_recorded{environment=\"test\",evidence=\"assumed\"}",
            "2",
        ),
        ("ess_callbacks_last_run_healed", "0"),
    ] {
        assert_eq!(sample(&metrics, name), value, "{name}\n{metrics}");
    }
    let success = "ess_callbacks_last_success_timestamp_seconds";
    let when = sample(&metrics, success).to_owned();
    assert_eq!(
        sample(&metrics, "ess_callbacks_last_run_timestamp_seconds"),
        when
    );

    let heal: Vec<&str> = apply.into_iter().chain(["--heal"]).collect();
    env.run(&heal).exits(0);
    let healed = sample(&env.read("esign.prom"), "ess_callbacks_last_run_healed").to_owned();
    assert_eq!(healed, "2");
    let when = sample(&env.read("esign.prom"), success)
        .to_owned()
        .max(when);

    env.set("TENCENTCLOUD_SECRET_KEY", "wrong");
    let failed = env.run(&heal).exits(3);
    let metrics = env.read("esign.prom");
    assert_eq!(
        sample(&metrics, "ess_callbacks_last_run_exit_code"),
        "3",
        "{failed}"
    );
    assert_eq!(
        sample(&metrics, "ess_callbacks_last_run_healed"),
        "0",
        "{failed}"
    );
    assert_eq!(sample(&metrics, success), when);

    env.write("callbacks.yaml", "no");
    env.run(&apply).exits(1);
    let metrics = env.read("esign.prom");
    assert_eq!(sample(&metrics, "ess_callbacks_last_run_exit_code"), "1");
    assert_eq!(sample(&metrics, success), when);
    assert!(!metrics.contains("last_run_calls"), "{metrics}");
    // The same series as before, though this run does not know its environment.
    let exit_code = "ess_callbacks_last_run_exit_code{environment=\"test\"}";
    assert_eq!(sample(&metrics, exit_code), "1");
}

#[test]
fn metrics_that_can_not_be_written_are_reported_after_the_run() {
    let env = TestEnv::new(&acme(&[ONE]));
    let said = env.run(&[
        "--sandbox",
        "apply",
        "--auto-approve",
        "--quiet",
        "--metrics-file",
        "missing/esign.prom",
    ]);
    let said = said.exits(1);
    assert!(
        said.stderr
            .starts_with("error: the metrics `missing/esign.prom` can't be written"),
        "{said}"
    );
    let plan = env.run(&["--sandbox", "plan"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{plan}");
}

#[test]
fn cron_hears_nothing_until_there_is_something_to_say() {
    let env = TestEnv::new(&acme(&[ONE, TWO]));
    let quiet = ["--sandbox", "apply", "--auto-approve", "--quiet"];
    let heal: Vec<&str> = quiet.into_iter().chain(["--heal"]).collect();
    for arguments in [&quiet[..], &quiet[..], &heal[..]] {
        let said = env.run(arguments).exits(0);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
    }
    // Refused: the plan is said, so that the mail tells what it is about.
    let destroy: Vec<&str> = quiet.into_iter().chain(["--destroy"]).collect();
    let said = env.run(&destroy).exits(5);
    assert!(
        said.stdout.contains("will be deleted") && said.stderr.contains("--allow-deletes 2"),
        "{said}"
    );
    // Broken: the error is.
    env.write("callbacks.yaml", BAD);
    let said = env.run(&quiet).exits(1);
    assert!(said.stderr.contains("did you mean `key`?"), "{said}");
}

#[test]
fn cron_hears_what_failed() {
    let mut env = TestEnv::new(&acme(&[ONE]));
    let _served = env.serve(&[]);
    env.set("TENCENTCLOUD_SECRET_KEY", "wrong");
    let said = env.run(&["apply", "--auto-approve", "--quiet"]).exits(3);
    assert!(said.stderr.starts_with("Apply incomplete!"), "{said}");
    assert!(said.stderr.contains("what to do:"), "{said}");
}

#[test]
fn the_events_in_the_file_end_with_the_error_that_ended_the_run() {
    let env = TestEnv::new(BAD);
    let apply = [
        "apply",
        "--auto-approve",
        "--quiet",
        "--json-into",
        "events.jsonl",
    ];
    env.run(&apply).exits(1);
    let text = env.read("events.jsonl");
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["type"], "version");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["exit_code"]),
        (&"diagnostic".into(), &1.into())
    );
}

#[test]
fn nothing_that_a_pipeline_keeps_holds_a_secret() {
    let mut env = TestEnv::new(&acme(&[ONE, TWO]));
    let served = env.serve(&[]);
    let credential = served.secret_key.clone();
    for format in ["text", "json", "markdown", "diff"] {
        let said = env.run(&["plan", "--format", format]).exits(0);
        env.write(&format!("shown.{format}"), said.stdout);
    }
    env.run(&["plan", "--out", "plan.json"]).exits(0);
    let keep = [
        "--metrics-file",
        "esign.prom",
        "--json-into",
        "events.jsonl",
    ];
    let apply: Vec<&str> = ["apply", "plan.json"].into_iter().chain(keep).collect();
    env.run(&apply).exits(0);
    let files = env.files();
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for secret in [KEY, TOKEN, &credential] {
            assert!(!text.contains(secret), "{}", path.display());
        }
    }
    for name in [
        "esign.prom",
        "events.jsonl",
        "plan.json",
        "shown.markdown",
        "callbacks.state.json",
    ] {
        assert!(
            files.iter().any(|(path, _)| path.ends_with(name)),
            "no {name}"
        );
    }
}
