//! Pages by keyset, in both directions, over the parts of a scope.
//!
//! Each part is an equality that an index begins with, so each reads no more than a page; the
//! merged page is sorted here. An offset, and a sort in the database, would both cost more the
//! larger the table.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::cursor::Cursor;
use super::error::QueryError;
use crate::sql::{Database, Row, Sql, SqlError};

/// Most rows on a page.
pub const MAX_PAGE: usize = 200;

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// The first rows behind a place.
    Forward {
        /// How many.
        first: usize,
        /// Behind which; from the beginning when absent.
        after: Option<Cursor>,
    },
    /// The last rows before a place.
    Backward {
        /// How many.
        last: usize,
        /// Before which; from the end when absent.
        before: Option<Cursor>,
    },
}

impl Paging {
    /// The first rows.
    #[must_use]
    pub const fn first(first: usize) -> Self {
        Self::Forward { first, after: None }
    }

    /// A page from the arguments of a Relay connection.
    ///
    /// # Errors
    /// When they ask for both directions, for none, or for too many rows.
    pub fn from_relay(
        first: Option<usize>,
        after: Option<Cursor>,
        last: Option<usize>,
        before: Option<Cursor>,
    ) -> Result<Self, QueryError> {
        let paging = match (first, last) {
            (Some(first), None) if before.is_none() => Self::Forward { first, after },
            (None, Some(last)) if after.is_none() => Self::Backward { last, before },
            _ => return Err(QueryError::Invalid("give first and after, or last and before")),
        };
        if paging.size() > MAX_PAGE {
            return Err(QueryError::Invalid("a page has at most 200 rows"));
        }
        Ok(paging)
    }

    const fn size(&self) -> usize {
        match self {
            Self::Forward { first, .. } => *first,
            Self::Backward { last, .. } => *last,
        }
    }

    const fn cursor(&self) -> Option<&Cursor> {
        match self {
            Self::Forward { after, .. } => after.as_ref(),
            Self::Backward { before, .. } => before.as_ref(),
        }
    }
}

/// A row and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge<T> {
    /// Its place.
    pub cursor: Cursor,
    /// The row.
    pub node: T,
}

/// Some rows of a list, in the list's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub edges: Vec<Edge<T>>,
    /// Whether there are rows behind these.
    pub has_next: bool,
    /// Whether there are rows before these. Paging forward it says whether a cursor was given.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// No rows.
    #[must_use]
    pub const fn empty() -> Self {
        Self { edges: Vec::new(), has_next: false, has_previous: false }
    }

    /// The rows without their places.
    pub fn nodes(&self) -> impl Iterator<Item = &T> {
        self.edges.iter().map(|edge| &edge.node)
    }

    /// The same page of other rows.
    pub fn map<U>(self, mut map: impl FnMut(T) -> U) -> Page<U> {
        let edges = self.edges.into_iter();
        let edges = edges.map(|edge| Edge { cursor: edge.cursor, node: map(edge.node) }).collect();
        Page { edges, has_next: self.has_next, has_previous: self.has_previous }
    }
}

/// Adds conditions to a statement, each behind ` AND `.
pub(crate) type Predicate<'a> = Box<dyn Fn(&mut Sql) + Send + Sync + 'a>;

/// A list: what it selects and in which order.
pub(crate) struct Listing<'a> {
    /// Names the order in cursors.
    pub order: Cow<'static, str>,
    /// Columns, as the record reads them.
    pub select: &'a str,
    /// Table and alias.
    pub from: &'a str,
    /// Sort columns, whole numbers all.
    pub sort: &'a [&'a str],
    /// The text column that breaks ties; `None` when the sort columns are unique.
    pub id: Option<&'a str>,
    pub descending: bool,
    /// Whether every part is read along an index and stops at the page: then many ask together.
    pub short: bool,
}

