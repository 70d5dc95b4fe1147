//! One callback, one owner, through the real program: renamed accounts and changed members.

use insta::assert_snapshot;

use crate::support::{TestEnv, configuration};

const URLS: [&str; 2] = ["https://hooks.example/one", "https://hooks.example/two"];

/// The configuration, with these lines for its accounts and its organization.
fn with(accounts: &str, organization: &str, urls: &[&str]) -> String {
    configuration(&[("acme", urls)])
        .replace("organizations:", &format!("{accounts}organizations:"))
        .replace("  acme:\n", &format!("  acme:\n{organization}"))
}

const RENAMED: &str = "accounts: { main: {} }\n";
const NAMED: &str = "accounts: { main: { formerly: default } }\n";
const BY_MAIN: &str = "    account: main\n";

#[test]
fn an_account_with_a_new_name_loses_nothing() {
    let mut env = TestEnv::new(&configuration(&[("acme", &URLS)]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);

    env.write("callbacks.yaml", with(RENAMED, BY_MAIN, &URLS));
    let refused = env.run(&["apply", "--auto-approve", "--allow-deletes", "2"]);
    assert_snapshot!(refused.brief(), @r#"
    exit 5
      # acme/https://hooks.example/one will be deleted
      # (because its organization has another `account` now)
      # (account = "default" -> "main")
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      # acme/https://hooks.example/two will be deleted
      # (because its organization has another `account` now)
      # (account = "default" -> "main")
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      # acme/https://hooks.example/one will be added
      # acme/https://hooks.example/two will be added
    Plan: 2 to add, 0 to change, 2 to destroy.
    4 calls, about 1 s at 20/s.
    --- stderr
    error: this plan may delete callbacks that another account still declares, and will not be applied
      acme: 2 callbacks would be deleted for the account `default`, and kept for `main`
    If these accounts belong to one enterprise, the callbacks are the same at eSign, and deleting them for one account erases them for the other.
    After a change of name, write `formerly: OLD` under the new account.
    If the enterprises are different, write `expect_account_id` under both accounts.
    No flag overrides this.
    "#);
    assert_eq!(served.urls(), URLS);

    env.write("callbacks.yaml", with(NAMED, BY_MAIN, &URLS));
    assert_snapshot!(env.run(&["plan", "--detailed-exitcode"]), @r#"
    exit 2
    --- stdout
      # acme has moved, without a call
      # (2 recorded callbacks; nothing changes at eSign)
      ~ organization {
          ~ account = "default" -> "main"
        }

    No calls. Only the record is updated.

    eSign can't be read back: changes made in its console do not show here. The oldest was last confirmed [AGO].
    2 unchanged, 2 unproven.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/)
    Unproven: present, but perhaps with another key or token. `--replace ADDRESS` proves one.
    "#);
    let comment = env.run(&["plan", "--format", "markdown"]).stdout;
    assert!(
        comment.contains("~ account = \"default\" -> \"main\"\n"),
        "{comment}"
    );
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).brief(), @"
    exit 0
      # acme has moved, without a call
      # (2 recorded callbacks; nothing changes at eSign)
    No calls. Only the record is updated.
    2 unchanged, 2 unproven.
    Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
    ");
    assert_eq!(served.urls(), URLS);
    let again = env.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(again.stdout.starts_with("No changes. "), "{again}");

    // The line may stay, and the record is good for deletes.
    env.write("callbacks.yaml", with(NAMED, BY_MAIN, &URLS[..1]));
    let fewer = ["apply", "--auto-approve", "--allow-deletes", "1"];
    env.run(&fewer).exits(0);
    assert_eq!(served.urls(), URLS[..1]);
}

#[test]
fn an_organization_with_another_member_is_shown_with_both() {
    let member = |id: &str| format!("    proxy_organization_id: {id}\n");
    let mut env = TestEnv::new(&with("", &member("member-one"), &URLS[..1]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write(
        "callbacks.yaml",
        with("", &member("member-two"), &URLS[..1]),
    );
    assert_snapshot!(env.run(&["plan"]), @r#"
    exit 5
    --- stdout
    Actions are indicated with the following symbols:
      + add
      - delete

    ess-callbacks will perform the following actions:

      # acme/https://hooks.example/one will be deleted
      # (because its organization has another `proxy_organization_id` now)
      # (proxy_organization_id = "member-one" -> "member-two")
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      - callback {
          - url                   = "https://hooks.example/one"
          - account               = "default"
          - proxy_organization_id = "member-one"
          - key                   = (secret, fp [FP], assumed)
          - token                 = (secret, fp [FP], assumed)
        }

      # acme/https://hooks.example/one will be added
      + callback {
          + url                   = "https://hooks.example/one"
          + account               = "default"
          + proxy_organization_id = "member-two"
          + key                   = (secret)
          + token                 = (secret)
        }

    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s.
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    --- stderr

    error: this plan deletes more than the guards allow and will not be applied

      acme: its last callback in its previous scope; none would be left

    These callbacks are deleted because callbacks.yaml leaves them out, or their organization has another scope there. If that is meant, say how many: --allow-deletes 1
    "#);
    let diff = env.run(&["plan", "--format", "diff"]).stdout;
    let headings: Vec<_> = diff
        .lines()
        .filter(|line| line.starts_with("---"))
        .collect();
    assert_snapshot!(headings.join("\n"), @r#"
    --- recorded/acme (account "default", proxy_organization_id "member-one")
    --- recorded/acme (account "default", proxy_organization_id "member-two")
    "#);
    let comment = env.run(&["plan", "--format", "markdown"]).stdout;
    for part in [
        "- acme/https://hooks.example/one (delete, because its organization has another \
         `proxy_organization_id` now; proxy_organization_id = \"member-one\" -> \"member-two\")\n",
        "+ acme/https://hooks.example/one (add; account \"default\", proxy_organization_id \"member-two\")\n",
        "  # (proxy_organization_id = \"member-one\" -> \"member-two\")\n",
        "<summary><code>acme</code> <code>(account &quot;default&quot;, proxy_organization_id \
         &quot;member-two&quot;)</code>: 1 change</summary>",
    ] {
        assert!(comment.contains(part), "{comment}");
    }
    assert_snapshot!(env.run(&["apply", "--auto-approve", "--allow-deletes", "1"]).brief(), @r#"
    exit 0
      # acme/https://hooks.example/one will be deleted
      # (because its organization has another `proxy_organization_id` now)
      # (proxy_organization_id = "member-one" -> "member-two")
      # (in the name of operator yDw6yUUgyg3caowzUx4GQptRKfMnJqX8, as recorded)
      # acme/https://hooks.example/one will be added
    Plan: 1 to add, 0 to change, 1 to destroy.
    2 calls, about 1 s at 20/s.
    Apply complete! Resources: 1 added, 0 changed, 1 destroyed.
    "#);
    assert_eq!(served.urls(), URLS[..1]);
}

/// Seen from the file they are two; only the credentials tell that they are one.
#[test]
fn two_names_for_one_secret_id_are_refused_before_any_call() {
    let accounts =
        "accounts: { second: { env: { secret_id: SECOND_ID, secret_key: SECOND_KEY } } }\n";
    let mut env = TestEnv::new(&with(accounts, "", &URLS));
    let served = env.serve(&[]);
    let beta = "  beta:\n    account: second\n    callbacks: [https://hooks.example/three]\n";
    env.write("callbacks.yaml", with(accounts, "", &URLS) + beta);
    env.set("SECOND_ID", &served.secret_id)
        .set("SECOND_KEY", &served.secret_key);
    let refused = env.run(&["apply", "--auto-approve"]).exits(1);
    let error = refused
        .stderr
        .lines()
        .find(|line| line.starts_with("error:"));
    assert_snapshot!(error.unwrap_or_default(), @"error: the accounts `default` and `second` have the same SecretId, so they are one account to eSign, and a callback deleted for one would be deleted for the other; nothing was called");
    assert!(served.urls().is_empty());
}

/// The sandbox's first customer has this number.
const OWNER: &str = "100000000001";

#[test]
fn the_credentials_must_belong_to_the_account_that_is_expected() {
    let expecting = |id: &str| {
        let accounts = format!("accounts: {{ default: {{ expect_account_id: \"{id}\" }} }}\n");
        with(&accounts, "", &URLS).replace("environment: test", "environment: production")
    };
    let mut env = TestEnv::new(&expecting("200000000002"));
    let served = env.serve(&[]);
    let error = |env: &TestEnv| {
        let refused = env.run(&["apply", "--auto-approve"]).exits(1).err();
        let lines = refused
            .lines()
            .skip_while(|line| !line.starts_with("error:"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(error(&env), @"
    error: the credentials of the account `default` belong to the Tencent Cloud account 100000000001, but `expect_account_id` says 200000000002; nothing was called
      Use the credentials of that account, or correct `expect_account_id`.
    ");
    env.set("TENCENTCLOUD_SECRET_KEY", "wrong");
    assert_snapshot!(error(&env), @"
    error: can't check that the credentials of the account `default` belong to the Tencent Cloud account 200000000002, as `expect_account_id` says; nothing was called
        AuthFailure.SignatureFailure: 请求签名验证失败，请检查您的签名计算是否正确。 (the answer of the token service 127.0.0.1:[PORT] to GetCallerIdentity) [request id [UUID]]
      Try again. If it persists, check that sts.tencentcloudapi.com can be reached, or remove `expect_account_id`.
    ");
    assert!(served.urls().is_empty());

    env.set("TENCENTCLOUD_SECRET_KEY", &served.secret_key);
    env.write("callbacks.yaml", expecting(OWNER));
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.urls(), URLS);
}

/// The callbacks are others, so the file alone does not show that the two names are one account.
#[test]
fn a_new_name_is_known_by_its_secret_id() {
    let mut env = TestEnv::new(&configuration(&[("acme", &URLS[..1])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let beta = "  beta:\n    account: main\n    callbacks: [https://hooks.example/three]\n";
    let both = configuration(&[("acme", &URLS[..1])]).replace(
        "organizations:",
        "accounts: { main: { env: { secret_id: B_ID, secret_key: B_KEY } } }\norganizations:",
    );
    env.set("B_ID", &served.secret_id)
        .set("B_KEY", &served.secret_key);
    env.write("callbacks.yaml", both + beta);
    let refused = env.run(&["apply", "--auto-approve"]).exits(1).err();
    let error = refused.lines().find(|line| line.starts_with("error:"));
    assert_snapshot!(error.unwrap_or_default(), @"error: the account `main` has the credentials that the callbacks of the account `default` were recorded with, or others of the same Tencent Cloud account, so they are one account to eSign; nothing was called");
    assert_eq!(served.urls(), URLS[..1]);
}

#[test]
fn a_plan_shows_that_an_account_s_credentials_come_from_elsewhere() {
    let mut env = TestEnv::new(&configuration(&[("acme", &URLS[..1])]));
    let served = env.serve(&[]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let accounts = "accounts: { default: { env: { secret_id: B_ID, secret_key: B_KEY } } }\n";
    env.write("callbacks.yaml", with(accounts, "", &URLS));
    let told = "Account `default` now takes its credentials from the variables B_ID and B_KEY";
    assert!(env.run(&["plan"]).exits(0).stdout.contains(told));
    env.set("B_ID", &served.secret_id)
        .set("B_KEY", &served.secret_key);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(!env.run(&["plan"]).exits(0).stdout.contains(told));
    let state = std::fs::read_to_string(env.path("callbacks.state.json")).unwrap();
    assert!(!state.contains(&served.secret_id), "{state}");
}

/// A new key is usual. With another enterprise's key every recorded callback would seem deleted.
#[test]
fn credentials_of_another_enterprise_are_told_from_new_ones_of_the_same() {
    let production = |urls: &[&str]| {
        configuration(&[("acme", urls)]).replace("environment: test", "environment: production")
    };
    let mut env = TestEnv::new(&production(&URLS[..1]));
    let pairs = ["acme=first:one", "acme=second:two", "other=third:three"];
    let arguments = pairs.map(|pair| ["--credential", pair]).concat();
    let served = env.serve(&arguments);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(
        env.read("callbacks.state.json")
            .contains("\"account_id\":\"100000000001\"")
    );

    env.write("callbacks.yaml", production(&URLS));
    env.set("TENCENTCLOUD_SECRET_ID", "third")
        .set("TENCENTCLOUD_SECRET_KEY", "three");
    let refused = env.run(&["apply", "--auto-approve"]).exits(1);
    assert_snapshot!(refused.err(), @"
    error: the credentials of the account `default` belong to the Tencent Cloud account 100000000003, but its callbacks were recorded with those of 100000000001, which is another enterprise; nothing was called
      Use credentials of 100000000001, or declare 100000000003 as a separate account. To leave the callbacks of `default` at eSign as they are, forget them with `ess-callbacks state rm`.
    ");
    assert_eq!(served.urls(), URLS[..1]);

    env.set("TENCENTCLOUD_SECRET_ID", "second")
        .set("TENCENTCLOUD_SECRET_KEY", "two");
    let applied = env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(applied.stderr, "");
    assert_eq!(served.urls(), URLS);
    // Nothing is asked in the next run: the credentials are known.
    let asked = || {
        served
            .log()
            .iter()
            .filter(|one| one["action"] == "GetCallerIdentity")
            .count()
    };
    let before = asked();
    env.run(&["apply", "--auto-approve", "--replace", "acme"])
        .exits(0);
    assert_eq!(asked(), before);
}

/// In the test environment it can't be told whose the credentials are.
#[test]
fn another_secret_id_is_reported_where_its_owner_is_unknown() {
    let mut env = TestEnv::new(&configuration(&[("acme", &URLS[..1])]));
    let _served = env.serve(&[
        "--credential",
        "first:one",
        "--credential",
        "other=third:three",
    ]);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write("callbacks.yaml", configuration(&[("acme", &URLS)]));
    env.set("TENCENTCLOUD_SECRET_ID", "third")
        .set("TENCENTCLOUD_SECRET_KEY", "three");
    let applied = env.run(&["apply", "--auto-approve", "--quiet"]).exits(0);
    assert_snapshot!(applied.err(), @"Warning: the account `default` has another SecretId than its recorded callbacks. If it belongs to another enterprise, stop: that enterprise does not have these callbacks, and they would be taken for deleted. Declare it as another account.");
}

fn production(text: &str) -> String {
    text.replace("environment: test", "environment: production")
}

/// The sandbox has two enterprises: the first two pairs of credentials are of one, the third of the other.
fn two_enterprises(env: &mut TestEnv) -> crate::support::Served {
    let pairs = ["acme=first:one", "acme=second:two", "other=third:three"];
    let served = env.serve(&pairs.map(|pair| ["--credential", pair]).concat());
    env.set("SECOND_ID", "third").set("SECOND_KEY", "three");
    served
}

#[test]
fn a_renamed_account_keeps_its_enterprise_without_a_call_too() {
    let mut env = TestEnv::new(&production(&configuration(&[("acme", &URLS[..1])])));
    let served = two_enterprises(&mut env);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.write(
        "callbacks.yaml",
        production(&with(NAMED, BY_MAIN, &URLS[..1])),
    );
    env.run(&["apply", "--auto-approve"]).exits(0);

    env.write("callbacks.yaml", production(&with(NAMED, BY_MAIN, &URLS)));
    env.set("TENCENTCLOUD_SECRET_ID", "third")
        .set("TENCENTCLOUD_SECRET_KEY", "three");
    let refused = env.run(&["apply", "--auto-approve"]).exits(1);
    assert!(refused.stderr.contains("another enterprise"), "{refused}");
    assert_eq!(served.urls(), URLS[..1]);
}

#[test]
fn a_member_that_moves_mixes_up_no_enterprises() {
    let second =
        "accounts: { second: { env: { secret_id: SECOND_ID, secret_key: SECOND_KEY } } }\n";
    let of = |member: &str, urls: &[&str]| {
        let others = format!(
            "  beta:\n    account: second\n    callbacks: [https://beta.example/]\n  \
             gamma:\n    account: {member}\n    proxy_organization_id: yDSLdUUckp7f87yrUygaLZxYk2SEodS7\n    \
             callbacks: [https://gamma.example/]\n"
        );
        production(&(with(second, "", urls) + &others))
    };
    let mut env = TestEnv::new(&of("default", &URLS[..1]));
    let served = two_enterprises(&mut env);
    env.run(&["apply", "--auto-approve"]).exits(0);
    let enterprises = |env: &TestEnv| {
        let state = env.read("callbacks.state.json");
        ["100000000001", "100000000003"]
            .map(|id| state.contains(&format!("\"account_id\":\"{id}\"")))
    };
    assert_eq!(enterprises(&env), [true, true]);

    // The member's account changes, and something else is added: no other enterprise is behind either account.
    env.write("callbacks.yaml", of("second", &URLS));
    let applied = env.run(&["apply", "--auto-approve"]).exits(0);
    assert!(!applied.stderr.contains("SecretId"), "{applied}");
    assert_eq!(enterprises(&env), [true, true]);
    assert!(served.urls().contains(&URLS[1].to_owned()));
}

/// No server has this address.
const NO_STS: (&str, &str) = ("ESS_CALLBACKS_STS_ENDPOINT", "http://127.0.0.1:1/");

/// What is not known to be of the recorded enterprise is refused; the credentials of the last apply pass.
#[test]
fn credentials_whose_owner_is_not_known_are_refused() {
    let of = |urls: &[&str]| production(&configuration(&[("acme", urls)]));
    let mut env = TestEnv::new(&of(&URLS[..1]));
    let served = two_enterprises(&mut env);
    env.run(&["apply", "--auto-approve"]).exits(0);

    env.set(NO_STS.0, NO_STS.1);
    env.write("callbacks.yaml", of(&URLS));
    for (id, key) in [("third", "three"), ("second", "two")] {
        env.set("TENCENTCLOUD_SECRET_ID", id)
            .set("TENCENTCLOUD_SECRET_KEY", key);
        let refused = env.run(&["apply", "--auto-approve"]).exits(1);
        let what = "error: can't check that the credentials of the account `default` belong to the Tencent Cloud account \
                    100000000001, with which its callbacks were recorded; nothing was called\n";
        assert!(refused.stderr.starts_with(what), "{refused}");
        assert!(
            refused.stderr.contains("sts.tencentcloudapi.com"),
            "{refused}"
        );
        assert_eq!(served.urls(), URLS[..1]);
    }
    env.set("TENCENTCLOUD_SECRET_ID", "first")
        .set("TENCENTCLOUD_SECRET_KEY", "one");
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.urls(), URLS);
}

/// Two names of one account would share its callbacks.
#[test]
fn accounts_that_share_urls_must_have_known_owners() {
    let second =
        "accounts: { second: { env: { secret_id: SECOND_ID, secret_key: SECOND_KEY } } }\n";
    let of = |url: &str| {
        let other = format!("  beta:\n    account: second\n    callbacks: [{url}]\n");
        production(&(with(second, "", &URLS[..1]) + &other))
    };
    let mut env = TestEnv::new(&of(URLS[0]));
    let served = two_enterprises(&mut env);
    env.set(NO_STS.0, NO_STS.1);
    let refused = env.run(&["apply", "--auto-approve"]).exits(1);
    let what = "error: can't check that the credentials of the accounts `default` and `second`, which share URLs, belong \
                to different Tencent Cloud accounts; nothing was called\n";
    assert!(refused.stderr.contains(what), "{refused}");
    assert!(served.urls().is_empty());

    env.write("callbacks.yaml", of("https://beta.example/"));
    env.run(&["apply", "--auto-approve"]).exits(0);
}
