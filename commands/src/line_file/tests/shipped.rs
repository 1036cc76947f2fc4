//! The files in `docs/lines` make whole lines, say nothing twice, and a change says only itself.

use domain::Aggregate;
use domain::business_line::{
    BusinessLine, BusinessLineCommand, BusinessLineEvent as Event, FieldKind, PolicyKind, Signal,
};

use super::LineFile;

const FILES: [(&str, &str); 3] = [
    ("used-car-sales", include_str!("../../../../docs/lines/used-car-sales.toml")),
    ("after-sale", include_str!("../../../../docs/lines/after-sale.toml")),
    ("education-leads", include_str!("../../../../docs/lines/education-leads.toml")),
];

/// What a line says to a file.
fn apply(line: &BusinessLine, text: &str) -> Vec<Event> {
    let file = LineFile::parse(text).unwrap_or_else(|error| panic!("{error}"));
    line.decide(BusinessLineCommand::Apply(Box::new(file.spec))).unwrap()
}

fn line(text: &str) -> BusinessLine {
    let mut line = BusinessLine::default();
    apply(&line, text).iter().for_each(|event| line.evolve(event));
    line
}

/// The shipped file of this name.
fn file(key: &str) -> &'static str {
    FILES.iter().find(|(name, _)| *name == key).unwrap().1
}

#[test]
fn every_shipped_file_makes_a_whole_line_with_every_rule() {
    for (key, text) in FILES {
        assert_eq!(LineFile::parse(text).unwrap().spec.key.as_str(), key);
        let line = line(text);
        assert!(line.takes_clues() && line.graph().validate().is_ok(), "{key}");
        for kind in [PolicyKind::Pool, PolicyKind::FirstResponse, PolicyKind::Loss, PolicyKind::Score] {
            assert_eq!(line.policy_version(kind), 1, "{key} {kind:?}");
        }
        assert_eq!(line.score().weights.len(), Signal::ALL.len(), "{key}");
        assert!(!line.loss().reasons.is_empty(), "{key}");
    }
}

#[test]
fn the_shipped_files_use_every_kind_of_field() {
    let used = |kind| FILES.iter().any(|(_, text)| line(text).fields().any(|field| field.kind == kind));
    assert_eq!(FieldKind::ALL.map(used), [true; 7]);
}

#[test]
fn applying_a_shipped_file_again_says_nothing() {
    for (key, text) in FILES {
        assert_eq!(apply(&line(text), text), [], "{key}");
    }
}

#[test]
fn a_change_of_a_shipped_file_says_only_that_change() {
    let text = file("used-car-sales");
    let said = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        apply(&line(text), &text.replace(from, to))
    };
    let [Event::Renamed { name }] = &said("二手车销售 Used-car sales", "二手车零售")[..] else {
        panic!("a new name is one event")
    };
    assert_eq!(name.as_str(), "二手车零售");
    let moved = said("next = [\"contacted\", \"on-hold\"]", "next = [\"contacted\"]");
    assert!(matches!(&moved[..], [Event::StageGraphPublished { version: 2, .. }]), "{moved:?}");
    let field = said("label = \"座位数 Seats\"", "label = \"座位 Seats\"");
    assert!(matches!(&field[..], [Event::FieldDefined { field }] if field.key.as_str() == "seats"));
    let rule = said("former_owner_cooldown_minutes = 1_440", "former_owner_cooldown_minutes = 60");
    assert!(matches!(&rule[..], [Event::PolicyPublished { version: 2, .. }]), "{rule:?}");
    let gone = said(
        "[[fields]]\nkey = \"has-plate-quota\"\nlabel = \"有购车指标 Has a plate quota\"\nkind = \"flag\"\n",
        "",
    );
    assert!(matches!(&gone[..], [Event::FieldRetired { key }] if key.as_str() == "has-plate-quota"));
}

#[test]
fn the_lines_differ_in_data_alone() {
    let [sales, service, courses] = FILES.map(|(_, text)| line(text));
    let first = |line: &BusinessLine| line.graph().initial().unwrap().key.to_string();
    assert_eq!([&sales, &service, &courses].map(first), ["new", "reported", "new"]);
    let currency = |line: &BusinessLine| line.currency().unwrap().to_string();
    assert_eq!([&sales, &service, &courses].map(currency), ["CNY", "CNY", "INR"]);
    assert_eq!([&sales, &service, &courses].map(|line| line.loss().review), [true, true, false]);
}
