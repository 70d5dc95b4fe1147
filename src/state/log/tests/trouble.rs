//! One trouble at a chosen moment: a request that arrives twice, a log that can't be read, a process that slept.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::kinds;
use crate::state::log::{
    Beginning, Contents, Created, Header, Log, Logged, NotCreated, Record, Timing,
};
use crate::state::medium::{Attempt, Line, Medium as _};
use crate::state::testing::owner;
use crate::state::{Place, StateError};
use crate::testing::MemoryLog;

/// The next record arrives twice, and its sender sees the second answer only. Then the newest record can't be
/// read, and the next try is refused.
#[derive(Debug)]
struct Copied {
    log: MemoryLog,
    trouble: Mutex<VecDeque<Trouble>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Doubled,
    Unreadable,
    Refused,
    /// The machine sleeps for an hour, and then what is there does not show yet.
    Slept,
}

impl Copied {
    fn next(&self, trouble: Trouble) -> bool {
        let mut coming = self.trouble.lock().unwrap();
        let is_next = coming.front() == Some(&trouble);
        if is_next {
            coming.pop_front();
        }
        is_next
    }

    fn away(&self) -> StateError {
        StateError::Remote {
            doing: "reading",
            place: self.log.place(),
            problem: "no answer".into(),
            advice: String::new(),
            passing: true,
        }
    }
}

impl Log for Copied {
    fn place(&self) -> Place {
        self.log.place()
    }

    fn timing(&self) -> Timing {
        self.log.timing()
    }

    fn head(&self) -> BoxFuture<'_, Result<Option<Header>, StateError>> {
        if self.next(Trouble::Unreadable) {
            return ready(Err(self.away())).boxed();
        }
        if self.next(Trouble::Slept) {
            let hour = Duration::from_secs(3_600);
            return sleep(hour).map(|()| Ok(None)).boxed();
        }
        self.log.head()
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<Contents>, StateError>> {
        self.log.read()
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<Beginning>, StateError>> {
        self.log.snapshots()
    }

    fn record(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>, StateError>> {
        self.log.record(number)
    }

    fn create<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<Created, NotCreated>> {
        if self.next(Trouble::Refused) {
            return ready(Err(NotCreated::Refused(self.away()))).boxed();
        }
        async move {
            if self.next(Trouble::Doubled) {
                self.log.create(record).await?;
            }
            self.log.create(record).await
        }
        .boxed()
    }

    fn prune<'a>(&'a self, head: &'a Header) -> BoxFuture<'a, Result<(), StateError>> {
        self.log.prune(head)
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_our_own_request_is_not_taken_for_another_writer() {
    let log = MemoryLog::new(1);
    let copied = Arc::new(Copied {
        log: log.clone(),
        trouble: Mutex::default(),
    });
    let medium = Logged::new(Arc::clone(&copied) as Arc<dyn Log>);
    let Attempt::Ours(mut hold, _) = medium.hold(&owner("1")).await.unwrap() else {
        panic!("nobody else is there");
    };
    hold.replace(b"a snapshot\n".to_vec()).await.unwrap();
    *copied.trouble.lock().unwrap() =
        [Trouble::Doubled, Trouble::Unreadable, Trouble::Refused].into();
    let refused = hold.append(Line::First(b"a line\n".to_vec())).await;
    assert!(matches!(refused, Err(StateError::Remote { .. })));
    assert!(copied.trouble.lock().unwrap().is_empty());
    hold.replace(b"another\n".to_vec()).await.unwrap();
    assert_eq!(kinds(&log), "hold snapshot first snapshot");
}

#[tokio::test(start_paused = true)]
async fn who_slept_looks_again_for_a_record_that_is_said_to_be_there() {
    let log = MemoryLog::new(1);
    let copied = Arc::new(Copied {
        log: log.clone(),
        trouble: Mutex::default(),
    });
    let medium = Logged::new(Arc::clone(&copied) as Arc<dyn Log>);
    let Attempt::Ours(mut hold, _) = medium.hold(&owner("1")).await.unwrap() else {
        panic!("nobody else is there");
    };
    hold.replace(b"a snapshot\n".to_vec()).await.unwrap();
    *copied.trouble.lock().unwrap() = [Trouble::Doubled, Trouble::Slept].into();
    hold.append(Line::First(b"a line\n".to_vec()))
        .await
        .unwrap();
    assert_eq!(kinds(&log), "hold snapshot first");
}
