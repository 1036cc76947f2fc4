//! Customers: contacts, stars, consent, erasure.

use domain::operator::Role;
use serde_json::json;

use super::world::World;

const CUSTOMER: &str = "query C($id: ID!, $at: Position) { customer(id: $id, atLeast: $at) {
    id name { text visibility } visibility doNotCall erasedAt contacts { id kind verified value { text visibility } }
    consents { purpose } stars { line tier basis } clues { id lifecycle } timeline(first: 20) { edges { node { kind } } } } }";

#[tokio::test]
async fn a_customer_is_found_by_phone_however_it_is_written() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("138 0013 8100", agent).await;
    let query = "query P($phone: String!, $at: Position) { customerByPhone(phone: $phone, atLeast: $at) { id clueIds } }";
    for phone in ["13800138100", "+86 138-0013-8100", "１３８００１３８１００"] {
        let found = world.data(agent, query, json!({ "phone": phone, "at": clue["position"] })).await;
        let expected = json!([{ "id": clue["customerId"], "clueIds": [clue["clueId"]] }]);
        assert_eq!(found["customerByPhone"], expected, "{phone}");
    }
    assert_eq!(world.code(agent, query, json!({ "phone": "nobody" })).await, "bad_input");
    assert_eq!(world.code(world.who(Role::Bi), query, json!({ "phone": "13800138100" })).await, "forbidden");
    world.end().await;
}

#[tokio::test]
async fn what_is_known_of_a_customer_changes_in_the_course_of_a_clue() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("13800138101", agent).await;
    let (id, clue_id) = (&clue["customerId"], &clue["clueId"]);
    let contact = json!({ "customerId": id, "clueId": clue_id, "line": "used-car-sales",
                          "contact": { "kind": "EMAIL", "value": "Li.Wei@Example.com" } });
    world.done(agent, "addContactPoint", "AddContactPointInput", contact).await;
    let star = json!({ "customerId": id, "clueId": clue_id, "line": "used-car-sales", "tier": 4 });
    world.done(agent, "grantStar", "GrantStarInput", star).await;
    let calls = json!({ "customerId": id, "clueId": clue_id, "doNotCall": true });
    let last = world.done(agent, "setDoNotCall", "SetDoNotCallInput", calls).await;
    let seen = world.data(agent, CUSTOMER, json!({ "id": id, "at": last["position"] })).await;
    let seen = &seen["customer"];
    assert_eq!(seen["doNotCall"], true);
    assert_eq!(seen["contacts"][1]["value"], json!({ "text": "li.wei@example.com", "visibility": "CLEAR" }));
    assert_eq!(seen["stars"], json!([{ "line": "used-car-sales", "tier": 4, "basis": "PERSON" }]));
    assert_eq!(seen["clues"], json!([{ "id": clue_id, "lifecycle": "OWNED" }]));
    let taken = json!({ "customerId": id, "line": "used-car-sales",
                        "contact": { "kind": "PHONE", "value": "13800138101" } });
    world.done(world.who(Role::Manager), "addContactPoint", "AddContactPointInput", taken).await;
    world.end().await;
}

#[tokio::test]
async fn a_star_customer_comes_with_the_reasons_of_the_score() {
    let world = World::new().await;
    let agent = world.agent(0);
    let clue = world.owned("13800138102", agent).await;
    let query = "query S($at: Position) { starCustomers(line: \"used-car-sales\", first: 5, atLeast: $at) { edges { node {
        customerId pointsTenths stars customer { name { text } } reasons { rank signal points eventId } } } } }";
    let found = world.data(agent, query, json!({ "at": clue["position"] })).await;
    let node = &found["starCustomers"]["edges"][0]["node"];
    assert_eq!(node["customerId"], clue["customerId"]);
    assert_eq!(node["customer"]["name"]["text"], "李伟");
    assert!(node["pointsTenths"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    assert_eq!(node["reasons"][0]["rank"], 1);
    world.end().await;
}

#[tokio::test]
async fn an_erased_person_cannot_be_read_again() {
    let world = World::new().await;
    let (agent, manager) = (world.agent(0), world.who(Role::Manager));
    let clue = world.owned("13800138103", agent).await;
    let erase = json!({ "customerId": clue["customerId"], "ground": "request-of-the-person" });
    let erased = world.done(manager, "eraseCustomer", "EraseCustomerInput", erase).await;
    let variables = json!({ "id": clue["customerId"], "at": erased["position"] });
    let seen = world.data(manager, CUSTOMER, variables).await;
    assert_eq!(seen["customer"]["name"], json!({ "text": null, "visibility": "REDACTED" }));
    assert!(seen["customer"]["erasedAt"].is_string());
    assert!(!seen.to_string().contains("13800138103"), "{seen}");
    let again = json!({ "customerId": clue["customerId"], "ground": "request-of-the-person" });
    let again = world.run(manager, "eraseCustomer", "EraseCustomerInput", again).await;
    assert_eq!(again["userErrors"][0]["code"], "customer_erased");
    world.end().await;
}
