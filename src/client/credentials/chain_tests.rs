//! The order of the chain, and each provider with right and hostile input.

use rstest::rstest;

use super::super::doubles::*;
use super::super::{Answer, Principal, Request};
use super::*;
use crate::model::{AssumeRole, AssumedRole, CredentialVariables, IdentityToken, WebIdentity};

pub(super) const ROLE: &str = "qcs::cam::uin/100000000001:roleName/callbacks";

/// Every server of the chain answers rightly.
pub(super) fn serve(request: &Request) -> Result<Answer, String> {
    match (request.url.host_str().unwrap(), request.url.path()) {
        ("metadata.tencentyun.com", "/latest/meta-data/cam/security-credentials/") => {
            answer(200, "callbacks-role")
        }
        ("metadata.tencentyun.com", _) => answer(200, of_instance()),
        ("github.example", _) => answer(200, r#"{"value":"github.jwt"}"#),
        ("sts.tencentcloudapi.com", _) => granted("AKIDsts", 7200),
        (host, _) => Err(format!("no {host}")),
    }
}

/// What sets up each provider of the chain, in its order, and the name of the next in its origin.
fn set_up(world: &mut World, provider: Provider) {
    let home = world.home.path().to_owned();
    let token = home.join("token").display().to_string();
    match provider {
        Provider::Environment => world.set(&[
            ("TENCENTCLOUD_SECRET_ID", "AKIDenv"),
            ("TENCENTCLOUD_SECRET_KEY", "canary-key"),
        ]),
        Provider::WebIdentity => world.set(&[
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.example/token?api=1"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-bearer"),
            ("TENCENTCLOUD_ASSUME_ROLE_PROVIDER_ID", "github"),
            ("TENCENTCLOUD_ASSUME_ROLE_ARN", ROLE),
        ]),
        Provider::CredentialsFile => world.write(
            ".tencentcloud/credentials",
            "[default]\nsecret_id = AKIDini\nsecret_key = canary-key\n",
        ),
        Provider::Tccli => world.write(
            ".tccli/default.credential",
            r#"{"secretId": "AKIDtccli", "secretKey": "canary-key"}"#,
        ),
        Provider::Tsign => world.write(
            ".tsign/config.yaml",
            "credentials:\n  secret_id: AKIDtsign\n  secret_key: canary-key\noperator: { user_id: yD }\nenv: online\n",
        ),
        Provider::Pod => {
            world.write("token", "pod.jwt\n");
            world.set(&[
                ("TKE_REGION", "ap-guangzhou"),
                ("TKE_PROVIDER_ID", "cls-1"),
                ("TKE_WEB_IDENTITY_TOKEN_FILE", &token),
                ("TKE_ROLE_ARN", ROLE),
            ]);
        }
        // Its servers are always there.
        Provider::Instance => {}
    }
}

#[tokio::test]
async fn the_first_that_is_set_up_serves_and_says_why_the_others_did_not() {
    for (at, first) in Provider::ORDER.into_iter().enumerate() {
        let mut world = World::new(Servers::new(serve));
        // The role of a web identity would be assumed on top of those before it.
        for provider in Provider::ORDER.into_iter().skip(at) {
            if provider != Provider::WebIdentity || provider == first {
                set_up(&mut world, provider);
            }
        }
        let found = find(&AccountSource::Default {}, &world.machine())
            .await
            .unwrap();
        let (id, name) = match first {
            Provider::Environment => ("AKIDenv", "TENCENTCLOUD_SECRET_ID"),
            Provider::WebIdentity => ("AKIDsts", "GitHub"),
            Provider::CredentialsFile => ("AKIDini", "/.tencentcloud/credentials"),
            Provider::Tccli => ("AKIDtccli", "/.tccli/default.credential"),
            Provider::Tsign => ("AKIDtsign", "/.tsign/config.yaml"),
            Provider::Pod => ("AKIDsts", "/token"),
            Provider::Instance => ("AKIDcvm", "`callbacks-role` of this CVM instance"),
        };
        assert_eq!(found.secret_id, id);
        assert!(
            found.origin.provider.contains(name),
            "{}",
            found.origin.provider
        );
        let passed: Vec<_> = found
            .origin
            .passed_over
            .iter()
            .map(|one| &*one.provider)
            .collect();
        let before: Vec<_> = Provider::ORDER[..at].iter().map(|one| one.name()).collect();
        assert_eq!(passed, before);
    }
}

