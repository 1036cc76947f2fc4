//! Configuration: flags win over the environment, the environment over the file, the file over the
//! defaults.
//!
//! Guarantees: a key or a `CLUESTREAM_*` variable that does not exist is an error that says where it
//! stands, never silently ignored; every setting is declared once, in [`settings::SETTINGS`], from
//! which the file, the environment and `docs/config.example.toml` follow.
//!
//! Deliberately absent: secrets as flags, which every process of the machine could read; reloading
//! while the program runs.

mod event_store;
mod file;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use event_store::EventStoreUrl;
pub use settings::{SETTINGS, Setting, example};

/// Names of all variables that belong to this program begin so.
const PREFIX: &str = "CLUESTREAM_";
/// Names the configuration file.
const CONFIG_VARIABLE: &str = "CLUESTREAM_CONFIG";
/// The stream of EventStoreDB that is the log when nobody says otherwise.
const DEFAULT_STREAM: &str = "cluestream";

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where events, read models and keys are stored.
    pub database_url: DatabaseUrl,
    /// Where the log is kept, when in EventStoreDB; the database holds a replica of it then.
    pub event_store_url: Option<EventStoreUrl>,
    /// The stream of EventStoreDB that is the log.
    pub event_store_stream: String,
    /// Where the HTTP server listens.
    pub listen: SocketAddr,
    /// Where the key files are.
    pub keys_dir: PathBuf,
    /// Where signed checkpoints of the log are written.
    pub checkpoints_dir: PathBuf,
    /// How often the log is signed, when there is anything new.
    pub checkpoint_interval: Duration,
    /// What a single request may cost.
    pub limits: Limits,
    /// What the program writes about itself.
    pub log: Log,
    /// How long a token is good for when nobody says otherwise.
    pub token_lifetime: Duration,
}

/// What a single request may cost, and how many long ones there are. Each limit is stated in the error of a
/// request beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body, or of a message on a socket.
    pub body_bytes: usize,
    /// Lexical tokens of a query.
    pub tokens: usize,
    /// Fields within fields.
    pub depth: usize,
    /// Fields, each counted as often as it can be answered.
    pub complexity: usize,
    /// Aliases and repeated fields of an operation.
    pub aliases: usize,
    /// Directives of an operation.
    pub directives: usize,
    /// Rows of a page.
    pub page_size: usize,
    /// Replies with events that are open at once.
    pub replies: usize,
    /// Replies with events that one operator has open at once.
    pub replies_each: usize,
}

/// What the program writes about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is written, as a `tracing` filter such as `info` or `info,api=debug`.
    pub level: String,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The address of a database, which may hold a password: its debug form leaves that out.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// What the command line says.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// The configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = CONFIG_VARIABLE)]
    pub config: Option<PathBuf>,
    /// Where events, read models and keys are stored; a URL with a password belongs in DATABASE_URL
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Where the HTTP server listens
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where the key files are
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub keys_dir: Option<String>,
    /// How a log line looks: text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, such as `info` or `info,api=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    pub log_level: Option<String>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or says something that is not allowed.
    #[error("{}:{line}:{column}: {reason}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A variable of ours that means nothing.
    #[error("the environment has {name}, which is no setting; docs/config.example.toml has them all")]
    UnknownVariable {
        /// Its name.
        name: String,
    },
    /// A variable whose value cannot be used.
    #[error("the environment variable {name}: {reason}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A flag whose value cannot be used.
    #[error("the flag --{name}: {reason}")]
    Flag {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Config {
    /// The configuration from flags, this process's environment, and the file.
    ///
    /// # Errors
    /// Says which setting is wrong, and where.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_sources(flags, variables)
    }

    /// The configuration from flags, an environment, and the file.
    ///
    /// # Errors
    /// Says which setting is wrong, and where.
    pub fn from_sources(
        flags: &Flags,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Some(file) = &flags.config {
            config.read_file(file)?;
        }
        config.read_environment(variables)?;
        config.read_flags(flags)?;
        Ok(config)
    }

    fn read_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        file::apply(self, &text).map_err(|error| {
            let (line, column) = file::line_and_column(&text, error.at);
            ConfigError::File { file: file.to_owned(), line, column, reason: error.reason }
        })
    }

    fn read_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (name, value) in variables {
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable == name) {
                (setting.set)(self, &value).map_err(|reason| ConfigError::Variable { name, reason })?;
            } else if name.starts_with(PREFIX) && name != CONFIG_VARIABLE {
                return Err(ConfigError::UnknownVariable { name });
            }
        }
        Ok(())
    }

    fn read_flags(&mut self, flags: &Flags) -> Result<(), ConfigError> {
        let given = [
            ("database-url", "database_url", &flags.database_url),
            ("listen", "listen", &flags.listen),
            ("keys-dir", "keys_dir", &flags.keys_dir),
            ("log-format", "log.format", &flags.log_format),
            ("log-level", "log.level", &flags.log_level),
        ];
        for (name, key, value) in given {
            let Some(value) = value else { continue };
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else { continue };
            (setting.set)(self, value).map_err(|reason| ConfigError::Flag { name, reason })?;
        }
        if flags.database_url.is_some() && self.database_url.has_password() {
            let reason = "every process of this machine can read a password on the command line; \
                          put the URL into the environment variable DATABASE_URL";
            return Err(ConfigError::Flag { name: "database-url", reason: reason.to_owned() });
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: DatabaseUrl("sqlite://data/cluestream.db".to_owned()),
            event_store_url: None,
            event_store_stream: DEFAULT_STREAM.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            keys_dir: PathBuf::from("data/keys"),
            checkpoints_dir: PathBuf::from("data/checkpoints"),
            checkpoint_interval: Duration::from_secs(60),
            limits: Limits::default(),
            log: Log { format: LogFormat::Text, level: "info".to_owned() },
            token_lifetime: Duration::from_secs(8 * 60 * 60),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            tokens: 2_000,
            depth: 12,
            complexity: 5_000,
            aliases: 30,
            directives: 50,
            page_size: 200,
            replies: 64,
            replies_each: 8,
        }
    }
}

impl DatabaseUrl {
    /// The address of a database.
    ///
    /// # Errors
    /// When the scheme names no kind of database that the program knows. Never repeats the text.
    pub fn new(url: &str) -> Result<Self, String> {
        let known = ["sqlite:", "postgres://", "postgresql://"];
        if known.iter().any(|scheme| url.starts_with(scheme)) {
            return Ok(Self(url.to_owned()));
        }
        Err("a database URL begins with sqlite:// or postgres://".to_owned())
    }

    /// The whole URL, password included: for connecting, never for showing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Where the user and the password stand, if anything does.
    fn credentials(&self) -> Option<&str> {
        let rest = self.0.split_once("://")?.1;
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        authority.rsplit_once('@').map(|(credentials, _)| credentials)
    }

    fn has_password(&self) -> bool {
        self.credentials().is_some_and(|credentials| credentials.contains(':'))
            || self.0.contains("password=")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.credentials().map_or(self.0.clone(), |secret| {
            let user = secret.split(':').next().unwrap_or_default();
            self.0.replacen(secret, &format!("{user}:***"), 1)
        });
        // A password can stand in the query too; nothing there helps a reader.
        f.write_str(url.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
