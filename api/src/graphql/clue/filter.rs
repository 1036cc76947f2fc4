//! What a list of clues may be asked for.

use async_graphql::{Enum, InputObject};
use domain::ids::{CustomerId, OperatorId, TeamId};
use domain::values::{Code, FieldKey, LineKey, SourceKey, StageKey};
use projections::clue_list::{ClueFilter, ClueOrder, FieldFilter, FieldMatch, PhoneFilter, Span};

use crate::graphql::customer::read_phone;
use crate::graphql::enums::{Lifecycle, StageCategory};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Date, Decimal, Id, Instant, Money, Text};
use crate::graphql::services::Session;

/// An order of the clue list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "ClueOrder")]
pub enum ClueSort {
    /// Changed last first.
    #[default]
    Updated,
    /// Came in last first.
    Captured,
    /// Due next first; those without a planned contact last.
    NextFollowUp,
    /// Most stars first.
    Star,
}

/// A span of time; open at either end when absent.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct SpanInput {
    /// From this instant on.
    pub from: Option<Instant>,
    /// Before this instant.
    pub until: Option<Instant>,
}

/// A condition on a custom field; which parts make sense depends on the field's kind. Free text is
/// personal and cannot be searched.
#[derive(Clone, Debug, InputObject)]
pub struct FieldFilterInput {
    /// Which field.
    pub key: Text<FieldKey>,
    /// A choice field with one of these options.
    pub choices: Option<Vec<String>>,
    /// A flag field of this value.
    pub flag: Option<bool>,
    /// A number field of this number or more.
    pub min_number: Option<Decimal>,
    /// A number field of this number or less.
    pub max_number: Option<Decimal>,
    /// A date field of this day or later.
    pub from_date: Option<Date>,
    /// A date field of this day or earlier.
    pub until_date: Option<Date>,
    /// An instant field at this instant or later.
    pub from: Option<Instant>,
    /// An instant field at this instant or earlier.
    pub until: Option<Instant>,
    /// A money field of this amount or more.
    pub min_money: Option<Money>,
    /// A money field of this amount or less.
    pub max_money: Option<Money>,
}

/// Which clues. What is absent asks for nothing in particular.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ClueFilterInput {
    /// Of these lines.
    pub lines: Option<Vec<Text<LineKey>>>,
    /// In these stages.
    pub stages: Option<Vec<Text<StageKey>>>,
    /// In stages of these categories.
    pub stage_categories: Option<Vec<StageCategory>>,
    /// At these points of their lives.
    pub lifecycles: Option<Vec<Lifecycle>>,
    /// Of this owner.
    pub owner_id: Option<Id<OperatorId>>,
    /// Of this team.
    pub team_id: Option<Id<TeamId>>,
    /// Of this customer.
    pub customer_id: Option<Id<CustomerId>>,
    /// Through these channels.
    pub source_channels: Option<Vec<Text<Code>>>,
    /// What the source calls it.
    pub source_key: Option<Text<SourceKey>>,
    /// Of these campaigns.
    pub campaigns: Option<Vec<String>>,
    /// With so many stars or more.
    pub stars_at_least: Option<i32>,
    /// With, or without, a first response.
    pub responded: Option<bool>,
    /// Captured then.
    pub captured: Option<SpanInput>,
    /// Last changed then.
    pub updated: Option<SpanInput>,
    /// Due then.
    pub next_follow_up: Option<SpanInput>,
    /// Won then.
    pub won: Option<SpanInput>,
    /// Lost then.
    pub lost: Option<SpanInput>,
    /// With these values in custom fields.
    pub fields: Option<Vec<FieldFilterInput>>,
    /// Whose customer's name contains this.
    pub name: Option<String>,
    /// Whose customer has this phone number, whole as people write it.
    pub phone: Option<String>,
    /// Whose customer has a phone number that ends with these four or eight digits.
    pub phone_suffix: Option<String>,
}

