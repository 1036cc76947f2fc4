//! The lines of a reply that follows the log.

use serde_json::Value;
use tokio::time::timeout;

use super::{SILENCE, number};

/// A line of such a reply.
pub enum Line {
    /// An event at a position; its text is for complaints.
    Event(i64, String),
    /// Nothing more up to a position.
    Progress(i64, String),
    /// The reply is over.
    End,
    /// Nothing that there may be.
    Bad(String),
}

/// Lines as they come.
pub struct Lines {
    reply: reqwest::Response,
    rest: Vec<u8>,
}

impl Lines {
    /// The lines of a reply.
    pub const fn of(reply: reqwest::Response) -> Self {
        Self { reply, rest: Vec::new() }
    }

    /// The next one; [`Line::End`] also when it breaks off, or nobody speaks any more.
    pub async fn next(&mut self) -> Line {
        loop {
            if let Some(end) = self.end() {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return read(&line);
            }
            let Ok(Ok(Some(chunk))) = timeout(SILENCE, self.reply.chunk()).await else { return Line::End };
            self.rest.extend_from_slice(&chunk);
        }
    }

    /// Whether another one has come already.
    pub fn has_more(&self) -> bool {
        self.end().is_some()
    }

    fn end(&self) -> Option<usize> {
        self.rest.iter().position(|byte| *byte == b'\n')
    }
}

fn read(line: &[u8]) -> Line {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    let Ok(line) = serde_json::from_slice::<Value>(line) else {
        return Line::Bad(format!("a line is no JSON: {text}"));
    };
    if !line["end"].is_null() || !line["error"].is_null() {
        return Line::End;
    }
    let Some(position) = number(&line["position"]) else {
        return Line::Bad(format!("a line has no position: {text}"));
    };
    if line["eventId"].is_null() { Line::Progress(position, text) } else { Line::Event(position, text) }
}
