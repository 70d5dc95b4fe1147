//! Over connections to receivers on this machine.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rstest::rstest;

use super::receiver::{Behaviour, Receiver};
use super::{NOW, WHSEC, notice, options, target};
use crate::model::Timestamp;
use crate::notify::failure::Failure;
use crate::notify::notifier::Notifier;
use crate::notify::send::{Http, Message, Post as _, request};
use crate::notify::service::Service;
use crate::notify::target::Target;
use crate::notify::words::Wording;

async fn once(target: &Target, now: i64) -> Result<(), Failure> {
    let message = Message {
        id: "msg_1".into(),
        body: target
            .service()
            .message(&[notice("acme")], &Wording::default()),
    };
    let request = request(target, &message, Timestamp(now)).unwrap();
    let answer = Http::new(target, None).unwrap().post(request).await?;
    target.service().judge(&answer)
}

#[rstest]
#[case(Service::Wecom, None)]
#[case(Service::Feishu, None)]
#[case(Service::Feishu, Some("CANARY-secret"))]
#[case(Service::Dingtalk, None)]
#[case(Service::Dingtalk, Some("SECCANARY-secret"))]
#[case(Service::Slack, None)]
#[case(Service::Webhook, Some(WHSEC))]
#[tokio::test]
async fn messages_are_taken_as_documented(
    #[case] service: Service,
    #[case] secret: Option<&'static str>,
) {
    let receiver = Receiver::start(service, secret, NOW, vec![]).await;
    let target = target(service, &receiver.origin, secret);
    assert_eq!(once(&target, NOW).await, Ok(()));
    assert_eq!(receiver.got().len(), 1);
}

#[rstest]
#[case(Service::Feishu, Some("CANARY-secret"))]
#[case(Service::Dingtalk, Some("SECCANARY-secret"))]
#[case(Service::Webhook, Some(WHSEC))]
#[tokio::test]
async fn a_wrong_secret_or_clock_is_named(
    #[case] service: Service,
    #[case] secret: Option<&'static str>,
) {
    let receiver = Receiver::start(service, secret, NOW, vec![]).await;
    let right = target(service, &receiver.origin, secret);
    let wrong = Some("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let wrong = target(service, &receiver.origin, wrong);
    for failure in [once(&wrong, NOW).await, once(&right, NOW + 7_300).await] {
        let failure = failure.unwrap_err();
        let sentence = failure.sentence(right.redactor());
        assert!(
            !failure.passing && sentence.contains("secret") && sentence.contains("clock"),
            "{sentence}"
        );
    }
}

#[rstest]
#[case(Behaviour::Close, true, "it can't be reached (")]
#[case(Behaviour::Say("200 OK", "<html>Log in</html>".into()), true, "what answered is not WeCom; check")]
#[case(Behaviour::Say("200 OK", "x".repeat(1 << 20)), true, "what answered is not WeCom; check")]
#[case(
    Behaviour::Say("302 Found\r\nLocation: https://elsewhere.example/", String::new()),
    false,
    "it redirects (HTTP 302)"
)]
#[case(
    Behaviour::Say("503 Busy\r\nRetry-After: 7", String::new()),
    true,
    "it has a problem (HTTP 503)"
)]
#[case(
    Behaviour::Say("garbage", String::new()),
    true,
    "it can't be reached ("
)]
#[tokio::test]
async fn what_goes_wrong_is_one_sentence(
    #[case] behaviour: Behaviour,
    #[case] passing: bool,
    #[case] begins: &str,
) {
    let receiver = Receiver::start(Service::Wecom, None, NOW, vec![behaviour]).await;
    let target = target(Service::Wecom, &receiver.origin, None);
    let failure = once(&target, NOW).await.unwrap_err();
    let sentence = failure.sentence(target.redactor());
    assert!(
        sentence.starts_with(begins) && sentence.contains("; "),
        "{sentence}"
    );
    assert!(!sentence.contains("CANARY"), "{sentence}");
    assert_eq!(failure.passing, passing);
    let waits = sentence.contains("503").then_some(Duration::from_secs(7));
    assert_eq!(failure.after, waits);
}

/// The time only passes because nothing else happens.
#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_is_given_up() {
    let receiver = Receiver::start(Service::Slack, None, NOW, vec![Behaviour::Hang]).await;
    let target = target(Service::Slack, &receiver.origin, None);
    let failure = once(&target, NOW).await.unwrap_err();
    let sentence = failure.sentence(target.redactor());
    assert!(
        failure.passing && sentence.starts_with("it did not answer within 10 s"),
        "{sentence}"
    );
}

#[tokio::test]
async fn no_one_listens() {
    let target = target(Service::Slack, "http://127.0.0.1:1", None);
    let sentence = once(&target, NOW)
        .await
        .unwrap_err()
        .sentence(target.redactor());
    assert!(sentence.starts_with("it can't be reached ("), "{sentence}");
    assert!(!sentence.contains("CANARY"), "{sentence}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing that is shown, counted or logged has the URL or the secret, even if the other side repeats both.
#[rstest]
#[case(Service::Wecom, None, "key=CANARY-key-1")]
#[case(
    Service::Feishu,
    Some("CANARY-secret"),
    "/open-apis/bot/v2/hook/CANARY-hook-1 CANARY-secret"
)]
#[case(
    Service::Dingtalk,
    Some("SECCANARY-secret"),
    "access_token=CANARY-token-1&x SECCANARY-secret"
)]
#[tokio::test]
async fn secrets_stay_secret(
    #[case] service: Service,
    #[case] secret: Option<&'static str>,
    #[case] echo: &str,
) {
    let body = format!(r#"{{"errcode":99,"code":99,"errmsg":"bad {echo}","msg":"bad {echo}"}}"#);
    let behaviours = vec![Behaviour::Say("200 OK", body)];
    let receiver = Receiver::start(service, secret, NOW, behaviours).await;
    let target = target(service, &receiver.origin, secret);
    let shown = format!("{target} {target:?}");
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // Of this thread, which runs the tasks too.
    let logging = tracing::subscriber::set_default(subscriber);
    let notifier = Notifier::start(vec![target], &options()).unwrap();
    notifier.tell(&[notice("acme")]);
    while notifier.deliveries()[0].failed == 0 {
        tokio::task::yield_now().await;
    }
    let shown = format!("{shown} {notifier:?} {:?}", notifier.deliveries());
    assert!(shown.contains("refused the message (99 bad"), "{shown}");
    assert!(!shown.contains("CANARY"), "{shown}");
    notifier.finish(Duration::from_secs(5)).await;
    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a notification was not delivered"), "{log}");
    assert!(!log.contains("CANARY"), "{log}");
}

#[tokio::test]
async fn what_waits_is_sent_before_the_end() {
    let receiver = Receiver::start(Service::Webhook, Some(WHSEC), NOW, vec![]).await;
    let target = target(Service::Webhook, &receiver.origin, Some(WHSEC));
    let notifier = Notifier::start(vec![target], &options()).unwrap();
    notifier.tell(&[notice("a"), notice("b"), notice("c")]);
    notifier.finish(Duration::from_secs(30)).await;
    let ids: std::collections::BTreeSet<_> = receiver
        .got()
        .iter()
        .map(|request| request.headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids.len(), 3);
}
