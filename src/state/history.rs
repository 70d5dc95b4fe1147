//! States as they were, as far as their medium has kept them.

use super::{LockOwner, Place, StateError, format};
use crate::model::Recorded;

/// A snapshot that a medium has kept: the state as it was when a run began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub serial: u64,
    /// Where it is.
    pub place: Place,
    /// Whose run wrote it, where the medium knows.
    pub writer: Option<LockOwner>,
}

/// So many bytes of a snapshot are enough to find its serial.
pub(crate) const BEGINNING: usize = 1 << 10;

/// The serial of the snapshot that begins like this; `None` for the note of a state that was moved.
pub(super) fn serial(beginning: &[u8]) -> Option<u64> {
    let lines = beginning.split(|byte| *byte == b'\n').take(10);
    let mut serials = lines.filter_map(|line| {
        let line = str::from_utf8(line).ok()?.trim();
        let number = line.strip_prefix("\"serial\":")?.trim();
        number.trim_end_matches(',').parse().ok()
    });
    serials.next()
}

/// The snapshot that is read here, if it is the one with this serial.
pub(super) fn version(
    place: &Place,
    snapshot: impl std::io::Read,
    serial: u64,
) -> Result<Option<Recorded>, StateError> {
    let recorded = format::read(place, snapshot)?;
    Ok((recorded.serial == serial).then_some(recorded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Environment;
    use crate::state::pointer;
    use crate::state::testing::{SALT, lineage};

    #[test]
    fn a_snapshot_tells_its_serial_in_its_first_lines() {
        let mut recorded = Recorded::nothing(Environment::Production);
        recorded.lineage = Some(lineage());
        recorded.salt = Some(SALT);
        recorded.serial = u64::MAX;
        let mut text = Vec::new();
        format::write(&recorded, &mut text).unwrap();
        text.truncate(BEGINNING);
        assert_eq!(serial(&text), Some(u64::MAX));
        assert_eq!(serial(&pointer::encode("s3://bucket/key")), None);
        assert_eq!(serial(b""), None);
    }
}
