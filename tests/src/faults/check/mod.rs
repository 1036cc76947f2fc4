//! What must be true after every round, whatever went wrong in it.
//!
//! Guarantees: each check names the promise that was broken and where. They look at the log in two
//! ways, through the port and over HTTP, and at everything that clients and subscribers were told since
//! the run began.

mod linear;
mod log;
mod persons;

use std::collections::BTreeMap;
use std::sync::Arc;

use commands::event_log::EventLog;
use domain::envelope::Position;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use linear::{Moves, assert_linear};
pub use log::{Entry, assert_sound, over_http, through_port};
use persons::assert_persons;

use super::PATIENCE;
use super::clients::Observed;
use super::command::{Answer, Wish};
use super::followers::{self, Acknowledged, Follower, LastChanges, Picture, Positions, Told};
use super::process::Setting;
use super::site::Site;

/// What a run remembers from round to round.
#[derive(Default)]
pub struct Memory {
    /// The log as it was at the last check.
    log: Vec<Entry>,
    /// How many commands were looked up in it.
    looked_up: usize,
}

impl Memory {
    /// How many events there were at the last check.
    #[must_use]
    pub const fn events(&self) -> usize {
        self.log.len()
    }
}

/// The subscribers of a run.
pub struct Followers {
    /// Follows the log.
    pub log: Follower<Positions>,
    /// Follows the list of clues.
    pub clues: Follower<LastChanges>,
    /// Has a picture of the pool.
    pub pool: Follower<Picture>,
    /// Has a picture of the clues of the first agent.
    pub agent: Follower<Picture>,
    /// A consumer whose position the server keeps.
    pub consumer: Follower<Acknowledged>,
}

/// Checks everything. Nobody sends commands meanwhile.
///
/// # Panics
/// When a promise was broken.
pub async fn check(
    site: &Site,
    server: &str,
    history: &[Observed],
    followers: &Followers,
    memory: &mut Memory,
) {
    let port = site.database.log().await;
    let log = through_port(&port).await;
    assert_sound(&log);
    let http = over_http(server, &site.auditor.token).await;
    assert_eq!(http, log, "the log over HTTP is the log through the port");
    assert!(log.starts_with(&memory.log), "what was in the log at the last check is in it as it was");
    assert_sent(&log, history, site);
    assert_acknowledged(&port, &log, &history[memory.looked_up..]).await;
    memory.looked_up = history.len();
    port.close().await;
    assert_linear(&log, &Moves::of(history, &site.people));
    assert_persons(&log, history);
    assert_told(&log, followers).await;
    assert_pictured(&log, &followers.pool, "the pool", in_pool).await;
    let agent = &*site.people[0].id;
    assert_pictured(&log, &followers.agent, "an agent's clues", |entry| given_to(entry, agent)).await;
    assert_kept(&log, &followers.consumer, server, &site.auditor.token).await;
    seal(&site.setting).await;
    verify(site).await;
    memory.log = log;
}

/// What operators did is what they sent; everything else the program did by itself.
fn assert_sent(log: &[Entry], history: &[Observed], site: &Site) {
    let sent: BTreeMap<Uuid, &str> =
        history.iter().map(|observed| (observed.command.id, &*site.people[observed.command.by].id)).collect();
    for entry in log.iter().filter(|entry| !entry.actor.starts_with("system:")) {
        let by = entry.actor.strip_prefix("operator:");
        assert!(by.is_some() && by == sent.get(&entry.command).copied(), "nobody sent {entry:?}");
    }
}

