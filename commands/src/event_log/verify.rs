//! Checks that a log is what it promises to be, in constant memory.

use std::pin::pin;
use std::sync::Arc;

use domain::envelope::StreamId;
use domain::ports::ReadError;
use domain::{DecodeError, Instant, Position};
use futures::StreamExt;

use super::{EventLog, REPLAY_PAGE, replay};

/// Streams, and events outside of the log, that are named at most.
pub(crate) const NAMED: usize = 10;

/// Streams whose revisions are not dense from 1; the index of revisions gives the order.
pub(super) const BROKEN_STREAMS: &str = "\
    SELECT aggregate_type, aggregate_id FROM events GROUP BY aggregate_type, aggregate_id \
    HAVING min(sequence) <> 1 OR max(sequence) <> count(*) ORDER BY aggregate_type, aggregate_id LIMIT $1";

/// An event that no reader of the log sees. In its stream it counts all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "position {position}: OUTSIDE: an event of stream {stream} stands where the log has no place; no reader sees \
     it, and decisions count it"
)]
pub struct Outside {
    /// Where it stands: below 1, or behind the head.
    pub position: i64,
    /// Which stream has it.
    pub stream: StreamId,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// Positions are not dense, or an envelope cannot be read.
    #[error(transparent)]
    Read(ReadError),
    /// The head is not the last event.
    #[error("the head says {head}, the last event is at {last}")]
    Head {
        /// What the head says.
        head: Position,
        /// Where the last event is.
        last: Position,
    },
    /// A recorded time runs backwards.
    #[error("the event at {position} was recorded before the one in front of it")]
    Time {
        /// Where.
        position: Position,
    },
    /// A stream has a hole.
    #[error("revisions of stream {stream} are not dense")]
    Stream {
        /// Which.
        stream: StreamId,
    },
    /// An event stands where the log has no place.
    #[error(transparent)]
    Outside(Outside),
    /// The replica does not hold what the log holds.
    #[error("the replica's event at {position}: {reason}")]
    Replica {
        /// Where.
        position: Position,
        /// What differs.
        reason: String,
    },
    /// An event cannot be decoded.
    #[error("the event at {position}: {reason}")]
    Decode {
        /// Where.
        position: Position,
        /// Why.
        reason: DecodeError,
    },
}

/// What was checked, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// How many events were read.
    pub events: i64,
    /// What is wrong; empty when the log is sound.
    pub faults: Vec<LogFault>,
}

/// Reads the whole log up to its head as it was at the start, and compares it with the place where it
/// is kept, when that is another one. `progress` gets the position reached and the head.
///
/// # Errors
/// When the store does not answer; what is wrong with the log is in the report.
pub async fn verify(
    log: &Arc<dyn EventLog>,
    progress: &mut (dyn FnMut(Position, Position) + Send),
) -> Result<LogReport, ReadError> {
    let head = log.head().await?.position;
    let mut report = LogReport::default();
    let (mut last, mut time) = (Position::ZERO, Instant::from_micros(i64::MIN));
    let mut pages = pin!(replay(log.clone(), Position::ZERO, head, REPLAY_PAGE));
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(unavailable @ ReadError::Unavailable(_)) => return Err(unavailable),
            Err(fault) => {
                report.faults.push(LogFault::Read(fault));
                return Ok(report);
            }
        };
        for event in &page {
            if event.recorded_at < time {
                report.faults.push(LogFault::Time { position: event.position });
            }
            if let Err(reason) = event.decode() {
                report.faults.push(LogFault::Decode { position: event.position, reason });
            }
            (last, time) = (event.position, event.recorded_at);
            report.events += 1;
        }
        progress(last, head);
    }
    if last != head {
        report.faults.push(LogFault::Head { head, last });
    }
    let broken = log.broken_streams(NAMED).await?;
    report.faults.extend(broken.into_iter().map(|stream| LogFault::Stream { stream }));
    report.faults.extend(log.outside(NAMED).await?.into_iter().map(LogFault::Outside));
    report.faults.extend(log.difference(head, progress).await?);
    Ok(report)
}
