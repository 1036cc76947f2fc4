//! GraphQL documents: lexing, limits, and the cache of those that were read before.
//!
//! Guarantees: what a document can cost is known before async-graphql sees it, in time linear in its
//! length, so that neither deep nesting nor fragments that multiply can exhaust stack or processor;
//! every refusal states the limit.
//!
//! Deliberately absent: validation against the schema, and the cost of lists, which async-graphql
//! computes from the page sizes asked for. What it found valid is remembered here.

mod cost;
mod lexer;
#[cfg(test)]
mod tests;
mod validated;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_graphql::Pos;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use lru::LruCache;

use crate::config::Limits;
use crate::telemetry::DOCUMENT_CACHE;
use validated::Validated;

/// Documents that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
/// Longer documents are not remembered, so that the cache has a bounded size.
const LONGEST_REMEMBERED: usize = 16 * 1024;

/// A document that keeps within the limits.
#[derive(Debug)]
pub struct Document {
    executable: ExecutableDocument,
    validated: Validated,
}

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DocumentError {
    /// The stable word that clients switch on.
    pub code: &'static str,
    /// For people; states the limit.
    pub message: String,
    /// Where, if it is at one place.
    pub at: Option<Pos>,
}

impl DocumentError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: None }
    }

    fn limit(code: &'static str, what: &str, limit: usize) -> Self {
        Self::new(code, format!("{what}: the limit is {limit}"))
    }
}

/// Reads documents, and remembers them by their text.
pub struct Documents {
    limits: Limits,
    remembered: Mutex<LruCache<String, Arc<Document>>>,
}

impl Documents {
    /// A reader with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, remembered: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The document of a text.
    ///
    /// # Errors
    /// When it is no GraphQL, or costs more than the limits allow.
    pub fn read(&self, text: &str) -> Result<Arc<Document>, DocumentError> {
        if let Ok(mut remembered) = self.remembered.lock()
            && let Some(document) = remembered.get(text)
        {
            metrics::counter!(DOCUMENT_CACHE, "result" => "hit").increment(1);
            return Ok(document.clone());
        }
        metrics::counter!(DOCUMENT_CACHE, "result" => "miss").increment(1);
        let document = Arc::new(parse(text, &self.limits)?);
        if text.len() <= LONGEST_REMEMBERED
            && let Ok(mut remembered) = self.remembered.lock()
        {
            remembered.put(text.to_owned(), document.clone());
        }
        Ok(document)
    }
}

fn parse(text: &str, limits: &Limits) -> Result<Document, DocumentError> {
    lexer::check(text, limits.tokens)?;
    let document = parse_query(text).map_err(|error| DocumentError {
        at: error.positions().next(),
        ..DocumentError::new("graphql_syntax", error.to_string())
    })?;
    cost::check(&document, limits)?;
    Ok(Document { executable: document, validated: Validated::default() })
}

impl Document {
    /// A copy for async-graphql, which consumes it.
    #[must_use]
    pub fn executable(&self) -> ExecutableDocument {
        self.executable.clone()
    }

    /// The type of the operation that a request means; `None` when it means none or several.
    #[must_use]
    pub fn operation_type(&self, name: Option<&str>) -> Option<OperationType> {
        let mut operations = self.executable.operations.iter();
        let operation = match name {
            Some(name) => operations.find(|(known, _)| known.is_some_and(|known| known.as_str() == name))?.1,
            None if operations.len() == 1 => operations.next()?.1,
            None => return None,
        };
        Some(operation.node.ty)
    }

    /// With which variables it was found valid.
    pub(super) const fn validated(&self) -> &Validated {
        &self.validated
    }
}
