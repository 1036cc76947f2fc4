//! A clue as a GraphQL object.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context};
use domain::ids::{ClueId, CustomerId, OperatorId, TeamId};
use domain::values::{Code, Currency, LineKey, SourceKey, StageKey};
use projections::Snapshot;
use projections::clue_list::{ClueItem, NEVER};
use projections::history::History;

use super::field::FieldEntryNode;
use crate::graphql::connection::{Connection, Node};
use crate::graphql::customer::{CustomerNode, TIMELINE, TimelineNode};
use crate::graphql::enums::{Intent, Lifecycle, StageCategory, Visibility};
use crate::graphql::error::ApiError;
use crate::graphql::history::{AsOf, ChangeNode, HISTORY};
use crate::graphql::loaders::{CustomerAt, FieldsAt, FieldsOf, Loaders};
use crate::graphql::operator::{OperatorNode, TeamNode, sees_names};
use crate::graphql::page::{PageArguments, rows};
use crate::graphql::personal::PersonalText;
use crate::graphql::scalars::{Id, Instant, Money, Position, Text};
use crate::graphql::services::{Session, session};
use crate::plain_object;

plain_object! {
    /// A person's intent to buy or sell a car, to be worked to a deal or a loss.
    ClueNode as "Clue" (complex) {
        /// The clue's identity.
        id "id": Id<ClueId>,
        /// Whose clue it is.
        customer_id "customerId": Id<CustomerId>,
        /// What the customer is called; null when nobody knows.
        customer_name "customerName": Option<PersonalText>,
        /// How much of the person the caller sees.
        visibility "visibility": Visibility,
        /// The business line that works it.
        line "line": Text<LineKey>,
        /// Where it is in its life.
        lifecycle "lifecycle": Lifecycle,
        /// The stage where it stands.
        stage "stage": Text<StageKey>,
        /// What standing there means.
        stage_category "stageCategory": StageCategory,
        /// Version of the stage graph by which it came there.
        graph_version "graphVersion": i32,
        /// Who works it, or worked it when it ended.
        owner_id "ownerId": Option<Id<OperatorId>>,
        /// The owner's team.
        team_id "teamId": Option<Id<TeamId>>,
        /// The channel that it came through.
        source_channel "sourceChannel": Text<Code>,
        /// What the source calls it.
        source_key "sourceKey": Option<Text<SourceKey>>,
        /// The campaign that brought it.
        campaign "campaign": Option<String>,
        /// When it came in.
        captured_at "capturedAt": Instant,
        /// When something happened to it last.
        updated_at "updatedAt": Instant,
        /// When it last went to the pool; null while it is not there.
        pooled_at "pooledAt": Option<Instant>,
        /// Since when its owner has it.
        owned_since "ownedSince": Option<Instant>,
        /// When the customer was really reached first.
        first_response_at "firstResponseAt": Option<Instant>,
        /// When the next contact is planned.
        next_follow_up_at "nextFollowUpAt": Option<Instant>,
        /// When the last contact was.
        last_follow_up_at "lastFollowUpAt": Option<Instant>,
        /// When it was won.
        won_at "wonAt": Option<Instant>,
        /// When it was lost.
        lost_at "lostAt": Option<Instant>,
        /// For how much it was won.
        amount "amount": Option<Money>,
        /// Why it is lost, or proposed as lost.
        loss_reason "lossReason": Option<Text<Code>>,
        /// Which way the customer wants to deal.
        intent "intent": Option<Intent>,
        /// Lowest price that the customer stated.
        budget_min "budgetMin": Option<Money>,
        /// Highest price that the customer stated.
        budget_max "budgetMax": Option<Money>,
        /// Stars of the customer in this line; 0 for none.
        stars "stars": i32,
        /// Place of its last change in the log.
        position "position": Position,
        /// The moment that this state of the clue is of, and all of its parts; null for the present.
        as_of "asOf": Option<AsOf>,
    }
    hidden { directory: Arc<Snapshot>, named: bool }
    lazy { "owner" => owner_node, "team" => team_node }
}

impl Node for ClueNode {
    const CONNECTION: &'static str = "ClueConnection";
    const EDGE: &'static str = "ClueEdge";
    const DATED: bool = true;
}

#[ComplexObject]
impl ClueNode {
    /// Who works it, or worked it when it ended. In a state of the past `ownerId` is of then, and this
    /// is what the directory says of that operator now.
    async fn owner(&self) -> Option<OperatorNode> {
        self.owner_node()
    }

