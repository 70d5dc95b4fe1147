//! The server below the routes: connections, bounded in number and in how long a client may take.
//!
//! When all connections are taken, the one that the server has waited for longest is closed, so
//! that clients that never end their requests can't shut out those that do.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::Host;
use super::line::{Line, Phase, WatchedStream};

/// The most bytes that a request's head may have.
const LARGEST_HEAD: usize = 64 * 1024;
/// How long a closed connection is read from, so that the client gets the answer before a reset.
const LINGER: Duration = Duration::from_secs(2);
/// The pause after the system has failed to accept a connection.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// Serves until `shutdown` completes, and then until the calls in flight have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    host: Arc<dyn Host>,
    shutdown: impl Future<Output = ()>,
) {
    let most = host.connections().max(1);
    let (ending, ends) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut open = BTreeMap::<u64, Line>::new();
    let mut shutdown = std::pin::pin!(shutdown);
    for id in 0_u64.. {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            stream = accept(&listener) => stream,
        };
        while let Some(ended) = tasks.try_join_next() {
            if let Ok(ended) = ended {
                open.remove(&ended);
            }
        }
        if !has_room(&open, most) {
            turn_away(stream, &*host);
            continue;
        }
        let line = Line::new();
        open.insert(id, line.clone());
        let connection = connection(
            stream,
            line,
            router.clone(),
            Arc::clone(&host),
            ends.clone(),
        );
        tasks.spawn(async move {
            connection.await;
            id
        });
    }
    drop(listener);
    // An error means that no connection is left.
    ending.send(true).ok();
    while tasks.join_next().await.is_some() {}
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // An error of one connection does not affect the next. One of the system needs time to pass.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                sleep(OUT_OF_FILES).await;
            }
        }
    }
}

/// Whether another connection is accepted. The one that has waited longest for its client is closed for it.
fn has_room(open: &BTreeMap<u64, Line>, most: usize) -> bool {
    let staying = || open.values().filter(|line| !line.is_evicted());
    if staying().count() < most {
        return true;
    }
    let waiting = staying().filter_map(|line| match line.phase() {
        (Phase::Busy, _) => None,
        (Phase::Idle | Phase::Head | Phase::Body, since) => Some((since, line)),
    });
    let longest = waiting.min_by_key(|(since, _)| *since);
    longest.inspect(|(_, line)| line.evict()).is_some()
}

/// Answers without waiting for anything.
fn turn_away(stream: TcpStream, host: &dyn Host) {
    let busy = raw_answer(
        StatusCode::SERVICE_UNAVAILABLE,
        "every connection is busy with a request; try again later",
        host,
    );
    if let Ok(mut stream) = stream.into_std() {
        // Errors are ignored: the client can try again.
        drop(stream.read(&mut [0; 4096]));
        drop(stream.write(&busy));
    }
}

async fn connection(
    stream: TcpStream,
    line: Line,
    router: Router,
    host: Arc<dyn Host>,
    mut ends: watch::Receiver<bool>,
) {
    // Answers are small and awaited. If this fails, they are only slower.
    drop(stream.set_nodelay(true));
    let io = TokioIo::new(WatchedStream::new(stream, line.clone()));
    let answered = line.clone();
    let routes = TowerToHyperService::new(router);
    let mut http = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(LARGEST_HEAD)
        .max_header_size(LARGEST_HEAD)
        .serve_connection(
            io,
            service_fn(move |request: Request<Incoming>| {
                let line = answered.clone();
                line.enter(Phase::Busy);
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(line.clone());
                let answer = routes.call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    line.enter(Phase::Idle);
                    answer
                })
            }),
        );
    let patience = host.patience();
    let mut ending = false;
    let verdict = loop {
        let due = match line.phase() {
            (Phase::Idle | Phase::Head, since) => since + patience,
            // Bodies have a deadline where they are read.
            (Phase::Body | Phase::Busy, _) => tokio::time::Instant::now() + patience,
        };
        tokio::select! {
            // An error is the client's: it was answered, or is gone.
            _ = poll_fn(|context| http.poll_without_shutdown(context)) => break None,
            () = line.evicted() => break Some((
                StatusCode::SERVICE_UNAVAILABLE,
                "too many connections; this one had no complete request for the longest time",
            )),
            _ = ends.wait_for(|ends| *ends), if !ending => {
                ending = true;
                std::pin::Pin::new(&mut http).graceful_shutdown();
            }
            () = sleep_until(due) => match line.phase() {
                (Phase::Idle | Phase::Head, since) if since.elapsed() >= patience => break Some((
                    StatusCode::REQUEST_TIMEOUT,
                    "the request's head did not arrive in time",
                )),
                _ => {}
            },
        }
    };
    let mut stream = http.into_parts().io.into_inner();
    if line.is_cut() {
        return;
    }
    // A client that has not begun a request would read an answer as that of its next one.
    if let Some((status, why)) = verdict.filter(|_| line.phase().0 != Phase::Idle) {
        let answer = raw_answer(status, why, &*host);
        drop(timeout(LINGER, stream.write_all(&answer)).await);
    }
    if !line.is_evicted() {
        line.enter(Phase::Idle);
        tokio::select! {
            () = line.evicted() => {}
            _ = ends.wait_for(|ends| *ends) => {}
            _ = timeout(LINGER, let_go(&mut stream)) => {}
        }
    }
}

/// Closes the sending side, and reads what still arrives. A connection that is closed with
/// unread bytes is reset, and the reset can overtake the answer.
async fn let_go(stream: &mut WatchedStream) {
    let mut ignored = [0; 4096];
    if stream.shutdown().await.is_ok() {
        while matches!(stream.read(&mut ignored).await, Ok(1..)) {}
    }
}

fn raw_answer(status: StatusCode, why: &str, host: &dyn Host) -> Vec<u8> {
    let body = serde_json::json!({ "error": why }).to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ndate: {}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        host.date(),
        body.len()
    )
    .into_bytes()
}
