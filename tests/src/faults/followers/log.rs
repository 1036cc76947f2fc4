//! Follows the log.

use tokio::sync::watch;
use tokio::time::timeout;

use super::lines::{Line, Lines};
use super::{Follower, Notes, SILENCE, Told};
use crate::faults::site::Site;

/// Positions of the log in the order in which they came.
pub type Positions = Vec<i64>;

impl Follower<Positions> {
    /// Follows the log.
    #[must_use]
    pub fn of_log(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        let token = site.auditor.token.clone();
        Self::start(servers, move |server, told| {
            let token = token.clone();
            async move { follow(&server, &token, &told).await }
        })
    }
}

async fn follow(server: &str, token: &str, told: &Notes<Positions>) {
    let after = told.borrow().last;
    let request = reqwest::Client::new()
        .get(format!("{server}/events?follow=true&after={after}"))
        .bearer_auth(token)
        .send();
    let Ok(Ok(reply)) = timeout(SILENCE, request).await else { return };
    if reply.status().as_u16() == 409 {
        let lost =
            format!("a server at {server} knows nothing of position {after}, which a subscriber was told");
        told.send_modify(|told| told.complain(lost));
        return;
    }
    if !reply.status().is_success() {
        return;
    }
    let mut lines = Lines::of(reply);
    loop {
        match lines.next().await {
            Line::End => return,
            Line::Bad(what) => return told.send_modify(|told| told.complain(what)),
            Line::Event(position, text) => told.send_modify(|told| told.take(position, 1, &text)),
            Line::Progress(position, text) => told.send_modify(|told| told.take(position, 0, &text)),
        }
    }
}

impl Told<Positions> {
    /// A line of so many events.
    fn take(&mut self, position: i64, events: i64, text: &str) {
        let expected = self.last + events;
        if position != expected {
            self.complain(format!("position {position} was told, {expected} is the next: {text}"));
        }
        if events > 0 {
            self.seen.push(position);
            self.last = position;
        }
    }
}
