//! Listening, serving, and ending without dropping anybody.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use super::gateway::Gateway;
use super::observed;

/// How long requests and sockets that are open may take to end.
const DRAIN: Duration = Duration::from_secs(20);

/// An address that cannot be listened at.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error("{address} is in use: stop the program that listens there, or set LISTEN to another address")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The operating system refused.
    #[error("cannot listen at {address}: {source}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens at an address; port 0 takes any that is free.
    ///
    /// # Errors
    /// When the address is taken or cannot be used.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            _ => BindError::Io { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends; then takes no new requests, closes sockets, and waits for what is
    /// open, but not for ever.
    ///
    /// # Errors
    /// When the operating system takes the listener away.
    pub async fn serve(
        self,
        routes: Router,
        gateway: Arc<Gateway>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let draining = gateway.draining().clone();
        let announce = draining.clone();
        let signal = async move {
            stop.await;
            announce.cancel();
        };
        let serve = axum::serve(self.listener, observed(routes)).with_graceful_shutdown(signal);
        let deadline = async {
            draining.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serve.into_future() => served?,
            () = deadline => tracing::warn!("requests were still open when the time to end them was over"),
        }
        gateway.tasks().close();
        if tokio::time::timeout(DRAIN, gateway.tasks().wait()).await.is_err() {
            tracing::warn!("sockets were still open when the time to end them was over");
        }
        Ok(())
    }
}

/// Ends with the first SIGTERM or ctrl-c.
pub async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
