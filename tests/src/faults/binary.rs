//! The program under test: a build of `cluestream` with its fail points.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::as_from_a_shell;

/// Names a program to test instead of building one.
pub const BINARY: &str = "FAULTS_BINARY";

static BUILT: OnceLock<PathBuf> = OnceLock::new();

/// The program, built when need be. After `make test` has built the workspace that takes a second.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn binary() -> &'static Path {
    BUILT.get_or_init(|| std::env::var_os(BINARY).map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    // All of the workspace, so that libraries are those that the tests were built with.
    let output = as_from_a_shell(&mut Command::new(env!("CARGO")))
        .args(["build", "--workspace", "--features", "api/fail-points", "--bin", "cluestream", "--quiet"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the program with fail points does not build: {complaint}");
    let messages = String::from_utf8(output.stdout).expect("cargo writes JSON");
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let program = message["target"]["name"] == "cluestream";
        message["executable"].as_str().filter(|_| program).map(PathBuf::from)
    };
    let built = messages.lines().find_map(executable).expect("cargo names the program");
    // A name of its own: the next build of the program without fail points takes the other one.
    let own = built.with_file_name("cluestream-with-fail-points");
    let fresh = built.with_file_name(format!("cluestream-with-fail-points.{}", std::process::id()));
    fs::hard_link(&built, &fresh).or_else(|_| fs::copy(&built, &fresh).map(drop)).expect("a second name");
    fs::rename(&fresh, &own).expect("a second name");
    // Renaming onto another name of the same file does nothing.
    let _ = fs::remove_file(&fresh);
    own
}

/// The library that fakes the clock of a program.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn fake_clock() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("libraries").flatten();
    let library = |folder: fs::DirEntry| folder.path().join("faketime/libfaketimeMT.so.1");
    let mut libraries = folders.map(library).filter(|path| path.exists());
    libraries.next().expect("libfaketime is installed: `make setup-test` does it, or apt install faketime")
}
