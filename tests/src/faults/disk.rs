//! A small disk of its own, to be full at will.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Leaves out what needs a disk of its own, on a machine that lets nobody mount one.
pub const WITHOUT_DISK: &str = "FAULTS_WITHOUT_DISK";

/// A file system in memory, of a fixed size; gone with this handle or with the process.
pub struct Disk {
    folder: PathBuf,
    small: bool,
    _watcher: Child,
}

impl Disk {
    /// A disk of so many megabytes. With [`WITHOUT_DISK`] it is a folder, which is never full.
    ///
    /// # Panics
    /// When the machine lets nobody mount it.
    #[must_use]
    pub fn new(megabytes: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("cluestream-disk-").tempdir().expect("a folder").keep();
        let small = std::env::var_os(WITHOUT_DISK).is_none();
        if small {
            mount(&folder, megabytes).unwrap_or_else(|error| {
                panic!(
                    "a small disk cannot be mounted ({error}): run as root, let sudo work without a password, or \
                     set {WITHOUT_DISK}=1 to leave the full disk out"
                )
            });
        }
        // Ends with its input, however this process ends. What still has files open there does not
        // hold the folder's name.
        let unmount =
            if small { format!("{} umount -l {};", sudo(), folder.display()) } else { String::new() };
        let script = format!("cat >/dev/null; {unmount} rm -rf {}", folder.display());
        let watcher =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().expect("a shell");
        Self { folder, small, _watcher: watcher }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it can be full.
    #[must_use]
    pub const fn is_small(&self) -> bool {
        self.small
    }

    /// Leaves no byte on it.
    ///
    /// # Panics
    /// When it takes no file for another reason than that it is full.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file");
        for size in [1 << 16, 1 << 12] {
            let block = vec![0x42; size];
            loop {
                match ballast.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    /// Makes room again.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast goes");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

fn sudo() -> &'static str {
    if rustix::process::geteuid().is_root() { "" } else { "sudo -n" }
}

fn mount(folder: &Path, megabytes: usize) -> io::Result<()> {
    let options = format!("size={megabytes}m,mode=0777");
    let script = format!("{} mount -t tmpfs -o {options} tmpfs {}", sudo(), folder.display());
    let output = Command::new("sh").args(["-c", &script]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
