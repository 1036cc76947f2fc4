//! What keeps the replica of a process fed with what others append to the stream.
//!
//! Guarantees: it goes on where the replica stands, whoever brought it there; a stream that does not
//! answer is asked again with a growing pause, without end; every turn has a pause, so it never spins. A turn
//! is left out when this process appended meanwhile: the replica was at the end of the stream then, and whoever
//! appends would wait for the follower.
//!
//! Deliberately absent: subscriptions (see `source`). The replica is asked where it stands and the
//! stream what follows, a few times a second.

use std::time::Duration;

use domain::Position;
use tokio::sync::{oneshot, watch};

use super::super::writer::BatchError;
use super::replica::Replica;
use super::source::Source;
use super::writer::catch_up;

/// The pause while events come in, and the longest one while none do.
const BUSY: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_millis(250);
/// The longest pause while the stream or the replica does not answer.
const AWAY: Duration = Duration::from_secs(5);

/// Follows the stream until `stop` is told or dropped. `follows` says whether it gets on; `appended` is how
/// far this process appended.
pub(super) async fn follow<R: Replica>(
    mut replica: R,
    mut source: Source,
    mut appended: watch::Receiver<Position>,
    follows: watch::Sender<bool>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut pause = BUSY;
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => return,
            () = tokio::time::sleep(pause) => {}
        }
        let has_appended = appended.has_changed().unwrap_or_default();
        appended.mark_unchanged();
        if has_appended && *follows.borrow() {
            continue;
        }
        let step = tokio::select! {
            biased;
            _ = &mut stop => return,
            step = catch_up(&mut replica, &mut source) => step,
        };
        pause = match step {
            Ok(0) => (pause * 2).min(IDLE),
            Ok(_) => BUSY,
            Err(error) => {
                let reason = reason_of(&error);
                tracing::warn!(reason, "the replica does not follow EventStoreDB");
                metrics::counter!("event_store_follow_failures").increment(1);
                // A connection that was cut in the middle of anything begins anew.
                let _ = replica.reconnect().await;
                follows.send_replace(false);
                pause = (pause * 2).clamp(IDLE, AWAY);
                continue;
            }
        };
        follows.send_if_modified(|follows| !std::mem::replace(follows, true));
    }
}

fn reason_of(error: &BatchError) -> &str {
    match error {
        BatchError::Lost(reason) | BatchError::Rejected(reason) => reason,
        BatchError::Refused => "refused",
    }
}
