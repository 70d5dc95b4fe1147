//! A connection: opened when it is needed, kept for the next request, and replaced when it broke.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};

use super::address::{Address, Server, TlsMode};
use super::failure::{Asking, Doing, Failure, Fate};
use super::password::{self, Found};
use super::tls::{Authorities, Connector};
use crate::secret::Secret;

/// For name resolution and TCP together, and again for TLS and the login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a request may take at least, and what its bytes add: a slow line carries a megabyte in eight seconds.
const TIMEOUT: Duration = Duration::from_secs(10);
const BYTES_PER_SECOND: u64 = 128 << 10;

/// What the server does when we are gone: it ends a statement that waits for a lock, and in the end any other.
const LIMITS: &str = "-c lock_timeout=8000 -c statement_timeout=600000";

/// A peer that vanished without a word is noticed within half a minute.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// How long a request with so many bytes may take.
pub(super) const fn limit(bytes: u64) -> Duration {
    TIMEOUT.saturating_add(Duration::from_secs(bytes / BYTES_PER_SECOND))
}

/// The way to a server.
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) authorities: Authorities,
    live: Mutex<Option<Arc<Live>>>,
    /// Something between us and the server does not accept [`LIMITS`].
    without_limits: AtomicBool,
}

/// An open connection. Dropping it closes it.
pub(super) struct Live {
    pub(super) client: Client,
    driver: AbortHandle,
    ended: Arc<OnceLock<Failure>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Link {
    pub(super) fn new(
        address: Address,
        user: String,
        (password, password_file): (Option<Secret>, Option<PathBuf>),
        authorities: Authorities,
    ) -> Self {
        Self {
            address,
            user,
            password,
            password_file,
            authorities,
            live: Mutex::new(None),
            without_limits: AtomicBool::new(false),
        }
    }

    pub(super) const fn asking(&self, doing: Doing) -> Asking<'_> {
        Asking {
            address: &self.address,
            user: self.user.as_str(),
            no_password: None,
            doing,
        }
    }

    /// The open connection, or a new one.
    pub(super) async fn live(&self) -> Result<Arc<Live>, Failure> {
        let mut kept = self.live.lock().await;
        if let Some(live) = kept.as_ref().filter(|live| !live.client.is_closed()) {
            return Ok(Arc::clone(live));
        }
        *kept = None;
        let live = Arc::new(self.connect().boxed().await?);
        *kept = Some(Arc::clone(&live));
        Ok(live)
    }

