//! Parameters and column values.

use std::fmt;
use std::sync::Arc;

/// The type of a column; both databases store nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `integer`, `bigint`.
    Int,
    /// `real`, `double precision`.
    Float,
    /// `text`.
    Text,
    /// `blob`, `bytea`.
    Bytes,
}

/// A value of a column, or a parameter.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; truth values are 0 and 1.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Many texts as one parameter, for `= ANY($n)`.
    Texts(Arc<[String]>),
    /// Many whole numbers as one parameter, for `= ANY($n)`.
    Ints(Arc<[i64]>),
}

/// A value of a column, as the row holds it.
#[derive(Clone, Copy)]
pub enum Stored<'a> {
    /// Nothing.
    Null,
    /// A whole number; truth values are 0 and 1.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Shows the kind and never the value, which may be personal.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Texts(_) => "texts",
            Self::Ints(_) => "ints",
        })
    }
}

impl Value {
    /// Many texts as one parameter.
    pub fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Self {
        Self::Texts(items.into_iter().map(|item| item.to_string()).collect())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
