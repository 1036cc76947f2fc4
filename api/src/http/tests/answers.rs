//! What is answered, and with which status.

use serde_json::{Value, json};

use super::world::{NOW, World, answer, operator};
use domain::Instant;
use std::time::Duration;

const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

#[tokio::test]
async fn a_query_is_answered_in_the_media_type_that_was_asked_for() {
    let world = World::new().await;
    let body = json!({ "query": "{ echo(text: \"你好\") }" }).to_string();
    for (accept, expected) in [(Some(NEW), NEW), (Some(OLD), OLD), (Some("*/*"), OLD), (None, OLD)] {
        let mut request = world.post(body.clone());
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = answer(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], format!("{expected}; charset=utf-8"));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.body, json!({ "data": { "echo": "你好" } }));
    }
    let answer = answer(world.post(body).header("accept", "text/html")).await;
    assert_eq!((answer.status, answer.code()), (406, "not_acceptable"));
}

#[tokio::test]
async fn a_document_that_was_valid_once_is_answered_as_if_it_were_new() {
    let world = World::new().await;
    let text = "query Q($wish: Wish!, $first: Int!) { wish(wish: $wish, first: $first) list(first: $first) { number } }";
    let ask = async |text: String, operation: &str, variables: &Value| {
        let body = json!({ "query": text, "operationName": operation, "variables": variables });
        let mut answer = answer(world.post(body.to_string())).await.body;
        for error in answer["errors"].as_array_mut().into_iter().flatten() {
            error["extensions"]["correlationId"] = Value::Null;
        }
        answer
    };
    let good = json!({ "wish": { "colour": "RED", "text": "a wish", "years": [2020] }, "first": 1 });
    let first = ask(text.to_owned(), "Q", &good).await;
    assert_eq!(first["data"]["wish"], "1 Red a wish 1");
    let other = json!({ "wish": { "colour": "RED", "text": "another", "years": [1999] }, "first": 2 });
    assert_eq!(ask(text.to_owned(), "Q", &other).await["data"]["wish"], "2 Red another 1");
    let wishes = [
        json!(null),
        json!("RED"),
        json!({}),
        json!({ "colour": "DARK_BLUE" }),
        json!({ "colour": "GREEN" }),
        json!({ "colour": "red", "text": "a wish", "years": [2020] }),
        json!({ "colour": "RED", "text": 1 }),
        json!({ "colour": "RED", "text": "a wish", "years": ["2020"] }),
        json!({ "colour": "RED", "text": "a wish", "years": [2020.5] }),
        json!({ "colour": "RED", "text": "a wish", "years": [9_999_999_999_i64] }),
        json!({ "colour": "RED", "text": "a wish", "years": [2020], "more": 1 }),
    ];
    let wishes = wishes.map(|wish| json!({ "wish": wish, "first": 1 }));
    let others = [
        json!({ "wish": { "colour": "RED", "text": "a wish", "years": [2020] } }),
        json!({ "wish": { "colour": "RED", "text": "a wish", "years": [2020] }, "first": 100_000_000 }),
        json!({ "wish": { "colour": "RED", "text": "a wish", "years": [2020] }, "first": -1 }),
        json!({}),
    ];
    let mut refused = 0;
    for (index, variables) in wishes.iter().chain(&others).enumerate() {
        for operation in ["Q", "R"] {
            let fresh = format!("{text} # {index}");
            let expected = ask(fresh, operation, variables).await;
            refused += usize::from(expected["errors"].is_array());
            for _ in 0..2 {
                assert_eq!(
                    ask(text.to_owned(), operation, variables).await,
                    expected,
                    "{operation} {variables}"
                );
            }
        }
    }
    assert_eq!(refused, 28, "all but another colour and a negative number; no operation R");
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let world = World::new().await;
    let body = json!({ "query": "{ __typename }" }).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "",
    ] {
        let request = world.client.post(world.url("/graphql")).bearer_auth(world.token(1));
        let answer = answer(request.header("content-type", content_type).body(body.clone())).await;
        assert_eq!((answer.status, answer.code()), (415, "unsupported_media_type"), "{content_type}");
    }
    for content_type in
        ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
    {
        let request = world.client.post(world.url("/graphql")).bearer_auth(world.token(1));
        let answer = answer(request.header("content-type", content_type).body(body.clone())).await;
        assert_eq!(answer.status, 200, "{content_type}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_graphql_request_are_refused() {
    let world = World::new().await;
    for (body, code) in [
        ("", "json_syntax"),
        ("{ \"not JSON", "json_syntax"),
        ("[{ \"query\": \"{ __typename }\" }]", "batch_refused"),
        (" [", "batch_refused"),
        ("{}", "bad_request"),
        ("{ \"query\": 1 }", "bad_request"),
        ("{ \"query\": \"{ __typename }\", \"operationName\": {} }", "bad_request"),
        ("{ \"query\": \"{ __typename }\", \"variables\": [1] }", "bad_request"),
        ("{ \"query\": \"{ __typename }\", \"variables\": \"x\" }", "bad_request"),
        ("{ \"query\": \"{ __typename }\", \"extensions\": 0 }", "bad_request"),
    ] {
        for accept in [NEW, OLD] {
            let answer = answer(world.post(body).header("accept", accept)).await;
            assert_eq!((answer.status, answer.code()), (400, code), "{body}");
            assert!(answer.body.get("data").is_none());
        }
    }
    for parameter in ["variables", "operationName", "extensions"] {
        let body = json!({ "query": "{ __typename }", parameter: null }).to_string();
        assert_eq!(answer(world.post(body)).await.body, json!({ "data": { "__typename": "Query" } }));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length() {
    let world = World::new().await;
    let large = format!("{{ \"query\": \"{}\" }}", " ".repeat(70_000));
    let chunks = futures::stream::iter(
        large
            .as_bytes()
            .chunks(1_000)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    );
    for body in [reqwest::Body::from(large.clone()), reqwest::Body::wrap_stream(chunks)] {
        let answer = answer(world.post(body)).await;
        assert_eq!((answer.status, answer.code()), (413, "body_too_large"));
        assert!(answer.message().contains("65536"), "{}", answer.message());
    }
}

#[tokio::test]
async fn a_request_that_was_never_executed_has_no_data_and_the_status_of_its_media_type() {
    let world = World::new().await;
    for (query, variables, code) in [
        ("{", json!({}), "graphql_syntax"),
        ("{ 8f31 }", json!({}), "graphql_syntax"),
        ("{ nothing }", json!({}), "graphql_invalid"),
        ("query A { __typename } query B { __typename }", json!({}), "graphql_invalid"),
        ("query Q($id: ID!) { __typename }", json!({ "id": null }), "graphql_invalid"),
        (
            "query Q($first: Int!) { list(first: $first) { number } }",
            json!({ "first": "x" }),
            "graphql_invalid",
        ),
    ] {
        for (accept, status) in [(NEW, 400), (OLD, 200)] {
            let body = json!({ "query": query, "variables": variables }).to_string();
            let answer = answer(world.post(body).header("accept", accept)).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{query}: {answer:?}");
            assert!(answer.body.get("data").is_none(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn get_answers_queries_and_nothing_else() {
    let world = World::new().await;
    let get = |query: &[(&str, &str)]| {
        let url = reqwest::Url::parse_with_params(&world.url("/graphql"), query).unwrap();
        world.client.get(url).bearer_auth(world.token(1))
    };
    let variables = ("variables", "{\"text\":\"hi\"}");
    let ok = answer(get(&[("query", "query Q($text: String!) { echo(text: $text) }"), variables])).await;
    assert_eq!((ok.status, &ok.body), (200, &json!({ "data": { "echo": "hi" } })));
    let named = [("query", "query A { __typename } mutation B { change(to: 9) }"), ("operationName", "A")];
    assert_eq!(answer(get(&named)).await.status, 200);

    for query in [
        &[("query", "mutation { change(to: 9) }")][..],
        &[("query", "query A { __typename } mutation B { change(to: 9) }"), ("operationName", "B")],
    ] {
        let refused = answer(get(query)).await;
        assert_eq!((refused.status, refused.code()), (405, "method_not_allowed"));
        assert_eq!(refused.headers["allow"], "POST");
    }
    assert_eq!(*world.levers.changes.borrow(), 0, "nothing was changed");

    for bad in [
        &[][..],
        &[("query", "{ __typename }"), ("variables", "{")],
        &[("query", "{ __typename }"), ("extensions", "1")],
    ] {
        assert_eq!(answer(get(bad)).await.status, 400, "{bad:?}");
    }
    let put = world.client.put(world.url("/graphql")).bearer_auth(world.token(1));
    let refused = answer(put).await;
    assert_eq!((refused.status, refused.headers["allow"].to_str().unwrap()), (405, "GET, POST"));
}

#[tokio::test]
async fn a_subscription_is_sent_to_the_socket() {
    let world = World::new().await;
    assert_eq!(world.query("subscription { count(to: 1) }").await.code(), "subscription_needs_socket");
}

#[tokio::test]
async fn callers_who_are_not_known_are_turned_away_with_the_reason() {
    let world = World::new().await;
    let hour = Duration::from_secs(3_600);
    let old = world.tokens.issue(operator(1), Instant::from_micros(NOW.micros() - 7_200_000_000), hour);
    let cases = [
        (None, 401, "token_missing"),
        (Some("Bearer nonsense".to_owned()), 401, "token_malformed"),
        (Some("Basic x".to_owned()), 401, "token_malformed"),
        (Some(format!("Bearer {}", old.unwrap().token)), 401, "token_expired"),
        (Some(format!("Bearer {}", World::new().await.token(1))), 401, "token_forged"),
        (Some(format!("Bearer {}", world.token(3))), 401, "operator_unknown"),
        (Some(format!("Bearer {}", world.token(2))), 403, "operator_suspended"),
        (Some(format!("Bearer {}", world.token(99))), 503, "internal"),
    ];
    for (authorization, status, code) in cases {
        let mut request = world.client.post(world.url("/graphql")).header("content-type", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = answer(request.body("{ \"query\": \"{ __schema { queryType { name } } }\" }")).await;
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
        assert!(!answer.body.to_string().contains("hunter2"));
    }
    let me = world.query("{ me }").await;
    assert_eq!(me.body["data"]["me"], json!(operator(1).to_string()));
    world.people.set(operator(1), true);
    assert_eq!(world.query("{ me }").await.code(), "operator_suspended", "from the next request on");
}

#[tokio::test]
async fn limits_are_stated_where_they_are_broken() {
    let world = World::new().await;
    let aliases: String = (0..101).map(|n| format!("a{n}: __typename ")).collect();
    for (query, code, limit) in [
        (format!("{{ {aliases} }}"), "alias_limit", "30"),
        (
            format!("{{ list(first: 1) {{ {} number {} }} }}", "row { ".repeat(12), "}".repeat(12)),
            "depth_limit",
            "12",
        ),
        ("{ list(first: 5000) { number } }".to_owned(), "complexity_limit", "5000"),
        (format!("{{ echo(text: \"x\") {} }}", "@a ".repeat(51)), "directive_limit", "50"),
        (format!("{{ {} }}", "a ".repeat(3_000)), "token_limit", "2000"),
    ] {
        let answer = world.query(&query).await;
        assert_eq!((answer.status, answer.code()), (400, code));
        assert!(answer.message().contains(limit), "{}", answer.message());
    }
    assert_eq!(world.query("{ list(first: 4999) { number } }").await.status, 200);
}

#[tokio::test]
async fn errors_of_ours_are_one_opaque_code_with_a_correlation_id() {
    let world = World::new().await;
    let broken = world.query("{ broken me }").await;
    assert_eq!((broken.status, broken.code()), (200, "internal"));
    assert_eq!(broken.body["errors"][0]["path"], json!(["broken"]));
    assert_eq!(broken.body["data"]["broken"], Value::Null, "the rest is answered");
    assert!(broken.body["data"]["me"].is_string());
    let panicked = world.query("{ panics }").await;
    assert_eq!((panicked.status, panicked.code()), (500, "internal"));
    let refused = world.query("{ refused }").await;
    assert_eq!(refused.code(), "forbidden", "errors that are meant for clients keep their code");
    for answer in [broken, panicked, refused] {
        let correlation = answer.body["errors"][0]["extensions"]["correlationId"].as_str().unwrap();
        assert_eq!(answer.headers["x-request-id"], correlation);
        assert!(!answer.body.to_string().contains("hunter2"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_that_the_client_gave_it_if_it_is_one() {
    let world = World::new().await;
    let id = "01890000-0000-7000-8000-000000000001";
    for (given, kept) in [(id, true), ("13800138000", false)] {
        let answer = answer(world.post("{}").header("x-request-id", given)).await;
        assert_eq!(answer.headers["x-request-id"] == given, kept);
    }
}
