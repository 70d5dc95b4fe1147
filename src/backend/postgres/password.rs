//! Passwords in a file, as PostgreSQL's own programs read `~/.pgpass`.
//!
//! ```text
//! host:port:database:user:password
//! ```
//!
//! The first line that fits counts; `*` fits everything, and `\:` is a colon.

use std::io;
use std::path::{Path, PathBuf};

use super::address::{Address, Server};
use crate::secret::Secret;

/// Where sockets are by default; a line for it says `localhost`.
const DEFAULT_SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// What a password file gives.
#[derive(Debug)]
pub(super) enum Found {
    Password(Secret),
    /// There is none; why, if that is not plain.
    Nothing(Option<String>),
}

/// The password of this user in a file. A file that is not there has none.
pub(super) async fn read(file: PathBuf, address: &Address, user: &str) -> Found {
    let path = file.clone();
    let read = tokio::task::spawn_blocking(move || private_text(&path)).await;
    match read {
        Ok(Ok(text)) => match find(&text, address, user) {
            Some(password) => Found::Password(password),
            None => Found::Nothing(Some(format!("`{}` has no line for it", file.display()))),
        },
        Ok(Err(Unread::Missing)) => Found::Nothing(None),
        Ok(Err(Unread::Public)) => Found::Nothing(Some(format!(
            "`{0}` is ignored, because other users may read it: `chmod 600 {0}`",
            file.display()
        ))),
        Ok(Err(Unread::Failed(error))) => {
            Found::Nothing(Some(format!("`{}` can't be read: {error}", file.display())))
        }
        Err(_) => Found::Nothing(None),
    }
}

enum Unread {
    Missing,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only unix has modes"))]
    Public,
    Failed(io::Error),
}

fn private_text(file: &Path) -> Result<Secret, Unread> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            Unread::Missing
        } else {
            Unread::Failed(error)
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file)
            .map_err(failed)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Unread::Public);
        }
    }
    std::fs::read_to_string(file)
        .map(Secret::new)
        .map_err(failed)
}

fn find(text: &Secret, address: &Address, user: &str) -> Option<Secret> {
    let hosts = match &address.server {
        Server::Host(host) => vec![host.clone()],
        Server::Socket(folder) => {
            let folder = folder.to_string_lossy().into_owned();
            if DEFAULT_SOCKETS.contains(&folder.as_str()) {
                vec![folder, "localhost".into()]
            } else {
                vec![folder]
            }
        }
    };
    let port = address.port.to_string();
    text.expose().lines().find_map(|line| {
        if line.starts_with('#') {
            return None;
        }
        let (host, rest) = field(line)?;
        let (port_of, rest) = field(rest)?;
        let (database, rest) = field(rest)?;
        let (user_of, password) = field(rest)?;
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let is_it = hosts.iter().any(|known| fits(&host, known))
            && fits(&port_of, &port)
            && fits(&database, &address.database)
            && fits(&user_of, user);
        is_it.then(|| Secret::new(last(password)))
    })
}

/// The text before the next colon, without its backslashes, and the rest after it.
fn field(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return Some((value, &text[at + 1..])),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    None
}

/// A password may be followed by more fields, which don't count.
fn last(text: &str) -> String {
    let whole = format!("{text}:");
    field(&whole).map_or_else(String::new, |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, address: &str) -> Option<String> {
        let address = Address::parse(&address.parse().unwrap()).unwrap();
        let found = find(&Secret::new(text), &address, "ann");
        found.map(|password| password.expose().to_owned())
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# db.example:5432:esign:ann:comment\n\
                    db.example:5433:esign:ann:other port\n\
                    db.example:5432:esign:bob:other user\n\
                    db.example:*:esign:ann:a\\:b\\\\c\n\
                    *:*:*:*:rest\n";
        let of = |address| found(text, address).unwrap();
        assert_eq!(of("postgres://db.example/esign?name=p"), "a:b\\c");
        assert_eq!(of("postgres://db.example:5433/esign?name=p"), "other port");
        assert_eq!(of("postgres://db.example/other?name=p"), "rest");
    }

    #[test]
    fn an_address_of_version_6_has_its_colons_escaped() {
        let text = "\\:\\:1:5432:e:ann:six\n";
        assert_eq!(
            found(text, "postgres://[::1]/e?name=p").as_deref(),
            Some("six")
        );
    }

    #[test]
    fn the_usual_socket_is_localhost() {
        let text = "localhost:5432:e:ann:local\n/run/pg:5432:e:ann:there\nbroken\n";
        let of = |address| found(text, address);
        let usual = of("postgres:///e?name=p&host=/var/run/postgresql");
        assert_eq!(usual.as_deref(), Some("local"));
        let other = of("postgres:///e?name=p&host=/run/pg");
        assert_eq!(other.as_deref(), Some("there"));
        assert_eq!(of("postgres:///e?name=p&host=/elsewhere"), None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".pgpass");
        let address: url::Url = "postgres://db.example/e?name=p".parse().unwrap();
        let address = Address::parse(&address).unwrap();
        let of = async || read(file.clone(), &address, "ann").await;
        assert!(matches!(of().await, Found::Nothing(None)));
        std::fs::write(&file, "*:*:*:*:canary\n").unwrap();
        let mode = |mode| {
            let rights = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, rights).unwrap();
        };
        mode(0o640);
        let Found::Nothing(Some(why)) = of().await else {
            panic!("it was used");
        };
        assert!(
            why.contains("chmod 600") && !why.contains("canary"),
            "{why}"
        );
        mode(0o600);
        assert!(matches!(of().await, Found::Password(_)));
    }
}
