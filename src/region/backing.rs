//! The file behind a region: it is created under a name that nobody else has, given to a user, and removed.

use std::ffi::CStr;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, statat};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use weir_record::region::Circumstance;

use crate::environment::{self, Environment, Path};
use crate::memory::bytes::Bytes;
use crate::region::left_behind;
use crate::sys::{self, Descriptor, process};

/// A region's file.
pub struct Made {
    /// It is open.
    pub fd: Descriptor,
    /// What is not as usual: the file is not in the first directory; or the process had one before, as another image.
    pub circumstances: [Option<Circumstance>; 2],
}

/// Creates the region's file, and stores its path in `file`.
pub fn create(pid: u32, file: &mut Path) -> Option<Made> {
    let environment = environment::get();
    let directories = directories(environment);
    let identity = if environment.has_session() {
        None
    } else {
        process::identity()
    };
    let mut had_one = false;
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
                    let other_name =
                        |name: &mut Path| name_alone(name, directory, pid, unforeseen());
                    had_one |= left_behind::make_way(file.as_c_str(), other_name);
                }
                let fd = named.then(|| create_file(file.as_c_str())).flatten();
                fd.map(|fd| Made {
                    fd,
                    circumstances: [place, had_one.then_some(Circumstance::IsNotFirst)],
                })
            })
        })
}

/// The directories of regions; an empty one is none.
fn directories(environment: &Environment) -> [&[u8]; 2] {
    if environment.has_session() {
        [environment.session.as_bytes(), b""]
    } else if environment.region_dir.is_empty() {
        [b"/dev/shm", b"/tmp"]
    } else {
        [environment.region_dir.as_bytes(), b""]
    }
}

/// Whether a process has a region of a recording without `weir`. Not known of one of another user.
pub fn is_there(pid: u32) -> bool {
    let in_proc = |rest: &[u8]| {
        let mut path = Bytes::<32>::new();
        let is_whole = path.push(b"/proc/") && path.push_number(pid.into()) && path.push(rest);
        is_whole.then_some(path)
    };
    let (Some(stat), Some(namespace)) = (in_proc(b"/stat"), in_proc(b"/ns/pid")) else {
        return false;
    };
    let Some(identity) = process::identity_by(stat.as_c_str(), namespace.as_c_str()) else {
        return false;
    };
    directories(environment::get())
        .into_iter()
        .any(|directory| {
            let mut file = Path::new();
            !directory.is_empty()
                && name_alone(&mut file, directory, pid, identity)
                && statat(CWD, file.as_c_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
        })
}

/// How many names are tried.
pub const ATTEMPTS: u32 = 4;

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
/// this one finds its region. If that name is taken, and stays so, the number is one that no other user can guess.
fn name_alone(file: &mut Path, directory: &[u8], pid: u32, number: u64) -> bool {
    file.push(directory)
        && file.push(b"/weir.")
        && file.push_number(pid.into())
        && file.push(b".")
        && file.push_number(number)
        && file.push(b".region")
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
