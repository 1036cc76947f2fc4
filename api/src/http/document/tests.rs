//! What documents are refused for.

use super::*;

const INTROSPECTION: &str = "
query IntrospectionQuery {
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types { ...FullType }
    directives { name description locations args { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description
  fields(includeDeprecated: true) {
    name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason
  }
  inputFields { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }
}";

fn code(text: &str) -> Option<(&'static str, String)> {
    parse(text, &Limits::default()).err().map(|error| (error.code, error.message))
}

#[track_caller]
fn refused(text: &str, expected: &'static str, limit: usize) {
    let (code, message) = code(text).expect("refused");
    assert_eq!(code, expected, "{message}");
    assert!(message.contains(&limit.to_string()), "states the limit: {message}");
}

#[test]
fn the_introspection_of_the_usual_tools_passes() {
    assert_eq!(code(INTROSPECTION), None);
}

#[test]
fn tokens_are_counted_as_graphql_counts_them() {
    let limits = |tokens| Limits { tokens, ..Limits::default() };
    for (text, tokens) in [
        ("{ a }", 3),
        ("query Q($x: Int = -1.5e+3) { a(x: $x, y: [1, 2], s: \"a b { \\\" c\") }", 28),
        ("{ a # b c d\n b }", 4),
        ("{ a(s: \"\"\"x \" \\\"\"\" y\"\"\") ...F }", 10),
        ("\u{feff}{a,b}", 4),
    ] {
        assert!(lexer::check(text, tokens).is_ok(), "{text}");
        assert!(lexer::check(text, tokens - 1).is_err(), "{text}");
    }
    assert_eq!(parse("{ a b }", &limits(3)).unwrap_err().code, "token_limit");
}

#[test]
fn every_limit_is_enforced_and_stated() {
    let limits = Limits::default();
    let repeat = |text: &str, times| text.repeat(times);
    refused(&format!("{{ {} }}", repeat("a ", 2_001)), "token_limit", limits.tokens);
    let deep = format!("{}a{}", repeat("{ a ", 13), repeat("}", 13));
    refused(&deep, "depth_limit", limits.depth);
    let aliases: String = (0..31).map(|n| format!("a{n}: __typename ")).collect();
    refused(&format!("{{ {aliases} }}"), "alias_limit", limits.aliases);
    refused(&format!("{{ {} }}", repeat("__typename ", 500)), "alias_limit", limits.aliases);
    refused(&format!("{{ a {} }}", repeat("@x ", 51)), "directive_limit", limits.directives);
    let spread = "query { ...F } fragment F on Q @x { a }";
    assert_eq!(code(spread), None);
}

#[test]
fn endless_introspection_is_refused() {
    refused(
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "depth_limit",
        2,
    );
}
#[test]
fn fragments_that_multiply_are_refused_without_being_expanded() {
    let mut text = String::from("{ ...F0 }");
    for n in 0..60 {
        text += &format!(" fragment F{n} on Q {{ ...F{} ...F{} }}", n + 1, n + 1);
    }
    text += " fragment F60 on Q { a }";
    refused(&text, "complexity_limit", Limits::default().complexity);
}

#[test]
fn a_fragment_that_contains_itself_or_is_not_there_is_refused() {
    let text = "{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }";
    assert_eq!(code(text).unwrap().0, "graphql_invalid");
    assert_eq!(code("{ ...A }").unwrap().0, "graphql_invalid");
}

#[test]
fn brackets_without_end_do_not_exhaust_the_stack() {
    for bracket in ["{", "[", "("] {
        refused(&format!("{{ a(x: {}", bracket.repeat(1_000)), "depth_limit", 64);
    }
}

#[test]
fn what_is_no_graphql_says_where() {
    let error = parse("{ a(", &Limits::default()).unwrap_err();
    assert_eq!(error.code, "graphql_syntax");
    assert!(error.at.is_some());
}

#[test]
fn the_operation_that_a_request_means_is_found() {
    let one = parse("mutation { a }", &Limits::default()).unwrap();
    assert_eq!(one.operation_type(None), Some(OperationType::Mutation));
    let two = parse("query A { a } mutation B { a }", &Limits::default()).unwrap();
    assert_eq!(two.operation_type(Some("B")), Some(OperationType::Mutation));
    assert_eq!(two.operation_type(None), None);
    assert_eq!(two.operation_type(Some("C")), None);
}

#[test]
fn a_document_is_parsed_once() {
    let documents = Documents::new(Limits::default());
    let first = documents.read("{ a }").unwrap();
    assert!(Arc::ptr_eq(&first, &documents.read("{ a }").unwrap()));
    assert!(!Arc::ptr_eq(&first, &documents.read("{ b }").unwrap()));
}
