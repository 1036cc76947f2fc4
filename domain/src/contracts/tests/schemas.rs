//! The JSON Schema of each aggregate's events, and what no schema may allow.
//!
//! Invariant: text in an event is a [`crate::Personal`] or one of the formats below, each of which
//! is a type that cannot hold a person's words. So a new field of type `String` fails here.

use serde_json::Value;

use super::{folder, same_as_committed};
use crate::contracts::event_schemas;

/// Formats of text that names no person. Add one only together with a type that guards it.
const FORMATS: [&str; 11] = [
    "date",
    "date-time",
    "decimal",
    "iana-time-zone",
    "iso-3166-1-alpha-2",
    "iso-4217",
    "label",
    "sealed",
    "slug",
    "source-key",
    "uuid",
];

/// Places of a schema that let in what an event must not hold, with what that is.
fn leaks(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, "", &mut found);
    found
}

fn walk(schema: &Value, path: &str, found: &mut Vec<String>) {
    let Some(members) = schema.as_object() else {
        if *schema != Value::Bool(false) {
            found.push(format!("{path}: anything"));
        }
        return;
    };
    let has = |name: &str| members.contains_key(name);
    let is = |name: &str| match &schema["type"] {
        Value::String(only) => only == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    };
    let format = schema["format"].as_str();
    if is("string") && !has("const") && !has("enum") && !format.is_some_and(|f| FORMATS.contains(&f)) {
        found.push(format!("{path}: text"));
    }
    if is("number") {
        found.push(format!("{path}: float"));
    }
    if is("object") && schema["additionalProperties"] != Value::Bool(false) {
        found.push(format!("{path}: other members"));
    }
    if !["type", "$ref", "oneOf", "anyOf", "allOf", "const", "enum"].iter().any(|key| has(key)) {
        found.push(format!("{path}: anything"));
    }
    for key in ["properties", "patternProperties", "$defs"] {
        for (name, member) in schema[key].as_object().into_iter().flatten() {
            walk(member, &format!("{path}/{name}"), found);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for member in schema[key].as_array().into_iter().flatten() {
            walk(member, path, found);
        }
    }
    if let Some(items) = members.get("items") {
        walk(items, &format!("{path}[]"), found);
    }
}

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    for (aggregate, schema) in event_schemas() {
        same_as_committed(&folder().join(aggregate).join("schema.json"), schema.as_value());
    }
}

#[test]
fn no_event_can_hold_text_that_nobody_marked() {
    for (aggregate, schema) in event_schemas() {
        assert_eq!(leaks(schema.as_value()), [""; 0], "{aggregate}");
    }
}

#[test]
fn ids_and_decimals_say_what_they_are() {
    let (_, clue) = event_schemas().into_iter().find(|(aggregate, _)| *aggregate == "clue").unwrap();
    let definitions = &clue.as_value()["$defs"];
    for id in ["CustomerId", "OperatorId", "TeamId", "FollowUpId", "ViewingId"] {
        assert_eq!(definitions[id]["format"], "uuid", "{id}");
    }
    let values = definitions["FieldValue"]["oneOf"].as_array().unwrap();
    let number = values.iter().find_map(|value| value["properties"].get("number")).unwrap();
    assert_eq!((&number["type"], &number["format"]), (&"string".into(), &"decimal".into()));
}

#[test]
fn an_unmarked_field_is_found_at_any_depth() {
    #[derive(schemars::JsonSchema)]
    #[allow(dead_code)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        marked: crate::Personal<String>,
        unmarked: Option<String>,
    }
    #[derive(schemars::JsonSchema)]
    #[allow(dead_code)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Leaky {
        Said { words: String, by: crate::ids::OperatorId },
        Listed { inner: Vec<Inner>, by_name: std::collections::BTreeMap<String, u32> },
        Measured { share: f64, rest: Value, again: Box<Inner> },
    }
    let mut found = leaks(schemars::schema_for!(Leaky).as_value());
    found.sort();
    assert_eq!(
        found,
        [
            "/Inner/unmarked: text",
            "/listed/by_name: other members",
            "/measured/rest: anything",
            "/measured/share: float",
            "/said/words: text",
        ]
    );
}
