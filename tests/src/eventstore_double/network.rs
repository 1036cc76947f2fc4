//! Sockets of the double's nodes, every one of which can be cut at any moment.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::service::Service;

/// A node: where it listens, and its connections.
pub(super) struct Node {
    pub port: u16,
    /// Whether it is away.
    pub down: AtomicBool,
    cuts: Mutex<Vec<Cut>>,
    /// One more of these for each connection.
    open: Arc<()>,
}

/// Cuts one connection.
#[derive(Clone)]
pub(super) struct Cut(Arc<watch::Sender<bool>>);

impl Cut {
    /// Nothing goes through from now on, whatever was on its way.
    pub fn cut(&self) {
        self.0.send_replace(true);
    }
}

impl Node {
    pub fn new(port: u16) -> Self {
        Self { port, down: AtomicBool::new(false), cuts: Mutex::new(Vec::new()), open: Arc::new(()) }
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    pub fn cut_all(&self) {
        for cut in self.cuts.lock().expect("no test panics here").drain(..) {
            cut.cut();
        }
    }

    fn link(&self, stream: impl Stream + 'static) -> Link {
        let cut = Cut(Arc::new(watch::Sender::new(false)));
        let mut told = cut.0.subscribe();
        self.cuts.lock().expect("no test panics here").push(cut.clone());
        let ended = Box::pin(async move {
            let _ = told.wait_for(|cut| *cut).await;
        });
        Link { stream: Box::new(stream), cut, ended: Mutex::new(ended), _open: self.open.clone() }
    }
}

/// Takes connections until the test's runtime ends.
pub(super) fn listen(listener: TcpListener, node: Arc<Node>, service: Service, tls: Option<TlsAcceptor>) {
    let (links, incoming) = mpsc::unbounded_channel::<io::Result<Link>>();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if node.down.load(Ordering::SeqCst) {
                continue;
            }
            let _ = stream.set_nodelay(true);
            let (node, links, tls) = (node.clone(), links.clone(), tls.clone());
            tokio::spawn(async move {
                let link = match tls {
                    None => node.link(stream),
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => node.link(stream),
                        Err(_) => return,
                    },
                };
                let _ = links.send(Ok(link));
            });
        }
    });
    let server = Server::builder()
        .add_service(service.streams())
        .add_service(service.gossip())
        .add_service(service.features());
    tokio::spawn(server.serve_with_incoming(UnboundedReceiverStream::new(incoming)));
}

/// A byte stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket below.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for tokio_rustls::server::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A connection that can be cut.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    cut: Cut,
    ended: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _open: Arc<()>,
}

impl Link {
    fn is_cut(&self) -> bool {
        *self.cut.0.borrow()
    }
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl Connected for Link {
    type ConnectInfo = Cut;

    fn connect_info(&self) -> Cut {
        self.cut.clone()
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let link = self.get_mut();
        let cut = link.is_cut() || {
            let ended = link.ended.get_mut().expect("no test panics here");
            ended.as_mut().poll(cx).is_ready()
        };
        if cut {
            return reset();
        }
        let read = Pin::new(&mut link.stream).poll_read(cx, buf);
        // The client writes a request in two pieces and leaves Nagle's algorithm on: without this, every
        // append of a test would wait 40 ms for the acknowledgement of its headers.
        let _ = link.stream.socket().set_quickack(true);
        read
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let link = self.get_mut();
        if link.is_cut() { reset() } else { Pin::new(&mut link.stream).poll_write(cx, buf) }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = self.get_mut();
        if link.is_cut() { reset() } else { Pin::new(&mut link.stream).poll_flush(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
