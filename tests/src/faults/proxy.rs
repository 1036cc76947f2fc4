//! A proxy before PostgreSQL that cuts connections at the worst moment.
//!
//! It understands no more of the protocol than where messages begin, which statements commit to the
//! log, and when the server is done with one.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What tells a statement that commits to the log.
const COMMITS: &[u8] = b"UPDATE log_head SET position";
/// How the server says that it is done and that nothing is open: the transaction is committed.
const DONE: &[u8] = b"Z\0\0\0\x05I";
/// How much of a message is looked at.
const HEAD: usize = 4_096;

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The statement never arrives.
    BeforeCommit,
    /// The statement was committed; its reply never arrives.
    AfterCommit,
}

/// A proxy. It ends with this handle.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    order: Mutex<Option<Cut>>,
    connections: Mutex<Vec<JoinHandle<()>>>,
    cuts: watch::Sender<usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A proxy at a free port, before a server on this machine.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            target: Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))),
            order: Mutex::new(None),
            connections: Mutex::new(Vec::new()),
            cuts: watch::channel(0).0,
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, accepting }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Passes new connections on to another server, and cuts those that there are.
    pub fn turn_to(&self, port: u16) {
        *locked(&self.shared.target) = SocketAddr::from(([127, 0, 0, 1], port));
        for connection in locked(&self.shared.connections).drain(..) {
            connection.abort();
        }
    }

    /// Cuts the connection of the next commit, and waits until that has happened.
    pub async fn cut(&self, when: Cut) {
        let mut cuts = self.shared.cuts.subscribe();
        let before = *cuts.borrow_and_update();
        *locked(&self.shared.order) = Some(when);
        let _ = cuts.wait_for(|now| *now > before).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        for connection in locked(&self.shared.connections).drain(..) {
            connection.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let serving = tokio::spawn(serve(client, shared.clone()));
        let mut connections = locked(&shared.connections);
        connections.retain(|connection| !connection.is_finished());
        connections.push(serving);
    }
}

/// Passes bytes on in both directions until one side ends or the connection is cut.
async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let target = *locked(&shared.target);
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let cutting = AtomicBool::new(false);
    tokio::select! {
        () = requests(from_client, to_server, &shared, &cutting) => {}
        () = replies(from_server, to_client, &shared, &cutting) => {}
    }
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: &Shared,
    cutting: &AtomicBool,
) {
    let mut messages = Messages::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok(read @ 1..) = client.read(&mut buffer).await else { return };
        if messages.commits(&buffer[..read]) {
            match locked(&shared.order).take() {
                Some(Cut::BeforeCommit) => {
                    shared.cuts.send_modify(|cuts| *cuts += 1);
                    return;
                }
                Some(Cut::AfterCommit) => cutting.store(true, Ordering::SeqCst),
                None => {}
            }
        }
        if server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn replies(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    shared: &Shared,
    cutting: &AtomicBool,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok(read @ 1..) = server.read(&mut buffer).await else { return };
        if cutting.load(Ordering::SeqCst) {
            if buffer[..read].ends_with(DONE) {
                shared.cuts.send_modify(|cuts| *cuts += 1);
                return;
            }
            continue;
        }
        if client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// The messages of a client as they come in pieces.
#[derive(Default)]
struct Messages {
    /// The first message has no type.
    started: bool,
    /// The begin of a message that is not there yet, up to [`HEAD`].
    head: Vec<u8>,
    /// Bytes of the present message that are still to come.
    left: usize,
    /// Names of prepared statements that commit to the log.
    statements: HashSet<Vec<u8>>,
}

impl Messages {
    /// Takes the next bytes; whether a message in them runs a statement that commits to the log.
    fn commits(&mut self, mut bytes: &[u8]) -> bool {
        let mut found = false;
        while !bytes.is_empty() {
            let prefix = if self.started { 5 } else { 4 };
            if self.left == 0 && self.head.len() < prefix {
                let take = (prefix - self.head.len()).min(bytes.len());
                self.head.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                if self.head.len() < prefix {
                    return found;
                }
                let length = &self.head[prefix - 4..prefix];
                let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
                self.left = (length as usize).saturating_sub(4);
            }
            let take = self.left.min(bytes.len());
            let room = HEAD.saturating_sub(self.head.len()).min(take);
            self.head.extend_from_slice(&bytes[..room]);
            self.left -= take;
            bytes = &bytes[take..];
            // A statement of a large batch is told by its begin, before all of it is there.
            if self.left == 0 || self.head.len() >= HEAD {
                found |= self.look();
            }
            if self.left == 0 {
                self.head.clear();
                self.started = true;
            }
        }
        found
    }

    /// Looks at the begin of a message. Looking twice at a long one does no harm.
    fn look(&mut self) -> bool {
        if !self.started {
            return false;
        }
        let (kind, body) = (self.head[0], &self.head[5..]);
        let mut texts = body.split(|byte| *byte == 0);
        match kind {
            b'P' => {
                let name = texts.next().unwrap_or_default().to_vec();
                if body.windows(COMMITS.len()).any(|window| window == COMMITS) {
                    self.statements.insert(name);
                }
                false
            }
            // The portal's name, then the statement's.
            b'B' => texts.nth(1).is_some_and(|name| self.statements.contains(name)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    #[test]
    fn commits_are_told_wherever_the_bytes_are_cut() {
        let start = [&12_u32.to_be_bytes()[..], b"startup!"].concat();
        let commit = [b"s1\0WITH head AS (", COMMITS, b" + 1)\0\0\0"].concat();
        let others = [message(b'P', b"s2\0SELECT 1\0\0\0"), message(b'B', b"\0s2\0\0\0"), message(b'S', b"")];
        let stream = [&start, &message(b'P', &commit), &others.concat(), &message(b'B', b"\0s1\0\0\0")]
            .map(Vec::as_slice)
            .concat();
        for cut in 1..stream.len() {
            let mut messages = Messages::default();
            assert!(!messages.commits(&stream[..cut]), "cut at {cut}");
            assert!(messages.commits(&stream[cut..]), "cut at {cut}");
        }
    }
}
