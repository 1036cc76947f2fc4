//! Values as arguments of either driver.

use std::borrow::Cow;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use super::error::SqlError;
use super::value::Value;

fn refused(_: sqlx::error::BoxDynError) -> SqlError {
    SqlError::Data { code: "encode".to_owned() }
}

/// Arguments for PostgreSQL; lists become arrays.
pub(super) fn postgres(params: &[Value]) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    for param in params {
        match param {
            Value::Null => arguments.add(None::<String>),
            Value::Int(value) => arguments.add(*value),
            Value::Float(value) => arguments.add(*value),
            Value::Text(value) => arguments.add(value.as_str()),
            Value::Bytes(value) => arguments.add(value.as_slice()),
            Value::Texts(values) => arguments.add(values.as_ref()),
            Value::Ints(values) => arguments.add(values.as_ref()),
        }
        .map_err(refused)?;
    }
    Ok(arguments)
}

/// Arguments for SQLite; lists become JSON arrays, which `json_each` unfolds.
pub(super) fn sqlite(params: &[Value]) -> Result<SqliteArguments<'static>, SqlError> {
    let mut arguments = SqliteArguments::default();
    for param in params {
        let json =
            |json: serde_json::Result<String>| json.map_err(|_| SqlError::Data { code: "encode".to_owned() });
        match param {
            Value::Null => arguments.add(None::<String>),
            Value::Int(value) => arguments.add(*value),
            Value::Float(value) => arguments.add(*value),
            Value::Text(value) => arguments.add(value.clone()),
            Value::Bytes(value) => arguments.add(value.clone()),
            Value::Texts(values) => arguments.add(json(serde_json::to_string(values.as_ref()))?),
            Value::Ints(values) => arguments.add(json(serde_json::to_string(values.as_ref()))?),
        }
        .map_err(refused)?;
    }
    Ok(arguments)
}

/// `= ANY($n)` in SQLite's words.
pub(super) fn sqlite_text(sql: &str) -> Cow<'_, str> {
    const ANY: &str = "= ANY($";
    if !sql.contains(ANY) {
        return Cow::Borrowed(sql);
    }
    let mut out = String::with_capacity(sql.len() + 64);
    let mut rest = sql;
    while let Some(at) = rest.find(ANY) {
        out.push_str(&rest[..at]);
        rest = &rest[at + ANY.len()..];
        let digits = rest.find(')').unwrap_or(rest.len());
        out.push_str("IN (SELECT value FROM json_each($");
        out.push_str(&rest[..digits]);
        out.push_str("))");
        rest = rest.get(digits + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_unfolded_wherever_they_stand() {
        assert_eq!(
            sqlite_text("SELECT 1 WHERE a = ANY($1) AND b = ANY($12) AND c = $3"),
            "SELECT 1 WHERE a IN (SELECT value FROM json_each($1)) \
             AND b IN (SELECT value FROM json_each($12)) AND c = $3"
        );
        assert_eq!(sqlite_text("SELECT 1"), "SELECT 1");
    }
}
