//! A named consumer: it takes what comes and acknowledges it, and goes on behind that.

use std::ops::RangeInclusive;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::lines::{Line, Lines};
use super::{Follower, Notes, SILENCE, Told, number};
use crate::faults::site::Site;

/// What it is called.
pub const NAME: &str = "faults";

/// How far a consumer acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Up to here, as it was answered.
    pub kept: i64,
    /// Up to here, as far as it asked for that.
    asked: i64,
    /// The lease that it has.
    lease: Option<String>,
}

impl Follower<Acknowledged> {
    /// A consumer of all events.
    #[must_use]
    pub fn of_consumer(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        let token = site.auditor.token.clone();
        Self::start(servers, move |server, told| {
            let token = token.clone();
            async move {
                let url = format!("{server}/consumers/{NAME}");
                let reader = Reader { http: Client::new(), url, token: &token, told: &told };
                reader.follow().await.unwrap_or_default();
            }
        })
    }
}

/// The reader of the consumer, at one server.
struct Reader<'a> {
    http: Client,
    url: String,
    token: &'a str,
    told: &'a Notes<Acknowledged>,
}

impl Reader<'_> {
    /// `None` when the server is gone or refuses.
    async fn follow(&self) -> Option<()> {
        // The same call again changes nothing.
        self.answer(self.http.put(&self.url).json(&json!({}))).await?;
        let (replay, begins) = self.replay();
        let reply = self.sent(self.http.get(replay)).await?;
        let header = |name: &str| Some(reply.headers().get(name)?.to_str().ok()?.to_owned());
        let (lease, begin) = (header("cluestream-lease")?, header("cluestream-after")?.parse().ok()?);
        self.told.send_modify(|told| told.begin(begin, &begins, lease));
        let (mut lines, mut last) = (Lines::of(reply), begin);
        loop {
            let (position, events, text) = match lines.next().await {
                Line::Event(position, text) => (position, 1, text),
                Line::Progress(position, text) => (position, 0, text),
                Line::End => return None,
                Line::Bad(what) => {
                    self.told.send_modify(|told| told.complain(what));
                    return None;
                }
            };
            self.told.send_modify(|told| told.take(position, last + events, &text));
            last = position;
            if events > 0 && !lines.has_more() {
                self.acknowledge(last).await?;
            }
        }
    }

    /// Where to read, and behind which positions that may begin. Whoever knows its lease goes on where it
    /// was; every other time it asks for what it did not acknowledge.
    fn replay(&self) -> (String, RangeInclusive<i64>) {
        let told = self.told.borrow();
        let Acknowledged { kept, asked, lease } = &told.seen;
        let url = format!("{}/events?follow=true&lease_seconds=20", self.url);
        match lease {
            Some(lease) if told.connections.is_multiple_of(2) => {
                (format!("{url}&lease={lease}&after={}", told.last), told.last..=told.last)
            }
            Some(lease) => (format!("{url}&lease={lease}"), *kept..=*asked),
            None => (url, *kept..=*asked),
        }
    }

    async fn acknowledge(&self, position: i64) -> Option<()> {
        self.told.send_modify(|told| told.seen.asked = told.seen.asked.max(position));
        let lease = self.told.borrow().seen.lease.clone();
        let body = json!({ "lease": lease, "position": position, "lease_seconds": 20 });
        let answer = self.answer(self.http.post(format!("{}/ack", self.url)).json(&body)).await?;
        self.told.send_modify(|told| {
            if number(&answer["position"]) != Some(position) {
                told.complain(format!("{position} was acknowledged and answered with {answer}"));
            }
            told.seen.kept = told.seen.kept.max(position);
        });
        Some(())
    }

    /// The body of an answer that is no refusal.
    async fn answer(&self, request: RequestBuilder) -> Option<Value> {
        let reply = self.sent(request).await?;
        timeout(SILENCE, reply.json()).await.ok()?.ok()
    }

    /// An answer that is no refusal.
    async fn sent(&self, request: RequestBuilder) -> Option<Response> {
        let reply = timeout(SILENCE, request.bearer_auth(self.token).send()).await.ok()?.ok()?;
        match reply.status() {
            StatusCode::OK => Some(reply),
            StatusCode::CONFLICT => {
                let refusal: Value = timeout(SILENCE, reply.json()).await.ok()?.ok()?;
                self.refused(&refusal).await;
                None
            }
            _ => None,
        }
    }

    async fn refused(&self, refusal: &Value) {
        let Acknowledged { kept, asked, .. } = self.told.borrow().seen.clone();
        match refusal["errors"][0]["extensions"]["code"].as_str() {
            // The answer that named the lease was lost. Its owner may end it.
            Some("consumer_leased") => {
                let to = json!({ "position": kept });
                let seek = self.http.post(format!("{}/seek", self.url)).json(&to);
                drop(timeout(SILENCE, seek.bearer_auth(self.token).send()).await);
            }
            // An answer that was lost did that.
            Some("lease_lost") => self.told.send_modify(|told| told.seen.lease = None),
            // What was delivered is known for sure only once it is acknowledged.
            Some("position_undelivered") => {}
            // An acknowledgement whose answer was lost arrived meanwhile.
            Some("position_acknowledged") if kept < asked => {}
            _ => self.told.send_modify(|told| told.complain(format!("a consumer was refused: {refusal}"))),
        }
    }
}

impl Told<Acknowledged> {
    /// A reply begins.
    fn begin(&mut self, after: i64, allowed: &RangeInclusive<i64>, lease: String) {
        if !allowed.contains(&after) {
            self.complain(format!("a consumer begins behind {after}, where it may begin behind {allowed:?}"));
        }
        self.seen.lease = Some(lease);
    }

    /// A line at a position, where another one was expected or not.
    fn take(&mut self, position: i64, expected: i64, text: &str) {
        if position != expected {
            self.complain(format!("a consumer got position {position}, {expected} is the next: {text}"));
        }
        self.last = self.last.max(position);
    }
}
