//! An HTTP server that no client can exhaust or block, for the sandbox, `listen` and the controller.
//!
//! Connections are bounded in number, heads and bodies in size and time ([`Host`] says how much), and large bodies in
//! how many are in memory at once. After the shutdown was asked for, requests in flight have five seconds to finish.

mod connections;
pub(crate) mod intake;
pub(crate) mod line;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, lookup_host};
use tokio::sync::{Semaphore, oneshot};

/// How long requests in flight may take after the shutdown was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// What is served, as far as the server has to know it.
pub(crate) trait Host: Send + Sync + 'static {
    /// Open connections. When one more arrives, the one that has waited longest for its client is closed.
    fn connections(&self) -> usize;
    /// How long a request's head may take, then its body, and how long a connection may be idle.
    fn patience(&self) -> Duration;
    /// One for each large request body that may be in memory.
    fn large_bodies(&self) -> &Arc<Semaphore>;
    /// The value of the header `Date`.
    fn date(&self) -> String;
}

/// Why an address can't be listened on.
#[derive(Debug)]
pub(crate) enum BindError {
    /// Other machines can reach it, and that was not allowed.
    NotLoopback,
    /// It can't be resolved or bound.
    Listen(io::Error),
}

/// Listens on `HOST:PORT`. Addresses that other machines can reach are refused unless `allow_remote`.
pub(crate) async fn bind(address: &str, allow_remote: bool) -> Result<TcpListener, BindError> {
    let resolved: Vec<SocketAddr> = lookup_host(address)
        .await
        .map_err(BindError::Listen)?
        .collect();
    if !allow_remote && !resolved.iter().all(|it| it.ip().is_loopback()) {
        return Err(BindError::NotLoopback);
    }
    TcpListener::bind(&*resolved)
        .await
        .map_err(BindError::Listen)
}

/// Serves until `shutdown` completes; requests in flight then have five seconds to finish. Each request has its
/// [`line::Line`] among its extensions.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    host: Arc<dyn Host>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (asked, was_asked) = oneshot::channel();
    let serve = connections::serve(listener, router, host, async {
        shutdown.await;
        asked.send(()).ok();
    });
    let grace = async {
        if was_asked.await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = serve => {}
        () = grace => {}
    }
}
