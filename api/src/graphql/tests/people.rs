//! Operators, teams, business lines, facts, and the replay of events.

use domain::operator::Role;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn everybody_learns_who_they_are_and_who_their_colleagues_are() {
    let world = World::new().await;
    let agent = world.agent(0);
    let me = world.data(agent, "{ viewer { id roles lines name { text } } }", json!({})).await;
    assert_eq!(me["viewer"]["id"], json!(agent));
    assert_eq!(me["viewer"]["roles"], json!(["AGENT"]));
    let count = |answer: &Value| answer["operators"].as_array().unwrap().len();
    let all = world.data(world.who(Role::Admin), "{ operators { id } teams { id line } }", json!({})).await;
    assert_eq!(all["teams"].as_array().unwrap().len(), 3);
    let some = world.data(agent, "{ operators { id } }", json!({})).await;
    assert!(count(&some) < count(&all), "not those of the other line alone");
    let bi = world.data(world.who(Role::Bi), "{ operators { name { text visibility } } }", json!({})).await;
    assert_eq!(bi["operators"][0]["name"], json!({ "text": null, "visibility": "REDACTED" }));
    world.end().await;
}

#[tokio::test]
async fn an_administrator_registers_people_and_a_suspended_one_is_turned_away() {
    let world = World::new().await;
    let admin = world.who(Role::Admin);
    let team = json!({ "line": "used-car-sales", "name": "Night shift" });
    let team = world.done(admin, "registerTeam", "RegisterTeamInput", team).await;
    let scope = json!({ "lines": ["used-car-sales"], "teams": [team["teamId"]] });
    let input = json!({ "name": "Zhao Lei", "roles": ["AGENT"], "scope": scope });
    let hired = world.done(admin, "registerOperator", "RegisterOperatorInput", input).await;
    let id: domain::ids::OperatorId = hired["operatorId"].as_str().unwrap().parse().unwrap();
    let query =
        "query O($id: ID!, $at: Position) { operator(id: $id, atLeast: $at) { name { text } teamIds } }";
    let seen = world.data(admin, query, json!({ "id": id, "at": hired["position"] })).await;
    assert_eq!(seen["operator"], json!({ "name": { "text": "Zhao Lei" }, "teamIds": [team["teamId"]] }));
    assert_eq!(world.data(id, "{ viewer { id } }", json!({})).await["viewer"]["id"], json!(id));
    let gone = world.done(admin, "suspendOperator", "OperatorInput", json!({ "operatorId": id })).await;
    world.data(admin, query, json!({ "id": id, "at": gone["position"] })).await;
    assert_eq!(world.code(id, "{ viewer { id } }", json!({})).await, "operator_suspended");
    let own = json!({ "operatorId": admin, "role": "AUDITOR" });
    let refused = world.run(admin, "grantRole", "OperatorRoleInput", own).await;
    assert_eq!(refused["userErrors"][0]["code"], "self_grant");
    world.end().await;
}

#[tokio::test]
async fn whoever_was_registered_a_moment_ago_is_known_to_the_next_request() {
    let world = World::new().await;
    for _ in 0..3 {
        let scope = json!({ "lines": ["used-car-sales"], "teams": [] });
        let input = json!({ "name": "Zhao Lei", "roles": ["AGENT"], "scope": scope });
        let hired =
            world.done(world.who(Role::Admin), "registerOperator", "RegisterOperatorInput", input).await;
        let id: domain::ids::OperatorId = hired["operatorId"].as_str().unwrap().parse().unwrap();
        assert_eq!(world.data(id, "{ viewer { id } }", json!({})).await["viewer"]["id"], json!(id));
    }
    let nobody = domain::ids::OperatorId::new(uuid::Uuid::from_u128(77));
    assert_eq!(world.code(nobody, "{ viewer { id } }", json!({})).await, "operator_unknown");
    world.end().await;
}

