//! A test of this binary in an operating system process of its own, to race or to kill.

use std::process::Command;

/// Takes away what cargo tells the programs that it runs. A cargo under a cargo that sees it takes what
/// build scripts were run with for changed, and builds half of all dependencies anew.
pub fn as_from_a_shell(command: &mut Command) -> &mut Command {
    let told = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "OUT_DIR"].iter().any(|told| name.starts_with(told))
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(told) {
            command.env_remove(name);
        }
    }
    command
}

/// How the process is told what to do.
const TOLD: &str = "SUITE_CHILD";

/// Runs one test of this binary, by its full name, in a process of its own that is [`told`] something.
///
/// # Panics
/// When the binary does not know where it is.
#[must_use]
pub fn child(test: &str, told: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary is a file"));
    command.args(["--exact", test, "--nocapture"]).env(TOLD, told);
    command
}

/// What the parent told this process; nothing when it has no such parent.
#[must_use]
pub fn told() -> Option<String> {
    std::env::var(TOLD).ok()
}
