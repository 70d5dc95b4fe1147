//! What goes wrong with a server: what it means for a record, and what to do about it.

use std::io;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::address::{Address, Server};
use super::tls;
use crate::state::log::NotCreated;
use crate::state::{Place, StateError};

/// Why a request was not answered as hoped.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    problem: String,
    advice: String,
    pub(super) fate: Fate,
    /// What the server calls it.
    pub(super) code: Option<SqlState>,
    /// The connection can't be used any more.
    pub(super) is_final: bool,
    /// It was waited for as long as is allowed.
    pub(super) took_long: bool,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was refused, and would be again.
    Refused,
    /// It was not carried out, for a reason that passes.
    Passing,
    /// It may have been carried out, or may be later.
    Lost,
}

/// Who asks, for advice that can be pasted.
#[derive(Clone, Debug)]
pub(super) struct Asking<'a> {
    pub(super) address: &'a Address,
    pub(super) user: &'a str,
    /// Why there is no password, if that is not plain.
    pub(super) no_password: Option<&'a str>,
    pub(super) doing: Doing,
}

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Connecting,
    Reading,
    Writing,
    Pruning,
    /// Making the schema.
    Schema,
    /// Making the table in a schema that is there.
    Table,
}

impl Failure {
    pub(super) fn new(fate: Fate, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            advice: advice.into(),
            fate,
            code: None,
            is_final: true,
            took_long: false,
        }
    }

    fn after_long(self) -> Self {
        Self {
            took_long: true,
            ..self
        }
    }

    pub(super) fn error(self, doing: &'static str, place: Place) -> StateError {
        StateError::Remote {
            doing,
            place,
            problem: self.problem,
            advice: self.advice,
            // It was asked again already where that may help.
            passing: false,
        }
    }

    /// What it means for a record. The engine tries again only what it takes for unclear, so a reason that passes
    /// is that: the record is certainly not there, and sending the same one again is what helps.
    pub(super) fn not_created(self, place: Place) -> NotCreated {
        let fate = self.fate;
        let error = self.error("writing", place);
        match fate {
            Fate::Refused => NotCreated::Refused(error),
            Fate::Passing | Fate::Lost => NotCreated::Unclear(error),
        }
    }

    pub(super) fn has(&self, codes: &[SqlState]) -> bool {
        self.code.as_ref().is_some_and(|code| codes.contains(code))
    }

    /// No connection to the server.
    pub(super) fn unreachable(address: &Address, error: &io::Error) -> Self {
        let place = listener(address);
        let (problem, advice) = match (error.kind(), &address.server) {
            (io::ErrorKind::ConnectionRefused, Server::Host(_)) => (
                format!("nothing listens at {place} (connection refused)"),
                "Check the host and the port, and that the server runs and listens for other machines \
                 (`listen_addresses`).",
            ),
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, Server::Socket(_)) => (
                format!("no server listens at {place}"),
                "Check that the server runs, and its `unix_socket_directories` and port.",
            ),
            (io::ErrorKind::PermissionDenied, Server::Socket(_)) => (
                format!("this user may not open {place}"),
                "Check the rights of the socket (`unix_socket_permissions`).",
            ),
            (_, Server::Host(_) | Server::Socket(_)) => (
                format!("can't connect to {place}: {error}"),
                "Check the network and the firewall. PostgreSQL can't be reached through an HTTP proxy.",
            ),
        };
        Self::new(Fate::Passing, problem, advice)
    }

    pub(super) fn unknown_host(host: &str, error: &io::Error) -> Self {
        Self::new(
            Fate::Passing,
            format!("the host `{host}` can't be resolved: {error}"),
            "Check the host in the address, and the name server.",
        )
    }

    pub(super) fn no_connection_in(address: &Address, limit: Duration) -> Self {
        Self::new(
            Fate::Passing,
            format!(
                "no connection to {} within {} s",
                listener(address),
                limit.as_secs()
            ),
            "Check the host, the port and the firewalls on the way. PostgreSQL can't be reached through an HTTP \
             proxy.",
        )
        .after_long()
    }

    pub(super) fn no_answer_in(limit: Duration) -> Self {
        Self::new(
            Fate::Lost,
            format!("no answer within {} s", limit.as_secs()),
            "The server is overloaded or can't be reached any more. Run the command again: it finds out what was \
             written.",
        )
        .after_long()
    }

    /// A request failed. `ended` is why the connection did, if it did.
    pub(super) fn of(error: &Error, ended: Option<&Self>, asking: &Asking<'_>) -> Self {
        if let Some(said) = error.as_db_error() {
            return Self::said(said, asking);
        }
        if let (true, Some(ended)) = (error.is_closed(), ended) {
            return Self {
                fate: Fate::Lost,
                ..ended.clone()
            };
        }
        let cause = std::error::Error::source(error);
        let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
        if let Some((problem, advice)) = io.and_then(tls::mistrust) {
            return Self::new(Fate::Refused, problem, advice);
        }
        let words = match cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        if asking.doing == Doing::Connecting {
            return Self::begun(&words, io, asking);
        }
        Self::new(
            Fate::Lost,
            format!("the connection was lost: {words}"),
            "Run the command again: it finds out what was written.",
        )
    }

    /// The server was reached, but no session began.
    fn begun(words: &str, io: Option<&io::Error>, asking: &Asking<'_>) -> Self {
        let user = asking.user;
        if words.contains("password missing") {
            let why = match asking.no_password {
                Some(why) => format!(" ({why})"),
                None => String::new(),
            };
            return Self::new(
                Fate::Refused,
                format!("the server asks for the password of `{user}`, and there is none{why}"),
                "Set PGPASSWORD, or write the password into ~/.pgpass.",
            );
        }
        if words.contains("does not support TLS") {
            return Self::new(
                Fate::Refused,
                "the server does not offer TLS",
                "Turn it on at the server (`ssl = on`). In a network that no one else reads, add &sslmode=disable to \
                 the address.",
            );
        }
        if words.contains("TLS handshake") {
            let reset = io.is_some_and(|io| io.kind() != io::ErrorKind::InvalidData);
            let fate = if reset { Fate::Passing } else { Fate::Refused };
            return Self::new(
                fate,
                format!("TLS failed: {words}"),
                "Check the port, and the TLS versions that the server allows (`ssl_min_protocol_version`).",
            );
        }
        Self::new(
            Fate::Passing,
            format!("no session began: {words}"),
            "Check the host and the port: another kind of server may listen there, or a proxy without a server \
             behind it.",
        )
    }

    fn said(said: &DbError, asking: &Asking<'_>) -> Self {
        let code = said.code();
        let mut problem = format!(
            "the server answers {}: {}",
            code.code(),
            one_line(said.message())
        );
        if let Some(detail) = said
            .detail()
            .filter(|_| *code != SqlState::UNIQUE_VIOLATION)
        {
            problem.push_str(". ");
            problem.push_str(&one_line(detail));
        }
        let (fate, advice) = meaning(code, asking);
        let is_final = asking.doing == Doing::Connecting
            || code.code().starts_with("57P")
            || matches!(
                said.parsed_severity(),
                Some(Severity::Fatal | Severity::Panic)
            );
        Self {
            problem,
            advice,
            fate,
            code: Some(code.clone()),
            is_final,
            took_long: false,
        }
    }
}

