//! Changes of a clue or a customer: who, when, why, and what, field by field.

use std::collections::{BTreeMap, HashMap};

use domain::envelope::{Actor, Position};
use domain::ids::{ClueId, CommandId, CorrelationId, CustomerId, EventId, OperatorId};
use domain::values::{Code, Instant, LineKey};

use super::diff::differences;
use super::query::HistoryQuery;
use super::rows::*;
use super::value::{Seen, ValueKind};
use crate::read::{Listing, Page, Paging, Predicate, QueryError, Shown, Sight, Viewer, fetch_page};
use crate::sql::{Record as _, Sql, SqlError, Value};

/// How far causes are followed.
pub const MAX_CAUSES: usize = 32;

/// A value that an event changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Which value, for example `stage`, `fields.colour` or `contacts.<id>.value`.
    pub field: String,
    /// What it was; `None` when there was none.
    pub before: Option<Seen>,
    /// What it is; `None` when there is none.
    pub after: Option<Seen>,
}

impl FieldChange {
    fn is_hidden(&self) -> bool {
        matches!(&self.after, Some(Seen::Personal(Shown::Masked(_) | Shown::Redacted)))
    }
}

/// An event that led to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Its identity.
    pub event_id: EventId,
    /// Its place in the log.
    pub position: Position,
    /// Its stored type.
    pub kind: String,
    /// When the log took it.
    pub recorded_at: Instant,
    /// Who did it.
    pub actor: Actor,
    /// The command that it is a result of.
    pub command_id: CommandId,
}

/// One event of a clue or a customer, as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its place in the log.
    pub position: Position,
    /// Its identity.
    pub event_id: EventId,
    /// Its stored type, for example `clue.claimed`.
    pub kind: String,
    /// When the log took it.
    pub recorded_at: Instant,
    /// Business time.
    pub occurred_at: Instant,
    /// Who did it.
    pub actor: Actor,
    /// For whom.
    pub on_behalf_of: Option<OperatorId>,
    /// In which line.
    pub line: Option<LineKey>,
    /// The command that it is a result of.
    pub command_id: CommandId,
    /// The intent that it is a result of.
    pub correlation_id: CorrelationId,
    /// The event that made the system issue the command.
    pub causation_id: Option<EventId>,
    /// Why, as a word.
    pub reason: Option<Code>,
    /// The version of the line's rules that the decision used.
    pub policy_version: Option<u32>,
    /// What led to it, nearest first; the last of them, or the event itself when there is none, is the
    /// result of the original command.
    pub causes: Vec<Cause>,
    /// Whether the causes go on beyond [`MAX_CAUSES`], or to an event that is not known here.
    pub causes_cut: bool,
    /// What it changed.
    pub fields: Vec<FieldChange>,
}

/// Whose history is looked at.
struct Subject {
    id: String,
    customer_id: CustomerId,
    /// The clue, when it is one.
    clue: Option<ClueId>,
    sight: Sight,
    /// Whether the person was erased since.
    erased: bool,
    amounts: bool,
}

