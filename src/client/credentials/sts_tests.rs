//! The token service with right and hostile answers, and logins of tccli that expire.

use std::collections::VecDeque;
use std::sync::Mutex;

use rstest::rstest;

use super::super::doubles::*;
use super::super::find;
use super::*;
use crate::model::AccountSource;

const ROLE: &str = "qcs::cam::uin/100000000001:roleName/callbacks";

/// A world with a pair of keys and a role, whose token service gives these answers in turn.
fn world(answers: Vec<Result<Answer, String>>) -> World {
    let answers = Mutex::new(VecDeque::from(answers));
    let servers = Servers::new(move |_| answers.lock().unwrap().pop_front().unwrap());
    let mut world = World::new(servers);
    world.set(&[
        ("TENCENTCLOUD_SECRET_ID", "AKID"),
        ("TENCENTCLOUD_SECRET_KEY", "canary-base"),
        ("TENCENTCLOUD_ROLE_ARN", ROLE),
    ]);
    world
}

async fn assume(world: &World) -> Result<String, CredentialError> {
    let found = find(&AccountSource::Default {}, &world.machine()).await;
    found.map(|found| found.secret_id)
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_as_documented() {
    let world = world(vec![granted("AKIDtmp", 7200)]);
    assert_eq!(assume(&world).await.unwrap(), "AKIDtmp");
    let header = |name| world.servers.header(0, name).unwrap();
    assert_eq!(header("x-tc-action"), "AssumeRole");
    assert_eq!(header("x-tc-version"), "2018-08-13");
    assert_eq!(header("x-tc-region"), "ap-guangzhou");
    assert!(header("authorization").contains("Credential=AKID/2026-09-21/sts/tc3_request"));
    insta::assert_snapshot!(world.servers.body(0), @r#"{"DurationSeconds":7200,"RoleArn":"qcs::cam::uin/100000000001:roleName/callbacks","RoleSessionName":"ess-callbacks"}"#);
}

#[rstest]
#[case::redirect(
    answer(302, ""),
    1,
    "HTTP status 302",
    "answers in place of the token service"
)]
#[case::not_found(answer(404, "canary-base"), 1, "HTTP status 404", "HTTPS_PROXY")]
#[case::garbage(
    answer(200, "canary-base"),
    1,
    "not the token service's",
    "a login page"
)]
#[case::wrong_json(
    answer(200, r#"{"Response":{"RequestId":"x"}}"#),
    1,
    "not the token service's",
    "HTTPS_PROXY"
)]
#[case::broken_proxy(answer(502, "<html>"), 3, "HTTP status 502", "HTTPS_PROXY")]
#[case::silent(Err("lost canary-base".to_owned()), 3, "no answer: lost (secret)", "check the network")]
#[case::busy(
    refused("InternalError.System", "busy"),
    3,
    "InternalError.System: busy",
    "the failure is the token service's"
)]
#[case::throttled(
    refused("RequestLimitExceeded", "busy"),
    3,
    "RequestLimitExceeded: busy",
    "in a minute"
)]
#[case::no_role(
    refused("InternalError.GetRoleError", "none"),
    3,
    "GetRoleError: none",
    "check the role's ARN"
)]
#[case::empty_key(
    granted("AKIDtmp", 7200).map(|answer| Answer {
        body: String::from_utf8(answer.body).unwrap().replace("canary-key", "").into_bytes(),
        ..answer
    }),
    1,
    "at the token service (STS) sts.tencentcloudapi.com: the answer has no credential that can sign: the SecretKey is empty",
    "run the command again"
)]
#[case::echo(
    refused("UnauthorizedOperation", "canary-base may not"),
    1,
    "(secret) may not [request id request-1]",
    "sts:AssumeRole"
)]
#[case::expired(
    granted("AKIDtmp", 20),
    1,
    "AssumeRole of qcs::cam::uin/100000000001:roleName/callbacks at the token service (STS) sts.tencentcloudapi.com: the \
     answer is a credential that had expired before it arrived",
    "clock"
)]
#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_named_and_repeated_only_when_that_can_help(
    #[case] said: Result<Answer, String>,
    #[case] asked: usize,
    #[case] problem: &str,
    #[case] remedy: &str,
) {
    let world = world(vec![said; 3]);
    let error = assume(&world).await.unwrap_err();
    assert!(error.to_string().contains(problem), "{error}");
    assert!(error.advice().contains(remedy), "{}", error.advice());
    assert!(!error.advice().contains("--endpoint"), "{}", error.advice());
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(world.servers.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_is_no_trouble() {
    let world = world(vec![
        Err("reset".to_owned()),
        answer(503, ""),
        granted("AKIDtmp", 7200),
    ]);
    assert_eq!(assume(&world).await.unwrap(), "AKIDtmp");
}

/// The clock of this machine is a day behind.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_corrected_once() {
    let late = |said: Result<Answer, String>| {
        said.map(|answer| Answer {
            date: Some(NOW.plus(86_400)),
            ..answer
        })
    };
    let expired = || late(refused("AuthFailure.SignatureExpire", "late"));
    let first = world(vec![expired(), late(granted("AKIDtmp", 86_400 + 7200))]);
    assert_eq!(assume(&first).await.unwrap(), "AKIDtmp");
    let signed_at = first.servers.header(1, "x-tc-timestamp").unwrap();
    assert_eq!(signed_at, NOW.plus(86_400).0.to_string());
    let second = world(vec![expired(), expired()]);
    let error = assume(&second).await.unwrap_err();
    assert!(error.advice().contains("clock"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_base_that_has_expired_and_has_no_successor_is_the_trouble() {
    let world = world(vec![refused("AuthFailure.TokenFailure", "expired")]);
    let error = assume(&world).await.unwrap_err();
    // The token service refused it, not eSign.
    assert_eq!(
        error.to_string(),
        "AssumeRole of qcs::cam::uin/100000000001:roleName/callbacks at the token service (STS) sts.tencentcloudapi.com: AuthFailure.TokenFailure: expired [request id request-1]"
    );
    assert!(
        error.advice().contains("to assume the role with"),
        "{}",
        error.advice()
    );
}

/// The base can't be renewed, so a later renewal of the role is refused without asking again.
#[tokio::test(start_paused = true)]
async fn a_role_whose_base_was_refused_says_that_the_token_service_refused_it() {
    let world = world(vec![
        granted("AKIDtmp", 7200),
        refused("AuthFailure.TokenFailure", "expired"),
    ]);
    let found = find(&AccountSource::Default {}, &world.machine())
        .await
        .unwrap();
    found.cache.refuse(&found.cache.current().unwrap());
    let first = found.cache.get().await.unwrap_err();
    assert!(
        first.to_string().contains("AuthFailure.TokenFailure"),
        "{first}"
    );
    sleep(Duration::from_secs(600)).await;
    let second = found.cache.get().await.unwrap_err();
    assert!(
        second
            .to_string()
            .contains("(STS) sts.tencentcloudapi.com: it has refused the credentials"),
        "{second}"
    );
    assert_eq!(world.servers.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_answer_of_another_endpoint_is_that_endpoint_s() {
    let world = world(vec![answer(403, "")]);
    let machine = Machine {
        sts: crate::client::Endpoint::parse("https://proxy.example/").unwrap(),
        ..world.machine()
    };
    let error = find(&AccountSource::Default {}, &machine)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("(STS) proxy.example: HTTP status 403"),
        "{error}"
    );
    assert!(
        error.advice().contains("check --endpoint"),
        "{}",
        error.advice()
    );
}

const OAUTH: &str = r#"{"type":"oauth","secretId":"AKIDlogin","secretKey":"canary-key","token":"canary-token",
    "expiresAt":EXPIRES,"oauth":{"openId":"OPEN","accessToken":"canary","refreshToken":"canary","expiresAt":1,"site":"cn"}}"#;
const SSO: &str = r#"{"type":"sso","secretId":"AKIDlogin","secretKey":"canary-key","token":"canary-token",
    "expiresAt":EXPIRES,"sso":{"token":"canary","uin":"100001","roleConfigurationId":"rc-1","zoneId":"z","authUrl":"https://x"}}"#;

fn login(text: &str, seconds: i64, open_id: &str) -> String {
    text.replace("EXPIRES", &(NOW.0 + seconds).to_string())
        .replace("OPEN", open_id)
}

#[tokio::test(start_paused = true)]
async fn a_login_of_tccli_serves_while_it_is_valid() {
    let world = World::new(Servers::none());
    let profile = AccountSource::Profile("me".to_owned());
    for (file, name, command) in [
        (OAUTH, "oauth one", "run `tccli auth login --profile me`"),
        (
            SSO,
            "sso \"100001\" \"rc-1\"",
            "run `tccli sso login --profile me`",
        ),
    ] {
        world.write(".tccli/me.credential", &login(file, 3600, "one"));
        let found = find(&profile, &world.machine()).await.unwrap();
        assert_eq!(found.principal, Principal::Session(name.to_owned()));
        world.write(".tccli/me.credential", &login(file, -1, "one"));
        let error = find(&profile, &world.machine()).await.unwrap_err();
        assert!(error.to_string().contains("has expired"), "{error}");
        assert_eq!(error.advice(), command);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_read_again_but_not_another_person_s() {
    let world = World::new(Servers::none());
    let profile = AccountSource::Profile("me".to_owned());
    world.write(".tccli/me.credential", &login(OAUTH, 3600, "one"));
    let cache = find(&profile, &world.machine()).await.unwrap().cache;
    let old = cache.current().unwrap();
    cache.refuse(&old);
    let renewed = login(OAUTH, 7200, "one").replace("AKIDlogin", "AKIDnext");
    world.write(".tccli/me.credential", &renewed);
    let new = cache.get().await.unwrap();
    assert_eq!(new.secret_id, "AKIDnext");
    cache.refuse(&new);
    world.write(".tccli/me.credential", &login(OAUTH, 7200, "two"));
    let error = cache.get().await.unwrap_err();
    assert!(error.to_string().contains("another login"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_profile_with_a_role_assumes_it_and_an_unknown_type_is_named() {
    let world = World::new(Servers::new(|_| granted("AKIDtmp", 7200)));
    let profile = AccountSource::Profile("me".to_owned());
    let text = format!(
        r#"{{"secretId":"AKID","secretKey":"canary","role-arn":"{ROLE}","role-session-name":"tccli"}}"#
    );
    world.write(".tccli/me.credential", &text);
    let found = find(&profile, &world.machine()).await.unwrap();
    assert_eq!(found.secret_id, "AKIDtmp");
    assert_eq!(world.servers.body(0)["RoleSessionName"], "tccli");
    for (text, problem) in [
        (r#"{"type":"canary"}"#, "has a type that is not supported"),
        (
            r#"{"secretId":"canary"}"#,
            "is not JSON with secretId and secretKey",
        ),
        ("canary", "is not JSON with secretId and secretKey"),
        (r#"{"type":"cvm-role"}"#, "is not the name of a role"),
    ] {
        world.write(".tccli/me.credential", text);
        let error = find(&profile, &world.machine()).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
