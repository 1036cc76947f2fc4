//! Replays as columns, read back with readers of their formats.

use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use axum::body::Bytes;
use domain::envelope::Position;
use domain::ports::{EventReader, ReadError};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::world::{AUDITOR, BI, World, brisk, event, events, many};
use crate::http::events::{Exporter, Format, ReplaySettings};
use crate::http::tests::world::answer;

/// The end of a whole Arrow stream.
const END_OF_STREAM: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// The body of a reply, or what came of it before it was broken off.
async fn body(world: &World, who: u128, query: &str) -> (Vec<u8>, bool) {
    let request = world.request(query).bearer_auth(world.token(who, 3_600));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
    }
}

/// The batches of an Arrow stream, and the metadata of its schema.
fn arrow(bytes: &[u8]) -> (Vec<RecordBatch>, Value) {
    let reader = StreamReader::try_new(bytes, None).unwrap();
    let metadata: serde_json::Map<String, Value> =
        reader.schema().metadata().iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
    (reader.collect::<Result<_, _>>().unwrap(), metadata.into())
}

/// The batches of a Parquet file, and its metadata.
fn parquet(bytes: Vec<u8>) -> (Vec<RecordBatch>, Value) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let ours = pairs.iter().filter(|pair| pair.key.starts_with("cluestream."));
    let metadata: serde_json::Map<String, Value> =
        ours.map(|pair| (pair.key.clone(), json!(pair.value))).collect();
    (reader.build().unwrap().collect::<Result<_, _>>().unwrap(), metadata.into())
}

/// The rows as NDJSON has them.
fn rows(batches: &[RecordBatch], auditor: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let column = |name: &str| batch.column_by_name(name).unwrap();
            let text = |name: &str| {
                let array = column(name);
                (!array.is_null(row)).then(|| match array.as_dictionary_opt::<Int32Type>() {
                    Some(words) => {
                        let word = usize::try_from(words.keys().value(row)).unwrap();
                        words.values().as_string::<i32>().value(word).to_owned()
                    }
                    None => array.as_string::<i32>().value(row).to_owned(),
                })
            };
            let long = |name: &str| column(name).as_primitive::<Int64Type>().value(row);
            let int = |name: &str| {
                let array = column(name).as_primitive::<Int32Type>();
                (!array.is_null(row)).then(|| array.value(row))
            };
            let instant = |name: &str| {
                let micros = column(name).as_primitive::<TimestampMicrosecondType>().value(row);
                domain::Instant::from_micros(micros).to_string()
            };
            let mut line = json!({
                "position": long("position"),
                "eventId": text("event_id"),
                "stream": { "type": text("stream_type"), "id": text("stream_id") },
                "revision": long("revision"),
                "type": text("type"),
                "version": int("version"),
                "recordedAt": instant("recorded_at"),
                "occurredAt": instant("occurred_at"),
                "actor": text("actor"),
                "onBehalfOf": text("on_behalf_of"),
                "line": text("line"),
                "subject": text("subject"),
                "commandId": text("command_id"),
                "correlationId": text("correlation_id"),
                "causationId": text("causation_id"),
                "reason": text("reason"),
                "policyVersion": int("policy_version"),
                "data": serde_json::from_str::<Value>(&text("data").unwrap()).unwrap(),
            });
            if auditor {
                line["trace"] = json!(text("trace"));
            } else {
                assert_eq!(text("trace"), None);
            }
            rows.push(line);
        }
    }
    rows
}

/// Events that have everything, and such that have nothing of what may be missing.
fn varied() -> Vec<domain::RecordedEvent> {
    let sealed = json!({ "lost": { "note": { "$sealed": "hunter2" }, "reason": "price", "n": [1, null] } });
    let mut full = event("clue.lost", Some("sales"), &sealed.to_string());
    full.metadata.on_behalf_of = Some(crate::http::tests::world::operator(8));
    full.metadata.subject = Some(domain::ids::SubjectId::new(uuid::Uuid::from_u128(9)));
    full.metadata.causation_id = Some(domain::ids::EventId::new(uuid::Uuid::from_u128(23)));
    full.metadata.reason = Some(domain::values::Code::new("price").unwrap());
    full.metadata.policy_version = Some(4);
    full.metadata.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let name = event("operator.renamed", None, "{\"renamed\":{\"name\":\"hunter2\"}}");
    let newer = domain::RecordedEvent { event_version: "7".into(), ..event("spaceship.built", None, "[1]") };
    many(30).chain([full, name, newer]).chain(many(60)).collect()
}

