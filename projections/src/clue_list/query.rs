//! Reads the clue list.

use std::collections::HashMap;
use std::sync::Arc;

use domain::business_line::FieldKind;
use domain::clue::Lifecycle;
use domain::ids::{ClueId, CustomerId, OperatorId, TeamId};
use domain::ports::BlindIndex;
use domain::values::{ContactKind, FieldKey, Instant, LineKey};

use super::filter::{ClueFilter, ClueOrder, FieldFilter, Narrow, Part, PhoneFilter, parts, push_field_match};
use super::rows::{CLUE_LIST, CLUE_LIST_FIELD, ClueRow, FieldRow};
use super::text;
use crate::read::{Holding, Listing, Page, Paging, Predicate, QueryError, Shown, Sight, Viewer, fetch_page};
use crate::sql::{Database, Record, Row, Sql, SqlError, Value};

/// A search that finds at most so many is driven by what it found; one that finds more is so
/// common that walking along the order fills a page soon.
pub(crate) const FEW: usize = 2_000;
/// Longest part of a name that is searched for, in characters.
pub(crate) const MAX_NAME_PART: usize = 40;

/// A clue as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClueItem {
    /// The facts. `customer_name` is always `None` here; see the next field.
    pub clue: ClueRow,
    /// What the customer is called; `None` when nobody knows.
    pub customer_name: Option<Shown>,
    /// How much of the person the viewer sees.
    pub sight: Sight,
}

/// The value of a custom field as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldItem {
    /// Which field.
    pub field: FieldKey,
    /// Its value.
    pub value: FieldShown,
}

/// The value of a custom field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldShown {
    /// Free text, which may be personal.
    Text(Shown),
    /// The key of an option.
    Choice(String),
    /// A decimal number as it was given.
    Number(String),
    /// Yes or no.
    Flag(bool),
    /// A day, `YYYY-MM-DD`.
    Date(String),
    /// A point in time.
    Instant(Instant),
    /// An amount: minor units and currency.
    Money(i64, String),
}

/// How many clues there are, counted no further than asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClueCount {
    /// How many were counted.
    pub count: i64,
    /// Whether there are no more than that.
    pub exact: bool,
}

/// Reads the clue list. Cheap to clone.
#[derive(Clone)]
pub struct ClueListQuery {
    pub(super) db: Database,
    index: Arc<dyn BlindIndex>,
}

impl ClueListQuery {
    /// On a database, with the keyed hashes by which phones are found.
    #[must_use]
    pub fn new(db: Database, index: Arc<dyn BlindIndex>) -> Self {
        Self { db, index }
    }

    /// A page of the clues that the viewer works or oversees, filtered and ordered. Clues in the
    /// pool are in the pool's own list.
    ///
    /// # Errors
    /// [`QueryError::Forbidden`] when the filter searches by personal data that the viewer may not
    /// see anywhere.
    pub async fn page(
        &self,
        viewer: &Viewer,
        filter: &ClueFilter,
        order: ClueOrder,
        paging: &Paging,
    ) -> Result<Page<ClueItem>, QueryError> {
        let Some(narrows) = self.narrow(viewer, filter).await? else { return Ok(Page::empty()) };
        let select = CLUE_LIST.columns_of("c");
        let column = format!("c.{}", order.column());
        let listing = Listing {
            order: order.column().into(),
            select: &select,
            from: "clue_list c",
            sort: &[&column],
            id: Some("c.clue_id"),
            descending: order.descending(),
            short: filter.is_scope(),
        };
        let parts = parts(viewer, filter, &narrows, order, self.db.is_postgres());
        let predicates: Vec<Predicate<'_>> = parts.iter().map(predicate).collect();
        let place = |row: &ClueRow| (vec![sort_key(row, order)], row.clue_id.to_string());
        let page = fetch_page(&self.db, &listing, &predicates, paging, ClueRow::from_row, place).await?;
        Ok(show_page(page, viewer))
    }

