//! Copies of a read model's tables beside the live ones, made from the live tables themselves, so
//! that a migration describes each table once.

use crate::sql::{Database, SqlError, Suffix, TableDef, Tx, Value};

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

/// Which of these tables there are.
pub(super) async fn existing(db: &Database, names: &[String]) -> Result<Vec<String>, SqlError> {
    let sql = if db.is_postgres() {
        "SELECT relname::text FROM pg_class WHERE relname = ANY($1) AND pg_table_is_visible(oid)"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ANY($1)"
    };
    db.fetch(sql, &[Value::texts(names)]).await?.iter().map(|row| row.get(0)).collect()
}

/// Gives everybody who has rights on a copy the same rights on another one. SQLite knows none.
pub(super) async fn grant_alike(
    tx: &mut Tx,
    table: &TableDef,
    from: Suffix,
    to: Suffix,
) -> Result<(), SqlError> {
    if !tx.is_postgres() {
        return Ok(());
    }
    let sql = "SELECT format('GRANT %s%s ON %s TO %s%s', privilege_type, part, to_regclass($2), \
                 CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, \
                 CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
               FROM (SELECT ''::text AS part, acl.* FROM pg_class, aclexplode(relacl) AS acl \
                       WHERE oid = to_regclass($1)::oid \
                     UNION ALL SELECT format(' (%I)', attname), acl.* FROM pg_attribute, aclexplode(attacl) AS acl \
                       WHERE attrelid = to_regclass($1)::oid AND attnum > 0 AND NOT attisdropped) AS held \
               WHERE grantee <> (SELECT relowner FROM pg_class WHERE oid = to_regclass($2)::oid)";
    let names = [table.named(from).into(), table.named(to).into()];
    for row in tx.fetch(sql, &names).await? {
        let grant: String = row.get(0)?;
        tx.run(&grant).await?;
    }
    Ok(())
}

/// The views that read these tables or their retired copies. SQLite's follow the names.
pub(super) async fn dependents(db: &Database, tables: &[&TableDef]) -> Result<Vec<String>, SqlError> {
    if !db.is_postgres() {
        return Ok(Vec::new());
    }
    let copies = |table: &&TableDef| [table.named(Suffix::Live), table.named(Suffix::Old)];
    let names: Vec<String> = tables.iter().flat_map(copies).collect();
    let sql = "SELECT DISTINCT v.oid::regclass::text FROM pg_class t \
               JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid \
                 AND d.classid = 'pg_rewrite'::regclass \
               JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class \
               WHERE t.relname = ANY($1) AND pg_table_is_visible(t.oid) AND v.oid <> t.oid ORDER BY 1";
    db.fetch(sql, &[Value::texts(names)]).await?.iter().map(|row| row.get(0)).collect()
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
