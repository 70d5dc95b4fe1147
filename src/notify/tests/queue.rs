//! What the queue does, on paused time and without a network.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, advance, timeout};

use super::{WHSEC, notice, options, target};
use crate::notify::failure::{Answer, Failure};
use crate::notify::memory::News;
use crate::notify::notifier::Notifier;
use crate::notify::send::{Post, Request};
use crate::notify::service::Service;

/// Answers as it is told, then with success.
#[derive(Clone)]
struct Double {
    begun: Instant,
    script: Arc<Mutex<VecDeque<&'static str>>>,
    /// When each request came, in seconds, and what it was.
    got: Arc<Mutex<Vec<(u64, String)>>>,
    hangs: bool,
}

impl Double {
    fn new(script: &[&'static str]) -> Self {
        Self {
            begun: Instant::now(),
            script: Arc::new(Mutex::new(script.iter().copied().collect())),
            got: Arc::default(),
            hangs: false,
        }
    }

    fn times(&self) -> Vec<u64> {
        self.got.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    fn bodies(&self) -> Vec<String> {
        self.got
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| body.clone())
            .collect()
    }
}

impl Post for Double {
    async fn post(&self, request: Request) -> Result<Answer, Failure> {
        let id = request
            .headers
            .iter()
            .find(|(name, _)| *name == "webhook-id");
        let id = id.map_or("", |(_, id)| id);
        let body = format!("{id}{}", String::from_utf8(request.body).unwrap());
        let at = self.begun.elapsed().as_secs();
        self.got.lock().unwrap().push((at, body));
        if self.hangs {
            return pending().await;
        }
        let says = self.script.lock().unwrap().pop_front();
        let (status, seconds) = match says {
            Some("500") => (500, None),
            Some("429") => (429, Some(3_600)),
            Some(_) | None => (200, None),
        };
        Ok(Answer {
            status,
            retry_after: seconds.map(Duration::from_secs),
            body: says.unwrap_or(r#"{"errcode":0}"#).into(),
        })
    }
}

fn notifier(service: Service, double: &Double) -> Notifier {
    let secret = (service == Service::Webhook).then_some(WHSEC);
    let target = target(service, "https://bot.example", secret);
    Notifier::over([(target, double.clone())], &options())
}

/// Lets the tasks run, and the time pass.
async fn pass(seconds: u64) {
    for _ in 0..seconds {
        advance(Duration::from_secs(1)).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_leaves_at_once_and_the_rest_together() {
    let double = Double::new(&[]);
    let notifier = notifier(Service::Wecom, &double);
    notifier.tell(&[notice("a")]);
    pass(1).await;
    notifier.tell(&[notice("b")]);
    pass(1).await;
    notifier.tell(&[notice("c"), notice("d")]);
    pass(20).await;
    assert_eq!(double.times().len(), 2);
    assert!(
        double.times()[0] <= 1 && double.times()[1] >= 5,
        "{:?}",
        double.times()
    );
    let second = &double.bodies()[1];
    assert!(
        ["refused: b", "refused: c", "refused: d"]
            .iter()
            .all(|about| second.contains(about)),
        "{second}"
    );
    let deliveries = &notifier.deliveries()[0];
    assert_eq!((deliveries.sent, deliveries.waiting), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn no_minute_holds_more_than_a_bot_takes() {
    let double = Double::new(&[]);
    let notifier = notifier(Service::Dingtalk, &double);
    for number in 0..300 {
        notifier.tell(&[notice(&number.to_string())]);
        pass(1).await;
    }
    let times = double.times();
    for from in &times {
        let minute = times
            .iter()
            .filter(|at| (*from..from + 60).contains(at))
            .count();
        assert!(minute <= 13, "{times:?}");
    }
    assert_eq!(notifier.deliveries()[0].dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_repeated_more_and_more_slowly_for_an_hour() {
    let double = Double::new(&["500"; 100]);
    let notifier = notifier(Service::Wecom, &double);
    notifier.tell(&[notice("a")]);
    pass(2 * 3_600).await;
    let times = double.times();
    assert!(
        (12..25).contains(&times.len()) && (3_590..=3_601).contains(times.last().unwrap()),
        "{times:?}"
    );
    let deliveries = notifier.deliveries().remove(0);
    assert_eq!((deliveries.sent, deliveries.failed), (0, 1));
    let problem = deliveries.problem.unwrap();
    assert!(
        problem.starts_with("it has a problem (HTTP 500)"),
        "{problem}"
    );
    // Later ones are not held up.
    double.script.lock().unwrap().clear();
    notifier.tell(&[notice("b")]);
    pass(1).await;
    let deliveries = notifier.deliveries().remove(0);
    assert_eq!((deliveries.sent, deliveries.problem), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    let double = Double::new(&[r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#]);
    let notifier = notifier(Service::Wecom, &double);
    notifier.tell(&[notice("a")]);
    pass(600).await;
    assert_eq!(double.times().len(), 1);
    assert_eq!(notifier.deliveries()[0].failed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_is_too_busy_is_left_alone() {
    let double = Double::new(&[r#"{"errcode":130101,"errmsg":"send too fast"}"#]);
    let notifier = notifier(Service::Dingtalk, &double);
    notifier.tell(&[notice("a")]);
    pass(700).await;
    let times = double.times();
    assert!(times.len() == 2 && times[1] >= times[0] + 600, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_an_hour_is_asked_once_more_before_it_is_given_up() {
    for (before, script) in [(0, &["429"; 9][..]), (2, &["500", "500", "429", "429"])] {
        let double = Double::new(script);
        let notifier = notifier(Service::Webhook, &double);
        notifier.tell(&[notice("a")]);
        pass(60).await;
        let deliveries = notifier.deliveries().remove(0);
        assert_eq!((deliveries.failed, double.times().len()), (0, before + 1));
        assert!(deliveries.repeated_until.is_some());
        pass(2 * 3_600).await;
        let times = double.times();
        assert_eq!(times.len(), before + 2, "{times:?}");
        assert!((3_590..=3_601).contains(&times[before + 1]), "{times:?}");
        let deliveries = notifier.deliveries().remove(0);
        assert_eq!((deliveries.failed, deliveries.repeated_until), (1, None));
    }
    let double = Double::new(&["429"]);
    let notifier = notifier(Service::Webhook, &double);
    notifier.tell(&[notice("a")]);
    pass(3_700).await;
    assert_eq!(notifier.deliveries()[0].sent, 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_webhook_is_the_same_message() {
    let double = Double::new(&["500", "500"]);
    let notifier = notifier(Service::Webhook, &double);
    notifier.tell(&[notice("a"), notice("b")]);
    pass(60).await;
    let bodies = double.bodies();
    assert_eq!(bodies.len(), 4);
    assert!(
        bodies[0] == bodies[1] && bodies[1] == bodies[2] && bodies[2] != bodies[3],
        "{bodies:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hangs_holds_up_nothing() {
    let hanging = Double {
        hangs: true,
        ..Double::new(&[])
    };
    let well = Double::new(&[]);
    let both = [hanging, well.clone()];
    let notifier = Notifier::over(
        both.map(|double| (target(Service::Wecom, "https://bot.example", None), double)),
        &options(),
    );
    for number in 0..1_000 {
        notifier.tell(&[notice(&number.to_string())]);
    }
    pass(120).await;
    let deliveries = notifier.deliveries();
    let [hanging, sending] = deliveries.as_slice() else {
        panic!("{deliveries:?}");
    };
    // Of a thousand, the newest 200 wait; the hanging message took some of them.
    assert_eq!(
        (hanging.dropped, hanging.waiting, hanging.sent),
        (800, 180, 0)
    );
    assert_eq!(
        (sending.dropped, sending.waiting, sending.sent),
        (800, 0, 10)
    );
    // The end is bounded too.
    let ended = timeout(
        Duration::from_secs(4),
        notifier.finish(Duration::from_secs(3)),
    );
    assert!(ended.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_newer_notice_replaces_one_that_waits() {
    let double = Double::new(&["500"]);
    let notifier = notifier(Service::Wecom, &double);
    notifier.tell(&[notice("first")]);
    pass(1).await;
    let changed = crate::notify::Notice {
        news: News::Changed,
        ..notice("a")
    };
    notifier.tell(&[changed, notice("b")]);
    let resolved = crate::notify::Notice {
        news: News::Resolved,
        ..notice("a")
    };
    notifier.tell(&[resolved]);
    pass(60).await;
    let last = double.bodies().pop().unwrap();
    assert!(
        last.contains("resolved: plan refused: a") && !last.contains("error: plan refused: a"),
        "{last}"
    );
    assert!(last.contains("error: plan refused: b"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_ended_before_a_target_heard_of_it_is_not_sent_there() {
    let down = Double::new(&["500"; 100]);
    let well = Double::new(&[]);
    let both = [down.clone(), well.clone()];
    let notifier = Notifier::over(
        both.map(|double| (target(Service::Wecom, "https://bot.example", None), double)),
        &options(),
    );
    let outlet = notifier.outlet();
    notifier.tell(&[notice("first")]);
    pass(1).await;
    let appeared = outlet.tell(&[notice("a")], None);
    pass(20).await;
    assert_eq!(appeared[0].open().len(), 1);
    let over = crate::notify::Notice {
        news: News::Resolved,
        ..notice("a")
    };
    let over = outlet.tell(&[over], None);
    pass(20).await;
    assert!(appeared[0].open().is_empty() && over[0].open().is_empty());
    assert!(appeared[0].is_taken() && over[0].is_taken());
    down.script.lock().unwrap().clear();
    pass(600).await;
    assert!(!down.bodies().concat().contains("refused: a"));
    assert!(well.bodies().concat().contains("resolved: plan refused: a"));
    assert_eq!(notifier.deliveries()[0].waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_delay() {
    let double = Double::new(&["500"; 9]);
    let notifier = notifier(Service::Wecom, &double);
    notifier.tell(&[notice("a")]);
    pass(1).await;
    let begun = Instant::now();
    notifier.finish(Duration::from_secs(5)).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(double.times().len(), 2);
}
