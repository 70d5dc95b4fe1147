//! Recorded state as JSON.

use std::borrow::Cow;
use std::io;

use serde::{Serialize, Serializer};

use crate::facts::{BeliefParts, ProofJson, ScopeJson, WriteParts, WriteWord};
use crate::harmless;
use crate::model::{
    Address, CallbackUrl, Destination, Entry, Environment, Evidence, Fingerprints, Handle, Lineage,
    Missing, OperatorId, Presence, Recorded, Scope, Sighting, SignedWrite, Timestamp,
};

/// Writes everything recorded as one JSON object on one line: `format_version`, `environment`, `destination`,
/// `lineage`, `serial` and `callbacks`, each in the form of [`entry_json`]. Memory does not grow with
/// the state.
pub fn state_json(recorded: &Recorded, mut out: impl io::Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        format_version: &'static str,
        environment: Environment,
        destination: Option<&'a Destination>,
        lineage: Option<Lineage>,
        serial: u64,
        callbacks: Callbacks<'a>,
    }
    Document {
        format_version: "1.1",
        environment: recorded.environment,
        destination: recorded.destination.as_ref(),
        lineage: recorded.lineage,
        serial: recorded.serial,
        callbacks: Callbacks(recorded),
    }
    .serialize(&mut serde_json::Serializer::with_formatter(
        &mut out,
        harmless::Json,
    ))
    .map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// One entry as a JSON object, without a line end.
pub fn entry_json(scope: &Scope, url: &CallbackUrl, entry: &Entry) -> String {
    let mut bytes = Vec::new();
    EntryJson::new(scope, url, entry)
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes,
            harmless::Json,
        ))
        .expect("names, numbers and times are always JSON");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

struct Callbacks<'a>(&'a Recorded);

impl Serialize for Callbacks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.by_handle().into_iter();
        serializer.collect_seq(entries.map(|(scope, url, entry)| EntryJson::new(scope, url, entry)))
    }
}

#[derive(Serialize)]
struct EntryJson<'a> {
    address: Address,
    organization: &'a Handle,
    scope: ScopeJson,
    url: Cow<'a, str>,
    operator: &'a OperatorId,
    protect: bool,
    status: Presence,
    evidence: Evidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprints: Option<Fingerprints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<bool>,
    proof: Option<ProofJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<CallJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<CallJson>,
}

impl<'a> EntryJson<'a> {
    fn new(scope: &'a Scope, url: &'a CallbackUrl, entry: &'a Entry) -> Self {
        let Entry {
            handle,
            operator,
            protect,
            belief,
            lost,
            traces: _,
            pending,
            proof,
            sighting: Sighting { seen_at, missing },
        } = entry;
        let BeliefParts {
            presence,
            evidence,
            fingerprints,
            exact,
        } = BeliefParts::from(*belief);
        Self {
            address: Address {
                handle: handle.clone(),
                url: url.clone(),
            },
            organization: handle,
            scope: ScopeJson::from(scope),
            url: url.shown(),
            operator,
            protect: *protect,
            status: presence,
            evidence,
            fingerprints,
            exact,
            proof: proof.as_ref().map(ProofJson::from),
            seen_at: *seen_at,
            missing: *missing,
            pending: pending.map(|pending| CallJson::from(pending.call)),
            lost: lost.map(CallJson::from),
        }
    }
}

/// A call without an answer, and from when it can't arrive any more.
#[derive(Serialize)]
struct CallJson {
    operation: WriteWord,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprints: Option<Fingerprints>,
    signed_at: Timestamp,
    until: Timestamp,
}

impl From<SignedWrite> for CallJson {
    fn from(call: SignedWrite) -> Self {
        let WriteParts { word, fingerprints } = WriteParts::from(call.write);
        Self {
            operation: word,
            fingerprints,
            signed_at: call.signed_at,
            until: call.dead_at(),
        }
    }
}
