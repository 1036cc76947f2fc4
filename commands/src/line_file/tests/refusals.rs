//! What the domain refuses is said at the part of the file that it is about, whether an empty line
//! refuses it or the line that the file is applied to.

use domain::Aggregate;
use domain::business_line::{BusinessLine, BusinessLineCommand, BusinessLineError, LineSpec};

use super::{GOOD, LineFile, LineFileError, changed, parse, unmark, wrong};

/// The line that a file makes.
fn line(spec: LineSpec) -> BusinessLine {
    let mut line = BusinessLine::default();
    let events = line.decide(BusinessLineCommand::Apply(Box::new(spec))).unwrap();
    events.iter().for_each(|event| line.evolve(event));
    line
}

/// The line of the good file refuses the text where the mark stands.
fn refused(marked: &str, message: &str) {
    let (text, line_number, column) = unmark(marked);
    let file = LineFile::parse(&text).unwrap();
    let apply = BusinessLineCommand::Apply(Box::new(file.spec.clone()));
    let refusal = line(parse(GOOD).unwrap()).decide(apply).unwrap_err();
    let expected = LineFileError { line: line_number, column, message: message.to_owned() };
    assert_eq!(file.locate(&refusal), Some(expected), "{marked}");
}

#[test]
fn a_broken_stage_graph_is_refused_where_it_breaks() {
    for (from, to, message) in [
        ("category = \"open\"", "category = ‸\"ongoing\"", "the first stage must be of category open"),
        ("key = \"parked\"", "key = ‸\"contacted\"", "stage contacted is there twice"),
        (
            "next = [\"parked\"]",
            "next = [\"parked\", ‸\"nowhere\"]",
            "a move names stage nowhere, which is not in the graph",
        ),
        (
            "next = [\"parked\"]",
            "next = [\"parked\", \n  ‸\"parked\"]",
            "the move from contacted to parked is there twice, or goes nowhere",
        ),
        (
            "next = [\"parked\"]",
            "next = [\"parked\", ‸\"contacted\"]",
            "the move from contacted to contacted is there twice, or goes nowhere",
        ),
        (
            "next = [\"parked\"]",
            "next = [\"parked\", ‸\"won\"]",
            "no move may enter or leave won: winning, losing and reopening do",
        ),
        (
            "category = \"lost\"\n",
            "category = \"lost\"\nnext = [‸\"new\"]\n",
            "no move may enter or leave lost: winning, losing and reopening do",
        ),
    ] {
        wrong(&changed(from, to), message);
    }
    let twice = changed("category = \"hold\"", "category = \"won\"")
        .replace("label = \"成交\"\ncategory = \"won\"", "label = \"成交\"\ncategory = ‸\"won\"");
    wrong(&twice, "there must be exactly one stage of category won");
    let lonely = changed("next = [\"parked\"]", "").replace("key = \"parked\"", "key = ‸\"parked\"");
    wrong(&lonely, "no path of moves leads to stage parked");
}

#[test]
fn a_stage_that_nobody_wrote_is_missed_where_the_stages_begin() {
    let won = "[[stages]]\nkey = \"won\"\nlabel = \"成交\"\ncategory = \"won\"\n";
    let error = parse(&changed(won, "")).unwrap_err();
    assert_eq!((error.line, &*error.message), (8, "there must be exactly one stage of category won"));
    let none = changed(&GOOD[GOOD.find("[[stages]]").unwrap()..], "stages = ‸[]");
    wrong(&none, "the first stage must be of category open");
}

#[test]
fn a_field_that_does_not_fit_is_refused_where_it_does_not() {
    for (from, to, message) in [
        ("key = \"owners\"", "key = ‸\"budget-source\"", "the policy names field budget-source twice"),
        (
            "kind = \"choice\"",
            "kind = \"flag\"",
            "field budget-source: a choice field has options, no other kind has",
        ),
        (
            "kind = \"number\"",
            "kind = ‸\"choice\"",
            "field owners: a choice field has options, no other kind has",
        ),
        ("key = \"loan\"", "key = ‸\"savings\"", "field budget-source has option savings twice"),
        (
            "max = 9.50",
            "max = ‸-1",
            "field owners: only a number has bounds, and the smallest is not above the largest",
        ),
        (
            "required_at = [\"parked\"]",
            "required_at = [\"parked\", ‸\"nowhere\"]",
            "field budget-source is required at stage nowhere, which the stage graph lacks",
        ),
    ] {
        let text = changed(from, to);
        let text = if text.contains('‸') { text } else { text.replace("options = [", "options = ‸[") };
        wrong(&text, message);
    }
    let bounded_text =
        changed("min = 0\nmax = 9.50", "min = ‸0").replace("kind = \"number\"", "kind = \"text\"");
    wrong(&bounded_text, "field owners: only a number has bounds, and the smallest is not above the largest");
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_at_its_value() {
    for (from, to, message) in [
        ("due_minutes = 20", "due_minutes = ‸0", "a first response is due after 1 minute or later"),
        ("half_life_hours = 168", "half_life_hours = ‸0", "a half-life is 1 hour to 10 years"),
        ("half_life_hours = 168", "half_life_hours = ‸1_000_000", "a half-life is 1 hour to 10 years"),
        (
            "[{ key = \"price\", label = \"价格\" }]",
            "[{ key = \"price\", label = \"价格\" }, { label = \"贵\", key = ‸\"price\" }]",
            "the policy names loss reason price twice",
        ),
    ] {
        wrong(&changed(from, to), message);
    }
    let unreviewed = changed("review = true", "review = false");
    let unreviewed = unreviewed.replace("other_approver = true", "other_approver = ‸true");
    wrong(&unreviewed, "another approver needs a review");
}

#[test]
fn what_an_existing_line_refuses_is_said_at_the_part_that_changed() {
    for (from, to, message) in [
        ("key = \"used-car-sales\"", "key = ‸\"after-sale\"", "the key of a business line never changes"),
        ("country = \"CN\"", "country = ‸\"IN\"", "the country of a business line never changes"),
        ("\"Asia/Shanghai\"", "‸\"Asia/Tokyo\"", "the time zone of a business line never changes"),
        ("\"CNY\"", "‸\"JPY\"", "the currency of a business line never changes"),
        (
            "kind = \"number\"\nmin = 0\nmax = 9.50",
            "kind = ‸\"text\"",
            "field owners keeps its kind for ever; define another field",
        ),
    ] {
        refused(&changed(from, to), message);
    }
    let shorter = changed("    { key = \"loan\", label = \"贷款\", retired = true },\n", "");
    refused(
        &shorter.replace("options = [", "options = ‸["),
        "field budget-source loses option loan, which clues may hold; retire the option instead",
    );
}

#[test]
fn a_refusal_of_no_part_of_the_file_has_no_place() {
    let file = LineFile::parse(GOOD).unwrap();
    assert_eq!(file.locate(&BusinessLineError::NotDefined), None);
    let field = "elsewhere".parse().unwrap();
    assert_eq!(file.locate(&BusinessLineError::FieldUnknown { field }), None);
}
