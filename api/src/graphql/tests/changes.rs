//! Every change of lines, people, customers and clues that no other test makes: each through its
//! mutation, and shown by a query.

use commands::clock::{Clock, SystemClock};
use domain::Instant;
use domain::ids::OperatorId;
use domain::operator::Role;
use serde_json::{Value, json};

use super::world::{World, command_id};

const LINE: &str = "query L($key: String!, $at: Position) { businessLine(key: $key, atLeast: $at) { name suspended graphVersion
    stages { key } fields { key } firstResponse { dueMinutes } loss { review reasons { key } } score { weights { signal points } } } }";
const TEAM: &str = "query T($at: Position) { teams(atLeast: $at) { id name suspended } }";
const OPERATOR: &str = "query O($id: ID!, $at: Position) { operator(id: $id, atLeast: $at) {
    name { text } roles lines teamIds suspended } }";
const CUSTOMER: &str = "query C($id: ID!, $at: Position) { customer(id: $id, atLeast: $at) {
    name { text } linkedCustomerIds contacts { id verified } consents { purpose } stars { tier } } }";
const CLUE: &str = "query C($id: ID!, $at: Position) { clue(id: $id, atLeast: $at) { stage lifecycle ownerId
    timeline(first: 50) { edges { node { kind } } } } }";

/// Makes changes of one thing, one after the other, and gives the position of the last.
async fn all(world: &World, who: OperatorId, changes: Vec<(&str, &str, Value)>) -> Value {
    let mut position = json!(null);
    for (name, input_type, input) in changes {
        position = world.done(who, name, input_type, input).await["position"].clone();
    }
    position
}

#[tokio::test]
async fn a_line_is_changed_part_by_part() {
    let world = World::new().await;
    let manager = world.who(Role::Manager);
    let line = "after-sale";
    let before = world.data(manager, LINE, json!({ "key": line })).await["businessLine"].clone();
    let stages = json!([{ "key": "open", "label": "Open", "category": "OPEN" },
                        { "key": "busy", "label": "Busy", "category": "ONGOING" },
                        { "key": "won", "label": "Won", "category": "WON" },
                        { "key": "lost", "label": "Lost", "category": "LOST" }]);
    let retire = |field: &Value| json!({ "line": line, "key": field["key"] });
    let fields = before["fields"].as_array().unwrap().iter();
    let mut changes: Vec<_> =
        fields.map(|field| ("retireField", "RetireFieldInput", retire(field))).collect();
    let field = json!({ "line": line, "key": "seats", "label": "Seats", "kind": "NUMBER", "min": "2", "max": "9",
                        "requiredAt": ["busy"] });
    let first_response = json!({ "line": line, "minCallSeconds": 5, "dueMinutes": 7 });
    let loss = json!({ "line": line, "review": false, "otherApprover": false,
                       "reasons": [{ "key": "too-late", "label": "Too late" }] });
    let score =
        json!({ "line": line, "halfLifeHours": 24, "weights": [{ "signal": "DEAL_LOST", "points": -9 }] });
    let graph = json!({ "line": line, "stages": stages, "moves": [{ "from": "open", "to": "busy" }] });
    changes.extend([
        ("renameLine", "RenameLineInput", json!({ "line": line, "name": "Workshop" })),
        ("publishStageGraph", "PublishStageGraphInput", graph),
        ("defineField", "DefineFieldInput", field),
        ("publishFirstResponsePolicy", "PublishFirstResponsePolicyInput", first_response),
        ("publishLossPolicy", "PublishLossPolicyInput", loss),
        ("publishScorePolicy", "PublishScorePolicyInput", score),
        ("suspendLine", "LineInput", json!({ "line": line })),
    ]);
    let position = all(&world, manager, changes).await;
    let seen = world.data(manager, LINE, json!({ "key": line, "at": position })).await;
    let expected = json!({
        "name": "Workshop", "suspended": true, "graphVersion": before["graphVersion"].as_i64().unwrap() + 1,
        "stages": [{ "key": "open" }, { "key": "busy" }, { "key": "won" }, { "key": "lost" }],
        "fields": [{ "key": "seats" }], "firstResponse": { "dueMinutes": 7 },
        "loss": { "review": false, "reasons": [{ "key": "too-late" }] },
        "score": { "weights": [{ "signal": "DEAL_LOST", "points": -9 }] },
    });
    assert_eq!(seen["businessLine"], expected);
    let resumed = world.done(manager, "resumeLine", "LineInput", json!({ "line": line })).await;
    let seen = world.data(manager, LINE, json!({ "key": line, "at": resumed["position"] })).await;
    assert_eq!(seen["businessLine"]["suspended"], false);
    let unknown = json!({ "line": line, "key": "no-such-field" });
    let refused = world.run(manager, "retireField", "RetireFieldInput", unknown).await;
    assert_eq!(refused["userErrors"][0]["code"], "field_unknown");
    world.end().await;
}

