//! What is configured and can't be used: it ends the search, and no server gives the role of the machine.

use rstest::rstest;

use super::super::doubles::*;
use super::find;
use super::tests::{ROLE, serve};
use crate::model::AccountSource;

/// A provider that is set up wrongly ends the search: the instance's role would serve next.
#[rstest]
#[case::one_empty(&[("TENCENTCLOUD_SECRET_ID", "AKID"), ("TENCENTCLOUD_SECRET_KEY", "")], "TENCENTCLOUD_SECRET_KEY is empty")]
#[case::one_missing(&[("TENCENTCLOUD_SECRET_KEY", "canary")], "TENCENTCLOUD_SECRET_ID is not set")]
#[case::space(&[("TENCENTCLOUD_SECRET_ID", "AKID"), ("TENCENTCLOUD_SECRET_KEY", "canary\n")], "TENCENTCLOUD_SECRET_KEY has white space")]
#[case::quotes(&[("TENCENTCLOUD_SECRET_ID", "AKID"), ("TENCENTCLOUD_SECRET_KEY", "'canary'")], "TENCENTCLOUD_SECRET_KEY has a quotation mark")]
#[case::two_tokens(
    &[("TENCENTCLOUD_SECRET_ID", "AKID"), ("TENCENTCLOUD_SECRET_KEY", "canary"),
      ("TENCENTCLOUD_TOKEN", "canary1"), ("TENCENTCLOUD_SECURITY_TOKEN", "canary2")],
    "TENCENTCLOUD_TOKEN and TENCENTCLOUD_SECURITY_TOKEN are both set, to different values"
)]
#[case::token_without_role(&[("TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN", "canary")], "TENCENTCLOUD_ASSUME_ROLE_ARN is not set")]
#[case::no_file(&[("TENCENTCLOUD_CREDENTIALS_FILE", "/nowhere")], "there is no file `/nowhere`, which TENCENTCLOUD_CREDENTIALS_FILE names")]
#[case::no_profile(&[("TCCLI_PROFILE", "partner")], "/.tccli/partner.credential`")]
#[case::path_as_profile(&[("TENCENTCLOUD_PROFILE", "../x")], "TENCENTCLOUD_PROFILE is not the name of a profile")]
#[case::half_a_pod(&[("TKE_ROLE_ARN", ROLE)], "some are set, but not TKE_REGION, TKE_PROVIDER_ID, TKE_WEB_IDENTITY_TOKEN_FILE")]
#[case::token_alone(&[("TENCENTCLOUD_TOKEN", "canary")], "TENCENTCLOUD_TOKEN is set, but TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY are not set")]
#[case::token_and_empty_pair(
    &[("TENCENTCLOUD_SECURITY_TOKEN", "canary"), ("TENCENTCLOUD_SECRET_ID", ""), ("TENCENTCLOUD_SECRET_KEY", "")],
    "TENCENTCLOUD_SECURITY_TOKEN is set, but TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY are empty"
)]
#[case::empty_pair(
    &[("TENCENTCLOUD_SECRET_ID", ""), ("TENCENTCLOUD_SECRET_KEY", "")],
    "set to nothing: the environment variables TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY; the role `callbacks-role` of this CVM instance is not used"
)]
#[case::empty_profile(&[("TCCLI_PROFILE", "")], "set to nothing: the environment variable TCCLI_PROFILE")]
#[case::empty_token_file(&[("TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN_FILE", "")], "WEB_IDENTITY_TOKEN_FILE")]
#[case::empty_pod(&[("TKE_ROLE_ARN", "")], "set to nothing: the environment variable TKE_ROLE_ARN")]
#[case::no_folder(&[("TENCENTCLOUD_SHARED_CREDENTIALS_DIR", "/no/such")], "there is no profile `/no/such/default.credential` in the folder that TENCENTCLOUD_SHARED_CREDENTIALS_DIR names")]
#[case::no_tsign(&[("TSIGN_CONFIG_PATH", "/no/such")], "there is no file `/no/such`, which TSIGN_CONFIG_PATH names")]
#[case::provider_alone(&[("TENCENTCLOUD_ASSUME_ROLE_PROVIDER_ID", "github")], "PROVIDER_ID is set, but TENCENTCLOUD_ASSUME_ROLE_ARN is not set")]
#[case::no_token(
    &[("TENCENTCLOUD_ASSUME_ROLE_PROVIDER_ID", "github"), ("TENCENTCLOUD_ASSUME_ROLE_ARN", ROLE)],
    "PROVIDER_ID is set, but there is no token: neither"
)]
#[case::no_token_file(
    &[("TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN_FILE", "/no/such"), ("TENCENTCLOUD_ASSUME_ROLE_ARN", ROLE)],
    "there is no token file `/no/such`"
)]
#[case::session_without_role(&[("TENCENTCLOUD_ROLE_SESSION_NAME", "ci")], "TENCENTCLOUD_ROLE_SESSION_NAME is set, but there is no role for it")]
#[case::duration_without_role(&[("TENCENTCLOUD_ASSUME_ROLE_SESSION_DURATION", "900")], "but there is no role for it")]
#[case::external_id_without_role(&[("TENCENTCLOUD_ASSUME_ROLE_EXTERNAL_ID", "ext")], "but there is no role for it")]
#[case::no_arn(&[("TENCENTCLOUD_ROLE_ARN", "callbacks")], "TENCENTCLOUD_ROLE_ARN is not the ARN of a role")]
#[case::no_arn_of_a_token(
    &[("TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN", "canary"), ("TENCENTCLOUD_ASSUME_ROLE_ARN", "arn:aws:iam::1:role/a")],
    "TENCENTCLOUD_ASSUME_ROLE_ARN is not the ARN of a role"
)]
#[case::empty_role(
    &[("TENCENTCLOUD_SECRET_ID", "AKID"), ("TENCENTCLOUD_SECRET_KEY", "canary"), ("TENCENTCLOUD_ROLE_ARN", "")],
    "TENCENTCLOUD_ROLE_ARN is set to nothing; set it to the role, or unset it"
)]
#[case::two_roles(&[("TENCENTCLOUD_ROLE_ARN", ROLE), ("TENCENTCLOUD_ASSUME_ROLE_ARN", "x")], "both set, to different values")]
#[tokio::test]
async fn a_wrong_one_is_no_reason_to_use_the_next(
    #[case] variables: &[(&str, &str)],
    #[case] problem: &str,
) {
    let mut world = World::new(Servers::new(serve));
    world.set(variables);
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(problem), "{error}");
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}

