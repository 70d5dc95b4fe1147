//! The journal: what happened since the snapshot, as JSON Lines.
//!
//! ```json
//! {"version":1,"lineage":"0192…","base_serial":12,"sum":"6b1d…"}
//! {"records":[{"intent":{"id":1,"account":"default","url":"https://…",…}},{"outcome":{"id":1,…}}],"sum":"…"}
//! ```
//!
//! One line is what one sync made durable: the records of all calls that waited together. So a power
//! cut can only damage the last line, however the disk orders its writes, and a last line that is no
//! longer JSON holds nothing that anybody relied on. Each line's sum covers the sums before it, so that a line
//! which is missing, moved or changed is noticed.
//!
//! # Changes of the format
//!
//! * 1: the first. An intent's `nonce`, left out when the call carries none.

mod chain;
mod record;
mod replay;

pub(super) use chain::Chain;
pub(super) use record::{push_intent, push_outcome};
pub(super) use replay::Journal;

use serde::{Deserialize, Serialize};

use crate::model::Lineage;

/// The format written here, and the newest that is read.
const VERSION: u64 = 1;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    version: u64,
    pub(super) lineage: Lineage,
    pub(super) base_serial: u64,
}

/// The first line of a journal that continues the snapshot with this serial.
pub(super) fn header(chain: &mut Chain, lineage: Lineage, base_serial: u64) -> Vec<u8> {
    let header = Header {
        version: VERSION,
        lineage,
        base_serial,
    };
    let mut line = serde_json::to_vec(&header).expect("plain values always become JSON");
    line.pop();
    chain.seal(&mut line);
    line
}

/// The line that holds these records, as [`push_intent`] and [`push_outcome`] collected them.
pub(super) fn batch(chain: &mut Chain, records: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(records.len() + 64);
    line.extend_from_slice(br#"{"records":["#);
    line.extend_from_slice(records.strip_prefix(b",").unwrap_or(records));
    line.push(b']');
    chain.seal(&mut line);
    line
}

#[cfg(test)]
mod tests;
