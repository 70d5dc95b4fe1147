//! What is left of a state that was moved: where it is now, in the place of its snapshot.
//!
//! ```json
//! {"version":2,"moved_to":"postgres://db.example/ops?name=prod"}
//! ```

use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use super::format::VERSION;

/// What it begins with. No snapshot does: its second line follows at once.
pub(super) const BEGINS: &[u8] = b"{\"version\":2,\"moved_to\":";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pointer {
    version: u64,
    moved_to: String,
}

pub(super) fn encode(to: &str) -> Vec<u8> {
    let pointer = Pointer {
        version: VERSION,
        moved_to: to.to_owned(),
    };
    let mut text = serde_json::to_vec(&pointer).expect("plain values always become JSON");
    text.push(b'\n');
    text
}

/// Where the state is, if that is what the input says. Otherwise nothing of the input is consumed.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<String>> {
    if !input.fill_buf()?.starts_with(BEGINS) {
        return Ok(None);
    }
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    let pointer: Pointer = serde_json::from_slice(&line)?;
    Ok(Some(pointer.moved_to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_back_and_nothing_else_is() {
        for to in ["callbacks.state.json", "https://h/\"x\"", "s3://b/电"] {
            let text = encode(to);
            assert!(text.starts_with(BEGINS), "the version is part of it");
            assert_eq!(read(&mut text.as_slice()).unwrap(), Some(to.to_owned()));
        }
        for other in ["", "{\n  \"version\": 2,", "[]"] {
            let mut input = other.as_bytes();
            assert_eq!(read(&mut input).unwrap(), None);
            assert_eq!(input, other.as_bytes());
        }
    }
}
