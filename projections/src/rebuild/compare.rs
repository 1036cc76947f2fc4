//! Comparing two copies of a read model row by row.

use crate::sql::{SqlError, Stored, Suffix, TableDef, Tx};

/// How many keys of different rows a report names.
const SAMPLES: usize = 10;

/// How one table of two copies compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// The table.
    pub table: &'static str,
    /// Rows of the live copy.
    pub live: i64,
    /// Rows of the copy that was built from the log.
    pub replayed: i64,
    /// Rows of the live copy that the other does not hold in the same form.
    pub only_live: i64,
    /// Rows of the copy from the log that the live one does not hold in the same form.
    pub only_replayed: i64,
    /// Keys of some of those rows. Keys are ids and words, never personal data.
    pub samples: Vec<String>,
}

impl TableReport {
    /// Whether both copies hold the same rows.
    #[must_use]
    pub const fn is_equal(&self) -> bool {
        self.live == self.replayed && self.only_live == 0 && self.only_replayed == 0
    }
}

async fn count(tx: &mut Tx, sql: &str) -> Result<i64, SqlError> {
    tx.fetch(sql, &[]).await?.first().map_or(Ok(0), |row| row.get(0))
}

/// Compares one table. Every column counts, so every row has one form only.
pub(super) async fn compare(
    tx: &mut Tx,
    table: &'static TableDef,
    copy: Suffix,
) -> Result<TableReport, SqlError> {
    let columns = table.column_list();
    let (live, replayed) = (table.named(Suffix::Live), table.named(copy));
    let missing = |a: &str, b: &str| format!("SELECT {columns} FROM {a} EXCEPT SELECT {columns} FROM {b}");
    let mut report = TableReport {
        table: table.name,
        live: count(tx, &format!("SELECT count(*) FROM {live}")).await?,
        replayed: count(tx, &format!("SELECT count(*) FROM {replayed}")).await?,
        only_live: 0,
        only_replayed: 0,
        samples: Vec::new(),
    };
    for (a, b) in [(&live, &replayed), (&replayed, &live)] {
        let different = count(tx, &format!("SELECT count(*) FROM ({}) AS d", missing(a, b))).await?;
        if *a == live {
            report.only_live = different;
        } else {
            report.only_replayed = different;
        }
        if different > 0 {
            sample(tx, table, &missing(a, b), &mut report.samples).await?;
        }
    }
    Ok(report)
}

async fn sample(
    tx: &mut Tx,
    table: &TableDef,
    rows: &str,
    samples: &mut Vec<String>,
) -> Result<(), SqlError> {
    let keys = table.key.join(", ");
    let sql = format!("SELECT {keys} FROM ({rows}) AS d ORDER BY {keys} LIMIT {SAMPLES}");
    for row in tx.fetch(&sql, &[]).await? {
        let mut parts = Vec::new();
        for (index, key) in table.key.iter().enumerate() {
            let Some(column) = table.columns.iter().find(|column| column.name == *key) else { continue };
            parts.push(match row.stored(index, column.kind)? {
                Stored::Int(number) => number.to_string(),
                Stored::Text(text) => text.to_owned(),
                _ => "?".to_owned(),
            });
        }
        let sample = parts.join(" ");
        if samples.len() < SAMPLES && !samples.contains(&sample) {
            samples.push(sample);
        }
    }
    Ok(())
}
