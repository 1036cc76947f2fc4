//! Comparing two copies of a read model by hashes of their rows.
//!
//! Each copy is read once: the hashes of its rows are summed up, in whatever order they come. Equal
//! sums and equal counts are equal tables, but for chance (two sums of 64 bits each); a hash is no
//! proof against somebody who writes into the tables on purpose and picks rows for it. Only tables
//! that differ are looked at range by range of their keys, to count and name the rows.
//! Memory is constant either way: what `EXCEPT` sorts is one range.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::sql::{Row, SqlError, Stored, Suffix, TableDef, Tx, Value};

/// How many keys of different rows a report names.
const SAMPLES: usize = 10;
/// Rows of a range of keys.
const RANGE: i64 = if cfg!(test) { 3 } else { 10_000 };

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

/// What a table's rows come to, in whatever order they are read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Digest {
    rows: i64,
    sum: String,
    xor: i64,
}

/// Rows whose keys are behind `after`, up to `until`; without bounds all of them.
#[derive(Default)]
struct Keys {
    after: Option<Vec<Value>>,
    until: Option<Vec<Value>>,
}

/// Compares one table. Every column counts, so every row has one form only.
pub(super) async fn compare(
    tx: &mut Tx,
    table: &'static TableDef,
    copy: Suffix,
) -> Result<TableReport, SqlError> {
    let names = [table.named(Suffix::Live), table.named(copy)];
    let all = Keys::default();
    let live = digest(tx, table, &names[0], &all).await?;
    let replayed = digest(tx, table, &names[1], &all).await?;
    let mut report = TableReport {
        table: table.name,
        live: live.rows,
        replayed: replayed.rows,
        only_live: 0,
        only_replayed: 0,
        samples: Vec::new(),
    };
    if live != replayed {
        find_differences(tx, table, &names, &mut report).await?;
    }
    Ok(report)
}

/// Hashes rows: in the database where it has a function for that, here otherwise.
async fn digest(tx: &mut Tx, table: &TableDef, name: &str, keys: &Keys) -> Result<Digest, SqlError> {
    let (range, params) = keys.predicate(table);
    let columns = table.column_list();
    if tx.is_postgres() {
        let sql = format!(
            "SELECT count(*), coalesce(sum(h), 0)::text, coalesce(bit_xor(h), 0) FROM \
             (SELECT hash_record_extended(ROW({columns}), 0) AS h FROM {name} WHERE {range}) AS hashed"
        );
        let rows = tx.fetch(&sql, &params).await?;
        let Some(row) = rows.first() else { return Ok(Digest::default()) };
        return Ok(Digest { rows: row.get(0)?, sum: row.get(1)?, xor: row.get(2)? });
    }
    let (mut rows, mut sum, mut xor) = (0, 0_u64, 0_u64);
    let sql = format!("SELECT {columns} FROM {name} WHERE {range}");
    let mut add = |row: &Row| {
        let hash = hash(row, table)?;
        rows += 1;
        sum = sum.wrapping_add(hash);
        xor ^= hash;
        Ok(())
    };
    tx.for_each(&sql, &params, &mut add).await?;
    Ok(Digest { rows, sum: sum.to_string(), xor: xor.cast_signed() })
}

fn hash(row: &Row, table: &TableDef) -> Result<u64, SqlError> {
    let mut hasher = DefaultHasher::new();
    for (index, column) in table.columns.iter().enumerate() {
        match row.stored(index, column.kind)? {
            Stored::Null => 0_u8.hash(&mut hasher),
            Stored::Int(number) => (1_u8, number).hash(&mut hasher),
            // The two zeros are equal to the database.
            Stored::Float(number) => (2_u8, (number + 0.0).to_bits()).hash(&mut hasher),
            Stored::Text(text) => (3_u8, text).hash(&mut hasher),
            Stored::Bytes(bytes) => (4_u8, bytes).hash(&mut hasher),
        }
    }
    Ok(hasher.finish())
}

