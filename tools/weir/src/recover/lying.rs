//! The regions in the directories where the library makes them, and whether they are in use.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::Pid;
use weir_record::region::{Header, MAGIC};
use weir_record::settings::INBOX;
use weir_report::emit;

use crate::run::namespaces::Namespace;
use crate::run::seen::Namespaced;
use crate::run::usage::FileId;
use crate::trust;

/// The link to the library that a session may have.
const LIBRARY: &str = "libweir.so";
/// A socket of this age that has no listener will have none.
const SETTLING: Duration = Duration::from_secs(1);
/// Another weir recover needs a file for moments only.
const PATIENCE: Duration = Duration::from_secs(2);
/// A report has no name of its own for moments; on the slowest file system, not for so long.
const TEMPORARY: Duration = Duration::from_secs(600);

/// The regions in a directory that are this user's (root's are all), and the sessions among its directories with
/// theirs, in the order of their names.
pub fn regions(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = own_entries(directory)
        .filter(|(path, _)| name(path).starts_with(b"weir."))
        .flat_map(|(path, is_directory)| match is_directory {
            true => within(&path),
            false => Vec::from_iter(Some((path, false)).filter(is_region).map(|it| it.0)),
        })
        .collect();
    found.sort();
    found
}

/// The regions in the directory of one, itself included, that are this user's.
pub fn beside(region: &Path) -> Vec<PathBuf> {
    let directory = match region.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    within(directory)
}

/// The regions in a directory that are this user's.
pub fn within(directory: &Path) -> Vec<PathBuf> {
    let regions = own_entries(directory).filter(is_region);
    regions.map(|(path, _)| path).collect()
}

/// Whether a file of this name is a region that this user's process began to make, and was ended before it counted anything.
/// The number that a region begins with is stored when all else of it is there.
pub fn is_unbegun(file: &File, path: &Path) -> bool {
    let mut magic = [0; size_of_val(&MAGIC)];
    let is_blank = match file.read_at(&mut magic, 0) {
        Ok(length) => magic[..length].iter().all(|&byte| byte == 0),
        Err(_) => false,
    };
    let own = rustix::process::geteuid().as_raw();
    let is_own = file.metadata().is_ok_and(|there| there.uid() == own);
    let pid = maker(name(path)).filter(|_| is_blank && is_own);
    pid.is_some_and(|pid| {
        let has_ended = rustix::process::test_kill_process(pid) == Err(Errno::SRCH);
        has_ended && !is_used(file, path, pid.as_raw_pid().cast_unsigned())
    })
}

/// The process that has made the region of this name: `weir.<pid>.<number>.region`, in a session `<pid>-<number>.region`.
fn maker(name: &[u8]) -> Option<Pid> {
    let name = std::str::from_utf8(name).ok()?.strip_suffix(".region")?;
    let (pid, number) = match name.strip_prefix("weir.") {
        Some(rest) => rest.split_once('.')?,
        None => name.split_once('-')?,
    };
    number.parse::<u64>().ok()?;
    Pid::from_raw(pid.parse().ok().filter(|&pid: &i32| pid > 0)?)
}

/// Keeps other weir recover from this file as long as it is open here. After [`PATIENCE`], and where files cannot be locked, it goes
/// on without.
pub fn lock(file: &File) {
    let began = Instant::now();
    let attempt = || rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
    while attempt() == Err(Errno::WOULDBLOCK) && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Removes a region that is not in use, and its session if that has no other.
pub fn remove(region: &Path) -> io::Result<()> {
    match fs::remove_file(region) {
        // Another weir recover has removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?,
    }
    if let Some(session) = region
        .parent()
        .filter(|parent| name(parent).starts_with(b"weir."))
    {
        remove_session(session);
    }
    Ok(())
}

/// Removes the sessions in a directory that are this user's own, and that a `weir run` left without regions when it was
/// killed; which these were.
pub fn remove_abandoned(directory: &Path) -> Vec<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let is_own = |path: &Path| fs::symlink_metadata(path).is_ok_and(|there| there.uid() == own);
    let mut removed: Vec<PathBuf> = own_entries(directory)
        .filter(|(path, is_directory)| *is_directory && name(path).starts_with(b"weir."))
        .map(|(path, _)| path)
        // Without an inbox, it is not known whether a session is in use.
        .filter(|path| is_own(path) && path.join(INBOX).exists() && remove_session(path))
        .collect();
    removed.sort();
    removed
}

/// Removes the files in a directory, this user's own, that a process left which was killed in the moment between a
/// report and its name; how many.
pub fn remove_temporaries(directory: &Path) -> u64 {
    let own = rustix::process::geteuid().as_raw();
    let is_left = |path: &PathBuf| {
        fs::symlink_metadata(path).is_ok_and(|there| {
            let age = there.modified().ok().and_then(|time| time.elapsed().ok());
            there.is_file() && there.uid() == own && age.is_some_and(|age| age > TEMPORARY)
        })
    };
    let all = own_entries(directory).map(|(path, _)| path);
    all.filter(|path| emit::is_temporary(name(path)) && is_left(path))
        .map(|path| u64::from(fs::remove_file(path).is_ok()))
        .sum()
}