#[tokio::test]
async fn a_line_file_defines_a_line_and_says_where_it_is_wrong() {
    let world = World::new().await;
    let admin = world.who(Role::Admin);
    let file = include_str!("../../../../docs/lines/education-leads.toml");
    let done = world.done(admin, "applyLine", "ApplyLineInput", json!({ "file": file })).await;
    assert_eq!(done["line"], "education-leads");
    let seen = world.data(admin, LINE, json!({ "key": "education-leads", "at": done["position"] })).await;
    assert_eq!(seen["businessLine"]["name"], "Education leads");
    let again = world.done(admin, "applyLine", "ApplyLineInput", json!({ "file": file })).await;
    assert_eq!(again["revision"], done["revision"], "nothing was left to change");
    let apply = "mutation M($input: ApplyLineInput!) { applyLine(input: $input) { line } }";
    let input = |file: &str| json!({ "input": { "file": file, "commandId": command_id() } });
    let wrong = world.ask(admin, apply, input("key = \"x\"\ncolour = 1")).await;
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "bad_input");
    assert!(wrong["errors"][0]["message"].as_str().unwrap().starts_with("line 2, column 1"), "{wrong}");
    assert_eq!(world.code(world.agent(0), apply, input(file)).await, "forbidden");
    world.end().await;
}

#[tokio::test]
async fn people_and_teams_are_renamed_moved_and_let_go() {
    let world = World::new().await;
    let (admin, agent) = (world.who(Role::Admin), world.agent(0));
    let before = world.data(admin, OPERATOR, json!({ "id": agent })).await["operator"].clone();
    let team = before["teamIds"][0].clone();
    let scope = json!({ "lines": ["after-sale"], "teams": [] });
    let one = json!({ "operatorId": agent });
    let changes = vec![
        ("renameTeam", "RenameTeamInput", json!({ "teamId": team, "name": "Day shift" })),
        ("suspendTeam", "TeamInput", json!({ "teamId": team })),
        ("renameOperator", "RenameOperatorInput", json!({ "operatorId": agent, "name": "Sun Li" })),
        ("grantRole", "OperatorRoleInput", json!({ "operatorId": agent, "role": "SERVICE_REP" })),
        ("revokeRole", "OperatorRoleInput", json!({ "operatorId": agent, "role": "AGENT" })),
        ("changeOperatorScope", "ChangeOperatorScopeInput", json!({ "operatorId": agent, "scope": scope })),
        ("suspendOperator", "OperatorInput", one.clone()),
    ];
    let position = all(&world, admin, changes).await;
    let find = |teams: &Value| {
        let teams = teams["teams"].as_array().unwrap();
        teams.iter().find(|one| one["id"] == team).unwrap().clone()
    };
    let teams = world.data(admin, TEAM, json!({ "at": position })).await;
    assert_eq!(find(&teams), json!({ "id": team, "name": "Day shift", "suspended": true }));
    let seen = world.data(admin, OPERATOR, json!({ "id": agent, "at": position })).await;
    let expected = json!({ "name": { "text": "Sun Li" }, "roles": ["SERVICE_REP"], "lines": ["after-sale"],
                           "teamIds": [], "suspended": true });
    assert_eq!(seen["operator"], expected);
    let back = vec![
        ("resumeTeam", "TeamInput", json!({ "teamId": team })),
        ("resumeOperator", "OperatorInput", one),
    ];
    let position = all(&world, admin, back).await;
    let teams = world.data(admin, TEAM, json!({ "at": position })).await;
    assert_eq!(find(&teams)["suspended"], false);
    let me = world.data(agent, "{ viewer { suspended } }", json!({})).await;
    assert_eq!(me["viewer"]["suspended"], false);
    world.end().await;
}

