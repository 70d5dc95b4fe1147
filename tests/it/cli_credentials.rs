//! Credentials that are missing, mistyped or refused.

use insta::assert_snapshot;

use crate::support::{TestEnv, configuration};

const ONE: &str = "https://hooks.example/one";

/// Two organizations, on an account each.
fn two_accounts() -> String {
    configuration(&[("acme", &[ONE]), ("beta", &[ONE])])
        .replace(
            "organizations:\n",
            "accounts:\n  default: {}\n  partner: { profile: partner }\norganizations:\n",
        )
        .replace("    app_id: app-1\n", "    account: partner\n")
}

#[test]
fn planning_needs_none_and_applying_lists_all_that_are_missing() {
    let env = TestEnv::new(&two_accounts());
    env.run(&["plan"]).exits(0);
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).exits(1).err(), @r#"
    warning[W007]: the key of this callback (environment variable KEY) is also used by `acme`
      --> callbacks.yaml:14:16
       |
    14 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: give each organization its own secrets, so that a leak affects only one; if this is intended, add `accept: { W007: REASON }`
       = note: also at callbacks.yaml:14 (-v shows each in full)
    error: invalid or missing credentials
        account `default`: no provider has any
          environment: TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY are not set
          web identity: neither TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN nor TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN_FILE is set
          credentials file: there is no file `[DIR]/home/.tencentcloud/credentials` or `/etc/tencentcloud/credentials`
          tccli profile: there is no profile `[DIR]/home/.tccli/default.credential`
          tsign: there is no file `[DIR]/home/.tsign/config.yaml`
          TKE pod: TKE_ROLE_ARN is not set
          CVM role: no answer from 127.0.0.1:[PORT]: client error (Connect): tcp connect error: Connection refused (os error 111)
        account `partner`: there is no profile `[DIR]/home/.tccli/partner.credential`
      Set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, or set up another provider of docs/credentials.md.
      Write the profile `partner` with `tccli configure --profile partner`.
      `--sandbox` needs none.
      Production and test have different ones: the Tencent Cloud console shows those of production under access management (CAM), and the console of the test environment its own.
    "#);
    let events = env.run(&["--json", "apply", "--auto-approve"]);
    let events = events.exits(1).events();
    let message = events
        .last()
        .and_then(|it| it["diagnostic"]["message"].as_str());
    let sentence = message.unwrap_or_default();
    assert!(
        sentence.contains("no provider has any (environment: "),
        "{sentence}"
    );
    assert!(!sentence.contains('\n'), "{sentence}");
    assert!(!env.exists("callbacks.state.json"), "nothing was begun");
}

#[test]
fn white_space_around_them_is_found_before_esign_finds_a_wrong_signature() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    let key = served.secret_key.clone();
    for value in [format!("{key}\n"), format!(" {key}")] {
        env.set("TENCENTCLOUD_SECRET_KEY", &value);
        let said = env.run(&["apply", "--auto-approve"]).exits(1);
        assert!(
            said.stderr
                .contains("has white space or a line break around its value"),
            "{said}"
        );
        assert!(!said.stderr.contains(&key), "{said}");
    }
    env.set("TENCENTCLOUD_SECRET_KEY", "");
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).exits(1).err(), @"
    error: invalid or missing credentials: account `default`: the environment variable TENCENTCLOUD_SECRET_KEY is empty
      Correct the variables in the environment of this command.
      Production and test have different ones: the Tencent Cloud console shows those of production under access management (CAM), and the console of the test environment its own.
    ");
    assert_eq!(served.log().len(), 0);
}

