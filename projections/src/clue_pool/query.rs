//! Reads the pool.

use std::collections::HashMap;

use domain::business_line::PoolPolicy;
use domain::envelope::Position;
use domain::ids::{ClueId, OperatorId};
use domain::values::{Code, Instant, LineKey, StageKey};

use super::projector::{CLUE_POOL, PoolRow};
use crate::read::{Listing, Page, Paging, Predicate, QueryError, Viewer, fetch_page};
use crate::sql::{Database, Record, Sql, SqlError, Value};

/// Which pooled clues. Empty lists and absent values ask for nothing in particular.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolFilter {
    /// Of these lines.
    pub lines: Vec<LineKey>,
    /// In these stages.
    pub stages: Vec<StageKey>,
    /// Through these channels.
    pub channels: Vec<Code>,
    /// With so many stars or more.
    pub stars_at_least: Option<u8>,
    /// Captured from this instant on.
    pub captured_from: Option<Instant>,
    /// Captured before this instant.
    pub captured_until: Option<Instant>,
}

/// A pooled clue.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolItem {
    /// Which clue.
    pub clue_id: ClueId,
    /// Whose; the customer's query masks the person.
    pub customer_id: domain::ids::CustomerId,
    /// Its line.
    pub line: LineKey,
    /// The stage where it stands.
    pub stage: StageKey,
    /// The channel that it came through.
    pub source_channel: Code,
    /// The campaign that brought it.
    pub campaign: Option<String>,
    /// When it came in.
    pub captured_at: Instant,
    /// Since when it is open to claim.
    pub pooled_at: Instant,
    /// Stars of the customer in this line.
    pub stars: i64,
    /// Who gave it back last.
    pub former_owner_id: Option<OperatorId>,
    /// When.
    pub released_at: Option<Instant>,
    /// How often it was in the pool.
    pub times_pooled: i64,
    /// Whether the customer was really reached before.
    pub first_response: bool,
    /// Position of the last event in it.
    pub position: Position,
}

impl PoolItem {
    /// Until when this operator may not claim it, under the line's policy of now.
    #[must_use]
    pub fn cooldown_until(&self, operator_id: OperatorId, policy: &PoolPolicy) -> Option<Instant> {
        let released = self.released_at.filter(|_| self.former_owner_id == Some(operator_id))?;
        Some(released + policy.former_owner_cooldown())
    }
}

/// Reads the pool. Cheap to clone.
#[derive(Clone)]
pub struct PoolQuery {
    db: Database,
}

impl PoolQuery {
    /// On a database.
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self { db }
    }

    /// A page of the pooled clues of the viewer's lines: most stars first, then longest waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(
        &self,
        viewer: &Viewer,
        filter: &PoolFilter,
        paging: &Paging,
    ) -> Result<Page<PoolItem>, QueryError> {
        let select = CLUE_POOL.columns_of("p");
        let scope = PoolFilter { lines: filter.lines.clone(), ..PoolFilter::default() };
        let listing = Listing { short: *filter == scope, ..listing(&select) };
        let parts = parts(viewer, filter);
        let predicates: Vec<Predicate<'_>> = parts
            .iter()
            .map(|line| -> Predicate<'_> { Box::new(move |sql| push(sql, *line, filter)) })
            .collect();
        let place = |row: &PoolRow| {
            let pooled_at = row.pooled_at.map_or(0, Instant::micros);
            (vec![row.star_rank, pooled_at], row.clue_id.to_string())
        };
        let page = fetch_page(&self.db, &listing, &predicates, paging, PoolRow::from_row, place).await?;
        Ok(page.map(item))
    }

    /// How many pooled clues there are, counted up to `limit`; a count of `limit` may be more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self, viewer: &Viewer, filter: &PoolFilter, limit: u32) -> Result<i64, QueryError> {
        let mut count = 0;
        for line in parts(viewer, filter) {
            let mut sql = Sql::new("SELECT count(*) FROM (SELECT p.clue_id FROM clue_pool p WHERE 1 = 1");
            push(&mut sql, line, filter);
            sql.push(&format!(" LIMIT {limit}) AS bounded"));
            let rows = self.db.fetch(sql.text(), sql.params()).await?;
            count += rows.first().map_or(Ok(0), |row| row.get::<i64>(0))?;
        }
        Ok(count.min(i64::from(limit)))
    }

    /// Pooled clues by their ids, as far as they are in the viewer's lines.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_ids(
        &self,
        viewer: &Viewer,
        ids: &[ClueId],
    ) -> Result<HashMap<ClueId, PoolItem>, QueryError> {
        let columns = CLUE_POOL.column_list();
        let sql = format!("SELECT {columns} FROM clue_pool WHERE clue_id = ANY($1) AND pooled = 1");
        let rows = self.db.fetch(&sql, &[Value::texts(ids)]).await?;
        let rows: Vec<PoolRow> = rows.iter().map(PoolRow::from_row).collect::<Result<_, SqlError>>()?;
        let lines = viewer.pool_lines();
        let seen = |row: &PoolRow| lines.as_ref().is_none_or(|lines| lines.contains(&&row.line));
        Ok(rows.into_iter().filter(seen).map(|row| (row.clue_id, item(row))).collect())
    }
}

pub(super) const fn listing(select: &str) -> Listing<'_> {
    Listing {
        order: std::borrow::Cow::Borrowed("pool"),
        select,
        from: "clue_pool p",
        sort: &["p.star_rank", "p.pooled_at"],
        id: Some("p.clue_id"),
        descending: false,
        short: false,
    }
}

/// The lines to read; `None` is every line.
fn parts<'a>(viewer: &'a Viewer, filter: &'a PoolFilter) -> Vec<Option<&'a LineKey>> {
    match viewer.pool_lines() {
        None if filter.lines.is_empty() => vec![None],
        None => filter.lines.iter().map(Some).collect(),
        Some(lines) => {
            let wanted = |line: &&LineKey| filter.lines.is_empty() || filter.lines.contains(line);
            lines.into_iter().filter(wanted).map(Some).collect()
        }
    }
}

pub(super) fn push(sql: &mut Sql, line: Option<&LineKey>, filter: &PoolFilter) {
    sql.push(" AND p.pooled = 1");
    if let Some(line) = line {
        sql.push(" AND p.line = ").bind(line.as_str());
    }
    if !filter.stages.is_empty() {
        sql.push(" AND p.stage = ANY(").bind(Value::texts(&filter.stages)).push(")");
    }
    if !filter.channels.is_empty() {
        sql.push(" AND p.source_channel = ANY(").bind(Value::texts(&filter.channels)).push(")");
    }
    if let Some(stars) = filter.stars_at_least {
        sql.push(" AND p.star_rank <= ").bind(5 - i64::from(stars));
    }
    if let Some(from) = filter.captured_from {
        sql.push(" AND p.captured_at >= ").bind(from.micros());
    }
    if let Some(until) = filter.captured_until {
        sql.push(" AND p.captured_at < ").bind(until.micros());
    }
}

fn item(row: PoolRow) -> PoolItem {
    PoolItem {
        clue_id: row.clue_id,
        customer_id: row.customer_id,
        line: row.line,
        stage: row.stage,
        source_channel: row.source_channel,
        campaign: row.campaign,
        captured_at: row.captured_at,
        pooled_at: row.pooled_at.unwrap_or(row.captured_at),
        stars: 5 - row.star_rank,
        former_owner_id: row.former_owner_id,
        released_at: row.released_at,
        times_pooled: row.times_pooled,
        first_response: row.first_response,
        position: row.position,
    }
}
