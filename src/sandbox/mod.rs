//! A local eSign for tests and trials.
//!
//! [`run`] serves a [`Sandbox`] on a listener, to any client that speaks eSign's API;
//! [`Sandbox::embedded`] starts one inside the command. Requests are verified from the raw bytes, so
//! a client that signs wrongly fails here as at eSign. Of the rest of this program it uses only
//! the wire types, the signature and the envelope. Time and chance are passed in ([`Clock`],
//! [`Options::seed`]). Its only other effects are writing its cloud file and, on request, sending
//! callbacks.

mod actions;
mod arrivals;
mod audit;
mod auth;
mod clock;
mod cloud;
mod control;
mod emit;
mod enterprise;
mod failure;
mod fault;
mod faults;
mod limit;
mod options;
mod parameters;
mod quantity;
mod random;
mod routes;
mod service;
mod spec;
mod store;

pub use arrivals::{Arrival, Effect};
pub use clock::Clock;
pub use control::CallbackView;
pub use enterprise::{Edition, Employee, Enterprise, Member, Role, Verified};
pub use fault::{Fault, SpecError};
pub use options::{CloudFile, Customer, Limits, OnExists, OptionError, Options};
pub use spec::{FaultSpec, Script};
pub use store::CloudError;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::serving::{self, BindError};
use service::Service;

/// Why the sandbox could not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The cloud file can't be used.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// Other machines can reach the address.
    #[error(
        "{0} is not a loopback address: other machines could read the sandbox's log and make it \
         send requests. Listen on 127.0.0.1, or allow it with --allow-remote"
    )]
    NotLoopback(String),
    /// The address can't be bound.
    #[error("can't listen on {address}")]
    Listen {
        /// As given.
        address: String,
        source: io::Error,
    },
    /// The server ended without a shutdown.
    #[error("the sandbox stopped")]
    Stopped(#[source] io::Error),
}

/// A sandbox with its cloud. Clones share both.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Service>);

impl Sandbox {
    /// Creates a sandbox and reads its cloud file, if it has one.
    pub fn new(options: Options, clock: Clock) -> Result<Self, SandboxError> {
        Ok(Self(Arc::new(Service::new(options, clock)?)))
    }

    /// Starts one on a free port of 127.0.0.1, on the current runtime.
    pub async fn embedded(options: Options, clock: Clock) -> Result<Running, SandboxError> {
        let sandbox = Self::new(options, clock)?;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = bind(&loopback.to_string(), false).await?;
        let address = listener.local_addr().map_err(SandboxError::Stopped)?;
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            // An error means that the handle was dropped, which also ends it.
            drop(stopped.await);
        };
        let task = tokio::spawn(run(listener, sandbox.clone(), shutdown));
        Ok(Running {
            sandbox,
            address,
            stop,
            task,
        })
    }

    /// Every configured callback, in order.
    pub fn callbacks(&self) -> Vec<CallbackView> {
        control::callbacks(&self.0)
    }

    /// Replaces all faults, and the clock's skew with them.
    pub fn set_faults(&self, spec: FaultSpec, script: Script, seed: u64) {
        control::set_faults(&self.0, spec, script, Some(seed));
    }

    /// The requests that arrived, in the order of processing. Only the last
    /// 100,000 are remembered.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.0.inner().arrivals.all()
    }
}

/// A sandbox that runs inside this program. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    sandbox: Sandbox,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), SandboxError>>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same, as an endpoint: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Lets calls in flight finish, closes the cloud file and ends. Every answered call is in the
    /// file already.
    pub async fn shutdown(self) -> Result<(), SandboxError> {
        // An error means that it has ended already; the task says why.
        self.stop.send(()).ok();
        match self.task.await {
            Ok(ended) => ended,
            Err(panicked) => Err(SandboxError::Stopped(io::Error::other(panicked))),
        }
    }
}

/// Listens on `HOST:PORT`. Addresses that other machines can reach are refused unless `allow_remote`.
pub async fn bind(address: &str, allow_remote: bool) -> Result<TcpListener, SandboxError> {
    let bound = serving::bind(address, allow_remote).await;
    bound.map_err(|error| match error {
        BindError::NotLoopback => SandboxError::NotLoopback(address.to_owned()),
        BindError::Listen(source) => SandboxError::Listen {
            address: address.to_owned(),
            source,
        },
    })
}

/// Serves until `shutdown` completes; calls in flight then have five seconds to finish.
pub async fn run(
    listener: TcpListener,
    sandbox: Sandbox,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SandboxError> {
    let router = routes::router(Arc::clone(&sandbox.0));
    serving::serve(listener, router, sandbox.0, shutdown).await;
    Ok(())
}
