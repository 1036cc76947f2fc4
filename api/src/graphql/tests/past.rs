//! The past: states and lists as of an instant, and histories.

use domain::operator::Role;
use serde_json::{Value, json};

use super::world::World;

const CLUE: &str = "query C($id: ID!, $asOf: Instant, $atLeast: Position) {
  clue(id: $id, asOf: $asOf, atLeast: $atLeast) {
    id lifecycle stage ownerId owner { id } stars position customerName { text visibility }
    asOf { at position }
    fields { key value { ... on ChoiceValue { option } } }
    customer { id name { text } doNotCall contacts { value { text } } clueIds asOf { position }
               clues { id lifecycle asOf { position } } timeline(first: 50) { edges { node { kind } } } }
    timeline(first: 50) { edges { node { kind } } }
    history(first: 50) { edges { node { kind } } }
  }
}";

const LIST: &str = "query L($filter: ClueFilterInput, $sort: ClueSort, $first: Int, $after: String, $asOf: Instant) {
  clues(filter: $filter, sort: $sort, first: $first, after: $after, asOf: $asOf) {
    edges { node { id lifecycle ownerId customerName { text } } } pageInfo { hasNextPage endCursor } asOf { at position }
  }
}";

const HISTORY: &str = "query H($id: ID!, $after: String, $at: Position) {
  clue(id: $id, atLeast: $at) { history(first: 3, after: $after) { pageInfo { hasNextPage endCursor } edges { node {
    kind position recordedAt occurredAt actorId system reason policyVersion commandId correlationId causationId
    originalCommandId causes { kind commandId }
    changes { field before { ...V } after { ...V } } } } } } }
  fragment V on ChangedValue { __typename
    ... on WordValue { word } ... on InstantValue { instant } ... on MoneyValue { money } ... on NumberValue { number }
    ... on TextValue { text { text visibility } } ... on ChoiceValue { option } ... on FlagValue { flag } }";

fn kinds(timeline: &Value) -> Vec<&str> {
    let edges = timeline["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"]["kind"].as_str().unwrap()).collect()
}

