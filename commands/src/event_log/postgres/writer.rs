//! The writing connections: one statement commits a batch.
//!
//! The row of `log_head` is updated first and held to the end of the statement, so writers of all
//! processes stand in one line and positions become visible in their order.

use std::time::Duration;

use async_trait::async_trait;
use domain::envelope::{Revision, StreamId};
use domain::ids::CommandId;
use domain::{Instant, Position};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::{Arguments, Connection, Row};

use super::super::append::{Append, AppendError, KeyHolder, StoredCommand};
use super::super::columns::Columns;
use super::super::writer::{Backend, BatchError, Committed};

/// How long a call on the connection may take before it counts as lost.
const REPLY: Duration = Duration::from_secs(30);

/// A connection of this process that appends; owned, so that no pool pings it.
pub(in super::super) struct PgWriter {
    options: PgConnectOptions,
    pub(super) connection: PgConnection,
    pub(super) epoch: i64,
}

/// Data keys of people who are new. Nobody waits for these, so they go in before the head is taken.
const KEYS: &str = "\
new_key AS (
    INSERT INTO vault.data_keys (subject_id, wrapped, master_version, created_at)
    SELECT s, w, v, $3 FROM unnest($22::text[], $23::bytea[], $24::bigint[]) AS k(s, w, v)
    RETURNING 1
)";

/// Moves the head when the epoch is right and no stream would get a hole. LATERAL with LIMIT keeps
/// the look-ups on the index whatever the planner knows of the table.
const HEAD: &str = "\
head AS (
    UPDATE log_head SET position = position + $2, recorded_at = GREATEST(recorded_at, $3)
    WHERE id = 1 AND epoch = $1 AND cardinality($4::text[]) = (
        SELECT count(e.sequence) FROM unnest($4::text[], $5::text[], $6::bigint[]) AS p(t, i, s)
        CROSS JOIN LATERAL (
            SELECT sequence FROM events
            WHERE aggregate_type = p.t AND aggregate_id = p.i AND sequence = p.s LIMIT 1
        ) e)";

/// What makes the head stay when a stream has gone on that something was decided on, even while the
/// statement waited for the head: see the function. It comes late, for it takes the head.
const AS_DECIDED: &str = " AND log_is_as_decided($29::text[], $30::text[], $31::bigint[])";

/// What makes the head stay when somebody's data key is gone under which something is sealed, even when that
/// went while the statement waited for the head. It takes the head, too.
const HAS_KEYS: &str = " AND log_has_keys($32::text[])";

/// What makes the head wait for the data keys.
const KEYS_ARE_IN: &str = " AND cardinality($22::text[]) = (SELECT count(*) FROM new_key)";

const MOVED: &str = " RETURNING position - $2 AS base, recorded_at)";

const EVENTS: &str = "\
event AS (
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                        metadata, position, recorded_at)
    SELECT t, i, s, y, v, p::json, m::json, head.base + n, head.recorded_at
    FROM head, unnest($7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[],
                      $13::text[]) WITH ORDINALITY AS e(t, i, s, y, v, p, m, n)
)";

const COMMANDS: &str = "\
command AS (
    INSERT INTO commands (command_id, fingerprint, result, position, recorded_at)
    SELECT c, f, r, head.base + o, head.recorded_at
    FROM head, unnest($14::text[], $15::bytea[], $16::text[], $17::bigint[]) AS c(c, f, r, o)
)";

const CLAIMS: &str = "\
claim AS (
    INSERT INTO unique_keys (scope, key, owner, item)
    SELECT c.s, c.k, c.o, c.i
    FROM head, unnest($18::text[], $19::text[], $20::text[], $21::text[]) AS c(s, k, o, i)
)";

const GIVE_UP: &str = "\
release AS (
    DELETE FROM unique_keys USING head, unnest($25::text[], $26::text[]) AS r(o, i)
    WHERE unique_keys.owner = r.o AND unique_keys.item = r.i
), release_owner AS (
    DELETE FROM unique_keys USING head WHERE owner = ANY($27::text[])
), destroy AS (
    DELETE FROM vault.data_keys USING head WHERE subject_id = ANY($28::text[])
)";

/// Parameters of the statement, whichever parts it has.
const PARAMETERS: usize = 32;

