//! Where a log and its read models are, from the one address that is configured.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use commands::backup::Place;
use sqlx::postgres::PgConnectOptions;

use crate::config::DatabaseUrl;

/// An address that names no database.
#[derive(Debug, thiserror::Error)]
#[error("DATABASE_URL: {0}")]
pub struct LocationError(String);

/// Where everything is.
#[derive(Clone, Debug)]
pub enum Location {
    /// Three files side by side: they lock, and are backed up, apart.
    Sqlite {
        /// The event log.
        log: PathBuf,
        /// The read models; they can be rebuilt from the log.
        views: PathBuf,
        /// The key vault.
        keys: PathBuf,
    },
    /// One database.
    Postgres(Box<PgConnectOptions>),
}

impl Location {
    /// The place that an address names.
    ///
    /// # Errors
    /// When it is no address of a database. The message never repeats it: it may hold a password.
    pub fn of(url: &DatabaseUrl) -> Result<Self, LocationError> {
        let text = url.expose();
        if let Some(path) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            let path = path.split('?').next().unwrap_or_default();
            if path.is_empty() || path.contains(":memory:") {
                return Err(LocationError("sqlite://FILE names a file".to_owned()));
            }
            let log = PathBuf::from(path);
            let (views, keys) = (beside(&log, "views"), beside(&log, "keys"));
            return Ok(Self::Sqlite { log, views, keys });
        }
        let options = PgConnectOptions::from_str(text)
            .map_err(|_| LocationError("not an address of PostgreSQL".to_owned()))?;
        Ok(Self::Postgres(Box::new(options)))
    }

    /// The address of the read models.
    #[must_use]
    pub fn views_url(&self, url: &DatabaseUrl) -> String {
        match self {
            Self::Sqlite { views, .. } => format!("sqlite://{}", views.display()),
            Self::Postgres(_) => url.expose().to_owned(),
        }
    }

    /// The place for backup and restore.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        match self {
            Self::Sqlite { log, keys, .. } => Place::Sqlite { log, keys },
            Self::Postgres(options) => Place::Postgres(options),
        }
    }
}

/// `data/cluestream.db` and `views` give `data/cluestream-views.db`.
fn beside(file: &Path, what: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let end = file.extension().map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    file.with_file_name(format!("{stem}-{what}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_files_stand_side_by_side() {
        let Location::Sqlite { log, views, keys } =
            Location::of(&DatabaseUrl::new("sqlite://data/cluestream.db").unwrap()).unwrap()
        else {
            panic!("a SQLite address names files");
        };
        let names = [&log, &views, &keys].map(|file| file.display().to_string());
        assert_eq!(names, ["data/cluestream.db", "data/cluestream-views.db", "data/cluestream-keys.db"]);
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in ["sqlite://", "sqlite::memory:", "postgres://user:secret@host:port/db"] {
            let Ok(url) = DatabaseUrl::new(url) else { continue };
            let message = Location::of(&url).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