fn ids(list: &Value) -> Vec<&str> {
    let edges = list["clues"]["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap()).collect()
}

/// When the log took the event at a position.
async fn recorded_at(world: &World, position: &Value) -> String {
    let position: domain::Position = position.as_str().unwrap().parse().unwrap();
    let before = domain::Position::new(position.get() - 1);
    world.app.log.read(before, 1).await.unwrap()[0].recorded_at.to_string()
}

/// A later instant than any that an event has, and so one that splits what comes from what was.
async fn later(world: &World, position: &Value) -> String {
    let at = recorded_at(world, position).await;
    loop {
        let now = projections::Clock::now(&projections::SystemClock).to_string();
        if now > at {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_clue_and_all_of_its_parts_are_shown_as_they_were() {
    let world = World::new().await;
    let (first, second) = (world.agent(0), world.agent(1));
    let manager = world.who(Role::Manager);
    let before = later(&world, &json!("1")).await;
    let clue = world.owned("13800138000", first).await;
    let (id, customer) = (&clue["clueId"], &clue["customerId"]);
    let then = later(&world, &clue["position"]).await;
    let input = json!({ "customerId": customer, "name": "张三" });
    world.done(manager, "renameCustomer", "RenameCustomerInput", input).await;
    let moved = json!({ "clueId": id, "operatorId": second });
    let moved = world.done(manager, "transferClue", "ClueOwnerInput", moved).await;

    let ask = |as_of: Value| json!({ "id": id, "asOf": as_of, "atLeast": moved["position"] });
    let now = &world.data(second, CLUE, ask(Value::Null)).await["clue"];
    assert_eq!((&now["ownerId"], &now["asOf"]), (&json!(second), &Value::Null));
    assert_eq!(now["customerName"]["text"], "张三");
    let past = world.data(second, CLUE, ask(json!(then))).await["clue"].clone();
    assert_eq!((&past["ownerId"], &past["customerName"]["text"]), (&json!(first), &json!("李伟")));
    assert_eq!(past["owner"]["id"], json!(first));
    assert_eq!((&past["asOf"]["at"], &past["asOf"]["position"]), (&json!(then), &clue["position"]));
    let person = &past["customer"];
    assert_eq!((&person["name"]["text"], &person["clueIds"]), (&json!("李伟"), &json!([id])));
    assert_eq!(person["contacts"][0]["value"]["text"], "+8613800138000");
    for part in [person, &person["clues"][0]] {
        assert_eq!(part["asOf"]["position"], clue["position"]);
    }
    for what_happened in [&past["timeline"], &person["timeline"], &past["history"]] {
        let kinds = kinds(what_happened);
        assert!(kinds.contains(&"clue.assigned"), "{kinds:?}");
        assert!(!kinds.contains(&"clue.transferred") && !kinds.contains(&"customer.renamed"), "{kinds:?}");
    }
    assert_eq!(kinds(&now["history"]).first(), Some(&"clue.transferred"));

    // The rights of today: who gave it away sees no more of its past.
    assert_eq!(world.data(first, CLUE, ask(json!(then))).await["clue"], Value::Null);
    let auditor = world.data(world.who(Role::Auditor), CLUE, ask(json!(then))).await;
    assert_eq!(auditor["clue"]["customerName"]["visibility"], "CLEAR");
    let bi = world.data(world.who(Role::Bi), CLUE, ask(json!(then))).await;
    assert_eq!(bi["clue"]["customerName"], json!({ "text": null, "visibility": "REDACTED" }));
    assert_eq!(world.data(second, CLUE, ask(json!(before))).await["clue"], Value::Null, "not there yet");
    let ancient = world.data(second, CLUE, ask(json!("1999-01-01T00:00:00Z"))).await;
    assert_eq!(ancient["clue"], Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_list_as_of_an_instant_pages_and_filters_by_what_was() {
    let world = World::new().await;
    let (agent, other, manager) = (world.agent(0), world.agent(1), world.who(Role::Manager));
    let mut clues = Vec::new();
    for number in 0..3 {
        clues.push(world.owned(&format!("1380013800{number}"), agent).await);
    }
    let then = later(&world, &clues[2]["position"]).await;
    let moved = json!({ "clueId": clues[0]["clueId"], "operatorId": other });
    world.done(manager, "transferClue", "ClueOwnerInput", moved).await;
    let last = world.owned("13800138009", agent).await;
    let variables = |more: Value| {
        let mut variables =
            json!({ "filter": { "ownerId": agent }, "sort": "CAPTURED", "first": 2, "asOf": then });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        variables
    };
    let page = world.data(manager, LIST, variables(json!({}))).await;
    assert_eq!(ids(&page), [&clues[2]["clueId"], &clues[1]["clueId"]]);
    assert_eq!(page["clues"]["asOf"], json!({ "at": then, "position": clues[2]["position"] }));
    let after = page["clues"]["pageInfo"]["endCursor"].clone();
    let next = world.data(manager, LIST, variables(json!({ "after": after }))).await;
    assert_eq!(ids(&next), [&clues[0]["clueId"]], "whose it was then");
    assert_eq!(next["clues"]["pageInfo"]["hasNextPage"], false);
    let named = variables(json!({ "filter": { "name": "李伟" }, "first": 20 }));
    assert_eq!(ids(&world.data(manager, LIST, named).await).len(), 3);
    let phone = variables(json!({ "filter": { "phone": "13800138001" } }));
    assert_eq!(ids(&world.data(manager, LIST, phone).await), [&clues[1]["clueId"]]);
    // An agent lists what the agent has now.
    let own = world.data(agent, LIST, variables(json!({ "first": 20 }))).await;
    assert_eq!(ids(&own), [&clues[2]["clueId"], &clues[1]["clueId"]]);

    // A cursor of one moment is none of another, nor of the present.
    let now = later(&world, &last["position"]).await;
    for as_of in [json!(now), Value::Null] {
        let foreign = variables(json!({ "after": after, "asOf": as_of }));
        assert_eq!(world.code(manager, LIST, foreign).await, "bad_input");
    }
    let future = variables(json!({ "asOf": "2999-01-01T00:00:00Z" }));
    assert_eq!(world.code(manager, LIST, future).await, "as_of_in_future");
    for garbage in [json!("yesterday"), json!("2026-02-30T00:00:00Z"), json!(7)] {
        let answer = world.ask(manager, LIST, variables(json!({ "asOf": garbage }))).await;
        assert!(answer["errors"].is_array() && answer["data"].is_null(), "{answer}");
    }
    let hidden = variables(json!({ "filter": { "name": "李" } }));
    assert_eq!(world.code(world.who(Role::Bi), LIST, hidden).await, "forbidden");
    world.end().await;
}

#[tokio::test]
async fn a_history_says_who_when_why_and_what() {
    let world = World::new().await;
    let (agent, manager) = (world.agent(0), world.who(Role::Manager));
    let clue = world.owned("13800138000", agent).await;
    let id = &clue["clueId"];
    let need = json!({ "clueId": id, "need": { "budgetMax": "9900 CNY", "note": "wants red" } });
    let need = world.done(agent, "setNeed", "SetNeedInput", need).await;

    let mut changes: Vec<Value> = Vec::new();
    let mut after = Value::Null;
    loop {
        let page =
            world.data(agent, HISTORY, json!({ "id": id, "after": after, "at": need["position"] })).await;
        let history = &page["clue"]["history"];
        changes.extend(history["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()));
        after = history["pageInfo"]["endCursor"].clone();
        if history["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let of = |kind: &str| changes.iter().find(|change| change["kind"] == kind).unwrap();
    let change = |kind: &str, field: &str| {
        let found = of(kind)["changes"].as_array().unwrap().iter().find(|change| change["field"] == field);
        found.unwrap_or_else(|| panic!("{field} in {}", of(kind))).clone()
    };
    assert_eq!(changes[0]["kind"], "clue.need_updated", "last first");
    assert_eq!(of("clue.need_updated")["actorId"], json!(agent));
    assert_eq!(of("clue.captured")["actorId"], json!(manager));
    assert_eq!(of("clue.need_updated")["originalCommandId"], of("clue.need_updated")["commandId"]);
    let budget = change("clue.need_updated", "budgetMax");
    assert_eq!(budget["before"]["money"], "12800000 CNY");
    assert_eq!(budget["after"], json!({ "__typename": "MoneyValue", "money": "9900 CNY" }));
    let note = change("clue.need_updated", "need.note");
    assert_eq!(note["after"]["text"], json!({ "text": "wants red", "visibility": "CLEAR" }));
    let owner = change("clue.assigned", "ownerId");
    assert_eq!((&owner["before"], &owner["after"]["word"]), (&Value::Null, &json!(agent)));
    let owned: Value = change("clue.assigned", "ownedSince");
    assert!(owned["after"]["instant"].is_string());

    let customer = "query H($id: ID!) { customer(id: $id) { history(first: 50) { edges { node { kind
        changes { field after { ... on TextValue { text { text visibility } } } } } } } } }";
    let seen = |who| {
        let asked = world.data(who, customer, json!({ "id": clue["customerId"] }));
        async move { asked.await["customer"]["history"].to_string() }
    };
    assert!(seen(agent).await.contains("+8613800138000"));
    assert!(!seen(world.who(Role::Bi)).await.contains("13800138000"), "no number without the right to it");
    world.end().await;
}

#[tokio::test]
async fn who_is_erased_is_erased_in_the_past() {
    let world = World::new().await;
    let (agent, admin) = (world.agent(0), world.who(Role::Manager));
    let clue = world.owned("13800138000", agent).await;
    let then = later(&world, &clue["position"]).await;
    let input = json!({ "customerId": clue["customerId"], "ground": "request-of-the-person" });
    let erased = world.done(admin, "eraseCustomer", "EraseCustomerInput", input).await;
    let ask = json!({ "id": clue["clueId"], "asOf": then, "atLeast": erased["position"] });
    let past = world.data(world.who(Role::Auditor), CLUE, ask).await["clue"].clone();
    assert_eq!(past["ownerId"], json!(agent), "the facts stay");
    assert_eq!(past["customerName"], json!({ "text": null, "visibility": "REDACTED" }));
    assert!(!past.to_string().contains("李伟") && !past.to_string().contains("13800138000"), "{past}");
    world.end().await;
}
