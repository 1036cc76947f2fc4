//! What a clue list may be asked for, and its SQL.

use domain::business_line::StageCategory;
use domain::clue::Lifecycle;
use domain::ids::{CustomerId, OperatorId, TeamId};
use domain::values::{Code, FieldKey, Instant, LineKey, SourceKey, StageKey};

use crate::read::{Arm, Sight, Viewer};
use crate::sql::{Cell, Sql, Value};

/// An order that the list offers. Every one is an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClueOrder {
    /// Changed last first.
    #[default]
    Updated,
    /// Came in last first.
    Captured,
    /// Due next first; those without a planned contact last.
    NextFollowUp,
    /// Most stars first, then newest.
    Star,
}

impl ClueOrder {
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Updated => "updated_at",
            Self::Captured => "captured_at",
            Self::NextFollowUp => "next_follow_up_at",
            Self::Star => "star",
        }
    }

    pub(crate) const fn descending(self) -> bool {
        !matches!(self, Self::NextFollowUp)
    }
}

/// A span of time; open at either end when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From this instant on.
    pub from: Option<Instant>,
    /// Before this instant.
    pub until: Option<Instant>,
}

/// A condition on a custom field. Free text is personal and cannot be searched.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldFilter {
    /// Which field.
    pub field: FieldKey,
    /// Which values.
    pub matches: FieldMatch,
}

/// Values of a custom field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldMatch {
    /// A choice field with one of these options.
    Choice(Vec<String>),
    /// A number field between two numbers, both included.
    Number(Option<f64>, Option<f64>),
    /// A flag field.
    Flag(bool),
    /// A date field between two days, `YYYY-MM-DD`, both included.
    Date(Option<String>, Option<String>),
    /// An instant field, or the minor units of a money field, between two numbers, both included.
    Whole(Option<i64>, Option<i64>),
}

/// A phone number, or its end.
#[derive(Clone, PartialEq, Eq)]
pub enum PhoneFilter {
    /// A whole number, E.164.
    Exact(String),
    /// Its last four or eight digits.
    Suffix(String),
}

/// Never shows the digits.
impl std::fmt::Debug for PhoneFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Exact(_)) { "exact" } else { "suffix" })
    }
}

/// Which clues. Empty lists and absent values ask for nothing in particular.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClueFilter {
    /// Of these lines.
    pub lines: Vec<LineKey>,
    /// In these stages.
    pub stages: Vec<StageKey>,
    /// In stages of these categories.
    pub categories: Vec<StageCategory>,
    /// At these points of their lives.
    pub lifecycles: Vec<Lifecycle>,
    /// Of this owner.
    pub owner: Option<OperatorId>,
    /// Of this team.
    pub team: Option<TeamId>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Through these channels.
    pub channels: Vec<Code>,
    /// What the source calls it.
    pub source_key: Option<SourceKey>,
    /// Of these campaigns.
    pub campaigns: Vec<String>,
    /// With so many stars or more.
    pub stars_at_least: Option<u8>,
    /// With, or without, a first response.
    pub responded: Option<bool>,
    /// Captured then.
    pub captured: Span,
    /// Last changed then.
    pub updated: Span,
    /// Due then.
    pub next_follow_up: Span,
    /// Won then.
    pub won: Span,
    /// Lost then.
    pub lost: Span,
    /// With these values in custom fields.
    pub fields: Vec<FieldFilter>,
    /// Whose customer's name contains this.
    pub name: Option<String>,
    /// Whose customer has this phone number.
    pub phone: Option<PhoneFilter>,
}

impl ClueFilter {
    /// Whether it asks for nothing but an owner, a team and lines, so that every part is read along
    /// an index and stops at the page.
    pub(super) fn is_scope(&self) -> bool {
        let scope = Self { lines: self.lines.clone(), owner: self.owner, team: self.team, ..Self::default() };
        *self == scope
    }

    /// Whether it searches by personal data, so that only those who may see that data may use it.
    #[must_use]
    pub const fn is_personal(&self) -> bool {
        self.name.is_some() || self.phone.is_some()
    }
}

/// How a search narrows the list.
#[derive(Clone, Debug)]
pub(crate) enum Narrow {
    /// To few customers: the list is driven by them.
    Customers(Value),
    /// To few clues: the list is driven by them.
    Clues(Value),
    /// To so many that walking along the order finds a page soon.
    NameLike(String),
    /// The same for a field.
    Field(FieldFilter),
}

/// One part of a scope, refined by the filter to the equality that an index begins with.
#[derive(Clone)]
pub(crate) struct Part<'a> {
    arm: Arm,
    scope: Arm,
    filter: &'a ClueFilter,
    narrows: &'a [Narrow],
    order: ClueOrder,
    /// Whether the planner may be trusted with every condition.
    postgres: bool,
}

