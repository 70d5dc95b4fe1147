//! A simulated disk: it forgets, tears and reorders whatever was not synced when the power fails.
//!
//! For tests and simulations. Everything it does follows from its seed. The operations that change
//! the disk are numbered from 1, so that a test can let any one of them fail ([`MemoryFiles::fail_at`])
//! or be the last one ([`MemoryFiles::crash_at`]). Then [`MemoryFiles::power_cut`] gives the disk that
//! the next program finds, and [`MemoryFiles::killed`] the one that it finds when only the program
//! died: everything seems to be there, and a later power cut can still take what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::random::SplitMix64;
use crate::state::{DurableFile, Files, Hindrance, Kind};

/// A simulated disk. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryFiles(Arc<Mutex<Disk>>);

/// A file on a simulated disk that is being written.
#[derive(Debug)]
pub struct MemoryFile {
    files: MemoryFiles,
    inode: u64,
}

/// A lock on a simulated disk.
#[derive(Debug)]
pub struct MemoryLock {
    files: MemoryFiles,
    path: PathBuf,
    inode: u64,
}

#[derive(Debug)]
struct Disk {
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    /// The names as programs see them.
    names: BTreeMap<PathBuf, u64>,
    /// The names that survive a power cut.
    durable: BTreeMap<PathBuf, u64>,
    /// What leads from `durable` to `names`.
    unsynced: Vec<Renaming>,
    locked: BTreeSet<u64>,
    operations: u64,
    syncs: u64,
    crash_at: Option<u64>,
    fail_at: Option<u64>,
    crashed: bool,
    random: SplitMix64,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: usize,
    /// From where on a sync that failed has left what no later one writes.
    dropped: Option<usize>,
}

#[derive(Clone, Debug)]
struct Renaming {
    unset: Option<PathBuf>,
    set: Option<(PathBuf, u64)>,
}

impl MemoryFiles {
    pub fn new(seed: u64) -> Self {
        Self::of(Disk::new(SplitMix64::new(seed)))
    }

    fn of(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(disk)))
    }

    /// The operation with this number does not complete, and none does after it.
    pub fn crash_at(&self, operation: u64) {
        self.disk().crash_at = Some(operation);
    }

    /// The operation with this number fails as if the disk were full. A write may be cut short.
    pub fn fail_at(&self, operation: u64) {
        self.disk().fail_at = Some(operation);
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// How many of them waited for the disk.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// Whether the crash has happened.
    pub fn has_crashed(&self) -> bool {
        self.disk().crashed
    }

    /// The disk after a power cut: what was synced, and of the rest what chance has kept.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let disk = self.disk();
        let mut random = SplitMix64::new(seed);
        let mut names = disk.durable.clone();
        for renaming in &disk.unsynced {
            if random.up_to(1) == 1 {
                renaming.apply(&mut names);
            }
        }
        let mut inodes = disk.inodes.clone();
        for inode in inodes.values_mut() {
            inode.lose(&mut random);
        }
        Self::of(Disk {
            inodes,
            next_inode: disk.next_inode,
            durable: names.clone(),
            names,
            ..Disk::new(random)
        })
    }

    /// The disk after the program alone died: everything it did is there, durable or not, and its
    /// locks are free.
    #[must_use]
    pub fn killed(&self) -> Self {
        let disk = self.disk();
        Self::of(Disk {
            inodes: disk.inodes.clone(),
            next_inode: disk.next_inode,
            names: disk.names.clone(),
            durable: disk.durable.clone(),
            unsynced: disk.unsynced.clone(),
            ..Disk::new(disk.random.clone())
        })
    }

    /// A file's contents as programs see them.
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let disk = self.disk();
        let inode = disk.names.get(path.as_ref())?;
        Some(disk.inodes.get(inode)?.bytes.clone())
    }

    /// Puts a file there, durably.
    pub fn put(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        let mut disk = self.disk();
        let bytes = bytes.into();
        let synced = bytes.len();
        let inode = disk.add(Inode {
            bytes,
            synced,
            dropped: None,
        });
        let path = path.as_ref().to_owned();
        disk.durable.insert(path.clone(), inode);
        disk.names.insert(path, inode);
    }

    /// The files and bytes that certainly survive a power cut at this moment.
    pub fn synced(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let disk = self.disk();
        disk.durable
            .iter()
            .filter_map(|(path, inode)| {
                let inode = disk.inodes.get(inode)?;
                Some((path.clone(), inode.bytes[..inode.certain()].to_vec()))
            })
            .collect()
    }

    /// Every file there is.
    pub fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let disk = self.disk();
        disk.names
            .iter()
            .filter_map(|(path, inode)| Some((path.clone(), disk.inodes.get(inode)?.bytes.clone())))
            .collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    const fn new(random: SplitMix64) -> Self {
        Self {
            inodes: BTreeMap::new(),
            next_inode: 1,
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced: Vec::new(),
            locked: BTreeSet::new(),
            operations: 0,
            syncs: 0,
            crash_at: None,
            fail_at: None,
            crashed: false,
            random,
        }
    }

    /// Counts an operation; an error when it is the one that fails.
    fn step(&mut self) -> io::Result<()> {
        self.alive()?;
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.crashed = true;
        }
        self.alive()?;
        if self.fail_at == Some(self.operations) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        if self.crashed {
            return Err(io::Error::other("the simulated machine has crashed"));
        }
        Ok(())
    }

    fn add(&mut self, inode: Inode) -> u64 {
        let number = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(number, inode);
        number
    }

    fn inode(&self, path: &Path) -> io::Result<u64> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, unset: Option<&Path>, set: Option<(&Path, u64)>) {
        let renaming = Renaming {
            unset: unset.map(Path::to_owned),
            set: set.map(|(path, inode)| (path.to_owned(), inode)),
        };
        renaming.apply(&mut self.names);
        self.unsynced.push(renaming);
    }
}