#[tokio::test]
async fn a_customers_record_is_corrected_linked_and_agreed_to() {
    let world = World::new().await;
    let manager = world.who(Role::Manager);
    let (one, other) = (world.pooled("13800138400").await, world.pooled("13800138401").await);
    let (id, other) = (one["customerId"].clone(), other["customerId"].clone());
    let see = async |position: &Value| {
        let seen = world.data(manager, CUSTOMER, json!({ "id": id, "at": position })).await;
        seen["customer"].clone()
    };
    let point = see(&one["position"]).await["contacts"][0]["id"].clone();
    let contact = json!({ "customerId": id, "contactPointId": point });
    let link = json!({ "customerId": id, "otherId": other });
    let consent = json!({ "customerId": id, "purpose": "marketing" });
    let changes = vec![
        ("renameCustomer", "RenameCustomerInput", json!({ "customerId": id, "name": "李薇" })),
        ("verifyContactPoint", "ContactPointInput", contact.clone()),
        ("linkCustomers", "LinkCustomersInput", link.clone()),
        ("giveConsent", "ConsentInput", consent.clone()),
    ];
    let seen = see(&all(&world, manager, changes).await).await;
    let expected = json!({ "name": { "text": "李薇" }, "linkedCustomerIds": [other], "stars": [],
                           "contacts": [{ "id": point, "verified": true }], "consents": [{ "purpose": "marketing" }] });
    assert_eq!(seen, expected);
    let changes = vec![
        ("removeContactPoint", "ContactPointInput", contact),
        ("unlinkCustomers", "LinkCustomersInput", link.clone()),
        ("withdrawConsent", "ConsentInput", consent),
    ];
    let seen = see(&all(&world, manager, changes).await).await;
    let expected = json!({ "name": { "text": "李薇" }, "linkedCustomerIds": [], "stars": [], "contacts": [], "consents": [] });
    assert_eq!(seen, expected);
    let refused = world.run(manager, "unlinkCustomers", "LinkCustomersInput", link).await;
    assert_eq!(refused["userErrors"][0]["code"], "not_linked");
    world.end().await;
}

#[tokio::test]
async fn stars_end_when_they_are_taken_back_or_have_lasted_their_time() {
    let world = World::new().await;
    let manager = world.who(Role::Manager);
    let clue = world.pooled("13800138402").await;
    let star = json!({ "customerId": clue["customerId"], "line": "used-car-sales" });
    let grant = |until: Option<&str>| {
        let mut input = star.clone();
        input["tier"] = json!(3);
        input["expiresAt"] = json!(until);
        input
    };
    let expire = || world.run(manager, "expireStar", "StarInput", star.clone());
    assert_eq!(expire().await["userErrors"][0]["code"], "no_star");
    world.done(manager, "grantStar", "GrantStarInput", grant(Some("2099-01-01T00:00:00Z"))).await;
    assert_eq!(expire().await["userErrors"][0]["code"], "star_not_due");
    let gone = world.done(manager, "revokeStar", "StarInput", star.clone()).await;
    let id = &clue["customerId"];
    let seen = world.data(manager, CUSTOMER, json!({ "id": id, "at": gone["position"] })).await;
    assert_eq!(seen["customer"]["stars"], json!([]));
    let soon = Instant::from_micros(SystemClock.now().micros() + 200_000).to_string();
    world.done(manager, "grantStar", "GrantStarInput", grant(Some(&soon))).await;
    let expired = loop {
        let answer = expire().await;
        if answer["userErrors"][0]["code"] != "star_not_due" {
            break answer;
        }
    };
    assert_eq!(expired["userErrors"], json!([]));
    let seen = world.data(manager, CUSTOMER, json!({ "id": id, "at": expired["position"] })).await;
    assert_eq!(seen["customer"]["stars"], json!([]));
    world.end().await;
}

