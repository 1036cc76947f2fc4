//! Copies of a read model's tables beside the live ones, made from the live tables themselves, so
//! that a migration describes each table once.

use crate::sql::{SqlError, Suffix, TableDef, Tx};

/// Creates an empty copy with its primary key and the index by which a batch loads its rows. Other
/// indexes come when the rows are in: building them once is far cheaper than row by row.
pub(super) async fn create_copy(
    tx: &mut Tx,
    table: &TableDef,
    suffix: Suffix,
    generation: i64,
) -> Result<(), SqlError> {
    let copy = table.named(suffix);
    if tx.is_postgres() {
        let keys = table.key.join(", ");
        tx.run(&format!(
            "CREATE TABLE {copy} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
            table.name
        ))
        .await?;
        tx.run(&format!("ALTER TABLE {copy} ADD PRIMARY KEY ({keys})")).await?;
        // LIKE does not say which columns the planner may keep samples of.
        let sql = "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = to_regclass($1)::oid \
                   AND attnum > 0 AND NOT attisdropped AND attstattarget = 0";
        for row in tx.fetch(sql, &[table.name.into()]).await? {
            let column: String = row.get(0)?;
            tx.run(&format!("ALTER TABLE {copy} ALTER COLUMN {column} SET STATISTICS 0")).await?;
        }
    } else {
        let sql = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1";
        let rows = tx.fetch(sql, &[table.name.into()]).await?;
        let missing = || SqlError::Schema(format!("table {} is missing", table.name));
        let live: String = rows.first().ok_or_else(missing)?.get(0)?;
        let columns = live.find('(').map(|at| &live[at..]).ok_or_else(missing)?;
        tx.run(&format!("CREATE TABLE {copy} {columns}")).await?;
    }
    create_indexes(tx, table, suffix, generation, |columns| loads(table, columns)).await
}

/// Creates on the copy the other indexes that the live table has.
pub(super) async fn create_other_indexes(
    tx: &mut Tx,
    table: &TableDef,
    suffix: Suffix,
    generation: i64,
) -> Result<(), SqlError> {
    create_indexes(tx, table, suffix, generation, |columns| !loads(table, columns)).await?;
    if tx.is_postgres() {
        return tx.run(&format!("ANALYZE {}", table.named(suffix))).await;
    }
    Ok(())
}

/// Whether an index, by what follows its table's name, is the one that a batch loads rows by.
fn loads(table: &TableDef, columns: &str) -> bool {
    let first = columns.trim_start_matches('(').split([',', ')']).next();
    first.is_some_and(|first| first.trim() == table.group) && !columns.contains("WHERE")
}

/// Creates on the copy those indexes of the live table whose columns are wanted.
async fn create_indexes(
    tx: &mut Tx,
    table: &TableDef,
    suffix: Suffix,
    generation: i64,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), SqlError> {
    let copy = table.named(suffix);
    if tx.is_postgres() {
        let sql = "SELECT pg_get_indexdef(indexrelid) FROM pg_index \
                   WHERE indrelid = to_regclass($1)::oid AND NOT indisprimary ORDER BY indexrelid";
        for row in tx.fetch(sql, &[table.name.into()]).await? {
            let live: String = row.get(0)?;
            let unique = if live.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
            let (Some(using), Some(columns)) = (live.find(" USING "), live.find('(')) else { continue };
            if wanted(&live[columns..]) {
                // Without a name PostgreSQL finds a free one by itself.
                tx.run(&format!("CREATE {unique}INDEX ON {copy}{}", &live[using..])).await?;
            }
        }
        return Ok(());
    }
    let sql = "SELECT name, sql FROM sqlite_master \
               WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL ORDER BY name";
    for row in tx.fetch(sql, &[table.name.into()]).await? {
        let (name, live): (String, String) = (row.get(0)?, row.get(1)?);
        let unique = if live.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
        let Some(columns) = live.find('(').map(|at| &live[at..]) else { continue };
        if wanted(columns) {
            // Names of indexes are global, and those of the live and the former copy are taken.
            let name = format!("{}_{}{generation}", base_name(&name), marker(suffix));
            tx.run(&format!("CREATE {unique}INDEX {name} ON {copy} {columns}")).await?;
        }
    }
    Ok(())
}

/// What tells the generations of an index apart.
const fn marker(suffix: Suffix) -> &'static str {
    match suffix {
        Suffix::Check => "c",
        _ => "g",
    }
}

/// The name of an index without its generation.
fn base_name(name: &str) -> &str {
    match name.rsplit_once("_g") {
        Some((base, generation))
            if !generation.is_empty() && generation.chars().all(|c| c.is_ascii_digit()) =>
        {
            base
        }
        _ => name,
    }
}

/// Drops a copy, when there is one.
pub(super) async fn drop_copy(tx: &mut Tx, table: &TableDef, suffix: Suffix) -> Result<(), SqlError> {
    tx.run(&format!("DROP TABLE IF EXISTS {}", table.named(suffix))).await
}

/// Whether there is such a copy.
pub(super) async fn exists(tx: &mut Tx, table: &TableDef, suffix: Suffix) -> Result<bool, SqlError> {
    let sql = if tx.is_postgres() {
        "SELECT 1::bigint WHERE to_regclass($1) IS NOT NULL"
    } else {
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1"
    };
    Ok(!tx.fetch(sql, &[table.named(suffix).into()]).await?.is_empty())
}

/// Gives a copy another copy's name.
pub(super) async fn rename(tx: &mut Tx, table: &TableDef, from: Suffix, to: Suffix) -> Result<(), SqlError> {
    tx.run(&format!("ALTER TABLE {} RENAME TO {}", table.named(from), table.named(to))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_replace_each_other_in_names_of_indexes() {
        assert_eq!(base_name("clue_list_owner"), "clue_list_owner");
        assert_eq!(base_name("clue_list_owner_g12"), "clue_list_owner");
        assert_eq!(base_name("clue_list_gram"), "clue_list_gram");
        assert_eq!(base_name("clue_list_g"), "clue_list_g");
    }
}
