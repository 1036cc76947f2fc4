//! What columns of `events` hold, also when somebody changed them into what no event has.
//!
//! A reader of events stops there. Whoever audits goes on: such a value is read as a text, or a number,
//! that no event ever has, so that the leaf is another one.

use domain::envelope::{Revision, StreamId};
use domain::proof::StoredEvent;
use domain::{Instant, Position};

use super::Outside;

/// A row of either database, read without trust in it.
pub(super) trait StoredRow {
    /// The bytes of a text; nothing when it is NULL.
    fn bytes(&self, index: usize) -> Option<&[u8]>;

    /// A number; nothing when it is none.
    fn integer(&self, index: usize) -> Option<i64>;
}

/// Reads a row of the columns that both logs select of `events`.
pub(super) fn stored(row: &impl StoredRow) -> StoredEvent {
    StoredEvent {
        position: Position::new(number(row.integer(0))),
        aggregate_type: text(row.bytes(1)),
        aggregate_id: text(row.bytes(2)),
        sequence: Revision::new(number(row.integer(3))),
        event_type: text(row.bytes(4)),
        event_version: text(row.bytes(5)),
        recorded_at: Instant::from_micros(number(row.integer(6))),
        payload: text(row.bytes(7)),
        metadata: text(row.bytes(8)),
    }
}

/// The stream that two columns name.
pub(super) fn stream_of(row: &impl StoredRow, index: usize) -> StreamId {
    StreamId::stored(&text(row.bytes(index)), &text(row.bytes(index + 1)))
}

/// Reads a row of [`OUTSIDE`].
pub(super) fn outside(row: &impl StoredRow) -> Outside {
    Outside { position: number(row.integer(0)), stream: stream_of(row, 1) }
}

/// Events in front of the first position, and behind the head, up to `$1` of each. Both are looked up in
/// the index of positions, at one moment.
pub(super) const OUTSIDE: &str = "\
    SELECT * FROM (SELECT position, aggregate_type, aggregate_id FROM events \
      WHERE position < 1 ORDER BY position LIMIT $1) AS low \
    UNION ALL SELECT * FROM (SELECT position, aggregate_type, aggregate_id FROM events \
      WHERE position > (SELECT position FROM log_head WHERE id = 1) ORDER BY position LIMIT $1) AS high";

/// A stored text.
pub(super) fn text(bytes: Option<&[u8]>) -> Box<str> {
    let Some(bytes) = bytes else { return "\0NULL".into() };
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => format!("\0no UTF-8: {}", bytes.escape_ascii()).into(),
    }
}

/// A stored number.
pub(super) fn number(value: Option<i64>) -> i64 {
    value.unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_read_as_one_that_no_event_has_and_no_two_alike() {
        let read = [None, Some(&b"\xff"[..]), Some(b"\xfe"), Some(b"\\xff"), Some(b"")].map(text);
        assert_eq!(read, ["\0NULL", "\0no UTF-8: \\xff", "\0no UTF-8: \\xfe", "\\xff", ""].map(Box::from));
    }
}
