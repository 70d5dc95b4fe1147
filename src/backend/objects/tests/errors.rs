//! What is said when a store refuses, fails, is not there, or is none.

use axum::body::Body;

use super::server::{error, respond};
use super::*;

/// The error as it is shown, with what to do next.
fn shown(error: &StateError) -> String {
    let text = format!("{error}\n{}", error.advice());
    assert!(!text.contains("canary"), "{text}");
    text
}

async fn head_error(log: &Objects) -> String {
    shown(&log.head().await.unwrap_err())
}

#[tokio::test]
async fn refusals_say_what_they_mean() {
    let fake = Fake::start();
    let log = s3(&fake);
    for (status, headers, body, expected) in [
        (
            404,
            &[][..],
            "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>\
             <RequestId>4442587FB7D0A2F9</RequestId></Error>",
            "there is no bucket `bucket` at",
        ),
        (
            301,
            &[("x-amz-bucket-region", "eu-west-1")],
            "<Error><Code>PermanentRedirect</Code></Error>",
            "the bucket `bucket` is in the region `eu-west-1`, not `r-1`",
        ),
        (
            400,
            &[],
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></Error>",
            "the bucket `bucket` is in the region `us-west-2`, not `r-1`",
        ),
        (
            307,
            &[("location", "https://user:canary@other/")],
            "",
            "is not in the region `r-1`",
        ),
        (
            403,
            &[],
            "<Error><Code>InvalidAccessKeyId</Code></Error>",
            "does not know the access key `AKIDTEST`",
        ),
        (
            403,
            &[],
            "<Error><Code>SignatureDoesNotMatch</Code><Message>canary-token canary-secret</Message></Error>",
            "the secret key does not belong to the access key `AKIDTEST`",
        ),
        (
            403,
            &[],
            "<Error><Code>RequestTimeTooSkewed</Code></Error>",
            "the clock of this machine",
        ),
        (
            403,
            &[],
            "<Error><Code>AccessDenied</Code></Error>",
            "Allow s3:ListBucket for `bucket/states/a/*`",
        ),
        (
            401,
            &[],
            "",
            "no right to do that (HTTP status 401 Unauthorized)",
        ),
        (407, &[], "", "a proxy requires credentials"),
        (
            200,
            &[],
            "<html>Sign in to the hotel's network</html>",
            "is not a list of objects",
        ),
        (200, &[], "", "is not a list of objects"),
        (
            200,
            &[],
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>another</Key></Contents></ListBucketResult>",
            "is a list in the wrong order",
        ),
        (
            200,
            &[],
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "is not a list of objects",
        ),
    ] {
        fake.always(status, headers, body);
        let before = fake.inside().requests.len();
        let text = head_error(&log).await;
        assert!(text.contains(expected), "{text}");
        assert!(
            text.starts_with("reading `s3://bucket/states/a` failed: "),
            "{text}"
        );
        // None of these passes by itself.
        assert_eq!(fake.inside().requests.len(), before + 1, "{text}");
    }
    fake.always(
        404,
        &[],
        "<Error><Code>NoSuchBucket</Code><Message>Not there.</Message><RequestId>R1</RequestId></Error>",
    );
    let origin = fake.origin.strip_prefix("http://").unwrap().to_owned();
    assert_eq!(
        head_error(&log).await.replace(&origin, "HOST"),
        "reading `s3://bucket/states/a` failed: there is no bucket `bucket` at HOST (NoSuchBucket: Not there; request R1)\n\
         Create the bucket, or correct its name, region and endpoint in the address."
    );
}

/// What a writer is told, and that a write is never sent twice.
#[tokio::test]
async fn the_fate_of_a_write_is_told_exactly() {
    let fake = Fake::start();
    let log = s3(&fake);
    let first = record(1, "a", Kind::Hold, 0, b"");
    for (status, code, is_open, expected) in [
        (
            409,
            "ConditionalRequestConflict",
            true,
            "ConditionalRequestConflict",
        ),
        // Not the store's answer: it has no ETag.
        (200, "Welcome", true, "has no ETag"),
        (500, "InternalError", true, "the store failed"),
        (503, "SlowDown", true, "fewer requests"),
        (429, "TooManyRequests", true, "fewer requests"),
        (400, "RequestTimeout", true, "RequestTimeout"),
        (
            400,
            "InvalidArgument",
            false,
            "the store refused the request",
        ),
        (403, "AccessDenied", false, "Allow s3:PutObject"),
        (404, "NoSuchBucket", false, "there is no bucket"),
        (
            501,
            "NotImplemented",
            false,
            "does not support conditional writes",
        ),
        (507, "XMinioStorageFull", false, "the store is full"),
        (403, "QuotaExceeded", false, "the store is full"),
        (301, "PermanentRedirect", false, "is not in the region"),
    ] {
        fake.inside().instead = Some(Box::new(move |_, _| Some(error(status, code))));
        let before = fake.inside().requests.len();
        let failed = log.create(&first).await.unwrap_err();
        let (found_open, problem) = match &failed {
            NotCreated::Unclear(error) => (true, shown(error)),
            NotCreated::Refused(error) => (false, shown(error)),
        };
        assert_eq!(found_open, is_open, "{status} {code}");
        assert!(problem.contains(expected), "{problem}");
        assert!(
            problem.starts_with("writing to `s3://bucket/states/a` failed: "),
            "{problem}"
        );
        assert_eq!(fake.inside().requests.len(), before + 1, "{status} {code}");
    }
}

