//! Messages to systemd, for a service with `Type=notify`: that it is ready, alive and ending, and what it does.
//!
//! The protocol is that of `sd_notify(3)`: lines in a datagram to the socket of `NOTIFY_SOCKET`. Without that variable,
//! nothing is sent. A message that can't be sent is lost.

use std::time::Duration;

use tokio::time::Instant;

/// The line that `systemctl status` shows is cut off after so many characters.
const LONGEST: usize = 200;

/// This process as a service.
#[derive(Debug)]
pub(crate) struct Service {
    manager: Option<Manager>,
    /// How often it has to say that it is alive.
    every: Option<Duration>,
    alive: Option<Instant>,
    is_ready: bool,
    status: String,
}

impl Service {
    /// As systemd's variables describe it.
    pub(crate) fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET");
        let number = |name| std::env::var(name).ok()?.parse().ok();
        let of = number("WATCHDOG_PID");
        let watchdog = number("WATCHDOG_USEC");
        // Variables are inherited: it may be another process that is watched.
        let watchdog = watchdog.filter(|_| of.is_none_or(|of| of == u64::from(std::process::id())));
        Self::new(
            socket.and_then(|name| Manager::new(&name)),
            watchdog.map(Duration::from_micros),
        )
    }

    fn new(manager: Option<Manager>, watchdog: Option<Duration>) -> Self {
        Self {
            manager,
            every: watchdog.map(|within| within / 2),
            alive: None,
            is_ready: false,
            status: String::new(),
        }
    }

    /// Whether systemd listens.
    pub(crate) const fn is_observed(&self) -> bool {
        self.manager.is_some()
    }

    pub(crate) fn ready(&mut self) {
        if !self.is_ready {
            self.is_ready = true;
            self.send("READY=1");
        }
    }

    /// Call it more often than half of `WatchdogSec=`.
    pub(crate) fn alive(&mut self) {
        let Some(every) = self.every else { return };
        let now = Instant::now();
        if self.alive.is_none_or(|last| now - last >= every) {
            self.alive = Some(now);
            self.send("WATCHDOG=1");
        }
    }

    /// One line for `systemctl status`.
    pub(crate) fn status(&mut self, text: &str) {
        // A second line would be another message.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().map(plain).take(LONGEST).collect();
        if self.status != text {
            self.send(&format!("STATUS={text}"));
            self.status = text;
        }
    }

    pub(crate) fn stopping(&mut self) {
        self.send("STOPPING=1");
    }

    fn send(&self, line: &str) {
        if let Some(manager) = &self.manager {
            manager.send(line);
        }
    }
}

/// The socket that systemd listens on.
#[cfg(unix)]
#[derive(Debug)]
struct Manager {
    socket: std::os::unix::net::UnixDatagram,
    address: std::os::unix::net::SocketAddr,
}

#[cfg(unix)]
impl Manager {
    fn new(name: &std::ffi::OsStr) -> Option<Self> {
        let address = address(name)?;
        let socket = std::os::unix::net::UnixDatagram::unbound().ok()?;
        // A full queue must not stop the loop.
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address })
    }

    fn send(&self, line: &str) {
        // The service works without systemd.
        let _sent = self.socket.send_to_addr(line.as_bytes(), &self.address);
    }
}

/// A path, or on Linux an abstract name, whose first byte is written as `@`.
#[cfg(unix)]
fn address(name: &std::ffi::OsStr) -> Option<std::os::unix::net::SocketAddr> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;

    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        #[cfg(target_os = "linux")]
        [b'@', rest @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(rest).ok()
        }
        _ => None,
    }
}

#[cfg(not(unix))]
#[derive(Debug)]
enum Manager {}

#[cfg(not(unix))]
impl Manager {
    const fn new(_name: &std::ffi::OsStr) -> Option<Self> {
        None
    }

    const fn send(&self, _line: &str) {
        match *self {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::net::UnixDatagram;

    /// The messages that have arrived.
    fn heard(manager: &UnixDatagram) -> Vec<String> {
        manager.set_nonblocking(true).expect("it is a socket");
        let mut buffer = [0; 1024];
        let mut heard = Vec::new();
        while let Ok(length) = manager.recv(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn systemd_hears_each_thing_once_and_the_pulse_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let ours = Manager::new(path.as_os_str());
        let mut service = Service::new(ours, Some(Duration::from_secs(60)));
        assert!(service.is_observed());
        for _ in 0..90 {
            service.alive();
            service.status("Starting.");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let pulse = "WATCHDOG=1";
        assert_eq!(heard(&manager), [pulse, "STATUS=Starting.", pulse, pulse]);
        for _ in 0..2 {
            service.ready();
            service.status("one\nREADY=1\u{1b}[31m");
        }
        service.stopping();
        assert_eq!(
            heard(&manager),
            ["READY=1", "STATUS=one READY=1 [31m", "STOPPING=1"]
        );
        service.status(&"证".repeat(1000));
        assert_eq!(
            heard(&manager)[0].chars().count(),
            "STATUS=".len() + LONGEST
        );
        // It went away.
        drop(manager);
        service.status("unheard");
    }

    #[test]
    fn an_abstract_name_begins_with_an_at_sign() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("ess-callbacks-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let ours = Manager::new(OsStr::new(&format!("@{name}")));
        Service::new(ours, None).ready();
        assert_eq!(heard(&manager), ["READY=1"]);
    }

    #[test]
    fn without_a_socket_nothing_is_sent() {
        for name in ["", "notify", "vsock:2:1234"] {
            assert!(address(OsStr::new(name)).is_none(), "{name}");
        }
        let mut service = Service::new(None, Some(Duration::from_secs(1)));
        assert!(!service.is_observed());
        service.ready();
        service.stopping();
    }
}
