//! What a line file says, and how it says what is wrong with it.

mod refusals;
mod shipped;
mod wrong;

use domain::business_line::{
    FieldKind, FirstResponsePolicy, LossPolicy, Policy, PoolPolicy, ScorePolicy, Signal, SignalWeight,
    StageCategory,
};

use super::{LineFile, LineFileError, parse};

/// A file that uses every key.
const GOOD: &str = r#"
key = "used-car-sales"
name = "二手车销售 Used-car sales"
country = "CN"
time_zone = "Asia/Shanghai"
currency = "CNY"

[[stages]]
key = "new"
label = "新线索"
category = "open"
next = ["contacted"]

[[stages]]
key = "contacted"
label = "已联系"
category = "ongoing"
next = ["parked"]

[[stages]]
key = "parked"
label = "暂缓"
category = "hold"
next = ["contacted"]

[[stages]]
key = "won"
label = "成交"
category = "won"

[[stages]]
key = "lost"
label = "战败"
category = "lost"

[[fields]]
key = "budget-source"
label = "资金来源"
kind = "choice"
options = [
    { key = "savings", label = "全款" },
    { key = "loan", label = "贷款", retired = true },
]
required_at = ["parked"]

[[fields]]
key = "owners"
label = "过户次数"
kind = "number"
min = 0
max = 9.50

[policy.pool]
former_owner_cooldown_minutes = 1_440

[policy.first_response]
min_call_seconds = 15
due_minutes = 20

[policy.loss]
review = true
other_approver = true
reasons = [{ key = "price", label = "价格" }]

[policy.score]
half_life_hours = 168

[policy.score.points]
contact_made = 15
viewing_missed = -20
"#;

/// The good file with one passage changed.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    GOOD.replace(from, to)
}

/// Takes the mark `‸` out of a text and says where it stood.
fn unmark(marked: &str) -> (String, usize, usize) {
    let (before, _) = marked.split_once('‸').unwrap();
    let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    (marked.replace('‸', ""), line, column)
}

/// Reading the text fails where the mark `‸` stands, with this message.
fn wrong(marked: &str, message: &str) {
    let (text, line, column) = unmark(marked);
    let expected = LineFileError { line, column, message: message.to_owned() };
    assert_eq!(parse(&text), Err(expected), "{marked}");
}

#[test]
fn a_file_says_all_that_a_line_is() {
    let spec = parse(GOOD).unwrap();
    assert_eq!(spec.key.as_str(), "used-car-sales");
    assert_eq!(spec.name.as_str(), "二手车销售 Used-car sales");
    assert_eq!(spec.country.as_str(), "CN");
    assert_eq!(spec.time_zone.as_str(), "Asia/Shanghai");
    assert_eq!(spec.currency.as_str(), "CNY");
    let stages: Vec<_> = spec.graph.stages.iter().map(|s| (s.key.as_str(), s.category)).collect();
    assert_eq!(
        stages,
        [
            ("new", StageCategory::Open),
            ("contacted", StageCategory::Ongoing),
            ("parked", StageCategory::Hold),
            ("won", StageCategory::Won),
            ("lost", StageCategory::Lost),
        ]
    );
    let moves: Vec<_> = spec.graph.moves.iter().map(|m| (m.from.as_str(), m.to.as_str())).collect();
    assert_eq!(moves, [("new", "contacted"), ("contacted", "parked"), ("parked", "contacted")]);
}

#[test]
fn a_file_says_what_fields_there_are() {
    let fields = parse(GOOD).unwrap().fields;
    let [budget, owners] = &fields[..] else { panic!("{fields:?}") };
    assert_eq!((budget.kind, budget.label.as_str()), (FieldKind::Choice, "资金来源"));
    let options: Vec<_> = budget.options.iter().map(|o| (o.key.as_str(), o.retired)).collect();
    assert_eq!(options, [("savings", false), ("loan", true)]);
    assert_eq!(budget.required_at[0].as_str(), "parked");
    assert_eq!((owners.kind, owners.options.len()), (FieldKind::Number, 0));
    let bounds = [owners.min, owners.max].map(|bound| bound.unwrap().to_string());
    assert_eq!(bounds, ["0", "9.50"], "as written, through no float");
}

#[test]
fn a_file_says_what_rules_hold() {
    let Policy::Loss(loss) = &parse(GOOD).unwrap().policies[2] else { panic!("loss is the third") };
    assert_eq!(loss.reasons[0].key.as_str(), "price");
    let expected = [
        Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: 1_440 }),
        Policy::FirstResponse(FirstResponsePolicy { min_call_seconds: 15, due_minutes: 20 }),
        Policy::Loss(LossPolicy { review: true, other_approver: true, reasons: loss.reasons.clone() }),
        Policy::Score(ScorePolicy {
            half_life_hours: 168,
            weights: vec![
                SignalWeight { signal: Signal::ContactMade, points: 15 },
                SignalWeight { signal: Signal::ViewingMissed, points: -20 },
            ],
        }),
    ];
    assert_eq!(parse(GOOD).unwrap().policies, expected);
}

#[test]
fn a_rule_that_is_left_out_keeps_its_version_and_a_value_that_is_left_out_is_the_built_in_one() {
    let bare = &GOOD[..GOOD.find("[[fields]]").unwrap()];
    let spec = parse(bare).unwrap();
    assert!(spec.fields.is_empty() && spec.policies.is_empty());
    let empty = format!("{bare}[policy.pool]\n[policy.first_response]\n[policy.loss]\n");
    assert_eq!(
        parse(&empty).unwrap().policies,
        [
            Policy::Pool(PoolPolicy::default()),
            Policy::FirstResponse(FirstResponsePolicy::default()),
            Policy::Loss(LossPolicy::default()),
        ]
    );
}

#[test]
fn an_error_reads_as_one_sentence_with_its_place() {
    let error = parse(&changed("country = \"CN\"", "country = \"China\"")).unwrap_err();
    assert_eq!((error.line, error.column), (4, 11));
    assert_eq!(
        error.to_string(),
        "line 4, column 11: `country` is wrong: a country is two capital letters of ISO 3166-1"
    );
}
