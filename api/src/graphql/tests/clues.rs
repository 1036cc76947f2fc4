//! Clues: capture, list, pool, claim, work, outcome.

use domain::operator::Role;
use serde_json::{Value, json};

use super::world::{World, command_id};

const LIST: &str = "query L($filter: ClueFilterInput, $sort: ClueSort, $first: Int, $after: String, $atLeast: Position) {
  clues(filter: $filter, sort: $sort, first: $first, after: $after, atLeast: $atLeast) {
    edges { cursor node { id stage lifecycle line customerName { text visibility } owner { id name { text } } team { name }
                          budgetMax position updatedAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}";

fn ids(answer: &Value) -> Vec<String> {
    let edges = answer["clues"]["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_clue_is_captured_listed_and_worked_to_a_deal() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("13800138000", agent).await;
    let at_least = json!({ "atLeast": clue["position"] });
    let list = world.data(agent, LIST, at_least).await;
    assert_eq!(ids(&list), [clue["clueId"].as_str().unwrap()]);
    let node = &list["clues"]["edges"][0]["node"];
    assert_eq!(node["customerName"], json!({ "text": "李伟", "visibility": "CLEAR" }));
    assert_eq!(node["owner"]["id"], json!(agent));
    assert_eq!(node["budgetMax"], "12800000 CNY");
    assert_eq!(node["lifecycle"], "OWNED");

    let id = &clue["clueId"];
    let follow_up = json!({ "clueId": id, "channel": "CALL", "outcome": "CONNECTED", "durationSeconds": 120,
                            "note": "wants a family car", "nextAt": "2099-01-01T00:00:00Z" });
    world.done(agent, "logFollowUp", "LogFollowUpInput", follow_up).await;
    let viewing = json!({ "clueId": id, "at": "2099-01-02T00:00:00Z", "car": "Camry", "place": "Chaoyang" });
    let viewing = world.done(agent, "bookViewing", "BookViewingInput", viewing).await;
    let input = json!({ "clueId": id, "viewingId": viewing["viewingId"] });
    world.done(agent, "completeViewing", "ViewingInput", input).await;
    let won =
        world.done(agent, "winClue", "WinClueInput", json!({ "clueId": id, "amount": "12000000 CNY" })).await;
    let query =
        "query C($id: ID!, $at: Position) { clue(id: $id, atLeast: $at) { lifecycle amount stageCategory
        timeline(first: 50) { edges { node { kind note { text } operatorId } } }
        customer { contacts { value { text } } } } }";
    let one = world.data(agent, query, json!({ "id": id, "at": won["position"] })).await;
    let one = &one["clue"];
    assert_eq!((&one["lifecycle"], &one["amount"]), (&json!("WON"), &json!("12000000 CNY")));
    assert_eq!(one["customer"]["contacts"][0]["value"]["text"], "+8613800138000");
    let kinds: Vec<&str> = one["timeline"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["node"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"clue.won"), "last first");
    assert!(kinds.contains(&"clue.follow_up_logged") && kinds.contains(&"clue.first_response_recorded"));
    world.end().await;
}

#[tokio::test]
async fn of_many_claims_one_wins_and_the_others_are_told() {
    let world = World::new().await;
    let clue = world.pooled("13800138001").await;
    let pool = "query P($at: Position) { poolClues(atLeast: $at) { edges { node { id customer { name { text visibility }
        contacts { value { text visibility } } } } } } poolCount(atLeast: $at) }";
    let seen = world.data(world.agent(0), pool, json!({ "at": clue["position"] })).await;
    assert_eq!(seen["poolCount"], 1);
    let person = &seen["poolClues"]["edges"][0]["node"]["customer"];
    assert_eq!(person["name"], json!({ "text": "李*", "visibility": "MASKED" }));
    assert_eq!(person["contacts"][0]["value"]["text"], "138****8001");

    let input = json!({ "clueId": clue["clueId"] });
    let claims = (0..4).map(|n| world.run(world.agent(n), "claimClue", "ClueInput", input.clone()));
    let claims = futures::future::join_all(claims).await;
    let codes: Vec<&Value> = claims.iter().map(|claim| &claim["userErrors"][0]["code"]).collect();
    assert_eq!(codes.iter().filter(|code| code.is_null()).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "clue_not_pooled").count(), 3, "{codes:?}");
    world.end().await;
}