impl ClueFilterInput {
    /// The filter of the read side.
    pub(super) fn filter(self, session: &Session) -> Result<ClueFilter, ApiError> {
        let line = self.lines.as_ref().and_then(|lines| lines.first());
        let phone = match (&self.phone, self.phone_suffix) {
            (Some(_), Some(_)) => return Err(ApiError::bad_input("give phone or phoneSuffix, not both")),
            (Some(text), None) => Some(PhoneFilter::Exact(read_phone(session, text, line)?.to_string())),
            (None, suffix) => suffix.map(PhoneFilter::Suffix),
        };
        let stars_at_least = self.stars_at_least.map(u8::try_from).transpose();
        let stars_at_least = stars_at_least.map_err(|_| ApiError::bad_input("stars are 0 to 5"))?;
        let fields = self.fields.unwrap_or_default().into_iter().map(FieldFilter::try_from);
        Ok(ClueFilter {
            lines: plain(self.lines, |line| line.0),
            stages: plain(self.stages, |stage| stage.0),
            categories: plain(self.stage_categories, Into::into),
            lifecycles: plain(self.lifecycles, Into::into),
            owner: self.owner_id.map(|id| id.0),
            team: self.team_id.map(|id| id.0),
            customer: self.customer_id.map(|id| id.0),
            channels: plain(self.source_channels, |channel| channel.0),
            source_key: self.source_key.map(|key| key.0),
            campaigns: self.campaigns.unwrap_or_default(),
            stars_at_least,
            responded: self.responded,
            captured: span(self.captured),
            updated: span(self.updated),
            next_follow_up: span(self.next_follow_up),
            won: span(self.won),
            lost: span(self.lost),
            fields: fields.collect::<Result<_, _>>()?,
            name: self.name,
            phone,
        })
    }
}

fn plain<T, U>(list: Option<Vec<T>>, read: impl Fn(T) -> U) -> Vec<U> {
    list.unwrap_or_default().into_iter().map(read).collect()
}

fn span(span: Option<SpanInput>) -> Span {
    span.map_or_else(Span::default, |span| Span {
        from: span.from.map(|at| at.0),
        until: span.until.map(|at| at.0),
    })
}

impl TryFrom<FieldFilterInput> for FieldFilter {
    type Error = ApiError;

    fn try_from(input: FieldFilterInput) -> Result<Self, ApiError> {
        let mut asked = Vec::new();
        asked.extend(input.choices.map(FieldMatch::Choice));
        asked.extend(input.flag.map(FieldMatch::Flag));
        if input.min_number.is_some() || input.max_number.is_some() {
            let number = |bound: Option<Decimal>| bound.map(|bound| bound.0.parse::<f64>()).transpose();
            let bad = |_| ApiError::bad_input("a bound is a decimal number");
            let (min, max) = (number(input.min_number), number(input.max_number));
            asked.push(FieldMatch::Number(min.map_err(bad)?, max.map_err(bad)?));
        }
        if input.from_date.is_some() || input.until_date.is_some() {
            let day = |date: Option<Date>| date.map(|date| date.0);
            asked.push(FieldMatch::Date(day(input.from_date), day(input.until_date)));
        }
        if input.from.is_some() || input.until.is_some() {
            let micros = |at: Option<Instant>| at.map(|at| at.0.micros());
            asked.push(FieldMatch::Whole(micros(input.from), micros(input.until)));
        }
        if input.min_money.is_some() || input.max_money.is_some() {
            let minor = |money: Option<Money>| money.map(|money| money.0.minor);
            asked.push(FieldMatch::Whole(minor(input.min_money), minor(input.max_money)));
        }
        match (asked.pop(), asked.is_empty()) {
            (Some(matches), true) => Ok(Self { field: input.key.0, matches }),
            _ => {
                let message = format!("ask one thing of field {}, of the field's own kind", input.key.0);
                Err(ApiError::bad_input(message))
            }
        }
    }
}