#[tokio::test]
async fn a_bucket_of_cos_with_versioning_is_refused() {
    for status in ["<Status>Enabled</Status>", "<Status>Suspended</Status>"] {
        let fake = Fake::start();
        fake.inside().versioning = status;
        let log = cos(&fake);
        // To read is harmless.
        assert_eq!(log.head().await.unwrap(), None);
        let NotCreated::Refused(error) = log
            .create(&record(1, "a", Kind::Hold, 0, b""))
            .await
            .unwrap_err()
        else {
            panic!("it may have been written");
        };
        let text = shown(&error);
        assert!(
            text.contains("has or had versioning (its status is"),
            "{text}"
        );
        assert!(
            fake.inside()
                .requests
                .iter()
                .all(|(method, ..)| *method != Method::PUT)
        );
    }
    // Nor is a bucket used whose versioning is not known.
    let fake = Fake::start();
    let log = cos(&fake);
    fake.inside().instead = Some(Box::new(|_, uri| {
        uri.query()
            .is_some_and(|query| query.contains("versioning"))
            .then(|| error(403, "AccessDenied"))
    }));
    let NotCreated::Refused(error) = log
        .create(&record(1, "a", Kind::Hold, 0, b""))
        .await
        .unwrap_err()
    else {
        panic!("it may have been written");
    };
    assert!(
        shown(&error).contains("Allow name/cos:GetBucketVersioning"),
        "{error}"
    );
}

#[tokio::test]
async fn reads_are_tried_again_where_that_may_help() {
    let fake = Fake::start();
    let log = s3(&fake);
    let failing = Arc::new(AtomicU64::new(1));
    fake.inside().instead = Some(Box::new(move |_, _| {
        let fails = failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        fails.then(|| error(503, "SlowDown"))
    }));
    assert_eq!(log.head().await.unwrap(), None);
    assert_eq!(fake.inside().requests.len(), 2);
}

#[tokio::test]
async fn slow_and_endless_answers_end() {
    let fake = Fake::start();
    let mut log = s3(&fake);
    log.sender.impatient(Duration::from_millis(100));
    let first = record(1, "a", Kind::Hold, 0, b"");
    // It never ends the headers, the body, or ends neither and is too long.
    for (answer, expected) in [(0, "too slow"), (1, "is longer than any record")] {
        fake.inside().instead = Some(Box::new(move |_, _| {
            let body = if answer == 0 {
                Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>())
            } else {
                Body::from_stream(stream::repeat_with(|| {
                    Ok::<_, std::io::Error>(vec![b'<'; 1 << 16])
                }))
            };
            Some(respond(200, &[], body))
        }));
        let (NotCreated::Unclear(error) | NotCreated::Refused(error)) =
            log.create(&first).await.unwrap_err();
        assert!(shown(&error).contains(expected), "{error}");
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", silent.local_addr().unwrap());
    let mut log = state(&format!("s3://bucket/a?endpoint={origin}"));
    log.sender.impatient(Duration::from_millis(100));
    let NotCreated::Unclear(error) = log.create(&first).await.unwrap_err() else {
        panic!("it may have been written");
    };
    assert!(shown(&error).contains("nothing within"), "{error}");
}

#[tokio::test]
async fn without_a_connection_the_cause_is_told() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let log = state(&format!("s3://bucket/a?endpoint={origin}"));
    let first = record(1, "a", Kind::Hold, 0, b"");
    let NotCreated::Unclear(error) = log.create(&first).await.unwrap_err() else {
        panic!("the caller would not try again");
    };
    let text = shown(&error);
    assert!(
        text.contains("no connection to 127.0.0.1:") && text.contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn a_hostile_head_is_not_followed() {
    let fake = Fake::start();
    let log = s3(&fake);
    let far = u64::MAX - 5;
    for (record, expected) in [
        (
            record(far, "x", Kind::Beat, 1, b""),
            "continues one as old as 1",
        ),
        (record(7, "x", Kind::Beat, 1, b""), "the object of record"),
    ] {
        fake.inside().objects = [(log.name(far), (record.encode(), 0))].into();
        let text = shown(&log.read().await.unwrap_err());
        assert!(text.contains(expected), "{text}");
    }
    for rubbish in ["", "no record", "{}\n", "{\"version\":2}\n"] {
        fake.inside().objects = [(log.name(3), (rubbish.into(), 0))].into();
        shown(&log.read().await.unwrap_err());
    }
}

#[test]
fn an_address_that_is_wrong_is_shown_without_a_password() {
    for address in [
        "s3://AKID:canary@bucket/key",
        "s3:/AKID:canary@",
        "AKID:canary@bucket",
        "s3://b/k?x=canary",
    ] {
        let options = Options {
            address: address.to_owned(),
            machine: machine(&VARIABLES, Path::new("/nonexistent")),
            extra_roots: None,
        };
        let error = Objects::new(options).unwrap_err();
        let text = format!("{error}\n{}", error.advice());
        assert!(!text.contains("canary"), "{text}");
    }
}
