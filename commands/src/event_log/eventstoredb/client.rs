//! A client with the runtime that it lives on.
//!
//! The task that keeps a client's connection holds the sending end of its own queue, so it goes on when
//! everybody has dropped the client, and connects anew when the client was given up over an error. It
//! ends with its runtime, so every client has one of its own.

use eventstore::{Client, ClientSettings};
use tokio::runtime::{Builder, Runtime};

/// A client whose tasks and connections end when it is dropped.
pub(super) struct OwnClient {
    client: Client,
    _runtime: OwnRuntime,
}

/// A runtime that may be dropped anywhere.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // A runtime that is merely dropped waits for its threads, which no task may do.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl OwnClient {
    /// Starts a client; it connects when it is asked for something.
    ///
    /// # Errors
    /// When the system gives no thread, or the client does not want its settings.
    pub fn start(settings: &ClientSettings) -> Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("eventstore")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let handle = runtime.handle().clone();
        let runtime = OwnRuntime(Some(runtime));
        let client =
            Client::with_runtime_handle(handle, settings.clone()).map_err(|error| error.to_string())?;
        Ok(Self { client, _runtime: runtime })
    }

    /// The client. Clones of it are of no use once this is dropped.
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}