impl HistoryQuery {
    /// The changes of a clue, last first, up to a position; none when the viewer may not see the clue
    /// now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_clue(
        &self,
        viewer: &Viewer,
        clue: ClueId,
        until: Option<Position>,
        paging: &Paging,
    ) -> Result<Page<Change>, QueryError> {
        let Some(now) = self.clues_now(viewer, &[clue]).await?.remove(&clue) else {
            return Ok(Page::empty());
        };
        let subject = Subject {
            id: clue.to_string(),
            customer_id: now.customer_id,
            clue: Some(clue),
            sight: now.sight,
            erased: now.erased,
            amounts: viewer.sees_amounts(),
        };
        self.page_of(&subject, until, paging).await
    }

    /// The changes of a customer, last first, up to a position; none when the viewer may not see the
    /// customer now. Those of the customer's clues are in their own histories.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_customer(
        &self,
        viewer: &Viewer,
        customer_id: CustomerId,
        until: Option<Position>,
        paging: &Paging,
    ) -> Result<Page<Change>, QueryError> {
        let access = crate::customer::access_to(self.db(), viewer, &[customer_id]).await?;
        let Some(access) = access.get(&customer_id) else { return Ok(Page::empty()) };
        let (sight, erased) = (access.sight, access.erased);
        let (id, amounts) = (customer_id.to_string(), viewer.sees_amounts());
        let subject = Subject { id, customer_id, clue: None, sight, erased, amounts };
        self.page_of(&subject, until, paging).await
    }

    async fn page_of(
        &self,
        subject: &Subject,
        until: Option<Position>,
        paging: &Paging,
    ) -> Result<Page<Change>, QueryError> {
        let select = PAST_EVENT.columns_of("e");
        let listing = Listing {
            order: "history".into(),
            select: &select,
            from: "past_event e",
            sort: &["e.position"],
            id: None,
            descending: true,
            short: true,
        };
        let scope: Predicate<'_> = Box::new(|sql: &mut Sql| {
            sql.push(" AND e.subject_id = ").bind(subject.id.as_str());
            if let Some(until) = until {
                sql.push(" AND e.position <= ").bind(until.get());
            }
        });
        let place = |row: &PastEventRow| (vec![row.position.get()], String::new());
        let page = fetch_page(self.db(), &listing, &[scope], paging, PastEventRow::from_row, place).await?;
        let positions: Vec<i64> = page.nodes().map(|row| row.position.get()).collect();
        if positions.is_empty() {
            return Ok(page.map(|row| change(row, Vec::new(), (Vec::new(), false))));
        }
        let causing: Vec<EventId> = page.nodes().filter_map(|row| row.causation_id).collect();
        let (mut fields, causes) =
            tokio::try_join!(self.fields_changed(subject, &positions), self.causes(causing))?;
        Ok(page.map(|row| {
            let fields = fields.remove(&row.position).unwrap_or_default();
            let causes = chain(row.causation_id, &causes);
            change(row, fields, causes)
        }))
    }

    /// What the events at these positions changed: the difference of the states that ended and those
    /// that began there.
    async fn fields_changed(
        &self,
        subject: &Subject,
        positions: &[i64],
    ) -> Result<BTreeMap<Position, Vec<FieldChange>>, SqlError> {
        let mut found: BTreeMap<Position, Vec<FieldChange>> = BTreeMap::new();
        if let Some(clue) = subject.clue {
            let states: Vec<CluePast> = self.at_edges(subject, ("clue_id", &subject.id), positions).await?;
            let states = states.iter().filter(|state| state.clue.clue_id == clue);
            let mut edges: BTreeMap<Position, (Option<&CluePast>, Option<&CluePast>)> = BTreeMap::new();
            for state in states {
                edges.entry(state.clue.position).or_default().1 = Some(state);
                edges.entry(state.until).or_default().0 = Some(state);
            }
            for (position, (before, behind)) in edges {
                // An edge that is not asked for has but one side here.
                if positions.contains(&position.get()) {
                    found.insert(position, differences(before, behind, subject.amounts));
                }
            }
        }
        let mut values: BTreeMap<(Position, String), FieldChange> = BTreeMap::new();
        let customer = subject.customer_id.to_string();
        let rows: Vec<PastValueRow> = self.at_edges(subject, ("customer_id", &customer), positions).await?;
        let hidden = |row: &PastValueRow| row.kind == ValueKind::Money && !subject.amounts;
        for row in rows.iter().filter(|row| row.subject_id == subject.id && !hidden(row)) {
            for (edge, began) in [(row.position, true), (row.until_position, false)] {
                if !positions.contains(&edge.get()) {
                    continue;
                }
                let field = row.field.clone();
                let none = FieldChange { field: field.clone(), before: None, after: None };
                let change = values.entry((edge, field)).or_insert(none);
                let side = if began { &mut change.after } else { &mut change.before };
                *side = Some(row.seen(subject.sight, subject.erased));
            }
        }
        // Words that were said again are no change; of words that cannot be read nobody can tell.
        values.retain(|_, change| change.before != change.after || change.is_hidden());
        for ((position, _), change) in values {
            found.entry(position).or_default().push(change);
        }
        Ok(found)
    }

    /// The rows that began or ended at one of these positions. `owner`: by what rows are found that
    /// began there; those that ended there are found by the customer.
    async fn at_edges<R: crate::sql::Record>(
        &self,
        subject: &Subject,
        owner: (&str, &str),
        positions: &[i64],
    ) -> Result<Vec<R>, SqlError> {
        let mut rows = BTreeMap::new();
        let (columns, table) = (R::TABLE.column_list(), R::TABLE.name);
        let customer = subject.customer_id.to_string();
        for (edge, (column, id)) in [("position", owner), ("until_position", ("customer_id", &*customer))] {
            let sql = format!("SELECT {columns} FROM {table} WHERE {column} = $1 AND {edge} = ANY($2)");
            for row in self.db().fetch(&sql, &[id.into(), Value::Ints(positions.into())]).await? {
                let row = R::from_row(&row)?;
                rows.insert(row.key(), row);
            }
        }
        Ok(rows.into_values().collect())
    }

    /// These events and what led to them, one query a step for all of them.
    async fn causes(&self, mut wanted: Vec<EventId>) -> Result<HashMap<EventId, PastEventRow>, SqlError> {
        let mut found: HashMap<EventId, PastEventRow> = HashMap::new();
        let columns = PAST_EVENT.column_list();
        let sql = format!("SELECT {columns} FROM past_event WHERE event_id = ANY($1)");
        for _ in 0..MAX_CAUSES {
            wanted.retain(|id| !found.contains_key(id));
            if wanted.is_empty() {
                break;
            }
            let rows = self.db().fetch(&sql, &[Value::texts(std::mem::take(&mut wanted))]).await?;
            for row in rows {
                let row = PastEventRow::from_row(&row)?;
                wanted.extend(row.causation_id);
                found.insert(row.event_id, row);
            }
        }
        Ok(found)
    }
}

/// The chain that leads to an event, nearest first, and whether it was cut.
fn chain(causation: Option<EventId>, known: &HashMap<EventId, PastEventRow>) -> (Vec<Cause>, bool) {
    let mut causes = Vec::new();
    let mut next = causation;
    while let Some(id) = next {
        let row = known.get(&id).filter(|_| causes.len() < MAX_CAUSES);
        let Some(row) = row else { return (causes, true) };
        causes.push(Cause {
            event_id: id,
            position: row.position,
            kind: row.kind.clone(),
            recorded_at: row.recorded_at,
            actor: row.actor.clone(),
            command_id: row.command_id,
        });
        next = row.causation_id;
    }
    (causes, false)
}

fn change(row: PastEventRow, fields: Vec<FieldChange>, (causes, causes_cut): (Vec<Cause>, bool)) -> Change {
    Change {
        position: row.position,
        event_id: row.event_id,
        kind: row.kind,
        recorded_at: row.recorded_at,
        occurred_at: row.occurred_at,
        actor: row.actor,
        on_behalf_of: row.on_behalf_of,
        line: row.line,
        command_id: row.command_id,
        correlation_id: row.correlation_id,
        causation_id: row.causation_id,
        reason: row.reason,
        policy_version: row.policy_version,
        causes,
        causes_cut,
        fields,
    }
}
