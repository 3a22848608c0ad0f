//! A report to disk.

mod lines;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::model::Report;

/// The report as JSON.
///
/// A function is a line, and so is a thread, a slow call, a whole timeline: `grep` finds all that is known
/// of one, `diff` shows what changed, and there is little white space in a large recording.
pub fn to_json(report: &Report) -> Vec<u8> {
    // Most reports are of one small process.
    let mut json = Vec::with_capacity(32 * 1024);
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, lines::Lines::default());
    // Memory takes what is written, and the model holds nothing that JSON has no form for.
    let _ = report.serialize(&mut serializer);
    json.push(b'\n');
    json
}

/// Writes a file in place of what is there: whoever opens it sees the old content or the new one, never
/// a part. Where a symbolic link is there, that is the file it leads to. What is no regular file (a
/// pipe, `/dev/stderr`) is written to.
///
/// # Errors
/// Where the system will not have it. No other file is left behind.
pub fn replace(path: &Path, json: &[u8]) -> io::Result<()> {
    let Ok(there) = fs::metadata(path) else {
        return Temporary::write_beside(path, json)?.rename_to(path);
    };
    if !there.is_file() {
        return OpenOptions::new().write(true).open(path)?.write_all(json);
    }
    let file = fs::canonicalize(path)?;
    Temporary::write_beside(&file, json)?.rename_to(&file)
}

/// Writes a file, and leaves alone what is there: where the path is taken, the first that is free with
/// `.1`, `.2`, … before its extension. Returns the path that it took; no two callers get the same.
///
/// # Errors
/// Where the system will not have it. No file is left behind.
pub fn create_new(path: &Path, json: &[u8]) -> io::Result<PathBuf> {
    let mut temporary = Temporary::write_beside(path, json)?;
    let mut candidate = path.to_owned();
    for number in 1_u32.. {
        match temporary.take(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                candidate = numbered(path, number);
            }
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// The path with a number before its extension.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().map(OsString::from).unwrap_or_default();
    name.push(format!(".{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// A complete file that has not got its name yet. It goes when this does.
struct Temporary(PathBuf);

impl Temporary {
    /// Writes it where it will have to be renamed within one file system only.
    fn write_beside(path: &Path, json: &[u8]) -> io::Result<Temporary> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut options = OpenOptions::new();
        // Opened by std with close-on-exec, and mode 0666 less the umask.
        options.write(true).create_new(true);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!(".weir.{}.{count}.tmp", process::id());
            let temporary = path.with_file_name(name);
            match options.open(&temporary) {
                Ok(mut file) => {
                    let temporary = Temporary(temporary);
                    file.write_all(json)?;
                    return Ok(temporary);
                }
                // Left by a process that was killed, or of one in another process namespace.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives it a name, in place of what has it.
    fn rename_to(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        // Its first name may be another's by now: it is not to be removed.
        self.0 = PathBuf::new();
        Ok(())
    }

    /// Gives it a name that nothing has.
    fn take(&mut self, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.0, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => self.claim(path),
            linked => linked,
        }
    }

    /// The same where the file system has no links: for a moment the file is there and empty.
    fn claim(&mut self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).open(path)?;
        self.rename_to(path).inspect_err(|_| {
            // What is told is why it could not be renamed.
            let _ = fs::remove_file(path);
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_links_a_name_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let mut first = Temporary::write_beside(&path, b"first").unwrap();
        first.claim(&path).unwrap();
        drop(first);
        let mut second = Temporary::write_beside(&path, b"second").unwrap();
        let taken = second.claim(&path).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        // One that has gone cannot be renamed: what was claimed is given back.
        let free = folder.path().join("free.json");
        fs::remove_file(&second.0).unwrap();
        assert!(second.claim(&free).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