#[tokio::test]
async fn when_none_serves_the_message_says_of_each_why() {
    let world = World::new(Servers::none());
    let home = world.home.path().display().to_string();
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&home, "~"), @"no provider has any (environment: TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY are not set; web identity: neither TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN nor TENCENTCLOUD_ASSUME_ROLE_WEB_IDENTITY_TOKEN_FILE is set; credentials file: there is no file `~/.tencentcloud/credentials` or `~/etc`; tccli profile: there is no profile `~/.tccli/default.credential`; tsign: there is no file `~/.tsign/config.yaml`; TKE pod: TKE_ROLE_ARN is not set; CVM role: no answer from metadata.tencentyun.com: no route to host)");
}

#[tokio::test]
async fn a_pair_of_empty_variables_is_not_set_and_equal_tokens_are_one() {
    let mut world = World::new(Servers::new(serve));
    world.set(&[
        ("TENCENTCLOUD_SECRET_ID", ""),
        ("TENCENTCLOUD_SECRET_KEY", ""),
    ]);
    set_up(&mut world, Provider::CredentialsFile);
    let found = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap();
    assert_eq!(found.secret_id, "AKIDini");
    let why = &found.origin.passed_over[0].why;
    assert!(why.ends_with("are empty, which counts as not set"), "{why}");

    set_up(&mut world, Provider::Environment);
    world.set(&[
        ("TENCENTCLOUD_TOKEN", "t"),
        ("TENCENTCLOUD_SECURITY_TOKEN", "t"),
    ]);
    let found = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap();
    assert_eq!(found.principal, Principal::Unknown("AKIDenv".to_owned()));
    let credential = found.cache.current().unwrap();
    assert_eq!(credential.token.as_ref().unwrap().expose(), "t");
}

#[tokio::test]
async fn a_role_is_assumed_on_top_of_what_the_chain_found() {
    for name in ["TENCENTCLOUD_ROLE_ARN", "TENCENTCLOUD_ASSUME_ROLE_ARN"] {
        let mut world = World::new(Servers::new(serve));
        set_up(&mut world, Provider::Environment);
        world.set(&[
            (name, ROLE),
            ("TENCENTCLOUD_ASSUME_ROLE_SESSION_DURATION", "900"),
        ]);
        let found = find(&AccountSource::Default {}, &world.machine())
            .await
            .unwrap();
        assert_eq!(found.secret_id, "AKIDsts");
        assert_eq!(found.principal, Principal::Session(format!("role {ROLE}")));
        assert_eq!(world.servers.body(0)["DurationSeconds"], 900);
    }
}

/// An account that names its source never gets what the chain would find.
#[tokio::test]
async fn an_account_s_own_source_is_the_only_one() {
    let mut world = World::new(Servers::new(serve));
    set_up(&mut world, Provider::Environment);
    world.set(&[("TENCENTCLOUD_ROLE_ARN", ROLE), ("JWT", "declared.jwt")]);
    let variables = CredentialVariables {
        secret_id: "ID".to_owned(),
        secret_key: "KEY".to_owned(),
        token: None,
    };
    for source in [
        AccountSource::Profile("none".to_owned()),
        AccountSource::Tsign("default".to_owned()),
        AccountSource::Env(variables),
    ] {
        find(&source, &world.machine()).await.unwrap_err();
    }
    set_up(&mut world, Provider::Tsign);
    let tsign = AccountSource::Tsign("default".to_owned());
    let found = find(&tsign, &world.machine()).await.unwrap();
    assert_eq!(found.principal, Principal::SecretId("AKIDtsign".to_owned()));
    assert_eq!(found.origin.passed_over, []);
    let role = AssumedRole {
        role_arn: ROLE.to_owned(),
        session_name: Some("s1".to_owned()),
        duration: None,
        external_id: Some("ext".to_owned()),
    };
    let assume = AccountSource::AssumeRole(AssumeRole {
        role: role.clone(),
        with: Box::new(tsign),
    });
    let found = find(&assume, &world.machine()).await.unwrap();
    assert!(
        found
            .origin
            .provider
            .contains("assumed with the profile `default`")
    );
    assert_eq!(world.servers.body(0)["ExternalId"], "ext");
    let identity = AccountSource::WebIdentity(WebIdentity {
        provider_id: "gitlab".to_owned(),
        role,
        token: IdentityToken::Env("JWT".to_owned()),
    });
    find(&identity, &world.machine()).await.unwrap();
    assert_eq!(world.servers.body(1)["WebIdentityToken"], "declared.jwt");
}

