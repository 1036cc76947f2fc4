//! PostgreSQL as the replica of a log that is in EventStoreDB.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::proof::StoredEvent;
use domain::{Instant, Position};
use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row};

use super::super::append::Append;
use super::super::columns::Columns;
use super::super::eventstoredb::{Entry, Outcome, Replica, Staged};
use super::super::stored::stored;
use super::super::writer::{Backend, BatchError};
use super::writer::{PgWriter, in_time};
use super::{SOURCE, page};

#[async_trait]
impl Replica for PgWriter {
    async fn tip(&mut self) -> Result<Position, BatchError> {
        let row = sqlx::query("SELECT position FROM log_head WHERE id = 1").fetch_one(&mut self.connection);
        Ok(Position::new(in_time(row).await?.get(0)))
    }

    async fn source(&mut self) -> Result<Option<String>, BatchError> {
        let row = in_time(sqlx::query(SOURCE).fetch_optional(&mut self.connection)).await?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn become_replica(&mut self, stream: &str) -> Result<(), BatchError> {
        // Whoever has written the log for itself until now must not go on.
        let marked = sqlx::query(
            "WITH marked AS (INSERT INTO log_source (id, stream) VALUES (1, $1) ON CONFLICT DO NOTHING RETURNING 1) \
             UPDATE log_head SET epoch = epoch + 1 FROM marked WHERE id = 1",
        )
        .bind(stream)
        .execute(&mut self.connection);
        in_time(marked).await?;
        let row = sqlx::query("SELECT epoch FROM log_head WHERE id = 1").fetch_one(&mut self.connection);
        self.epoch = in_time(row).await?.get(0);
        Ok(())
    }

    async fn rows(&mut self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, BatchError> {
        let rows = in_time(page(&mut self.connection, after, limit)).await?;
        Ok(rows.iter().map(stored).collect())
    }

    async fn store_keys(&mut self, batch: &[&Append], now: Instant) -> Result<(), BatchError> {
        let keys: Vec<_> = batch.iter().flat_map(|append| &append.new_keys).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let stored = sqlx::query(
            "INSERT INTO vault.data_keys (subject_id, wrapped, master_version, created_at) \
             SELECT s, w, v, $4 FROM unnest($1::text[], $2::bytea[], $3::bigint[]) AS k(s, w, v) \
             ON CONFLICT (subject_id) DO NOTHING",
        )
        .bind(keys.iter().map(|key| key.subject.to_string()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.wrapped.as_slice()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| i64::from(key.master_version)).collect::<Vec<_>>())
        .bind(now.micros())
        .execute(&mut self.connection);
        in_time(stored).await.map(drop)
    }

    async fn stage(&mut self, batch: &[&Append], now: Instant) -> Result<Option<Staged>, BatchError> {
        let (mut columns, epoch) = (Columns::of(batch.iter().copied()), self.epoch);
        // The keys are in the vault for good by now.
        columns.subjects.clear();
        columns.wrapped.clear();
        columns.master_versions.clear();
        in_time(self.connection.execute("BEGIN")).await?;
        let laid = in_time(self.write(columns, batch, now)).await;
        if let Ok(Some(committed)) = laid {
            return Ok(Some(Staged { committed, epoch }));
        }
        self.discard().await?;
        match laid {
            Ok(_) | Err(BatchError::Refused) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn keep(&mut self) -> Result<(), BatchError> {
        in_time(self.connection.execute("COMMIT")).await.map(drop)
    }

    async fn discard(&mut self) -> Result<(), BatchError> {
        match in_time(self.connection.execute("ROLLBACK")).await {
            Ok(_) => Ok(()),
            Err(_) => self.reconnect().await,
        }
    }

    async fn apply(&mut self, after: Position, entries: &[Entry]) -> Result<bool, BatchError> {
        in_time(self.connection.execute("BEGIN")).await?;
        match in_time(take(&mut self.connection, after, entries)).await {
            Ok(true) => {
                self.keep().await?;
                Ok(true)
            }
            Ok(false) => {
                self.discard().await?;
                Ok(false)
            }
            Err(error) => {
                self.discard().await?;
                Err(error)
            }
        }
    }
}

/// Takes events of the stream within a transaction; `false` when the head is not where they follow.
async fn take(
    connection: &mut PgConnection,
    after: Position,
    entries: &[Entry],
) -> Result<bool, sqlx::Error> {
    let Some(last) = entries.last() else { return Ok(true) };
    let moved = sqlx::query(
        "UPDATE log_head SET position = $1, recorded_at = GREATEST(recorded_at, $2) \
         WHERE id = 1 AND position = $3",
    )
    .bind(last.row.position.get())
    .bind(last.row.recorded_at.micros())
    .bind(after.get())
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    insert_events(connection, entries).await?;
    let outcomes = entries.iter().flat_map(|entry| &entry.commands);
    let mut claims = Claims::default();
    for outcome in outcomes.clone() {
        if gives_up(outcome) {
            std::mem::take(&mut claims).flush(connection).await?;
            give_up(connection, outcome).await?;
        }
        for claim in &outcome.claims {
            claims.0.insert((&claim.scope, &claim.key), (&claim.owner, &claim.item));
        }
    }
    claims.flush(connection).await?;
    insert_commands(connection, entries).await?;
    Ok(true)
}

async fn insert_events(connection: &mut PgConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    let texts = |of: fn(&StoredEvent) -> &str| entries.iter().map(|entry| of(&entry.row)).collect::<Vec<_>>();
    let numbers =
        |of: fn(&StoredEvent) -> i64| entries.iter().map(|entry| of(&entry.row)).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
         metadata, position, recorded_at) SELECT t, i, s, y, v, p::json, m::json, n, r \
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], \
                     $8::bigint[], $9::bigint[]) AS e(t, i, s, y, v, p, m, n, r)",
    )
    .bind(texts(|row| &row.aggregate_type))
    .bind(texts(|row| &row.aggregate_id))
    .bind(numbers(|row| row.sequence.get()))
    .bind(texts(|row| &row.event_type))
    .bind(texts(|row| &row.event_version))
    .bind(texts(|row| &row.payload))
    .bind(texts(|row| &row.metadata))
    .bind(numbers(|row| row.position.get()))
    .bind(numbers(|row| row.recorded_at.micros()))
    .execute(connection)
    .await?;
    Ok(())
}

