//! Every setting: its key in the file, its environment variable, what it means, how it is read.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Config, DatabaseUrl, EventStoreUrl, LogFormat};

/// One setting.
#[derive(Clone, Copy)]
pub struct Setting {
    /// Its key in the file, with its table: `limits.depth`.
    pub key: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// What it means.
    pub about: &'static str,
    /// Reads it from text.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    /// Shows it as TOML.
    show: fn(&Config) -> String,
}

/// Declares a limit: a whole number above zero.
macro_rules! limit {
    ($name:ident, $variable:literal, $about:literal) => {
        Setting {
            key: concat!("limits.", stringify!($name)),
            variable: $variable,
            about: $about,
            set: |config, text| {
                config.limits.$name = positive(text)?;
                Ok(())
            },
            show: |config| config.limits.$name.to_string(),
        }
    };
}

/// Every setting, in the order of the example file: those of no table first.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "database_url",
        variable: "DATABASE_URL",
        about: "Where events, read models and keys are stored: sqlite://FILE or postgres://…",
        set: |config, text| {
            config.database_url = DatabaseUrl::new(text)?;
            Ok(())
        },
        show: |config| quoted(config.database_url.expose()),
    },
    Setting {
        key: "event_store_url",
        variable: "EVENT_STORE_URL",
        about: "The EventStoreDB that keeps the log, esdb://…; the database is its replica then. Empty: the \
                database keeps the log.",
        set: |config, text| {
            config.event_store_url = if text.is_empty() { None } else { Some(EventStoreUrl::new(text)?) };
            Ok(())
        },
        show: |config| quoted(config.event_store_url.as_ref().map_or("", EventStoreUrl::expose)),
    },
    Setting {
        key: "event_store_stream",
        variable: "EVENT_STORE_STREAM",
        about: "The stream of EventStoreDB that is the log. It never changes for a database.",
        set: |config, text| {
            not_empty(text)?.clone_into(&mut config.event_store_stream);
            Ok(())
        },
        show: |config| quoted(&config.event_store_stream),
    },
    Setting {
        key: "listen",
        variable: "LISTEN",
        about: "Where the HTTP server listens. Put TLS before it when it leaves this machine.",
        set: |config, text| {
            config.listen = text.parse().map_err(|_| "an address is HOST:PORT, such as 127.0.0.1:8080")?;
            Ok(())
        },
        show: |config| quoted(&config.listen.to_string()),
    },
    Setting {
        key: "keys_dir",
        variable: "KEYS_DIR",
        about: "Where `cluestream keys init` puts the key files. Losing them loses data.",
        set: |config, text| {
            config.keys_dir = not_empty(text)?.into();
            Ok(())
        },
        show: |config| quoted(&config.keys_dir.display().to_string()),
    },
    Setting {
        key: "checkpoints_dir",
        variable: "CHECKPOINTS_DIR",
        about: "Where signed checkpoints of the log go: best where the database's administrators cannot write.",
        set: |config, text| {
            config.checkpoints_dir = not_empty(text)?.into();
            Ok(())
        },
        show: |config| quoted(&config.checkpoints_dir.display().to_string()),
    },
    limit!(body_bytes, "CLUESTREAM_LIMITS_BODY_BYTES", "Bytes of a request body."),
    limit!(tokens, "CLUESTREAM_LIMITS_TOKENS", "Lexical tokens of a GraphQL document."),
    limit!(depth, "CLUESTREAM_LIMITS_DEPTH", "Fields within fields."),
    limit!(
        complexity,
        "CLUESTREAM_LIMITS_COMPLEXITY",
        "Fields of an operation, each counted as often as it can be answered."
    ),
    limit!(aliases, "CLUESTREAM_LIMITS_ALIASES", "Aliases and repeated fields of an operation."),
    limit!(directives, "CLUESTREAM_LIMITS_DIRECTIVES", "Directives of an operation."),
    limit!(page_size, "CLUESTREAM_LIMITS_PAGE_SIZE", "Rows of a page."),
    limit!(replies, "CLUESTREAM_LIMITS_REPLIES", "Replies of /events and /consumers that are open at once."),
    limit!(
        replies_each,
        "CLUESTREAM_LIMITS_REPLIES_EACH",
        "Replies of /events and /consumers that one operator has open at once."
    ),
    Setting {
        key: "checkpoints.interval_seconds",
        variable: "CLUESTREAM_CHECKPOINTS_INTERVAL_SECONDS",
        about: "How often the log is signed, when there is anything new.",
        set: |config, text| {
            config.checkpoint_interval = Duration::from_secs(positive(text)?);
            Ok(())
        },
        show: |config| config.checkpoint_interval.as_secs().to_string(),
    },
    Setting {
        key: "log.format",
        variable: "CLUESTREAM_LOG_FORMAT",
        about: "text or json.",
        set: |config, text| {
            config.log.format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("a log format is text or json".to_owned()),
            };
            Ok(())
        },
        show: |config| {
            quoted(match config.log.format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            })
        },
    },
    Setting {
        key: "log.level",
        variable: "CLUESTREAM_LOG_LEVEL",
        about: "What is logged: error, warn, info, debug, trace, or a filter such as info,api=debug.",
        set: |config, text| {
            tracing_subscriber::EnvFilter::try_new(text)
                .map_err(|_| "a log level is error, warn, info, debug, trace or a filter of them")?;
            not_empty(text)?.clone_into(&mut config.log.level);
            Ok(())
        },
        show: |config| quoted(&config.log.level),
    },
    Setting {
        key: "tokens.lifetime_seconds",
        variable: "CLUESTREAM_TOKENS_LIFETIME_SECONDS",
        about: "How long a token is good for when nobody says otherwise.",
        set: |config, text| {
            config.token_lifetime = Duration::from_secs(positive(text)?);
            Ok(())
        },
        show: |config| config.token_lifetime.as_secs().to_string(),
    },
];

/// The example file: every setting with its meaning, its variable and its default.
#[must_use]
pub fn example() -> String {
    let defaults = Config::default();
    let mut text = String::from(
        "# Every setting of cluestream with its default. Flags win over the environment, the environment\n\
         # over this file. An unknown key is an error.\n\
         #\n\
         #   cluestream --config cluestream.toml serve\n",
    );
    let mut table = "";
    for setting in SETTINGS {
        let (prefix, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if prefix != table {
            table = prefix;
            let _ = writeln!(text, "\n[{table}]");
        } else if prefix.is_empty() {
            text.push('\n');
        }
        let value = (setting.show)(&defaults);
        let _ = writeln!(text, "# {} ({})\n{name} = {value}", setting.about, setting.variable);
    }
    text
}

fn positive<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number: u64 = text.replace('_', "").parse().map_err(|_| "takes a whole number above zero")?;
    if number == 0 {
        return Err("takes a whole number above zero".to_owned());
    }
    T::try_from(number).map_err(|_| "is too large a number".to_owned())
}

fn not_empty(text: &str) -> Result<&str, String> {
    if text.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(text) }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
