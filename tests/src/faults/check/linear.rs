//! Is there one order of everything that agrees with time and with every answer?
//!
//! The log gives the order of what was done: a stream is a register that events are appended to, and
//! its revisions are the order of its versions. So it is left to check that this order agrees with real
//! time, that each event was allowed by a model of a clue at its place, and that each refusal, and each
//! answer that nothing was left to do, was right at some place between the sending and the answer, later
//! places for those that were sent after the answer to others.
//!
//! The model is its own: it shares no code with the program.

use std::collections::BTreeMap;

use tokio::time::Instant;
use uuid::Uuid;

use super::log::Entry;
use crate::faults::clients::Observed;
use crate::faults::command::{Answer, Wish};
use crate::faults::site::{AGENTS, Person};

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, or was so already.
    Done,
    /// The rules forbid it.
    Refused(String),
    /// The caller may not do that.
    Forbidden,
}

/// A command between its sending and its answer.
#[derive(Clone, Debug)]
pub struct Move {
    /// Its id.
    pub command: Uuid,
    /// The operator who sent it.
    pub by: String,
    /// Whether that is an agent and not the manager.
    pub agent: bool,
    /// What it is.
    pub wish: Wish,
    /// To whom a transfer goes.
    pub to: Option<String>,
    /// When it was sent first.
    pub sent: Instant,
    /// When its answer was there.
    pub answered: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

/// Everything that was sent.
pub struct Moves(Vec<Move>);

impl Moves {
    /// Of moves.
    #[must_use]
    pub const fn new(moves: Vec<Move>) -> Self {
        Self(moves)
    }

    /// Of what clients observed.
    #[must_use]
    pub fn of(history: &[Observed], people: &[Person]) -> Self {
        let of = |observed: &Observed| {
            let command = &observed.command;
            let to = match &command.wish {
                Wish::Transfer(_, to) => Some(people[*to].id.clone()),
                _ => None,
            };
            Some(Move {
                command: command.id,
                by: people[command.by].id.clone(),
                agent: command.by < AGENTS,
                wish: command.wish.clone(),
                to,
                sent: observed.sent,
                answered: observed.answered,
                outcome: match &observed.answer {
                    Answer::Done(_) => Outcome::Done,
                    Answer::Refused(code) => Outcome::Refused(code.clone()),
                    Answer::Forbidden => Outcome::Forbidden,
                    Answer::Lost(_) => return None,
                },
            })
        };
        Self(history.iter().filter_map(of).collect())
    }
}

/// A clue as the model has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Clue {
    #[default]
    Absent,
    /// Taken in, nobody's.
    Waiting,
    /// In the pool; who gave it back last may not take it again.
    Pooled {
        former: Option<String>,
    },
    Owned {
        by: String,
        former: Option<String>,
    },
    /// Won, by an import.
    Ended,
}

impl Clue {
    fn owner(&self) -> Option<&str> {
        match self {
            Self::Owned { by, .. } => Some(by),
            _ => None,
        }
    }

    /// The clue behind an event; `None` when the event is not allowed.
    fn behind(&self, entry: &Entry, by: Option<&Move>) -> Option<Self> {
        // An agent works only what the agent owns.
        let may_work = by.is_none_or(|by| !by.agent || self.owner() == Some(&by.by));
        match (&*entry.kind, self) {
            ("clue.captured", Self::Absent) => Some(Self::Waiting),
            ("clue.pooled", Self::Waiting) => Some(Self::Pooled { former: None }),
            ("clue.won", Self::Waiting) => Some(Self::Ended),
            ("clue.claimed", Self::Pooled { former }) => {
                let by = by?;
                let may = entry.to.as_ref() == Some(&by.by) && former.as_ref() != Some(&by.by);
                may.then(|| Self::Owned { by: by.by.clone(), former: former.clone() })
            }
            ("clue.released", Self::Owned { by: owner, .. }) if may_work => {
                Some(Self::Pooled { former: Some(owner.clone()) })
            }
            ("clue.transferred", Self::Owned { by: owner, former }) => {
                let to = entry.to.clone()?;
                (to != *owner).then_some(Self::Owned { by: to, former: former.clone() })
            }
            ("clue.follow_up_logged", Self::Owned { .. }) if may_work => Some(self.clone()),
            ("clue.need_updated" | "clue.fields_set", Self::Waiting) => Some(Self::Waiting),
            // It comes with the follow-up that is checked.
            ("clue.first_response_recorded", Self::Owned { .. }) => Some(self.clone()),
            _ => None,
        }
    }