#[tokio::test]
async fn every_form_has_the_same_rows_with_the_same_redaction() {
    let world = World::new().await;
    world.log.append(varied());
    for who in [BI, AUDITOR] {
        for query in ["", "&types=clue.*", "&after=31", "&types=clue.won&limit=4", "&types=customer.*"] {
            let lines = world.replay(who, query).await;
            let expected: Vec<Value> = events(&lines).cloned().collect();
            let (bytes, whole) = body(&world, who, &format!("format=arrow{query}")).await;
            assert!(whole && bytes.ends_with(&END_OF_STREAM));
            assert_eq!(rows(&arrow(&bytes).0, who == AUDITOR), expected, "{query}");
            let (bytes, whole) = body(&world, who, &format!("format=parquet{query}")).await;
            assert!(whole);
            let seen = String::from_utf8_lossy(&bytes).contains("hunter2");
            assert!(!seen || who == AUDITOR);
            assert_eq!(rows(&parquet(bytes).0, who == AUDITOR), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn metadata_say_which_stretch_a_whole_reply_has() {
    let world = World::new().await;
    world.log.append(many(100));
    let (bytes, _) = body(&world, BI, "format=arrow&after=20&limit=5&types=clue.*").await;
    let mut expected = json!({ "cluestream.version": "1", "cluestream.after": "20", "cluestream.until": "100",
        "cluestream.limit": "5" });
    assert_eq!(arrow(&bytes).1, expected);
    let (bytes, _) = body(&world, BI, "format=parquet&after=20&limit=5&types=clue.*").await;
    expected["cluestream.position"] = json!("70");
    expected["cluestream.rows"] = json!("5");
    assert_eq!(parquet(bytes).1, expected);
    let (bytes, _) = body(&world, BI, "format=parquet&types=customer.*").await;
    let (batches, metadata) = parquet(bytes);
    assert_eq!(rows(&batches, false).len(), 0);
    assert_eq!(metadata["cluestream.position"], "100", "nothing up to the end of the log matched");
}

#[tokio::test]
async fn the_form_is_chosen_by_a_parameter_or_by_the_header() {
    let world = World::new().await;
    world.log.append(many(100));
    let ask =
        |query, accept| world.request(query).bearer_auth(world.token(BI, 60)).header("accept", accept).send();
    let (arrow, parquet, ndjson) =
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet", "application/x-ndjson");
    for (query, accept, expected) in [
        ("", arrow, arrow),
        ("", parquet, parquet),
        ("", "*/*", ndjson),
        ("format=parquet", arrow, parquet),
        ("format=ndjson", parquet, ndjson),
    ] {
        assert_eq!(ask(query, accept).await.unwrap().headers()["content-type"], expected);
    }
    let packed = world.request("format=parquet").bearer_auth(world.token(BI, 60));
    let packed = packed.header("accept-encoding", "gzip").send().await.unwrap();
    assert!(!packed.headers().contains_key("content-encoding"), "it is compressed already");
}

#[tokio::test]
async fn what_a_form_cannot_do_is_refused_by_name() {
    let world = World::new().await;
    for (query, code) in [
        ("format=csv", "bad_parameter"),
        ("format=parquet&follow=true", "format_cannot_follow"),
        ("format=parquet&raw=true", "format_without_raw"),
        ("format=arrow&raw=true", "format_without_raw"),
    ] {
        let answer = answer(world.request(query).bearer_auth(world.token(AUDITOR, 60))).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
    }
    let header = world.request("follow=true").bearer_auth(world.token(AUDITOR, 60));
    let answer = answer(header.header("accept", "application/vnd.apache.parquet")).await;
    assert_eq!((answer.status, answer.code()), (400, "format_cannot_follow"));
}

#[tokio::test]
async fn half_of_a_reply_never_passes_for_the_whole() {
    let world = World::new().await;
    world.log.append(many(400));
    world.log.fail_at(300, ReadError::Unavailable("hunter2".into()));
    let (bytes, whole) = body(&world, AUDITOR, "format=arrow").await;
    assert!(!whole && !bytes.ends_with(&END_OF_STREAM));
    let (batches, _) = arrow(&bytes);
    let rows = rows(&batches, true);
    let last = rows.last().unwrap()["position"].as_i64().unwrap();
    assert_eq!(rows.len(), usize::try_from(last).unwrap(), "and what came is good up to its last row");
    assert!(last < 300);
    let (bytes, whole) = body(&world, AUDITOR, "format=parquet").await;
    assert!(!whole);
    assert!(ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).is_err(), "no footer, no file");
}

#[tokio::test]
async fn an_arrow_stream_follows_the_log_and_is_broken_off_with_its_token() {
    let settings = ReplaySettings { heartbeat: Duration::from_millis(30), ..brisk() };
    let world = World::with(settings).await;
    world.log.append(many(5));
    let request = world.request("format=arrow&follow=true").bearer_auth(world.token(AUDITOR, 2));
    let mut response = request.send().await.unwrap();
    let (mut bytes, mut appended) = (Vec::new(), false);
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
        if !std::mem::replace(&mut appended, true) {
            world.log.append(many(5));
            world.appended.send_replace(Position::new(10));
        }
    };
    assert!(broken, "a stream that follows is never whole");
    let (batches, metadata) = arrow(&bytes);
    assert_eq!(rows(&batches, true).len(), 10);
    assert!(batches.iter().any(|batch| batch.num_rows() == 0), "signs of life");
    assert!(metadata.get("cluestream.until").is_none());
}

#[tokio::test]
async fn fields_have_their_types_and_ids_for_ever() {
    let world = World::new().await;
    world.log.append(many(1));
    let (bytes, _) = body(&world, BI, "format=parquet").await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let schema = reader.parquet_schema();
    let fields: Vec<String> = schema
        .columns()
        .iter()
        .map(|column| {
            let info = column.self_type().get_basic_info();
            let optional = if info.repetition() == parquet::basic::Repetition::OPTIONAL { "?" } else { "" };
            format!("{} {}{optional} {}", info.id(), column.name(), column.physical_type())
        })
        .collect();
    let expected = [
        "1 position INT64",
        "2 event_id BYTE_ARRAY",
        "3 stream_type BYTE_ARRAY",
        "4 stream_id BYTE_ARRAY",
        "5 revision INT64",
        "6 type BYTE_ARRAY",
        "7 version INT32",
        "8 recorded_at INT64",
        "9 occurred_at INT64",
        "10 actor BYTE_ARRAY",
        "11 on_behalf_of? BYTE_ARRAY",
        "12 line? BYTE_ARRAY",
        "13 subject? BYTE_ARRAY",
        "14 command_id BYTE_ARRAY",
        "15 correlation_id BYTE_ARRAY",
        "16 causation_id? BYTE_ARRAY",
        "17 reason? BYTE_ARRAY",
        "18 policy_version? INT32",
        "19 data BYTE_ARRAY",
        "20 trace? BYTE_ARRAY",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn whoever_has_the_database_writes_what_an_auditor_reads() {
    let world = World::new().await;
    world.log.append(varied());
    let head = world.log.head().await.unwrap().position;
    let log = world.log.read(Position::new(3), 1_000).await.unwrap();
    for (query, types) in [("after=3", &[][..]), ("after=3&types=clue.won", &["clue.won"])] {
        let lines = world.replay(AUDITOR, query).await;
        let expected: Vec<Value> = events(&lines).cloned().collect();
        let written = |format| {
            let mut exporter = Exporter::new(format, Position::new(3), head, types.iter().copied()).unwrap();
            let mut bytes = Vec::new();
            for page in log.chunks(40) {
                exporter.write(page).unwrap().iter().for_each(|part| bytes.extend_from_slice(part));
            }
            assert_eq!(exporter.position(), head);
            bytes.extend_from_slice(&exporter.finish().unwrap());
            bytes
        };
        let text = String::from_utf8(written(Format::Ndjson)).unwrap();
        let seen: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(seen, expected);
        assert_eq!(rows(&arrow(&written(Format::Arrow)).0, true), expected);
        assert_eq!(rows(&parquet(written(Format::Parquet)).0, true), expected);
    }
    let mut gap = Exporter::new(Format::Parquet, Position::ZERO, head, []).unwrap();
    assert!(gap.write(&log).is_err(), "what does not follow is a hole");
}
