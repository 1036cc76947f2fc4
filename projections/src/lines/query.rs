//! Reads business lines. Everybody who may sign in may read them: they hold no personal data.

use domain::business_line::BusinessLine;
use domain::values::LineKey;

use super::projector::{LINES, LineRow};
use crate::sql::{Database, Record, SqlError};

/// A business line as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its identity for ever.
    pub key: LineKey,
    /// What people call it.
    pub name: String,
    /// Whose numbering plan reads its phone numbers, ISO 3166-1.
    pub country: String,
    /// Where its local days begin, IANA.
    pub time_zone: String,
    /// The currency of its amounts, ISO 4217.
    pub currency: String,
    /// Whether it takes no new clues.
    pub suspended: bool,
    /// Stages, fields and policies.
    pub definition: BusinessLine,
}

/// Every line, in the order of the keys.
///
/// # Errors
/// See [`SqlError`].
pub async fn load(db: &Database) -> Result<Vec<Line>, SqlError> {
    let sql = format!("SELECT {} FROM {} ORDER BY line", LINES.column_list(), LINES.name);
    let rows = db.fetch(&sql, &[]).await?;
    rows.iter().map(|row| LineRow::from_row(row).and_then(line)).collect()
}

fn line(row: LineRow) -> Result<Line, SqlError> {
    let definition = serde_json::from_str(&row.state)
        .map_err(|_| SqlError::Schema("a line of another program version; rebuild lines".to_owned()))?;
    Ok(Line {
        key: row.line,
        name: row.name.unwrap_or_default(),
        country: row.country.unwrap_or_default(),
        time_zone: row.time_zone.unwrap_or_default(),
        currency: row.currency.unwrap_or_default(),
        suspended: row.suspended,
        definition,
    })
}