/// What a code means for the statement, and what to do.
fn meaning(code: &SqlState, asking: &Asking<'_>) -> (Fate, String) {
    let Asking {
        address,
        user,
        no_password,
        doing,
    } = asking;
    let database = quoted(&address.database);
    let advice = match code.code() {
        "28P01" => {
            let source = match no_password {
                Some(why) => format!(" ({why})"),
                None => String::new(),
            };
            format!(
                "Check the user `{user}` in the address, and PGPASSWORD or the line in ~/.pgpass{source}."
            )
        }
        "28000" => format!(
            "The server does not let `{user}` in from this machine or without TLS: see pg_hba.conf on the server."
        ),
        "3D000" => format!("Correct the address, or create it: `CREATE DATABASE {database};`."),
        "42501" => grants(asking),
        "25006" => {
            "The server is a replica, or the database is read-only: name the one that takes writes."
                .into()
        }
        "53100" => {
            return (
                Fate::Refused,
                "The disk of the server is full, so nothing was recorded. Free some space, then run the command \
                 again."
                    .into(),
            );
        }
        "54000" | "53200" => {
            "The state is larger than the server accepts, or it has too little memory.".into()
        }
        "53300" => {
            return (
                Fate::Passing,
                "Raise `max_connections` on the server or the limit of the user, or close other connections.".into(),
            );
        }
        "40001" | "40P01" => {
            return (
                Fate::Passing,
                "Other transactions were in the way, so nothing was written. Run the command again.".into(),
            );
        }
        "55P03" => {
            return (
                Fate::Passing,
                format!(
                    "Another session holds a lock on the table {}.records: see pg_stat_activity and pg_locks.",
                    address.schema
                ),
            );
        }
        "57014" => {
            return (
                Fate::Lost,
                "The statement was cancelled: see `statement_timeout` on the server.".into(),
            );
        }
        "42703" | "42804" | "42809" | "42P10" => format!(
            "The table {}.records is not one of ess-callbacks: name another schema with &schema=NAME.",
            address.schema
        ),
        other if other.starts_with("57P") || other.starts_with("08") => {
            return (
                // What refuses a session did not see a statement.
                if *doing == Doing::Connecting { Fate::Passing } else { Fate::Lost },
                "The server is starting, stopping or failing over. Run the command again: it finds out what was \
                 written."
                    .into(),
            );
        }
        "40003" => {
            return (
                Fate::Lost,
                "Run the command again: it finds out what was written.".into(),
            );
        }
        other if other.starts_with("XX") || other.starts_with("58") || other.starts_with("53") => {
            return (
                Fate::Lost,
                "The server has a problem: see its log. Run the command again: it finds out what was written."
                    .into(),
            );
        }
        _ => "Nothing was written. See the log of the server.".into(),
    };
    (Fate::Refused, advice)
}