impl PgWriter {
    /// Two, so that one batch is laid out, sent and bound while another waits for the disk: the
    /// head's row lets them in one after the other. More lanes only make smaller batches.
    pub async fn connect(options: &PgConnectOptions) -> Result<Vec<Self>, sqlx::Error> {
        let first = Self::alone(options).await?;
        let connection = PgConnection::connect_with(&first.options).await?;
        let second = Self { options: first.options.clone(), connection, epoch: first.epoch };
        Ok(vec![first, second])
    }

    /// One of them.
    pub async fn alone(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        // The plan is the same whatever the batch; planning would cost as much as the insert.
        let options = options.clone().options([("plan_cache_mode", "force_generic_plan")]);
        let mut connection = PgConnection::connect_with(&options).await?;
        let row = sqlx::query("SELECT epoch FROM log_head WHERE id = 1").fetch_one(&mut connection).await?;
        Ok(Self { options, connection, epoch: row.get(0) })
    }

    /// `None` when the head does not move: fenced off, a stream would get a hole, one has gone on that
    /// something was decided on, or somebody is erased for whom something is sealed.
    pub(super) async fn write(
        &mut self,
        columns: Columns<'_>,
        batch: &[&Append],
        now: Instant,
    ) -> Result<Option<Committed>, sqlx::Error> {
        if columns.is_stale {
            return Ok(None);
        }
        let sql = statement(&columns, batch.iter().any(|append| append.gives_up()));
        let mut arguments = PgArguments::default();
        arguments.reserve(PARAMETERS, 2 * batch.iter().map(|append| append.bytes()).sum::<usize>());
        let releases = batch.iter().flat_map(|append| &append.releases);
        let (holders, items): (Vec<&str>, Vec<&str>) =
            releases.map(|holder| (holder.owner.as_str(), holder.item.as_str())).unzip();
        let owners: Vec<&str> =
            batch.iter().flat_map(|append| &append.release_owners).map(String::as_str).collect();
        let destroyed: Vec<String> =
            batch.iter().flat_map(|append| &append.destroy_keys).map(ToString::to_string).collect();
        let row = sqlx::query_with(&sql, arguments)
            .bind(self.epoch)
            .bind(columns.event_count())
            .bind(now.micros())
            .bind(columns.predecessors.aggregate_types)
            .bind(columns.predecessors.aggregate_ids)
            .bind(columns.predecessors.sequences)
            .bind(columns.aggregate_types)
            .bind(columns.aggregate_ids)
            .bind(columns.sequences)
            .bind(columns.event_types)
            .bind(columns.event_versions)
            .bind(columns.payloads)
            .bind(columns.metadata)
            .bind(columns.command_ids)
            .bind(columns.fingerprints)
            .bind(columns.results)
            .bind(columns.offsets)
            .bind(columns.claim_scopes)
            .bind(columns.claim_keys)
            .bind(columns.claim_owners)
            .bind(columns.claim_items)
            .bind(&columns.subjects)
            .bind(columns.wrapped)
            .bind(columns.master_versions)
            .bind(holders)
            .bind(items)
            .bind(owners)
            .bind(destroyed)
            .bind(columns.decided_on.aggregate_types)
            .bind(columns.decided_on.aggregate_ids)
            .bind(columns.decided_on.sequences)
            .bind(columns.seals_for)
            .fetch_optional(&mut self.connection)
            .await?;
        if row.is_none() && !columns.subjects.is_empty() {
            // The keys went in all the same. Nothing was sealed under them in the log.
            sqlx::query("DELETE FROM vault.data_keys WHERE subject_id = ANY($1)")
                .bind(&columns.subjects)
                .execute(&mut self.connection)
                .await?;
        }
        Ok(row.map(|row| Committed {
            base: Position::new(row.get(0)),
            recorded_at: Instant::from_micros(row.get(1)),
        }))
    }
}

