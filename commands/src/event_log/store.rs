//! Our own `cqrs_es::EventStore`: loads through the stock repositories, commits through the log.

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::persist::{EventStoreAggregateContext, PersistenceError};
use cqrs_es::{AggregateError, EventEnvelope, EventStore};
use domain::contracts::upcasters;
use domain::envelope::{Metadata, Revision, StreamId};
use domain::{Aggregate, EventContract};

use super::append::{Append, AppendError, CommandRecord, NewEvent, StreamAppend};
use super::{EventLog, append};

/// Event store of one kind of aggregate over the log.
pub struct LogEventStore<'a> {
    log: &'a Arc<dyn EventLog>,
}

impl<'a> LogEventStore<'a> {
    /// A store over `log`.
    #[must_use]
    pub const fn new(log: &'a Arc<dyn EventLog>) -> Self {
        Self { log }
    }
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl<A: Aggregate> EventStore<A> for LogEventStore<'_> {
    type AC = EventStoreAggregateContext<A>;

    async fn load_events(&self, id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let stored = self.log.streams().events::<A>(id).await.map_err(|error| match error {
            PersistenceError::ConnectionError(error) => AggregateError::DatabaseConnectionError(error),
            // The stock repositories know few of the ways in which a database does not answer: a
            // pool without a connection and a server that starts up come as unknown.
            PersistenceError::UnknownError(error) if error.is::<sqlx::Error>() => {
                AggregateError::DatabaseConnectionError(error)
            }
            other => AggregateError::UnexpectedError(other.into()),
        })?;
        let mut envelopes = Vec::with_capacity(stored.len());
        for event in stored {
            let sequence = event.sequence;
            let metadata = serde_json::from_value(event.metadata.clone()).map_err(malformed)?;
            let payload = upcasters().decode_value(event).map_err(malformed)?;
            envelopes.push(EventEnvelope { aggregate_id: id.to_owned(), sequence, payload, metadata });
        }
        Ok(envelopes)
    }

    async fn load_aggregate(
        &self,
        id: &str,
    ) -> Result<EventStoreAggregateContext<A>, AggregateError<A::Error>> {
        let mut aggregate = A::default();
        let mut current_sequence = 0;
        for envelope in EventStore::<A>::load_events(self, id).await? {
            if envelope.sequence != current_sequence + 1 {
                let hole = format!("revision {} of {id} is missing", current_sequence + 1);
                return Err(AggregateError::UnexpectedError(hole.into()));
            }
            aggregate.evolve(&envelope.payload);
            current_sequence = envelope.sequence;
        }
        let aggregate_id = id.to_owned();
        Ok(EventStoreAggregateContext { aggregate_id, aggregate, current_sequence, current_snapshot: None })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: EventStoreAggregateContext<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let text = serde_json::to_string(&metadata).map_err(malformed)?;
        let envelope: Metadata = serde_json::from_str(&text).map_err(malformed)?;
        let expected = Revision::new(i64::try_from(context.current_sequence).unwrap_or(i64::MAX));
        let new = |event: &A::Event| {
            let payload = serde_json::to_string(event).map_err(malformed)?;
            NewEvent::sealed(event.contract(), payload, text.clone()).map_err(malformed)
        };
        let new_events = events.iter().map(new).collect::<Result<Vec<_>, _>>()?;
        let command =
            CommandRecord { id: envelope.command_id, fingerprint: [0; 16], result: "{}".to_owned() };
        let stream = StreamId::stored(A::TYPE, &context.aggregate_id);
        let streams = vec![StreamAppend { stream, expected, events: new_events }];
        append(self.log.as_ref(), Append { streams, ..Append::of(command) }).await.map_err(|error| {
            match error {
                AppendError::WrongExpectedRevision { .. } => AggregateError::AggregateConflict,
                other => AggregateError::DatabaseConnectionError(Box::new(other)),
            }
        })?;
        let numbered = events.into_iter().zip(context.current_sequence + 1..);
        Ok(numbered
            .map(|(payload, sequence)| EventEnvelope {
                aggregate_id: context.aggregate_id.clone(),
                sequence,
                payload,
                metadata: metadata.clone(),
            })
            .collect())
    }
}

fn malformed<E: std::error::Error>(error: impl Into<Boxed>) -> AggregateError<E> {
    AggregateError::DeserializationError(error.into())
}
