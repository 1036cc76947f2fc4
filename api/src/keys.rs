//! The key files: what they look like, making them, loading them.
//!
//! Guarantees: files are made readable by their owner only and never overwritten; a missing or
//! damaged file is named together with what to do; keys leave memory when they are dropped.
//!
//! - `signing.pem`: Ed25519 private key, PKCS#8; signs tokens.
//! - `master.key`: wraps the data keys of persons. Losing it makes all personal data unreadable.
//! - `pepper.key`: keys the hashes by which contacts are found.
//!
//! - `log-signing.pem`: Ed25519 private key, PKCS#8; signs checkpoints of the log under the name in
//!   `log-verifier.pub`, which is the public half, for auditors. Older installations have none.
//!
//! Master key and pepper hold one line for each version, so that a new version can be added while older
//! ones still open what they sealed. Deliberately absent: key servers.

mod log_key;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::proof::NoteSigner;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// File name of the signing key.
const SIGNING: &str = "signing.pem";
/// File name of the master key.
const MASTER: &str = "master.key";
/// File name of the pepper.
const PEPPER: &str = "pepper.key";
/// First word of a key file that this program reads.
const FORMAT: &str = "cluestream-key/1";

/// 32 secret bytes, wiped from memory when dropped.
pub type SecretKey = Zeroizing<[u8; 32]>;

/// Every version of one secret; the newest is used for whatever is written now.
#[derive(Clone)]
pub struct VersionedKey {
    newest: (u32, SecretKey),
    older: BTreeMap<u32, SecretKey>,
}

/// All keys of the program.
#[derive(Clone)]
pub struct Keys {
    signing: SigningKey,
    master: VersionedKey,
    pepper: VersionedKey,
    log: Option<NoteSigner>,
}

/// Why keys cannot be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file is not there.
    #[error(
        "the key file {} is missing. On a new installation, run `cluestream keys init`; otherwise restore \
         it from its backup: a new key opens nothing that the old one sealed", file.display()
    )]
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// A file is there already.
    #[error("{} exists already; keys are never overwritten, for what they sealed would be lost", file.display())]
    Exists {
        /// Which.
        file: PathBuf,
    },
    /// A file is not what it should be. Never repeats its content.
    #[error("the key file {} is damaged: {reason}; restore it from its backup", file.display())]
    Damaged {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// No key for the log is there.
    #[error(
        "there is no key to sign the log with: run `cluestream keys log`, which makes {} and leaves the other \
         keys as they are", file.display()
    )]
    NoLogKey {
        /// Which file is missing.
        file: PathBuf,
    },
    /// The public half of the log's key is gone; the private one does not tell the name.
    #[error(
        "the key file {} is missing: restore it from its backup, or run `cluestream keys log --origin NAME`, which \
         writes it anew. The name is that in the first line of the file `checkpoint`", file.display()
    )]
    NoVerifier {
        /// Which file is missing.
        file: PathBuf,
    },
    /// The name of the log cannot be used.
    #[error("the name of the log: {0}")]
    Origin(#[from] domain::proof::KeyError),
    /// The operating system refused.
    #[error("the key file {}: {source}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

impl VersionedKey {
    fn generate() -> Result<Self, KeysError> {
        Ok(Self { newest: (1, random()?), older: BTreeMap::new() })
    }

    /// The newest version and its number.
    #[must_use]
    pub const fn current(&self) -> (u32, &SecretKey) {
        (self.newest.0, &self.newest.1)
    }

    /// A version by its number.
    #[must_use]
    pub fn version(&self, version: u32) -> Option<&SecretKey> {
        if version == self.newest.0 { Some(&self.newest.1) } else { self.older.get(&version) }
    }

    /// Every version, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = (u32, &SecretKey)> {
        self.older.iter().map(|(version, key)| (*version, key)).chain([self.current()])
    }

    fn print(&self, purpose: &str) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{FORMAT} {purpose}\n"));
        for (version, key) in self.versions() {
            let _ = writeln!(text, "{version} {}", STANDARD.encode(key.as_slice()));
        }
        text
    }

    fn parse(text: &str, purpose: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let header = lines.next().and_then(|line| line.split_once(' '));
        match header {
            Some((FORMAT, found)) if found.trim() == purpose => {}
            Some((FORMAT, _)) => return Err("it holds a key of another purpose"),
            _ => return Err("its first line is not that of a key file of this program"),
        }
        let mut versions = BTreeMap::new();
        for line in lines {
            let (version, key) = line.split_once(' ').ok_or("a line is not a version and a key")?;
            let version: u32 = version.parse().map_err(|_| "a version is not a number")?;
            let bytes = STANDARD.decode(key.trim()).map_err(|_| "a key is not base64")?;
            let bytes: [u8; 32] =
                Zeroizing::new(bytes).as_slice().try_into().map_err(|_| "a key has not 32 bytes")?;
            if versions.insert(version, Zeroizing::new(bytes)).is_some() {
                return Err("a version is there twice");
            }
        }
        let newest = versions.pop_last().ok_or("it holds no key")?;
        Ok(Self { newest, older: versions })
    }
}

