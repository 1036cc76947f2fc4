//! The whole log over HTTP in each form, beside COPY of the same log, in bytes that leave a socket.

use std::net::SocketAddr;
use std::time::Instant;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolCopyExt, PgPoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::{self, ROUNDS};
use crate::limits::rate;
use crate::replay::{EVENTS, fill};
use crate::report::Report;
use crate::served::Staffed;

const BYTES: &str = "the log over HTTP, bytes";
const SECTION: &str = "the log over HTTP, events";
const COPY_TEXT: &str = "COPY TO STDOUT";
const COPY_BINARY: &str = "COPY TO STDOUT (FORMAT binary)";

/// What went over a wire, and how fast.
struct Passed {
    megabytes_per_second: f64,
    events_per_second: f64,
}

impl Passed {
    fn new(bytes: usize, start: Instant) -> Self {
        Self { megabytes_per_second: rate(bytes, start) / 1e6, events_per_second: rate(EVENTS, start) }
    }
}

/// Ours in each form beside COPY.
pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let options = cluster.database("replayed_http").await;
    let served = Staffed::on(&options).await;
    fill(cluster.options(), "replayed_http").await;
    let pool = one_connection(&options).await;
    let [bi, auditor] = &served.readers;
    let contenders = [
        ("NDJSON, auditor", "ndjson", auditor),
        ("NDJSON, bi", "ndjson", bi),
        ("Arrow, bi", "arrow", bi),
        ("Parquet, bi", "parquet", bi),
    ];
    for round in 0..=ROUNDS {
        let mut passed = vec![
            (COPY_TEXT, copy(&pool, "COPY events TO STDOUT").await),
            (COPY_BINARY, copy(&pool, "COPY events TO STDOUT (FORMAT binary)").await),
        ];
        for (contender, format, token) in contenders {
            passed.push((contender, replay(served.server.address, format, token).await));
        }
        // The first round warms caches and connections.
        if round == 0 {
            continue;
        }
        for (contender, passed) in passed {
            report.record(BYTES, contender, "MB/s", passed.megabytes_per_second);
            report.record(SECTION, contender, "events/s", passed.events_per_second);
        }
    }
    report.ratio(BYTES, "NDJSON, auditor", COPY_BINARY, Some(0.4));
    report.ratio(BYTES, "NDJSON, bi", COPY_BINARY, Some(0.4));
    report.ratio(BYTES, "NDJSON, auditor", COPY_TEXT, None);
    for contender in ["NDJSON, auditor", "NDJSON, bi", "Arrow, bi", "Parquet, bi"] {
        report.ratio(SECTION, contender, COPY_BINARY, None);
    }
}

async fn one_connection(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.expect("a pool")
}

async fn copy(pool: &PgPool, sql: &str) -> Passed {
    let start = Instant::now();
    let mut chunks = pool.copy_out_raw(sql).await.expect("a copy");
    let mut bytes = 0;
    while let Some(chunk) = chunks.try_next().await.expect("a chunk") {
        bytes += chunk.len();
    }
    Passed::new(bytes, start)
}

/// A client that counts and throws away. The marks around chunks count too: they are a few bytes each.
async fn replay(address: SocketAddr, format: &str, token: &str) -> Passed {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!(
        "GET /events?format={format} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let (mut buffer, mut bytes, mut last) = (vec![0; 256 * 1024], 0, Vec::new());
    loop {
        let read = stream.read(&mut buffer).await.expect("an answer");
        if read == 0 {
            break;
        }
        if bytes == 0 {
            assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read]));
        }
        bytes += read;
        last = buffer[read.saturating_sub(5)..read].to_vec();
    }
    assert!(last.ends_with(b"\r\n\r\n"), "the last chunk came, so it is whole");
    Passed::new(bytes, start)
}
