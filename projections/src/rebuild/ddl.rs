//! Copies of a read model's tables beside the live ones, made from the live tables themselves, so
//! that a migration describes each table once.

use crate::sql::{SqlError, Suffix, TableDef, Tx};

/// Creates an empty copy with its primary key. Other indexes come when the rows are in: building
/// them once is far cheaper than keeping them up row by row.
pub(super) async fn create_copy(tx: &mut Tx, table: &TableDef, suffix: Suffix) -> Result<(), SqlError> {
    let copy = table.named(suffix);
    if tx.is_postgres() {
        let keys = table.key.join(", ");
        tx.run(&format!(
            "CREATE TABLE {copy} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
            table.name
        ))
        .await?;
        return tx.run(&format!("ALTER TABLE {copy} ADD PRIMARY KEY ({keys})")).await;
    }
    let sql = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1";
    let rows = tx.fetch(sql, &[table.name.into()]).await?;
    let missing = || SqlError::Schema(format!("table {} is missing", table.name));
    let live: String = rows.first().ok_or_else(missing)?.get(0)?;
    let columns = live.find('(').map(|at| &live[at..]).ok_or_else(missing)?;
    tx.run(&format!("CREATE TABLE {copy} {columns}")).await
}

/// Creates on the copy the indexes that the live table has.
pub(super) async fn create_indexes(
    tx: &mut Tx,
    table: &TableDef,
    suffix: Suffix,
    generation: i64,
) -> Result<(), SqlError> {
    let copy = table.named(suffix);
    if tx.is_postgres() {
        let sql = "SELECT pg_get_indexdef(indexrelid) FROM pg_index \
                   WHERE indrelid = to_regclass($1)::oid AND NOT indisprimary ORDER BY indexrelid";
        for row in tx.fetch(sql, &[table.name.into()]).await? {
            let live: String = row.get(0)?;
            let unique = if live.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
            // Without a name PostgreSQL finds a free one by itself.
            let Some(at) = live.find(" USING ") else { continue };
            tx.run(&format!("CREATE {unique}INDEX ON {copy}{}", &live[at..])).await?;
        }
        return tx.run(&format!("ANALYZE {copy}")).await;
    }
    let sql = "SELECT name, sql FROM sqlite_master \
               WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL ORDER BY name";
    for row in tx.fetch(sql, &[table.name.into()]).await? {
        let (name, live): (String, String) = (row.get(0)?, row.get(1)?);
        let unique = if live.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
        let Some(at) = live.find('(') else { continue };
        // Names of indexes are global, and those of the live and the former copy are taken.
        let name = format!("{}_{}{generation}", base_name(&name), marker(suffix));
        tx.run(&format!("CREATE {unique}INDEX {name} ON {copy} {}", &live[at..])).await?;
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
