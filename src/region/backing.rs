//! The file behind a region: it is created under a name that nobody else has, given to a user, and removed.

use std::ffi::CStr;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, statat};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use weir_record::region::Circumstance;

use crate::environment::{self, Path};
use crate::sys::{self, Descriptor, process};

/// Creates the region's file, and stores its path in `file`. Also returns a circumstance if the file is not in the
/// first directory.
pub fn create(pid: u32, file: &mut Path) -> Option<(Descriptor, Option<Circumstance>)> {
    let environment = environment::get();
    let directories: [&[u8]; 2] = if environment.has_session() {
        [environment.session.as_bytes(), b""]
    } else if environment.region_dir.is_empty() {
        [b"/dev/shm", b"/tmp"]
    } else {
        [environment.region_dir.as_bytes(), b""]
    };
    let identity = if environment.has_session() {
        None
    } else {
        process::identity()
    };
    directories
        .into_iter()
        .filter(|directory| !directory.is_empty())
        .find_map(|directory| {
            let place = (directory != directories[0]).then_some(Circumstance::OtherDirectory);
            (0..ATTEMPTS).find_map(|attempt| {
                file.clear();
                let named = if environment.has_session() {
                    name_in_session(file, directory, pid)
                } else {
                    let number = if attempt == 0 { identity } else { None };
                    name_alone(file, directory, pid, number.unwrap_or_else(unforeseen))
                };
                if attempt == 0 && named && identity.is_some() {
                    remove_left_behind(file.as_c_str());
                }
                let fd = named.then(|| create_file(file.as_c_str())).flatten();
                fd.map(|fd| (fd, place))
            })
        })
}

/// How many names are tried.
const ATTEMPTS: u32 = 4;

/// `<directory>/<pid>-<ticks>.region`: several images may have the same process id.
pub fn name_in_session(file: &mut Path, directory: &[u8], pid: u32) -> bool {
    file.push(directory)
        && file.push(b"/")
        && file.push_number(pid.into())
        && file.push(b"-")
        && file.push_number(sys::ticks())
        && file.push(b".region")
}

/// `<directory>/weir.<pid>.<number>.region`. The number is the process's identity, so that the image that replaces
/// this one finds its region. If another user has made a file of that name, the number is one that no other user can
/// guess.
fn name_alone(file: &mut Path, directory: &[u8], pid: u32, number: u64) -> bool {
    file.push(directory)
        && file.push(b"/weir.")
        && file.push_number(pid.into())
        && file.push(b".")
        && file.push_number(number)
        && file.push(b".region")
}

/// Removes the region of the image that this one has replaced: its report is written. Removes no other file.
fn remove_left_behind(path: &CStr) {
    let Ok(status) = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) else {
        return;
    };
    let is_plain = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
    if is_plain && status.st_nlink == 1 && status.st_uid == rustix::process::geteuid().as_raw() {
        remove(path);
    }
}

fn unforeseen() -> u64 {
    let mut number = [0; 8];
    let flags = GetRandomFlags::INSECURE | GetRandomFlags::NONBLOCK;
    match getrandom(&mut number[..], flags) {
        Ok(8) => u64::from_ne_bytes(number),
        // Before Linux 5.6, or if a filter forbids it: a number that is at least never used twice.
        _ => sys::ticks(),
    }
}

fn create_file(path: &CStr) -> Option<Descriptor> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = || rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(Descriptor::from);
    let result = match open() {
        Err(Errno::MFILE) => sys::with_more_descriptors(open)?,
        other => other,
    };
    result.ok()
}

/// Makes a user the owner of a region's file, if the process may do that.
pub fn give(file: &CStr, user: u32) {
    let user = Some(rustix::fs::Uid::from_raw(user));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let _ = rustix::fs::chownat(CWD, file, user, None, flags);
}

/// Removes a region's file.
pub fn remove(file: &CStr) {
    let _ = rustix::fs::unlinkat(CWD, file, AtFlags::empty());
}