impl Keys {
    /// New keys, in memory only.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn generate() -> Result<Self, KeysError> {
        let signing = SigningKey::from_bytes(&*random()?);
        let (master, pepper) = (VersionedKey::generate()?, VersionedKey::generate()?);
        Ok(Self { signing, master, pepper, log: Some(log_key::generate(None)?) })
    }

    /// Writes new keys into a directory and returns the files. The log gets a name of its own.
    ///
    /// # Errors
    /// When one of the files exists, before anything is written; or when writing fails.
    pub fn create(directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
        Self::create_for(directory, None)
    }

    /// The same, with a name for the log.
    ///
    /// # Errors
    /// As [`Self::create`], and when the name cannot be used.
    pub fn create_for(directory: &Path, origin: Option<&str>) -> Result<Vec<PathBuf>, KeysError> {
        let files = [SIGNING, MASTER, PEPPER].map(|name| directory.join(name));
        absent(files.iter().chain(&log_key::files(directory)))?;
        let log = log_key::generate(origin)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| KeysError::Io { file: directory.to_owned(), source })?;
        let keys = Self::generate()?;
        let pem = keys.signing.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeysError::Random)?;
        let [signing, master, pepper] = &files;
        write_new(signing, pem.as_bytes())?;
        write_new(master, keys.master.print("master").as_bytes())?;
        write_new(pepper, keys.pepper.print("pepper").as_bytes())?;
        let mut files = Vec::from(files);
        files.extend(log_key::write(&log, directory)?);
        Ok(files)
    }

    /// Writes a key for the log beside the other keys, for an installation that has none. When the public
    /// half alone is gone, that is written anew, for the same key.
    ///
    /// # Errors
    /// When it is there already, its name is missing or cannot be used, or writing fails.
    pub fn create_log_key(directory: &Path, origin: Option<&str>) -> Result<Vec<PathBuf>, KeysError> {
        if let Some(file) = log_key::restore_public(directory, origin)? {
            return Ok(vec![file]);
        }
        absent(&log_key::files(directory))?;
        log_key::write(&log_key::generate(origin)?, directory)
    }

    /// Reads the keys of a directory.
    ///
    /// # Errors
    /// Names the file that is missing or damaged, and what to do.
    pub fn load(directory: &Path) -> Result<Self, KeysError> {
        let signing = directory.join(SIGNING);
        let pem = read(&signing)?;
        let signing = SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeysError::Damaged {
            file: signing,
            reason: "it is not an Ed25519 private key in PKCS#8 PEM",
        })?;
        let versioned = |name: &str, purpose| {
            let file = directory.join(name);
            let text = read(&file)?;
            VersionedKey::parse(&text, purpose).map_err(|reason| KeysError::Damaged { file, reason })
        };
        let (master, pepper) = (versioned(MASTER, "master")?, versioned(PEPPER, "pepper")?);
        Ok(Self { signing, master, pepper, log: log_key::load(directory)? })
    }

    /// Signs checkpoints of the log, when there is a key for it.
    #[must_use]
    pub const fn log(&self) -> Option<&NoteSigner> {
        self.log.as_ref()
    }

    /// Signs checkpoints of the log.
    ///
    /// # Errors
    /// When there is no key for it, with what to do.
    pub fn log_in(&self, directory: &Path) -> Result<&NoteSigner, KeysError> {
        let [file, _] = log_key::files(directory);
        self.log.as_ref().ok_or(KeysError::NoLogKey { file })
    }

    /// Where the public half of the log's key is, for auditors.
    #[must_use]
    pub fn verifier_file(directory: &Path) -> PathBuf {
        let [_, verifier] = log_key::files(directory);
        verifier
    }

    /// Signs tokens.
    #[must_use]
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Wraps the data keys of persons.
    #[must_use]
    pub const fn master(&self) -> &VersionedKey {
        &self.master
    }

    /// Keys the hashes by which contacts are found.
    #[must_use]
    pub const fn pepper(&self) -> &VersionedKey {
        &self.pepper
    }

    /// A key of its own for one purpose, the same for the same signing key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> SecretKey {
        // HMAC pads a key with zeros to the length of a block.
        let mut block = Key::<Hmac<Sha256>>::default();
        block[..32].copy_from_slice(self.signing.as_bytes());
        let mac = Hmac::<Sha256>::new(&block);
        Zeroizing::new(mac.chain_update(purpose.as_bytes()).finalize().into_bytes().into())
    }
}

