//! Tables of the clue list.

use domain::business_line::{FieldKind, StageCategory};
use domain::clue::{Intent, Lifecycle};
use domain::envelope::Position;
use domain::ids::{ClueId, ContactPointId, CustomerId, OperatorId, TeamId};
use domain::values::{Code, Currency, FieldKey, Instant, LineKey, SourceKey, StageKey};

use crate::read::Holding;
use crate::sql::record;

/// Stands for "none planned" in `next_follow_up_at`, so that such clues come last in both dialects.
pub const NEVER: Instant = Instant::from_micros(i64::MAX);

record! {
    /// A clue.
    ClueRow in CLUE_LIST = "clue_list", key (clue_id: ClueId), group customer_id: CustomerId {
        /// Which clue.
        clue_id: ClueId,
        /// Whose.
        customer_id: CustomerId,
        /// The business line that works it.
        line: LineKey,
        /// Where it is in its life.
        lifecycle: Lifecycle,
        /// The stage where it stands.
        stage: StageKey,
        /// What standing there means.
        stage_category: StageCategory,
        /// Version of the stage graph by which it came there.
        graph_version: u32,
        /// Who works it, or worked it when it ended.
        owner_id: Option<OperatorId>,
        /// The owner's team.
        team_id: Option<TeamId>,
        /// The channel that it came through.
        source_channel: Code,
        /// What the source calls it.
        source_key: Option<SourceKey>,
        /// The campaign that brought it.
        campaign: Option<String>,
        /// When it came in.
        captured_at: Instant,
        /// Business time of its last event.
        updated_at: Instant,
        /// When it last went to the pool; `None` while it is not there.
        pooled_at: Option<Instant>,
        /// Since when its owner has it.
        owned_since: Option<Instant>,
        /// When the customer was really reached first.
        first_response_at: Option<Instant>,
        /// When the next contact is planned; [`NEVER`] when none is.
        next_follow_up_at: Instant,
        /// When the last contact was.
        last_follow_up_at: Option<Instant>,
        /// When it was won.
        won_at: Option<Instant>,
        /// When it was lost.
        lost_at: Option<Instant>,
        /// For how much it was won.
        amount_minor: Option<i64>,
        /// In which currency.
        currency: Option<Currency>,
        /// Why it is lost, or proposed as lost.
        loss_reason: Option<Code>,
        /// Which way the customer wants to deal.
        intent: Option<Intent>,
        /// Lowest price, in minor units.
        budget_min: Option<i64>,
        /// Highest price, in minor units.
        budget_max: Option<i64>,
        /// In which currency.
        budget_currency: Option<Currency>,
        /// Stars of the customer in this line; zero for none.
        star: i64,
        /// What the customer is called.
        customer_name: Option<String>,
        /// Whether the customer was erased.
        erased: bool,
        /// Position of the last event in it.
        position: Position,
    }
}

record! {
    /// A value of a custom field.
    FieldRow in CLUE_LIST_FIELD = "clue_list_field",
    key (clue_id: ClueId, field: FieldKey), group customer_id: CustomerId {
        /// Of which clue.
        clue_id: ClueId,
        /// Which field.
        field: FieldKey,
        /// Whose clue.
        customer_id: CustomerId,
        /// What kind of value.
        kind: FieldKind,
        /// An option's key, a day, a currency, or a number exactly as it was given.
        text: Option<String>,
        /// A number, to be compared.
        number: Option<f64>,
        /// An instant in microseconds, an amount in minor units, or 0 and 1.
        whole: Option<i64>,
        /// Free text, which is personal.
        free_text: Option<String>,
        /// Whether free text was there and is gone.
        redacted: bool,
    }
}

record! {
    /// A customer, as far as the list needs.
    ListCustomerRow in CLUE_LIST_CUSTOMER = "clue_list_customer",
    key (customer_id: CustomerId), group customer_id: CustomerId {
        /// Which customer.
        customer_id: CustomerId,
        /// What the customer is called.
        name: Option<String>,
        /// The same as searches see it.
        name_folded: Option<String>,
        /// Whether the customer was erased.
        erased: bool,
    }
}

