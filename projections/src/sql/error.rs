//! What can go wrong between us and the database.

/// Why a statement failed. Never repeats a stored value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The database did not answer, or was busy; trying again may help.
    #[error("the database of the read models is not available: {0}")]
    Unavailable(String),
    /// The database refuses the data: trying again with the same data never helps.
    #[error("the database of the read models refuses the data ({code})")]
    Data {
        /// The database's own code for the reason.
        code: String,
    },
    /// The statement or the schema is wrong: the program and the migrations do not fit each other.
    #[error("the schema of the read models does not fit this program: {0}")]
    Schema(String),
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default().into_owned();
                if is_data(&code) {
                    return Self::Data { code };
                }
                if is_transient(&code) {
                    return Self::Unavailable(code);
                }
                // The message of a schema error names tables and columns, never values.
                Self::Schema(format!("{code} {}", error.message()))
            }
            sqlx::Error::Encode(_) => Self::Data { code: "encode".to_owned() },
            sqlx::Error::ColumnDecode { index, .. } => {
                Self::Schema(format!("column {index} is of another type"))
            }
            sqlx::Error::ColumnIndexOutOfBounds { .. } | sqlx::Error::ColumnNotFound(_) => {
                Self::Schema("a column is missing".to_owned())
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable("no connection became free".to_owned()),
            sqlx::Error::PoolClosed => Self::Unavailable("closed".to_owned()),
            sqlx::Error::Io(error) => Self::Unavailable(error.kind().to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// SQLSTATE classes 22, 23 and 54 (too large), and SQLite's too big, constraint and mismatch.
fn is_data(code: &str) -> bool {
    if let Some(primary) = sqlite_primary(code) {
        return matches!(primary, 18..=20);
    }
    ["22", "23", "54"].iter().any(|class| code.starts_with(class))
}

/// Rollbacks, missing resources, shutdowns and time-outs; SQLite's busy, locked, IO and full.
fn is_transient(code: &str) -> bool {
    if let Some(primary) = sqlite_primary(code) {
        return matches!(primary, 5 | 6 | 9 | 10 | 13 | 14 | 15 | 17);
    }
    ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// SQLite's codes are numbers without leading zeros, of at most four digits; SQLSTATE has five.
fn sqlite_primary(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|code| code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (code, data, transient) in [
            ("23505", true, false),
            ("22021", true, false),
            ("54000", true, false),
            ("40001", false, true),
            ("57014", false, true),
            ("42P01", false, false),
            ("2067", true, false),
            ("3091", true, false),
            ("5", false, true),
            ("517", false, true),
            ("1", false, false),
        ] {
            assert_eq!((is_data(code), is_transient(code)), (data, transient), "{code}");
        }
    }
}
