//! Futures that stand still, die and are interrupted.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::place::Place;
use crate::process::Stop;

/// A future that is not polled for a while when it has been polled so often.
pub(crate) fn stalling<'a, T: 'a>(
    work: impl Future<Output = T> + 'a,
    stall: Option<(u64, Duration)>,
) -> impl Future<Output = T> + 'a {
    let mut work = Box::pin(work);
    let (mut polls, time) = stall.unwrap_or((0, Duration::ZERO));
    let mut pause: Option<Pin<Box<tokio::time::Sleep>>> = None;
    std::future::poll_fn(move |context| {
        if polls == 1 && pause.is_none() {
            pause = Some(Box::pin(sleep(time)));
        }
        if let Some(asleep) = &mut pause {
            if asleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            pause = None;
            polls = 0;
        }
        polls = polls.saturating_sub(u64::from(polls > 1));
        work.as_mut().poll(context)
    })
}

/// A future that is dropped when it has been polled so often, or when its machine has crashed.
pub(crate) fn mortal<'a, T: 'a>(
    work: impl Future<Output = T> + 'a,
    place: &'a Place,
    mut polls: u64,
) -> impl Future<Output = Option<T>> + 'a {
    let mut work: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(work);
    std::future::poll_fn(move |context| {
        let polled = work.as_mut().poll(context);
        polls -= 1;
        if place.has_crashed() {
            return Poll::Ready(None);
        }
        match polled {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
}

/// A run, with the signal that asks it to stop.
pub(crate) async fn interrupted<T>(
    running: impl Future<Output = T>,
    when: Stop,
    stop: &watch::Sender<bool>,
) -> T {
    let interrupting = async {
        if let Stop::After(after) = when {
            sleep(after).await;
            stop.send_replace(true);
        }
        std::future::pending::<()>().await;
    };
    let mut polls = match when {
        Stop::AtPoll(polls) => polls,
        Stop::Never | Stop::After(_) => 0,
    };
    let mut running = std::pin::pin!(running);
    let watched = std::future::poll_fn(|context| {
        if polls == 1 {
            stop.send_replace(true);
        }
        polls = polls.saturating_sub(1);
        running.as_mut().poll(context)
    });
    tokio::select! {
        biased;
        done = watched => done,
        () = interrupting => unreachable!("it never ends"),
    }
}