#[rstest]
#[case(answer(404, ""), "the instance has no role")]
#[case(answer(302, "elsewhere"), "HTTP status 302")]
#[case(answer(200, "<html>canary</html>"), "is not the name of a role")]
#[case(answer(200, [0xff; 4]), "is not the name of a role")]
#[case(answer(200, ""), "is not the name of a role")]
#[case(Err("timed out".to_owned()), "timed out")]
#[tokio::test]
async fn what_is_not_an_instance_with_a_role_is_passed_over(
    #[case] said: Result<Answer, String>,
    #[case] why: &str,
) {
    let world = World::new(Servers::new(move |_| said.clone()));
    let Looked::NotHere(said) = metadata::look(&world.machine()).await.unwrap() else {
        panic!("it serves");
    };
    assert!(said.contains(why) && !said.contains("canary"), "{said}");
}

#[rstest]
#[case(answer(404, "canary"), "HTTP status 404")]
#[case(answer(200, "canary"), "does not have the documented form")]
#[case(answer(200, r#"{"Code": "Failed \u001b[2J"}"#), r"Failed \u{1b}[2J")]
#[case(
    answer(200, of_instance().replace("Success", "Failed canary-key")),
    "metadata.tencentyun.com: Failed (secret)"
)]
#[case(
    answer(200, of_instance().replace("canary-key", " canary")),
    "metadata.tencentyun.com: the answer has no credential that can sign: the SecretKey begins or ends with white space"
)]
#[case(
    answer(200, of_instance().replace("canary-key", "")),
    "the role `role` at the metadata service metadata.tencentyun.com: the answer has no credential that can sign: the SecretKey is empty"
)]
#[case(answer(200, of_instance().replace("1790007200", "1790000010")), "had expired before it arrived")]
#[tokio::test]
async fn an_instance_s_wrong_credentials_end_the_search(
    #[case] said: Result<Answer, String>,
    #[case] problem: &str,
) {
    let world = World::new(Servers::new(move |request| {
        if request.url.path().ends_with('/') {
            answer(200, "role")
        } else {
            said.clone()
        }
    }));
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(problem), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[rstest]
#[case(answer(403, "canary"), "HTTP status 403", "id-token: write")]
#[case(answer(500, "canary"), "HTTP status 500", "the failure is GitHub's")]
#[case(answer(302, "canary"), "HTTP status 302", "HTTPS_PROXY")]
#[case(
    answer(404, "canary"),
    "HTTP status 404",
    "in the job that got the variables"
)]
#[case(
    answer(200, "{}"),
    "does not have the documented form",
    "run the job again"
)]
#[case(
    answer(200, r#"{"value":"can ary"}"#),
    "the token of GitHub",
    "check the source"
)]
#[case(Err("reset by canary-bearer".to_owned()), "reset by (secret)", "run the job again")]
#[tokio::test]
async fn github_s_trouble_is_named(
    #[case] said: Result<Answer, String>,
    #[case] problem: &str,
    #[case] remedy: &str,
) {
    let mut world = World::new(Servers::new(move |_| said.clone()));
    set_up(&mut world, Provider::WebIdentity);
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(problem), "{error}");
    assert!(error.advice().contains(remedy), "{}", error.advice());
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn github_is_asked_for_the_audience_and_only_over_https() {
    let mut world = World::new(Servers::new(serve));
    set_up(&mut world, Provider::WebIdentity);
    find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap();
    let url = world.servers.requests.lock().unwrap()[0].url.to_string();
    assert_eq!(
        url,
        "https://github.example/token?api=1&audience=sts.tencentcloudapi.com"
    );
    assert_eq!(
        world.servers.header(0, "authorization").unwrap(),
        "bearer canary-bearer"
    );
    assert_eq!(world.servers.header(1, "authorization").unwrap(), "SKIP");
    world.set(&[("ACTIONS_ID_TOKEN_REQUEST_URL", "http://github.example/")]);
    let error = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is not an https URL"), "{error}");
    assert_eq!(world.servers.asked(), 2);
}
