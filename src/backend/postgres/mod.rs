//! A state in a PostgreSQL database, and in those that speak as it does.
//!
//! ```sql
//! CREATE TABLE ess_callbacks.records (
//!     name text, number bigint,       -- of the state, of the record; together the primary key
//!     since bigint, snapshot boolean, -- what `prune` needs of the header
//!     written_at timestamptz,         -- by the clock of the server
//!     header bytea, payload bytea)    -- the record's first line, and the rest
//! ```
//!
//! A record is created by one `INSERT`, which checks in the same statement that its number follows the newest.
//! Of two that do so at once the primary key lets one through. Nothing is ever updated, so there is no second
//! place that could disagree with the records.
//!
//! Only plain SQL is used, each statement is one transaction, and none is prepared by name: so
//! connection pools in transaction mode, CockroachDB, Aurora and TDSQL serve as well. No session is
//! ever changed either: that a record is durable before its commit is answered is said in the statement itself,
//! for servers with `synchronous_commit = off`.
//!
//! The schema and the table are made by the first write. A reader without them finds no state.

mod address;
mod connection;
mod failure;
mod password;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

pub(crate) use self::address::Address;

use self::connection::{Link, limit};
use self::failure::{Doing, Failure, Fate};
use self::tls::Authorities;
use crate::client::ExtraRoots;
use crate::secret::Secret;
use crate::state::history::BEGINNING;
use crate::state::log::{
    Beginning, Contents, Created, Header, KEPT, Kind, Log, NotCreated, Record, Timing,
};
use crate::state::{Place, StateError};

/// The pauses before a read is tried again.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// How often the table is made when others make it at the same time.
const MAKING: usize = 5;

/// What is needed to use a database.
pub(crate) struct Options {
    pub(crate) address: Address,
    /// Who, when the address does not say so: PGUSER, or the user of the system.
    pub(crate) user: Option<String>,
    /// PGPASSWORD.
    pub(crate) password: Option<Secret>,
    /// PGPASSFILE, or `~/.pgpass`.
    pub(crate) password_file: Option<PathBuf>,
    /// Certificates to trust beside those of the system.
    pub(crate) extra_roots: Option<ExtraRoots>,
}

/// Prepares to use the database; sends nothing.
///
/// # Errors
/// There is no user, or the file of `sslrootcert` can't be read.
pub(crate) fn open(options: Options) -> Result<Arc<dyn Log>, StateError> {
    let Options {
        address,
        user,
        password,
        password_file,
        extra_roots,
    } = options;
    let failed = |problem: String, advice: &str| {
        let failure = Failure::new(Fate::Refused, problem, advice);
        failure.error("opening", Place::new(address.to_string()))
    };
    let Some(user) = address.user.clone().or(user) else {
        return Err(failed(
            "there is no user to log in as".into(),
            "Write it into the address (postgres://USER@HOST/…), or set PGUSER.",
        ));
    };
    let authorities = match &address.root_certificates {
        None => Authorities::System(extra_roots),
        Some(file) => {
            let name = file.display().to_string();
            let pem = std::fs::read(file).map_err(|error| {
                failed(
                    format!("the file `{name}` of sslrootcert can't be read: {error}"),
                    "Correct the path in the address.",
                )
            })?;
            Authorities::Only(ExtraRoots { file: name, pem })
        }
    };
    let table = format!("\"{}\".records", address.schema);
    let link = Link::new(address, user, (password, password_file), authorities);
    Ok(Arc::new(Database { link, table }))
}

/// The records of one state.
#[derive(Debug)]
struct Database {
    link: Link,
    /// As it is written in SQL: the schema is checked to have no quotes.
    table: String,
}

