//! Events as columns. `docs/bi.md` is the dictionary; names, types and field ids never change.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    Int32Builder, Int64Builder, StringBuilder, StringDictionaryBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Metadata, Schema, SchemaRef, TimeUnit};
use domain::envelope::RecordedEvent;
use uuid::Uuid;

use super::super::access::View;
use super::super::data::{self, Unreadable};

/// What Parquet calls the id of a field in Arrow's metadata.
const FIELD_ID: &str = "PARQUET:field_id";
const UTC: &str = "UTC";

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Long,
    Int,
    Instant,
    Text,
    /// One of few words, stored once a batch.
    Word,
}

/// The columns in their order, which is also that of their field ids, and whether they may be null.
const COLUMNS: [(&str, Kind, bool); 20] = [
    ("position", Kind::Long, false),
    ("event_id", Kind::Text, false),
    ("stream_type", Kind::Word, false),
    ("stream_id", Kind::Text, false),
    ("revision", Kind::Long, false),
    ("type", Kind::Word, false),
    ("version", Kind::Int, false),
    ("recorded_at", Kind::Instant, false),
    ("occurred_at", Kind::Instant, false),
    ("actor", Kind::Word, false),
    ("on_behalf_of", Kind::Word, true),
    ("line", Kind::Word, true),
    ("subject", Kind::Text, true),
    ("command_id", Kind::Text, false),
    ("correlation_id", Kind::Text, false),
    ("causation_id", Kind::Text, true),
    ("reason", Kind::Word, true),
    ("policy_version", Kind::Int, true),
    ("data", Kind::Text, false),
    ("trace", Kind::Text, true),
];

/// The columns as Arrow has them.
pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = COLUMNS.iter().enumerate().map(|(index, (name, kind, nullable))| {
        let id = Metadata::new().with(FIELD_ID, (index + 1).to_string());
        Field::new(*name, kind.data_type(), *nullable).with_metadata(id)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

/// The names of columns whose words repeat.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().filter(|(_, kind, _)| *kind == Kind::Word).map(|(name, ..)| *name)
}

/// The names of columns of numbers that differ little from row to row.
pub(super) fn numbers() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().filter(|(_, kind, _)| matches!(kind, Kind::Long | Kind::Instant)).map(|(name, ..)| *name)
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Long => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Self::Text => DataType::Utf8,
            Self::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        }
    }
}

type Words = StringDictionaryBuilder<Int32Type>;

/// Gathers events of a page.
pub(in super::super) struct Columns {
    view: View,
    position: Int64Builder,
    event_id: StringBuilder,
    stream_type: Words,
    stream_id: StringBuilder,
    revision: Int64Builder,
    event_type: Words,
    version: Int32Builder,
    recorded_at: TimestampMicrosecondBuilder,
    occurred_at: TimestampMicrosecondBuilder,
    actor: Words,
    on_behalf_of: Words,
    line: Words,
    subject: StringBuilder,
    command_id: StringBuilder,
    correlation_id: StringBuilder,
    causation_id: StringBuilder,
    reason: Words,
    policy_version: Int32Builder,
    data: StringBuilder,
    trace: StringBuilder,
    /// Where an event's data and its actor are written before they are taken in.
    json: Vec<u8>,
    text: String,
}

impl Columns {
    /// For so many events.
    pub fn with_capacity(rows: usize, view: View) -> Self {
        let ids = || StringBuilder::with_capacity(rows, rows * 36);
        let instants = || TimestampMicrosecondBuilder::with_capacity(rows).with_timezone(UTC);
        Self {
            view,
            position: Int64Builder::with_capacity(rows),
            event_id: ids(),
            stream_type: Words::new(),
            stream_id: ids(),
            revision: Int64Builder::with_capacity(rows),
            event_type: Words::new(),
            version: Int32Builder::with_capacity(rows),
            recorded_at: instants(),
            occurred_at: instants(),
            actor: Words::new(),
            on_behalf_of: Words::new(),
            line: Words::new(),
            subject: ids(),
            command_id: ids(),
            correlation_id: ids(),
            causation_id: StringBuilder::new(),
            reason: Words::new(),
            policy_version: Int32Builder::with_capacity(rows),
            data: StringBuilder::new(),
            trace: StringBuilder::new(),
            json: Vec::new(),
            text: String::new(),
        }
    }

    /// Takes an event in. What cannot be read is not taken in by half.
    pub fn push(&mut self, event: &RecordedEvent) -> Result<(), Unreadable> {
        let number = |number: u32| i32::try_from(number).map_err(|_| Unreadable("its version is too large"));
        let version = event.event_version.parse().map_err(|_| Unreadable("its version is not a number"))?;
        let version = number(version)?;
        let policy_version = event.metadata.policy_version.map(number).transpose()?;
        self.json.clear();
        data::write(&mut self.json, event, self.view)?;
        let data = std::str::from_utf8(&self.json).map_err(|_| data::NOT_JSON)?;

        let metadata = &event.metadata;
        let mut buffer = Uuid::encode_buffer();
        let mut id = |builder: &mut StringBuilder, id: Uuid| {
            builder.append_value(id.hyphenated().encode_lower(&mut buffer));
        };
        self.position.append_value(event.position.get());
        id(&mut self.event_id, metadata.event_id.uuid());
        self.stream_type.append_value(event.stream.aggregate_type());
        self.stream_id.append_value(event.stream.id());
        self.revision.append_value(event.revision.get());
        self.event_type.append_value(&*event.event_type);
        self.version.append_value(version);
        self.recorded_at.append_value(event.recorded_at.micros());
        self.occurred_at.append_value(metadata.occurred_at.micros());
        self.text.clear();
        let _ = write!(self.text, "{}", metadata.actor);
        self.actor.append_value(&self.text);
        self.on_behalf_of.append_option(metadata.on_behalf_of.map(|operator| operator.to_string()));
        self.line.append_option(metadata.line.as_ref().map(|line| line.as_str()));
        match metadata.subject {
            Some(subject) => id(&mut self.subject, subject.uuid()),
            None => self.subject.append_null(),
        }
        id(&mut self.command_id, metadata.command_id.uuid());
        id(&mut self.correlation_id, metadata.correlation_id.uuid());
        match metadata.causation_id {
            Some(cause) => id(&mut self.causation_id, cause.uuid()),
            None => self.causation_id.append_null(),
        }
        self.reason.append_option(metadata.reason.as_ref().map(|reason| reason.as_str()));
        self.policy_version.append_option(policy_version);
        self.data.append_value(data);
        let trace = metadata.trace.as_deref().filter(|_| self.view != View::Pseudonymous);
        self.trace.append_option(trace);
        Ok(())
    }

    /// The batch.
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.position.finish()),
            Arc::new(self.event_id.finish()),
            Arc::new(self.stream_type.finish()),
            Arc::new(self.stream_id.finish()),
            Arc::new(self.revision.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.recorded_at.finish()),
            Arc::new(self.occurred_at.finish()),
            Arc::new(self.actor.finish()),
            Arc::new(self.on_behalf_of.finish()),
            Arc::new(self.line.finish()),
            Arc::new(self.subject.finish()),
            Arc::new(self.command_id.finish()),
            Arc::new(self.correlation_id.finish()),
            Arc::new(self.causation_id.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.policy_version.finish()),
            Arc::new(self.data.finish()),
            Arc::new(self.trace.finish()),
        ];
        RecordBatch::try_new(SCHEMA.clone(), columns)
    }
}
