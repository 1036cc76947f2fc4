//! The map: which column of a file becomes what of a clue.
//!
//! Strict: whatever it does not know is an error with its line and column, before any row is read.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;

use domain::Instant;
use domain::clue::Intent;
use domain::values::{Code, ContactKind, FieldKey};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

use super::scan::Encoding;

/// A map, read and checked in itself. Whether it fits a file and a line is checked when both are
/// known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    #[serde(default)]
    pub(super) format: Format,
    pub(super) source: Source,
    #[serde(default)]
    pub(super) customer: Customer,
    pub(super) occurred_at: Option<Moment>,
    #[serde(default)]
    pub(super) need: Need,
    pub(super) route: Option<Pick<RouteName>>,
    /// What a clue was won for.
    pub(super) amount: Option<Amount>,
    #[serde(default)]
    pub(super) fields: BTreeMap<FieldKey, Field>,
}

/// Why a map is not one, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct MapError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A column, by the name in the header or by its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Column {
    Name(String),
    Number(NonZeroUsize),
}

/// How the file is written; what is absent is detected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Format {
    #[serde(deserialize_with = "encoding")]
    pub encoding: Option<Encoding>,
    #[serde(deserialize_with = "separator")]
    pub separator: Option<u8>,
    /// `Some(None)`: nothing quotes.
    #[serde(deserialize_with = "quote")]
    pub quote: Option<Option<u8>>,
    pub header: Option<bool>,
    /// Cells that say nothing.
    pub absent: Vec<String>,
    /// What times without an offset are ahead of UTC, for example `+08:00`.
    #[serde(deserialize_with = "utc_offset")]
    pub utc_offset: Option<String>,
}

impl Default for Format {
    fn default() -> Self {
        let absent = vec![String::new()];
        Self { encoding: None, separator: None, quote: None, header: None, absent, utc_offset: None }
    }
}

/// Where the clue came from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// What the source calls its record: what makes a second run append nothing.
    pub key: Spanned<Column>,
    pub channel: Pick<Code>,
    pub campaign: Option<Column>,
}

/// Whose clue it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Customer {
    pub name: Option<Column>,
    pub contacts: Vec<Contacts>,
}

/// Columns with contacts of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contacts {
    pub kind: ContactKind,
    pub columns: Vec<Column>,
    /// What stands between several contacts in one cell.
    #[serde(default)]
    pub split: Vec<String>,
}

/// A column with a point in time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moment {
    pub column: Column,
    #[serde(default)]
    pub required: bool,
}

/// A column with an amount of money.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    pub column: Column,
    #[serde(default)]
    pub unit: Unit,
}

/// What a figure without a unit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// Whole units of the line's currency.
    #[default]
    Yuan,
    /// Ten thousand of them, 万.
    Wan,
}

/// What the customer wants.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Need {
    pub intent: Option<Pick<Intent>>,
    /// A range in one cell: `10-15`, `15以内`, `20以上`, or one highest price.
    pub budget: Option<Amount>,
    pub budget_min: Option<Amount>,
    pub budget_max: Option<Amount>,
    pub brands: Option<Names>,
    pub models: Option<Names>,
    pub note: Option<Column>,
}

/// A column with names of things.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub column: Column,
    #[serde(default)]
    pub split: Vec<String>,
}

/// What becomes of the clue at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RouteName {
    Wait,
    Pool,
    Won,
}

/// A column for a custom field. The line says of what kind the field is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub column: Column,
    /// Cells and what they mean: an option's key, `true` or `false`, or another way to write it.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Further cells that say nothing.
    #[serde(default)]
    pub absent: Vec<String>,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub unit: Unit,
}