#[tokio::test]
async fn a_repeated_command_has_one_effect_and_the_first_result() {
    let world = World::new().await;
    let clue = world.pooled("13800138002").await;
    let input = json!({ "clueId": clue["clueId"], "commandId": command_id() });
    let agent = world.agent(0);
    let first = world.done(agent, "claimClue", "ClueInput", input.clone()).await;
    let again = world.done(agent, "claimClue", "ClueInput", input.clone()).await;
    assert_eq!(first, again);
    let reused = json!({ "clueId": clue["clueId"], "commandId": input["commandId"], "note": "x" });
    let release = "mutation M($input: ReleaseClueInput!) { releaseClue(input: $input) { position } }";
    assert_eq!(world.code(agent, release, json!({ "input": reused })).await, "command_id_reused");
    let random = json!({ "clueId": clue["clueId"], "commandId": "5b9f4f52-6ed3-4b5c-8b8f-0f6f6f3f7a11" });
    assert_eq!(world.code(agent, release, json!({ "input": random })).await, "command_id_invalid");
    world.end().await;
}

#[tokio::test]
async fn a_stale_revision_is_refused_and_a_fresh_one_is_not() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("13800138003", agent).await;
    let need = |revision: &Value, budget: &str| json!({ "clueId": clue["clueId"], "expectedRevision": revision, "need": { "budgetMax": budget } });
    let first = world.done(agent, "setNeed", "SetNeedInput", need(&clue["revision"], "100 CNY")).await;
    let stale = world.run(agent, "setNeed", "SetNeedInput", need(&clue["revision"], "200 CNY")).await;
    assert_eq!(stale["userErrors"][0]["code"], "stale_revision");
    assert_eq!(stale["userErrors"][0]["field"], "expectedRevision");
    world.done(agent, "setNeed", "SetNeedInput", need(&first["revision"], "200 CNY")).await;
    world.end().await;
}

#[tokio::test]
async fn custom_fields_are_typed_and_searched() {
    let world = World::new().await;
    let agent = world.agent(0);
    let line = world
        .data(
            agent,
            "{ businessLine(key: \"used-car-sales\") { fields { key kind options { key } } } }",
            json!({}),
        )
        .await;
    let fields = line["businessLine"]["fields"].as_array().unwrap();
    let choice = fields.iter().find(|field| field["kind"] == "CHOICE").expect("the sample line has a choice");
    let (key, option) = (&choice["key"], &choice["options"][0]["key"]);
    let clue = world.owned("13800138004", agent).await;
    let other = world.owned("13800138005", agent).await;
    let set = json!({ "clueId": clue["clueId"], "fields": [{ "key": key, "value": { "choice": option } }] });
    let set = world.done(agent, "setFields", "SetFieldsInput", set).await;
    let filter = json!({ "fields": [{ "key": key, "choices": [option] }] });
    let found = world.data(agent, LIST, json!({ "filter": filter, "atLeast": set["position"] })).await;
    assert_eq!(ids(&found), [clue["clueId"].as_str().unwrap()]);
    let query = "query F($id: ID!) { clue(id: $id) { fields { key value { __typename ... on ChoiceValue { option } } } } }";
    let one = world.data(agent, query, json!({ "id": clue["clueId"] })).await;
    let value = json!({ "__typename": "ChoiceValue", "option": option });
    assert_eq!(one["clue"]["fields"], json!([{ "key": key, "value": value }]));
    let wrong = json!({ "clueId": other["clueId"], "fields": [{ "key": key, "value": { "flag": true } }] });
    let refused = world.run(agent, "setFields", "SetFieldsInput", wrong).await;
    assert_eq!(refused["userErrors"][0]["field"], format!("fields.{}", key.as_str().unwrap()));
    world.end().await;
}

