//! Backup and restore of a log while it is in use, keys apart.
//!
//! Guarantees: a backup is one moment of the log (events, unique keys, command results), whole or
//! refused; events keep their bytes; it restores onto either database, into an empty log alone, all
//! or nothing; the restored log has a new epoch, so that a writer of the old one cannot continue it.
//! Data keys go to a file of their own, taken after the events, so that no event lacks its key.
//!
//! Deliberately absent: read models, which are rebuilt from the log, and key files of the program.

mod format;
mod store;

use std::path::Path;

use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter, Lines};

use format::{Counts, Line, Summer};

/// Which database.
#[derive(Clone, Debug)]
pub enum Place<'a> {
    /// Files of the log and of the key vault.
    Sqlite {
        /// The log's file.
        log: &'a Path,
        /// The key vault's file.
        keys: &'a Path,
    },
    /// A database.
    Postgres(&'a PgConnectOptions),
}

/// Why a backup or a restore failed. A failed restore leaves the target as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The database does not do it.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The file is no backup, of another version, cut off, or changed.
    #[error("{path}, line {line}: {reason}")]
    Damaged {
        /// Which file.
        path: String,
        /// Where, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The target holds events.
    #[error("the target log is not empty; restore into a fresh database")]
    NotEmpty,
}

/// What was saved or restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Events.
    pub events: u64,
    /// Data keys.
    pub data_keys: u64,
}

/// Writes lines of a backup.
struct Sink {
    out: BufWriter<File>,
    path: String,
    summer: Summer,
}

/// A database that can be saved and restored.
#[async_trait]
trait Store: Send {
    /// Sends the log as it is at one moment.
    async fn save_log(&mut self, sink: &mut Sink) -> Result<(), BackupError>;

    /// Sends the data keys.
    async fn save_keys(&mut self, sink: &mut Sink) -> Result<(), BackupError>;

    /// Begins to take lines of a log; fails unless the log is empty.
    async fn begin(&mut self) -> Result<(), BackupError>;

    /// Takes one line.
    async fn take(&mut self, line: Line) -> Result<(), BackupError>;

    /// Makes what was taken stay.
    async fn commit(&mut self) -> Result<(), BackupError>;
}

/// Saves the log to `log_file` and its data keys to `keys_file`. Existing files are not touched.
///
/// # Errors
/// When a file exists or cannot be written, or the database does not answer.
pub async fn backup(
    place: &Place<'_>,
    log_file: &Path,
    keys_file: &Path,
) -> Result<BackupReport, BackupError> {
    let mut store = store::open(place).await?;
    let mut log = Sink::create(log_file).await?;
    store.save_log(&mut log).await?;
    let events = log.finish().await?.events;
    let mut keys = Sink::create(keys_file).await?;
    store.save_keys(&mut keys).await?;
    let data_keys = keys.finish().await?.data_keys;
    Ok(BackupReport { events, data_keys })
}

/// Restores a log and its data keys into an empty, migrated database.
///
/// # Errors
/// When a file is damaged, the target holds events, or the database does not answer.
pub async fn restore(
    place: &Place<'_>,
    log_file: &Path,
    keys_file: &Path,
) -> Result<BackupReport, BackupError> {
    let mut store = store::open(place).await?;
    store.begin().await?;
    let data_keys = read_into(keys_file, store.as_mut()).await?.data_keys;
    let events = read_into(log_file, store.as_mut()).await?.events;
    store.commit().await?;
    Ok(BackupReport { events, data_keys })
}

/// Restores the data keys alone into a migrated database whose log is empty: what follows from a log
/// kept elsewhere then destroys again those that were destroyed since.
///
/// # Errors
/// When the file is damaged or holds something else, the target holds events, or the database does not
/// answer.
pub async fn restore_keys(place: &Place<'_>, keys_file: &Path) -> Result<BackupReport, BackupError> {
    let mut store = store::open(place).await?;
    store.begin().await?;
    let mut reader = Reader::open(keys_file).await?;
    let data_keys = loop {
        match reader.next().await? {
            Line::End { counts, sha256 } => break reader.check(counts, &sha256)?.data_keys,
            line @ (Line::Keys { .. } | Line::DataKey { .. }) => store.take(line).await?,
            _ => return Err(reader.damaged("these are no data keys")),
        }
    };
    store.commit().await?;
    Ok(BackupReport { events: 0, data_keys })
}

/// Hands every line over, and checks the sum at the end.
async fn read_into(path: &Path, store: &mut dyn Store) -> Result<Counts, BackupError> {
    let mut reader = Reader::open(path).await?;
    loop {
        match reader.next().await? {
            Line::End { counts, sha256 } => return reader.check(counts, &sha256),
            line => store.take(line).await?,
        }
    }
}

impl Sink {
    async fn create(path: &Path) -> Result<Self, BackupError> {
        let name = path.display().to_string();
        let file = File::options().write(true).create_new(true).open(path).await;
        let file = file.map_err(|error| BackupError::File { path: name.clone(), error })?;
        Ok(Self { out: BufWriter::new(file), path: name, summer: Summer::default() })
    }

    async fn send(&mut self, line: &Line) -> Result<(), BackupError> {
        let text = self.summer.line(line);
        self.out.write_all(text.as_bytes()).await.map_err(|error| self.broken(error))
    }

    async fn finish(mut self) -> Result<Counts, BackupError> {
        let (counts, end) = self.summer.end();
        let written = async {
            self.out.write_all(end.as_bytes()).await?;
            self.out.flush().await?;
            self.out.get_ref().sync_all().await
        };
        let written = written.await;
        written.map_err(|error| BackupError::File { path: self.path, error })?;
        Ok(counts)
    }

    fn broken(&self, error: std::io::Error) -> BackupError {
        BackupError::File { path: self.path.clone(), error }
    }
}

struct Reader {
    lines: Lines<BufReader<File>>,
    path: String,
    number: u64,
    summer: Summer,
}

impl Reader {
    async fn open(path: &Path) -> Result<Self, BackupError> {
        let name = path.display().to_string();
        let file = File::open(path).await;
        let file = file.map_err(|error| BackupError::File { path: name.clone(), error })?;
        Ok(Self { lines: BufReader::new(file).lines(), path: name, number: 0, summer: Summer::default() })
    }

    async fn next(&mut self) -> Result<Line, BackupError> {
        let text = self.lines.next_line().await;
        let text = text.map_err(|error| BackupError::File { path: self.path.clone(), error })?;
        self.number += 1;
        let text = text.ok_or_else(|| self.damaged("the file ends too early"))?;
        let line = Line::parse(&text).map_err(|error| self.damaged(&error.to_string()))?;
        let begins = matches!(line, Line::Log { .. } | Line::Keys { .. });
        if begins != (self.number == 1) {
            return Err(self.damaged("this is no backup, or two of them"));
        }
        if !line.is_of_known_format() {
            return Err(self.damaged("a newer program wrote this backup"));
        }
        if !matches!(line, Line::End { .. }) {
            self.summer.line(&line);
        }
        Ok(line)
    }

    fn check(mut self, counts: Counts, sha256: &str) -> Result<Counts, BackupError> {
        let (found, end) = self.summer.end();
        if found != counts || !end.contains(sha256) {
            return Err(self.damaged("the sum at the end does not fit what is in front of it"));
        }
        Ok(counts)
    }

    fn damaged(&self, reason: &str) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), line: self.number, reason: reason.to_owned() }
    }
}
