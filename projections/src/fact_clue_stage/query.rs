//! Reads stage intervals.

use domain::business_line::StageCategory;
use domain::operator::Role;
use domain::values::{Instant, LineKey, StageKey};

use super::projector::{FACT_CLUE_STAGE, StageIntervalRow};
use crate::read::{Listing, Page, Paging, Predicate, QueryError, Viewer, fetch_page};
use crate::sql::{Database, Record, Sql};

/// What became of the clues that entered a stage in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSummary {
    /// The stage.
    pub stage: StageKey,
    /// What standing there means.
    pub category: StageCategory,
    /// How often clues entered it.
    pub entered: i64,
    /// How many of these stays are over.
    pub left: i64,
    /// How long those lasted together, in seconds.
    pub seconds: i64,
}

/// Reads stage intervals. Cheap to clone.
#[derive(Clone)]
pub struct FactClueStageQuery {
    db: Database,
}

impl FactClueStageQuery {
    /// On a database.
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self { db }
    }

    /// A page of intervals of a line in the order in which they began: for BI to read all of it.
    ///
    /// # Errors
    /// [`QueryError::Forbidden`] when the line is not in the viewer's scope.
    pub async fn page(
        &self,
        viewer: &Viewer,
        line: &LineKey,
        paging: &Paging,
    ) -> Result<Page<StageIntervalRow>, QueryError> {
        allowed(viewer, line)?;
        let select = FACT_CLUE_STAGE.columns_of("f");
        let listing = Listing {
            order: "interval".into(),
            select: &select,
            from: "fact_clue_stage f",
            sort: &["f.entered_position"],
            id: None,
            descending: false,
            short: false,
        };
        let scope: Predicate<'_> = Box::new(|sql: &mut Sql| {
            sql.push(" AND f.line = ").bind(line.as_str());
        });
        let place = |row: &StageIntervalRow| (vec![row.entered_position.get()], String::new());
        fetch_page(&self.db, &listing, &[scope], paging, StageIntervalRow::from_row, place).await
    }

    /// How clues went through a line's stages: of the stays that began in a span of time.
    ///
    /// # Errors
    /// [`QueryError::Forbidden`] when the line is not in the viewer's scope.
    pub async fn summary(
        &self,
        viewer: &Viewer,
        line: &LineKey,
        from: Instant,
        until: Instant,
    ) -> Result<Vec<StageSummary>, QueryError> {
        allowed(viewer, line)?;
        // sum() of bigint is numeric in PostgreSQL.
        let sum = if self.db.is_postgres() { "sum(seconds)::bigint" } else { "sum(seconds)" };
        let sql = format!(
            "SELECT stage, category, count(*), count(left_at), coalesce({sum}, 0) FROM fact_clue_stage \
             WHERE line = $1 AND entered_at >= $2 AND entered_at < $3 GROUP BY stage, category \
             ORDER BY stage, category"
        );
        let params = [line.as_str().into(), from.micros().into(), until.micros().into()];
        let rows = self.db.fetch(&sql, &params).await?;
        let summary = rows.iter().map(|row| {
            Ok(StageSummary {
                stage: row.get(0)?,
                category: row.get(1)?,
                entered: row.get(2)?,
                left: row.get(3)?,
                seconds: row.get(4)?,
            })
        });
        summary.collect()
    }
}

fn allowed(viewer: &Viewer, line: &LineKey) -> Result<(), QueryError> {
    let everywhere = viewer.is(Role::Auditor) || viewer.is(Role::Admin);
    let here = (viewer.is(Role::Manager) || viewer.is(Role::Bi)) && viewer.lines.contains(line);
    if everywhere || here { Ok(()) } else { Err(QueryError::Forbidden("facts of this line")) }
}
