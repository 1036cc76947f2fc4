//! Reads scores and their reasons.

use std::collections::HashMap;

use domain::business_line::Signal;
use domain::envelope::Position;
use domain::ids::{ClueId, CustomerId, EventId};
use domain::operator::Role;
use domain::values::{Instant, LineKey};

use super::rows::*;
use super::score::Score;
use crate::customer::visible;
use crate::read::{Arm, Listing, Page, Paging, Predicate, QueryError, Viewer, fetch_page};
use crate::sql::{Cell, Database, Record, Sql, SqlError, Value};

/// Customers of one operator or team whose scores are compared; more than anybody works at once.
const WORKED: usize = 5_000;

/// An order of star customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StarOrder {
    /// Highest score first.
    #[default]
    Score,
    /// Most stars first, then highest score.
    Tier,
}

/// A strong signal.
#[derive(Clone, Debug, PartialEq)]
pub struct ReasonItem {
    /// 1 is the strongest.
    pub rank: i64,
    /// What happened.
    pub signal: Signal,
    /// Points at the moment that it happened.
    pub points: i64,
    /// When it happened.
    pub at: Instant,
    /// With which clue.
    pub clue_id: Option<ClueId>,
    /// The event that shows it.
    pub event_id: EventId,
    /// Its position.
    pub position: Position,
}

/// A customer's score in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreItem {
    /// Which customer.
    pub customer_id: CustomerId,
    /// In which line.
    pub line: LineKey,
    /// The score; [`Score::value_at`] gives points with the half-life of the line's policy.
    pub score: Score,
    /// Stars; zero for none.
    pub tier: i64,
    /// How many signals there were.
    pub signals: i64,
    /// Position of the last event in it.
    pub position: Position,
}

/// Reads scores. Cheap to clone.
#[derive(Clone)]
pub struct StarQuery {
    db: Database,
}