/// The statement with just the parts that the batch needs. Few different ones come up, and each is
/// prepared once; parameters keep their numbers, so an unused one is an empty array.
fn statement(columns: &Columns<'_>, gives_up: bool) -> String {
    let keys = !columns.subjects.is_empty();
    let as_decided = if columns.decided_on.sequences.is_empty() { "" } else { AS_DECIDED };
    let has_keys = if columns.seals_for.is_empty() { "" } else { HAS_KEYS };
    let head = format!("{HEAD}{}{as_decided}{has_keys}{MOVED}", if keys { KEYS_ARE_IN } else { "" });
    let parts = [
        keys.then_some(KEYS),
        Some(&head),
        Some(EVENTS),
        Some(COMMANDS),
        (!columns.claim_scopes.is_empty()).then_some(CLAIMS),
        gives_up.then_some(GIVE_UP),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    format!("WITH {} SELECT base, recorded_at FROM head", parts.join(", "))
}

fn batch_error(error: sqlx::Error) -> BatchError {
    match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => BatchError::Refused,
        // Class 22, data exception, and the other integrity violations of class 23.
        sqlx::Error::Database(database)
            if database.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")) =>
        {
            BatchError::Rejected(database.message().to_owned())
        }
        _ => BatchError::Lost(error.to_string()),
    }
}

/// A call that must answer in time: a connection to a stopped server never would.
pub(super) async fn in_time<T>(
    call: impl Future<Output = Result<T, sqlx::Error>> + Send,
) -> Result<T, BatchError> {
    match tokio::time::timeout(REPLY, call).await {
        Ok(answer) => answer.map_err(batch_error),
        Err(_) => Err(BatchError::Lost("no reply in time".to_owned())),
    }
}

#[async_trait]
impl Backend for PgWriter {
    async fn commit(&mut self, batch: &[&Append], now: Instant) -> Result<Committed, BatchError> {
        in_time(self.write(Columns::of(batch.iter().copied()), batch, now)).await?.ok_or(BatchError::Refused)
    }

    async fn explain(&mut self, append: &Append) -> Result<AppendError, BatchError> {
        if let Some((stored, _)) = self.find(append.command.id).await? {
            return Ok(AppendError::CommandExists(stored));
        }
        let epoch = sqlx::query("SELECT epoch FROM log_head WHERE id = 1").fetch_one(&mut self.connection);
        if in_time(epoch).await?.get::<i64, _>(0) != self.epoch {
            return Ok(AppendError::Fenced { epoch: self.epoch });
        }
        for claim in &append.claims {
            let owner = sqlx::query("SELECT owner, item FROM unique_keys WHERE scope = $1 AND key = $2")
                .bind(&claim.key.scope)
                .bind(&claim.key.key)
                .fetch_optional(&mut self.connection);
            if let Some(row) = in_time(owner).await? {
                let holder = KeyHolder { owner: row.get(0), item: row.get(1) };
                return Ok(AppendError::KeyTaken { key: claim.key.clone(), holder });
            }
        }
        for (stream, expected) in append.expectations() {
            let last = sqlx::query(
                "SELECT coalesce(max(sequence), 0) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2",
            )
            .bind(stream.aggregate_type())
            .bind(stream.id())
            .fetch_one(&mut self.connection);
            if in_time(last).await?.get::<i64, _>(0) != expected.get() {
                return Ok(wrong_revision((stream, expected)));
            }
        }
        let subjects: Vec<String> = append.seals_for.iter().map(ToString::to_string).collect();
        let kept = sqlx::query("SELECT subject_id FROM vault.data_keys WHERE subject_id = ANY($1)")
            .bind(subjects)
            .fetch_all(&mut self.connection);
        let kept: Vec<String> = in_time(kept).await?.iter().map(|row| row.get(0)).collect();
        if let Some(subject) = append.sealed_without_key(&kept) {
            return Ok(AppendError::KeyDestroyed { subject });
        }
        // It was refused a moment ago and would not be now: a conflict that has passed.
        append.expectations().next().map(wrong_revision).ok_or(BatchError::Refused)
    }

    async fn find(&mut self, command: CommandId) -> Result<Option<(StoredCommand, Instant)>, BatchError> {
        let row = sqlx::query(
            "SELECT fingerprint, result, position, recorded_at FROM commands WHERE command_id = $1",
        )
        .bind(command.to_string())
        .fetch_optional(&mut self.connection);
        Ok(in_time(row).await?.map(|row| {
            let position = Position::new(row.get(2));
            let stored = StoredCommand { fingerprint: row.get(0), result: row.get(1), position };
            (stored, Instant::from_micros(row.get(3)))
        }))
    }

    async fn reconnect(&mut self) -> Result<(), BatchError> {
        self.connection = in_time(PgConnection::connect_with(&self.options)).await?;
        Ok(())
    }
}

fn wrong_revision((stream, expected): (&StreamId, Revision)) -> AppendError {
    AppendError::WrongExpectedRevision { stream: stream.clone(), expected }
}
