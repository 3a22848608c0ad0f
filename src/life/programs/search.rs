//! Finds the file of a name, as execvp(3) does.

use std::ffi::{CStr, c_char};

use super::{Kind, at};
use crate::sys;
use crate::sys::looking::{self, Unseen};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Where the C library looks if PATH is not set.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";
/// Room for a file's path in bytes. A longer path is not examined.
const LONGEST: usize = 512;

/// Examines the program of this name, or at this path if it has a slash.
pub fn look(name: *const c_char) -> Kind {
    if looking::mode(libc::AT_FDCWD, name) == Err(Unseen::Unreadable) {
        return Kind::Unreadable;
    }
    // SAFETY: the kernel has just read the name.
    let text = unsafe { CStr::from_ptr(name) }.to_bytes();
    if text.contains(&b'/') {
        return or_shell(at(libc::AT_FDCWD, name));
    }
    in_directories(path().unwrap_or(DEFAULT_PATH), text)
}

/// The process's own PATH: execvp searches this one, whatever environment the program gets.
fn path<'e>() -> Option<&'e [u8]> {
    // SAFETY: the C library's own list of strings, which NULL ends; execvp is about to read it, too.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            if let Some(path) = CStr::from_ptr(*entry).to_bytes().strip_prefix(b"PATH=") {
                return Some(path);
            }
            entry = entry.add(1);
        }
    }
    None
}

#[inline(never)]
pub(super) fn in_directories(path: &[u8], name: &[u8]) -> Kind {
    let mut file = [0; LONGEST];
    for directory in path.split(|&byte| byte == b':') {
        // An empty entry is the working directory.
        let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        let parts = [directory, slash, name, b"\0"];
        let Some(file) = joined(&parts, &mut file) else {
            return Kind::Unknown;
        };
        if sys::access(file.as_ptr(), libc::X_OK) == 0 {
            match at(libc::AT_FDCWD, file.as_ptr()) {
                // The search goes on after a directory.
                Kind::Unknown if is_directory(file) => {}
                kind => return or_shell(kind),
            }
        }
    }
    Kind::Missing
}

fn is_directory(file: &CStr) -> bool {
    looking::mode(libc::AT_FDCWD, file.as_ptr())
        .is_ok_and(|mode| mode & libc::S_IFMT == libc::S_IFDIR)
}

/// A file without a known format is executed by the shell.
fn or_shell(kind: Kind) -> Kind {
    match kind {
        Kind::Formless => at(libc::AT_FDCWD, c"/bin/sh".as_ptr()),
        kind => kind,
    }
}

fn joined<'b>(parts: &[&[u8]], into: &'b mut [u8]) -> Option<&'b CStr> {
    let mut length = 0;
    for part in parts {
        into.get_mut(length..length + part.len())?
            .copy_from_slice(part);
        length += part.len();
    }
    CStr::from_bytes_with_nul(&into[..length]).ok()
}