/// The parts of the viewer's scope that the filter leaves.
pub(super) fn parts<'a>(
    viewer: &Viewer,
    filter: &'a ClueFilter,
    narrows: &'a [Narrow],
    order: ClueOrder,
    postgres: bool,
) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for scope in scopes(viewer, filter) {
        parts.extend(Part::of(&scope, filter, narrows, order, postgres));
    }
    parts
}

/// The parts of the clue list that the viewer sees, for this filter.
pub(crate) fn scopes(viewer: &Viewer, filter: &ClueFilter) -> Vec<Arm> {
    let arms = viewer.clue_arms().into_iter();
    arms.filter(|(_, sight)| !filter.is_personal() || *sight == Sight::Clear).map(|(arm, _)| arm).collect()
}

impl<'a> Part<'a> {
    /// The parts of one scope that the filter leaves.
    pub(crate) fn of(
        scope: &Arm,
        filter: &'a ClueFilter,
        narrows: &'a [Narrow],
        order: ClueOrder,
        postgres: bool,
    ) -> Vec<Self> {
        let arms: Vec<Arm> = match (scope, filter.owner, filter.team, filter.lines.as_slice()) {
            (Arm::Line(line), _, _, lines) if !lines.is_empty() && !lines.contains(line) => vec![],
            (_, Some(owner), _, _) => vec![Arm::Owner(owner)],
            (Arm::Owner(_), ..) => vec![scope.clone()],
            (_, None, Some(team), _) => vec![Arm::Team(team)],
            (Arm::All, None, None, lines) if !lines.is_empty() => {
                lines.iter().cloned().map(Arm::Line).collect()
            }
            _ => vec![scope.clone()],
        };
        let part = |arm| Part { arm, scope: scope.clone(), filter, narrows, order, postgres };
        arms.into_iter().map(part).collect()
    }

    /// What an index begins with.
    pub(crate) const fn arm(&self) -> &Arm {
        &self.arm
    }

    /// A column that must not choose the index: that is the order's, or of what drives the search.
    /// SQLite knows too little of the values to choose well and takes no index for an expression;
    /// PostgreSQL knows, but knows nothing of expressions.
    pub(crate) fn aside(&self, column: &str) -> String {
        if self.postgres { column.to_owned() } else { format!("+{column}") }
    }

    /// Adds the part's conditions.
    pub fn push(&self, sql: &mut Sql) {
        let driven = self.push_driver(sql);
        self.push_conditions(sql, driven);
        for narrow in self.narrows {
            push_walked(sql, narrow);
        }
    }

    /// Adds the conditions on columns. `driven`: something else than the arm drives the search.
    pub(crate) fn push_conditions(&self, sql: &mut Sql, driven: bool) {
        if !driven {
            self.push_arm(sql, &self.arm, false);
        }
        if driven || self.arm != self.scope {
            self.push_arm(sql, &self.scope, true);
        }
        let filter = self.filter;
        if let Some(owner) = filter.owner.filter(|owner| driven || self.arm != Arm::Owner(*owner)) {
            self.push_arm(sql, &Arm::Owner(owner), true);
        }
        if let Some(team) = filter.team.filter(|team| driven || self.arm != Arm::Team(*team)) {
            self.push_arm(sql, &Arm::Team(team), true);
        }
        let line_done = matches!(&self.arm, Arm::Line(_)) && !driven;
        if !filter.lines.is_empty() && !line_done {
            sql.push(&format!(" AND {} = ANY(", self.aside("c.line")))
                .bind(Value::texts(&filter.lines))
                .push(")");
        }
        self.push_stages(sql, driven);
        push_words(sql, "c.stage_category", filter.categories.iter().map(|word| word.as_str()));
        push_words(sql, "c.lifecycle", filter.lifecycles.iter().map(|word| word.as_str()));
        push_words(sql, "c.source_channel", filter.channels.iter().map(Code::as_str));
        push_words(sql, "c.campaign", filter.campaigns.iter().map(String::as_str));
        if let Some(key) = &filter.source_key {
            sql.push(" AND c.source_key = ").bind(key.as_str());
        }
        if let Some(stars) = filter.stars_at_least {
            let sorted = self.order == ClueOrder::Star;
            let column = if sorted { "c.star".to_owned() } else { self.aside("c.star") };
            sql.push(&format!(" AND {column} >= ")).bind(i64::from(stars));
        }
        if let Some(responded) = filter.responded {
            let not = if responded { " NOT" } else { "" };
            sql.push(&format!(" AND c.first_response_at IS{not} NULL"));
        }
        for (column, span, order) in [
            ("captured_at", filter.captured, Some(ClueOrder::Captured)),
            ("updated_at", filter.updated, Some(ClueOrder::Updated)),
            ("next_follow_up_at", filter.next_follow_up, Some(ClueOrder::NextFollowUp)),
            ("won_at", filter.won, None),
            ("lost_at", filter.lost, None),
        ] {
            let plain = order == Some(self.order);
            let column = format!("c.{column}");
            push_span(sql, &if plain { column } else { self.aside(&column) }, span);
        }
    }

