//! Reads customers and their timelines.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use domain::clue::Lifecycle;
use domain::customer::StarBasis;
use domain::envelope::Position;
use domain::ids::{ClueId, ContactPointId, CustomerId};
use domain::operator::Role;
use domain::ports::BlindIndex;
use domain::values::{Code, ContactKind, Instant, LineKey};

use super::rows::*;
use super::timeline::{self, TimelineItem};
use crate::read::{
    Holding, Listing, Page, Paging, Predicate, QueryError, Shown, Sight, Viewer, fetch_page, mask_contact,
};
use crate::sql::{Database, Record, Sql, SqlError, Value};

/// Most customers that a search by phone returns.
const MAX_FOUND: usize = 100;

/// A contact point as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactItem {
    /// Which.
    pub id: ContactPointId,
    /// What kind.
    pub kind: ContactKind,
    /// Its normal form, as far as it may be seen.
    pub value: Shown,
    /// Whether somebody made sure of it.
    pub verified: bool,
}

/// Stars in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct StarItem {
    /// In which line.
    pub line: LineKey,
    /// How many.
    pub tier: i64,
    /// What they rest on.
    pub basis: StarBasis,
    /// Since when.
    pub granted_at: Instant,
    /// Until when.
    pub expires_at: Option<Instant>,
}

/// A customer as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerItem {
    /// The facts. `name` is always `None` here; see the next field.
    pub customer: CustomerRow,
    /// What the customer is called; `None` when nobody knows.
    pub name: Option<Shown>,
    /// How much of the person the viewer sees.
    pub sight: Sight,
    /// How the customer can be reached, oldest first.
    pub contacts: Vec<ContactItem>,
    /// To what the customer agrees, since when.
    pub consents: Vec<(Code, Instant)>,
    /// Stars, by line.
    pub stars: Vec<StarItem>,
    /// Other records of the same person.
    pub links: Vec<CustomerId>,
    /// The customer's clues that the viewer may see.
    pub clues: Vec<ClueId>,
}

/// Reads customers. Cheap to clone.
#[derive(Clone)]
pub struct CustomerQuery {
    db: Database,
    index: Arc<dyn BlindIndex>,
}

/// What a viewer sees of one customer.
pub(crate) struct Access {
    /// How much of the person.
    pub sight: Sight,
    /// Of which clues, and how much through each.
    pub clues: BTreeMap<ClueId, Sight>,
    /// Whether the person was erased.
    pub erased: bool,
}

impl CustomerQuery {
    /// On a database, with the keyed hashes by which phones are found.
    #[must_use]
    pub fn new(db: Database, index: Arc<dyn BlindIndex>) -> Self {
        Self { db, index }
    }