    /// Whether the model has this answer to a command that changes nothing.
    fn answers(&self, sent: &Move, erased: bool) -> bool {
        use Outcome::{Done, Forbidden, Refused};
        let refused = |code: &str| sent.outcome == Refused(code.to_owned());
        let owns = self.owner() == Some(&sent.by);
        if *self == Self::Absent {
            return refused("clue_not_found");
        }
        match (&sent.wish, self) {
            (Wish::Claim(_), Self::Pooled { former }) => {
                former.as_ref() == Some(&sent.by) && refused("claim_cooldown")
            }
            (Wish::Claim(_), Self::Owned { .. }) if owns => sent.outcome == Done,
            (Wish::Claim(_), Self::Owned { .. } | Self::Waiting) => refused("clue_not_pooled"),
            (Wish::Release(_) | Wish::FollowUp(_), _) if sent.agent && !owns => sent.outcome == Forbidden,
            (Wish::Release(_), Self::Pooled { .. }) => refused("clue_already_pooled"),
            (Wish::FollowUp(_), Self::Owned { .. }) => erased && refused("customer_erased"),
            (Wish::Transfer(..), Self::Owned { by, .. }) => {
                sent.to.as_ref() == Some(by) && sent.outcome == Done
            }
            (Wish::Transfer(..), Self::Pooled { .. } | Self::Waiting) => refused("clue_not_owned"),
            _ => false,
        }
    }
}

/// A version of a stream: what it was behind the events of a command.
struct Version {
    clue: Clue,
    /// The command's sending and answer, when a client sent it.
    time: Option<(Instant, Instant)>,
}

/// Fails when no one order of the commands agrees with time and with every answer.
///
/// # Panics
/// When there is none.
pub fn assert_linear(log: &[Entry], moves: &Moves) {
    let by_command: BTreeMap<Uuid, &Move> = moves.0.iter().map(|sent| (sent.command, sent)).collect();
    assert_real_time(log, &by_command);
    let mut streams: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.stream.0 == "clue") {
        streams.entry(&entry.stream.1).or_default().push(entry);
    }
    let written: BTreeMap<Uuid, ()> = log
        .iter()
        .filter(|entry| entry.stream.0 != "clue_attempts")
        .map(|entry| (entry.command, ()))
        .collect();
    let mut reads: BTreeMap<&str, Vec<&Move>> = BTreeMap::new();
    for sent in moves.0.iter().filter(|sent| !written.contains_key(&sent.command)) {
        match &sent.wish {
            Wish::Claim(clue) | Wish::FollowUp(clue) | Wish::Release(clue) | Wish::Transfer(clue, _) => {
                reads.entry(clue).or_default().push(sent);
            }
            Wish::Capture { .. } | Wish::Register { .. } | Wish::Erase(_) => {
                assert_refusal(log, moves, &by_command, sent);
            }
        }
    }
    for (clue, entries) in &streams {
        let versions = versions(entries, &by_command);
        let customer = entries.iter().find_map(|entry| entry.customer.as_deref());
        let erasure =
            log.iter().find(|entry| entry.kind == "customer.erased" && Some(&*entry.stream.1) == customer);
        if let Some(erased) = erasure {
            let noted =
                |entry: &&&Entry| entry.kind == "clue.follow_up_logged" && entry.position > erased.position;
            let late = entries.iter().find(noted);
            assert!(late.is_none(), "of whom was erased at {} something is noted: {late:?}", erased.position);
        }
        let erasure = erasure.and_then(|entry| by_command.get(&entry.command));
        let mut reads = reads.remove(clue).unwrap_or_default();
        reads.sort_by_key(|read| read.sent);
        assert_reads(clue, &versions, &reads, erasure.map(|erasure| erasure.sent));
    }
    assert!(reads.is_empty(), "answers about clues that are not in the log: {reads:#?}");
}

