//! The clue list as of a position: the filters, orders and pages of the present one.

use domain::envelope::Position;
use domain::ids::ClueId;
use futures::future::try_join_all;

use super::clue::FIELDS;
use super::era::{LASTING, ended_eras};
use super::query::{HistoryQuery, show};
use super::rows::{CLUE_PAST, CluePast};
use crate::clue_list::{
    ClueFilter, ClueItem, ClueOrder, FEW, FieldFilter, MAX_NAME_PART, Narrow, Part, phone_column,
    push_field_match, scopes, sort_key, text,
};
use crate::read::{
    Arm, Edge, Listing, Moment, Page, Paging, Predicate, QueryError, Sight, Viewer, fetch_page,
};
use crate::sql::{Cell as _, Record as _, Sql, SqlError, Value};

/// What a part of the list is read along.
#[derive(Clone)]
enum Along {
    /// The order, within an era.
    Era(i64),
    /// These clues, which are few.
    Clues(Value),
    /// What the filter drives it by.
    Filter,
}

/// A part of the list as of a position.
pub(super) struct PastPart<'a> {
    part: Part<'a>,
    along: Along,
    /// What the viewer's rights of today demand of the present clue.
    now: Option<Arm>,
    narrows: &'a [Narrow],
    at: Position,
}

impl PastPart<'_> {
    /// Whether it is read along the order, and not along what is few.
    #[cfg(test)]
    pub fn walks(&self) -> bool {
        matches!(self.along, Along::Era(_))
    }

    pub fn push(&self, sql: &mut Sql) {
        let part = &self.part;
        match &self.along {
            Along::Era(era) => {
                sql.push(" AND c.era = ").bind(*era);
                part.push_conditions(sql, false);
            }
            Along::Clues(ids) => {
                part.push_driver(sql);
                sql.push(" AND c.clue_id = ANY(").bind(ids.clone()).push(")");
                part.push_conditions(sql, true);
                part.push_arm(sql, part.arm(), true);
            }
            Along::Filter => {
                part.push_driver(sql);
                part.push_conditions(sql, true);
                part.push_arm(sql, part.arm(), true);
            }
        }
        // The index of the order has both, so what did not hold is passed in the index.
        sql.push(" AND c.position <= ").bind(self.at.get());
        sql.push(" AND c.until_position > ").bind(self.at.get());
        push_now(sql, self.now.as_ref());
        for narrow in self.narrows {
            push_walked(sql, narrow, self.at);
        }
    }
}

/// The condition that today's rights put on the present clue.
fn push_now(sql: &mut Sql, now: Option<&Arm>) {
    let Some((column, value)) = now.and_then(held) else { return };
    sql.push(&format!(
        " AND EXISTS (SELECT 1 FROM clue_list n WHERE n.clue_id = c.clue_id AND n.{column} = "
    ));
    sql.bind(value).push(")");
}

/// Scopes that a clue may enter and leave. A clue never leaves its line.
fn held(arm: &Arm) -> Option<(&'static str, Value)> {
    match arm {
        Arm::Owner(owner) => Some(("owner_id", owner.to_value())),
        Arm::Team(team) => Some(("team_id", team.to_value())),
        Arm::All | Arm::Line(_) => None,
    }
}

fn push_walked(sql: &mut Sql, narrow: &Narrow, at: Position) {
    match narrow {
        Narrow::Customers(_) | Narrow::Clues(_) => {}
        Narrow::NameLike(pattern) => {
            sql.push(" AND c.name_folded LIKE ").bind(pattern.as_str()).push(r" ESCAPE '\'");
        }
        Narrow::Field(filter) => {
            sql.push(
                " AND EXISTS (SELECT 1 FROM past_value f WHERE f.subject_id = c.clue_id AND f.custom = 1",
            );
            push_field(sql, filter, at);
            sql.push(")");
        }
    }
}

fn push_field(sql: &mut Sql, filter: &FieldFilter, at: Position) {
    sql.push(" AND f.field = ").bind(format!("{FIELDS}{}", filter.field));
    push_field_match(sql, &filter.matches);
    sql.push(" AND f.position <= ").bind(at.get()).push(" AND f.until_position > ").bind(at.get());
}