#[tokio::test]
async fn a_policy_of_a_line_is_published_by_those_who_run_it() {
    let world = World::new().await;
    let input = json!({ "line": "used-car-sales", "formerOwnerCooldownMinutes": 77 });
    let done =
        world.done(world.who(Role::Manager), "publishPoolPolicy", "PublishPoolPolicyInput", input).await;
    assert_eq!(done["line"], "used-car-sales");
    let query = "query L($at: Position) { businessLine(key: \"used-car-sales\", atLeast: $at)
        { name pool { version formerOwnerCooldownMinutes } stages { key category } moves { from to } loss { reasons { key } } } }";
    let line = world.data(world.agent(0), query, json!({ "at": done["position"] })).await;
    assert_eq!(line["businessLine"]["pool"]["formerOwnerCooldownMinutes"], 77);
    let suspend = "mutation S($input: LineInput!) { suspendLine(input: $input) { position } }";
    let input = json!({ "input": { "line": "used-car-sales", "commandId": super::world::command_id() } });
    assert_eq!(world.code(world.agent(0), suspend, input).await, "forbidden");
    world.end().await;
}

#[tokio::test]
async fn bi_reads_how_clues_go_through_stages() {
    let world = World::new().await;
    let clue = world.owned("13800138200", world.agent(0)).await;
    let query = "query B($at: Position) { stageIntervals(line: \"used-car-sales\", atLeast: $at) { edges { node { clueId stage leftAt } } }
        stageSummary(line: \"used-car-sales\", from: \"2020-01-01T00:00:00Z\", until: \"2099-01-01T00:00:00Z\", atLeast: $at) { stage entered left } }";
    let facts = world.data(world.who(Role::Bi), query, json!({ "at": clue["position"] })).await;
    assert_eq!(facts["stageIntervals"]["edges"][0]["node"]["clueId"], clue["clueId"]);
    assert_eq!(facts["stageSummary"][0]["entered"], "1");
    assert_eq!(world.code(world.agent(0), query, json!({})).await, "forbidden");
    world.end().await;
}

/// Lines of a replay.
async fn replay(world: &World, who: domain::ids::OperatorId, query: &str) -> (u16, Vec<Value>) {
    let request = reqwest::Client::new().get(format!("http://{}/events?{query}", world.address));
    let response = request.bearer_auth(world.token(who)).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn the_log_is_replayed_in_order_from_any_position() {
    let world = World::new().await;
    world.owned("13800138201", world.agent(0)).await;
    let auditor = world.who(Role::Auditor);
    let (_, all) = replay(&world, auditor, "").await;
    let head = world.app.log.head().await.unwrap().position.get();
    let positions: Vec<i64> = all.iter().filter_map(|line| line["position"].as_i64()).collect();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>());
    assert_eq!(all.last().unwrap(), &json!({ "end": { "position": head } }));
    let (_, rest) = replay(&world, auditor, &format!("after={}", head - 2)).await;
    assert_eq!(rest.len(), 3);
    let (_, typed) = replay(&world, auditor, "types=clue.captured,clue.assigned").await;
    let types: Vec<&str> = typed.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types, ["clue.captured", "clue.assigned"]);
    world.end().await;
}

#[tokio::test]
async fn bi_gets_pseudonyms_auditors_sealed_values_and_others_nothing() {
    let world = World::new().await;
    world.owned("13800138202", world.agent(0)).await;
    let query = "types=customer.contact_point_added";
    let event = |lines: Vec<Value>| lines.into_iter().find(|line| line["type"].is_string()).unwrap();
    let sealed = event(replay(&world, world.who(Role::Auditor), query).await.1);
    assert!(sealed["data"]["value"]["$sealed"].is_string());
    let pseudonymous = event(replay(&world, world.who(Role::Bi), query).await.1);
    assert_eq!(pseudonymous["data"]["value"], "$redacted");
    let (status, _) = replay(&world, world.agent(0), "").await;
    assert_eq!(status, 403);
    world.end().await;
}
