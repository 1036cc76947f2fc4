//! Registering a customer with the stock framework: one event, and what a person who may be erased
//! needs, a data key of their own with the name sealed under it. Nothing else of what ours does: no
//! authorisation, no recorded result of the command, no position.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use postgres_es::{PostgresCqrs, postgres_cqrs};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

/// The table of data keys, as ours is.
const KEYS_TABLE: &str = "CREATE TABLE data_keys (subject_id text NOT NULL PRIMARY KEY, wrapped bytea NOT NULL, \
    created_at bigint NOT NULL)";

/// A customer.
#[derive(Default, Serialize, Deserialize)]
pub struct Customer {
    registered: bool,
}

/// Makes a customer known.
pub struct Register {
    pub id: String,
    pub line: String,
    pub channel: String,
    pub name: String,
}

/// What happened to a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CustomerEvent {
    Registered { line: String, channel: String, name: String },
}

/// The key could not be stored, or nothing could be sealed under it.
#[derive(Debug)]
pub struct NotSealed(String);

impl fmt::Display for NotSealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotSealed {}

impl DomainEvent for CustomerEvent {
    fn event_type(&self) -> String {
        "Registered".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

/// Data keys, wrapped by a master key.
pub struct Vault {
    pool: PgPool,
    master: XChaCha20Poly1305,
}

impl Vault {
    /// Stores a new data key of a person.
    async fn create(&self, subject: &str) -> Result<XChaCha20Poly1305, NotSealed> {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        let wrapped = seal(&self.master, subject, &key)?;
        sqlx::query("INSERT INTO data_keys (subject_id, wrapped, created_at) VALUES ($1, $2, 0)")
            .bind(subject)
            .bind(wrapped)
            .execute(&self.pool)
            .await
            .map_err(|error| NotSealed(error.to_string()))?;
        Ok(XChaCha20Poly1305::new(&key.into()))
    }
}

fn seal(key: &XChaCha20Poly1305, subject: &str, clear: &[u8]) -> Result<Vec<u8>, NotSealed> {
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    let payload = Payload { msg: clear, aad: subject.as_bytes() };
    let sealed = key.encrypt(&XNonce::from(nonce), payload).map_err(|error| NotSealed(error.to_string()))?;
    Ok([&nonce, sealed.as_slice()].concat())
}

impl Aggregate for Customer {
    const TYPE: &'static str = "customer";
    type Command = Register;
    type Event = CustomerEvent;
    type Error = NotSealed;
    type Services = Vault;

    async fn handle(
        &mut self,
        command: Register,
        vault: &Vault,
        sink: &EventSink<Self>,
    ) -> Result<(), NotSealed> {
        let Register { id, line, channel, name } = command;
        let key = vault.create(&id).await?;
        let name = URL_SAFE_NO_PAD.encode(seal(&key, &id, name.as_bytes())?);
        sink.write(CustomerEvent::Registered { line, channel, name }, self).await;
        Ok(())
    }

    fn apply(&mut self, _: CustomerEvent) {
        self.registered = true;
    }
}

/// The stock framework for customers.
pub type Customers = Arc<PostgresCqrs<Customer>>;

/// The stock framework on a database that has the stock schema.
pub async fn framework(pool: PgPool) -> Customers {
    sqlx::query(KEYS_TABLE).execute(&pool).await.expect("a table of keys");
    let vault = Vault { pool: pool.clone(), master: XChaCha20Poly1305::new(&[7; 32].into()) };
    Arc::new(postgres_cqrs(pool, vec![], vault))
}
