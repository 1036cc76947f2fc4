//! Proofs as clients get them, and verify them.

use domain::operator::Role;
use domain::proof::{Checkpoint, Hash, Tile, verify_consistency, verify_inclusion};
use serde_json::{Value, json};

use super::world::World;

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap()
}

/// Checks a proof against the events themselves and a checkpoint.
async fn proves(world: &World, proof: &Value, signed: &Checkpoint) {
    let position = domain::Position::new(i64::try_from(number(&proof["position"])).unwrap());
    let before = domain::Position::new(position.get() - 1);
    let event = &world.app.log.read_stored(before, 1).await.unwrap()[0];
    assert_eq!((number(&proof["size"]), hash(&proof["root"])), (signed.size, signed.root));
    let (index, path) = (number(&proof["position"]) - 1, hashes(&proof["path"]));
    verify_inclusion(event.leaf(), index, signed.size, &path, signed.root).unwrap();
    assert_eq!(hash(&proof["leaf"]), event.leaf());
    assert_eq!(
        Checkpoint::open(proof["checkpoint"].as_str().unwrap(), world.verifier()).as_ref(),
        Ok(signed)
    );
}

#[tokio::test]
async fn auditors_get_proofs_that_verify_over_http_and_graphql() {
    let world = World::new().await;
    let auditor = world.who(Role::Auditor);
    world.seal().await;
    let note = world.get(auditor, "/log/checkpoint").await;
    assert_eq!(note.headers()["content-type"], "text/plain; charset=utf-8");
    let first = Checkpoint::open(&note.text().await.unwrap(), world.verifier()).unwrap();
    world.pooled("13812345678").await;
    world.seal().await;
    let query = "query($p: Position!, $f: Position!) { logCheckpoint { origin size root note } \
                 inclusionProof(position: $p) { position size leaf path root checkpoint } \
                 consistencyProof(from: $f) { from fromRoot to toRoot path } }";
    let variables = json!({ "p": "3", "f": first.size.to_string() });
    let data = world.data(auditor, query, variables).await;
    let signed = Checkpoint::open(data["logCheckpoint"]["note"].as_str().unwrap(), world.verifier()).unwrap();
    assert_eq!(number(&data["logCheckpoint"]["size"]), signed.size);
    assert!(signed.size > first.size);
    proves(&world, &data["inclusionProof"], &signed).await;
    let proof: Value = world.get(auditor, "/log/proof/inclusion?position=3").await.json().await.unwrap();
    proves(&world, &proof, &signed).await;
    let older = format!("/log/proof/inclusion?position=3&size={}", first.size);
    proves(&world, &world.get(auditor, &older).await.json().await.unwrap(), &first).await;
    let path = format!("/log/proof/consistency?from={}&to={}", first.size, signed.size);
    for proof in [world.get(auditor, &path).await.json().await.unwrap(), data["consistencyProof"].clone()] {
        let path = hashes(&proof["path"]);
        verify_consistency(first.size, first.root, signed.size, signed.root, &path).unwrap();
        assert_eq!((hash(&proof["fromRoot"]), hash(&proof["toRoot"])), (first.root, signed.root));
    }
    let tile = Tile::of(0, 0, signed.size).unwrap();
    let content = world.get(auditor, &format!("/log/{}", tile.path())).await;
    assert_eq!(content.headers()["content-type"], "application/octet-stream");
    let hashes = tile.hashes(&content.bytes().await.unwrap()).unwrap();
    assert_eq!(domain::proof::join(&Tile::peaks(&hashes)), signed.root);
    world.end().await;
}

#[tokio::test]
async fn proofs_are_for_auditors_and_checkpoints_for_bi_as_well() {
    let world = World::new().await;
    world.seal().await;
    let (agent, bi) = (world.who(Role::Agent), world.who(Role::Bi));
    for path in
        ["checkpoint", "tile/0/000", "tile/x", "proof/inclusion?position=x", "proof/consistency?from=1"]
    {
        let refused = world.get(agent, &format!("/log/{path}")).await;
        assert_eq!(refused.status(), 403, "{path}");
        let code = refused.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"].clone();
        assert_eq!(code, "forbidden", "{path}");
    }
    assert_eq!(world.get(bi, "/log/checkpoint").await.status(), 200);
    assert_eq!(world.get(bi, "/log/proof/inclusion?position=1").await.status(), 403);
    for query in [
        "{ logCheckpoint { size } }",
        "{ inclusionProof(position: \"1\") { leaf } }",
        "{ consistencyProof(from: \"1\") { path } }",
    ] {
        assert_eq!(world.code(agent, query, json!({})).await, "forbidden", "{query}");
    }
    let anonymous = reqwest::get(format!("http://{}/log/checkpoint", world.address)).await.unwrap();
    assert_eq!(anonymous.status(), 401);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_proved_is_refused_with_the_reason() {
    let world = World::new().await;
    let auditor = world.who(Role::Auditor);
    let none = world.get(auditor, "/log/checkpoint").await;
    assert_eq!(none.status(), 404);
    assert_eq!(world.code(auditor, "{ logCheckpoint { size } }", json!({})).await, "log_not_signed");
    world.seal().await;
    for (path, status, code) in [
        ("proof/inclusion", 400, "bad_parameter"),
        ("proof/inclusion?position=0", 400, "bad_parameter"),
        ("proof/inclusion?position=5&size=4", 400, "bad_parameter"),
        ("proof/inclusion?position=1&after=2", 400, "bad_parameter"),
        ("proof/inclusion?position=9999999", 404, "not_signed_yet"),
        ("proof/consistency?from=0", 400, "bad_parameter"),
        ("proof/consistency?from=3&to=2", 400, "bad_parameter"),
        ("proof/consistency?from=1&to=9999999", 404, "not_signed_yet"),
        ("tile/0/999", 404, "not_found"),
        ("tile/0/..%2F..%2Fcheckpoint", 404, "not_found"),
    ] {
        let refused = world.get(auditor, &format!("/log/{path}")).await;
        assert_eq!(refused.status(), status, "{path}");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], code, "{path}");
    }
    let far = "{ inclusionProof(position: \"9999999\") { leaf } }";
    assert_eq!(world.code(auditor, far, json!({})).await, "not_signed_yet");
    world.end().await;
}
