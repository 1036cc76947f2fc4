//! Every way in which a file is wrong in itself, and where it says so.

use super::{GOOD, LineFileError, changed, parse, wrong};

const SLUG: &str = "a key is lower-case letters, digits, '-' and '_', and begins with a letter";

#[test]
fn text_that_is_no_toml_is_refused_where_it_stops_being_toml() {
    let error = parse("key = \"sales\"\nname = \n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8));
    assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error}");
    let twice = parse("key = \"a\"\nname = \"b\"\nkey = \"c\"\n").unwrap_err();
    assert_eq!((twice.line, twice.column, &*twice.message), (3, 1, "duplicate key"));
}

#[test]
fn columns_count_characters_and_lines_end_either_way() {
    let error = |text: &str| parse(text).map(|_| ()).unwrap_err();
    let windows = GOOD.replace('\n', "\r\n").replace("\"CNY\"", "\"yuan\"");
    assert_eq!((error(&windows).line, error(&windows).column), (6, 12));
    let options = changed("label = \"全款\" }", "label = \"全款\", colour = 1 }");
    assert_eq!((error(&options).line, error(&options).column), (41, 38));
}

#[test]
fn a_key_that_means_nothing_is_refused_at_the_key() {
    wrong(
        &changed("time_zone =", "‸timezone = \"x\"\ntime_zone ="),
        "there is no key `timezone` here, only key, name, country, time_zone, currency, stages, fields, policy",
    );
    wrong(
        &changed("category = \"hold\"", "‸kategory = \"hold\""),
        "there is no key `kategory` here, only key, label, category, next",
    );
    wrong(
        &changed("max = 9.50", "‸maximum = 9.50"),
        "there is no key `maximum` here, only key, label, kind, options, min, max, required_at",
    );
    wrong(
        &changed("label = \"全款\" }", "label = \"全款\", ‸\"retire d\" = 1 }"),
        "there is no key `retire d` here, only key, label, retired",
    );
    wrong(
        &changed("[policy.pool]", "[policy.‸pools]"),
        "there is no key `pools` here, only pool, first_response, loss, score",
    );
    wrong(
        &changed("former_owner_cooldown_minutes", "‸cooldown"),
        "there is no key `cooldown` here, only former_owner_cooldown_minutes",
    );
    wrong(&changed("due_minutes", "‸due"), "there is no key `due` here, only min_call_seconds, due_minutes");
    wrong(
        &changed("reasons = [", "‸reason = ["),
        "there is no key `reason` here, only review, other_approver, reasons",
    );
    wrong(
        &changed("half_life_hours", "‸half_life"),
        "there is no key `half_life` here, only half_life_hours, points",
    );
    wrong(
        &changed("contact_made", "‸contacted"),
        "there is no key `contacted` here, only clue_captured, contact_made, need_stated, viewing_booked, \
         viewing_completed, viewing_missed, deal_won, deal_lost",
    );
}

#[test]
fn the_first_of_several_strange_keys_is_named() {
    wrong(
        &changed("country =", "‸zeal = 1\napple = 2\ncountry ="),
        "there is no key `zeal` here, only key, name, country, time_zone, currency, stages, fields, policy",
    );
}

#[test]
fn a_key_that_is_missing_is_missed_at_its_table() {
    for key in ["key", "name", "country", "time_zone", "currency"] {
        let start = GOOD.find(&format!("{key} = ")).unwrap();
        let end = start + GOOD[start..].find('\n').unwrap();
        let text = format!("{}{}", &GOOD[..start], &GOOD[end..]);
        let message = format!("`{key}` is missing here");
        assert_eq!(parse(&text), Err(LineFileError { line: 1, column: 1, message }));
    }
    let none = GOOD[..GOOD.find("[[stages]]").unwrap()].to_owned();
    wrong(&format!("‸{none}"), "`stages` is missing here");
    wrong(&GOOD.replace("[[stages]]\nkey = \"won\"\n", "‸[[stages]]\n"), "`key` is missing here");
    wrong(
        &GOOD.replace(
            "[[fields]]\nkey = \"owners\"\nlabel = \"过户次数\"\n",
            "‸[[fields]]\nkey = \"owners\"\n",
        ),
        "`label` is missing here",
    );
    wrong(&changed("{ key = \"savings\", label", "‸{ label"), "`key` is missing here");
    wrong(
        &changed("{ key = \"price\", label = \"价格\" }", "‸{ key = \"price\" }"),
        "`label` is missing here",
    );
    wrong(
        &GOOD.replace("[policy.score]\nhalf_life_hours = 168\n", "‸[policy.score]\n"),
        "`half_life_hours` is missing here",
    );
}

