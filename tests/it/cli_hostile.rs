//! Whatever is in a file, an argument, a variable or an answer: no output is a command to the program
//! that reads the log of a CI job, and nothing in it acts on a terminal.

use std::path::Path;

use crate::support::{KEY, OPERATOR, Said, TestEnv, configuration};

const HOSTILE: [&str; 11] = [
    "::set-output name=a::b",
    "::add-mask::x",
    "a\n::stop-commands::x",
    "##vso[task.setvariable variable=a]b",
    "##[group]x",
    "##teamcity[x]",
    "section_start:0:x\r\u{1b}[0K",
    "--- x",
    "a\n+++ x\n~~~ x\n^^^ +++",
    "\u{1b}]0;x\u{7}\u{1b}[2J",
    "\u{202e}x\u{2066}",
];

/// What a reader of logs takes for a command, or a terminal for more than text.
fn harm(line: &str) -> bool {
    let begins = ["::", "---", "+++", "~~~", "^^^"];
    let anywhere = ["##[", "##vso[", "##teamcity["];
    begins
        .iter()
        .any(|begin| line.trim_start().starts_with(begin))
        || anywhere.iter().any(|command| line.contains(command))
        || line.contains(|c: char| {
            (c.is_control() && c != '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
}

#[track_caller]
fn is_harmless(what: &str, said: &Said) {
    for line in [&said.stdout, &said.stderr]
        .iter()
        .flat_map(|text| text.split('\n'))
    {
        assert!(!harm(line), "{what}: {line:?}");
    }
}

/// Every command, with something hostile for its argument.
fn commands(hostile: &str) -> Vec<Vec<String>> {
    let lines = [
        "HOSTILE",
        "--HOSTILE",
        "plan HOSTILE",
        "plan --target HOSTILE",
        "plan --replace acme/HOSTILE",
        "plan --out HOSTILE/x",
        "plan --format HOSTILE",
        "plan --format json",
        "plan --format markdown",
        "--json plan",
        "-vvv plan",
        "-f HOSTILE plan",
        "-f HOSTILE validate --annotate gitlab",
        "-f HOSTILE.yaml init",
        "-f no/HOSTILE/x.yaml init",
        "--state HOSTILE state list",
        "--endpoint HOSTILE plan",
        "validate",
        "validate --annotate gitlab",
        "--json validate",
        "show",
        "show HOSTILE",
        "--json show",
        "state list",
        "state list HOSTILE",
        "state show",
        "--json state show",
        "state pull",
        "state rm HOSTILE",
        "state mv HOSTILE x",
        "state push HOSTILE",
        "unlock HOSTILE",
        "import HOSTILE",
        "secret HOSTILE",
        "secret new HOSTILE",
        "completions HOSTILE",
        "schema HOSTILE",
        "man HOSTILE",
        "sandbox --listen HOSTILE",
        "sandbox --fault HOSTILE",
        "sandbox --enterprise HOSTILE",
        "doctor --account HOSTILE",
        "doctor --organization HOSTILE",
        "doctor --probe-api HOSTILE",
        "--sandbox doctor",
        "--sandbox --json doctor",
        "--sandbox orgs",
        "--sandbox orgs --format yaml",
        "orgs --operator HOSTILE",
        "orgs --account HOSTILE",
        "apply HOSTILE",
        "apply",
        "-vvv apply --auto-approve --replace acme/*",
        "-vvv --log-format json apply --auto-approve --replace acme/*",
        "--json apply --auto-approve --replace acme/*",
    ];
    let words = |line: &str| {
        let words = line.split(' ');
        words.map(|word| word.replace("HOSTILE", hostile)).collect()
    };
    lines.into_iter().map(words).collect()
}

fn run_all(env: &TestEnv, hostile: &str) {
    for words in commands(hostile) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        is_harmless(&words.join(" "), &env.run(&words));
    }
}

/// YAML in which everything that can hold the text does.
fn full_of(hostile: &str) -> String {
    let json = serde_json::to_string(hostile).unwrap();
    let comment = hostile.replace(['\n', '\r'], " ");
    format!(
        "version: 1\nenvironment: test\ndefaults:\n  operator: {json} # {comment}\naccounts:\n  {json}: {{}}\norganizations:\n  \
         {json}:\n    account: {json} # {comment}\n    callbacks:\n      - {json} # {comment}\n      - url: https://a.example/x \
         # {comment}\n        kye: {json} # {comment}\n        key: {{ file: {json} }} # {comment}\n    {json}: 1 # {comment}\n"
    )
}

#[test]
fn no_argument_comes_back_as_a_command() {
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://a.example/one"])]));
    let _served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    for hostile in HOSTILE {
        run_all(&env, hostile);
    }
}

#[test]
fn no_file_comes_back_as_a_command() {
    for hostile in HOSTILE {
        let env = TestEnv::new(&full_of(hostile));
        for words in [
            &["validate"][..],
            &["validate", "--annotate", "gitlab"],
            &["--json", "validate"],
            &["plan"],
            &["plan", "--format", "json"],
        ] {
            is_harmless(hostile, &env.run(words));
        }
        // These are commands, one a line, and no other is in them.
        let said = env.run(&["validate", "--annotate", "github"]);
        for line in said.stdout.lines() {
            let command = line
                .strip_prefix("::error ")
                .or(line.strip_prefix("::warning "));
            let (_, rest) = command.unwrap().split_once("::").unwrap();
            assert!(!harm(rest), "{line:?}");
        }
        let file = format!("{}.yaml", hostile.replace(['/', '\n', '\r'], "_"));
        if !file.starts_with('-') {
            env.write(&file, "version: 1\norganizations: [\n");
            is_harmless(&file, &env.run(&["-f", &file, "validate"]));
            let said = env.run(&["-f", &file, "validate", "--annotate", "github"]);
            let (_, rest) = said.stdout[2..].split_once("::").unwrap();
            assert!(!rest.lines().any(harm), "{rest:?}");
            assert!(!said.stdout.trim_end().contains("##["), "{}", said.stdout);
        }
    }
}

/// An edited state with a message of eSign in it, and a lock whose owner has a strange name.
#[test]
fn nothing_recorded_comes_back_as_a_command() {
    for hostile in HOSTILE {
        let mut env = TestEnv::new(&configuration(&[("acme", &["https://a.example/one"])]));
        env.set("USER", &hostile.replace('\u{0}', ""))
            .set("HOSTNAME", hostile)
            .set("CI_JOB_URL", hostile)
            .set("KEY", KEY);
        let _served = env.serve(&[]);
        env.run(&["apply", "--auto-approve"]).exits(0);
        let state: serde_json::Value =
            serde_json::from_str(&env.read("callbacks.state.json")).unwrap();
        let edited = edit(state, hostile);
        env.write("callbacks.state.json", format!("{edited:#}"));
        run_all(&env, "x");
        assert!(Path::new(&env.path("callbacks.state.json")).exists());
    }
}

/// Every text in it that is a name of something, and every request id, is hostile.
fn edit(mut state: serde_json::Value, hostile: &str) -> serde_json::Value {
    for callback in state["callbacks"].as_array_mut().unwrap() {
        for (_, value) in callback.as_object_mut().unwrap() {
            let text = value.as_str().unwrap_or_default();
            if text == "acme" || text == OPERATOR {
                *value = hostile.into();
            }
            if let Some(id) = value.get_mut("request_id") {
                *id = hostile.into();
            }
        }
    }
    state
}