    /// The owner's team. In a state of the past `teamId` is of then, and this is what the directory
    /// says of that team now.
    async fn team(&self) -> Option<TeamNode> {
        self.team_node()
    }

    /// Whose clue it is; null when the caller may not see the customer.
    async fn customer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<CustomerNode>> {
        let loader = ctx.data::<Loaders>()?.get();
        let found = match self.as_of {
            Some(as_of) => loader.load_one(CustomerAt(self.customer_id.0, as_of.position.0)).await?,
            None => loader.load_one(self.customer_id.0).await?,
        };
        Ok(found.map(|item| CustomerNode::at(item, self.as_of)))
    }

    /// Values of custom fields, in the order of the keys.
    #[graphql(complexity = "3 * child_complexity + 1")]
    async fn fields(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<FieldEntryNode>> {
        let loader = ctx.data::<Loaders>()?.get();
        let found = match self.as_of {
            Some(as_of) => loader.load_one(FieldsAt(self.id.0, as_of.position.0)).await?,
            None => loader.load_one(FieldsOf(self.id.0)).await?,
        };
        let found = found.unwrap_or_default();
        Ok(found.into_iter().map(FieldEntryNode::try_from).collect::<Result<_, ApiError>>()?)
    }

    /// What happened with the clue, last first.
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
        let customers = &session.services.customers;
        let page = customers.clue_timeline(&session.viewer, self.id.0, until, &paging).await;
        Ok(session.connection(page, TIMELINE, TimelineNode::from)?)
    }

    /// Every change of the clue, last first: who, when, why, and what it changed. Changes of the
    /// customer are in the customer's history.
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
        let page = session.services.history.of_clue(&session.viewer, self.id.0, until, &paging).await;
        Ok(session.connection(page, HISTORY, ChangeNode::from)?)
    }
}

impl ClueNode {
    /// A row of the read side, with the directory that names its owner.
    #[must_use]
    pub fn new(item: ClueItem, session: &Session) -> Self {
        Self::at(item, session, None)
    }

    /// The same, of a moment in the past.
    #[must_use]
    pub fn at(item: ClueItem, session: &Session, as_of: Option<AsOf>) -> Self {
        let ClueItem { clue, customer_name, sight } = item;
        let money = |minor: Option<i64>, currency: Option<Currency>| {
            let (minor, currency) = minor.zip(currency)?;
            Some(Money(domain::values::Money { minor, currency }))
        };
        let sees_amounts = session.viewer.sees_amounts();
        Self {
            id: Id(clue.clue_id),
            customer_id: Id(clue.customer_id),
            customer_name: customer_name.map(Into::into),
            visibility: sight.into(),
            line: Text(clue.line),
            lifecycle: clue.lifecycle.into(),
            stage: Text(clue.stage),
            stage_category: clue.stage_category.into(),
            graph_version: i32::try_from(clue.graph_version).unwrap_or(i32::MAX),
            owner_id: clue.owner_id.map(Id),
            team_id: clue.team_id.map(Id),
            source_channel: Text(clue.source_channel),
            source_key: clue.source_key.map(Text),
            campaign: clue.campaign,
            captured_at: Instant(clue.captured_at),
            updated_at: Instant(clue.updated_at),
            pooled_at: clue.pooled_at.map(Instant),
            owned_since: clue.owned_since.map(Instant),
            first_response_at: clue.first_response_at.map(Instant),
            next_follow_up_at: Some(clue.next_follow_up_at).filter(|at| *at != NEVER).map(Instant),
            last_follow_up_at: clue.last_follow_up_at.map(Instant),
            won_at: clue.won_at.map(Instant),
            lost_at: clue.lost_at.map(Instant),
            amount: money(clue.amount_minor, clue.currency).filter(|_| sees_amounts),
            loss_reason: clue.loss_reason.map(Text),
            intent: clue.intent.map(Into::into),
            budget_min: money(clue.budget_min, clue.budget_currency),
            budget_max: money(clue.budget_max, clue.budget_currency),
            stars: i32::try_from(clue.star).unwrap_or_default(),
            position: Position(clue.position),
            as_of,
            directory: session.snapshot.clone(),
            named: sees_names(&session.viewer),
        }
    }

    fn owner_node(&self) -> Option<OperatorNode> {
        OperatorNode::find(self.owner_id.map(|id| id.0), &self.directory, self.named)
    }

    fn team_node(&self) -> Option<TeamNode> {
        self.directory.teams.get(&self.team_id?.0).map(TeamNode::from)
    }
}
