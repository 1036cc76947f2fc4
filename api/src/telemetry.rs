//! What the program says about itself: log lines, spans and metrics.
//!
//! Guarantees: a request's span carries ids, the method, the path and the status, never a query's
//! text, variables, names or numbers of people; metric labels come from closed lists, so that their
//! number does not grow with traffic.
//!
//! Deliberately absent: shipping logs and metrics anywhere. Lines go to standard error, metrics wait
//! to be fetched from `/metrics`.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// PostgreSQL tells at `info` of every table that is not there to be dropped; a filter of the
/// configuration that names this target is stronger.
const QUIET: &str = "sqlx::postgres::notice=warn";

/// Seconds that requests may take, as upper bounds of histogram buckets.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Requests answered, by method, kind of path and status.
pub const REQUESTS: &str = "cluestream_http_requests_total";
/// Seconds until a request was answered, by kind of path.
pub const REQUEST_SECONDS: &str = "cluestream_http_request_duration_seconds";
/// GraphQL operations, by type and outcome.
pub const OPERATIONS: &str = "cluestream_graphql_operations_total";
/// Sockets that are open now.
pub const SOCKETS: &str = "cluestream_sockets_open";
/// Queries whose document was parsed before, and others.
pub const DOCUMENT_CACHE: &str = "cluestream_graphql_document_cache_total";

/// Starts writing log lines to standard error. Later calls change nothing.
pub fn init_logging(log: &Log) {
    let filter =
        EnvFilter::try_new(format!("{QUIET},{}", log.level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails when a subscriber is there already, which only tests bring about.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
}

/// The metrics of this process; collecting begins with the first call.
#[must_use]
pub fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let _ = metrics::set_global_recorder(recorder);
        describe();
        Metrics(handle)
    })
}

/// Collected metrics.
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The metrics in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Bounds the memory of histograms, for as long as it is polled.
    pub async fn upkeep(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn describe() {
    metrics::describe_counter!(REQUESTS, "HTTP requests answered");
    metrics::describe_histogram!(
        REQUEST_SECONDS,
        metrics::Unit::Seconds,
        "Time until a request was answered"
    );
    metrics::describe_counter!(OPERATIONS, "GraphQL operations");
    metrics::describe_gauge!(SOCKETS, "Sockets that are open");
    metrics::describe_counter!(DOCUMENT_CACHE, "GraphQL documents looked up, by result");
}
