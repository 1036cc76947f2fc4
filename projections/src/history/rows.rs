//! Tables of the past.

use domain::business_line::StageCategory;
use domain::envelope::{Actor, Position};
use domain::ids::{ClueId, CommandId, ContactPointId, CorrelationId, CustomerId, EventId, OperatorId};
use domain::values::{Code, Instant, LineKey, StageKey};

use super::era::{LASTS, era};
use super::value::ValueKind;
use crate::clue_list::{CLUE_LIST, ClueRow};
use crate::sql::{Cell, Column, Kind, Record, Row, SqlError, TableDef, Value, record};

/// Columns behind those of the clue list.
const MORE: [Column; 3] = [
    Column { name: "name_folded", kind: Kind::Text },
    Column { name: "until_position", kind: Kind::Int },
    Column { name: "era", kind: Kind::Int },
];
const LISTED: usize = CLUE_LIST.columns.len();

const fn columns() -> [Column; LISTED + MORE.len()] {
    let mut columns = [MORE[0]; LISTED + MORE.len()];
    let mut index = 0;
    while index < columns.len() {
        columns[index] = if index < LISTED { CLUE_LIST.columns[index] } else { MORE[index - LISTED] };
        index += 1;
    }
    columns
}

/// Table `clue_past`.
pub const CLUE_PAST: &TableDef =
    &TableDef { name: "clue_past", columns: &columns(), key: &["clue_id", "position"], group: "customer_id" };

/// A clue as it was between two events. It has every column of the clue list, whatever is added there.
#[derive(Clone, Debug, PartialEq)]
pub struct CluePast {
    /// The row that the list had. Its position is where the state began.
    pub clue: ClueRow,
    /// The customer's name as searches saw it.
    pub name_folded: Option<String>,
    /// The position at which it ended; [`LASTS`] while it lasts.
    pub until: Position,
}

impl Record for CluePast {
    const TABLE: &'static TableDef = CLUE_PAST;
    const CURRENT: Option<&'static str> = Some("until_position = 9223372036854775807");
    type Key = (ClueId, Position);
    type Group = CustomerId;

    fn key(&self) -> Self::Key {
        (self.clue.clue_id, self.clue.position)
    }

    fn key_values(key: &Self::Key) -> Vec<Value> {
        vec![key.0.to_value(), key.1.to_value()]
    }

    fn group(&self) -> CustomerId {
        self.clue.customer_id
    }

    fn to_values(&self) -> Vec<Value> {
        let mut values = self.clue.to_values();
        let era = era(self.clue.position, self.until);
        values.extend([self.name_folded.to_value(), self.until.to_value(), era.to_value()]);
        values
    }

    fn from_row(row: &Row) -> Result<Self, SqlError> {
        Ok(Self { clue: ClueRow::from_row(row)?, name_folded: row.get(LISTED)?, until: row.get(LISTED + 1)? })
    }
}

record! {
    /// A value of a clue or a customer, and when it held.
    PastValueRow in PAST_VALUE = "past_value",
    key (subject_id: String, field: String, position: Position), group customer_id: CustomerId,
    current "until_position = 9223372036854775807" {
        /// Of which clue or customer.
        subject_id: String,
        /// Which of its values.
        field: String,
        /// From which event on.
        position: Position,
        /// Until before which event; [`LASTS`] while it holds.
        until_position: Position,
        /// Whose.
        customer_id: CustomerId,
        /// What kind of value.
        kind: ValueKind,
        /// Whether it is of a custom field, so that lists are searched by it.
        custom: bool,
        /// A word, an option's key, a day, a currency, or a number exactly as it was given.
        text: Option<String>,
        /// A number, to be compared.
        number: Option<f64>,
        /// An instant in microseconds, an amount in minor units, a count, or 0 and 1.
        whole: Option<i64>,
        /// What names or describes a person.
        personal: Option<String>,
        /// Whether that was there and is gone.
        redacted: bool,
    }
}

record! {
    /// A character, or a pair of characters, of a name that a customer had.
    PastGramRow in PAST_GRAM = "past_gram",
    key (customer_id: CustomerId, gram: String, position: Position), group customer_id: CustomerId,
    current "until_position = 9223372036854775807" {
        /// Whose name.
        customer_id: CustomerId,
        /// The characters.
        gram: String,
        /// From which event on.
        position: Position,
        /// Until before which event.
        until_position: Position,
    }
}

record! {
    /// Keyed hashes of a phone number that a customer had.
    PastPhoneRow in PAST_PHONE = "past_phone",
    key (customer_id: CustomerId, contact_point_id: ContactPointId, position: Position),
    group customer_id: CustomerId,
    current "until_position = 9223372036854775807" {
        /// Whose.
        customer_id: CustomerId,
        /// Which contact point.
        contact_point_id: ContactPointId,
        /// From which event on.
        position: Position,
        /// Until before which event.
        until_position: Position,
        /// Of the whole number.
        exact: String,
        /// Of its last eight digits.
        last8: String,
        /// Of its last four digits.
        last4: String,
    }
}

record! {
    /// What standing in a stage means, by version of the line's graph.
    PastGraphRow in PAST_GRAPH = "past_graph",
    key (line: LineKey, graph_version: u32, stage: StageKey), group line: LineKey {
        /// Of which line.
        line: LineKey,
        /// Which version.
        graph_version: u32,
        /// Which stage.
        stage: StageKey,
        /// What standing there means.
        category: StageCategory,
    }
}

record! {
    /// The envelope of an event.
    PastEventRow in PAST_EVENT = "past_event", key (position: Position), group position: Position {
        /// Its place in the log.
        position: Position,
        /// Its identity.
        event_id: EventId,
        /// What it happened to: the id of its stream.
        subject_id: String,
        /// Its stored type, for example `clue.claimed`.
        kind: String,
        /// When the log took it.
        recorded_at: Instant,
        /// Business time.
        occurred_at: Instant,
        /// Who did it.
        actor: Actor,
        /// For whom.
        on_behalf_of: Option<OperatorId>,
        /// In which line.
        line: Option<LineKey>,
        /// The command that it is a result of.
        command_id: CommandId,
        /// The intent that it is a result of.
        correlation_id: CorrelationId,
        /// The event that made the system issue the command.
        causation_id: Option<EventId>,
        /// Why, as a word.
        reason: Option<Code>,
        /// The version of the line's rules that the decision used.
        policy_version: Option<u32>,
    }
}

/// A row that holds from one position until before another.
pub trait Dated: Record {
    /// Until when.
    fn until(&mut self) -> &mut Position;
}

impl Dated for PastValueRow {
    fn until(&mut self) -> &mut Position {
        &mut self.until_position
    }
}

impl Dated for PastGramRow {
    fn until(&mut self) -> &mut Position {
        &mut self.until_position
    }
}

impl Dated for PastPhoneRow {
    fn until(&mut self) -> &mut Position {
        &mut self.until_position
    }
}

impl PastValueRow {
    /// Whether it holds still.
    pub fn lasts(&self) -> bool {
        self.until_position == LASTS
    }
}
