//! A report to disk.
//!
//! ```text
//! lines        the JSON's form
//! place        the path of the file, and whether we can trust what is there
//! descriptor   what is open
//! ```
//!
//! This also runs inside traced programs, so it makes its system calls itself: there, other functions may take the place of
//! the C library's, and a thread may be cancelled in them.

mod descriptor;
mod lines;
mod place;

use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, AsRawFd};
use rustix::fs::{
    Access, AtFlags, CWD, FileType, Gid, Mode, OFlags, PROC_SUPER_MAGIC, Stat, accessat, fchmod,
    fchown, fstat, fstatfs, linkat, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::Serialize;

use crate::model::Report;
pub use descriptor::Descriptor;
use place::{Found, Place};

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

/// Replaces a file: a reader sees either the old content or the new one, never a part, and the same users
/// can read the new file. If a symbolic link is there, replaces the file that it points to. If it is not a regular file (a pipe,
/// a terminal), writes to it. Writes also to the file behind a link of the kernel's to a
/// descriptor (`/dev/stdout`, `/proc/self/fd/3`): appends to a regular file, and keeps its content. But if another user made
/// the link, pipe or file, does not open it: replaces it.
///
/// # Errors
/// Those of the system. No other file is left. `NXIO` if it is a pipe without a reader.
pub fn replace(path: &Path, json: &[u8]) -> Result<(), Errno> {
    let (place, found) = Place::of(path.as_os_str().as_bytes())?.resolve()?;
    let before = match &found {
        Found::Channel | Found::Open => {
            return add_to(&place.open_channel(&found)?, json);
        }
        Found::File(before) => Some(before),
        Found::Nothing => None,
    };
    if let Ok(unnamed) = Unnamed::write(&place.directory, before, json) {
        if before.is_none() && unnamed.take(&place.name).is_ok() {
            return Ok(());
        }
        if let Ok(mut temporary) = unnamed.temporary() {
            return temporary.rename_to(&place.name);
        }
    }
    Temporary::write(&place.directory, before, json)?.rename_to(&place.name)
}

/// The same as [`replace`], unless a regular file is there that was written at or after this moment, in nanoseconds since the Unix
/// epoch. Whether it was done.
///
/// # Errors
/// Those of [`replace`].
pub fn replace_older(path: &Path, moment_unix_ns: u64, json: &[u8]) -> Result<bool, Errno> {
    let (_, found) = Place::of(path.as_os_str().as_bytes())?.resolve()?;
    if let Found::File(file) = &found {
        let written = i128::from(file.st_mtime) * 1_000_000_000 + i128::from(file.st_mtime_nsec);
        if written >= i128::from(moment_unix_ns) {
            return Ok(false);
        }
    }
    replace(path, json).map(|()| true)
}

/// Writes to what is there already. Where a regular file would become larger than the limit, nothing is written: the
/// kernel would send SIGXFSZ.
fn add_to(channel: &Descriptor, json: &[u8]) -> Result<(), Errno> {
    let there = fstat(channel)?;
    if FileType::from_raw_mode(there.st_mode) == FileType::RegularFile {
        let size = u64::try_from(there.st_size).unwrap_or(u64::MAX);
        let end = size.saturating_add(json.len() as u64);
        if getrlimit(Resource::Fsize)
            .current
            .is_some_and(|limit| end > limit)
        {
            return Err(Errno::FBIG);
        }
    }
    channel.write_all(json)
}

/// Whether [`replace`] could write there, as far as that is known in advance.
///
/// # Errors
/// Those of [`replace`].
pub fn may_replace(path: &Path) -> Result<(), Errno> {
    let (place, found) = Place::of(path.as_os_str().as_bytes())?.resolve()?;
    match found {
        Found::Open => match place.open_channel(&found) {
            Ok(_) | Err(Errno::NXIO) => Ok(()),
            Err(error) => Err(error),
        },
        // Not opened: to its reader, the end of a pipe is there when its last writer closes it.
        Found::Channel => {
            let name = place.name.as_c_str();
            accessat(&place.directory, name, Access::WRITE_OK, AtFlags::empty())
        }
        // Only the kernel makes files there.
        Found::Nothing if fstatfs(&place.directory)?.f_type == PROC_SUPER_MAGIC => {
            Err(Errno::NOENT)
        }
        // It is replaced, so the directory is what matters.
        Found::File(_) | Found::Nothing => {
            let access = Access::WRITE_OK | Access::EXEC_OK;
            accessat(&place.directory, c".", access, AtFlags::empty())
        }
    }
}

/// Writes a file, and leaves alone what is there: where the path is taken, the first that is free with
/// `.1`, `.2`, … before its extension. Returns the path that it took; no two callers get the same.
///
/// # Errors
/// Where the system will not have it. No file is left behind.
pub fn create_new(path: &Path, json: &[u8]) -> Result<PathBuf, Errno> {
    let place = Place::of(path.as_os_str().as_bytes())?;
    let unnamed = Unnamed::write(&place.directory, None, json);
    if let Ok(taken) = unnamed.and_then(|unnamed| take_free(path, |name| unnamed.take(name))) {
        return Ok(taken);
    }
    let mut temporary = Temporary::write(&place.directory, None, json)?;
    take_free(path, |name| temporary.take(name))
}

/// Takes the first free name by `take`.
fn take_free(
    path: &Path,
    mut take: impl FnMut(&CStr) -> Result<(), Errno>,
) -> Result<PathBuf, Errno> {
    let mut candidate = path.to_owned();
    for number in 1_u32.. {
        let name = candidate.file_name().unwrap_or_default();
        let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
        match take(&name) {
            Ok(()) => return Ok(candidate),
            Err(Errno::EXIST) => candidate = numbered(path, number),
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
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

/// To make a file; fails if there is a file or a link already.
const MAKE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The files that this thread has open, as links of the kernel's (proc(5)).
const OPEN_FILES: &CStr = c"/proc/thread-self/fd";

/// A complete file without a name: nothing is left of it if the process is killed.
struct Unnamed<'d> {
    directory: &'d Descriptor,
    file: Descriptor,
}

impl<'d> Unnamed<'d> {
    /// Writes it, with the mode of the file that it is to replace; else with what the umask leaves of 0666.
    ///
    /// # Errors
    /// Also where the file system has no files without a name.
    fn write(
        directory: &'d Descriptor,
        before: Option<&Stat>,
        json: &[u8],
    ) -> Result<Unnamed<'d>, Errno> {
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file: Descriptor = openat(directory, c".", flags, mode(before))?.into();
        complete(&file, before, json)?;
        Ok(Unnamed { directory, file })
    }

    /// Gives it a name that nothing has, in the directory that it was made in.
    fn take(&self, name: &CStr) -> Result<(), Errno> {
        // Before Linux 6.10, only a privileged process can do that with the descriptor alone (open(2), `O_TMPFILE`).
        match linkat(&self.file, c"", self.directory, name, AtFlags::EMPTY_PATH) {
            Err(error) if error != Errno::EXIST => self.take_by_link(name),
            linked => linked,
        }
    }

    /// The same by the link that /proc has to the file.
    fn take_by_link(&self, name: &CStr) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open_files: Descriptor = openat(CWD, OPEN_FILES, flags, Mode::empty())?.into();
        if fstatfs(&open_files)?.f_type != PROC_SUPER_MAGIC {
            return Err(Errno::NOENT);
        }
        let number = CString::new(self.file.as_fd().as_raw_fd().to_string());
        let number = number.map_err(|_| Errno::INVAL)?;
        let followed = AtFlags::SYMLINK_FOLLOW;
        linkat(
            &open_files,
            number.as_c_str(),
            self.directory,
            name,
            followed,
        )
    }

    /// Gives it a name until it gets that of another file.
    fn temporary(self) -> Result<Temporary<'d>, Errno> {
        let named = Temporary::of_free_name(self.directory, |name| self.take(name));
        named.map(|(temporary, ())| temporary)
    }
}