    /// How many clues the filter finds, counted up to `limit`.
    ///
    /// # Errors
    /// As [`ClueListQuery::page`].
    pub async fn count(
        &self,
        viewer: &Viewer,
        filter: &ClueFilter,
        limit: u32,
    ) -> Result<ClueCount, QueryError> {
        let none = ClueCount { count: 0, exact: true };
        let Some(narrows) = self.narrow(viewer, filter).await? else { return Ok(none) };
        let parts = parts(viewer, filter, &narrows, ClueOrder::Updated, self.db.is_postgres());
        if parts.is_empty() {
            return Ok(none);
        }
        let most = i64::from(limit) + 1;
        let mut sql = Sql::new("SELECT count(*) FROM (");
        for (index, part) in parts.iter().enumerate() {
            // UNION, not UNION ALL: a clue that two parts hold counts once.
            sql.push(if index == 0 { "SELECT * FROM (" } else { " UNION SELECT * FROM (" });
            sql.push("SELECT c.clue_id FROM clue_list c WHERE 1 = 1");
            part.push(&mut sql);
            sql.push(&format!(" LIMIT {most}) AS part{index}"));
        }
        sql.push(") AS found");
        let rows = self.db.fetch(sql.text(), sql.params()).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.get(0))?;
        Ok(ClueCount { count: count.min(i64::from(limit)), exact: count < most })
    }

    /// Clues by their ids: those that the viewer works or oversees, and pooled ones, masked. Others
    /// are not in the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_ids(
        &self,
        viewer: &Viewer,
        ids: &[ClueId],
    ) -> Result<HashMap<ClueId, ClueItem>, QueryError> {
        let rows = self.rows("clue_id", Value::texts(ids)).await?;
        let items = rows.into_iter().filter_map(|row| show(row, viewer));
        Ok(items.map(|item| (item.clue.clue_id, item)).collect())
    }

    /// The clues of customers, newest first, as far as the viewer may see them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_customers(
        &self,
        viewer: &Viewer,
        ids: &[CustomerId],
    ) -> Result<HashMap<CustomerId, Vec<ClueItem>>, QueryError> {
        let mut found: HashMap<CustomerId, Vec<ClueItem>> = HashMap::new();
        for row in self.rows("customer_id", Value::texts(ids)).await? {
            if let Some(item) = show(row, viewer) {
                found.entry(item.clue.customer_id).or_default().push(item);
            }
        }
        for items in found.values_mut() {
            items.sort_by_key(|item| std::cmp::Reverse((item.clue.captured_at, item.clue.clue_id)));
        }
        Ok(found)
    }

    /// The values of custom fields of clues, as far as the viewer may see the clues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fields(
        &self,
        viewer: &Viewer,
        ids: &[ClueId],
    ) -> Result<HashMap<ClueId, Vec<FieldItem>>, QueryError> {
        let columns = CLUE_LIST_FIELD.columns_of("f");
        let width = CLUE_LIST_FIELD.columns.len();
        let sql = format!(
            "SELECT {columns}, c.line, c.owner_id, c.team_id, c.lifecycle FROM clue_list_field f \
             JOIN clue_list c ON c.clue_id = f.clue_id WHERE f.clue_id = ANY($1) ORDER BY f.clue_id, f.field"
        );
        let mut found: HashMap<ClueId, Vec<FieldItem>> = HashMap::new();
        for row in self.db.fetch(&sql, &[Value::texts(ids)]).await? {
            let Some(sight) = sight(&row, width, viewer)? else { continue };
            let field = FieldRow::from_row(&row)?;
            let item = FieldItem { field: field.field.clone(), value: show_field(&field, sight) };
            found.entry(field.clue_id).or_default().push(item);
        }
        Ok(found)
    }

    async fn rows(&self, column: &str, ids: Value) -> Result<Vec<ClueRow>, SqlError> {
        let columns = CLUE_LIST.column_list();
        let sql = format!("SELECT {columns} FROM clue_list WHERE {column} = ANY($1)");
        self.db.fetch(&sql, &[ids]).await?.iter().map(ClueRow::from_row).collect()
    }

    /// Asks the side indexes what a search finds; `None` when it finds nothing.
    async fn narrow(&self, viewer: &Viewer, filter: &ClueFilter) -> Result<Option<Vec<Narrow>>, QueryError> {
        let clear = viewer.clue_arms().iter().any(|(_, sight)| *sight == Sight::Clear);
        if filter.is_personal() && !clear {
            return Err(QueryError::Forbidden("searching by names or phones"));
        }
        let mut narrows = Vec::new();
        if let Some(phone) = &filter.phone {
            narrows.push(Narrow::Customers(self.customers_by_phone(phone).await?));
        }
        if let Some(name) = &filter.name {
            narrows.push(self.narrow_name(name).await?);
        }
        for field in &filter.fields {
            narrows.push(self.narrow_field(field).await?);
        }
        let nobody = |narrow: &Narrow| match narrow {
            Narrow::Customers(Value::Texts(ids)) | Narrow::Clues(Value::Texts(ids)) => ids.is_empty(),
            _ => false,
        };
        Ok((!narrows.iter().any(nobody)).then_some(narrows))
    }

    async fn customers_by_phone(&self, phone: &PhoneFilter) -> Result<Value, QueryError> {
        let (column, hash) = phone_column(self.index.as_ref(), phone)?;
        let sql = format!("SELECT DISTINCT customer_id FROM clue_list_phone WHERE {column} = $1 LIMIT {FEW}");
        self.ids(&sql, &[hash.into()]).await
    }

    async fn narrow_name(&self, name: &str) -> Result<Narrow, QueryError> {
        let folded = text::fold(name);
        if folded.is_empty() || folded.chars().count() > MAX_NAME_PART {
            return Err(QueryError::Invalid("a part of a name has 1 to 40 characters"));
        }
        let pattern = text::contains(&folded);
        let bounded = format!(
            "SELECT count(*) FROM (SELECT 1 FROM clue_list_gram WHERE gram = $1 LIMIT {}) AS bounded",
            FEW + 1
        );
        let mut rarest: Option<(i64, String)> = None;
        for probe in text::probes(&folded) {
            let rows = self.db.fetch(&bounded, &[probe.as_str().into()]).await?;
            let count: i64 = rows.first().map_or(Ok(0), |row| row.get(0))?;
            if rarest.as_ref().is_none_or(|(least, _)| count < *least) {
                rarest = Some((count, probe));
            }
        }
        match rarest {
            Some((count, gram)) if usize::try_from(count).is_ok_and(|count| count <= FEW) => {
                let sql = r"SELECT g.customer_id FROM clue_list_gram g
                    JOIN clue_list_customer n ON n.customer_id = g.customer_id
                    WHERE g.gram = $1 AND n.name_folded LIKE $2 ESCAPE '\'";
                Ok(Narrow::Customers(self.ids(sql, &[gram.into(), pattern.into()]).await?))
            }
            _ => Ok(Narrow::NameLike(pattern)),
        }
    }

    async fn narrow_field(&self, filter: &FieldFilter) -> Result<Narrow, QueryError> {
        let mut sql = Sql::new("SELECT f.clue_id FROM clue_list_field f WHERE f.field = ");
        sql.bind(filter.field.as_str());
        push_field_match(&mut sql, &filter.matches);
        sql.push(&format!(" LIMIT {}", FEW + 1));
        let ids = self.ids(sql.text(), sql.params()).await?;
        match &ids {
            Value::Texts(found) if found.len() > FEW => Ok(Narrow::Field(filter.clone())),
            _ => Ok(Narrow::Clues(ids)),
        }
    }

    async fn ids(&self, sql: &str, params: &[Value]) -> Result<Value, QueryError> {
        let rows = self.db.fetch(sql, params).await?;
        let ids: Result<Vec<String>, SqlError> = rows.iter().map(|row| row.get(0)).collect();
        Ok(Value::Texts(ids?.into()))
    }
}