/// What is wrong with files, in the places where they are looked for without being named.
#[rstest]
#[case::empty_ini(".tencentcloud/credentials", "", "has no secret_id and secret_key")]
#[case::similar_section(
    ".tencentcloud/credentials",
    "[Default]\nsecret_id = canary",
    "begins the section [Default]"
)]
#[case::empty_tccli(".tccli/default.credential", "", "is not JSON")]
#[case::session_of_no_role(
    ".tccli/default.credential",
    r#"{"secretId":"AKID","secretKey":"canary","role-session-name":"s1"}"#,
    "has a role-session-name, but no role-arn"
)]
#[case::no_arn(
    ".tccli/default.credential",
    r#"{"secretId":"AKID","secretKey":"canary","role-arn":"callbacks"}"#,
    "is not the ARN of a role"
)]
#[case::milliseconds(
    ".tccli/default.credential",
    r#"{"type":"oauth","secretId":"AKID","secretKey":"canary","token":"canary","expiresAt":1790003600000}"#,
    "is not a time in seconds"
)]
#[case::empty_tsign(".tsign/config.yaml", "", "is empty: it has no `credentials`")]
#[case::comment_in_tsign(
    ".tsign/config.yaml",
    "# nothing\n",
    "is empty: it has no `credentials`"
)]
#[case::no_tsign(".tsign/config.yaml", "env: test\n", "has no `credentials`")]
#[case::empty_profile(
    ".tsign/config.yaml",
    "credentials: { secret_id: a, secret_key: canary }\nprofiles: { default: {}, other: {} }\n",
    "the profile `default` of"
)]
#[case::typo(
    ".tsign/config.yaml",
    "credentials: { secret_id: a, secret_key: canary }\nenv: tset\n",
    "must be `test` or `online`"
)]
#[tokio::test]
async fn a_wrong_file_is_no_reason_to_use_the_next(
    #[case] path: &str,
    #[case] text: &str,
    #[case] problem: &str,
) {
    let world = World::new(Servers::new(serve));
    world.write(path, text);
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(problem), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_nothing_is_no_reason_to_use_the_next() {
    for (link, of) in [
        (".tencentcloud/credentials", ".tencentcloud"),
        (".tencentcloud", ""),
        (".tccli/default.credential", ".tccli"),
        (".tsign/config.yaml", ".tsign"),
    ] {
        let world = World::new(Servers::new(serve));
        std::fs::create_dir_all(world.home.path().join(of)).unwrap();
        let link = world.home.path().join(link);
        std::os::unix::fs::symlink("/no/such", &link).unwrap();
        let error = find(&AccountSource::Default {}, &world.machine())
            .await
            .unwrap_err();
        let problem = format!("`{}` is a link to what does not exist", link.display());
        assert!(error.to_string().contains(&problem), "{error}");
    }
}

#[tokio::test]
async fn a_tsign_file_with_other_profiles_or_for_the_other_environment_is_passed_over() {
    let pair = "credentials: { secret_id: AKIDtsign, secret_key: canary }";
    for text in [
        format!("profiles: {{ other: {{ {pair} }} }}\n"),
        format!("{pair}\nenv: test\n"),
    ] {
        let mut world = World::new(Servers::new(serve));
        world.write(".tsign/config.yaml", &text);
        let found = find(&AccountSource::Default {}, &world.machine())
            .await
            .unwrap();
        assert_eq!(found.secret_id, "AKIDcvm");
        // One that a variable names is not passed over.
        let path = world.home.path().join(".tsign/config.yaml");
        world.set(&[("TSIGN_CONFIG_PATH", &path.display().to_string())]);
        find(&AccountSource::Default {}, &world.machine())
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn files_with_a_byte_order_mark_are_read() {
    for (path, text, id) in [
        (
            ".tccli/default.credential",
            r#"{"secretId":"AKIDtccli","secretKey":"k"}"#,
            "AKIDtccli",
        ),
        (
            ".tsign/config.yaml",
            "credentials: { secret_id: AKIDtsign, secret_key: k }\n",
            "AKIDtsign",
        ),
        (
            ".tencentcloud/credentials",
            "[default]\nsecret_id=AKIDini\nsecret_key=k\n",
            "AKIDini",
        ),
    ] {
        let world = World::new(Servers::new(serve));
        world.write(path, &format!("\u{feff}{text}"));
        let found = find(&AccountSource::Default {}, &world.machine())
            .await
            .unwrap();
        assert_eq!(found.secret_id, id);
    }
}

/// A job that may not have a token must not get the role of the runner.
#[rstest]
#[case("GITHUB_ACTIONS", "add `permissions: { id-token: write }` to the job")]
#[case(
    "GITLAB_CI",
    "add `id_tokens: { TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN: { aud: sts.tencentcloudapi.com } }` to the job"
)]
#[tokio::test]
async fn a_job_without_its_token_is_an_error(#[case] system: &str, #[case] remedy: &str) {
    let mut world = World::new(Servers::new(serve));
    world.set(&[
        (system, "true"),
        ("TENCENTCLOUD_ASSUME_ROLE_PROVIDER_ID", "ci"),
        ("TENCENTCLOUD_ASSUME_ROLE_ARN", ROLE),
    ]);
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    assert!(
        error.advice().contains(remedy),
        "{error} {}",
        error.advice()
    );
    assert_eq!(world.servers.asked(), 0);
}

#[rstest]
#[case("file.jwt\n", Some("file.jwt"))]
#[case(r#"{"web_identity_token": "json.jwt"}"#, Some("json.jwt"))]
#[case("\u{feff}bom.jwt", Some("bom.jwt"))]
#[case(r#"{"web_identity_token": 5}"#, None)]
#[case(r#"{"web_identity_token":null}"#, None)]
#[case(r#"{"token":"canary"}"#, None)]
#[tokio::test]
async fn a_token_file_has_a_token_alone_or_in_json(
    #[case] text: &str,
    #[case] token: Option<&str>,
) {
    let mut world = World::new(Servers::new(serve));
    world.write("token", text);
    let path = world.home.path().join("token").display().to_string();
    world.set(&[
        ("TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN_FILE", &path),
        ("TENCENTCLOUD_ASSUME_ROLE_ARN", ROLE),
    ]);
    let found = find(&AccountSource::Default {}, &world.machine()).await;
    match (found, token) {
        (Ok(_), Some(token)) => assert_eq!(world.servers.body(0)["WebIdentityToken"], token),
        (Err(error), None) => {
            let problem = "is JSON without a text `web_identity_token`";
            assert!(error.to_string().contains(problem), "{error}");
            assert_eq!(world.servers.asked(), 0);
        }
        (found, _) => panic!("{found:?}"),
    }
}