type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl Database {
    fn name(&self) -> Parameter<'_> {
        (&self.link.address.name, Type::TEXT)
    }

    /// Reads rows, and tries again where that may help.
    async fn rows(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        limit: Duration,
    ) -> Result<Vec<Row>, Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let failure = match self.rows_once(sql, parameters, limit).await {
                Err(failure) if failure.may_pass() => failure,
                result => return result,
            };
            let Some(pause) = pauses.next() else {
                return Err(failure);
            };
            sleep(pause).await;
        }
    }

    async fn rows_once(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
        limit: Duration,
    ) -> Result<Vec<Row>, Failure> {
        let live = self.link.live().await?;
        let request = live.client.query_typed(sql, parameters).boxed();
        self.link
            .answer(&live, (Doing::Reading, limit), request)
            .await
    }

    /// Carries out a statement, once, and tells how many rows it changed.
    async fn execute(
        &self,
        (doing, limit): (Doing, Duration),
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Failure> {
        let live = self.link.live().await?;
        let request = live.client.execute_typed(sql, parameters).boxed();
        self.link.answer(&live, (doing, limit), request).await
    }

    fn unread(&self, failure: Failure) -> StateError {
        failure.error("reading", self.place())
    }

    fn undecoded(&self, error: &Error) -> StateError {
        let schema = &self.link.address.schema;
        let failure = Failure::new(
            Fate::Refused,
            format!("the table {} has other columns: {error}", self.table),
            format!("The schema {schema} is of something else: name another with &schema=NAME."),
        );
        self.unread(failure)
    }

    async fn newest(&self) -> Result<Option<Header>, StateError> {
        let table = &self.table;
        let sql =
            format!("SELECT header FROM {table} WHERE name = $1 ORDER BY number DESC LIMIT 1");
        let rows = self.rows(&sql, &[self.name()], limit(0)).await;
        let rows = self.unless_new(rows).await?;
        let header = |row: &Row| {
            let header = row.try_get(0).map_err(|error| self.undecoded(&error))?;
            Header::decode(&self.place(), &line(header))
        };
        rows.first().map(header).transpose()
    }

    /// All records that say what is recorded. One statement, so they are of one moment.
    async fn records(&self) -> Result<Vec<Record>, StateError> {
        let table = &self.table;
        let from = format!(
            "FROM {table} WHERE name = $1 AND number >= \
             (SELECT since FROM {table} WHERE name = $1 ORDER BY number DESC LIMIT 1)"
        );
        self.records_of(&from, &[self.name()]).await
    }

    /// The records that this part of a statement selects, in order.
    async fn records_of(
        &self,
        from: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Record>, StateError> {
        let size = format!("SELECT CAST(coalesce(sum(octet_length(payload)), 0) AS bigint) {from}");
        let all = format!("SELECT header, payload {from} ORDER BY number");
        let read = async {
            let size = self.rows(&size, parameters, limit(0)).await?;
            let size = size.first().and_then(|row| row.try_get(0).ok());
            let size: i64 = size.unwrap_or(0);
            let limit = limit(u64::try_from(size).unwrap_or(0));
            self.rows(&all, parameters, limit).await
        };
        let rows = self.unless_new(read.await).await?;
        rows.iter().map(|row| self.decode(row)).collect()
    }

    /// No rows, if there is no table yet.
    async fn unless_new(&self, rows: Result<Vec<Row>, Failure>) -> Result<Vec<Row>, StateError> {
        match rows {
            Ok(rows) => Ok(rows),
            Err(failure) if self.is_without_table(&failure).await => Ok(Vec::new()),
            Err(failure) => Err(self.unread(failure)),
        }
    }

    fn decode(&self, row: &Row) -> Result<Record, StateError> {
        let undecoded = |error| self.undecoded(&error);
        let mut text = line(row.try_get(0).map_err(undecoded)?);
        text.extend_from_slice(row.try_get(1).map_err(undecoded)?);
        Record::decode(&self.place(), &text)
    }

    async fn kept_snapshots(&self) -> Result<Vec<Beginning>, StateError> {
        let table = &self.table;
        let sql = format!(
            "SELECT header, substring(payload FROM 1 FOR {BEGINNING}) FROM {table} \
             WHERE name = $1 AND snapshot ORDER BY number DESC LIMIT $2"
        );
        let kept = signed(KEPT as u64);
        let parameters = [self.name(), (&kept as _, Type::INT8)];
        let rows = self.rows(&sql, &parameters, limit(0)).await;
        let rows = self.unless_new(rows).await?;
        let decode = |row: &Row| {
            let undecoded = |error| self.undecoded(&error);
            let header = line(row.try_get(0).map_err(undecoded)?);
            let header = Header::decode(&self.place(), &header)?;
            Ok((header, row.try_get(1).map_err(undecoded)?))
        };
        rows.iter().map(decode).collect()
    }

    async fn one_record(&self, number: u64) -> Result<Option<Record>, StateError> {
        let from = format!("FROM {} WHERE name = $1 AND number = $2", self.table);
        let number = signed(number);
        let parameters = [self.name(), (&number as _, Type::INT8)];
        Ok(self.records_of(&from, &parameters).await?.pop())
    }

    async fn insert(&self, record: &Record) -> Result<u64, Failure> {
        let table = &self.table;
        // `on` waits until the record is on the disk, and on that of a synchronous replica; `remote_apply` also.
        let sql = format!(
            "INSERT INTO {table} (name, number, since, snapshot, header, payload) \
             SELECT $1, $2, $3, $4, $5, $6 \
             WHERE $2 = 1 + (SELECT coalesce(max(number), 0) FROM {table} WHERE name = $1) \
             AND set_config('synchronous_commit', \
             CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, \
             true) IS NOT NULL \
             ON CONFLICT (name, number) DO NOTHING"
        );
        let text = record.encode();
        let end = text.iter().position(|byte| *byte == b'\n');
        let (header, payload) = text.split_at(end.unwrap_or(text.len()));
        let payload = payload.get(1..).unwrap_or_default();
        let Header {
            number,
            since,
            kind,
            ..
        } = &record.header;
        let (number, since) = (signed(*number), signed(*since));
        let is_snapshot = *kind == Kind::Snapshot;
        let parameters: [Parameter<'_>; 6] = [
            self.name(),
            (&number, Type::INT8),
            (&since, Type::INT8),
            (&is_snapshot, Type::BOOL),
            (&header, Type::BYTEA),
            (&payload, Type::BYTEA),
        ];
        let limit = limit(text.len() as u64);
        self.execute((Doing::Writing, limit), &sql, &parameters)
            .await
    }

    async fn create_record(&self, record: &Record) -> Result<Created, NotCreated> {
        let mut inserted = self.insert(record).await;
        if let Err(failure) = &inserted
            && self.is_without_table(failure).await
        {
            // The statement was refused as a whole, so it may be sent again.
            let made = self.make_table().await;
            made.map_err(|failure| failure.not_created(self.place()))?;
            inserted = self.insert(record).await;
        }
        match inserted {
            Ok(0) => self.taken(record.header.number).await,
            Ok(_) => Ok(Created::Now),
            Err(failure) if failure.has(&[SqlState::UNIQUE_VIOLATION]) => Ok(Created::Taken),
            Err(failure) => Err(failure.not_created(self.place())),
        }
    }

    /// Why no record was created: its number is taken, or it would leave a gap.
    async fn taken(&self, number: u64) -> Result<Created, NotCreated> {
        match self.newest().await {
            Ok(newest) => {
                let newest = newest.map_or(0, |newest| newest.number);
                if newest + 1 >= number {
                    return Ok(Created::Taken);
                }
                Err(NotCreated::Refused(StateError::Damaged {
                    place: self.place(),
                    problem: format!(
                        "its newest record is {newest}, though {} was confirmed before; the server lost records, \
                         as in a fail-over to a replica that was behind",
                        number - 1
                    ),
                }))
            }
            // It is asked again before anything else is written.
            Err(_) => Ok(Created::Taken),
        }
    }

    /// Whether a statement failed because there is no table yet. Who has no right in the schema is only told so,
    /// but may look into the catalog.
    async fn is_without_table(&self, failure: &Failure) -> bool {
        if failure.has(&[SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME]) {
            return true;
        }
        if !failure.has(&[SqlState::INSUFFICIENT_PRIVILEGE]) {
            return false;
        }
        let sql = "SELECT 1 FROM pg_catalog.pg_class AS c \
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = 'records'";
        let schema = &self.link.address.schema;
        let there = self.rows(sql, &[(schema, Type::TEXT)], limit(0)).await;
        there.is_ok_and(|there| there.is_empty())
    }

    async fn make_table(&self) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let made = self.make_table_once().await;
            tries += 1;
            match made {
                // Two sessions that make the same thing at once get in each other's way, whatever they say.
                Err(failure) if tries < MAKING && failure.is_collision() => {}
                made => return made,
            }
        }
    }

    async fn make_table_once(&self) -> Result<(), Failure> {
        let (schema, table) = (&self.link.address.schema, &self.table);
        let sql = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";
        // `IF NOT EXISTS` alone asks for the right to create it, even if it is there.
        let there = self.rows(sql, &[(schema, Type::TEXT)], limit(0)).await?;
        if there.is_empty() {
            let sql = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
            self.execute((Doing::Schema, limit(0)), &sql, &[]).await?;
        }
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {table} (\
             name text NOT NULL, \
             number bigint NOT NULL CHECK (number > 0), \
             since bigint NOT NULL, \
             snapshot boolean NOT NULL, \
             written_at timestamp with time zone NOT NULL DEFAULT now(), \
             header bytea NOT NULL, \
             payload bytea NOT NULL, \
             PRIMARY KEY (name, number))"
        );
        self.execute((Doing::Table, limit(0)), &sql, &[]).await?;
        Ok(())
    }

    async fn remove_old(&self, since: u64) -> Result<(), StateError> {
        let table = &self.table;
        let sql = format!(
            "DELETE FROM {table} WHERE name = $1 AND written_at < now() - interval '1 hour' \
             AND number < $3 AND (NOT snapshot OR number < (SELECT min(number) FROM \
             (SELECT number FROM {table} WHERE name = $1 AND snapshot ORDER BY number DESC LIMIT $2) AS kept))"
        );
        let (kept, since) = (signed(KEPT as u64), signed(since));
        let parameters = [
            self.name(),
            (&kept as _, Type::INT8),
            (&since as _, Type::INT8),
        ];
        let removed = self
            .execute((Doing::Pruning, limit(0)), &sql, &parameters)
            .await;
        match removed {
            Ok(_) => Ok(()),
            Err(failure) if self.is_without_table(&failure).await => Ok(()),
            Err(failure) => Err(failure.error("removing old records from", self.place())),
        }
    }
}