/// Removes a session that has no regions any more and that no weir listens in; whether it is gone.
fn remove_session(session: &Path) -> bool {
    let inbox = session.join(INBOX);
    // Anything else keeps it.
    let is_done = fs::read_dir(session).is_ok_and(|mut entries| {
        entries.all(|entry| {
            entry.is_ok_and(|entry| entry.file_name() == INBOX || entry.file_name() == LIBRARY)
        })
    });
    if !is_done || inbox.exists() && !is_deserted(&inbox) {
        return false;
    }
    let _ = fs::remove_file(inbox);
    let _ = fs::remove_file(session.join(LIBRARY));
    fs::remove_dir(session).is_ok()
}

/// Whether no process listens at a socket any more.
fn is_deserted(inbox: &Path) -> bool {
    // One has its name for a moment before it can be connected to.
    let made = fs::symlink_metadata(inbox).and_then(|there| there.modified());
    let is_settled = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > SETTLING));
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(inbox));
    is_settled && connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_bytes()
}

/// What is no link and belongs to this user, and whether it is a directory.
fn own_entries(directory: &Path) -> impl Iterator<Item = (PathBuf, bool)> + use<> {
    let is_root = rustix::process::geteuid().is_root();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        // Not of what a link leads to.
        let there = entry.metadata().ok()?;
        let is_own = is_root || trust::is_ours(there.uid());
        let is_ours = is_own && (there.is_file() || there.is_dir());
        is_ours.then(|| (entry.path(), there.is_dir()))
    })
}

fn is_region(entry: &(PathBuf, bool)) -> bool {
    !entry.1 && name(&entry.0).ends_with(b".region")
}

/// The process that made a region, by its id here, if it still runs and has the region mapped. Nobody notices that this was asked, as may
/// happen with [`is_used`]. Processes of other pid namespaces are `elsewhere`, which is filled when it is needed.
pub fn user(path: &Path, elsewhere: &OnceCell<Namespaced>) -> Option<u32> {
    let pid = maker(name(path))?.as_raw_pid().cast_unsigned();
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    if is_mapped_by(pid, &file, path) {
        return Some(pid);
    }
    let mut first = [0; Header::MAKER_BYTES];
    file.read_exact_at(&mut first, 0).ok()?;
    let maker = Header::maker(&first)?;
    match Namespace::of(maker.namespace?) {
        Namespace::Here => None,
        _ => elsewhere
            .get_or_init(Namespaced::now)
            .find(pid, FileId::of(&file.metadata().ok()?)),
    }
}

/// Whether a process has the file mapped, in any namespace: the kernel refuses a lease for reading while a file is
/// open for writing anywhere, and a file that is mapped for writing is open (fcntl(2)). If there can be no lease, /proc
/// shows whether the process that made the file still runs.
pub fn is_used(file: &File, path: &Path, pid: u32) -> bool {
    let lease = |kind: libc::c_int| {
        // SAFETY: a command on a descriptor of ours that takes a number.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) }
    };
    if lease(libc::F_RDLCK) == 0 {
        lease(libc::F_UNLCK);
        return false;
    }
    let refused = io::Error::last_os_error().raw_os_error();
    refused == Some(libc::EAGAIN) || is_mapped_by(pid, file, path)
}

/// Whether the process runs and still has the file mapped.
fn is_mapped_by(pid: u32, file: &File, path: &Path) -> bool {
    let Ok(there) = file.metadata() else {
        return false;
    };
    FileId::of(&there).is_mapped_by(pid) == Some(true) || is_named_in_maps(pid, there.ino(), path)
}

/// The same by the file's number and its name, where a file system gives another device there.
fn is_named_in_maps(pid: u32, number: u64, path: &Path) -> bool {
    let Ok(maps) = fs::read(format!("/proc/{pid}/maps")) else {
        return false;
    };
    let name = name(path);
    // proc_pid_maps(5): address, permissions, offset, device, inode, path.
    maps.split(|&byte| byte == b'\n').any(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let inode = fields
            .nth(4)
            .and_then(|inode| std::str::from_utf8(inode).ok());
        inode.and_then(|inode| inode.parse().ok()) == Some(number) && line.ends_with(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_s_name_tells_who_made_it() {
        let pid = |name: &str| maker(name.as_bytes()).map(Pid::as_raw_pid);
        assert_eq!(pid("weir.4711.99.region"), Some(4711));
        assert_eq!(pid("weir.1.18446744073709551615.region"), Some(1));
        assert_eq!(pid("4711-5.region"), Some(4711));
        for other in [
            "weir.4711.region",
            "weir.4711.x.region",
            "weir.-1.5.region",
            "weir.0.5.region",
            "weir.4711.99",
            "notes.region",
        ] {
            assert_eq!(pid(other), None, "{other}");
        }
    }
}
