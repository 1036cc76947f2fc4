//! What holds for the whole schema.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use futures::StreamExt;

use crate::config::Config;
use crate::graphql::{schema, sdl};

/// Fields and arguments of type `Int`: each is bounded far below 32 bits, for the reason beside it.
/// Whatever counts rows, events or money is a `Long`, a `Position` or a `Money`.
const SMALL: &[(&str, &str)] = &[
    ("first", "rows of a page"),
    ("last", "rows of a page"),
    ("limit", "rows that are counted, at most 100,000"),
    ("poolCount", "counted up to 10,000"),
    ("graphVersion", "a version of rules that people publish"),
    ("policyVersion", "a version of rules that people publish"),
    ("version", "a version of rules that people publish"),
    ("tier", "one to five"),
    ("stars", "zero to five"),
    ("starsAtLeast", "zero to five"),
    ("rank", "one to three"),
    ("points", "a weight that people set"),
    ("signals", "what one customer did"),
    ("timesPooled", "what happened to one clue"),
    ("intervalNumber", "what happened to one clue"),
    ("durationSeconds", "the length of one call"),
    ("minCallSeconds", "the length of one call"),
    ("dueMinutes", "a rule that people set"),
    ("formerOwnerCooldownMinutes", "a rule that people set"),
    ("halfLifeHours", "a rule that people set"),
    ("maxMileageKm", "what one car drove"),
    ("registeredSince", "a year"),
];

fn types() -> Vec<TypeDefinition> {
    let document = parse_schema(sdl()).unwrap();
    let types = document.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(ty) => Some(ty.node),
        _ => None,
    });
    types.collect()
}

fn fields(ty: &TypeDefinition) -> Vec<&FieldDefinition> {
    match &ty.kind {
        TypeKind::Object(object) => object.fields.iter().map(|field| &field.node).collect(),
        _ => Vec::new(),
    }
}

fn inputs(ty: &TypeDefinition) -> Vec<&InputValueDefinition> {
    match &ty.kind {
        TypeKind::InputObject(input) => input.fields.iter().map(|field| &field.node).collect(),
        _ => fields(ty).into_iter().flat_map(|field| field.arguments.iter().map(|a| &a.node)).collect(),
    }
}

fn find(name: &str) -> TypeDefinition {
    types().into_iter().find(|ty| ty.name.node == name).unwrap()
}

#[test]
fn the_committed_schema_is_what_the_program_serves() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, sdl()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == sdl(), "run the test with UPDATE_GOLDEN=1 to write {path} anew");
}

#[tokio::test]
async fn the_examples_of_the_console_fit_the_schema() {
    let schema = schema(&Config::default().limits).finish();
    let console = include_str!("../../../graphiql/console.js");
    let examples: Vec<&str> = console.split('`').filter(|text| text.starts_with("# ")).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let answer = schema.execute_stream(example).next().await.unwrap();
        // Without a session resolvers fail, at a path; a query that does not fit fails before.
        assert!(answer.errors.iter().all(|error| !error.path.is_empty()), "{example}: {:?}", answer.errors);
    }
}

#[test]
fn no_int_can_exceed_32_bits() {
    let mut found = BTreeSet::new();
    for ty in types() {
        let int = |text: &str| text.trim_matches(['[', ']', '!']) == "Int";
        found.extend(
            fields(&ty).iter().filter(|f| int(&f.ty.node.to_string())).map(|f| f.name.node.to_string()),
        );
        found.extend(
            inputs(&ty).iter().filter(|i| int(&i.ty.node.to_string())).map(|i| i.name.node.to_string()),
        );
    }
    let known: BTreeSet<String> = SMALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "say why a new Int is small, or make it a Long");
}

/// By that a document is known again that was valid with such variables.
#[test]
fn values_of_enums_are_in_capitals() {
    let types = types();
    let values = types.iter().flat_map(|ty| match &ty.kind {
        TypeKind::Enum(choice) => choice.values.iter().map(|value| value.node.value.node.as_str()).collect(),
        _ => Vec::new(),
    });
    let values: Vec<&str> = values.collect();
    assert!(values.len() > 20);
    let small = values.into_iter().find(|value| value.bytes().any(|byte| byte.is_ascii_lowercase()));
    assert_eq!(small, None);
}

#[test]
fn every_mutation_takes_one_input_with_a_command_id_and_answers_with_a_position() {
    let mutation = find("Mutation");
    assert!(fields(&mutation).len() > 40);
    for field in fields(&mutation) {
        let name = &field.name.node;
        assert_eq!(field.arguments.len(), 1, "{name}");
        let argument = &field.arguments[0].node;
        assert_eq!(argument.name.node, "input", "{name}");
        let input = find(argument.ty.node.to_string().trim_end_matches('!'));
        let has = |wanted: &str, ty: &str| {
            inputs(&input).iter().any(|i| i.name.node == wanted && i.ty.node.to_string() == ty)
        };
        assert!(has("commandId", "UUID!") && has("expectedRevision", "Long"), "{name}");
        let payload = find(field.ty.node.to_string().trim_end_matches('!'));
        let answers = |wanted: &str, ty: &str| {
            fields(&payload).iter().any(|f| f.name.node == wanted && f.ty.node.to_string() == ty)
        };
        assert!(answers("position", "Position") && answers("userErrors", "[UserError!]!"), "{name}");
    }
}

#[test]
fn every_connection_is_a_relay_connection() {
    let connections: Vec<_> = types().into_iter().filter(|ty| ty.name.node.ends_with("Connection")).collect();
    assert!(connections.len() >= 5);
    for connection in connections {
        let name = connection.name.node.to_string();
        let edge = format!("{}Edge", name.trim_end_matches("Connection"));
        let shape: Vec<String> =
            fields(&connection).iter().map(|f| format!("{}: {}", f.name.node, f.ty.node)).collect();
        // A list that can be of a moment in the past says of which.
        let dated = (name == "ClueConnection").then(|| "asOf: AsOf".to_owned());
        let relay = [format!("edges: [{edge}!]!"), "pageInfo: PageInfo!".to_owned()];
        assert_eq!(shape, dated.into_iter().chain(relay).collect::<Vec<_>>());
        let shape: Vec<String> =
            fields(&find(&edge)).iter().map(|f| format!("{}: {}", f.name.node, f.ty.node)).collect();
        let node = name.trim_end_matches("Connection").replace("Timeline", "TimelineEntry");
        assert_eq!(shape, ["cursor: String!".to_owned(), format!("node: {node}!")]);
    }
}

#[test]
fn everything_public_is_described() {
    for ty in types()
        .into_iter()
        .filter(|ty| !["Query", "Mutation", "Subscription"].contains(&ty.name.node.as_str()))
    {
        let name = ty.name.node.to_string();
        assert!(ty.description.is_some() || name == "PageInfo", "{name}");
        for field in fields(&ty) {
            assert!(field.description.is_some(), "{name}.{}", field.name.node);
        }
    }
    for root in ["Query", "Mutation", "Subscription"] {
        for field in fields(&find(root)) {
            assert!(field.description.is_some(), "{root}.{}", field.name.node);
        }
    }
}
