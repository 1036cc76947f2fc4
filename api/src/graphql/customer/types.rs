//! Customers as GraphQL objects.

use async_graphql::{ComplexObject, Context};
use domain::ids::{ClueId, ContactPointId, CustomerId};
use domain::values::{Code, LineKey};
use projections::customer::CustomerItem;
use projections::history::History;

use super::timeline::{TIMELINE, TimelineNode};
use crate::graphql::clue::ClueNode;
use crate::graphql::connection::Connection;
use crate::graphql::enums::{ContactKind, StarBasis, Visibility};
use crate::graphql::history::{AsOf, ChangeNode, HISTORY};
use crate::graphql::loaders::{CluesAt, CluesOf, Loaders};
use crate::graphql::page::{PageArguments, rows};
use crate::graphql::personal::PersonalText;
use crate::graphql::scalars::{Id, Instant, Position, Text};
use crate::graphql::services::session;
use crate::plain_object;

plain_object! {
    /// A person with contact points.
    CustomerNode as "Customer" (complex) {
        /// The customer's identity.
        id "id": Id<CustomerId>,
        /// What the customer is called; null when nobody knows.
        name "name": Option<PersonalText>,
        /// How much of the person the caller sees.
        visibility "visibility": Visibility,
        /// The line that met the customer first.
        line "line": Text<LineKey>,
        /// The channel that the customer came through.
        source_channel "sourceChannel": Text<Code>,
        /// The campaign that brought the customer.
        campaign "campaign": Option<String>,
        /// When the customer became known.
        registered_at "registeredAt": Instant,
        /// Whether calls are unwanted.
        do_not_call "doNotCall": bool,
        /// When the person was erased; then neither name nor contacts can be read again.
        erased_at "erasedAt": Option<Instant>,
        /// How the customer can be reached, oldest first.
        contacts "contacts": Vec<ContactPointNode>,
        /// To what the customer agrees.
        consents "consents": Vec<ConsentNode>,
        /// Stars, by line.
        stars "stars": Vec<StarNode>,
        /// Other records of the same person.
        linked_customer_ids "linkedCustomerIds": Vec<Id<CustomerId>>,
        /// The customer's clues that the caller may see.
        clue_ids "clueIds": Vec<Id<ClueId>>,
        /// Place of the customer's last change in the log.
        position "position": Position,
        /// The moment that this state of the customer is of, and all of its parts; null for the
        /// present. The rights of today decide what is seen of it, and who was erased since is erased
        /// in the past as well.
        as_of "asOf": Option<AsOf>,
    }
}

plain_object! {
    /// A way to reach a customer.
    ContactPointNode as "ContactPoint" {
        /// Its identity.
        id "id": Id<ContactPointId>,
        /// What kind it is.
        kind "kind": ContactKind,
        /// Its normal form, as far as the caller may see it.
        value "value": PersonalText,
        /// Whether somebody made sure of it.
        verified "verified": bool,
    }
}

plain_object! {
    /// A use of the data that a customer agrees to.
    ConsentNode as "Consent" {
        /// To what.
        purpose "purpose": Text<Code>,
        /// Since when.
        given_at "givenAt": Instant,
    }
}

plain_object! {
    /// How likely to buy a customer is held, in a line.
    StarNode as "Star" {
        /// In which line.
        line "line": Text<LineKey>,
        /// One to five.
        tier "tier": i32,
        /// What the stars rest on.
        basis "basis": StarBasis,
        /// Since when.
        granted_at "grantedAt": Instant,
        /// Until when.
        expires_at "expiresAt": Option<Instant>,
    }
}

#[ComplexObject]
impl CustomerNode {
    /// The customer's clues that the caller may see, newest first.
    async fn clues(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<ClueNode>> {
        let session = session(ctx)?;
        let loader = ctx.data::<Loaders>()?.get();
        let found = match self.as_of {
            Some(as_of) => loader.load_one(CluesAt(self.id.0, as_of.position.0)).await?,
            None => loader.load_one(CluesOf(self.id.0)).await?,
        };
        let node = |item| ClueNode::at(item, session, self.as_of);
        Ok(found.unwrap_or_default().into_iter().map(node).collect())
    }

    /// What happened with the customer, last first, as far as it concerns clues that the caller may
    /// see, or no clue.
    #[graphql(complexity = "rows(first, last) * child_complexity + 1")]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<TimelineNode>> {
        let session = session(ctx)?;
        let arguments = PageArguments { first, after, last, before };
        let paging = session.paging(arguments, TIMELINE)?;
        let until = self.as_of.map(|as_of| as_of.position.0);
        let page = session.services.customers.timeline(&session.viewer, self.id.0, until, &paging).await;
        Ok(session.connection(page, TIMELINE, TimelineNode::from)?)
    }

    /// Every change of the customer, last first: who, when, why, and what it changed. Changes of clues
    /// are in the histories of the clues.
    #[graphql(complexity = "rows(first, last) * child_complexity + 1")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<ChangeNode>> {
        let session = session(ctx)?;
        let arguments = PageArguments { first, after, last, before };
        let paging = session.paging(arguments, HISTORY)?;
        session.at_least(&[History::NAME], None).await?;
        let until = self.as_of.map(|as_of| as_of.position.0);
        let page = session.services.history.of_customer(&session.viewer, self.id.0, until, &paging).await;
        Ok(session.connection(page, HISTORY, ChangeNode::from)?)
    }
}

impl From<CustomerItem> for CustomerNode {
    fn from(item: CustomerItem) -> Self {
        Self::at(item, None)
    }
}

impl CustomerNode {
    /// A row of the read side, of a moment in the past.
    #[must_use]
    pub fn at(item: CustomerItem, as_of: Option<AsOf>) -> Self {
        let CustomerItem { customer, name, sight, contacts, consents, stars, links, clues } = item;
        let contact = |contact: projections::customer::ContactItem| ContactPointNode {
            id: Id(contact.id),
            kind: contact.kind.into(),
            value: contact.value.into(),
            verified: contact.verified,
        };
        let star = |star: projections::customer::StarItem| StarNode {
            line: Text(star.line),
            tier: i32::try_from(star.tier).unwrap_or_default(),
            basis: star.basis.into(),
            granted_at: Instant(star.granted_at),
            expires_at: star.expires_at.map(Instant),
        };
        let consent =
            |(purpose, given_at)| ConsentNode { purpose: Text(purpose), given_at: Instant(given_at) };
        Self {
            id: Id(customer.customer_id),
            name: name.map(Into::into),
            visibility: sight.into(),
            line: Text(customer.line),
            source_channel: Text(customer.source_channel),
            campaign: customer.campaign,
            registered_at: Instant(customer.registered_at),
            do_not_call: customer.do_not_call,
            erased_at: customer.erased_at.map(Instant),
            contacts: contacts.into_iter().map(contact).collect(),
            consents: consents.into_iter().map(consent).collect(),
            stars: stars.into_iter().map(star).collect(),
            linked_customer_ids: links.into_iter().map(Id).collect(),
            clue_ids: clues.into_iter().map(Id).collect(),
            position: Position(customer.position),
            as_of,
        }
    }
}