record! {
    /// A customer's stars in a line.
    ListStarRow in CLUE_LIST_STAR = "clue_list_star",
    key (customer_id: CustomerId, line: LineKey), group customer_id: CustomerId {
        /// Which customer.
        customer_id: CustomerId,
        /// In which line.
        line: LineKey,
        /// How many.
        tier: i64,
    }
}

record! {
    /// Keyed hashes of a phone number.
    ListPhoneRow in CLUE_LIST_PHONE = "clue_list_phone",
    key (customer_id: CustomerId, contact_point_id: ContactPointId), group customer_id: CustomerId {
        /// Whose.
        customer_id: CustomerId,
        /// Which contact point.
        contact_point_id: ContactPointId,
        /// Of the whole number.
        exact: String,
        /// Of its last eight digits.
        last8: String,
        /// Of its last four digits.
        last4: String,
    }
}

record! {
    /// A character, or a pair of characters, of a customer's name.
    ListGramRow in CLUE_LIST_GRAM = "clue_list_gram",
    key (customer_id: CustomerId, gram: String), group customer_id: CustomerId {
        /// Whose name.
        customer_id: CustomerId,
        /// The characters.
        gram: String,
    }
}

record! {
    /// What standing in a stage means, by version of the line's graph.
    ListGraphRow in CLUE_LIST_GRAPH = "clue_list_graph",
    key (line: LineKey, graph_version: u32, stage: StageKey), group line: LineKey {
        /// Of which line.
        line: LineKey,
        /// Which version.
        graph_version: u32,
        /// Which stage.
        stage: StageKey,
        /// What standing there means.
        category: StageCategory,
    }
}

record! {
    /// A clue that left somebody's hands, a team's, or the pool.
    DepartureRow in CLUE_LIST_DEPARTURE = "clue_list_departure", key (position: Position), group position: Position {
        /// By which event.
        position: Position,
        /// Which clue.
        clue_id: ClueId,
        /// Its business line.
        line: LineKey,
        /// Who had it and has it no more.
        owner_id: Option<OperatorId>,
        /// Which team had it and has it no more.
        team_id: Option<TeamId>,
        /// Whether it left the pool.
        pooled: bool,
    }
}

impl ClueRow {
    /// What decides who may see it.
    #[must_use]
    pub fn holding(&self) -> Holding<'_> {
        let pooled = self.lifecycle == Lifecycle::Pooled;
        Holding { line: &self.line, owner: self.owner_id, team: self.team_id, pooled }
    }
}

impl DepartureRow {
    /// What left, when a clue that was held one way is held another way.
    pub(super) fn between(before: &Held, row: &ClueRow, position: Position) -> Option<Self> {
        let now = Held::of(row);
        let owner_id = before.owner.filter(|_| before.owner != now.owner);
        let team_id = before.team.filter(|_| before.team != now.team);
        let pooled = before.pooled && !now.pooled;
        let left = owner_id.is_some() || team_id.is_some() || pooled;
        let (clue_id, line) = (row.clue_id, row.line.clone());
        left.then_some(Self { position, clue_id, line, owner_id, team_id, pooled })
    }

    /// As it was held.
    #[must_use]
    pub fn holding(&self) -> Holding<'_> {
        Holding { line: &self.line, owner: self.owner_id, team: self.team_id, pooled: self.pooled }
    }
}

/// Who holds a clue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Who works it.
    pub owner: Option<OperatorId>,
    /// Whose team works it.
    pub team: Option<TeamId>,
    /// Whether it is open to claim.
    pub pooled: bool,
}

impl Held {
    /// Who holds the clue of a row.
    pub fn of(row: &ClueRow) -> Self {
        let Holding { owner, team, pooled, .. } = row.holding();
        Self { owner, team, pooled }
    }
}
