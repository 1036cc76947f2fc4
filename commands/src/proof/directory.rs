//! A directory as the place of tiles and checkpoints.
//!
//! A file is written under another name, synced, and renamed; then its folders are synced. Whatever a
//! killed process leaves half-written is in `tmp`, which the next holder of the lock empties.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::place::{Lock, Place, PlaceError};

/// No file is as large as that.
const LARGEST: u64 = 64 * 1024;
/// The file that is locked.
const LOCK: &str = "lock";
/// Where files are written before they get their names.
const UNFINISHED: &str = "tmp";

/// See the module.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

struct Held(#[allow(dead_code, reason = "closing the file lets the lock go")] File);

impl Lock for Held {}

impl Directory {
    /// A directory, which is made when something is written.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Does file work where it holds nobody up.
    async fn blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, PlaceError> {
        let root = self.root.clone();
        let failed = |reason: String| PlaceError::Unavailable {
            name: self.root.join(name).display().to_string(),
            reason,
        };
        match tokio::task::spawn_blocking(move || work(&root)).await {
            Ok(done) => done.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed("interrupted".to_owned())),
        }
    }
}

#[async_trait]
impl Place for Directory {
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, PlaceError> {
        let file = name.to_owned();
        self.blocking(name, move |root| absent(read(&root.join(file)))).await
    }

    async fn put(&self, files: Vec<(String, Vec<u8>)>) -> Result<(), PlaceError> {
        let Some((name, _)) = files.first() else { return Ok(()) };
        let name = name.clone();
        self.blocking(&name, move |root| write(root, &files)).await
    }

    async fn add(&self, name: &str, content: Vec<u8>) -> Result<(), PlaceError> {
        match self.read(name).await? {
            Some(there) if there == content => Ok(()),
            Some(_) => Err(PlaceError::Conflict { name: self.root.join(name).display().to_string() }),
            None => self.put(vec![(name.to_owned(), content)]).await,
        }
    }

    async fn names(&self, folder: &str) -> Result<Vec<String>, PlaceError> {
        let inner = folder.to_owned();
        self.blocking(folder, move |root| {
            let Some(entries) = absent(fs::read_dir(root.join(inner)))? else { return Ok(Vec::new()) };
            let mut names = Vec::new();
            for entry in entries {
                names.extend(entry?.file_name().into_string());
            }
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn remove(&self, folder: &str) -> Result<(), PlaceError> {
        let inner = folder.to_owned();
        self.blocking(folder, move |root| absent(fs::remove_dir_all(root.join(inner))).map(|_| ())).await
    }

    async fn lock(&self) -> Result<Option<Box<dyn Lock>>, PlaceError> {
        let held = self.blocking(LOCK, |root| {
            fs::create_dir_all(root)?;
            let file = File::options().create(true).append(true).open(root.join(LOCK))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            absent(fs::remove_dir_all(root.join(UNFINISHED)))?;
            Ok(Some(Held(file)))
        });
        Ok(held.await?.map(|held| Box::new(held) as Box<dyn Lock>))
    }
}

/// Reads a file. What is none of ours, since it is larger or no file at all, is read only so far that it is
/// seen to be damaged.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if fs::metadata(file)?.is_file() {
        File::open(file)?.take(LARGEST).read_to_end(&mut content)?;
    }
    Ok(content)
}

/// What is not there is no error.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn write(root: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    let unfinished = root.join(UNFINISHED);
    fs::create_dir_all(&unfinished)?;
    let mut folders = BTreeSet::new();
    for (number, (name, content)) in files.iter().enumerate() {
        let (draft, file) = (unfinished.join(number.to_string()), root.join(name));
        let mut handle = File::create(&draft)?;
        handle.write_all(content)?;
        handle.sync_all()?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
            // A new folder is an entry of the one above it.
            folders
                .extend(folder.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned));
        }
        fs::rename(&draft, &file)?;
    }
    for folder in folders.iter().rev() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_read_as_they_were_written_and_what_must_stay_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = Directory::new(&folder.path().join("a/b"));
        assert_eq!(place.read("x/1").await.unwrap(), None);
        assert!(place.names("x").await.unwrap().is_empty());
        place.put(vec![("x/2".into(), b"two".to_vec()), ("x/1".into(), b"one".to_vec())]).await.unwrap();
        assert_eq!(place.names("x").await.unwrap(), ["1", "2"]);
        place.add("x/1", b"one".to_vec()).await.unwrap();
        let refused = place.add("x/1", b"other".to_vec()).await;
        assert!(matches!(refused, Err(PlaceError::Conflict { .. })));
        place.put(vec![("x/1".into(), b"new".to_vec())]).await.unwrap();
        assert_eq!(place.read("x/1").await.unwrap().unwrap(), b"new");
        place.remove("x").await.unwrap();
        place.remove("x").await.unwrap();
        assert_eq!(place.read("x/2").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_file_or_larger_than_any_is_read_as_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let place = Directory::new(folder.path());
        fs::create_dir(folder.path().join("folder")).unwrap();
        assert_eq!(place.read("folder").await.unwrap().unwrap(), b"");
        File::create(folder.path().join("large")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(place.read("large").await.unwrap().unwrap().len(), 64 * 1024);
    }

    #[tokio::test]
    async fn one_process_holds_the_lock_and_what_another_left_unfinished_goes() {
        let folder = tempfile::tempdir().unwrap();
        let place = Directory::new(folder.path());
        fs::create_dir(folder.path().join(UNFINISHED)).unwrap();
        fs::write(folder.path().join(UNFINISHED).join("0"), "half").unwrap();
        let lock = place.lock().await.unwrap().unwrap();
        assert!(!folder.path().join(UNFINISHED).exists());
        assert!(place.lock().await.unwrap().is_none());
        drop(lock);
        assert!(place.lock().await.unwrap().is_some());
    }
}
