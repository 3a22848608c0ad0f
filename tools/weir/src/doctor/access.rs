//! Whether a file may be executed at all.

use std::ffi::CString;
use std::fmt;
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::exit_code;
use crate::failure::Failure;

/// Why a file cannot be executed; reads on after the file's path.
#[derive(Debug)]
pub enum Denied {
    /// There is no such file.
    Missing,
    /// It is a directory.
    Directory,
    /// It is a device, a socket or a pipe.
    NotAFile,
    /// It has no permission to be executed by this user, or lies where nothing may be.
    NotExecutable,
    /// The system says something else.
    Unreachable(Error),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Missing => f.write_str("does not exist"),
            Denied::Directory => f.write_str("is a directory, not a program"),
            Denied::NotAFile => f.write_str("is not a regular file, so it cannot be executed"),
            Denied::NotExecutable => {
                f.write_str("cannot be executed: it has no execute permission (chmod +x), or its file system is mounted noexec")
            }
            Denied::Unreachable(_) => f.write_str("cannot be reached"),
        }
    }
}

impl std::error::Error for Denied {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Denied::Unreachable(error) => Some(error),
            _ => None,
        }
    }
}

impl Denied {
    /// The failure whose line begins with these words about the file.
    pub fn about(self, file: impl fmt::Display) -> Failure {
        let failure = Failure::new(exit_code::CANNOT_TRACE, format!("{file} {self}"));
        match self {
            Denied::Unreachable(error) => failure.because(error),
            _ => failure,
        }
    }
}

/// Whether this process may execute the file.
pub fn check(path: &Path) -> Result<(), Denied> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput => Denied::Missing,
        _ => Denied::Unreachable(error),
    })?;
    if metadata.is_dir() {
        return Err(Denied::Directory);
    }
    if !metadata.is_file() {
        return Err(Denied::NotAFile);
    }
    // A path with a NUL inside was refused by metadata above.
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Denied::Missing)?;
    // SAFETY: the path is a NUL-terminated string that outlives the call, which only reads it.
    let answer =
        unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) };
    match answer {
        0 => Ok(()),
        _ => match Error::last_os_error() {
            error if error.kind() == ErrorKind::PermissionDenied => Err(Denied::NotExecutable),
            error => Err(Denied::Unreachable(error)),
        },
    }
}
