//! The key that signs checkpoints of the log, and its public half under the log's name.

use std::io;
use std::path::{Path, PathBuf};

use domain::proof::{NoteSigner, VerifierKey};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};

use super::{KeysError, random, read, write_new, write_with};

/// File name of the private half.
const SIGNING: &str = "log-signing.pem";
/// File name of the public half.
const VERIFIER: &str = "log-verifier.pub";

/// The private and the public file.
pub(super) fn files(directory: &Path) -> [PathBuf; 2] {
    [SIGNING, VERIFIER].map(|name| directory.join(name))
}

/// A new key under a name; without one, the log is named after the key.
pub(super) fn generate(origin: Option<&str>) -> Result<NoteSigner, KeysError> {
    let key = SigningKey::from_bytes(&*random()?);
    let own = || format!("cluestream/{}", hex::encode(&key.verifying_key().as_bytes()[..4]));
    let name = origin.map_or_else(own, str::to_owned);
    Ok(NoteSigner::new(&name, key)?)
}

/// Writes the two files, the public one last: with it the key is whole.
pub(super) fn write(signer: &NoteSigner, directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let [signing, verifier] = files(directory);
    let pem = signer.key().to_pkcs8_pem(LineEnding::LF).map_err(|_| KeysError::Random)?;
    write_new(&signing, pem.as_bytes())?;
    write_with(&verifier, format!("{}\n", signer.verifier()).as_bytes(), 0o644)?;
    Ok(vec![signing, verifier])
}

/// Writes the public half under the name of the log, when the private one alone is there.
pub(super) fn restore_public(directory: &Path, origin: Option<&str>) -> Result<Option<PathBuf>, KeysError> {
    let [signing, verifier] = files(directory);
    if !signing.exists() || verifier.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let origin = origin.ok_or_else(|| KeysError::NoVerifier { file: verifier.clone() })?;
    let signer = NoteSigner::new(origin, private(&signing)?)?;
    write_with(&verifier, format!("{}\n", signer.verifier()).as_bytes(), 0o644)?;
    Ok(Some(verifier))
}

fn private(file: &Path) -> Result<SigningKey, KeysError> {
    SigningKey::from_pkcs8_pem(&read(file)?).map_err(|_| KeysError::Damaged {
        file: file.to_owned(),
        reason: "it is not an Ed25519 private key in PKCS#8 PEM",
    })
}

/// Reads the key, if there is one.
pub(super) fn load(directory: &Path) -> Result<Option<NoteSigner>, KeysError> {
    let [signing, verifier] = files(directory);
    if !signing.exists() && !verifier.exists() {
        return Ok(None);
    }
    let key = private(&signing)?;
    let text = std::fs::read_to_string(&verifier).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeysError::NoVerifier { file: verifier.clone() },
        _ => KeysError::Io { file: verifier.clone(), source },
    })?;
    let damaged = |reason| KeysError::Damaged { file: verifier.clone(), reason };
    let public: VerifierKey = text.parse().map_err(|_| damaged("it is not a verifier key"))?;
    if !public.belongs_to(&key) {
        return Err(damaged("it is not the public half of log-signing.pem"));
    }
    Ok(Some(NoteSigner::new(public.name(), key)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    #[test]
    fn the_log_is_signed_under_the_name_that_was_chosen_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        Keys::create_for(directory.path(), Some("example.com/log")).unwrap();
        let keys = Keys::load(directory.path()).unwrap();
        let verifier = keys.log_in(directory.path()).unwrap().verifier();
        assert_eq!(verifier.name(), "example.com/log");
        let public = std::fs::read_to_string(Keys::verifier_file(directory.path())).unwrap();
        assert_eq!(public.parse::<VerifierKey>().as_ref(), Ok(verifier));
        assert!(matches!(
            Keys::create_log_key(directory.path(), None),
            Err(KeysError::Exists { file }) if file.ends_with(SIGNING)
        ));
    }

    #[test]
    fn an_older_installation_is_told_how_to_get_a_key_and_keeps_the_others() {
        let directory = tempfile::tempdir().unwrap();
        Keys::create(directory.path()).unwrap();
        files(directory.path()).iter().for_each(|file| std::fs::remove_file(file).unwrap());
        let old = Keys::load(directory.path()).unwrap();
        assert!(old.log().is_none());
        let message = old.log_in(directory.path()).err().unwrap().to_string();
        assert!(message.contains("keys log") && message.contains(SIGNING), "{message}");
        Keys::create_log_key(directory.path(), None).unwrap();
        let new = Keys::load(directory.path()).unwrap();
        assert!(new.log().is_some());
        assert_eq!(new.master().current(), old.master().current());
    }

    #[test]
    fn a_public_half_that_is_gone_is_written_anew_under_the_name_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        Keys::create_for(directory.path(), Some("example.com/log")).unwrap();
        let verifier = Keys::verifier_file(directory.path());
        let before = std::fs::read(&verifier).unwrap();
        std::fs::remove_file(&verifier).unwrap();
        for refused in [
            Keys::load(directory.path()).err().unwrap(),
            Keys::create_log_key(directory.path(), None).err().unwrap(),
        ] {
            let message = refused.to_string();
            assert!(message.contains(VERIFIER) && message.contains("keys log --origin"), "{message}");
        }
        let written = Keys::create_log_key(directory.path(), Some("example.com/log")).unwrap();
        assert_eq!((written, std::fs::read(&verifier).unwrap()), (vec![verifier], before));
        Keys::load(directory.path()).unwrap();
    }

    #[test]
    fn halves_of_different_keys_and_names_that_are_none_are_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Keys::create(one.path()).unwrap();
        Keys::create(two.path()).unwrap();
        std::fs::copy(Keys::verifier_file(two.path()), Keys::verifier_file(one.path())).unwrap();
        assert!(matches!(Keys::load(one.path()), Err(KeysError::Damaged { .. })));
        let three = tempfile::tempdir().unwrap();
        assert!(matches!(Keys::create_for(three.path(), Some("my log")), Err(KeysError::Origin(_))));
        assert_eq!(std::fs::read_dir(three.path()).unwrap().count(), 0, "nothing is written");
    }
}