/// Refuses when one of these files is there.
fn absent<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), KeysError> {
    match files.into_iter().find(|file| file.symlink_metadata().is_ok()) {
        Some(file) => Err(KeysError::Exists { file: file.clone() }),
        None => Ok(()),
    }
}

fn random() -> Result<SecretKey, KeysError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| KeysError::Random)?;
    Ok(key)
}

fn read(file: &Path) -> Result<Zeroizing<String>, KeysError> {
    let text = std::fs::read_to_string(file).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeysError::Missing { file: file.to_owned() },
        io::ErrorKind::InvalidData => KeysError::Damaged { file: file.to_owned(), reason: "it is not text" },
        _ => KeysError::Io { file: file.to_owned(), source },
    })?;
    // Mounted secrets are often readable by a group, so this warns and does not refuse.
    if file.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %file.display(), "the key file can be read by others: chmod 600");
    }
    Ok(Zeroizing::new(text))
}

/// Writes a file that must not exist, for its owner only, and waits until it is on disk.
fn write_new(file: &Path, content: &[u8]) -> Result<(), KeysError> {
    write_with(file, content, 0o600)
}

fn write_with(file: &Path, content: &[u8], mode: u32) -> Result<(), KeysError> {
    let error = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeysError::Exists { file: file.to_owned() },
        _ => KeysError::Io { file: file.to_owned(), source },
    };
    let mut handle = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(error)?;
    handle.write_all(content).and_then(|()| handle.sync_all()).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_were_made_are_loaded_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let files = Keys::create(&directory.path().join("a/b")).unwrap();
        assert_eq!(files.len(), 5);
        let first = Keys::load(&directory.path().join("a/b")).unwrap();
        let second = Keys::load(&directory.path().join("a/b")).unwrap();
        assert_eq!(first.signing().to_bytes(), second.signing().to_bytes());
        assert_eq!(first.master().current(), second.master().current());
        assert_eq!(first.pepper().current().0, 1);
        assert_ne!(first.master().current().1, first.pepper().current().1);
        assert_eq!(first.derive("cursor"), second.derive("cursor"));
        assert_ne!(first.derive("cursor"), first.derive("other"));
    }

    #[test]
    fn key_files_belong_to_their_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("keys");
        let secret = |file: &PathBuf| *file != Keys::verifier_file(&inner);
        for file in Keys::create(&inner).unwrap().into_iter().filter(secret) {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
        assert_eq!(inner.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn existing_keys_are_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(PEPPER), "precious").unwrap();
        assert!(
            matches!(Keys::create(directory.path()), Err(KeysError::Exists { file }) if file.ends_with(PEPPER))
        );
        assert!(!directory.path().join(SIGNING).exists(), "nothing is written beside an existing key");
        assert_eq!(std::fs::read(directory.path().join(PEPPER)).unwrap(), b"precious");
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        for name in [SIGNING, MASTER, PEPPER] {
            let directory = tempfile::tempdir().unwrap();
            Keys::create(directory.path()).unwrap();
            std::fs::remove_file(directory.path().join(name)).unwrap();
            let message = Keys::load(directory.path()).err().unwrap().to_string();
            assert!(message.contains(name) && message.contains("keys init"), "{message}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_it() {
        let directory = tempfile::tempdir().unwrap();
        Keys::create(directory.path()).unwrap();
        let file = directory.path().join(MASTER);
        let good = std::fs::read_to_string(&file).unwrap();
        let key = good.lines().nth(1).unwrap();
        for bad in [
            String::new(),
            format!("{key}\n"),
            good.replace("master", "pepper"),
            "cluestream-key/1 master\n".to_owned(),
            "cluestream-key/1 master\n1 c2hvcnQ=\n".to_owned(),
            format!("{good}{key}\n"),
            format!("cluestream-key/1 master\nx{key}\n"),
        ] {
            std::fs::write(&file, &bad).unwrap();
            let error = Keys::load(directory.path()).err().unwrap();
            assert!(matches!(error, KeysError::Damaged { .. }), "{bad}: {error}");
            assert!(!error.to_string().contains(key));
        }
    }

    #[test]
    fn a_second_version_is_current_and_the_first_still_opens() {
        let one = STANDARD.encode([1; 32]);
        let two = STANDARD.encode([2; 32]);
        let text = format!("cluestream-key/1 master\n1 {one}\n2 {two}\n");
        let key = VersionedKey::parse(&text, "master").unwrap();
        assert_eq!(key.current(), (2, &Zeroizing::new([2; 32])));
        assert_eq!(key.version(1), Some(&Zeroizing::new([1; 32])));
        assert_eq!(key.print("master").as_str(), text);
    }
}