/// What the stream says wins over results that were recorded here alone.
async fn insert_commands(connection: &mut PgConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    // The last of each id: one statement writes no row twice.
    let mut last: BTreeMap<&str, (&Outcome, i64)> = BTreeMap::new();
    for entry in entries {
        last.extend(entry.commands.iter().map(|of| (of.id.as_str(), (of, entry.row.recorded_at.micros()))));
    }
    let ids: Vec<&str> = last.keys().copied().collect();
    // Not an upsert: the program has no right to change a row of these.
    sqlx::query("DELETE FROM commands WHERE command_id = ANY($1)")
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO commands (command_id, fingerprint, result, position, recorded_at) \
         SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bigint[], $5::bigint[])",
    )
    .bind(ids)
    .bind(last.values().map(|(outcome, _)| outcome.fingerprint.as_slice()).collect::<Vec<_>>())
    .bind(last.values().map(|(outcome, _)| outcome.result.as_str()).collect::<Vec<_>>())
    .bind(last.values().map(|(outcome, _)| outcome.position).collect::<Vec<_>>())
    .bind(last.values().map(|(_, recorded_at)| *recorded_at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

const fn gives_up(outcome: &Outcome) -> bool {
    !(outcome.releases.is_empty() && outcome.release_owners.is_empty() && outcome.destroyed_keys.is_empty())
}

async fn give_up(connection: &mut PgConnection, outcome: &Outcome) -> Result<(), sqlx::Error> {
    let (owners, items): (Vec<&str>, Vec<&str>) =
        outcome.releases.iter().map(|holder| (holder.owner.as_str(), holder.item.as_str())).unzip();
    sqlx::query(
        "DELETE FROM unique_keys USING unnest($1::text[], $2::text[]) AS r(o, i) \
         WHERE unique_keys.owner = r.o AND unique_keys.item = r.i",
    )
    .bind(owners)
    .bind(items)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM unique_keys WHERE owner = ANY($1)")
        .bind(&outcome.release_owners)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM vault.data_keys WHERE subject_id = ANY($1)")
        .bind(&outcome.destroyed_keys)
        .execute(connection)
        .await?;
    Ok(())
}

/// Claims that come before the next time somebody gives something up; the last of each key.
#[derive(Default)]
struct Claims<'a>(BTreeMap<(&'a str, &'a str), (&'a str, &'a str)>);

impl Claims<'_> {
    async fn flush(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (keys, holders): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        let (scopes, keys): (Vec<&str>, Vec<&str>) = keys.into_iter().unzip();
        let (owners, items): (Vec<&str>, Vec<&str>) = holders.into_iter().unzip();
        sqlx::query(
            "DELETE FROM unique_keys USING unnest($1::text[], $2::text[]) AS c(s, k) \
             WHERE unique_keys.scope = c.s AND unique_keys.key = c.k",
        )
        .bind(&scopes)
        .bind(&keys)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO unique_keys (scope, key, owner, item) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])",
        )
        .bind(scopes)
        .bind(keys)
        .bind(owners)
        .bind(items)
        .execute(connection)
        .await?;
        Ok(())
    }
}