    /// Customers by their ids. Those that the viewer may not see are not in the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_ids(
        &self,
        viewer: &Viewer,
        ids: &[CustomerId],
    ) -> Result<HashMap<CustomerId, CustomerItem>, QueryError> {
        let customers = self.load::<CustomerRow>(ids).await?;
        let mut access = self.access(viewer, &customers, ids).await?;
        let seen: Vec<CustomerId> = access.keys().copied().collect();
        let (contacts, consents, stars, links) = tokio::try_join!(
            self.load::<ContactRow>(&seen),
            self.load::<ConsentRow>(&seen),
            self.load::<StarRow>(&seen),
            self.load::<LinkRow>(&seen),
        )?;
        let mut items: HashMap<CustomerId, CustomerItem> = HashMap::new();
        for mut customer in customers {
            let id = customer.customer_id;
            let Some(Access { sight, clues, .. }) = access.remove(&id) else { continue };
            let name = Shown::name(customer.name.take(), customer.erased_at.is_some(), sight);
            let clues = clues.into_keys().collect();
            let (contacts, consents, stars, links) = (vec![], vec![], vec![], vec![]);
            items.insert(id, CustomerItem { customer, name, sight, contacts, consents, stars, links, clues });
        }
        for row in contacts {
            if let Some(item) = items.get_mut(&row.customer_id) {
                let value = Shown::new(row.value, item.sight, |value| mask_contact(row.kind, value));
                let id = row.contact_point_id;
                item.contacts.push(ContactItem { id, kind: row.kind, value, verified: row.verified });
            }
        }
        for row in consents {
            if let Some(item) = items.get_mut(&row.customer_id) {
                item.consents.push((row.purpose, row.given_at));
            }
        }
        for row in stars {
            if let Some(item) = items.get_mut(&row.customer_id) {
                let StarRow { line, tier, basis, granted_at, expires_at, .. } = row;
                item.stars.push(StarItem { line, tier, basis, granted_at, expires_at });
            }
        }
        for row in links {
            if let Some(item) = items.get_mut(&row.customer_id) {
                item.links.push(row.other_id);
            }
        }
        for item in items.values_mut() {
            item.contacts.sort_by_key(|contact| contact.id);
        }
        Ok(items)
    }

    /// One customer; `None` when the viewer may not see it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, viewer: &Viewer, id: CustomerId) -> Result<Option<CustomerItem>, QueryError> {
        Ok(self.by_ids(viewer, &[id]).await?.remove(&id))
    }

    /// Who has this phone number, whole and in E.164: who calls. Pooled customers come masked.
    ///
    /// # Errors
    /// [`QueryError::Forbidden`] for roles that see no personal data.
    pub async fn by_phone(&self, viewer: &Viewer, number: &str) -> Result<Vec<CustomerItem>, QueryError> {
        let personal = [Role::Agent, Role::TeamLead, Role::Manager, Role::ServiceRep, Role::Auditor];
        if !personal.iter().any(|role| viewer.is(*role)) {
            return Err(QueryError::Forbidden("searching by phone"));
        }
        let hash = self.index.contact(ContactKind::Phone, number);
        let sql = format!(
            "SELECT DISTINCT customer_id FROM customer_phone WHERE exact = $1 ORDER BY customer_id LIMIT {MAX_FOUND}"
        );
        let rows = self.db.fetch(&sql, &[hash.into()]).await?;
        let ids: Result<Vec<CustomerId>, SqlError> = rows.iter().map(|row| row.get(0)).collect();
        let found = self.by_ids(viewer, &ids?).await?;
        // Through a role that sees nothing of the person, a hit would confirm a guessed number.
        let mut found: Vec<_> = found.into_values().filter(|item| item.sight > Sight::Redacted).collect();
        found.sort_by_key(|item| item.customer.customer_id);
        Ok(found)
    }

    /// What happened with a customer, up to a position, last first, as far as it concerns clues that
    /// the viewer may see, or no clue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn timeline(
        &self,
        viewer: &Viewer,
        id: CustomerId,
        until: Option<Position>,
        paging: &Paging,
    ) -> Result<Page<TimelineItem>, QueryError> {
        let customers = self.load::<CustomerRow>(&[id]).await?;
        let mut access = self.access(viewer, &customers, &[id]).await?;
        let Some(access) = access.remove(&id) else { return Ok(Page::empty()) };
        let clues = Value::texts(access.clues.keys());
        let scope: Predicate<'_> = Box::new(|sql: &mut Sql| {
            sql.push(" AND t.customer_id = ").bind(id.to_string());
            sql.push(" AND (t.clue_id IS NULL OR t.clue_id = ANY(").bind(clues.clone()).push("))");
            push_until(sql, until);
        });
        self.timeline_page(viewer, &access, "timeline", scope, paging).await
    }

    /// What happened with a clue, up to a position, last first; nothing when the viewer may not see it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clue_timeline(
        &self,
        viewer: &Viewer,
        clue_id: ClueId,
        until: Option<Position>,
        paging: &Paging,
    ) -> Result<Page<TimelineItem>, QueryError> {
        let sql = "SELECT customer_id FROM customer_clue WHERE clue_id = $1";
        let rows = self.db.fetch(sql, &[clue_id.to_string().into()]).await?;
        let Some(row) = rows.first() else { return Ok(Page::empty()) };
        let id: CustomerId = row.get(0)?;
        let customers = self.load::<CustomerRow>(&[id]).await?;
        let mut access = self.access(viewer, &customers, &[id]).await?;
        let Some(access) = access.remove(&id) else { return Ok(Page::empty()) };
        if !access.clues.contains_key(&clue_id) {
            return Ok(Page::empty());
        }
        let scope: Predicate<'_> = Box::new(move |sql: &mut Sql| {
            sql.push(" AND t.clue_id = ").bind(clue_id.to_string());
            push_until(sql, until);
        });
        self.timeline_page(viewer, &access, "clue_timeline", scope, paging).await
    }

    async fn timeline_page(
        &self,
        viewer: &Viewer,
        access: &Access,
        order: &'static str,
        scope: Predicate<'_>,
        paging: &Paging,
    ) -> Result<Page<TimelineItem>, QueryError> {
        let select = CUSTOMER_TIMELINE.columns_of("t");
        let listing = Listing {
            order: order.into(),
            select: &select,
            from: "customer_timeline t",
            sort: &["t.position"],
            id: None,
            descending: true,
            short: true,
        };
        let place = |row: &TimelineRow| (vec![row.position.get()], String::new());
        let page = fetch_page(&self.db, &listing, &[scope], paging, TimelineRow::from_row, place).await?;
        let amounts = viewer.sees_amounts();
        Ok(page.map(|row| {
            let clue = row.clue_id.and_then(|clue| access.clues.get(&clue));
            let sight = clue.copied().unwrap_or(access.sight);
            timeline::show(row, sight, amounts)
        }))
    }

    async fn access(
        &self,
        viewer: &Viewer,
        customers: &[CustomerRow],
        ids: &[CustomerId],
    ) -> Result<HashMap<CustomerId, Access>, SqlError> {
        access(&self.db, viewer, customers, ids).await
    }

    async fn load<R: Record>(&self, ids: &[CustomerId]) -> Result<Vec<R>, SqlError> {
        load(&self.db, ids).await
    }
}