#[tokio::test]
async fn a_clue_goes_through_hands_viewings_and_losses() {
    let world = World::new().await;
    let (lead, agent, other) = (world.staff.teams[0].lead, world.agent(0), world.agent(1));
    let clue = world.pooled("13800138403").await;
    let id = &clue["clueId"];
    let one = json!({ "clueId": id });
    let assign = json!({ "clueId": id, "operatorId": agent });
    world.done(lead, "assignClue", "ClueOwnerInput", assign).await;
    world.done(agent, "moveStage", "MoveStageInput", json!({ "clueId": id, "to": "contacted" })).await;
    for end in ["cancelViewing", "recordNoShow"] {
        let book = json!({ "clueId": id, "at": "2099-01-01T08:00:00Z" });
        let viewing = world.done(agent, "bookViewing", "BookViewingInput", book).await;
        let mut viewing = json!({ "clueId": id, "viewingId": viewing["viewingId"] });
        let ended = viewing.clone();
        viewing["at"] = json!("2099-01-02T08:00:00Z");
        world.done(agent, "rebookViewing", "RebookViewingInput", viewing).await;
        world.done(agent, end, "ViewingInput", ended).await;
    }
    let transfer = json!({ "clueId": id, "operatorId": other });
    world.done(lead, "transferClue", "ClueOwnerInput", transfer).await;
    let loss = json!({ "clueId": id, "reason": "price", "note": "bought elsewhere" });
    world.done(other, "proposeLoss", "ProposeLossInput", loss.clone()).await;
    world.done(lead, "rejectLoss", "RejectLossInput", json!({ "clueId": id, "note": "call again" })).await;
    world.done(other, "proposeLoss", "ProposeLossInput", loss).await;
    let lost = world.done(lead, "approveLoss", "ClueInput", one.clone()).await;
    let seen = world.data(lead, CLUE, json!({ "id": id, "at": lost["position"] })).await;
    assert_eq!(seen["clue"]["lifecycle"], "LOST");
    world.done(lead, "reopenClue", "ClueInput", one).await;
    let spam = json!({ "clueId": id, "reason": "spam" });
    let last = world.done(lead, "invalidateClue", "InvalidateClueInput", spam).await;
    let seen = world.data(world.who(Role::Manager), CLUE, json!({ "id": id, "at": last["position"] })).await;
    assert_eq!(seen["clue"]["lifecycle"], "INVALID");
    let edges = seen["clue"]["timeline"]["edges"].as_array().unwrap();
    let kinds: Vec<&str> = edges.iter().map(|edge| edge["node"]["kind"].as_str().unwrap()).collect();
    for kind in ["transferred", "viewing_rebooked", "viewing_no_showed", "loss_rejected", "lost", "reopened"]
    {
        assert!(kinds.contains(&format!("clue.{kind}").as_str()), "{kind}: {kinds:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_text_with_a_nul_character_is_refused_and_one_that_only_looks_so_is_not() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("13800138404", agent).await;
    let loss = |note: &str| json!({ "clueId": clue["clueId"], "reason": "price", "note": note });
    let refused = world.run(agent, "proposeLoss", "ProposeLossInput", loss("too\0much")).await;
    assert_eq!(refused["userErrors"][0]["code"], "text_invalid");
    world.done(agent, "proposeLoss", "ProposeLossInput", loss("too\\u0000much")).await;
    world.end().await;
}