#[tokio::test]
async fn pages_follow_each_other_both_ways_and_cursors_belong_to_one_order() {
    let world = World::new().await;
    let agent = world.agent(0);
    let mut made = Vec::new();
    let mut last = json!(null);
    for n in 0..5 {
        last = world.owned(&format!("1380013801{n}"), agent).await;
        made.push(last["clueId"].as_str().unwrap().to_owned());
    }
    made.reverse();
    let first =
        world.data(agent, LIST, json!({ "first": 2, "sort": "CAPTURED", "atLeast": last["position"] })).await;
    let info = &first["clues"]["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    let second =
        world.data(agent, LIST, json!({ "first": 3, "sort": "CAPTURED", "after": info["endCursor"] })).await;
    assert_eq!([ids(&first), ids(&second)].concat(), made);
    assert_eq!(second["clues"]["pageInfo"]["hasNextPage"], false);
    let back = "query B($before: String) { clues(last: 2, before: $before, sort: CAPTURED) { edges { node { id } } } }";
    let back = world.data(agent, back, json!({ "before": second["clues"]["pageInfo"]["startCursor"] })).await;
    assert_eq!(ids(&back), ids(&first));
    let foreign = json!({ "first": 2, "sort": "UPDATED", "after": info["endCursor"] });
    assert_eq!(world.code(agent, LIST, foreign).await, "bad_input");
    assert_eq!(world.code(agent, LIST, json!({ "first": 2, "after": "AAAA" })).await, "cursor_invalid");
    let large = world.ask(agent, LIST, json!({ "first": 201 })).await;
    assert_eq!(large["errors"][0]["extensions"]["code"], "page_size_limit");
    world.end().await;
}

#[tokio::test]
async fn everybody_sees_what_role_and_scope_allow_and_no_more() {
    let world = World::new().await;
    let clue = world.owned("13800138006", world.agent(0)).await;
    let sees = |who| {
        let (world, variables) = (&world, json!({ "atLeast": clue["position"] }));
        async move { world.data(who, LIST, variables).await["clues"]["edges"].clone() }
    };
    let nobody = json!([]);
    assert_ne!(sees(world.agent(0)).await, nobody);
    assert_eq!(sees(world.agent(1)).await, nobody, "another agent of the team");
    assert_ne!(sees(world.staff.teams[0].lead).await, nobody);
    assert_eq!(sees(world.staff.teams[1].lead).await, nobody, "the lead of another team");
    assert_ne!(sees(world.who(Role::Manager)).await, nobody);
    assert_eq!(sees(world.who(Role::ServiceRep)).await, nobody);
    for role in [Role::Bi, Role::Admin] {
        let seen = sees(world.who(role)).await;
        let name = &seen[0]["node"]["customerName"];
        assert_eq!(*name, json!({ "text": null, "visibility": "REDACTED" }), "{role:?}");
    }
    let move_stage = "mutation M($input: ClueInput!) { poolClue(input: $input) { position } }";
    let input = json!({ "input": { "clueId": clue["clueId"], "commandId": command_id() } });
    assert_eq!(world.code(world.agent(1), move_stage, input).await, "forbidden");
    world.end().await;
}

#[tokio::test]
async fn rows_in_a_list_answer_exactly_as_a_single_clue_does() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("13800138007", agent).await;
    let fragments = "
        fragment All on Clue { __typename id customerId line lifecycle stage stageCategory graphVersion ownerId teamId
          sourceChannel sourceKey campaign capturedAt updatedAt pooledAt ownedSince firstResponseAt nextFollowUpAt
          lastFollowUpAt wonAt lostAt amount lossReason intent budgetMin budgetMax stars position visibility
          named: customerName { ...Name } owner { __typename id name { text } roles lines teamIds suspended }
          ...More ... on Clue { owner { suspended again: id } } ... @include(if: $yes) { team { id } }
          skipped: id @skip(if: $yes) }
        fragment Name on PersonalText { text visibility }
        fragment More on Clue { team { name line } customer { id doNotCall } fields { key } }";
    let list = format!(
        "query L($yes: Boolean!, $at: Position) {{ clues(first: 1, atLeast: $at) {{ edges {{ node {{ ...All }} }} }} }} {fragments}"
    );
    let one = format!("query O($yes: Boolean!, $id: ID!) {{ clue(id: $id) {{ ...All }} }} {fragments}");
    let list = world.data(agent, &list, json!({ "yes": true, "at": clue["position"] })).await;
    let one = world.data(agent, &one, json!({ "yes": true, "id": clue["clueId"] })).await;
    assert_eq!(list["clues"]["edges"][0]["node"], one["clue"]);
    assert_eq!(one["clue"]["owner"]["again"], json!(agent), "parts of one object are put together");
    assert!(one["clue"].get("skipped").is_none());
    world.end().await;
}

#[tokio::test]
async fn a_query_that_asks_for_the_future_is_told_honestly() {
    let world = World::new().await;
    let answer = world.ask(world.agent(0), LIST, json!({ "atLeast": "999999999" })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "stale");
    assert_eq!(answer["errors"][0]["extensions"]["retryable"], true);
    world.end().await;
}