/// Counts and names the rows that differ, range by range.
async fn find_differences(
    tx: &mut Tx,
    table: &TableDef,
    names: &[String; 2],
    report: &mut TableReport,
) -> Result<(), SqlError> {
    let columns = table.column_list();
    let mut keys = Keys::default();
    loop {
        keys.until = boundary(tx, table, names, &keys).await?;
        let live = digest(tx, table, &names[0], &keys).await?;
        if live != digest(tx, table, &names[1], &keys).await? {
            let (range, params) = keys.predicate(table);
            for (a, b) in [(0, 1), (1, 0)] {
                let rows = format!(
                    "SELECT {columns} FROM {} WHERE {range} EXCEPT SELECT {columns} FROM {} WHERE {range}",
                    names[a], names[b]
                );
                let count = format!("SELECT count(*) FROM ({rows}) AS d");
                let different: i64 =
                    tx.fetch(&count, &params).await?.first().map_or(Ok(0), |row| row.get(0))?;
                if a == 0 {
                    report.only_live += different;
                } else {
                    report.only_replayed += different;
                }
                if different > 0 && report.samples.len() < SAMPLES {
                    sample(tx, table, &rows, &params, &mut report.samples).await?;
                }
            }
        }
        if keys.until.is_none() {
            return Ok(());
        }
        keys.after = keys.until.take();
    }
}

/// The key with which the next range ends: in neither copy it has more than [`RANGE`] rows. `None`
/// when no more are left.
async fn boundary(
    tx: &mut Tx,
    table: &TableDef,
    names: &[String; 2],
    keys: &Keys,
) -> Result<Option<Vec<Value>>, SqlError> {
    let behind = Keys { after: keys.after.clone(), until: None };
    let (range, params) = behind.predicate(table);
    let key = table.key.join(", ");
    let ends = names.each_ref().map(|name| {
        format!(
            "SELECT * FROM (SELECT {key} FROM {name} WHERE {range} ORDER BY {key} LIMIT 1 OFFSET {}) AS {name}_end",
            RANGE - 1
        )
    });
    let sql = format!("SELECT {key} FROM ({}) AS ends ORDER BY {key} LIMIT 1", ends.join(" UNION ALL "));
    let rows = tx.fetch(&sql, &params).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut values = Vec::with_capacity(table.key.len());
    for (index, column) in table.key_columns().enumerate() {
        values.push(match row.stored(index, column.kind)? {
            Stored::Null => Value::Null,
            Stored::Int(number) => Value::Int(number),
            Stored::Float(number) => Value::Float(number),
            Stored::Text(text) => Value::Text(text.to_owned()),
            Stored::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        });
    }
    Ok(Some(values))
}

impl Keys {
    /// The condition, and its parameters.
    fn predicate(&self, table: &TableDef) -> (String, Vec<Value>) {
        let key = table.key.join(", ");
        let mut params = Vec::new();
        let mut conditions = Vec::new();
        for (values, operator) in [(&self.after, ">"), (&self.until, "<=")] {
            let Some(values) = values else { continue };
            let places: Vec<String> = (1..=values.len()).map(|n| format!("${}", params.len() + n)).collect();
            conditions.push(format!("({key}) {operator} ({})", places.join(", ")));
            params.extend(values.iter().cloned());
        }
        if conditions.is_empty() {
            conditions.push("1 = 1".to_owned());
        }
        (conditions.join(" AND "), params)
    }
}

async fn sample(
    tx: &mut Tx,
    table: &TableDef,
    rows: &str,
    params: &[Value],
    samples: &mut Vec<String>,
) -> Result<(), SqlError> {
    let keys = table.key.join(", ");
    let sql = format!("SELECT {keys} FROM ({rows}) AS d ORDER BY {keys} LIMIT {SAMPLES}");
    for row in tx.fetch(&sql, params).await? {
        let mut parts = Vec::new();
        for (index, column) in table.key_columns().enumerate() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_keys_is_behind_one_key_and_up_to_another() {
        let keys = |after: Option<&[&str]>, until: Option<&[&str]>| {
            let values = |texts: &[&str]| texts.iter().map(|text| Value::from(*text)).collect();
            Keys { after: after.map(values), until: until.map(values) }
        };
        let one = TableDef { name: "one", columns: &[], key: &["a"], group: "a" };
        let two = TableDef { name: "two", columns: &[], key: &["a", "b"], group: "a" };
        assert_eq!(keys(None, None).predicate(&one).0, "1 = 1");
        assert_eq!(keys(Some(&["x"]), None).predicate(&one).0, "(a) > ($1)");
        let (between, params) = keys(Some(&["x", "y"]), Some(&["z", "z"])).predicate(&two);
        assert_eq!(between, "(a, b) > ($1, $2) AND (a, b) <= ($3, $4)");
        assert_eq!(params.len(), 4);
    }
}