/// The column by which a phone is found, and its value.
pub(crate) fn phone_column(
    index: &dyn BlindIndex,
    phone: &PhoneFilter,
) -> Result<(&'static str, String), QueryError> {
    Ok(match phone {
        PhoneFilter::Exact(number) => ("exact", index.contact(ContactKind::Phone, number)),
        PhoneFilter::Suffix(digits) if !digits.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(QueryError::Invalid("the end of a number has digits only"));
        }
        PhoneFilter::Suffix(digits) if digits.len() == 8 => ("last8", index.suffix(digits)),
        PhoneFilter::Suffix(digits) if digits.len() == 4 => ("last4", index.suffix(digits)),
        PhoneFilter::Suffix(_) => {
            return Err(QueryError::Invalid("search by the last 4 or 8 digits, or the whole number"));
        }
    })
}

fn predicate<'a>(part: &'a Part<'a>) -> Predicate<'a> {
    Box::new(move |sql| part.push(sql))
}

pub(crate) fn sort_key(row: &ClueRow, order: ClueOrder) -> i64 {
    match order {
        ClueOrder::Updated => row.updated_at.micros(),
        ClueOrder::Captured => row.captured_at.micros(),
        ClueOrder::NextFollowUp => row.next_follow_up_at.micros(),
        ClueOrder::Star => row.star,
    }
}

/// The scope is in the SQL already; a row that the viewer may not see would be a bug, and is
/// dropped all the same.
fn show_page(page: Page<ClueRow>, viewer: &Viewer) -> Page<ClueItem> {
    let Page { edges, has_next, has_previous } = page.map(|row| show(row, viewer));
    let edges = edges
        .into_iter()
        .filter_map(|edge| edge.node.map(|node| crate::read::Edge { cursor: edge.cursor, node }));
    Page { edges: edges.collect(), has_next, has_previous }
}

pub(super) fn show(mut row: ClueRow, viewer: &Viewer) -> Option<ClueItem> {
    let sight = viewer.sight_of_clue(row.holding())?;
    let customer_name = Shown::name(row.customer_name.take(), row.erased, sight);
    Some(ClueItem { clue: row, customer_name, sight })
}

/// How much the viewer sees of the clue whose line, owner, team and lifecycle begin at a column.
fn sight(row: &Row, at: usize, viewer: &Viewer) -> Result<Option<Sight>, SqlError> {
    let line: LineKey = row.get(at)?;
    let owner: Option<OperatorId> = row.get(at + 1)?;
    let team: Option<TeamId> = row.get(at + 2)?;
    let lifecycle: Lifecycle = row.get(at + 3)?;
    let pooled = lifecycle == Lifecycle::Pooled;
    Ok(viewer.sight_of_clue(Holding { line: &line, owner, team, pooled }))
}

fn show_field(row: &FieldRow, sight: Sight) -> FieldShown {
    let text = || row.text.clone().unwrap_or_default();
    let whole = row.whole.unwrap_or_default();
    match row.kind {
        FieldKind::Text => FieldShown::Text(Shown::whole(row.free_text.clone(), sight)),
        FieldKind::Choice => FieldShown::Choice(text()),
        FieldKind::Number => FieldShown::Number(text()),
        FieldKind::Flag => FieldShown::Flag(whole != 0),
        FieldKind::Date => FieldShown::Date(text()),
        FieldKind::Instant => FieldShown::Instant(Instant::from_micros(whole)),
        FieldKind::Money => FieldShown::Money(whole, text()),
    }
}