    pub(crate) fn push_arm(&self, sql: &mut Sql, arm: &Arm, aside: bool) {
        let (column, value) = match arm {
            Arm::All => return,
            Arm::Line(line) => ("c.line", line.to_value()),
            Arm::Team(team) => ("c.team_id", team.to_value()),
            Arm::Owner(owner) => ("c.owner_id", owner.to_value()),
        };
        let column = if aside { self.aside(column) } else { column.to_owned() };
        sql.push(&format!(" AND {column} = ")).bind(value);
    }

    /// Adds what drives a narrow search; whether anything does.
    pub(crate) fn push_driver(&self, sql: &mut Sql) -> bool {
        let mut driven = false;
        if let Some(customer) = self.filter.customer {
            sql.push(" AND c.customer_id = ").bind(customer.to_value());
            driven = true;
        }
        for narrow in self.narrows {
            match narrow {
                Narrow::Customers(ids) => {
                    sql.push(" AND c.customer_id = ANY(").bind(ids.clone()).push(")");
                    driven = true;
                }
                Narrow::Clues(ids) => {
                    sql.push(" AND c.clue_id = ANY(").bind(ids.clone()).push(")");
                    driven = true;
                }
                Narrow::NameLike(_) | Narrow::Field(_) => {}
            }
        }
        driven
    }

    fn push_stages(&self, sql: &mut Sql, driven: bool) {
        let in_line = matches!(self.arm, Arm::Line(_)) && self.order == ClueOrder::Updated;
        match self.filter.stages.as_slice() {
            [] => {}
            [stage] if in_line && !driven => {
                sql.push(" AND c.stage = ").bind(stage.as_str());
            }
            stages => {
                sql.push(&format!(" AND {} = ANY(", self.aside("c.stage")))
                    .bind(Value::texts(stages))
                    .push(")");
            }
        }
    }
}

fn push_words<'a>(sql: &mut Sql, column: &str, words: impl ExactSizeIterator<Item = &'a str>) {
    if words.len() > 0 {
        sql.push(&format!(" AND {column} = ANY(")).bind(Value::texts(words)).push(")");
    }
}

fn push_span(sql: &mut Sql, column: &str, span: Span) {
    if let Some(from) = span.from {
        sql.push(&format!(" AND {column} >= ")).bind(from.micros());
    }
    if let Some(until) = span.until {
        sql.push(&format!(" AND {column} < ")).bind(until.micros());
    }
}

fn push_walked(sql: &mut Sql, narrow: &Narrow) {
    match narrow {
        Narrow::Customers(_) | Narrow::Clues(_) => {}
        Narrow::NameLike(pattern) => {
            sql.push(
                " AND EXISTS (SELECT 1 FROM clue_list_customer n WHERE n.customer_id = c.customer_id \
                 AND n.name_folded LIKE ",
            );
            sql.bind(pattern.as_str()).push(r" ESCAPE '\')");
        }
        Narrow::Field(filter) => {
            sql.push(
                " AND EXISTS (SELECT 1 FROM clue_list_field f WHERE f.clue_id = c.clue_id AND f.field = ",
            );
            sql.bind(filter.field.as_str());
            push_field_match(sql, &filter.matches);
            sql.push(")");
        }
    }
}

/// The condition on a field's value, behind ` AND field = …`.
pub(crate) fn push_field_match(sql: &mut Sql, matches: &FieldMatch) {
    fn between<V: Into<Value> + Clone>(sql: &mut Sql, column: &str, low: Option<&V>, high: Option<&V>) {
        if let Some(low) = low {
            sql.push(&format!(" AND f.{column} >= ")).bind(low.clone());
        }
        if let Some(high) = high {
            sql.push(&format!(" AND f.{column} <= ")).bind(high.clone());
        }
    }
    match matches {
        FieldMatch::Choice(options) => {
            sql.push(" AND f.kind = 'choice' AND f.text = ANY(").bind(Value::texts(options)).push(")");
        }
        FieldMatch::Number(low, high) => between(sql, "number", low.as_ref(), high.as_ref()),
        FieldMatch::Flag(flag) => {
            sql.push(" AND f.kind = 'flag' AND f.whole = ").bind(i64::from(*flag));
        }
        FieldMatch::Date(low, high) => {
            sql.push(" AND f.kind = 'date'");
            between(sql, "text", low.as_ref(), high.as_ref());
        }
        FieldMatch::Whole(low, high) => {
            sql.push(" AND f.kind <> 'flag'");
            between(sql, "whole", low.as_ref(), high.as_ref());
        }
    }
}
