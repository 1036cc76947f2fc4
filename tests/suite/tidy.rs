//! House rules that a machine can check: who depends on whom, file sizes, banned words, module
//! headers, and that read models and docs name things that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every arrow that is allowed between our crates.
const ARROWS: [(&str, &str); 7] = [
    ("commands", "domain"),
    ("projections", "domain"),
    ("api", "domain"),
    ("api", "commands"),
    ("api", "projections"),
    ("api", "migrations"),
    ("migrations", ""),
];
const MAX_LINES: usize = 500;
/// Names of files and folders that only tests compile.
const TEST_ONLY: [&str; 4] = ["tests", "tests.rs", "testing.rs", "build.rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Tracked files below the root, by path from there.
fn tracked() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().expect("git answers");
    String::from_utf8(listed.stdout).expect("paths are text").lines().map(str::to_owned).collect()
}

/// Rust sources outside tests and benchmarks.
fn sources() -> Vec<(String, String)> {
    let is_source = |path: &String| {
        path.ends_with(".rs")
            && !path.starts_with("tests/")
            && !path.split('/').any(|part| TEST_ONLY.contains(&part))
    };
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
        // Unit tests stand at the end of a file.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        (path, code)
    };
    tracked().into_iter().filter(is_source).map(read).collect()
}

#[test]
fn crates_depend_only_along_the_allowed_arrows() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo answers");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        if name == "tests" {
            continue;
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let (to, kind) = (dependency["name"].as_str().expect("a name"), dependency["kind"].as_str());
            if ours.contains(to) && kind != Some("dev") {
                assert!(ARROWS.contains(&(name, to)), "{name} must not depend on {to}");
            }
        }
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    for (library, homes) in [
        ("sqlx", &["commands", "projections", "migrations", "api"][..]),
        ("axum", &["api"]),
        ("async-graphql", &["api"]),
        ("postgres-es", &["commands"]),
        ("phonenumber", &["domain"]),
    ] {
        for part in ["domain", "commands", "projections", "api", "migrations"] {
            let manifest = fs::read_to_string(root().join(part).join("Cargo.toml")).expect("a manifest");
            let uses = manifest.lines().any(|line| line.starts_with(&format!("{library}.")));
            assert!(!uses || homes.contains(&part), "{part} must not use {library}");
        }
    }
}

#[test]
fn files_have_one_subject_so_none_is_long() {
    let long: Vec<String> = tracked()
        .into_iter()
        .filter(|path| path.ends_with(".rs") || path.ends_with(".sql"))
        .filter(|path| {
            fs::read_to_string(root().join(path)).is_ok_and(|text| text.lines().count() > MAX_LINES)
        })
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:?}");
}

#[test]
fn nothing_outside_tests_can_panic_by_a_shortcut_or_is_left_to_somebody() {
    // Put together, so that this file does not find itself.
    let banned = [
        concat!(".unw", "rap()"),
        concat!(".exp", "ect("),
        concat!("pan", "ic!("),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    let mut found = Vec::new();
    for (path, code) in sources() {
        for (number, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // A constant is checked by the compiler: it fails the build, not the program.
            let constant = line.contains("const ");
            if !constant && banned.iter().any(|word| code.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_fail_point_is_listed_for_the_harness_and_for_readers() {
    let mark = "fail_point!(\"";
    let in_code: BTreeSet<String> = sources()
        .iter()
        .flat_map(|(_, code)| code.split(mark).skip(1).filter_map(|rest| rest.split('"').next()))
        .map(str::to_owned)
        .collect();
    let listed: BTreeSet<String> =
        tests::faults::points::POINTS.iter().map(|point| point.name.to_owned()).collect();
    assert_eq!(in_code, listed, "tests/src/faults/points.rs lists the fail points of the code");
    let page = fs::read_to_string(root().join("docs/faults.md")).expect("the page");
    let (_, table) = page.split_once("## Fail points").expect("its list");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), listed, "docs/faults.md lists them");
}

#[test]
fn no_build_has_fail_points_that_was_not_asked_for_them() {
    let features = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--edges", "features", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo answers");
    assert!(features.status.success(), "{}", String::from_utf8_lossy(&features.stderr));
    let features = String::from_utf8_lossy(&features.stdout);
    assert!(features.contains("fail v"), "the crate of fail points is there");
    assert!(!features.contains("failpoints") && !features.contains("fail-points"), "a feature turns them on");
}

#[test]
fn no_test_is_switched_off() {
    let ignored: Vec<String> = tracked()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .filter(|path| {
            fs::read_to_string(root().join(path)).is_ok_and(|text| text.contains(concat!("#[ign", "ore")))
        })
        .collect();
    assert!(ignored.is_empty(), "{ignored:?}");
}

#[test]
fn every_module_root_opens_with_what_it_guarantees() {
    let is_root = |path: &String| ["/lib.rs", "/mod.rs", "/main.rs"].iter().any(|end| path.ends_with(end));
    for path in tracked().into_iter().filter(is_root) {
        let text = fs::read_to_string(root().join(&path)).expect("it reads");
        assert!(text.starts_with("//!"), "{path} does not open with //!");
    }
}

#[test]
fn the_architecture_page_is_short_and_names_folders_that_exist() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    assert!(page.lines().count() < 300);
    for word in page.split('`').skip(1).step_by(2) {
        let is_path =
            word.contains('/') && !word.contains(' ') && !word.contains(':') && !word.starts_with('/');
        if is_path && !word.contains(['*', '<', '{']) {
            assert!(root().join(word).exists(), "ARCHITECTURE.md names {word}, which does not exist");
        }
    }
}

#[test]
fn the_architecture_page_names_every_part_of_every_crate() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    let nameless = ["lib.rs", "main.rs", "tests", "tests.rs"];
    for path in tracked() {
        let parts: Vec<&str> = path.split('/').collect();
        let [krate, "src", part, ..] = parts[..] else { continue };
        // Of a part that is a file with a folder, one is enough.
        let stem = part.trim_end_matches(".rs");
        let named = page.contains(&format!("`{krate}/src/{stem}"));
        assert!(named || nameless.contains(&part), "ARCHITECTURE.md does not name {krate}/src/{part}");
    }
}