/// Whatever was acknowledged is in the log where the acknowledgement said, and each command has its
/// effect once.
async fn assert_acknowledged(port: &Arc<dyn EventLog>, log: &[Entry], history: &[Observed]) {
    let mut effects: BTreeMap<Uuid, Vec<&Entry>> = BTreeMap::new();
    for entry in log {
        effects.entry(entry.command).or_default().push(entry);
    }
    for (command, entries) in &effects {
        let dense = entries.windows(2).all(|pair| pair[1].position == pair[0].position + 1);
        assert!(dense, "command {command} has one effect, in one place: {entries:?}");
        let mut kinds: Vec<_> = entries.iter().map(|entry| (&entry.stream, &*entry.kind)).collect();
        kinds.sort();
        let before = kinds.len();
        // The same is said twice only about different parts of one thing: contacts, fields, policies.
        let of_parts = |kind: &str| kind.contains("contact") || kind.starts_with("business_line.");
        kinds.dedup_by(|one, other| one == other && !of_parts(one.1));
        assert_eq!(kinds.len(), before, "command {command} has each effect once: {entries:?}");
    }
    for observed in history {
        let (id, answer) = (observed.command.id, &observed.answer);
        let stored = port.command((id).into()).await.expect("the log answers");
        let effect = effects.get(&id);
        match answer {
            Answer::Done(done) => {
                let stored = stored.unwrap_or_else(|| panic!("{observed:?} is not in the log"));
                assert_eq!(stored.position.get(), done.position, "{observed:?} is where it was said to be");
                assert!(done.position <= log.last().map_or(0, |entry| entry.position), "{observed:?}");
                if let Some(entries) = effect {
                    assert_eq!(
                        entries.last().map(|entry| entry.position),
                        Some(done.position),
                        "{observed:?}"
                    );
                } else {
                    let may_be_nothing = matches!(observed.command.wish, Wish::Claim(_) | Wish::Transfer(..));
                    assert!(may_be_nothing, "{observed:?} has an effect");
                }
            }
            Answer::Refused(_) => {
                assert!(stored.is_some(), "{observed:?} is remembered");
                let tried = effect
                    .is_none_or(|entries| entries.iter().all(|entry| entry.stream.0 == "clue_attempts"));
                assert!(tried, "{observed:?} has no effect: {effect:?}");
            }
            Answer::Forbidden => {
                assert!(stored.is_some(), "{observed:?} is remembered");
                assert!(effect.is_none(), "{observed:?} has no effect: {effect:?}");
            }
            Answer::Lost(_) => panic!("{observed:?} has no answer"),
        }
    }
}

/// Every subscriber saw every position once and in order, up to the end of the log; who follows the
/// list was told the last change of every clue.
async fn assert_told(log: &[Entry], followers: &Followers) {
    let head = log.last().map_or(0, |entry| entry.position);
    let all: Vec<i64> = (1..=head).collect();
    let told = until(&followers.log, |told| {
        (told.last < head).then(|| format!("a subscriber is not told the log to its end at {head}"))
    });
    let told = told.await;
    assert!(told.complaints.is_empty(), "a subscriber of the log: {:#?}", told.complaints);
    assert_eq!(told.seen, all, "a subscriber of the log is told each position once and in order");

    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.stream.0 == "clue") {
        last.insert(&entry.stream.1, entry.position);
    }
    let behind = |told: &Told<LastChanges>| {
        let known = |clue: &str| told.seen.positions.get(clue).copied().unwrap_or_default();
        let (clue, at) = last.iter().find(|(clue, at)| known(clue) < **at)?;
        Some(format!(
            "a subscriber is not told the last change of clue {clue}, at {at}, but one at {}",
            known(clue)
        ))
    };
    let told = until(&followers.clues, behind).await;
    assert!(told.complaints.is_empty(), "a subscriber of the list of clues: {:#?}", told.complaints);
    // What an event of a person changes in several clues is told in front of that event, where the clue
    // itself may have changed last.
    let of_person = |position: i64| {
        let next = usize::try_from(position).ok().and_then(|index| log.get(index));
        next.is_some_and(|entry| entry.stream.0 == "customer")
    };
    let twice = told.seen.repeated.iter().find(|(_, position)| !of_person(*position));
    assert!(twice.is_none(), "a subscriber of the list of clues is told {twice:?} twice");
}