#[test]
fn a_value_of_another_kind_is_refused_at_the_value() {
    for (from, to, message) in [
        ("key = \"new\"", "key = ‸7", "`key` takes text in quotation marks, not a whole number"),
        ("label = \"战败\"", "label = ‸true", "`label` takes text in quotation marks, not true or false"),
        ("kind = \"number\"", "kind = ‸[]", "`kind` takes text in quotation marks, not a list"),
        ("max = 9.50", "max = ‸\"9.50\"", "`max` takes a decimal number, not text"),
        ("min = 0", "min = ‸0x10", "`min` takes a decimal number, not a whole number"),
        ("retired = true", "retired = ‸1", "`retired` takes true or false, not a whole number"),
        ("review = true", "review = ‸2026-05-03", "`review` takes true or false, not a date or time"),
        (
            "due_minutes = 20",
            "due_minutes = ‸0.5",
            "`due_minutes` takes a whole number, not a number with a fraction",
        ),
        ("next = [\"parked\"]", "next = ‸\"parked\"", "`next` takes a list, not text"),
        (
            "reasons = [{ key = \"price\", label = \"价格\" }]",
            "reasons = [‸\"price\"]",
            "`reasons` takes a table, not text",
        ),
        ("next = [\"parked\"]", "next = [‸{}]", "`next` takes text in quotation marks, not a table"),
    ] {
        wrong(&changed(from, to), message);
    }
    let stages = &GOOD[GOOD.find("[[stages]]").unwrap()..];
    wrong(&GOOD.replace(stages, "stages = ‸3"), "`stages` takes a list, not a whole number");
}

#[test]
fn a_value_that_breaks_its_rule_is_refused_at_the_value() {
    let slug = |key: &str| format!("`{key}` is wrong: {SLUG}");
    for (from, to, message) in [
        ("key = \"used-car-sales\"", "key = ‸\"Used cars\"", slug("key")),
        ("key = \"parked\"", "key = ‸\"暂缓\"", slug("key")),
        ("key = \"owners\"", "key = ‸\"9-owners\"", slug("key")),
        ("key = \"savings\"", "key = ‸\"Savings\"", slug("key")),
        ("key = \"price\"", "key = ‸\"too expensive\"", slug("key")),
        ("next = [\"parked\"]", "next = [\"parked\", ‸\"Won!\"]", slug("next")),
        ("required_at = [\"parked\"]", "required_at = [‸\"Parked\"]", slug("required_at")),
        (
            "name = \"二手车销售 Used-car sales\"",
            "name = ‸\" \"",
            "`name` is wrong: a label has 1 to 120 characters and no line breaks".to_owned(),
        ),
        (
            "\"Asia/Shanghai\"",
            "‸\"Shanghai\"",
            "`time_zone` is wrong: a time zone is an IANA name such as Asia/Shanghai".to_owned(),
        ),
        (
            "\"CNY\"",
            "‸\"RMB¥\"",
            "`currency` is wrong: a currency is three capital letters of ISO 4217".to_owned(),
        ),
        (
            "category = \"hold\"",
            "category = ‸\"waiting\"",
            "`category` is one of open, ongoing, hold, won, lost".to_owned(),
        ),
        (
            "kind = \"number\"",
            "kind = ‸\"integer\"",
            "`kind` is one of text, choice, number, flag, date, instant, money".to_owned(),
        ),
        ("max = 9.50", "max = ‸inf", "`max` is a decimal number such as 0 or 99.5".to_owned()),
        (
            "minutes = 1_440",
            "minutes = ‸-1",
            "`former_owner_cooldown_minutes` is a whole number of minutes, 0 or more".to_owned(),
        ),
        (
            "due_minutes = 20",
            "due_minutes = ‸4_294_967_296",
            "`due_minutes` is a whole number of minutes, 0 or more".to_owned(),
        ),
        (
            "min_call_seconds = 15",
            "min_call_seconds = ‸-15",
            "`min_call_seconds` is a whole number of seconds, 0 or more".to_owned(),
        ),
        (
            "half_life_hours = 168",
            "half_life_hours = ‸-168",
            "`half_life_hours` is a whole number of hours, 1 or more".to_owned(),
        ),
        (
            "contact_made = 15",
            "contact_made = ‸3_000_000_000",
            "`contact_made` is a whole number of points, below 0 when it weighs against".to_owned(),
        ),
    ] {
        wrong(&changed(from, to), &message);
    }
}

#[test]
fn a_file_with_any_one_character_gone_is_read_or_refused_at_a_place_inside_it() {
    let widest = |line: usize| GOOD.lines().nth(line - 1).map_or(0, |text| text.chars().count());
    for (at, gone) in GOOD.char_indices() {
        let text = format!("{}{}", &GOOD[..at], &GOOD[at + gone.len_utf8()..]);
        let Err(error) = parse(&text) else { continue };
        assert!((1..=GOOD.lines().count() + 1).contains(&error.line), "{error}");
        let joined = widest(error.line) + widest(error.line + 1);
        assert!((1..=joined + 1).contains(&error.column), "{error} without {gone:?} at {at}");
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error}");
    }
}
