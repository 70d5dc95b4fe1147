//! Where credentials come from, on a machine of the test.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::any;
use tempfile::TempDir;

use super::*;
use crate::backend::objects::tests::machine;

/// Answers by method and path, and keeps what it was asked with.
async fn server(
    answers: &'static [(&'static str, u16, &'static str)],
) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let answer = move |request: Request<Body>| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let what = format!("{} {}", parts.method, parts.uri);
        let shown = format!(
            "{what} {:?} {}",
            parts.headers,
            String::from_utf8_lossy(&body)
        );
        seen.lock().unwrap().push(shown);
        let found = answers.iter().find(|(known, ..)| *known == what);
        let (status, body) = found.map_or((404, ""), |(_, status, body)| (*status, *body));
        let response = axum::http::Response::builder().status(status);
        response
            .header("date", "Mon, 21 Sep 2026 14:13:20 GMT")
            .body(Body::from(body))
            .unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(any(answer)))
            .await
            .unwrap();
    }));
    (origin, asked)
}

async fn found(home: &TempDir, variables: &[(&str, &str)]) -> Result<Arc<Credential>, String> {
    let mut all = vec![("AWS_EC2_METADATA_DISABLED", "true")];
    all.extend(variables);
    let machine = machine(&all, home.path());
    let keys = Keys::aws(machine, "eu-west-1".into(), None);
    let found = keys
        .get()
        .await
        .map_err(|error| format!("{error}. {}", error.advice()));
    if let Err(text) = &found {
        assert!(!text.contains("canary"), "{text}");
    }
    found
}

fn home(credentials: &str, config: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    for (name, text) in [("credentials", credentials), ("config", config)] {
        std::fs::write(home.path().join(".aws").join(name), text).unwrap();
    }
    home
}

#[tokio::test]
async fn the_environment_comes_first_and_has_to_be_whole() {
    let home = home(
        "[default]\naws_access_key_id=FILE\naws_secret_access_key=k\n",
        "",
    );
    let id = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "k"),
    ];
    assert_eq!(found(&home, &id).await.unwrap().secret_id, "AKIA");
    let error = found(&home, &id[..1]).await.unwrap_err();
    assert!(
        error.starts_with("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"),
        "{error}"
    );
    let error = found(&home, &[id[0], ("AWS_SECRET_ACCESS_KEY", "canary key")])
        .await
        .unwrap_err();
    assert!(
        error.starts_with("AWS_SECRET_ACCESS_KEY is empty, or has white space"),
        "{error}"
    );
    // Set to nothing, as CI systems do.
    let empty = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    assert_eq!(found(&home, &empty).await.unwrap().secret_id, "FILE");
}

