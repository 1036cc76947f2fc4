//! What clients send, how, and what they are answered.

use std::time::Duration;

use commands::clock::{Clock, SystemClock, fresh_uuid};
use serde_json::{Value, json};
use uuid::Uuid;

use super::site::{AGENTS, LINE, Person};
use crate::random::Random;

/// How long a client waits before it asks again.
const REPLY: Duration = Duration::from_secs(4);

/// Something that a client wants done. Clues and customers are named by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A customer with a phone number is registered.
    Register {
        /// The number.
        phone: String,
    },
    /// A clue is taken in and pooled, of a person or of a known customer.
    Capture {
        /// The person's number.
        phone: String,
        /// The customer, when known.
        customer: Option<String>,
        /// What the source calls the record.
        key: String,
    },
    /// A pooled clue becomes the client's.
    Claim(String),
    /// A contact with the customer of a clue is logged.
    FollowUp(String),
    /// A clue goes back to the pool.
    Release(String),
    /// A clue goes to another agent.
    Transfer(String, usize),
    /// A person is forgotten.
    Erase(String),
}

/// A command: sent again, it is the same.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its id.
    pub id: Uuid,
    /// Who sends it: an agent, or the manager behind them.
    pub by: usize,
    /// What it is.
    pub wish: Wish,
}

/// What a client was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done(Done),
    /// The rules forbid it, now and at every repeat.
    Refused(String),
    /// The client may not do that, now and at every repeat.
    Forbidden,
    /// Nobody knows.
    Lost(String),
}

/// A command that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Where the log shows it.
    pub position: i64,
    /// The clue that it made.
    pub clue: Option<String>,
    /// The customer that it made or found.
    pub customer: Option<String>,
}

/// What exists, as far as clients were told.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Clues.
    pub clues: Vec<String>,
    /// Customers.
    pub customers: Vec<String>,
}

impl Known {
    /// One of the newest, so that clients meet at them.
    fn recent(things: &[String], random: &mut Random) -> Option<String> {
        let newest = things.len().min(6);
        (newest > 0).then(|| things[things.len() - 1 - random.below(newest)].clone())
    }
}

impl Command {
    /// The next command of a client.
    #[must_use]
    pub fn draw(random: &mut Random, known: &Known, run: u64) -> Self {
        let (choice, by) = (random.below(20), random.below(AGENTS));
        // Few numbers and few keys, so that clients want the same ones at once.
        let phone = format!("138{:04}{:04}", run % 10_000, random.below(2_000));
        let key = format!("{run}-{}", random.below(600));
        let to = random.below(AGENTS);
        let clue = Known::recent(&known.clues, random);
        let customer = Known::recent(&known.customers, random);
        let capture = |customer| Wish::Capture { phone: phone.clone(), customer, key: key.clone() };
        let (by, wish) = match (choice, clue, customer) {
            (0..=4, ..) | (_, None, _) => (by, capture(None)),
            (5, _, customer) => (by, capture(customer)),
            (6, ..) => (AGENTS, Wish::Register { phone }),
            (7..=10, Some(clue), _) => (by, Wish::Claim(clue)),
            (11..=13, Some(clue), _) => (by, Wish::FollowUp(clue)),
            (14 | 15, Some(clue), _) => (by, Wish::Release(clue)),
            (16, Some(clue), _) => (AGENTS, Wish::Release(clue)),
            (17 | 18, Some(clue), _) => (AGENTS, Wish::Transfer(clue, to)),
            (_, _, Some(customer)) => (AGENTS, Wish::Erase(customer)),
            (.., None) => (by, capture(None)),
        };
        Self::new(by, wish)
    }

    /// A command with a fresh id.
    #[must_use]
    pub fn new(by: usize, wish: Wish) -> Self {
        Self { id: fresh_uuid(SystemClock.now()), by, wish }
    }

    /// Its mutation with its input.
    fn mutation(&self, people: &[Person]) -> (&'static str, &'static str, &'static str, Value) {
        let source = |key: Option<&String>| json!({ "channel": "website", "key": key });
        let contacts = |phone: &String| json!([{ "kind": "PHONE", "value": phone }]);
        match &self.wish {
            Wish::Register { phone } => (
                "registerCustomer",
                "RegisterCustomerInput",
                "customerId",
                json!({ "line": LINE, "name": "Li Wei", "source": source(None), "contacts": contacts(phone) }),
            ),
            Wish::Capture { phone, customer, key } => {
                let whose = match customer {
                    Some(customer) => json!({ "customerId": customer }),
                    None => json!({ "person": { "name": "Wang Fang", "contacts": contacts(phone) } }),
                };
                let route = json!({ "pool": true });
                let input =
                    json!({ "line": LINE, "source": source(Some(key)), "customer": whose, "route": route });
                ("captureClue", "CaptureClueInput", "clueId customerId", input)
            }
            Wish::Claim(clue) => ("claimClue", "ClueInput", "clueId", json!({ "clueId": clue })),
            Wish::FollowUp(clue) => (
                "logFollowUp",
                "LogFollowUpInput",
                "clueId",
                json!({ "clueId": clue, "channel": "CALL", "outcome": "CONNECTED", "durationSeconds": 60,
                        "note": "Wants to see it on Sunday." }),
            ),
            Wish::Release(clue) => ("releaseClue", "ReleaseClueInput", "clueId", json!({ "clueId": clue })),
            Wish::Transfer(clue, to) => (
                "transferClue",
                "ClueOwnerInput",
                "clueId",
                json!({ "clueId": clue, "operatorId": people[*to].id }),
            ),
            Wish::Erase(customer) => (
                "eraseCustomer",
                "EraseCustomerInput",
                "customerId",
                json!({ "customerId": customer, "ground": "request-of-the-person" }),
            ),
        }
    }

    /// Sends it once to a server.
    pub async fn send(&self, http: &reqwest::Client, url: &str, people: &[Person]) -> Answer {
        let (name, input_type, ids, mut input) = self.mutation(people);
        input["commandId"] = json!(self.id);
        let query = format!(
            "mutation M($input: {input_type}!) {{ {name}(input: $input) {{ {ids} position userErrors {{ code }} }} }}"
        );
        let request = http
            .post(format!("{url}/graphql"))
            .bearer_auth(&people[self.by].token)
            .header("accept", "application/json")
            .timeout(REPLY)
            .json(&json!({ "query": query, "variables": { "input": input } }));
        let body = match request.send().await {
            Ok(response) => response.json::<Value>().await,
            Err(error) => Err(error),
        };
        match body {
            Ok(body) => self.answer(&body, name),
            Err(error) => Answer::Lost(format!("{error:?}")),
        }
    }

    fn answer(&self, body: &Value, name: &str) -> Answer {
        let payload = &body["data"][name];
        if let Some(code) = payload["userErrors"][0]["code"].as_str() {
            return Answer::Refused(code.to_owned());
        }
        let position = payload["position"].as_str().and_then(|position| position.parse().ok());
        if let (Some(position), true) = (position, body["errors"].is_null()) {
            let id = |field: &str| payload[field].as_str().map(str::to_owned);
            let made = matches!(self.wish, Wish::Capture { .. });
            let clue = if made { id("clueId") } else { None };
            return Answer::Done(Done { position, clue, customer: id("customerId") });
        }
        match body["errors"][0]["extensions"]["code"].as_str() {
            Some("forbidden") => Answer::Forbidden,
            _ => Answer::Lost(body.to_string()),
        }
    }
}
