//! A field keeps its key and kind for ever, and takes only values that it describes.

use super::{BusinessLine, Command, Error, Event};
use crate::business_line::{FieldDefinition, FieldKind, FieldValue, FieldValueError as Wrong};
use crate::personal::Personal;
use crate::testing::{at, field, fields, given, line_events, option, read, then};
use crate::values::Money;

fn define(field: FieldDefinition) -> Command {
    Command::DefineField { field }
}

fn budget(change: impl FnOnce(&mut FieldDefinition)) -> FieldDefinition {
    let mut field = fields().remove(0);
    change(&mut field);
    field
}

fn refused(field: FieldDefinition, refusal: Error) {
    given::<BusinessLine>(&line_events()).when(define(field)).then_expect_error(refusal);
}

#[test]
fn a_field_is_defined_once_and_may_change_its_label_options_and_requirements() {
    given::<BusinessLine>(&line_events()).when(define(budget(|_| ()))).then_expect_events(vec![]);
    for changed in [
        budget(|field| field.label = read("资金来源")),
        budget(|field| field.options.push(option("gift", false))),
        budget(|field| field.options[0].retired = true),
        budget(|field| field.required_at.clear()),
    ] {
        let defined = Event::FieldDefined { field: changed.clone() };
        given::<BusinessLine>(&line_events()).when(define(changed)).then_expect_events(vec![defined]);
    }
}

#[test]
fn a_field_keeps_its_kind_even_when_it_was_retired() {
    let flag = || field("remark", FieldKind::Flag);
    let refusal = || Error::FieldKindChanged { field: read("remark") };
    refused(flag(), refusal());
    let retired = then::<BusinessLine>(&line_events(), Command::RetireField { key: read("remark") });
    given::<BusinessLine>(&retired).when(define(flag())).then_expect_error(refusal());
}

#[test]
fn a_choice_has_options_and_nothing_else_has() {
    let choice = field("colour", FieldKind::Choice);
    refused(choice, Error::FieldOptions { field: read("colour") });
    let mut number = field("doors", FieldKind::Number);
    number.options = vec![option("five", false)];
    refused(number, Error::FieldOptions { field: read("doors") });
}

#[test]
fn an_option_is_named_once_and_never_left_out() {
    refused(
        budget(|field| field.options.push(option("loan", false))),
        Error::FieldOptionTwice { field: read("budget-source"), option: read("loan") },
    );
    refused(
        budget(|field| drop(field.options.remove(1))),
        Error::FieldOptionRemoved { field: read("budget-source"), option: read("loan") },
    );
}

#[test]
fn only_a_number_has_bounds_and_they_leave_it_room() {
    let owners = |min: Option<i64>, max: Option<i64>, kind| {
        let mut field = field("previous-owners", kind);
        field.min = min.map(Into::into);
        field.max = max.map(Into::into);
        field
    };
    let refusal = || Error::FieldBounds { field: read("previous-owners") };
    refused(owners(Some(2), Some(1), FieldKind::Number), refusal());
    refused(owners(Some(2), None, FieldKind::Text), refusal());
    refused(owners(None, Some(2), FieldKind::Money), refusal());
    for (min, max) in [(None, None), (Some(1), Some(1)), (Some(1), None), (None, Some(1))] {
        let field = owners(min, max, FieldKind::Number);
        let defined = Event::FieldDefined { field: field.clone() };
        given::<BusinessLine>(&line_events()).when(define(field)).then_expect_events(vec![defined]);
    }
}

#[test]
fn a_field_is_required_only_at_stages_of_the_graph() {
    refused(
        budget(|field| field.required_at.push(read("nowhere"))),
        Error::FieldStageUnknown { field: read("budget-source"), stage: read("nowhere") },
    );
}

#[test]
fn a_field_is_retired_once_and_can_come_back() {
    let retire = |key| Command::RetireField { key: read(key) };
    let retired = Event::FieldRetired { key: read("remark") };
    given::<BusinessLine>(&line_events()).when(retire("remark")).then_expect_events(vec![retired]);
    let past = then::<BusinessLine>(&line_events(), retire("remark"));
    given::<BusinessLine>(&past).when(retire("remark")).then_expect_events(vec![]);
    given::<BusinessLine>(&past)
        .when(retire("nothing"))
        .then_expect_error(Error::FieldUnknown { field: read("nothing") });
    let back = Event::FieldDefined { field: fields().remove(3) };
    given::<BusinessLine>(&past).when(define(fields().remove(3))).then_expect_events(vec![back]);
}

#[test]
fn a_retired_field_takes_no_values() {
    let past = then::<BusinessLine>(&line_events(), Command::RetireField { key: read("remark") });
    let line = crate::testing::fold::<BusinessLine>(&past);
    assert!(line.field(&read("remark")).is_none() && line.field(&read("owners")).is_some());
    assert_eq!(line.fields().count(), 3);
}

#[test]
fn a_field_takes_values_of_its_kind_alone() {
    let values = [
        FieldValue::Text(Personal::Clear("剪裁".to_owned())),
        FieldValue::Choice(read("loan")),
        FieldValue::Number(1.into()),
        FieldValue::Flag(true),
        FieldValue::Date(read("2026-05-03")),
        FieldValue::Instant(at(0)),
        FieldValue::Money(Money { minor: 1, currency: read("CNY") }),
    ];
    for kind in FieldKind::ALL {
        let mut field = field("any", kind);
        field.options = vec![option("loan", false)];
        for value in &values {
            let found = value.kind();
            let expected = if found == kind { Ok(()) } else { Err(Wrong::Kind { expected: kind, found }) };
            assert_eq!(field.check(value), expected, "{kind:?} {found:?}");
        }
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

#[test]
fn a_choice_takes_the_options_that_are_not_retired() {
    let check = |key| fields()[0].check(&FieldValue::Choice(read(key)));
    assert_eq!(check("loan"), Ok(()));
    assert_eq!(check("lottery"), Err(Wrong::Option));
    assert_eq!(check("nothing"), Err(Wrong::Option));
}

#[test]
fn a_number_lies_between_its_bounds() {
    let check = |number: i64| fields()[1].check(&FieldValue::Number(number.into()));
    let range = Err(Wrong::Range { min: Some(0.into()), max: Some(9.into()) });
    assert_eq!([check(-1), check(0), check(9), check(10)], [range.clone(), Ok(()), Ok(()), range]);
}

#[test]
fn a_text_has_1_to_4000_characters_and_a_sealed_one_is_not_judged() {
    let check = |text: Personal<String>| fields()[3].check(&FieldValue::Text(text));
    assert_eq!(check(Personal::Clear("  ".to_owned())), Err(Wrong::Length));
    assert_eq!(check(Personal::Clear("王".repeat(4_001))), Err(Wrong::Length));
    assert_eq!(check(Personal::Clear("王".repeat(4_000))), Ok(()));
    assert_eq!(check(Personal::Redacted), Ok(()));
}
