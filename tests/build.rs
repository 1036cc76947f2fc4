//! Makes the server side of the EventStoreDB protocol for the double, from the protos that the client
//! ships: both ends then speak of the same messages.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

const PROTOS: [&str; 3] = ["streams.proto", "gossip.proto", "serverfeatures.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let folder = client()?.join("protos");
    let messages = protox::compile(PROTOS, [&folder])?;
    tonic_build::configure()
        .bytes(["."])
        .extern_path(".event_store.client.Empty", "()")
        .compile_fds(messages)?;
    Ok(())
}

/// The folder of the client's sources. Cargo has them already; of the workspace's other packages those of
/// this platform alone, and perhaps not all of them.
fn client() -> Result<PathBuf, Box<dyn Error>> {
    let platform = format!("--filter-platform={}", std::env::var("TARGET")?);
    let asked = Command::new(std::env::var("CARGO")?)
        .args(["metadata", "--format-version=1", "--locked", &platform])
        .output()?;
    if !asked.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&asked.stderr)).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&asked.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo names no packages")?;
    let client = packages.iter().find(|package| package["name"] == "eventstore");
    let manifest = client.and_then(|client| client["manifest_path"].as_str()).ok_or("no client")?;
    Ok(PathBuf::from(manifest).parent().ok_or("a manifest is in a folder")?.to_owned())
}
