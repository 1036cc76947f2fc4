//! The server that all contenders of a benchmark share, and what every benchmark goes by.

use std::sync::Arc;
use std::time::Duration;

use commands::clock::SystemClock;
use sqlx::{ConnectOptions, Executor};
use tests::given::World;
use tests::postgres::Cluster;
use tests::stores::Store;

/// How often every step is measured.
pub const ROUNDS: usize = 3;
/// How long a step takes.
pub const STEP: Duration = Duration::from_secs(4);
/// Callers, or connections, that each wait for their answer.
pub const CALLERS: usize = 64;

/// A server with default durability.
pub fn start() -> Cluster {
    Cluster::start(&["shared_buffers=2GB", "max_wal_size=8GB"]).expect("a PostgreSQL server")
}

/// Lets a step start behind a checkpoint, so that it does not pay for what another one wrote.
pub async fn checkpoint(cluster: &Cluster) {
    let mut connection = cluster.options().connect().await.expect("a connection");
    connection.execute("CHECKPOINT").await.expect("a checkpoint");
}

/// A command service on a fresh database.
pub async fn our_world(cluster: &Cluster, name: &str) -> World {
    let options = cluster.database(name).await;
    migrations::POSTGRES.run(&mut options.connect().await.expect("it answers")).await.expect("the schema");
    World::new(Store::Postgres(options).service(Arc::new(SystemClock)).await).await
}
