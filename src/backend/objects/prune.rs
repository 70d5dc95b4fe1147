//! Removing records that are not needed any more, and finding out that a number is one that was removed.

use std::sync::atomic::Ordering;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;

use super::problem::{Action, Said};
use super::send::Answer;
use super::{Objects, PARALLEL};
use crate::model::Timestamp;
use crate::state::StateError;
use crate::state::log::{Created, Header, KEPT, NotCreated, Record};

/// A writer that was held up for less creates no number again.
const YOUNGEST: i64 = 3600;
/// After so many seconds of silence a number may be one that was removed.
const LONG_SLEEP: i64 = YOUNGEST / 2;
/// How many records one run removes. The rest is for the next.
const MOST: usize = 1000;

impl Objects {
    /// Notes when the end of the log was seen, and tells how many seconds passed since the time before. This
    /// machine's clock may stand still while it sleeps; the store's goes on.
    pub(super) fn seen(&self, answer: &Answer) -> i64 {
        let Some(now) = answer.date else { return 0 };
        let before = self.seen_at.fetch_max(now.0, Ordering::SeqCst);
        if before == 0 { 0 } else { now.0 - before }
    }

    /// Whether a record that was written is the newest: who slept for long may have written a number that another run
    /// used and removed meanwhile. What is before the newest snapshot is not read.
    pub(super) async fn created(
        &self,
        record: &Record,
        answer: &Answer,
    ) -> Result<Created, NotCreated> {
        if self.seen(answer) < LONG_SLEEP {
            return Ok(Created::Now);
        }
        match self.newest().await {
            Ok(Some(newest)) if newest > record.header.number => Ok(Created::Taken),
            Ok(_) => Ok(Created::Now),
            Err(error) => Err(NotCreated::Unclear(error)),
        }
    }

    pub(super) async fn remove_old(&self, head: &Header) -> Result<(), StateError> {
        // Newest first: what the snapshot of the head has folded in.
        let (older, clock) = self.older_than(head.since).await?;
        let Some(clock) = clock.filter(|_| older.len() >= KEPT) else {
            return Ok(());
        };
        let is_old = |modified: Option<Timestamp>| {
            modified.is_some_and(|modified| clock.seconds_since(modified) > YOUNGEST)
        };
        if !older.iter().any(|(_, modified)| is_old(*modified)) {
            return Ok(());
        }
        let kept = self.snapshots(head.since, &older).await?;
        let mut removable = Vec::new();
        for (number, modified) in older {
            if is_old(modified) && !kept.contains(&number) {
                removable.push(number);
            }
        }
        // The oldest first, so that a gap never is between records that stay.
        removable.reverse();
        removable.truncate(MOST);
        let deletes = removable.into_iter().map(|number| self.delete(number));
        let deletes = stream::iter(deletes).buffer_unordered(PARALLEL);
        deletes.try_collect::<()>().await
    }

    async fn delete(&self, number: u64) -> Result<(), StateError> {
        let request = self.request(Method::DELETE, number);
        match self.sender.send(&request).await {
            Ok((answer, _)) if matches!(answer.status, 200 | 202 | 204 | 404) => Ok(()),
            Ok((answer, credential)) => {
                let said = Said::of(&answer, &credential);
                Err(self.refused(Action::Delete, &credential, &said))
            }
            Err(why) => Err(self.unanswered(Action::Delete, &why)),
        }
    }
}