#[tokio::test]
async fn profiles_are_read_and_what_they_can_t_give_is_refused() {
    let home = home(
        "[default]\naws_access_key_id = A\naws_secret_access_key = canary\n\n[two]\naws_access_key_id=B\n\
         aws_secret_access_key=canary+/=\naws_session_token=canary\n[half]\naws_access_key_id=B\n",
        "[profile two]\nregion = us-west-2\ns3 =\n  addressing_style = path\n[profile process]\ncredential_process = run canary\n\
         [profile sso]\nsso_session = x\n[profile role]\nrole_arn = r\nsource_profile = two\n[profile bare]\noutput=json\n",
    );
    let of = |name: &'static str| [("AWS_PROFILE", name)];
    assert_eq!(found(&home, &[]).await.unwrap().secret_id, "A");
    let two = found(&home, &of("two")).await.unwrap();
    assert_eq!((two.secret_id.as_str(), two.token.is_some()), ("B", true));
    assert_eq!(
        settings(&machine(&of("two"), home.path()), Dialect::S3)
            .unwrap()
            .1
            .as_deref(),
        Some("us-west-2")
    );
    for (name, expected) in [
        (
            "process",
            "the profile `process` runs a program (credential_process), which is not supported here",
        ),
        ("sso", "the profile `sso` needs a login (sso_session)"),
        (
            "role",
            "aws configure export-credentials --profile role --format env",
        ),
        (
            "half",
            "has only one of aws_access_key_id and aws_secret_access_key",
        ),
        ("bare", "the profile `bare` has no aws_access_key_id"),
        (
            "none",
            "the files of AWS have no profile `none`, which AWS_PROFILE names",
        ),
    ] {
        let error = found(&home, &of(name)).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_set() {
    let home = tempfile::tempdir().unwrap();
    let error = found(&home, &[]).await.unwrap_err();
    assert_eq!(
        error,
        "no provider has any (the environment: AWS_ACCESS_KEY_ID is not set; profile: the files of AWS have no profile \
         `default`; web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; container: neither \
         AWS_CONTAINER_CREDENTIALS_FULL_URI nor AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set; instance: \
         AWS_EC2_METADATA_DISABLED is true). set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this \
         machine a role"
    );
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_role() {
    let (origin, asked) = server(&[(
        "POST /",
        200,
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>canary</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2026-09-21T15:13:20Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>",
    )])
    .await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("token");
    std::fs::write(&path, "canary.jwt\n").unwrap();
    let path = path.to_str().unwrap();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x"),
        ("AWS_ENDPOINT_URL_STS", origin.as_str()),
    ];
    assert_eq!(found(&home, &variables).await.unwrap().secret_id, "ASIA");
    assert!(asked.lock().unwrap()[0].contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&"));
    let error = found(&home, &variables[..1]).await.unwrap_err();
    assert!(
        error.starts_with("AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not"),
        "{error}"
    );
    let (refusing, _) = server(&[(
        "POST /",
        403,
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not canary.jwt</Message></Error></ErrorResponse>",
    )])
    .await;
    let variables = [
        variables[0],
        variables[1],
        ("AWS_ENDPOINT_URL_STS", refusing.as_str()),
    ];
    let error = found(&home, &variables).await.unwrap_err();
    assert!(
        error.contains("HTTP status 403 (AccessDenied: not (secret))"),
        "{error}"
    );
}

const GIVEN: &str = r#"{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"canary","Token":"canary-t","Expiration":"2026-09-21T15:13:20Z"}"#;

#[tokio::test]
async fn a_container_has_an_endpoint() {
    let (origin, asked) = server(&[
        ("GET /creds", 200, GIVEN),
        ("GET /bad", 200, "{\"canary\": 1"),
    ])
    .await;
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    std::fs::write(&token, "canary-authorization").unwrap();
    let file = (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        token.to_str().unwrap(),
    );
    let uri = format!("{origin}/creds");
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()), file];
    assert_eq!(found(&home, &variables).await.unwrap().secret_id, "ASIA");
    assert!(asked.lock().unwrap()[0].contains("\"authorization\": \"canary-authorization\""));
    for (uri, expected) in [
        (
            format!("{origin}/bad"),
            "the answer does not have the documented form",
        ),
        (format!("{origin}/none"), "HTTP status 404"),
        (
            "http://192.0.2.1/x".to_owned(),
            "is neither an https URL nor an http URL of this machine",
        ),
        (
            "canary".to_owned(),
            "is neither an https URL nor an http URL of this machine",
        ),
    ] {
        let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()), file];
        let error = found(&home, &variables).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let escaped = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@192.0.2.1/x")];
    let error = found(&home, &escaped).await.unwrap_err();
    assert!(
        error.contains("is neither") || error.contains("is not a path"),
        "{error}"
    );
}

#[tokio::test]
async fn an_instance_has_a_role() {
    let (origin, asked) = server(&[
        ("PUT /latest/api/token", 200, "canary-imds"),
        (
            "GET /latest/meta-data/iam/security-credentials/",
            200,
            "callbacks\n",
        ),
        (
            "GET /latest/meta-data/iam/security-credentials/callbacks",
            200,
            GIVEN,
        ),
    ])
    .await;
    let home = tempfile::tempdir().unwrap();
    let set = |origin| {
        [
            ("AWS_EC2_METADATA_DISABLED", ""),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", origin),
        ]
    };
    assert_eq!(found(&home, &set(&origin)).await.unwrap().secret_id, "ASIA");
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked[0].contains("\"x-aws-ec2-metadata-token-ttl-seconds\": \"21600\""),
        "{}",
        asked[0]
    );
    assert!(
        asked[2].contains("\"x-aws-ec2-metadata-token\": \"canary-imds\""),
        "{}",
        asked[2]
    );
    let error = found(&home, &set("http://192.0.2.1")).await.unwrap_err();
    assert!(
        error.contains("is not an http URL of this machine"),
        "{error}"
    );
    let (roleless, _) = server(&[("PUT /latest/api/token", 200, "t")]).await;
    let error = found(&home, &set(&roleless)).await.unwrap_err();
    assert!(
        error.contains("instance: the instance has no role"),
        "{error}"
    );
}
