//! Names for the files of regions that have none, in a directory that the program does not know: so
//! `weir recover` finds them if weir itself is killed.

use std::fs::{File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::TempDir;

/// The directory, made when it is first needed. Dropped, it is gone.
#[derive(Debug)]
pub struct Names {
    /// Where it is made: on the file system of the session.
    parent: Option<PathBuf>,
    directory: Option<TempDir>,
    given: u64,
}

impl Names {
    /// For the regions of a session.
    pub fn new(session: &Path) -> Names {
        Names {
            parent: session.parent().map(Path::to_owned),
            directory: None,
            given: 0,
        }
    }

    /// Gives a file a name. None where it cannot have one.
    pub fn give(&mut self, file: &File, pid: u32) -> Option<PathBuf> {
        let path = self.next(pid)?;
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let named = linkat(CWD, link, CWD, &path, AtFlags::SYMLINK_FOLLOW);
        named.ok().map(|()| path)
    }

    /// Moves a file that has a name to the others. Whether it is there.
    pub fn take(&mut self, file: &Path, pid: u32) -> bool {
        let is_there = |directory: &TempDir| file.parent() == Some(directory.path());
        self.directory.as_ref().is_some_and(is_there)
            || self
                .next(pid)
                .is_some_and(|path| std::fs::rename(file, path).is_ok())
    }

    /// Has the directory stay. Returns it; none where no file got a name.
    pub fn keep(&mut self) -> Option<PathBuf> {
        self.directory.take().map(TempDir::keep)
    }

    /// The directory, where one is there.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_ref().map(TempDir::path)
    }

    /// A path in the directory that no file has.
    fn next(&mut self, pid: u32) -> Option<PathBuf> {
        if self.directory.is_none() {
            self.directory = self.parent.as_deref().and_then(in_directory);
        }
        let directory = self.directory.as_ref()?;
        self.given += 1;
        Some(
            directory
                .path()
                .join(format!("{pid}-{}.region", self.given)),
        )
    }
}

fn in_directory(parent: &Path) -> Option<TempDir> {
    let directory = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .prefix("weir.")
        .rand_bytes(10)
        .tempdir_in(parent);
    directory.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_without_a_name_gets_one_that_goes_with_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let session = parent.path().join("weir.session");
        let mut names = Names::new(&session);
        let mut file = tempfile::tempfile_in(parent.path()).unwrap();
        file.write_all(b"region").unwrap();
        let path = names.give(&file, 7).expect("a name");
        assert_ne!(names.give(&file, 7).expect("another"), path);
        assert_eq!(fs::read(&path).unwrap(), b"region");
        let directory = path.parent().unwrap().to_owned();
        assert_eq!(
            directory.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        drop(names);
        assert!(!directory.exists());
        // One that stays.
        let mut names = Names::new(&session);
        let file = tempfile::tempfile_in(parent.path()).unwrap();
        let path = names.give(&file, 7).expect("a name");
        let named = parent.path().join("8.region");
        fs::write(&named, "named").unwrap();
        assert!(names.take(&path, 7) && path.exists());
        assert!(names.take(&named, 8) && !named.exists());
        let directory = names.keep().expect("a directory");
        drop(names);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
        // One that has gone for good.
        let mut names = Names::new(Path::new("/nonexistent/session"));
        assert!(names.give(&file, 7).is_none());
    }
}