/// A complete file that does not have its final name yet. It is removed when this is dropped.
struct Temporary<'d> {
    /// It gets its final name in the same directory: so both are in one file system, even if the directory is renamed.
    directory: &'d Descriptor,
    /// None when it has its final name: a file of that name may belong to another process by now, so it must not be removed.
    name: Option<CString>,
}

impl Temporary<'_> {
    /// Writes it; the mode is as for [`Unnamed::write`].
    fn write<'d>(
        directory: &'d Descriptor,
        before: Option<&Stat>,
        json: &[u8],
    ) -> Result<Temporary<'d>, Errno> {
        let (temporary, file) = Temporary::of_free_name(directory, |name| {
            openat(directory, name, MAKE, mode(before)).map(Descriptor::from)
        })?;
        complete(&file, before, json)?;
        Ok(temporary)
    }

    /// Has `make` make it under a name that nothing has, which no other user can guess.
    fn of_free_name<T>(
        directory: &Descriptor,
        make: impl Fn(&CStr) -> Result<T, Errno>,
    ) -> Result<(Temporary<'_>, T), Errno> {
        const ATTEMPTS: u32 = 100;
        for _ in 0..ATTEMPTS {
            let name = unguessable_name()?;
            match make(&name) {
                Ok(made) => {
                    let name = Some(name);
                    return Ok((Temporary { directory, name }, made));
                }
                Err(Errno::EXIST | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::EXIST)
    }

    /// Gives it a name, in place of what has it.
    ///
    /// What has it is held open meanwhile. Otherwise the kernel frees its content with the directory locked, and that can wait
    /// for a slow disk: ext4 begins to write a file that takes the place of another (ext4(5), `auto_da_alloc`). All who
    /// look up a name in that directory would wait too, such as a child that writes its own report there.
    fn rename_to(&mut self, name: &CStr) -> Result<(), Errno> {
        let Some(own) = self.name.as_deref() else {
            return Err(Errno::NOENT);
        };
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let before = openat(self.directory, name, flags, Mode::empty());
        let before = before.ok().map(Descriptor::from);
        renameat(self.directory, own, self.directory, name)?;
        drop(before);
        self.name = None;
        Ok(())
    }

    /// Gives it a name that nothing has.
    fn take(&mut self, name: &CStr) -> Result<(), Errno> {
        let Some(own) = self.name.as_deref() else {
            return Err(Errno::NOENT);
        };
        match linkat(self.directory, own, self.directory, name, AtFlags::empty()) {
            Err(error) if error != Errno::EXIST => self.claim(name),
            linked => linked,
        }
    }

    /// The same where the file system has no links: for a moment the file is there and empty.
    fn claim(&mut self, name: &CStr) -> Result<(), Errno> {
        let mode = Mode::from_bits_truncate(0o600);
        let claimed: Descriptor = openat(self.directory, name, MAKE, mode)?.into();
        drop(claimed);
        self.rename_to(name).inspect_err(|_| {
            // The error of the rename is the one to return.
            let _ = unlinkat(self.directory, name, AtFlags::empty());
        })
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.as_deref() {
            let _ = unlinkat(self.directory, name, AtFlags::empty());
        }
    }
}

/// The mode of a new file that is to replace this one, until it is complete.
fn mode(before: Option<&Stat>) -> Mode {
    Mode::from_bits_truncate(if before.is_some() { 0o600 } else { 0o666 })
}

fn complete(file: &Descriptor, before: Option<&Stat>, json: &[u8]) -> Result<(), Errno> {
    file.write_all(json)?;
    before.map_or(Ok(()), |before| make_as(file, before))
}

/// Gives a new file the mode of the old one, so that the same users can read it, and no others.
fn make_as(file: &Descriptor, before: &Stat) -> Result<(), Errno> {
    let mut mode = Mode::from_raw_mode(before.st_mode & 0o777);
    let group = Gid::from_raw(before.st_gid);
    if fstat(file)?.st_gid != before.st_gid && fchown(file, None, Some(group)).is_err() {
        // It belongs to another group: that gets only the rights of all users.
        let everybody = Mode::from_raw_mode((before.st_mode & 0o7) << 3);
        mode = mode.difference(Mode::RWXG) | everybody.intersection(mode);
    }
    fchmod(file, mode)
}

const NAME_BEGINS: &str = ".weir.";
const NAME_ENDS: &str = ".tmp";

/// Whether a file has the name that one has for a moment which is about to become a report. A process that is killed then leaves it.
pub fn is_temporary(name: &[u8]) -> bool {
    let number = name
        .strip_prefix(NAME_BEGINS.as_bytes())
        .and_then(|rest| rest.strip_suffix(NAME_ENDS.as_bytes()));
    number.is_some_and(|number| {
        number.len() == 16
            && number
                .iter()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A name that no other user can guess.
fn unguessable_name() -> Result<CString, Errno> {
    let mut random = [0_u8; 8];
    // The second for kernels before Linux 5.6.
    let flags = GetRandomFlags::INSECURE | GetRandomFlags::NONBLOCK;
    getrandom(&mut random[..], flags)
        .or_else(|_| getrandom(&mut random[..], GetRandomFlags::NONBLOCK))?;
    let number = u64::from_ne_bytes(random);
    CString::new(format!("{NAME_BEGINS}{number:016x}{NAME_ENDS}")).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn with_a_name_or_without_a_temporary_file_is_complete_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let place = Place::of(path.as_os_str().as_bytes()).unwrap();
        let unnamed = Unnamed::write(&place.directory, None, b"json").unwrap();
        let unnamed = unnamed.temporary().unwrap();
        let named = Temporary::write(&place.directory, None, b"json").unwrap();
        for temporary in [&unnamed, &named] {
            let name = temporary.name.clone().unwrap();
            assert!(is_temporary(name.to_bytes()));
            let written = folder.path().join(name.to_str().unwrap());
            assert_eq!(fs::read(written).unwrap(), b"json");
        }
        drop((unnamed, named));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        for other in [".weir.0123456789abcdeg.tmp", ".weir.0123.tmp", ".weir..tmp"] {
            assert!(!is_temporary(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_file_without_a_name_gets_one_that_nothing_has() {
        for by_link in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("report.json");
            let place = Place::of(path.as_os_str().as_bytes()).unwrap();
            let write = |json| Unnamed::write(&place.directory, None, json).unwrap();
            let take = |unnamed: &Unnamed<'_>| match by_link {
                true => unnamed.take_by_link(&place.name),
                false => unnamed.take(&place.name),
            };
            let (first, second) = (write(b"first"), write(b"second"));
            take(&first).unwrap();
            assert_eq!(take(&second), Err(Errno::EXIST));
            drop((first, second));
            assert_eq!(fs::read(&path).unwrap(), b"first");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn where_there_are_no_links_a_name_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let place = Place::of(path.as_os_str().as_bytes()).unwrap();
        let write = |json| Temporary::write(&place.directory, None, json).unwrap();
        let mut first = write(b"first");
        first.claim(&place.name).unwrap();
        drop(first);
        let mut second = write(b"second");
        assert_eq!(second.claim(&place.name), Err(Errno::EXIST));
        // A file that has been removed cannot be renamed: the claimed name is released.
        let name = second.name.clone().unwrap();
        unlinkat(&place.directory, name.as_c_str(), AtFlags::empty()).unwrap();
        assert!(second.claim(c"free.json").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
