//! The address of a state in PostgreSQL.
//!
//! ```text
//! postgres://USER@HOST:PORT/DATABASE?name=NAME&schema=SCHEMA&sslmode=MODE&sslrootcert=FILE
//! postgres:///DATABASE?name=NAME&host=/FOLDER/OF/SOCKETS&port=PORT&user=USER
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use url::Url;

const PORT: u16 = 5432;

const SCHEMA: &str = "ess_callbacks";

/// Names of PostgreSQL are cut off after so many bytes, which would make two of one.
const LONGEST_NAME: usize = 63;

/// The keys of an address, in the order of its canonical form.
const KEYS: [&str; 7] = [
    "name",
    "schema",
    "host",
    "port",
    "user",
    "sslmode",
    "sslrootcert",
];

/// Where a state is. Shown without its defaults; it never holds a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) server: Server,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) database: String,
    pub(super) name: String,
    pub(super) schema: String,
    pub(super) tls: TlsMode,
    /// The only authorities to trust, if given.
    pub(super) root_certificates: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// A name or an IP address, without brackets.
    Host(String),
    /// The folder of its socket.
    Socket(PathBuf),
}

/// Whether the connection is encrypted, and whether the server has to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    /// Encrypted if the server offers it.
    Prefer,
    /// Encrypted, by whatever certificate.
    Require,
    /// Encrypted, by a trusted certificate with the name of the host.
    VerifyFull,
}

impl TlsMode {
    const ALL: [Self; 4] = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyFull];

    const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| {
                let hint = match text {
                    "allow" => "; for TLS where the server offers it write `prefer`",
                    "verify-ca" => "; `verify-full` checks the name of the host as well",
                    _ => "",
                };
                format!(
                    "sslmode `{}` is not supported; write disable, prefer, require or verify-full{hint}",
                    text.escape_debug()
                )
            })
    }
}

impl Server {
    /// On another machine whoever is between could read along.
    fn default_tls(&self) -> TlsMode {
        match self {
            Self::Socket(_) => TlsMode::Disable,
            Self::Host(host) if is_loopback(host) => TlsMode::Prefer,
            Self::Host(_) => TlsMode::VerifyFull,
        }
    }
}

impl Address {
    /// Checks an address that the user gave.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead. Never with a password in it.
    pub(crate) fn parse(url: &Url) -> Result<Self, String> {
        if url.password().is_some() {
            return Err(
                "a password in the address would be shown in process lists and logs; set PGPASSWORD, or write it \
                 into ~/.pgpass"
                    .into(),
            );
        }
        if url.fragment().is_some() {
            return Err("an address has no `#…`; write a `#` in it as %23".into());
        }
        let mut query = query(url)?;
        let server = server(url, query.remove("host"))?;
        let port = port(url, query.remove("port"), &server)?;
        let user = user(url, query.remove("user"))?;
        let database = decoded(url.path().strip_prefix('/').unwrap_or_default())?;
        if database.is_empty() || database.contains('/') {
            return Err(
                "the database is missing; write postgres://USER@HOST/DATABASE?name=NAME".into(),
            );
        }
        let Some(name) = query.remove("name") else {
            return Err(
                "the name of the state is missing; add ?name=NAME, for example ?name=prod".into(),
            );
        };
        let schema = query.remove("schema").unwrap_or_else(|| SCHEMA.to_owned());
        let tls = match (query.remove("sslmode"), &server) {
            (None, _) => server.default_tls(),
            (Some(mode), Server::Socket(_)) if TlsMode::parse(&mode)? != TlsMode::Disable => {
                return Err(format!(
                    "a socket of this machine has no TLS; leave sslmode={mode} out"
                ));
            }
            (Some(mode), _) => TlsMode::parse(&mode)?,
        };
        let root_certificates = query.remove("sslrootcert").map(PathBuf::from);
        if root_certificates.is_some() && tls != TlsMode::VerifyFull {
            return Err(format!(
                "sslrootcert has no effect with sslmode={}; write sslmode=verify-full",
                tls.name()
            ));
        }
        Ok(Self {
            server,
            port,
            user,
            database,
            name: state_name(name)?,
            schema: schema_name(schema)?,
            tls,
            root_certificates,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            port,
            user,
            database,
            name,
            schema,
            tls,
            root_certificates,
        } = self;
        f.write_str("postgres://")?;
        if let (Server::Host(host), user) = (server, user) {
            if let Some(user) = user {
                write!(f, "{}@", encoded(user))?;
            }
            if host.contains(':') {
                write!(f, "[{host}]")?;
            } else {
                f.write_str(host)?;
            }
            if *port != PORT {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}?name={name}", encoded(database))?;
        if schema != SCHEMA {
            write!(f, "&schema={schema}")?;
        }
        if let Server::Socket(folder) = server {
            write!(f, "&host={}", encoded(&folder.to_string_lossy()))?;
            if *port != PORT {
                write!(f, "&port={port}")?;
            }
            if let Some(user) = user {
                write!(f, "&user={}", encoded(user))?;
            }
        }
        if *tls != server.default_tls() {
            write!(f, "&sslmode={}", tls.name())?;
        }
        if let Some(file) = root_certificates {
            write!(f, "&sslrootcert={}", encoded(&file.to_string_lossy()))?;
        }
        Ok(())
    }
}

/// The query by its keys, each of which is known and there once.
fn query(url: &Url) -> Result<BTreeMap<&'static str, String>, String> {
    let mut found = BTreeMap::new();
    let pairs = url.query().unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decoded(key)?;
        let Some(known) = KEYS.into_iter().find(|known| **known == key) else {
            if key.contains("pass") {
                return Err(format!(
                    "`{}` in the address would be shown in process lists and logs; set PGPASSWORD, or write it into \
                     ~/.pgpass",
                    key.escape_debug()
                ));
            }
            return Err(format!(
                "unknown key `{}` in the address; known are {}",
                key.escape_debug(),
                KEYS.join(", ")
            ));
        };
        let value = decoded(value)?;
        if value.is_empty() {
            return Err(format!("`{known}` in the address is empty"));
        }
        if found.insert(known, value).is_some() {
            return Err(format!("duplicate key `{known}` in the address"));
        }
    }
    Ok(found)
}

