//! Canaries: no secret appears in anything the program prints or writes, at any level of logging and in any format.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use ess_callbacks::envelope::{content_signature, encrypt};
use ess_callbacks::model::{CallbackUrl, Timestamp};
use ess_callbacks::receiver::Receipt;
use ess_callbacks::secret::Secret;

use crate::support::{Said, Served, TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";
const TWO: &str = "https://hooks.example/two";

const KEY: &str = "canaryKEY+/0123456789canaryKEYab";
const NEW_KEY: &str = "canaryNEW+/0123456789canaryNEWab";
const TOKEN: &str = "canary<TOKEN>?&=%_5AF866900CA34D";
const FILED: &str = "canaryFILE~0123456789~canaryFILE";
const PRINTED: &str = "canaryCMD:0123456789:canaryCMD:x";
const SESSION: &str = "canarySESSION/0123456789+canarySESSION";

/// Forms of a value in which it could be read.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("raw", secret.as_bytes().to_vec()),
        ("hex", hex::encode(secret).into_bytes()),
        ("HEX", hex::encode_upper(secret).into_bytes()),
        (
            "URL-encoded",
            url::form_urlencoded::byte_serialize(secret.as_bytes())
                .collect::<String>()
                .into_bytes(),
        ),
        ("percent-encoded", percent(secret).into_bytes()),
        ("reversed", secret.bytes().rev().collect()),
    ];
    // In base64 it looks different at each of three places; what is around it changes its ends.
    for (name, before) in [
        ("base64", ""),
        ("base64, 1 further", "x"),
        ("base64, 2 further", "xy"),
    ] {
        let text = STANDARD_NO_PAD.encode(format!("{before}{secret}"));
        let inner = text[before.len() * 4 / 3 + 2..text.len() - 2].to_owned();
        forms.push((name, inner.clone().into_bytes()));
        forms.push((name, inner.replace('+', "-").replace('/', "_").into_bytes()));
    }
    forms
}

fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("memory");
        }
    }
    out
}

/// Looks for every secret in every form.
struct Watch {
    secrets: BTreeMap<&'static str, Vec<(&'static str, Vec<u8>)>>,
}

impl Watch {
    fn new(secret_key: &str) -> Self {
        let secrets = [
            ("key", KEY),
            ("new key", NEW_KEY),
            ("token", TOKEN),
            ("key in a file", FILED),
            ("key from a command", PRINTED),
            ("session token", SESSION),
            ("SecretKey", secret_key),
        ];
        Self {
            secrets: secrets
                .into_iter()
                .map(|(name, value)| (name, forms(value)))
                .collect(),
        }
    }

    #[track_caller]
    fn over(&self, place: &str, bytes: &[u8]) {
        for (secret, forms) in &self.secrets {
            for (form, needle) in forms {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "the {secret} appears {form} in {place}");
            }
        }
    }
}

/// Of a message with the declared secrets, and of one at a URL that is not declared.
fn receipts() -> String {
    let body = encrypt(&Secret::new(KEY), r#"{"MsgId":"1","MsgType":"X"}"#).unwrap();
    let signature = content_signature(&Secret::new(TOKEN), body.as_bytes());
    let line = |url: &str| {
        let url = CallbackUrl::new(url);
        let at = Timestamp(1_800_000_000);
        let receipt = Receipt::new(at, url, body.as_bytes(), Some(&signature));
        receipt.unwrap().line()
    };
    line(ONE) + &line("https://other.example/")
}

/// A place with all kinds of secrets, and everything in it watched.
struct Place {
    env: TestEnv,
    served: Served,
    watch: Watch,
}

impl Place {
    fn new() -> Self {
        let text = format!(
            "{}      - {{ url: {TWO}, key: {{ file: acme.key }}, token: {{ env: TOKEN }} }}\n      \
             - {{ url: https://hooks.example/three, key: {{ command: [sh, key.sh] }} }}\n",
            configuration(&[("acme", &[ONE])])
        );
        let mut env = TestEnv::new(&text);
        let served = env.serve(&[]);
        env.set("KEY", KEY)
            .set("TOKEN", TOKEN)
            .set("TENCENTCLOUD_TOKEN", SESSION);
        env.set("ESS_CALLBACKS_ALLOW_COMMANDS", "1");
        env.write("acme.key", FILED);
        env.write("receipts.jsonl", receipts());
        env.write("key.sh", format!("printf %s '{PRINTED}'"));
        let watch = Watch::new(&served.secret_key);
        Self { env, served, watch }
    }

    /// Runs a command in every way of talking, and watches all that it says and leaves behind.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Said {
        let mut last = None;
        for talk in [
            &[][..],
            &["-v"],
            &["-vvv"],
            &["-vvv", "--json", "--log-format", "json"],
        ] {
            let said = self.env.run(&[arguments, talk].concat());
            self.watch(&format!("what {arguments:?} says"), &said);
            last = Some(said);
        }
        self.files();
        last.expect("it ran")
    }

    #[track_caller]
    fn watch(&self, place: &str, said: &Said) {
        self.watch.over(place, said.stdout.as_bytes());
        self.watch.over(place, said.stderr.as_bytes());
    }

    #[track_caller]
    fn files(&self) {
        for (path, bytes) in self.env.files() {
            if !path.ends_with("acme.key") && !path.ends_with("key.sh") {
                self.watch.over(&path.display().to_string(), &bytes);
            }
        }
    }
}