fn push_until(sql: &mut Sql, until: Option<Position>) {
    if let Some(until) = until {
        sql.push(" AND t.position <= ").bind(until.get());
    }
}

/// Which of these customers the viewer may see, and how much of each.
pub(crate) async fn visible(
    db: &Database,
    viewer: &Viewer,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, Sight>, SqlError> {
    let access = access_to(db, viewer, ids).await?;
    Ok(access.into_iter().map(|(id, access)| (id, access.sight)).collect())
}

/// What the viewer sees of each of these customers; those that the viewer may not see are not in it.
pub(crate) async fn access_to(
    db: &Database,
    viewer: &Viewer,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, Access>, SqlError> {
    let customers = load::<CustomerRow>(db, ids).await?;
    access(db, viewer, &customers, ids).await
}

/// How much the viewer sees of each of these customers, and of which of their clues.
async fn access(
    db: &Database,
    viewer: &Viewer,
    customers: &[CustomerRow],
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, Access>, SqlError> {
    let mut access: HashMap<CustomerId, Access> = HashMap::new();
    let gone = customers.iter().filter(|customer| customer.erased_at.is_some());
    let erased: HashSet<CustomerId> = gone.map(|customer| customer.customer_id).collect();
    let mut grant = |customer: CustomerId, clue: Option<ClueId>, sight: Sight| {
        let none = || Access { sight, clues: BTreeMap::new(), erased: erased.contains(&customer) };
        let entry = access.entry(customer).or_insert_with(none);
        entry.sight = entry.sight.max(sight);
        entry.clues.extend(clue.map(|clue| (clue, sight)));
    };
    for customer in customers {
        if let Some(sight) = viewer.sight_of_customer_in(&customer.line) {
            grant(customer.customer_id, None, sight);
        }
    }
    for clue in load::<CustomerClueRow>(db, ids).await? {
        let pooled = clue.lifecycle == Lifecycle::Pooled;
        let holding = Holding { line: &clue.line, owner: clue.owner_id, team: clue.team_id, pooled };
        let sight = viewer.sight_of_clue(holding).max(viewer.sight_of_customer_in(&clue.line));
        if let Some(sight) = sight {
            grant(clue.customer_id, Some(clue.clue_id), sight);
        }
    }
    Ok(access)
}

async fn load<R: Record>(db: &Database, ids: &[CustomerId]) -> Result<Vec<R>, SqlError> {
    let columns = R::TABLE.column_list();
    let sql = format!("SELECT {columns} FROM {} WHERE customer_id = ANY($1)", R::TABLE.name);
    db.fetch(&sql, &[Value::texts(ids)]).await?.iter().map(R::from_row).collect()
}
