//! Who reads what.

use serde_json::{Value, json};

use super::world::{AGENT, AUDITOR, BI, NOWHERE_BI, SALES_AUDITOR, SUSPENDED, World, event, events, stored};
use crate::http::tests::world::{answer, operator};

/// What nobody but an auditor may read, and sealed at that.
const CANARY: &str = "hunter2";

#[tokio::test]
async fn only_bi_and_auditors_may_replay() {
    let world = World::new().await;
    for (who, status, code) in
        [(AGENT, 403, "forbidden"), (SUSPENDED, 403, "operator_suspended"), (77, 401, "operator_unknown")]
    {
        // Not even wrong parameters are looked at.
        for query in ["", "after=x"] {
            let answer = answer(world.request(query).bearer_auth(world.token(who, 60))).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{who} {query}");
        }
    }
    let missing = answer(world.request("")).await;
    assert_eq!((missing.status, missing.code()), (401, "token_missing"));
    assert_eq!(missing.headers["www-authenticate"], "Bearer");
    let raw = answer(world.request("raw=true").bearer_auth(world.token(BI, 60))).await;
    assert_eq!((raw.status, raw.code()), (403, "forbidden"));
    assert!(raw.message().contains("raw"));
}

#[tokio::test]
async fn events_are_only_read() {
    let world = World::new().await;
    let url = world.request("").build().unwrap().url().clone();
    let answer = answer(reqwest::Client::new().post(url).bearer_auth(world.token(AUDITOR, 60))).await;
    assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"));
    assert_eq!(answer.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn lines_out_of_scope_are_left_out_and_the_position_goes_on() {
    let world = World::new().await;
    for line in [Some("sales"), None, Some("service"), Some("sales"), Some("service")] {
        world.log.append([event("clue.won", line, "{\"won\":{}}")]);
    }
    for (who, expected) in
        [(AUDITOR, &[1, 2, 3, 4, 5][..]), (BI, &[1, 2, 4]), (SALES_AUDITOR, &[1, 2, 4]), (NOWHERE_BI, &[2])]
    {
        assert_eq!(world.positions(who, "").await, expected, "{who}");
        assert_eq!(world.replay(who, "").await.last().unwrap(), &json!({ "end": { "position": 5 } }));
    }
}

#[tokio::test]
async fn no_personal_data_reaches_bi_in_any_form() {
    let world = World::new().await;
    let payloads = [
        ("clue.lost", json!({ "lost": { "note": { "$sealed": CANARY }, "reason": "price" } })),
        ("customer.renamed", json!({ "renamed": { "name": { "$clear": CANARY } } })),
        (
            "clue.fields_set",
            json!({ "fields_set": { "values": [{ "a": { "text": { "$sealed": CANARY } } }] } }),
        ),
        ("clue.teleported", json!({ "teleported": { "to": { "$sealed-2": CANARY, "key": CANARY } } })),
        ("clue.shrunk", json!({ "$sealed": CANARY })),
        ("operator.registered", json!({ "registered": { "name": { "$sealed": CANARY } } })),
        ("operator.renamed", json!({ "renamed": { "name": CANARY } })),
    ];
    for (event_type, payload) in payloads {
        let mut event = event(event_type, Some("sales"), &payload.to_string());
        event.metadata.trace = Some(CANARY.into());
        world.log.append([event]);
    }
    let lines = world.replay(BI, "").await;
    assert!(!Value::from(lines.clone()).to_string().contains(CANARY), "{lines:?}");
    let data: Vec<&Value> = events(&lines).map(|line| &line["data"]).collect();
    assert_eq!(data[0], &json!({ "note": "$redacted", "reason": "price" }), "the rest is there");
    assert_eq!(data[2], &json!({ "values": [{ "a": { "text": "$redacted" } }] }));
    assert_eq!(data[6], &json!({ "name": "$redacted" }));
    for line in events(&lines) {
        assert_eq!(line["actor"], json!(format!("operator:{}", operator(7))), "pseudonyms stay");
    }
}

#[tokio::test]
async fn auditors_read_what_is_stored_byte_for_byte() {
    let world = World::new().await;
    let inner = "{\"z\": 1,\"note\":{\"$sealed\":\"AQAA\"},\"a\":12345678901234567890123,\"n\":1.10}";
    let payload = format!("{{\"lost\":{inner}}}");
    let event = event("clue.lost", Some("sales"), &payload);
    let metadata = stored(&event).metadata;
    world.log.append([event]);
    let url = |query| world.request(query).bearer_auth(world.token(AUDITOR, 60)).send();
    let text = url("").await.unwrap().text().await.unwrap();
    assert!(text.contains(&format!("\"data\":{inner}")), "{text}");
    let plain = &world.replay(AUDITOR, "").await[0];
    assert!(plain.get("payload").is_none() && plain.get("metadata").is_none());
    let raw = &world.replay(AUDITOR, "raw=true").await[0];
    assert_eq!(raw["payload"], json!(payload));
    // A member that only a newer program knows is there, too.
    assert_eq!(raw["metadata"], json!(metadata));
    assert!(metadata.contains("newer"));
}
