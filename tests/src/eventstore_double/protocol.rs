//! The messages of EventStoreDB, generated from the protos that the client ships: see `build.rs`.
#![allow(missing_docs, dead_code, clippy::all, clippy::pedantic, clippy::nursery)]

pub mod event_store {
    pub mod client {
        tonic::include_proto!("event_store.client");

        pub mod streams {
            tonic::include_proto!("event_store.client.streams");
        }

        pub mod gossip {
            tonic::include_proto!("event_store.client.gossip");
        }

        pub mod server_features {
            tonic::include_proto!("event_store.client.server_features");
        }
    }
}

pub mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}
