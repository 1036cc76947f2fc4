//! What the program keeps in memory while its read models take in a long log, and while that is
//! replayed, rebuilt and verified. It must not grow with the log: the same work is measured on a log of a
//! fifth of the length.
//!
//! The program runs as a process of its own: this binary, which is the program when it is told so.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;
use tests::postgres::Cluster;

use crate::cluster;
use crate::report::Report;

/// What makes this binary the program.
const PROGRAM: &str = "BENCH_IS_THE_PROGRAM";
/// Lengths of the log, the shorter one first.
const LENGTHS: [i64; 2] = [1_000_000, 5_000_000];
/// How long the auditor's token is good for, in seconds: longer than all of it takes.
const LIFETIME: &str = "86400";
/// How often the memory of a process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Whether this process is to be the program itself.
pub fn is_program() -> bool {
    std::env::var_os(PROGRAM).is_some()
}

/// Peak memory of each work on both lengths.
pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let program = Program::on(&cluster).await;
    for length in LENGTHS {
        fill(&program.database, length).await;
        let contender = named(length);
        let mut record = |work: &str, mib: f64| {
            report.record(&format!("peak memory, {work}"), &contender, "MiB", mib);
        };
        record("read models follow", program.follow().await);
        record("replay over HTTP", program.replay().await);
        record("rebuild", program.peak_of(&["rebuild", "clue_list"]).await);
        record("verify", program.peak_of(&["verify"]).await);
    }
    for work in ["read models follow", "replay over HTTP", "rebuild", "verify"] {
        let section = format!("peak memory, {work}");
        report.ratio(&section, &named(LENGTHS[0]), &named(LENGTHS[1]), Some(0.8));
    }
}

fn named(length: i64) -> String {
    format!("{length} events")
}

/// The program on a database of its own.
struct Program {
    database: PgConnectOptions,
    folder: TempDir,
    /// Of an auditor.
    token: String,
}