/// The commands that its help lists.
fn commands_of(env: &TestEnv) -> Vec<String> {
    let help = env.run(&["--help"]).exits(0).stdout;
    let (_, rest) = help.split_once("\nCommands:\n").expect("commands");
    let (commands, _) = rest.split_once("\n\n").expect("an end of them");
    let name = |line: &str| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned());
    commands.lines().filter_map(name).collect()
}

#[test]
fn no_command_shows_or_keeps_a_secret() {
    let mut place = Place::new();
    let commands = [
        &["init", "started"][..],
        &["validate", "--secrets"],
        &["plan"],
        &["plan", "--format", "markdown"],
        &["plan", "--format", "diff"],
        &["plan", "--format", "json"],
        &["plan", "--no-secrets"],
        &["plan", "--out", "plan.json"],
        &["show", "plan.json"],
        &["show", "plan.json", "--format", "markdown"],
        &["show", "plan.json", "--format", "diff"],
        &[
            "apply",
            "--auto-approve",
            "--json-into",
            "events.jsonl",
            "--metrics-file",
            "metrics.prom",
        ],
        &["plan", "--heal", "--format", "json"],
        &["state", "list"],
        &["state", "show", "acme/*"],
        &["show"],
        &["show", "--format", "json"],
        &["import", "--all"],
        &["verify", "--timeout", "1s"],
        &["apply", "plan.json"],
        &["unlock", "0123"],
        // It ends when everything is read; what it receives is watched by the tests of all receivers.
        &["listen", "--listen", "0.0.0.0:0"],
        // The same; what it says while it runs is watched below.
        &["controller", "--listen", "0.0.0.0:0"],
        &["report", "--out", "report.html"],
        &["observe", "receipts.jsonl"],
        &["observe", "receipts.jsonl", "--json", "--no-record"],
        &["explain", "E040"],
        &["fmt", "--check"],
        &["help", "plan"],
        &["doctor"],
        &["orgs"],
        // In the test environment it is refused; what it lists is watched below.
        &["audit"],
        &["rotate", "acme", "--auto-approve"],
        &["schema"],
        &["completions", "bash"],
        &["man"],
    ];
    for arguments in commands {
        place.run(arguments);
    }
    let keeping = place.env.start(&["controller", "--listen", "127.0.0.1:0"]);
    keeping.wait_until_it_says("Status:");
    keeping.signal("TERM");
    let said = keeping.wait();
    place.watch.over(
        "controller",
        format!("{}{}", said.stdout, said.stderr).as_bytes(),
    );
    assert_eq!(place.served.urls().len(), 3, "the secrets were really used");
    for file in ["plan.json", "events.jsonl", "metrics.prom", "report.html"] {
        assert!(place.env.exists(file), "{file} was to be watched");
    }
    // `secret` prints a new one, and `sandbox` has a separate test.
    let names = commands.map(|arguments| arguments[0]);
    for command in commands_of(&place.env) {
        let watched = names.contains(&&*command) || ["secret", "sandbox"].contains(&&*command);
        assert!(watched, "`{command}` is not watched");
    }
    place.env.set("KEY", NEW_KEY);
    place.run(&["plan"]);
    place.run(&["plan", "--format", "diff"]);
    place.run(&["plan", "--out", "plan.json"]);
    place.run(&["apply", "plan.json"]);
    place.env.set("KEY", KEY);
    place.run(&["rotate", "*", "--auto-approve"]);
    place.run(&["rotate", "*", "--auto-approve", "--no-verify"]);
    place.run(&["state", "rm", "acme/*"]);
    place.run(&["--sandbox", "apply", "--auto-approve"]);
    place.run(&["--sandbox", "plan"]);
    place.run(&[
        "--sandbox",
        "apply",
        "--destroy",
        "--auto-approve",
        "--allow-deletes",
        "3",
    ]);
    place.watch.over(
        "the log of the sandbox",
        format!("{:?}", place.served.log()).as_bytes(),
    );
}