impl Listing<'_> {
    fn sort_columns(&self) -> Vec<&str> {
        self.sort.iter().copied().chain(self.id).collect()
    }

    /// One part's rows, at most one more than the page.
    fn push_part(&self, sql: &mut Sql, part: &Predicate<'_>, paging: &Paging) {
        let columns = self.sort_columns();
        let backward = matches!(paging, Paging::Backward { .. });
        let descending = self.descending != backward;
        sql.push("SELECT ").push(self.select).push(" FROM ").push(self.from).push(" WHERE 1 = 1");
        part(sql);
        if let Some(cursor) = paging.cursor() {
            sql.push(" AND (").push(&columns.join(", ")).push(if descending { ") < (" } else { ") > (" });
            for (index, key) in cursor.keys.iter().enumerate() {
                sql.push(if index == 0 { "" } else { ", " }).bind(*key);
            }
            if self.id.is_some() {
                sql.push(", ").bind(cursor.id.as_str());
            }
            sql.push(")");
        }
        let direction = if descending { " DESC" } else { " ASC" };
        let order: Vec<String> = columns.iter().map(|column| format!("{column}{direction}")).collect();
        let limit = paging.size().min(MAX_PAGE) + 1;
        sql.push(" ORDER BY ").push(&order.join(", ")).push(&format!(" LIMIT {limit}"));
    }

    pub fn sql(&self, parts: &[Predicate<'_>], paging: &Paging) -> Sql {
        let mut sql = Sql::default();
        if let [part] = parts {
            self.push_part(&mut sql, part, paging);
            return sql;
        }
        for (index, part) in parts.iter().enumerate() {
            sql.push(if index == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            self.push_part(&mut sql, part, paging);
            sql.push(&format!(") AS part{index}"));
        }
        sql
    }

    fn check(&self, paging: &Paging) -> Result<(), QueryError> {
        match paging.cursor() {
            Some(cursor) if cursor.order != self.order || cursor.keys.len() != self.sort.len() => {
                Err(QueryError::Invalid("not a cursor of this list"))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a page over the parts of a scope. A row that several parts hold comes once.
pub(crate) async fn fetch_page<T>(
    db: &Database,
    listing: &Listing<'_>,
    parts: &[Predicate<'_>],
    paging: &Paging,
    read: impl Fn(&Row) -> Result<T, SqlError>,
    place: impl Fn(&T) -> (Vec<i64>, String),
) -> Result<Page<T>, QueryError> {
    listing.check(paging)?;
    let size = paging.size().min(MAX_PAGE);
    if parts.is_empty() || size == 0 {
        return Ok(Page::empty());
    }
    let sql = listing.sql(parts, paging);
    let mut edges = Vec::with_capacity(size + 1);
    let mut seen = BTreeSet::new();
    let rows = if listing.short {
        db.fetch_together(sql).await?
    } else {
        db.fetch(sql.text(), sql.params()).await?
    };
    for row in rows {
        let node = read(&row)?;
        let (keys, id) = place(&node);
        if parts.len() == 1 || seen.insert((keys.clone(), id.clone())) {
            edges.push(Edge { cursor: Cursor { order: listing.order.clone(), keys, id }, node });
        }
    }
    let backward = matches!(paging, Paging::Backward { .. });
    if parts.len() > 1 {
        let descending = listing.descending != backward;
        edges.sort_by(|a: &Edge<T>, b: &Edge<T>| {
            let order = (&a.cursor.keys, &a.cursor.id).cmp(&(&b.cursor.keys, &b.cursor.id));
            if descending { order.reverse() } else { order }
        });
    }
    let more = edges.len() > size;
    edges.truncate(size);
    if backward {
        edges.reverse();
    }
    let bounded = paging.cursor().is_some();
    let (has_next, has_previous) = if backward { (bounded, more) } else { (more, bounded) };
    debug_assert!(edges.is_sorted_by(|a, b| {
        let order = (&a.cursor.keys, &a.cursor.id).cmp(&(&b.cursor.keys, &b.cursor.id));
        order == if listing.descending { Ordering::Greater } else { Ordering::Less }
    }));
    Ok(Page { edges, has_next, has_previous })
}