impl Program {
    async fn on(cluster: &Cluster) -> Self {
        let database = cluster.database("long").await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = Self { database, folder, token: String::new() };
        program.output(&["keys", "init"]);
        program.output(&["migrate"]);
        let line = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lines/used-car-sales.toml"));
        program.output(&["line", "apply", &line.display().to_string()]);
        let auditor = program.output(&["user", "add", "Auditor", "--role", "auditor"]);
        program.token = program.output(&["token", &auditor, "--lifetime", LIFETIME]);
        program
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this binary is a file"));
        command
            .args(words)
            .env(PROGRAM, "1")
            .env("DATABASE_URL", self.database.to_url_lossy().as_str())
            .env("KEYS_DIR", self.folder.path().join("keys"))
            .env("LISTEN", "127.0.0.1:0")
            .current_dir(self.folder.path())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// Runs a command to its end and gives what it printed.
    fn output(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("the program starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// The most memory that a command had, in MiB.
    async fn peak_of(&self, words: &[&str]) -> f64 {
        let mut command = self.command(words);
        let mut process = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut peak: f64 = 0.0;
        loop {
            peak = peak.max(memory(&process));
            if let Some(status) = process.try_wait().expect("it is a child") {
                assert!(status.success(), "{words:?}: {status}");
                return peak;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The most memory that a server had while every read model took in the log, in MiB.
    async fn follow(&self) -> f64 {
        self.peak_of_server(|address| async move {
            loop {
                let ready = reqwest::get(format!("{address}/readyz")).await.expect("an answer");
                let said = ready.text().await.expect("what is behind");
                let models = said.matches(" events, ").count();
                if models > 0 && said.matches("\"0 events, ").count() == models {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
        .await
    }

    /// The most memory that a server had while an auditor read the whole log, in MiB.
    async fn replay(&self) -> f64 {
        self.peak_of_server(|address| async move {
            let request = reqwest::Client::new().get(format!("{address}/events")).bearer_auth(&self.token);
            let answer = request.send().await.expect("an answer").error_for_status().expect("the log");
            let mut chunks = answer.bytes_stream();
            let mut last = Vec::new();
            while let Some(chunk) = chunks.next().await {
                last = chunk.expect("the reply goes on").to_vec();
            }
            assert!(String::from_utf8_lossy(&last).contains(r#"{"end":"#), "the reply is whole");
        })
        .await
    }

    /// The most memory that a server had while it did something for somebody, in MiB.
    async fn peak_of_server<F: Future<Output = ()>>(&self, work: impl FnOnce(String) -> F) -> f64 {
        let mut server = self.command(&["serve", "--roles", "api,projections"]).spawn().expect("it starts");
        let mut work = std::pin::pin!(work(listening(&mut server)));
        let mut peak: f64 = 0.0;
        loop {
            peak = peak.max(memory(&server));
            tokio::select! {
                () = &mut work => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        server.kill().expect("it ends");
        server.wait().expect("it has ended");
        peak
    }
}

/// The address that a server says.
fn listening(server: &mut Child) -> String {
    use std::io::{BufRead, BufReader};
    let said = BufReader::new(server.stderr.take().expect("its messages"));
    let mut lines = said.lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once("cluestream serves at ")?.1.to_owned()));
    // Somebody must go on listening, or the server waits for that.
    std::thread::spawn(move || lines.for_each(drop));
    address.expect("the server says where it is")
}

/// The most memory that a process had so far, in MiB.
fn memory(process: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<f64> = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

/// Makes the log so long: of every ten events one customer, one clue, two follow-ups, six refused claims.
async fn fill(database: &PgConnectOptions, length: i64) {
    let mut log = database.connect().await.expect("the log");
    sqlx::query(
        r#"
        WITH head AS (SELECT position, recorded_at FROM log_head),
        numbered AS (
            SELECT n, n % 10 AS k, head.position + n + 1 AS position,
                   ('0198c7e2-0000-7000-8000-' || lpad(to_hex(head.position + n - n % 10), 12, '0')) AS id,
                   ('0198c7e2-0000-7000-9000-' || lpad(to_hex(head.position + n), 12, '0')) AS event_id,
                   GREATEST(head.recorded_at, 1777636800000000) AS at
            FROM head, generate_series(0, $1 - head.position - 1) n
        )
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                            position, recorded_at)
        SELECT CASE WHEN k = 0 THEN 'customer' WHEN k < 4 THEN 'clue' ELSE 'clue_attempts' END,
               id, CASE WHEN k = 0 THEN 1 WHEN k < 4 THEN k ELSE k - 3 END,
               CASE k WHEN 0 THEN 'customer.registered' WHEN 1 THEN 'clue.captured' WHEN 2 THEN 'clue.follow_up_logged'
                      WHEN 3 THEN 'clue.follow_up_logged' ELSE 'clue_attempts.claim_refused' END, '1',
               (CASE k
                WHEN 0 THEN '{"registered":{"line":"used-car-sales","source":{"channel":"walk-in"}}}'
                WHEN 1 THEN format('{"captured":{"customer_id":"%s","line":"used-car-sales","source":{"channel":"website"},"stage":"new","graph_version":1,"at":"2026-05-01T12:00:00.000000Z"}}', id)
                WHEN 2 THEN format('{"follow_up_logged":{"follow_up":{"id":"%s","channel":"call","outcome":"no_answer","at":"2026-05-01T12:00:00.000000Z"}}}', event_id)
                WHEN 3 THEN format('{"follow_up_logged":{"follow_up":{"id":"%s","channel":"call","outcome":"connected","duration_seconds":60,"at":"2026-05-01T12:00:00.000000Z"}}}', event_id)
                ELSE format('{"claim_refused":{"operator_id":"%s","at":"2026-05-01T12:00:00.000000Z","reason":"clue_not_pooled"}}', id) END)::json,
               format('{"event_id":"%s","occurred_at":"2026-05-01T12:00:00.000000Z","actor":"system:bench","line":"used-car-sales","subject":"%s","command_id":"%s","correlation_id":"%s"}', event_id, id, event_id, event_id)::json,
               position, at
        FROM numbered
        "#,
    )
    .bind(length)
    .execute(&mut log)
    .await
    .expect("it is filled");
    log.execute("UPDATE log_head SET position = (SELECT max(position) FROM events)").await.expect("the head");
    log.execute("VACUUM ANALYZE events").await.expect("statistics");
}