/// The audit log has them in clear.
#[test]
fn the_audit_log_shows_secrets_and_this_program_does_not() {
    let place = Place::new();
    let production = place.env.read("callbacks.yaml");
    let production = production.replace("environment: test", "environment: production");
    place.env.write("callbacks.yaml", production);
    let apply = ["apply", "--auto-approve", "--max-retries", "0"];
    place.env.run(&apply).exits(0);
    place.served.faults("", "lost-after,garbage-after");
    let marked = [
        &apply[..],
        &["--replace", "*", "--no-wait", "--experimental-cloudaudit"],
    ]
    .concat();
    place.run(&marked);
    place.run(&["audit"]);
    place.run(&["audit", "--since", "90d"]);
    let said = place.env.run(&["audit", "--json"]).exits(0);
    assert!(!said.stdout.contains(r#""secrets_in_clear":0"#), "{said}");
    assert!(said.stdout.contains(r#""type":"write""#), "{said}");
}

#[test]
fn no_error_shows_a_secret() {
    let mut place = Place::new();
    // Killed with a call in flight, which leaves its journal.
    place.served.faults("slow=1s", "");
    let run = place.env.start(&["apply", "--auto-approve", "-vvv"]);
    place.served.wait_for(1);
    place.watch("a killed apply", &run.kill());
    assert!(place.env.exists("callbacks.state.journal"));
    place.files();

    // Answers of all kinds of brokenness.
    for fault in [
        "lost-after=1",
        "502=1",
        "garbage-after=1",
        "internal-error=1",
        "throttle=0.5",
        "skew=+900",
    ] {
        place.served.faults(fault, "");
        place.run(&["apply", "--auto-approve", "--max-retries", "0", "--no-wait"]);
    }
    place.served.faults("", "");

    // Values that are wrong are named and not shown.
    for (name, value) in [
        ("KEY", format!("{KEY}\n")),
        ("KEY", format!("{KEY}{KEY}")),
        ("TOKEN", format!("****{TOKEN}")),
        (
            "TENCENTCLOUD_SECRET_KEY",
            format!(" {}", place.served.secret_key),
        ),
        (
            "TENCENTCLOUD_SECRET_KEY",
            format!("{}é", place.served.secret_key),
        ),
        ("TENCENTCLOUD_TOKEN", format!("{SESSION}\n")),
    ] {
        let before = [KEY, TOKEN, &place.served.secret_key, SESSION].map(str::to_owned);
        place.env.set(name, &value);
        let said = place.run(&["apply", "--auto-approve", "--replace", "acme/*"]);
        assert_eq!(said.code, Some(1), "{name}: {said}");
        place.env.set("KEY", &before[0]).set("TOKEN", &before[1]);
        place
            .env
            .set("TENCENTCLOUD_SECRET_KEY", &before[2])
            .set("TENCENTCLOUD_TOKEN", &before[3]);
    }
    // Secrets in places where none belongs.
    let misplaced = place
        .env
        .read("callbacks.yaml")
        .replace("{ env: KEY }", KEY);
    place.env.write("misplaced.yml", &misplaced);
    let said = place
        .env
        .run(&["-f", "misplaced.yml", "validate", "-vvv"])
        .exits(1);
    place.watch("a literal secret", &said);
    let pair = format!("AKIDtest {}", place.served.secret_key);
    let said = place
        .env
        .run(&["sandbox", "--listen", "127.0.0.1:0", "--credential", &pair]);
    place.watch("a bad --credential", &said.exits(64));
    let mut command = place.env.command(&["sandbox", "--help"]);
    command.env("ESS_CALLBACKS_CREDENTIAL", &pair);
    place.watch("the help of sandbox", &place.env.said(&mut command));
    place.env.write(
        "home/.tccli/partner.credential",
        format!("{{\"secretKey\": \"{}\"", place.served.secret_key),
    );
    let profile = place.env.read("callbacks.yaml").replace(
        "organizations:\n",
        "accounts: { default: { profile: partner } }\norganizations:\n",
    );
    place.env.write("profile.yml", profile);
    let said = place
        .env
        .run(&[
            "-f",
            "profile.yml",
            "apply",
            "--auto-approve",
            "-vvv",
            "--replace",
            "acme/*",
        ])
        .exits(1);
    place.watch("a broken profile", &said);
}

/// Given its credentials by the environment, so that it has none to print.
#[test]
fn a_served_sandbox_shows_none() {
    let mut place = Place::new();
    let run = place.env.start(&[
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--script",
        "ok,garbage-after,internal-error,502",
        "-vvv",
    ]);
    run.wait_until_it_says("Listening on ");
    let said = run.so_far().stdout;
    let (_, address) = said.split_once("Listening on ").expect("it was said");
    let address = address.lines().next().expect("a line").to_owned();
    place.env.set("ESS_CALLBACKS_ENDPOINT", &address);
    place.run(&["apply", "--auto-approve"]).exits(0);
    place.env.set("KEY", NEW_KEY);
    place.run(&["apply", "--auto-approve"]).exits(0);
    place.watch("what a served sandbox says", &run.kill());
}

#[test]
fn the_watch_sees_what_it_looks_for() {
    let watch = Watch::new("canarySECRET/0123456789+canarySECRET");
    let seen = |bytes: Vec<u8>| std::panic::catch_unwind(|| watch.over("a text", &bytes)).is_err();
    assert!(seen(format!("a {TOKEN} b").into_bytes()));
    assert!(seen(hex::encode(KEY).into_bytes()));
    assert!(seen(percent(TOKEN).into_bytes()));
    for before in ["", "k", "ke", "key="] {
        let text =
            base64::engine::general_purpose::STANDARD.encode(format!("{before}{KEY} and more"));
        assert!(seen(text.into_bytes()), "{before}");
    }
    assert!(!seen(b"nothing of the kind".to_vec()));
}

#[test]
fn debugging_shows_none_either() {
    use ess_callbacks::client::CredentialCache;
    use ess_callbacks::model::Operation;
    use ess_callbacks::sandbox::{Customer, Options};
    use ess_callbacks::secret::Secret;
    use ess_callbacks::sign::Credential;

    let credential = Credential {
        secret_id: "AKIDtest".to_owned(),
        secret_key: Secret::new(KEY),
        token: Some(Secret::new(SESSION)),
    };
    let customer = Customer {
        account: "default".to_owned(),
        credential: credential.clone(),
    };
    let options = Options {
        customers: vec![customer.clone()],
        ..Options::default()
    };
    let add = Operation::Add {
        key: Some(Secret::new(KEY)),
        token: Some(Secret::new(TOKEN)),
    };
    let source = CredentialCache::fixed(credential.clone()).unwrap();
    let shown = format!("{credential:?} {customer:#?} {options:?} {add:#?} {source:?}");
    assert!(shown.contains("AKIDtest"), "{shown}");
    let watch = Watch::new(KEY);
    watch.over("the text for debugging", shown.as_bytes());
    // What a panic would say, were there one.
    let shown = (credential, add);
    let panic = std::panic::catch_unwind(|| panic!("no way on with {shown:?}")).unwrap_err();
    let said = panic.downcast_ref::<String>().expect("a text");
    assert!(said.contains("AKIDtest"), "{said}");
    watch.over("a panic", said.as_bytes());
}
