//! Clues as they were, one by one. Who sees them is decided by the present rows of the clue list.

use std::collections::HashMap;
use std::sync::Arc;

use domain::envelope::Position;
use domain::ids::{ClueId, CustomerId};
use domain::ports::BlindIndex;

use super::clue::FIELDS;
use super::rows::{CLUE_PAST, CluePast, PAST_VALUE, PastValueRow};
use crate::clue_list::{CLUE_LIST, ClueItem, ClueRow, FieldItem};
use crate::read::{QueryError, Shown, Sight, Viewer};
use crate::sql::{Database, Record as _, SqlError, Value};

/// Reads the past. Cheap to clone.
#[derive(Clone)]
pub struct HistoryQuery {
    db: Database,
    pub(super) index: Arc<dyn BlindIndex>,
}

/// What the viewer may see of a clue, by the rights of today.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub customer_id: CustomerId,
    pub sight: Sight,
    /// Whether the customer was erased since.
    pub erased: bool,
}

impl HistoryQuery {
    /// On a database, with the keyed hashes by which phones are found.
    #[must_use]
    pub fn new(db: Database, index: Arc<dyn BlindIndex>) -> Self {
        Self { db, index }
    }

    pub(super) const fn db(&self) -> &Database {
        &self.db
    }

    /// Those of these clues that the viewer sees now.
    pub(super) async fn clues_now(
        &self,
        viewer: &Viewer,
        ids: &[ClueId],
    ) -> Result<HashMap<ClueId, Now>, SqlError> {
        let columns = CLUE_LIST.column_list();
        let sql = format!("SELECT {columns} FROM clue_list WHERE clue_id = ANY($1)");
        let mut found = HashMap::new();
        for row in self.db.fetch(&sql, &[Value::texts(ids)]).await? {
            let row = ClueRow::from_row(&row)?;
            if let Some(sight) = viewer.sight_of_clue(row.holding()) {
                let now = Now { customer_id: row.customer_id, sight, erased: row.erased };
                found.insert(row.clue_id, now);
            }
        }
        Ok(found)
    }

    /// Clues as they were at a position, by their ids. Those that the viewer may not see now, and those
    /// that were not there then, are not in the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clues_at(
        &self,
        viewer: &Viewer,
        ids: &[ClueId],
        at: Position,
    ) -> Result<HashMap<ClueId, ClueItem>, QueryError> {
        let now = self.clues_now(viewer, ids).await?;
        let rows = self.states("clue_id", Value::texts(now.keys()), at).await?;
        let items = rows.into_iter().filter_map(|row| show(row, &now));
        Ok(items.map(|item| (item.clue.clue_id, item)).collect())
    }

    /// The clues that customers had at a position, newest first, as far as the viewer may see them now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clues_of_customers_at(
        &self,
        viewer: &Viewer,
        ids: &[CustomerId],
        at: Position,
    ) -> Result<HashMap<CustomerId, Vec<ClueItem>>, QueryError> {
        let rows = self.states("customer_id", Value::texts(ids), at).await?;
        let clues: Vec<ClueId> = rows.iter().map(|row| row.clue.clue_id).collect();
        let now = self.clues_now(viewer, &clues).await?;
        let mut found: HashMap<CustomerId, Vec<ClueItem>> = HashMap::new();
        for item in rows.into_iter().filter_map(|row| show(row, &now)) {
            found.entry(item.clue.customer_id).or_default().push(item);
        }
        for items in found.values_mut() {
            items.sort_by_key(|item| std::cmp::Reverse((item.clue.captured_at, item.clue.clue_id)));
        }
        Ok(found)
    }

    /// The values that custom fields of clues had at a position, as far as the viewer may see the clues
    /// now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fields_at(
        &self,
        viewer: &Viewer,
        ids: &[ClueId],
        at: Position,
    ) -> Result<HashMap<ClueId, Vec<FieldItem>>, QueryError> {
        let now = self.clues_now(viewer, ids).await?;
        let mut found: HashMap<ClueId, Vec<FieldItem>> = HashMap::new();
        for row in self.values_at(Value::texts(now.keys()), at).await? {
            let (Some(field), Ok(clue)) = (row.field.strip_prefix(FIELDS), row.subject_id.parse::<ClueId>())
            else {
                continue;
            };
            let (Ok(field), Some(now)) = (field.parse(), now.get(&clue)) else { continue };
            found.entry(clue).or_default().push(FieldItem { field, value: row.field(now.sight, now.erased) });
        }
        Ok(found)
    }

    /// The states that held at a position.
    pub(super) async fn states(
        &self,
        column: &str,
        ids: Value,
        at: Position,
    ) -> Result<Vec<CluePast>, SqlError> {
        let columns = CLUE_PAST.column_list();
        let sql = format!(
            "SELECT {columns} FROM clue_past WHERE {column} = ANY($1) AND position <= $2 AND until_position > $2"
        );
        self.db.fetch(&sql, &[ids, at.get().into()]).await?.iter().map(CluePast::from_row).collect()
    }

    /// The values that clues or customers had at a position, by field.
    pub(super) async fn values_at(
        &self,
        subjects: Value,
        at: Position,
    ) -> Result<Vec<PastValueRow>, SqlError> {
        let columns = PAST_VALUE.column_list();
        let sql = format!(
            "SELECT {columns} FROM past_value WHERE subject_id = ANY($1) AND position <= $2 \
             AND until_position > $2 ORDER BY subject_id, field"
        );
        self.db.fetch(&sql, &[subjects, at.get().into()]).await?.iter().map(PastValueRow::from_row).collect()
    }
}

/// A state as the viewer sees it; `None` when the viewer does not see the clue now. Of a person who was
/// erased since nothing shows, even while the past still waits for the erasure.
pub(super) fn show(state: CluePast, now: &HashMap<ClueId, Now>) -> Option<ClueItem> {
    let mut clue = state.clue;
    let now = now.get(&clue.clue_id)?;
    let name = clue.customer_name.take().filter(|_| !now.erased);
    let customer_name = Shown::name(name, clue.erased || now.erased, now.sight);
    Some(ClueItem { clue, customer_name, sight: now.sight })
}
