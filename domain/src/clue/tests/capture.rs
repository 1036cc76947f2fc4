//! How a clue comes in, and how it comes to the pool.

use std::sync::Arc;

use super::*;
use crate::business_line::BusinessLineCommand;
use crate::clue::{Need, NeedError};
use crate::testing::{line_after, line_requiring};

fn captured_event() -> Event {
    Event::Captured {
        customer_id: id(9),
        line: read("used-car-sales"),
        source: source(),
        stage: read("new"),
        graph_version: 1,
        at: at(0),
    }
}

fn capture_with(need: Option<Need>, fields: &[(&str, FieldValue)]) -> Command {
    Command::Capture {
        customer_id: id(9),
        customer: CustomerStanding::Registered,
        line_key: read("used-car-sales"),
        line: line(),
        source: source(),
        need,
        fields: fields.iter().map(|(key, value)| (read(key), value.clone())).collect(),
        at: at(0),
    }
}

#[test]
fn a_clue_begins_in_the_first_stage_of_its_line() {
    accepted(&[], capture(CustomerStanding::Registered, line()), &[captured_event()]);
    let clue = fold::<Clue>(&captured());
    assert_eq!(clue.stage(), Some(&read("new")));
    assert_eq!(clue.line(), Some(&read("used-car-sales")));
    assert_eq!(clue.customer_id(), Some(id(9)));
    assert_eq!(clue.owner(), None);
}

#[test]
fn a_clue_may_come_in_with_a_need_and_fields() {
    let value = FieldValue::Choice(read("loan"));
    accepted(
        &[],
        capture_with(Some(need()), &[("budget-source", value.clone())]),
        &[
            captured_event(),
            Event::NeedUpdated { need: need() },
            Event::FieldsSet { values: [(read("budget-source"), Some(value))].into() },
        ],
    );
}

#[test]
fn a_clue_comes_in_without_what_its_first_stage_requires() {
    let line = line_requiring("trade-in", "new");
    accepted(&[], capture(CustomerStanding::Registered, line), &[captured_event()]);
}

#[test]
fn a_clue_is_captured_once() {
    for past in [captured(), owned(), lost()] {
        refused(&past, capture(CustomerStanding::Registered, line()), Error::AlreadyCaptured);
    }
}

#[test]
fn a_clue_belongs_to_a_registered_customer() {
    refused(&[], capture(CustomerStanding::Unknown, line()), Error::CustomerUnknown);
    refused(&[], capture(CustomerStanding::Erased, line()), Error::CustomerErased);
}

#[test]
fn a_line_that_is_undefined_or_suspended_takes_no_clues() {
    let undefined = Arc::new(BusinessLine::default());
    for line in [undefined, line_after(BusinessLineCommand::Suspend)] {
        refused(&[], capture(CustomerStanding::Registered, line), Error::LineClosed);
    }
}

#[test]
fn a_clue_comes_in_with_no_need_or_field_that_makes_no_sense() {
    let flag = FieldValue::Flag(true);
    refused(&[], capture_with(Some(Need::default()), &[]), Error::Need { reason: NeedError::Empty });
    refused(&[], capture_with(None, &[("nothing", flag)]), Error::FieldUnknown { field: read("nothing") });
    let lottery = FieldValue::Choice(read("lottery"));
    let reason = crate::business_line::FieldValueError::Option;
    refused(
        &[],
        capture_with(None, &[("budget-source", lottery)]),
        Error::FieldValue { field: read("budget-source"), reason },
    );
}

#[test]
fn a_captured_clue_is_pooled_once() {
    accepted(&captured(), Command::Pool, &[Event::Pooled {}]);
    accepted(&pooled(), Command::Pool, &[]);
    accepted(&released(), Command::Pool, &[]);
}

#[test]
fn a_clue_that_somebody_owns_is_not_pooled() {
    for past in [owned(), in_review()] {
        refused(&past, Command::Pool, Error::AlreadyOwned { owner: id(OWNER) });
    }
    refused_after_the_end(&Command::Pool);
}
