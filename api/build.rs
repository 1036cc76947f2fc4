//! Fetches GraphiQL with npm and puts the files that the program embeds where it finds them.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

/// Files of npm packages, and what the program calls them.
const FILES: [(&str, &str); 5] = [
    ("react/umd/react.production.min.js", "react.js"),
    ("react-dom/umd/react-dom.production.min.js", "react-dom.js"),
    ("graphiql/graphiql.min.js", "graphiql.js"),
    ("graphiql/graphiql.min.css", "graphiql.css"),
    ("graphql-ws/umd/graphql-ws.min.js", "graphql-ws.js"),
];

fn main() {
    for watched in ["package.json", "package-lock.json", "index.html", "console.js", "console.css"] {
        println!("cargo::rerun-if-changed=graphiql/{watched}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(reason) = embed() {
        println!("cargo::error=the web console cannot be built: {reason}");
        exit(1);
    }
}

fn embed() -> Result<(), String> {
    let source = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("graphiql");
    let target = PathBuf::from(variable("OUT_DIR")?).join("console");
    let modules = source.join("node_modules");
    if !is_current(&source, &modules) {
        install(&source)?;
    }
    fs::create_dir_all(&target).map_err(|error| error.to_string())?;
    for (from, to) in FILES {
        let from = modules.join(from);
        let text = fs::read_to_string(&from).map_err(|error| {
            format!(
                "{} cannot be read ({error}); remove {} and build again",
                from.display(),
                modules.display()
            )
        })?;
        // Source maps are not embedded, so nothing should ask for them.
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("# sourceMappingURL=")).collect();
        fs::write(target.join(to), lines.join("\n")).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Whether what npm installed is what the lock file says now.
fn is_current(source: &Path, modules: &Path) -> bool {
    let changed = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let installed = changed(modules.join(".package-lock.json"));
    installed.is_some() && installed >= changed(source.join("package-lock.json"))
}

fn install(source: &Path) -> Result<(), String> {
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(source)
        .output()
        .map_err(|error| format!("`npm` cannot be started ({error}); install Node.js 20 or newer"))?;
    if npm.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&npm.stderr);
    for line in said.lines() {
        println!("cargo::warning=npm: {line}");
    }
    Err(format!("`npm ci` in {} failed ({}); see npm's own words above", source.display(), npm.status))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}
