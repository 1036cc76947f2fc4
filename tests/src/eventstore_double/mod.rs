//! A double of EventStoreDB, for no package registry carries the server. It is no EventStoreDB: it
//! speaks the part of its gRPC protocol that the client uses for one log, over real sockets.
//!
//! Guarantees: appends with an expected revision, recognised by their event ids when they come again;
//! reads in both directions; subscriptions with caught-up; one leader among its nodes, told to whoever
//! asks another one; what was appended outlives the nodes. Tests make it fail: leaders change, nodes
//! go down, connections are cut before or after an append took effect or with the append still on its
//! way, appends are not answered or denied, events are delivered twice, streams lose their ends.
//!
//! Deliberately absent: `$all`, filters, links, batch appends, deletion, persistent subscriptions,
//! credentials, disks, elections; followers that lag.

mod network;
mod protocol;
mod service;
mod streams;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use network::{Node, listen};
use streams::Streams;

pub use streams::{AppendFault, Written};
pub use tls::Authority;

/// Nodes that share one memory.
pub struct EventStoreDouble {
    streams: Arc<Streams>,
    nodes: Vec<Arc<Node>>,
    tls: Option<Authority>,
}

impl EventStoreDouble {
    /// One node, which leads.
    ///
    /// # Panics
    /// When it finds no port.
    pub async fn start() -> Self {
        Self::cluster(1).await
    }

    /// Several nodes; the first one leads.
    ///
    /// # Panics
    /// When they find no ports.
    pub async fn cluster(size: usize) -> Self {
        Self::with(size, None).await
    }

    /// One node that speaks TLS, with a certificate of an authority of its own.
    ///
    /// # Panics
    /// When it finds no port.
    pub async fn encrypted() -> Self {
        Self::with(1, Some(Authority::new())).await
    }

    async fn with(size: usize, tls: Option<Authority>) -> Self {
        let streams = Arc::new(Streams::default());
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for _ in 0..size {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            ports.push(listener.local_addr().expect("an address").port());
            listeners.push(listener);
        }
        let nodes: Vec<Arc<Node>> = ports.into_iter().map(|port| Arc::new(Node::new(port))).collect();
        for (number, listener) in listeners.into_iter().enumerate() {
            let service = service::Service::new(streams.clone(), nodes.clone(), number);
            listen(listener, nodes[number].clone(), service, tls.as_ref().map(Authority::acceptor));
        }
        Self { streams, nodes, tls }
    }

    /// The address by which clients find all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("localhost:{}", node.port)).collect();
        let parameters = match &self.tls {
            Some(authority) => format!("tls=true&tlsCaFile={}", authority.file().display()),
            None => "tls=false".to_owned(),
        };
        // Three quick looks for a node that leads; the client takes its time between them otherwise.
        format!("esdb://{}?{parameters}&discoveryInterval=20", hosts.join(","))
    }

    /// Makes another node the leader; the former one goes on as a follower.
    pub fn lead(&self, number: usize) {
        self.streams.leader.store(number, Ordering::SeqCst);
    }

    /// Takes a node down: its connections are cut, and new ones as they come.
    pub fn take_down(&self, number: usize) {
        self.nodes[number].down.store(true, Ordering::SeqCst);
        self.nodes[number].cut_all();
    }

    /// Brings a node up again.
    pub fn bring_up(&self, number: usize) {
        self.nodes[number].down.store(false, Ordering::SeqCst);
    }

    /// Cuts every connection; nodes take new ones.
    pub fn cut_connections(&self) {
        for node in &self.nodes {
            node.cut_all();
        }
    }

    /// What happens to the next appends, in this order.
    pub fn fail_appends(&self, faults: &[AppendFault]) {
        self.streams.fail_appends(faults);
    }

    /// How many of the faults that were asked for have not happened yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.streams.faults_left()
    }

    /// Appends that were on their way when their connection was cut arrive now.
    pub fn arrive(&self) {
        self.streams.arrive();
    }

    /// Whether every event is delivered twice from now on.
    pub fn deliver_twice(&self, twice: bool) {
        self.streams.twice.store(twice, Ordering::SeqCst);
    }

    /// How many connections are open at this moment.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.nodes.iter().map(|node| node.connections()).sum()
    }

    /// How many reads were answered.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.streams.reads.load(Ordering::SeqCst)
    }

    /// What a stream holds.
    #[must_use]
    pub fn written(&self, stream: &str) -> Vec<Written> {
        self.streams.all_of(stream)
    }

    /// Forgets all but the first events of a stream, as a server that was restored from a backup.
    pub fn rewind(&self, stream: &str, events: usize) {
        self.streams.rewind(stream, events);
    }

    /// Appends past all checks, as another program would.
    pub fn write(&self, stream: &str, event: Written) {
        self.streams.write(stream, event);
    }
}