#[test]
fn a_refused_key_stops_its_account_and_says_what_to_do() {
    let mut env = TestEnv::new(&configuration(&[(
        "acme",
        &[ONE, "https://hooks.example/two"],
    )]));
    let served = env.serve(&[]);
    let key = served.secret_key.clone();
    env.set("TENCENTCLOUD_SECRET_KEY", "not-the-key");
    let said = env.run(&["apply", "--auto-approve"]).exits(3);
    let (_, after_the_plan) = said.stdout.split_once("at 20/s.\n").unwrap();
    let shown = crate::support::redact(after_the_plan, &env.path(""));
    assert_snapshot!(shown, @"
    Environment: test (sandbox at http://127.0.0.1:[PORT]/), account: default
    acme/https://hooks.example/one: Adding...
    Stopped. Account default: no more calls in this run: AuthFailure.SignatureFailure: 请求签名验证失败，请检查您的签名计算是否正确。 [request id [UUID]]. It means: the SecretKey does not belong to the SecretId. What to do: check the SecretKey: copied whole, without white space, from the same pair as the SecretId.
    acme/https://hooks.example/one: Failed (add): AuthFailure.SignatureFailure: 请求签名验证失败，请检查您的签名计算是否正确。 [request id [UUID]]
    ");
    // Also when the output goes nowhere.
    assert_snapshot!(said.err(), @"
    Apply incomplete! Resources: 0 added, 0 changed, 0 destroyed. 1 failed, 1 not attempted.

      acme/https://hooks.example/one (add): failed
          error:      AuthFailure.SignatureFailure: 请求签名验证失败，请检查您的签名计算是否正确。 [request id [UUID]]
          it means:   the SecretKey does not belong to the SecretId
          what to do: check the SecretKey: copied whole, without white space, from the same pair as the SecretId

      acme/https://hooks.example/two (add): not attempted
          why:        the credentials of account default were refused
          what to do: correct the credentials of the account, then run apply again
    ");
    assert_eq!(served.log().len(), 1, "one refusal is enough");
    assert!(served.urls().is_empty());

    env.set("TENCENTCLOUD_SECRET_KEY", &key);
    env.run(&["apply", "--auto-approve"]).exits(0);
    env.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_profile_of_the_vendor_s_command_line_is_read() {
    let mut env = TestEnv::new(&two_accounts());
    let served = env.serve(&[]);
    let path = "home/.tccli/partner.credential";
    env.write(path, "not JSON");
    assert_snapshot!(env.run(&["apply", "--auto-approve"]).exits(1).err(), @r#"
    warning[W007]: the key of this callback (environment variable KEY) is also used by `acme`
      --> callbacks.yaml:14:16
       |
    14 |       - { url: "https://hooks.example/one", key: { env: KEY }, token: { env: TOKEN } }
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: give each organization its own secrets, so that a leak affects only one; if this is intended, add `accept: { W007: REASON }`
       = note: also at callbacks.yaml:14 (-v shows each in full)
    error: invalid or missing credentials: account `partner`: the profile `[DIR]/home/.tccli/partner.credential` is not JSON with secretId and secretKey
      Write the profile `partner` with `tccli configure --profile partner`.
      Production and test have different ones: the Tencent Cloud console shows those of production under access management (CAM), and the console of the test environment its own.
    "#);
    let (id, key) = (&served.secret_id, &served.secret_key);
    env.write(
        path,
        format!("{{\"secretId\": \"{id}\", \"secretKey\": \"{key}\"}}"),
    );
    // The credentials are those of `default` too, so only one of the two accounts may be used.
    let partner_alone = configuration(&[("beta", &[ONE])])
        .replace(
            "organizations:\n",
            "accounts: { partner: { profile: partner } }\norganizations:\n",
        )
        .replace("    callbacks:", "    account: partner\n    callbacks:");
    env.write("callbacks.yaml", partner_alone);
    env.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.arrived(), 1);
}

#[test]
fn a_server_that_does_not_answer_is_tried_again_and_then_given_up() {
    let mut env = TestEnv::new(&configuration(&[("acme", &[ONE])]));
    let served = env.serve(&[]);
    drop(served);
    let said = env
        .run(&["apply", "--auto-approve", "--max-retries", "1"])
        .exits(3);
    assert!(
        said.stderr.contains("1 failed"),
        "nothing arrived, so nothing is open: {said}"
    );
    let said = env.run(&["plan"]);
    assert!(said.stdout.contains("Plan: 1 to add"), "{said}");
}