impl HistoryQuery {
    /// A page of the clues as they were at a moment: those that the viewer works or oversees now,
    /// filtered and ordered by what they were then. The cursors are good for this moment only.
    ///
    /// # Errors
    /// [`QueryError::Forbidden`] when the filter searches by personal data that the viewer may not
    /// see anywhere; [`QueryError::Invalid`] for a cursor of another order or moment.
    pub async fn page(
        &self,
        viewer: &Viewer,
        filter: &ClueFilter,
        order: ClueOrder,
        moment: &Moment,
        paging: &Paging,
    ) -> Result<Page<ClueItem>, QueryError> {
        let at = moment.position;
        let Some(narrows) = self.narrow_past(viewer, filter, at).await? else { return Ok(Page::empty()) };
        let parts = self.past_parts(viewer, filter, &narrows, order, moment).await?;
        let select = CLUE_PAST.columns_of("c");
        let column = format!("c.{}", order.column());
        let sort = [column.as_str()];
        let listing = listing(order, at, &select, &sort);
        let predicates: Vec<Predicate<'_>> =
            parts.iter().map(|part| -> Predicate<'_> { Box::new(move |sql| part.push(sql)) }).collect();
        let place = |row: &CluePast| (vec![sort_key(&row.clue, order)], row.clue.clue_id.to_string());
        let page = fetch_page(self.db(), &listing, &predicates, paging, CluePast::from_row, place).await?;
        let ids: Vec<ClueId> = page.nodes().map(|row| row.clue.clue_id).collect();
        let now = self.clues_now(viewer, &ids).await?;
        let Page { edges, has_next, has_previous } = page;
        // A search finds nobody who was erased since, even while the past still waits for the erasure.
        let found = |clue: &ClueId| !(filter.is_personal() && now.get(clue).is_some_and(|now| now.erased));
        let seen = |edge: Edge<CluePast>| {
            let node = found(&edge.node.clue.clue_id).then(|| show(edge.node, &now))??;
            Some(Edge { cursor: edge.cursor, node })
        };
        Ok(Page { edges: edges.into_iter().filter_map(seen).collect(), has_next, has_previous })
    }

    /// The parts that the list as of a moment is merged of.
    pub(super) async fn past_parts<'a>(
        &self,
        viewer: &Viewer,
        filter: &'a ClueFilter,
        narrows: &'a [Narrow],
        order: ClueOrder,
        moment: &Moment,
    ) -> Result<Vec<PastPart<'a>>, QueryError> {
        let (at, postgres) = (moment.position, self.db().is_postgres());
        let driven = filter.customer.is_some()
            || narrows.iter().any(|narrow| matches!(narrow, Narrow::Customers(_) | Narrow::Clues(_)));
        // What is few is asked for at once, not line by line.
        let scopes = scopes(viewer, filter).into_iter().map(|scope| async move {
            let now = held(&scope).is_some().then(|| scope.clone());
            let then = if now.is_some() { &Arm::All } else { &scope };
            let mine = match &now {
                Some(now) if !driven => self.few_now(now).await?,
                _ => None,
            };
            let mut parts = Vec::new();
            for part in Part::of(then, filter, narrows, order, postgres) {
                for along in self.ways(&part, driven, mine.as_ref(), moment).await? {
                    let part = Part::clone(&part);
                    parts.push(PastPart { part, along, now: now.clone(), narrows, at });
                }
            }
            Ok::<_, QueryError>(parts)
        });
        Ok(try_join_all(scopes).await?.into_iter().flatten().collect())
    }

    /// How a part is read: along what is few, or along the order in every era that may hold some of it.
    async fn ways(
        &self,
        part: &Part<'_>,
        driven: bool,
        mine: Option<&Value>,
        moment: &Moment,
    ) -> Result<Vec<Along>, SqlError> {
        if driven {
            return Ok(vec![Along::Filter]);
        }
        if let Some(mine) = mine {
            return Ok(vec![Along::Clues(mine.clone())]);
        }
        let mut ways: Vec<Along> =
            ended_eras(moment.position, moment.head).into_iter().map(Along::Era).collect();
        ways.push(match self.few_lasting(part.arm(), moment.position).await? {
            Some(ids) => Along::Clues(ids),
            None => Along::Era(LASTING),
        });
        Ok(ways)
    }

    /// The clues that somebody or a team has now, when they are few.
    async fn few_now(&self, now: &Arm) -> Result<Option<Value>, SqlError> {
        let Some((column, value)) = held(now) else { return Ok(None) };
        let sql = format!("SELECT clue_id FROM clue_list WHERE {column} = $1 LIMIT {}", FEW + 1);
        self.few(&sql, &[value]).await
    }

    /// The clues whose present state is as old as that, when they are few: the longer ago, the fewer,
    /// and walking along the order would pass all the others.
    async fn few_lasting(&self, arm: &Arm, at: Position) -> Result<Option<Value>, SqlError> {
        // Written out, for the index is one of these states alone.
        let mut sql = Sql::new(&format!("SELECT c.clue_id FROM clue_past c WHERE c.era = {LASTING}"));
        match arm {
            Arm::All => {}
            Arm::Line(line) => {
                sql.push(" AND c.line = ").bind(line.to_value());
            }
            // What one has is little anyway.
            Arm::Owner(_) | Arm::Team(_) => return Ok(None),
        }
        sql.push(" AND c.position <= ").bind(at.get());
        sql.push(&format!(" ORDER BY c.position LIMIT {}", FEW + 1));
        self.few(sql.text(), sql.params()).await
    }

    async fn few(&self, sql: &str, params: &[Value]) -> Result<Option<Value>, SqlError> {
        let ids = self.texts(sql, params).await?;
        Ok((ids.len() <= FEW).then(|| Value::Texts(ids.into())))
    }

    async fn texts(&self, sql: &str, params: &[Value]) -> Result<Vec<String>, SqlError> {
        self.db().fetch(sql, params).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Asks the side indexes what a search finds as of then; `None` when it finds nothing.
    async fn narrow_past(
        &self,
        viewer: &Viewer,
        filter: &ClueFilter,
        at: Position,
    ) -> Result<Option<Vec<Narrow>>, QueryError> {
        let clear = viewer.clue_arms().iter().any(|(_, sight)| *sight == Sight::Clear);
        if filter.is_personal() && !clear {
            return Err(QueryError::Forbidden("searching by names or phones"));
        }
        let mut narrows = Vec::new();
        if let Some(phone) = &filter.phone {
            let (column, hash) = phone_column(self.index.as_ref(), phone)?;
            let sql = format!(
                "SELECT DISTINCT customer_id FROM past_phone WHERE {column} = $1 AND position <= $2 \
                 AND until_position > $2 LIMIT {FEW}"
            );
            let found = self.texts(&sql, &[hash.into(), at.get().into()]).await?;
            narrows.push(Narrow::Customers(Value::Texts(found.into())));
        }
        if let Some(name) = &filter.name {
            narrows.extend(self.narrow_past_name(name, at).await?);
        }
        for field in &filter.fields {
            let mut sql = Sql::new("SELECT f.subject_id FROM past_value f WHERE f.custom = 1");
            push_field(&mut sql, field, at);
            sql.push(&format!(" LIMIT {}", FEW + 1));
            let found = self.few(sql.text(), sql.params()).await?;
            narrows.push(found.map_or_else(|| Narrow::Field(field.clone()), Narrow::Clues));
        }
        let nobody = |narrow: &Narrow| match narrow {
            Narrow::Customers(Value::Texts(ids)) | Narrow::Clues(Value::Texts(ids)) => ids.is_empty(),
            _ => false,
        };
        Ok((!narrows.iter().any(nobody)).then_some(narrows))
    }

    /// Names are searched as they were then.
    async fn narrow_past_name(&self, name: &str, at: Position) -> Result<Vec<Narrow>, QueryError> {
        let folded = text::fold(name);
        if folded.is_empty() || folded.chars().count() > MAX_NAME_PART {
            return Err(QueryError::Invalid("a part of a name has 1 to 40 characters"));
        }
        let sql = format!(
            "SELECT customer_id FROM past_gram WHERE gram = $1 AND position <= $2 AND until_position > $2 LIMIT {}",
            FEW + 1
        );
        let mut fewest: Option<Vec<String>> = None;
        for probe in text::probes(&folded) {
            let found = self.texts(&sql, &[probe.into(), at.get().into()]).await?;
            if found.len() <= FEW && fewest.as_ref().is_none_or(|known| found.len() < known.len()) {
                fewest = Some(found);
            }
        }
        let mut narrows = vec![Narrow::NameLike(text::contains(&folded))];
        narrows.extend(fewest.map(|found| Narrow::Customers(Value::Texts(found.into()))));
        Ok(narrows)
    }
}

/// The listing of an order as of a position.
pub(super) fn listing<'a>(
    order: ClueOrder,
    at: Position,
    select: &'a str,
    sort: &'a [&'a str],
) -> Listing<'a> {
    Listing {
        order: format!("{}@{at}", order.column()).into(),
        select,
        from: "clue_past c",
        sort,
        id: Some("c.clue_id"),
        descending: order.descending(),
        short: false,
    }
}