/// Whoever hears of changes alone has the picture of a view that the log has.
async fn assert_pictured(
    log: &[Entry],
    follower: &Follower<Picture>,
    view: &str,
    shows: impl Fn(&Entry) -> Option<bool>,
) {
    let mut picture = Picture::new();
    for entry in log.iter().filter(|entry| entry.stream.0 == "clue") {
        match shows(entry) {
            Some(true) => drop(picture.insert(entry.stream.1.clone())),
            Some(false) => drop(picture.remove(&entry.stream.1)),
            None => {}
        }
    }
    let differs = |told: &Told<Picture>| {
        let wrong: Vec<&String> = told.seen.symmetric_difference(&picture).collect();
        (!wrong.is_empty()).then(|| format!("the picture of {view} is wrong in {wrong:?}"))
    };
    let told = until(follower, differs).await;
    assert!(told.complaints.is_empty(), "a subscriber of {view}: {:#?}", told.complaints);
}

/// Whether a clue is in the pool behind an event; `None` as before it.
fn in_pool(entry: &Entry) -> Option<bool> {
    match &*entry.kind {
        "clue.pooled" | "clue.released" => Some(true),
        "clue.claimed" => Some(false),
        _ => None,
    }
}

/// Whether a clue is an agent's behind an event; `None` as before it.
fn given_to(entry: &Entry, agent: &str) -> Option<bool> {
    match &*entry.kind {
        "clue.claimed" | "clue.transferred" => Some(entry.to.as_deref() == Some(agent)),
        "clue.released" => Some(false),
        _ => None,
    }
}

/// A consumer got everything behind what it had acknowledged, nothing that it had, and has acknowledged
/// the log to its end by now, which the server knows.
async fn assert_kept(log: &[Entry], consumer: &Follower<Acknowledged>, server: &str, token: &str) {
    let head = log.last().map_or(0, |entry| entry.position);
    let told = until(consumer, |told| {
        (told.seen.kept < head)
            .then(|| format!("a consumer is at {} of {head} events, {:?}", told.last, told.seen))
    });
    let told = told.await;
    assert!(told.complaints.is_empty(), "a consumer: {:#?}", told.complaints);
    let url = format!("{server}/consumers/{}", followers::NAME);
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.expect("an answer");
    let kept: serde_json::Value = answer.json().await.expect("a consumer");
    assert_eq!(followers::number(&kept["position"]), Some(head), "the server keeps its position: {kept}");
}

/// Waits until nothing is missing of what a subscriber was told.
async fn until<S>(follower: &Follower<S>, mut missing: impl FnMut(&Told<S>) -> Option<String>) -> Told<S>
where
    S: Clone + Default + Send + Sync + 'static,
{
    let mut told = follower.told();
    let reached = async { told.wait_for(|told| missing(told).is_none()).await.map(|told| told.clone()) };
    if let Ok(Ok(told)) = timeout_at(Instant::now() + PATIENCE, reached).await {
        return told;
    }
    let told = told.borrow();
    let (last, complaints, connections) = (told.last, &told.complaints, told.connections);
    let what = missing(&told).unwrap_or_default();
    panic!("{what}: it is at {last} on connection {connections}, {complaints:#?}")
}

/// Signs what the log holds now, or waits for the server to do it.
async fn seal(setting: &Setting) {
    let output = setting.run(&["checkpoint"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cluestream checkpoint: {told}");
}

/// `cluestream verify --checkpoints`: the log is sound and is what was signed ever since, its root
/// computed anew, and every read model equals a fold of it from its beginning.
async fn verify(site: &Site) {
    let deadline = Instant::now() + PATIENCE;
    let checkpoints = site.checkpoints().display().to_string();
    loop {
        let output = site.setting.run(&["verify", "--checkpoints", &checkpoints]).await;
        if output.status.success() {
            return;
        }
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // Somebody who was killed may still hold the lease of a verification.
        let held = told.contains("another process works on");
        assert!(held && Instant::now() < deadline, "cluestream verify: {said}{told}");
    }
}

/// Where a log ends.
///
/// # Panics
/// When it does not answer.
pub async fn head(port: &Arc<dyn EventLog>) -> Position {
    port.head().await.expect("the log answers").position
}