impl Failure {
    /// Another session makes the same thing at this moment.
    fn is_collision(&self) -> bool {
        self.has(&[
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_SCHEMA,
            SqlState::DUPLICATE_OBJECT,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::INTERNAL_ERROR,
        ]) || self.fate == Fate::Passing
    }

    /// Whether a read may be answered when it is tried again soon.
    fn may_pass(&self) -> bool {
        match self.fate {
            Fate::Refused => false,
            Fate::Passing | Fate::Lost => !self.took_long,
        }
    }
}

/// Numbers come from a state that counts them; none gets near the end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A header as a record has it.
fn line(header: &[u8]) -> Vec<u8> {
    let mut line = header.to_vec();
    line.push(b'\n');
    line
}

impl Log for Database {
    fn place(&self) -> Place {
        Place::new(self.link.address.to_string())
    }

    fn timing(&self) -> Timing {
        Timing {
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            watch: Some(Duration::from_secs(2)),
            patience: Duration::from_secs(60),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        self.newest().boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        async {
            let mut contents = Contents::fold(&self.place(), self.records().await?)?;
            if contents.is_none() && self.newest().await?.is_some() {
                // The first one may just have been created.
                contents = Contents::fold(&self.place(), self.records().await?)?;
            }
            if contents.is_none()
                && let Some(newest) = self.newest().await?
            {
                return Err(StateError::Damaged {
                    place: self.place(),
                    problem: format!(
                        "its newest record is {}, which continues {}",
                        newest.number, newest.since
                    ),
                });
            }
            Ok(contents)
        }
        .boxed()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        self.kept_snapshots().boxed()
    }

    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        self.one_record(number).boxed()
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        self.create_record(record).boxed()
    }

    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        self.remove_old(head.since).boxed()
    }
}
