//! What changed in the clue list behind a position, for watchers that were away or lagged.

use domain::envelope::Position;

use super::query::{ClueItem, ClueListQuery, show};
use super::rows::{CLUE_LIST, CLUE_LIST_DEPARTURE, ClueRow, DepartureRow};
use crate::read::{QueryError, Viewer};
use crate::sql::Record as _;

/// What changed in the clue list between two positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Since {
    /// Clues whose last change that was, in the order of their changes, as far as the viewer may see
    /// them now.
    pub items: Vec<ClueItem>,
    /// What left whoever had it, in order, as far as the viewer saw it there. It may have come back.
    pub departures: Vec<DepartureRow>,
    /// How far that covers the list.
    pub covered: Position,
}

impl ClueListQuery {
    /// What changed behind a position: of clues and of departures about `limit` each. Nothing more did
    /// when it covers no more than that position.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changed_since(
        &self,
        viewer: &Viewer,
        after: Position,
        limit: usize,
    ) -> Result<Since, QueryError> {
        let columns = CLUE_LIST.columns_of("c");
        // One event may change several clues: a page ends with all of them, however many.
        let sql = format!(
            "SELECT {columns} FROM clue_list c WHERE c.position > $1 AND c.position <= coalesce((\
             SELECT position FROM clue_list WHERE position > $1 ORDER BY position LIMIT 1 OFFSET $2), \
             {end}) ORDER BY c.position, c.clue_id",
            end = i64::MAX
        );
        let others = i64::try_from(limit.saturating_sub(1)).unwrap_or(i64::MAX);
        let mut since = Since { items: Vec::new(), departures: Vec::new(), covered: after };
        for row in self.db.fetch(&sql, &[after.get().into(), others.into()]).await? {
            let row = ClueRow::from_row(&row)?;
            since.covered = row.position;
            since.items.extend(show(row, viewer));
        }
        if since.covered > after {
            self.add_departures(&mut since, viewer, after, limit).await?;
        }
        Ok(since)
    }

    /// What left up to there. A clue's row is at its last event, so nothing did behind the last row.
    async fn add_departures(
        &self,
        since: &mut Since,
        viewer: &Viewer,
        after: Position,
        limit: usize,
    ) -> Result<(), QueryError> {
        let sql = format!(
            "SELECT {} FROM clue_list_departure WHERE position > $1 AND position <= $2 \
             ORDER BY position LIMIT $3",
            CLUE_LIST_DEPARTURE.column_list()
        );
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let params = [after.get().into(), since.covered.get().into(), most.into()];
        let rows = self.db.fetch(&sql, &params).await?;
        let full = rows.len() >= limit;
        for row in rows {
            let row = DepartureRow::from_row(&row)?;
            if full {
                since.covered = row.position;
            }
            since.departures.extend(Some(row).filter(|row| viewer.sight_of_clue(row.holding()).is_some()));
        }
        since.items.retain(|item| item.clue.position <= since.covered);
        Ok(())
    }
}
