//! An installation of the program: a database that things can happen to, keys, a line, people.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::database::{Backend, Database};
use super::process::Setting;

/// The line that everybody works in.
pub const LINE: &str = "used-car-sales";
/// How many agents there are.
pub const AGENTS: usize = 4;
/// How long a token is good for, in seconds: clocks jump.
const LIFETIME: &str = "31536000";
/// The folder of signed checkpoints.
const CHECKPOINTS: &str = "checkpoints";

/// Somebody who sends commands.
#[derive(Clone, Debug)]
pub struct Person {
    /// The operator's id.
    pub id: String,
    /// A token for it.
    pub token: String,
}

/// An installation.
pub struct Site {
    /// Where its data is.
    pub database: Database,
    /// How its processes are started.
    pub setting: Setting,
    /// Agents, then the manager.
    pub people: Vec<Person>,
    /// Who may read the log.
    pub auditor: Person,
    folder: TempDir,
}

impl Site {
    /// A fresh installation.
    ///
    /// # Panics
    /// When something of it does not work.
    pub async fn new(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(backend).await;
        let environment = [
            ("KEYS_DIR", folder.path().join("keys").display().to_string()),
            ("CHECKPOINTS_DIR", folder.path().join(CHECKPOINTS).display().to_string()),
            ("CLUESTREAM_CHECKPOINTS_INTERVAL_SECONDS", "1".to_owned()),
            ("CLUESTREAM_LOG_LEVEL", "info".to_owned()),
        ];
        let environment = database.environment().into_iter().chain(environment).collect();
        let setting = Setting { environment, ..Setting::default() };
        let line = documents().join("lines").join(format!("{LINE}.toml"));
        setting.done(&["keys", "init"]).await;
        setting.done(&["migrate"]).await;
        setting.done(&["line", "apply", &line.display().to_string()]).await;
        let mut people = Vec::new();
        for number in 0..AGENTS {
            people.push(hire(&setting, &format!("Agent {number}"), "agent").await);
        }
        people.push(hire(&setting, "Manager", "manager").await);
        let auditor = hire(&setting, "Auditor", "auditor").await;
        Self { database, setting, people, auditor, folder }
    }

    /// Where its log is signed: not where its database is.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.file(CHECKPOINTS)
    }

    /// A file in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The folder `docs`.
#[must_use]
pub fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("docs")
}

async fn hire(setting: &Setting, name: &str, role: &str) -> Person {
    let lines: &[&str] = if role == "auditor" { &[] } else { &["--line", LINE] };
    let id = setting.done(&[&["user", "add", name, "--role", role], lines].concat()).await;
    let token = setting.done(&["token", &id, "--lifetime", LIFETIME]).await;
    Person { id, token }
}