/// Nothing stands in the log before something that was answered before it was sent.
fn assert_real_time(log: &[Entry], by_command: &BTreeMap<Uuid, &Move>) {
    let mut latest: Option<(&Move, i64)> = None;
    for entry in log {
        let Some(sent) = by_command.get(&entry.command).copied() else { continue };
        if let Some((before, position)) = latest {
            assert!(
                sent.answered >= before.sent || sent.command == before.command,
                "what is at {} was answered before what is at {position} was sent: {sent:#?}, {before:#?}",
                entry.position
            );
        }
        if latest.is_none_or(|(before, _)| sent.sent > before.sent) {
            latest = Some((sent, entry.position));
        }
    }
}

/// The versions of a stream; fails at an event that the model does not allow.
fn versions(entries: &[&Entry], by_command: &BTreeMap<Uuid, &Move>) -> Vec<Version> {
    let mut versions = vec![Version { clue: Clue::Absent, time: None }];
    let mut last_command = None;
    let mut clue = Clue::Absent;
    for entry in entries {
        let sent = by_command.get(&entry.command).copied();
        clue = clue.behind(entry, sent).unwrap_or_else(|| {
            panic!("the model does not allow {entry:?} on {clue:?}, sent as {sent:#?}, in {entries:#?}")
        });
        let version = Version { clue: clue.clone(), time: sent.map(|sent| (sent.sent, sent.answered)) };
        if last_command == Some(entry.command) {
            versions.pop();
        }
        versions.push(version);
        last_command = Some(entry.command);
    }
    versions
}

/// Finds a version for each answer that changed nothing. The earliest that is possible leaves most room
/// to those that follow.
fn assert_reads(clue: &str, versions: &[Version], reads: &[&Move], erasure: Option<Instant>) {
    let mut placed: Vec<(Instant, usize)> = Vec::new();
    for read in reads {
        let seen = |version: &Version| version.time.is_some_and(|(_, answered)| answered < read.sent);
        let unseen = |version: &Version| version.time.is_some_and(|(sent, _)| sent > read.answered);
        let least = versions.iter().rposition(seen).unwrap_or(0);
        let least = placed
            .iter()
            .filter(|(answered, _)| *answered < read.sent)
            .map(|(_, at)| *at)
            .fold(least, usize::max);
        let most = versions.iter().position(unseen).unwrap_or(versions.len());
        let erased = erasure.is_some_and(|sent| sent <= read.answered);
        let fits = (least..most).find(|at| versions[*at].clue.answers(read, erased));
        let Some(at) = fits else {
            let clues: Vec<_> = versions.iter().map(|version| &version.clue).enumerate().collect();
            panic!(
                "clue {clue}: no version from {least} to before {most} answers {read:#?}; versions: {clues:#?}"
            );
        };
        placed.push((read.answered, at));
    }
}

/// A refusal of what has no clue yet needs its ground: the record was known, the customer erased, or
/// somebody else has the number.
fn assert_refusal(log: &[Entry], moves: &Moves, by_command: &BTreeMap<Uuid, &Move>, read: &Move) {
    let Outcome::Refused(code) = &read.outcome else {
        panic!("it is neither in the log nor refused: {read:#?}");
    };
    let sent_in_time =
        |entry: &Entry| by_command.get(&entry.command).is_none_or(|other| other.sent <= read.answered);
    let ground = match (&read.wish, &**code) {
        (Wish::Capture { key, .. }, "source_already_known") => {
            let is_it = |entry: &&Entry| entry.source.as_ref().is_some_and(|(_, known)| known == key);
            log.iter().find(is_it).is_some_and(sent_in_time)
        }
        (Wish::Capture { customer: Some(customer), .. } | Wish::Erase(customer), "customer_erased") => {
            let is_it = |entry: &&Entry| entry.kind == "customer.erased" && entry.stream.1 == *customer;
            log.iter().find(is_it).is_some_and(sent_in_time)
        }
        (Wish::Register { phone: wanted }, "contact_taken") => moves.0.iter().any(|other| {
            let has = match &other.wish {
                Wish::Register { phone } | Wish::Capture { phone, customer: None, .. } => phone == wanted,
                _ => false,
            };
            has && other.command != read.command
                && other.outcome == Outcome::Done
                && other.sent <= read.answered
        }),
        _ => false,
    };
    assert!(ground, "the refusal has no ground: {read:#?}");
}
