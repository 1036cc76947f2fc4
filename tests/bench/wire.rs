//! A client that costs next to nothing: one request, ready as bytes, over kept connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{self, Reached};

/// A POST of JSON.
pub fn post(path: &str, body: &str, token: &str) -> Arc<[u8]> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Authorization: Bearer {token}\r\n\r\n{body}"
    )
    .into_bytes()
    .into()
}

/// A kept connection.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, buffer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and gives the body of the answer, which must be good.
    async fn call(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.expect("written");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("an answer");
            assert!(read > 0, "the server hung up");
            if let Some((body, length)) = head(&self.buffer)
                && self.buffer.len() >= body + length
            {
                return &self.buffer[body..body + length];
            }
        }
    }
}

/// Where the body begins and how long it is, once the head is there.
fn head(buffer: &[u8]) -> Option<(usize, usize)> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&buffer[..end]).expect("a head of text").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    Some((end + 4, length.trim().parse().expect("a number")))
}

/// One call on a connection of its own.
pub async fn once(address: SocketAddr, request: &[u8]) -> serde_json::Value {
    let mut wire = Wire::connect(address).await;
    serde_json::from_slice(wire.call(request).await).expect("JSON")
}

/// A closed loop of connections; each request gets a number that no other has.
pub async fn closed_loop(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    request: impl Fn(u64) -> Arc<[u8]> + Send + Sync + 'static,
) -> Reached {
    let (request, next) = (Arc::new(request), Arc::new(AtomicU64::new(0)));
    let start = std::time::Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (request, next) = (request.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut wire = Wire::connect(address).await;
            let mut latencies = Vec::with_capacity(16_384);
            while start.elapsed() < duration {
                let request = request(next.fetch_add(1, Ordering::Relaxed));
                let sent = std::time::Instant::now();
                wire.call(&request).await;
                latencies.push(sent.elapsed());
            }
            latencies
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a connection"));
    }
    load::Reached::new(latencies, start.elapsed())
}
