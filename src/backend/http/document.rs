//! The document that is stored: a Terraform state of version 4 without resources, and beside them ours.
//!
//! ```json
//! {"version":4,"terraform_version":"1.11.4","serial":17,"lineage":"…","outputs":{},"resources":[],
//!  "ess_callbacks":{"header":{…},"snapshot":"…","journal":"…"}}
//! ```
//!
//! Servers check it as a state of Terraform, and take each serial once. That makes `serial` the number of a
//! record, and each write a whole document.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::Recorded;
use crate::state::log::{self, Contents, Header};
use crate::state::{Part, Place, StateError};

/// Gitea wants one.
const TERRAFORM_VERSION: &str = "1.11.4";

#[derive(Serialize, Deserialize)]
struct Document {
    version: u64,
    #[serde(default)]
    terraform_version: String,
    serial: u64,
    lineage: String,
    #[serde(default)]
    outputs: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    resources: Vec<serde_json::Value>,
    ess_callbacks: Option<Ours>,
}

/// Just enough to tell it from other JSON.
#[derive(Deserialize)]
struct Envelope {
    terraform_version: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Ours {
    header: Header,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    journal: String,
}

/// A document that was read or written.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// The same from the first document on.
    pub(super) lineage: String,
    pub(super) contents: Contents,
}

/// The lineage of a log that begins with this record.
pub(super) fn lineage(first: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(first.as_bytes())[..16]);
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

pub(super) fn encode(stored: &Stored) -> Vec<u8> {
    let Stored { lineage, contents } = stored;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let document = Document {
        version: 4,
        terraform_version: TERRAFORM_VERSION.into(),
        serial: contents.head.number,
        lineage: lineage.clone(),
        outputs: serde_json::Map::new(),
        resources: Vec::new(),
        ess_callbacks: Some(Ours {
            header: contents.head.clone(),
            snapshot: contents.snapshot.as_deref().map(text),
            journal: text(&contents.journal),
        }),
    };
    serde_json::to_vec(&document).expect("plain values always become JSON")
}

/// What is recorded in a version that was downloaded from its server; `None` when the text is something else.
pub(crate) fn recorded(place: &Place, text: &[u8]) -> Option<Result<Recorded, StateError>> {
    // Any state of Terraform, so that what is wrong with it is said.
    let envelope: Envelope = serde_json::from_slice(text).ok()?;
    envelope.terraform_version.as_ref()?;
    let recorded = decode(place, text).and_then(|stored| log::recorded(place, &stored.contents));
    let empty = || StateError::Corrupt {
        place: place.clone(),
        part: Part::Snapshot,
        line: None,
        problem: "it is of the time before anything was recorded".into(),
    };
    Some(recorded.and_then(|recorded| recorded.ok_or_else(empty)))
}

pub(super) fn decode(place: &Place, text: &[u8]) -> Result<Stored, StateError> {
    let unreadable = |problem: String| StateError::Remote {
        doing: "reading",
        place: place.clone(),
        problem,
        advice: "Check --state: the address may be of something else. Nothing was changed.".into(),
        passing: false,
    };
    let document: Document = serde_json::from_slice(text).map_err(|error| {
        let what = "what is stored there is not a state of ess-callbacks";
        unreadable(format!("{what}: {error}"))
    })?;
    let Some(ours) = document.ess_callbacks else {
        return Err(unreadable("a state of Terraform is stored there".into()));
    };
    let Ours {
        header,
        snapshot,
        journal,
    } = ours;
    if header.number != document.serial {
        return Err(StateError::Damaged {
            place: place.clone(),
            problem: format!(
                "its serial is {}, but its newest record has the number {}",
                document.serial, header.number
            ),
        });
    }
    let contents = Contents {
        head: header,
        snapshot: snapshot.map(String::into_bytes),
        journal: journal.into_bytes(),
    };
    contents.head.check(place, &contents)?;
    Ok(Stored {
        lineage: document.lineage,
        contents,
    })
}