/// What gives the rights that are missing.
fn grants(asking: &Asking<'_>) -> String {
    let Asking {
        address,
        user,
        no_password: _,
        doing,
    } = asking;
    let (schema, database) = (quoted(&address.schema), quoted(&address.database));
    let user = quoted(user);
    let commands = match doing {
        Doing::Connecting => format!("`GRANT CONNECT ON DATABASE {database} TO {user};`"),
        Doing::Reading => format!(
            "`GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON {schema}.records TO {user};`"
        ),
        Doing::Writing | Doing::Pruning => format!(
            "`GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT, INSERT, DELETE ON {schema}.records TO {user};`"
        ),
        Doing::Schema => format!("`CREATE SCHEMA {schema} AUTHORIZATION {user};`"),
        Doing::Table => format!("`GRANT USAGE, CREATE ON SCHEMA {schema} TO {user};`"),
    };
    format!("An administrator gives the right in the database {database}: {commands}")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Where the server should listen.
fn listener(address: &Address) -> String {
    match &address.server {
        Server::Host(host) if host.contains(':') => format!("[{host}]:{}", address.port),
        Server::Host(host) => format!("{host}:{}", address.port),
        Server::Socket(folder) => {
            let socket = folder.join(format!(".s.PGSQL.{}", address.port));
            format!("the socket {}", socket.display())
        }
    }
}

/// What a server said, so that it fits into a sentence.
fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    line.trim().trim_end_matches('.').to_owned()
}