impl Inode {
    /// How much of it survives for certain.
    fn certain(&self) -> usize {
        self.dropped.unwrap_or(self.synced).min(self.synced)
    }

    /// What a power cut leaves of it.
    fn lose(&mut self, random: &mut SplitMix64) {
        self.synced = self.certain();
        let unsynced = self.bytes.len() - self.synced;
        match random.up_to(3) {
            0 => self.bytes.truncate(self.synced),
            1 => {
                let kept = self.synced + random.up_to(unsynced);
                self.bytes.truncate(kept);
            }
            2 => {
                // The end arrived and something before it did not.
                let from = self.synced + random.up_to(unsynced);
                let to = from + random.up_to(self.bytes.len() - from);
                self.bytes[from..to].fill(0);
            }
            _ => {}
        }
        self.synced = self.bytes.len();
        self.dropped = None;
    }
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        if let Some(path) = &self.unset {
            names.remove(path);
        }
        if let Some((path, inode)) = &self.set {
            names.insert(path.clone(), *inode);
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let set = self.set.as_ref().map(|(path, _)| path);
        self.unset
            .iter()
            .chain(set)
            .any(|path| folder_of(path) == folder)
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.files.disk();
        let outcome = disk.alive().and_then(|()| disk.step());
        let written = match &outcome {
            Ok(()) => bytes.len(),
            Err(_) => disk.random.up_to(bytes.len()),
        };
        if let Some(inode) = disk.inodes.get_mut(&self.inode) {
            inode.bytes.extend_from_slice(&bytes[..written]);
        }
        outcome.map(|()| written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.disk().alive()
    }
}

impl DurableFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.files.disk();
        let outcome = disk.step();
        disk.syncs += u64::from(outcome.is_ok());
        if let Some(inode) = disk.inodes.get_mut(&self.inode) {
            match &outcome {
                Ok(()) => inode.synced = inode.bytes.len(),
                // The system takes what it could not write for written.
                Err(_) => inode.dropped = inode.dropped.or(Some(inode.synced)),
            }
        }
        outcome
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.files.disk().locked.remove(&self.inode);
    }
}

impl Files for MemoryFiles {
    type Reader = Cursor<Vec<u8>>;
    type File = MemoryFile;
    type Lock = MemoryLock;

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::yield_now().await;
        let done = work();
        tokio::task::yield_now().await;
        done
    }

    fn open(&self, path: &Path) -> io::Result<Option<Self::Reader>> {
        self.disk().alive()?;
        Ok(self.contents(path).map(Cursor::new))
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        let disk = self.disk();
        disk.alive()?;
        let there = disk.names.contains_key(path);
        Ok(if there { Kind::File } else { Kind::Nothing })
    }

    fn hindrance(&self, _path: &Path, _scratch: &Path) -> io::Result<Option<Hindrance>> {
        self.disk().alive().map(|()| None)
    }

    fn create(&self, path: &Path, _like: &Path) -> io::Result<MemoryFile> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = disk.add(Inode::default());
        disk.change(None, Some((path, inode)));
        Ok(MemoryFile {
            files: self.clone(),
            inode,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = disk.inode(from)?;
        disk.change(Some(from), Some((to, inode)));
        Ok(())
    }

    fn duplicate(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = disk.inode(from)?;
        disk.change(None, Some((to, inode)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        if disk.names.contains_key(path) {
            disk.change(Some(path), None);
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.syncs += 1;
        for renaming in std::mem::take(&mut disk.unsynced) {
            if renaming.is_in(folder) {
                renaming.apply(&mut disk.durable);
            } else {
                disk.unsynced.push(renaming);
            }
        }
        Ok(())
    }

    fn try_lock(&self, path: &Path, contents: &[u8]) -> io::Result<Option<(MemoryLock, Vec<u8>)>> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = if let Ok(inode) = disk.inode(path) {
            inode
        } else {
            let inode = disk.add(Inode::default());
            disk.change(None, Some((path, inode)));
            inode
        };
        if !disk.locked.insert(inode) {
            return Ok(None);
        }
        let new = Inode {
            bytes: contents.to_vec(),
            ..Inode::default()
        };
        let left = disk.inodes.insert(inode, new).unwrap_or_default();
        drop(disk);
        let lock = MemoryLock {
            files: self.clone(),
            path: path.to_owned(),
            inode,
        };
        Ok(Some((lock, left.bytes)))
    }

    fn still_locked(&self, lock: &MemoryLock) -> io::Result<bool> {
        let disk = self.disk();
        disk.alive()?;
        Ok(disk.names.get(&lock.path) == Some(&lock.inode))
    }

    fn unlock(&self, lock: MemoryLock) -> io::Result<()> {
        let mut disk = self.disk();
        let outcome = disk.step();
        if outcome.is_ok() {
            disk.inodes.insert(lock.inode, Inode::default());
        }
        // Dropping the lock takes the disk again.
        drop(disk);
        drop(lock);
        outcome
    }
}
