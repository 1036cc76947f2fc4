//! What differs between two states of a clue, column by column.
//!
//! Columns are compared as the table has them, so that one that is added to the clue list shows in the
//! history without a word here; this file only says how some of them are called and shown.

use domain::values::Instant;

use super::changes::FieldChange;
use super::rows::CluePast;
use super::value::Seen;
use crate::clue_list::{CLUE_LIST, NEVER};
use crate::sql::{Record as _, Value};

/// How a column is shown.
enum Shape {
    /// Not at all: it says who the row is, or follows from something that is shown.
    Hidden,
    Instant,
    /// Minor units, with the column of their currency.
    Money(&'static str),
    Plain,
}

/// The name of a column outside, and its shape.
fn shape(column: &str) -> (String, Shape) {
    let named = |name: &str, shape| (name.to_owned(), shape);
    match column {
        "clue_id" | "customer_id" | "position" | "updated_at" | "currency" | "budget_currency"
        // Of the customer's own history.
        | "customer_name" | "erased" => named("", Shape::Hidden),
        "amount_minor" => named("amount", Shape::Money("currency")),
        "budget_min" => named("budgetMin", Shape::Money("budget_currency")),
        "budget_max" => named("budgetMax", Shape::Money("budget_currency")),
        "first_response_at" | "next_follow_up_at" | "last_follow_up_at" | "captured_at" | "pooled_at"
        | "won_at" | "lost_at" | "owned_since" => (camel(column), Shape::Instant),
        "star" => named("stars", Shape::Plain),
        _ => (camel(column), Shape::Plain),
    }
}

fn camel(column: &str) -> String {
    let mut parts = column.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut name, part| {
        let mut chars = part.chars();
        name.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        name.push_str(chars.as_str());
        name
    })
}

fn value(values: &[Value], index: usize, shape: &Shape) -> Option<Seen> {
    let word = |column: &str| {
        let at = CLUE_LIST.columns.iter().position(|known| known.name == column)?;
        if let Value::Text(word) = values.get(at)? { Some(word.clone()) } else { None }
    };
    match (values.get(index)?, shape) {
        (Value::Int(micros), Shape::Instant) => {
            Some(Instant::from_micros(*micros)).filter(|at| *at != NEVER).map(Seen::Instant)
        }
        (Value::Int(minor), Shape::Money(currency)) => Some(Seen::Money(*minor, word(currency)?)),
        (Value::Int(number), _) => Some(Seen::Number(number.to_string())),
        (Value::Float(number), _) => Some(Seen::Number(number.to_string())),
        (Value::Text(word), _) => Some(Seen::Word(word.clone())),
        _ => None,
    }
}

/// What differs between the state before an event and the state behind it. Amounts are left out for
/// those who do not see them.
pub(super) fn differences(
    before: Option<&CluePast>,
    behind: Option<&CluePast>,
    amounts: bool,
) -> Vec<FieldChange> {
    let values = |state: Option<&CluePast>| state.map(|state| state.clue.to_values()).unwrap_or_default();
    let (before, behind) = (values(before), values(behind));
    let mut found = Vec::new();
    for (index, column) in CLUE_LIST.columns.iter().enumerate() {
        let (field, shape) = shape(column.name);
        if matches!(shape, Shape::Hidden) || (matches!(shape, Shape::Money(_)) && !amounts) {
            continue;
        }
        let (before, after) = (value(&before, index, &shape), value(&behind, index, &shape));
        if before != after {
            found.push(FieldChange { field, before, after });
        }
    }
    found
}