    /// Waits for an answer, and gives up the connection if it does not come.
    pub(super) async fn answer<T>(
        &self,
        live: &Arc<Live>,
        (doing, limit): (Doing, Duration),
        request: BoxFuture<'_, Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let failure = match timeout(limit, request).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::of(&error, live.ended.get(), &self.asking(doing)),
            Err(_) => Failure::no_answer_in(limit),
        };
        if failure.is_final {
            let mut kept = self.live.lock().await;
            if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, live)) {
                *kept = None;
            }
        }
        Err(failure)
    }

    async fn connect(&self) -> Result<Live, Failure> {
        let limited = !self.without_limits.load(Ordering::Relaxed);
        match self.log_in(limited).await {
            // PgBouncer knows only some parameters, and refuses a session with others.
            Err(failure)
                if limited
                    && failure.has(&[
                        SqlState::PROTOCOL_VIOLATION,
                        SqlState::UNDEFINED_OBJECT,
                        SqlState::FEATURE_NOT_SUPPORTED,
                    ]) =>
            {
                let live = self.log_in(false).await?;
                self.without_limits.store(true, Ordering::Relaxed);
                Ok(live)
            }
            result => result,
        }
    }

    async fn log_in(&self, limited: bool) -> Result<Live, Failure> {
        let address = &self.address;
        let (password, why) = self.password().await;
        let asking = Asking {
            no_password: why.as_deref(),
            ..self.asking(Doing::Connecting)
        };
        let tls = self.connector()?;
        let stream = timeout(CONNECT_TIMEOUT, reach(address).boxed())
            .await
            .map_err(|_| Failure::no_connection_in(address, CONNECT_TIMEOUT))??;
        let mut config = Config::new();
        config
            .user(&self.user)
            .dbname(&address.database)
            .application_name("ess-callbacks")
            .ssl_mode(match address.tls {
                TlsMode::Disable => SslMode::Disable,
                TlsMode::Prefer => SslMode::Prefer,
                TlsMode::Require | TlsMode::VerifyFull => SslMode::Require,
            });
        if let Some(password) = &password {
            config.password(password.expose());
        }
        if limited {
            config.options(LIMITS);
        }
        let (client, mut connection) =
            timeout(CONNECT_TIMEOUT, config.connect_raw(stream, tls).boxed())
                .await
                .map_err(|_| Failure::no_connection_in(address, CONNECT_TIMEOUT))?
                .map_err(|error| Failure::of(&error, None, &asking))?;
        let ended = Arc::new(OnceLock::new());
        let end = Arc::clone(&ended);
        let (address, user) = (self.address.clone(), self.user.clone());
        let driver = tokio::spawn(async move {
            let result = (&mut connection).await;
            let asking = Asking {
                address: &address,
                user: &user,
                no_password: None,
                doing: Doing::Reading,
            };
            if let Err(error) = result {
                let _first = end.set(Failure::of(&error, None, &asking));
            }
            // Only now those who wait are told.
            drop(connection);
        });
        Ok(Live {
            client,
            driver: driver.abort_handle(),
            ended,
        })
    }

    /// The password, or why there is none.
    async fn password(&self) -> (Option<Secret>, Option<String>) {
        if let Some(password) = &self.password {
            return (Some(password.clone()), None);
        }
        let Some(file) = &self.password_file else {
            return (None, None);
        };
        match password::read(file.clone(), &self.address, &self.user).await {
            Found::Password(password) => (Some(password), None),
            Found::Nothing(why) => (None, why),
        }
    }

    fn connector(&self) -> Result<Connector, Failure> {
        let host = match &self.address.server {
            Server::Host(host) if self.address.tls != TlsMode::Disable => host,
            // It is not used.
            Server::Host(_) | Server::Socket(_) => "localhost",
        };
        Connector::new(self.address.tls, host, &self.authorities).map_err(|problem| {
            Failure::new(
                Fate::Refused,
                problem,
                "Correct the file, or the host in the address.",
            )
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

async fn reach(address: &Address) -> Result<Box<dyn Stream>, Failure> {
    let host = match &address.server {
        Server::Host(host) => host,
        Server::Socket(folder) => return open_socket(address, folder).await,
    };
    let found = tokio::net::lookup_host((host.clone(), address.port)).await;
    let found: Vec<_> = found
        .map_err(|error| Failure::unknown_host(host, &error))?
        .collect();
    let each = CONNECT_TIMEOUT / u32::try_from(found.len().max(1)).unwrap_or(u32::MAX);
    let mut last = None;
    for target in found {
        let opened = timeout(each, TcpStream::connect(target)).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match opened.and_then(|stream| lively(&stream).map(|()| stream)) {
            Ok(stream) => return Ok(Box::new(stream)),
            Err(error) => last = Some(error),
        }
    }
    let last = last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
    Err(if last.kind() == io::ErrorKind::TimedOut {
        Failure::no_connection_in(address, CONNECT_TIMEOUT)
    } else {
        Failure::unreachable(address, &last)
    })
}

fn lively(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(unix)]
async fn open_socket(
    address: &Address,
    folder: &std::path::Path,
) -> Result<Box<dyn Stream>, Failure> {
    let socket = folder.join(format!(".s.PGSQL.{}", address.port));
    match tokio::net::UnixStream::connect(socket).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Failure::unreachable(address, &error)),
    }
}

#[cfg(not(unix))]
async fn open_socket(address: &Address, _: &std::path::Path) -> Result<Box<dyn Stream>, Failure> {
    let error = io::ErrorKind::Unsupported.into();
    Err(Failure::unreachable(address, &error))
}