/// The same for every row, or by a column.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawPick<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub(super) enum Pick<T> {
    Always(T),
    By { column: Column, values: BTreeMap<String, T>, absent: Option<T> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPick<T> {
    value: Option<T>,
    column: Option<Column>,
    #[serde(default = "BTreeMap::new")]
    values: BTreeMap<String, T>,
    absent: Option<T>,
}

impl<T> TryFrom<RawPick<T>> for Pick<T> {
    type Error = &'static str;

    fn try_from(raw: RawPick<T>) -> Result<Self, Self::Error> {
        match raw {
            RawPick { value: Some(value), column: None, absent: None, values } if values.is_empty() => {
                Ok(Self::Always(value))
            }
            RawPick { value: None, column: Some(column), values, absent } => {
                Ok(Self::By { column, values, absent })
            }
            _ => Err("give either `value`, or `column` with `values` and `absent`"),
        }
    }
}

impl<T> Pick<T> {
    pub const fn column(&self) -> Option<&Column> {
        match self {
            Self::Always(_) => None,
            Self::By { column, .. } => Some(column),
        }
    }
}

impl Map {
    /// Reads a map.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let map: Self = toml::from_str(text).map_err(|error| located(text, error.span(), error.message()))?;
        let key = &map.source.key;
        // Source keys are kept in clear for ever.
        if map.personal().any(|column| column == key.get_ref()) {
            let message = "the source key is no name or contact: it is stored in clear";
            return Err(located(text, Some(key.span()), message));
        }
        Ok(map)
    }

    fn personal(&self) -> impl Iterator<Item = &Column> {
        let contacts = self.customer.contacts.iter().flat_map(|contacts| &contacts.columns);
        contacts.chain(&self.customer.name).chain(&self.need.note)
    }

    /// Every column that it names.
    pub(super) fn columns(&self) -> Vec<&Column> {
        let Self { source, need, .. } = self;
        let picked = [source.channel.column(), self.route.as_ref().and_then(Pick::column)];
        let amounts = [&self.amount, &need.budget, &need.budget_min, &need.budget_max];
        let names = [&need.brands, &need.models];
        let mut columns = vec![source.key.get_ref()];
        columns.extend(picked.into_iter().flatten());
        columns.extend(&source.campaign);
        columns.extend(self.personal());
        columns.extend(self.occurred_at.as_ref().map(|moment| &moment.column));
        columns.extend(need.intent.as_ref().and_then(Pick::column));
        columns.extend(amounts.into_iter().flatten().map(|amount| &amount.column));
        columns.extend(names.into_iter().flatten().map(|names| &names.column));
        columns.extend(self.fields.values().map(|field| &field.column));
        columns
    }
}

/// An error at a place of the text.
fn located(text: &str, span: Option<Range<usize>>, message: &str) -> MapError {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    MapError { line, column, message: message.to_owned() }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnVisitor)
    }
}

struct ColumnVisitor;

impl Visitor<'_> for ColumnVisitor {
    type Value = Column;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column: its name in the header, or its number from 1")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Column, E> {
        let name = name.trim();
        if name.is_empty() {
            Err(E::custom("a column has a name"))
        } else {
            Ok(Column::Name(name.to_owned()))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Column, E> {
        let number = usize::try_from(number).ok().and_then(NonZeroUsize::new);
        number.map(Column::Number).ok_or_else(|| E::custom("columns are numbered from 1"))
    }
}

fn encoding<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Encoding>, D::Error> {
    match String::deserialize(deserializer)?.to_ascii_lowercase().as_str() {
        "utf-8" => Ok(Some(Encoding::Utf8)),
        "gb18030" | "gbk" | "gb2312" => Ok(Some(Encoding::Gb18030)),
        _ => Err(D::Error::custom("an encoding is utf-8 or gb18030")),
    }
}

fn separator<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match String::deserialize(deserializer)?.as_bytes() {
        [byte @ (b',' | b';' | b'\t' | b'|')] => Ok(Some(*byte)),
        _ => Err(D::Error::custom(r#"a separator is one of "," ";" "\t" "|""#)),
    }
}

fn quote<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u8>>, D::Error> {
    match String::deserialize(deserializer)?.as_bytes() {
        [] => Ok(Some(None)),
        [byte @ (b'"' | b'\'')] => Ok(Some(Some(*byte))),
        _ => Err(D::Error::custom("a quote is a double quote, a single quote, or empty for none")),
    }
}

fn utc_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let offset = String::deserialize(deserializer)?;
    if offset.len() == 6 && format!("2000-01-01T00:00:00{offset}").parse::<Instant>().is_ok() {
        return Ok(Some(offset));
    }
    Err(D::Error::custom("an offset from UTC is written like +08:00"))
}
