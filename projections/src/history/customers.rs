//! Customers as they were, put together from the values that they had.

use std::collections::HashMap;

use domain::envelope::Position;
use domain::ids::{ClueId, CustomerId};
use domain::values::{ContactKind, Instant};

use super::customer::basis;
use super::query::HistoryQuery;
use super::rows::PastValueRow;
use super::value::ValueKind;
use crate::customer::{ContactItem, CustomerItem, CustomerRow, StarItem, access_to};
use crate::read::{QueryError, Shown, Sight, Viewer};
use crate::sql::{SqlError, Value};

/// The values of one customer at one position, in the order of their names.
struct Values(Vec<PastValueRow>);

impl Values {
    fn get(&self, field: &str) -> Option<&PastValueRow> {
        self.0.binary_search_by(|row| row.field.as_str().cmp(field)).ok().and_then(|at| self.0.get(at))
    }

    fn word<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        self.get(field)?.text.as_ref()?.parse().ok()
    }

    fn instant(&self, field: &str) -> Option<Instant> {
        self.get(field)?.whole.map(Instant::from_micros)
    }

    fn flag(&self, field: &str) -> bool {
        self.get(field).is_some_and(|row| row.whole == Some(1))
    }

    /// The middle of the names that begin and end so: of `stars.<line>.tier` the line.
    fn named<T: std::str::FromStr>(&self, prefix: &str, suffix: &str) -> Vec<(T, &PastValueRow)> {
        let middle = |row: &PastValueRow| row.field.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok();
        self.0.iter().filter_map(|row| Some((middle(row)?, row))).collect()
    }
}

impl HistoryQuery {
    /// Customers as they were at a position, by their ids. Those that the viewer may not see now, and
    /// those that were not known then, are not in the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customers_at(
        &self,
        viewer: &Viewer,
        ids: &[CustomerId],
        at: Position,
    ) -> Result<HashMap<CustomerId, CustomerItem>, QueryError> {
        let access = access_to(self.db(), viewer, ids).await?;
        let seen = || Value::texts(access.keys());
        let (values, clues, positions) = tokio::try_join!(
            self.values_at(seen(), at),
            self.states("customer_id", seen(), at),
            self.last_positions(seen(), at),
        )?;
        let mut by_customer: HashMap<CustomerId, Values> = HashMap::new();
        for row in values {
            by_customer.entry(row.customer_id).or_insert_with(|| Values(Vec::new())).0.push(row);
        }
        for values in by_customer.values_mut() {
            // The database's order of texts need not be ours.
            values.0.sort_by(|a, b| a.field.cmp(&b.field));
        }
        let mut items = HashMap::new();
        for (id, access) in &access {
            let Some(values) = by_customer.get(id) else { continue };
            let position = positions.get(id).copied().unwrap_or_default();
            let Some(mut item) = item(*id, values, position, access.sight, access.erased) else { continue };
            let own = clues.iter().filter(|clue| clue.clue.customer_id == *id);
            let own = own.map(|clue| clue.clue.clue_id).filter(|clue| access.clues.contains_key(clue));
            item.clues = own.collect::<Vec<ClueId>>();
            item.clues.sort_unstable();
            items.insert(*id, item);
        }
        Ok(items)
    }

    /// The positions of the last events of customers by then.
    async fn last_positions(
        &self,
        ids: Value,
        at: Position,
    ) -> Result<HashMap<CustomerId, Position>, SqlError> {
        let sql = "SELECT subject_id, max(position) FROM past_event WHERE subject_id = ANY($1) \
                   AND position <= $2 GROUP BY subject_id";
        let rows = self.db().fetch(sql, &[ids, at.get().into()]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

fn item(
    customer_id: CustomerId,
    values: &Values,
    position: Position,
    sight: Sight,
    erased_since: bool,
) -> Option<CustomerItem> {
    let erased_at = values.instant("erasedAt");
    let customer = CustomerRow {
        customer_id,
        line: values.word("line")?,
        name: None,
        source_channel: values.word("sourceChannel")?,
        campaign: values.word("campaign"),
        registered_at: values.instant("registeredAt")?,
        do_not_call: values.flag("doNotCall"),
        erased_at,
        erasure_ground: values.word("erasureGround"),
        position,
    };
    let shown = |row: &PastValueRow| row.shown(sight, erased_since);
    let erased = erased_at.map(|_| Shown::Redacted);
    let name = values.get("name").map(shown).or(erased);
    let mut contacts: Vec<ContactItem> = values
        .named("contacts.", ".value")
        .into_iter()
        .filter_map(|(id, row)| {
            let kind = contact_kind(row.kind)?;
            let verified = values.flag(&format!("contacts.{id}.verified"));
            Some(ContactItem { id, kind, value: shown(row), verified })
        })
        .collect();
    contacts.sort_by_key(|contact| contact.id);
    let consents = values.named("consents.", "").into_iter();
    let consents = consents.filter_map(|(purpose, row)| Some((purpose, Instant::from_micros(row.whole?))));
    let stars = values.named::<domain::values::LineKey>("stars.", ".tier").into_iter();
    let stars = stars.filter_map(|(line, row)| {
        Some(StarItem {
            tier: row.text.as_ref()?.parse().ok()?,
            basis: basis(values.get(&format!("stars.{line}.basis"))?.text.as_ref()?)?,
            granted_at: values.instant(&format!("stars.{line}.grantedAt"))?,
            expires_at: values.instant(&format!("stars.{line}.expiresAt")),
            line,
        })
    });
    let links = values.named("links.", "").into_iter().map(|(other, _)| other);
    Some(CustomerItem {
        customer,
        name,
        sight,
        contacts,
        consents: consents.collect(),
        stars: stars.collect(),
        links: links.collect(),
        clues: Vec::new(),
    })
}

const fn contact_kind(kind: ValueKind) -> Option<ContactKind> {
    match kind {
        ValueKind::Phone => Some(ContactKind::Phone),
        ValueKind::Email => Some(ContactKind::Email),
        ValueKind::Wechat => Some(ContactKind::Wechat),
        _ => None,
    }
}