fn server(url: &Url, host: Option<String>) -> Result<Server, String> {
    let in_front = match url.host() {
        None => None,
        Some(url::Host::Ipv6(address)) => Some(address.to_string()),
        Some(url::Host::Ipv4(address)) => Some(address.to_string()),
        Some(url::Host::Domain(name)) => Some(decoded(name)?).filter(|name| !name.is_empty()),
    };
    match (in_front, host) {
        (Some(_), Some(_)) => {
            Err("the host is given twice: before the database and as `host`".into())
        }
        (None, None) => Err(
            "the host is missing; write postgres://USER@HOST/DATABASE?name=NAME, or \
             postgres:///DATABASE?name=NAME&host=/var/run/postgresql for a socket of this machine"
                .into(),
        ),
        (None, Some(folder)) if folder.starts_with('/') => {
            if cfg!(unix) {
                Ok(Server::Socket(folder.into()))
            } else {
                Err("sockets of files are not supported on this system; write the host".into())
            }
        }
        (Some(host), None) | (None, Some(host)) => {
            if host.contains([',', '/', '@']) || host.contains(char::is_whitespace) {
                return Err(format!(
                    "`{}` is not one host; name the server that takes the writes",
                    host.escape_debug()
                ));
            }
            Ok(Server::Host(host))
        }
    }
}

fn port(url: &Url, port: Option<String>, server: &Server) -> Result<u16, String> {
    let port = match (url.port(), port) {
        (Some(_), Some(_)) => {
            return Err("the port is given twice: after the host and as `port`".into());
        }
        (Some(_), None) if matches!(server, Server::Socket(_)) => {
            return Err("the port of a socket is written as &port=PORT".into());
        }
        (Some(port), None) => Some(port),
        (None, Some(text)) => match text.parse() {
            Ok(port) => Some(port),
            Err(_) => return Err(format!("`{}` is not a port", text.escape_debug())),
        },
        (None, None) => None,
    };
    match port {
        Some(0) => Err("0 is not a port".into()),
        port => Ok(port.unwrap_or(PORT)),
    }
}

fn user(url: &Url, user: Option<String>) -> Result<Option<String>, String> {
    match (url.username(), user) {
        ("", user) => Ok(user),
        (_, Some(_)) => Err("the user is given twice: before the host and as `user`".into()),
        (user, None) => decoded(user).map(Some),
    }
}

fn state_name(name: String) -> Result<String, String> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() > LONGEST_NAME || !name.chars().all(is_fit) {
        return Err(format!(
            "`{}` can't be the name of a state: it must have at most {LONGEST_NAME} letters, digits, dots, \
             underscores and hyphens",
            name.escape_debug()
        ));
    }
    Ok(name)
}

/// Plain names only: they need no escapes, in SQL or in what the advice prints for `psql`.
fn schema_name(name: String) -> Result<String, String> {
    let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins_well = !name.starts_with(|c: char| c.is_ascii_digit()) && !name.starts_with("pg_");
    if name.len() > LONGEST_NAME || !begins_well || !name.chars().all(is_fit) {
        return Err(format!(
            "`{}` can't be the schema: it must have at most {LONGEST_NAME} lower-case letters, digits and \
             underscores, and begin neither with a digit nor with `pg_`",
            name.escape_debug()
        ));
    }
    Ok(name)
}

fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Percent-decoding. A plus stays one, as PostgreSQL's own programs read addresses.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || "a `%` in the address is not followed by two hexadecimal digits of UTF-8 text";
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = after.get(..2).ok_or_else(wrong)?;
            bytes.extend(hex::decode(digits).map_err(|_| wrong())?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    if text.contains('\0') {
        return Err("there is a NUL in the address".into());
    }
    Ok(text)
}

/// What [`decoded`] reads.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(text: &str) -> Result<Address, String> {
        Address::parse(&text.parse().unwrap())
    }

    #[rstest]
    // Defaults are left out.
    #[case(
        "postgres://ann@db.example:5432/esign?name=prod&schema=ess_callbacks&sslmode=verify-full",
        "postgres://ann@db.example/esign?name=prod"
    )]
    #[case(
        "postgresql://db.example:6432/esign?sslmode=require&name=prod",
        "postgres://db.example:6432/esign?name=prod&sslmode=require"
    )]
    #[case(
        "postgres:///esign?name=a.b-c_1&host=/run/pg%20x&port=5433&user=a%40b",
        "postgres:///esign?name=a.b-c_1&host=/run/pg%20x&port=5433&user=a%40b"
    )]
    #[case(
        "postgres://a%40b@[::1]/e%2B+?name=p&schema=s_1",
        "postgres://a%40b@[::1]/e%2B%2B?name=p&schema=s_1"
    )]
    #[case(
        "postgres:///e?name=p&host=db.example&sslrootcert=ca+1.pem",
        "postgres://db.example/e?name=p&sslrootcert=ca%2B1.pem"
    )]
    #[case(
        "postgres://localhost/e?name=p&sslmode=prefer",
        "postgres://localhost/e?name=p"
    )]
    fn an_address_is_shown_as_it_is_read(#[case] given: &str, #[case] shown: &str) {
        let address = parse(given).unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(parse(shown), Ok(address));
    }

    #[test]
    fn other_machines_have_to_prove_who_they_are() {
        let tls = |text: &str| parse(text).unwrap().tls;
        assert_eq!(tls("postgres://db.example/e?name=p"), TlsMode::VerifyFull);
        assert_eq!(tls("postgres://10.0.0.1/e?name=p"), TlsMode::VerifyFull);
        assert_eq!(
            tls("postgres://localhost.evil.example/e?name=p"),
            TlsMode::VerifyFull
        );
        assert_eq!(tls("postgres://127.0.0.1/e?name=p"), TlsMode::Prefer);
        assert_eq!(tls("postgres://[::1]/e?name=p"), TlsMode::Prefer);
        assert_eq!(tls("postgres:///e?name=p&host=/run"), TlsMode::Disable);
    }

    #[test]
    fn a_wrong_address_is_explained() {
        let wrong = [
            "postgres://ann:canary@db.example/e?name=p",
            "postgres://db.example/e?name=p&password=canary",
            "postgres://db.example/e?name=p#x",
            "postgres://db.example/e",
            "postgres://db.example/e?name=",
            "postgres://db.example/e?name=p&name=q",
            "postgres://db.example/e?name=a%20b",
            "postgres://db.example/?name=p",
            "postgres://db.example?name=p",
            "postgres:///e?name=p",
            "postgres://db.example/e?name=p&host=/run",
            "postgres://a.example,b.example/e?name=p",
            "postgres://db.example:0/e?name=p",
            "postgres://db.example/e?name=p&port=x",
            "postgres://ann@db.example/e?name=p&user=bob",
            "postgres://db.example/e?name=p&schema=Robert\"",
            "postgres://db.example/e?name=p&schema=pg_temp",
            "postgres://db.example/e?name=p&sslmode=verify-ca",
            "postgres://db.example/e?name=p&sslmode=no",
            "postgres:///e?name=p&host=/run&sslmode=require",
            "postgres://db.example/e?name=p&sslmode=require&sslrootcert=ca.pem",
            "postgres://db.example/e?name=p&target_session_attrs=any",
            "postgres://db.example/e?name=%zz",
        ];
        let said: Vec<String> = wrong
            .map(|text| {
                let error = parse(text).unwrap_err();
                assert!(!error.contains("canary"), "{error}");
                format!("{text}\n  {error}")
            })
            .into();
        insta::assert_snapshot!(said.join("\n"));
    }
}
