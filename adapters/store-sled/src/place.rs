use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const ASIDE: &str = "quarantine";
/// As many damaged databases are kept.
const KEPT: usize = 3;

/// Where the database lies in the store's directory.
pub(crate) struct Place<'a>(pub(crate) &'a Path);

impl Place<'_> {
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("sled")
    }

    /// Holds the generation that the database has kept for certain, so that one that came up with less is known for
    /// damaged.
    fn witness(&self) -> PathBuf {
        self.0.join("sled.witness")
    }

    /// Whether there is, or was, a database.
    pub(crate) fn is_used(&self) -> bool {
        self.database().exists() || self.witness().exists()
    }

    /// Waits for a worker before this one, which outlived its daemon, to end.
    pub(crate) fn lock(&self) -> io::Result<File> {
        let path = self.0.join("sled.lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// The generation that the database has to have; a witness that can't be read says nothing.
    pub(crate) fn witnessed(&self) -> Option<u64> {
        fs::read_to_string(self.witness()).ok()?.trim_end().parse().ok()
    }

    /// Not synced: a witness lost in a power cut accuses nobody.
    pub(crate) fn bear_witness(&self, generation: u64) -> io::Result<()> {
        if self.witnessed() == Some(generation) {
            return Ok(());
        }
        let temporary = self.0.join("sled.witness.tmp");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
        writeln!(file, "{generation}")?;
        fs::rename(temporary, self.witness())
    }

    /// Moves the database aside as evidence; where it is, if there was one.
    pub(crate) fn set_aside(&self) -> io::Result<Option<PathBuf>> {
        let aside = match ddns_slots::set_aside(&self.database(), ASIDE) {
            Ok(aside) => Some(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match fs::remove_file(self.witness()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.forget_oldest()?;
        Ok(aside)
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let mut aside = Vec::new();
        for entry in fs::read_dir(self.0)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&format!("sled.{ASIDE}-")) {
                aside.push(entry.path());
            }
        }
        aside.sort();
        let many = aside.len().saturating_sub(KEPT);
        aside.iter().take(many).try_for_each(fs::remove_dir_all)
    }

    /// A kill while sled wrote a snapshot leaves a file on which it fails ever after (FAULTS 54).
    pub(crate) fn remove_broken_snapshots(&self) -> io::Result<()> {
        let entries = match fs::read_dir(self.database()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("snap.") && name.to_string_lossy().ends_with(".generating") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// What sled's own flush leaves out: it ends with `sync_file_range`, which a power cut does not respect.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_tree(&self.database())?;
        File::open(self.0)?.sync_all()
    }
}

fn sync_tree(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync_tree(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}

/// The octets that a directory's files take.
pub(crate) fn size(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += size(&entry?.path())?;
    }
    Ok(sum)
}
