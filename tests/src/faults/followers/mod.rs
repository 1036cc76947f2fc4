//! Subscribers that live through everything: one follows the log, one the list of clues, two keep a
//! picture of a view, one is a consumer whose position the server keeps.
//!
//! Each goes on, on whichever server there is, from the last position that it was told. What breaks a
//! promise is kept as a complaint, for the checks at the end of the round.

mod clues;
mod consumer;
mod lines;
mod log;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub use clues::{LastChanges, Picture};
pub use consumer::{Acknowledged, NAME};
pub use log::Positions;

/// How long a follower rests before it connects again.
const REST: Duration = Duration::from_millis(50);
/// A server that says nothing for longer is given up: it speaks at least every fifteen seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// What a subscriber was told.
#[derive(Clone, Debug, Default)]
pub struct Told<S> {
    /// The last position.
    pub last: i64,
    /// What it makes of it.
    pub seen: S,
    /// Promises that were broken.
    pub complaints: Vec<String>,
    /// How often it connected.
    pub connections: usize,
}

/// Where a subscriber notes what it is told.
type Notes<S> = watch::Sender<Told<S>>;

/// A subscriber. It ends with this handle.
pub struct Follower<S> {
    told: Arc<Notes<S>>,
    following: JoinHandle<()>,
}

impl<S: Default + Send + Sync + 'static> Follower<S> {
    /// What it was told, also from now on.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Told<S>> {
        self.told.subscribe()
    }

    fn start<F>(
        servers: watch::Receiver<Vec<String>>,
        follow: impl Fn(String, Arc<Notes<S>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let told = Arc::new(watch::channel(Told::default()).0);
        let following = tokio::spawn(keep_on(servers, told.clone(), follow));
        Self { told, following }
    }
}

impl<S> Drop for Follower<S> {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl<S> Told<S> {
    fn complain(&mut self, of: impl Into<String>) {
        self.complaints.push(of.into());
    }
}

/// Connects again and again, to the last server that came up.
async fn keep_on<S, F: Future<Output = ()>>(
    mut servers: watch::Receiver<Vec<String>>,
    told: Arc<Notes<S>>,
    follow: impl Fn(String, Arc<Notes<S>>) -> F,
) {
    loop {
        let server = servers.borrow_and_update().last().cloned();
        let Some(server) = server else {
            if servers.changed().await.is_err() {
                return;
            }
            continue;
        };
        told.send_modify(|told| told.connections += 1);
        // A server that is no longer named may be stopped and never say anything again.
        let gone = async { drop(servers.wait_for(|now| !now.contains(&server)).await) };
        tokio::select! {
            () = follow(server.clone(), told.clone()) => {}
            () = gone => {}
        }
        sleep(REST).await;
    }
}

/// A number, or the string of one.
pub fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
