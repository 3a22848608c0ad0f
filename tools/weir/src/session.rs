//! Where regions are made: the directories for them, and that of a recording.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::process::{Resource, getrlimit};
use tempfile::TempDir;
use weir_record::region::Room;
use weir_record::settings;

use crate::failure::Failure;
use crate::trust;

/// Memory that looks like a file system: regions cost no disk traffic.
const SHARED_MEMORY: &str = "/dev/shm";

/// How often the removal of a directory is tried.
const REMOVALS: usize = 8;

/// A directory of this recording alone, for this user alone. Dropped, it is gone; who still has a
/// region mapped keeps the memory.
#[derive(Debug)]
pub struct Session(TempDir);

impl Session {
    /// Makes the directory in the first of the [`directories`] that has room.
    pub fn new() -> Result<Session, Failure> {
        let mut trouble = None;
        for parent in directories() {
            match in_directory(&parent) {
                Ok(directory) => return Ok(Session(directory)),
                Err(error) => trouble = Some((parent, error)),
            }
        }
        let (parent, error) =
            trouble.unwrap_or_else(|| (PathBuf::from("/tmp"), io::ErrorKind::NotFound.into()));
        let failure = Failure::of_weir(format!(
            "no room for regions in {SHARED_MEMORY}, nor in {}",
            parent.display()
        ));
        let remedy = match error.kind() {
            // It is the same everywhere.
            io::ErrorKind::FileTooLarge => {
                "raise the limit on the size of files (ulimit -f)".to_owned()
            }
            _ => format!(
                "set {} to a directory that has room",
                settings::REGION_DIR.name
            ),
        };
        Err(failure.because(error).with_remedy(remedy))
    }

    /// The directory, an absolute path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Session {
    /// Removes the directory; where there is something in it, takes it away first from processes that go on and would make
    /// more regions in it.
    fn drop(&mut self) {
        if fs::remove_dir(self.path()).is_ok() {
            return;
        }
        let mut name = self.path().as_os_str().to_owned();
        name.push(".ended");
        if fs::rename(self.path(), &name).is_err() {
            // The directory's own removal remains.
            return;
        }
        // A process that was about to make its region may still do so once.
        for _ in 0..REMOVALS {
            if fs::remove_dir_all(&name).is_ok() {
                return;
            }
        }
    }
}

/// The directories where regions may be, in the order in which `weir run` tries them: the one that WEIR_REGION_DIR names, shared
/// memory, and those of temporary files. The library without `weir run` uses no others. Each of them once.
pub fn directories() -> Vec<PathBuf> {
    let set = variable(settings::REGION_DIR.name);
    let others = [
        Some(SHARED_MEMORY.into()),
        variable("TMPDIR"),
        Some("/tmp".into()),
    ];
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in std::iter::once(set).chain(others).flatten() {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// Where regions may be that were made with the settings of now.
#[derive(Debug, Default)]
pub struct Searched {
    /// The directory that WEIR_REGION_DIR names, or else all.
    pub set: Vec<PathBuf>,
    /// Where `weir run` cannot make regions in that directory now, the others, and why it cannot.
    pub others: Option<(Vec<PathBuf>, io::Error)>,
}

/// The same for who makes reports of what lies there. What lies in directories that WEIR_REGION_DIR does not name was not made with that
/// setting, unless `weir run` could not make it there.
///
/// # Errors
/// WEIR_REGION_DIR names no directory that can be read.
pub fn searched() -> Result<Searched, Failure> {
    let mut set = directories();
    let others = match variable(settings::REGION_DIR.name) {
        None => None,
        Some(named) => {
            fs::read_dir(&named).map_err(|error| {
                let name = settings::REGION_DIR.name;
                Failure::of_file("read", &named, error)
                    .with_remedy(format!("{name} must name the directory of the regions"))
            })?;
            let others = set.split_off(1);
            in_directory(&named).err().map(|why| (others, why))
        }
    };
    Ok(Searched { set, others })
}

/// A directory that the environment names.
fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

/// A directory for regions in another one.
///
/// # Errors
/// Where none can be made, others could exchange it, or there is no room.
pub fn in_directory(parent: &Path) -> io::Result<TempDir> {
    // A path without links, and absolute: the program may change its working directory.
    let parent = trust::out_of_reach(parent)?;
    // No other user may enter: a region shows what a program does.
    let directory = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .prefix("weir.")
        .rand_bytes(10)
        .tempdir_in(parent)?;
    let needed = Room {
        files: 0,
        slots: 1,
        coroutines: 0,
        nodes: 0,
        modules: 0,
        interpreted: 0,
    };
    if !has_room(directory.path(), needed.bytes() as u64)? {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(directory)
}

/// Whether so many bytes can be written in a directory: by the free space of its file system, which is much faster
/// than to try; if the file system has no size, by trying.
fn has_room(directory: &Path, bytes: u64) -> io::Result<bool> {
    let limit = getrlimit(Resource::Fsize).current;
    if limit.is_some_and(|limit| limit < bytes) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let state = statvfs(directory)?;
    if state.f_blocks != 0 {
        return Ok(state.f_bavail.saturating_mul(state.f_frsize) >= bytes);
    }
    let path = directory.join("room");
    let probe = File::create(&path)?;
    let has_room = fallocate(&probe, FallocateFlags::empty(), 0, bytes).is_ok();
    fs::remove_file(&path)?;
    Ok(has_room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_the_user_s_alone_and_leaves_nothing_behind() {
        let session = Session::new().unwrap();
        let path = session.path().to_owned();
        assert!(path.is_absolute());
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(path.read_dir().unwrap().count(), 0);
        fs::write(path.join("1-a.region"), "x").unwrap();
        drop(session);
        assert!(!path.exists());
    }

    #[test]
    fn room_is_what_the_file_system_has() {
        let directory = tempfile::tempdir().unwrap();
        assert!(has_room(directory.path(), 1 << 20).unwrap());
        assert!(!has_room(directory.path(), 1 << 60).unwrap());
        // A file system without a size.
        assert!(has_room(Path::new("/proc"), 1).is_err());
    }

    #[test]
    fn where_no_directory_can_be_made_there_is_no_session() {
        assert!(in_directory(Path::new("/proc")).is_err());
        assert!(in_directory(Path::new("/nonexistent")).is_err());
    }
}