impl StarQuery {
    /// On a database.
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self { db }
    }

    /// A page of the scored customers of a line. Agents and team leads see those whose clues they
    /// work, compared up to five thousand of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(
        &self,
        viewer: &Viewer,
        line: &LineKey,
        order: StarOrder,
        paging: &Paging,
    ) -> Result<Page<ScoreItem>, QueryError> {
        let Some(worked) = self.scope(viewer, line).await? else { return Ok(Page::empty()) };
        let select = STAR_CUSTOMERS.columns_of("s");
        let (name, sort): (_, &[&str]) = match order {
            StarOrder::Score => ("score", &["s.score"]),
            StarOrder::Tier => ("tier", &["s.tier", "s.score"]),
        };
        let listing = Listing {
            order: name.into(),
            select: &select,
            from: "star_customers s",
            sort,
            id: Some("s.customer_id"),
            descending: true,
            short: true,
        };
        let scope: Predicate<'_> = Box::new(|sql: &mut Sql| match &worked {
            None => {
                sql.push(" AND s.line = ").bind(line.as_str());
            }
            Some(ids) => {
                sql.push(" AND (s.line || '') = ").bind(line.as_str());
                sql.push(" AND s.customer_id = ANY(").bind(ids.clone()).push(")");
            }
        });
        let place = |row: &ScoreRow| {
            let keys = match order {
                StarOrder::Score => vec![row.score],
                StarOrder::Tier => vec![row.tier, row.score],
            };
            (keys, row.customer_id.to_string())
        };
        let page = fetch_page(&self.db, &listing, &[scope], paging, ScoreRow::from_row, place).await?;
        Ok(page.map(item))
    }

    /// The scores of customers whom the viewer may see, in the viewer's lines.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_ids(
        &self,
        viewer: &Viewer,
        ids: &[CustomerId],
    ) -> Result<HashMap<CustomerId, Vec<ScoreItem>>, QueryError> {
        let mut found: HashMap<CustomerId, Vec<ScoreItem>> = HashMap::new();
        let seen: Vec<CustomerId> = visible(&self.db, viewer, ids).await?.into_keys().collect();
        for row in self.load::<ScoreRow>(&seen).await? {
            if in_lines(viewer, &row.line) {
                found.entry(row.customer_id).or_default().push(item(row));
            }
        }
        Ok(found)
    }

    /// The three strongest reasons of the scores of customers whom the viewer may see.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reasons(
        &self,
        viewer: &Viewer,
        ids: &[CustomerId],
    ) -> Result<HashMap<(CustomerId, LineKey), Vec<ReasonItem>>, QueryError> {
        let mut found: HashMap<(CustomerId, LineKey), Vec<ReasonItem>> = HashMap::new();
        let seen: Vec<CustomerId> = visible(&self.db, viewer, ids).await?.into_keys().collect();
        for row in self.load::<ReasonRow>(&seen).await? {
            if !in_lines(viewer, &row.line) {
                continue;
            }
            let ReasonRow {
                customer_id, line, rank, signal, points, at, clue_id, event_id, position, ..
            } = row;
            let reason = ReasonItem { rank, signal, points, at, clue_id, event_id, position };
            found.entry((customer_id, line)).or_default().push(reason);
        }
        for reasons in found.values_mut() {
            reasons.sort_by_key(|reason| reason.rank);
        }
        Ok(found)
    }

    async fn load<R: Record>(&self, ids: &[CustomerId]) -> Result<Vec<R>, SqlError> {
        let columns = R::TABLE.column_list();
        let sql = format!("SELECT {columns} FROM {} WHERE customer_id = ANY($1)", R::TABLE.name);
        self.db.fetch(&sql, &[Value::texts(ids)]).await?.iter().map(R::from_row).collect()
    }

    /// `None`: nothing. `Some(None)`: the whole line. Otherwise the customers whose clues the
    /// viewer, or the viewer's team, works in the line now.
    async fn scope(&self, viewer: &Viewer, line: &LineKey) -> Result<Option<Option<Value>>, QueryError> {
        if sees_whole(viewer, line) {
            return Ok(Some(None));
        }
        let mut ids: Vec<String> = Vec::new();
        for (arm, _) in viewer.clue_arms() {
            let (column, value) = match arm {
                Arm::Owner(owner) => ("owner_id", owner.to_value()),
                Arm::Team(team) => ("team_id", team.to_value()),
                Arm::Line(_) | Arm::All => continue,
            };
            let sql = format!(
                "SELECT customer_id FROM clue_list WHERE {column} = $1 AND (line || '') = $2 \
                 AND lifecycle IN ('owned', 'loss_review') ORDER BY updated_at DESC, clue_id DESC LIMIT {WORKED}"
            );
            for row in self.db.fetch(&sql, &[value, line.as_str().into()]).await? {
                ids.push(row.get(0)?);
            }
        }
        ids.sort();
        ids.dedup();
        Ok((!ids.is_empty()).then_some(Some(Value::Texts(ids.into()))))
    }
}

fn sees_whole(viewer: &Viewer, line: &LineKey) -> bool {
    let in_line = viewer.lines.contains(line);
    let here = [Role::Manager, Role::Bi].iter().any(|role| viewer.is(*role)) && in_line;
    here || viewer.is(Role::Auditor) || viewer.is(Role::Admin)
}

fn in_lines(viewer: &Viewer, line: &LineKey) -> bool {
    let reads = [Role::Agent, Role::TeamLead, Role::Manager, Role::ServiceRep, Role::Bi];
    let here = reads.iter().any(|role| viewer.is(*role)) && viewer.lines.contains(line);
    here || viewer.is(Role::Auditor) || viewer.is(Role::Admin)
}

fn item(row: ScoreRow) -> ScoreItem {
    ScoreItem {
        customer_id: row.customer_id,
        line: row.line,
        score: Score::from_key(row.score),
        tier: row.tier,
        signals: row.signals,
        position: row.position,
    }
}
