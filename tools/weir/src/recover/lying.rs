//! The regions that lie where the library makes them, and whether anybody still uses one.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use weir_record::settings;

use crate::run::trust;

/// The directories: those that a library without `weir run`, and a `weir run` that was killed, make regions in.
pub fn directories() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let all = match variable(settings::REGION_DIR.name) {
        Some(directory) => vec![directory.into()],
        None => {
            let temporary = variable("TMPDIR").unwrap_or_else(|| "/tmp".into());
            vec!["/dev/shm".into(), temporary.into(), "/tmp".into()]
        }
    };
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in all {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// The regions in a directory that are this user's (root's are all), and the sessions among its directories with
/// theirs, in the order of their names.
pub fn regions(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = own_entries(directory)
        .filter(|(path, _)| name(path).starts_with(b"weir."))
        .flat_map(|(path, is_directory)| match is_directory {
            true => own_entries(&path)
                .filter(is_region)
                .map(|it| it.0)
                .collect(),
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
    let regions = own_entries(directory).filter(is_region);
    regions.map(|(path, _)| path).collect()
}

/// Removes a region that nobody uses, and the session that it was the last one of.
pub fn remove(region: &Path) -> std::io::Result<()> {
    fs::remove_file(region)?;
    if let Some(session) = region
        .parent()
        .filter(|parent| name(parent).starts_with(b"weir."))
    {
        // A link to the library may be there; anything else keeps it.
        let _ = fs::remove_file(session.join("libweir.so"));
        let _ = fs::remove_dir(session);
    }
    Ok(())
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

/// Whether a process has the file mapped, whichever namespace it is in: a lease for reading is refused while a file is
/// open for writing anywhere, and what is mapped to be written to is (fcntl(2)). Where no lease is to be had, /proc is
/// asked about the process that made it.
pub fn is_used(file: &File, path: &Path, pid: u32) -> bool {
    let lease = |kind: libc::c_int| {
        // SAFETY: a command on a descriptor of ours that takes a number.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) }
    };
    if lease(libc::F_RDLCK) == 0 {
        lease(libc::F_UNLCK);
        return false;
    }
    let refused = std::io::Error::last_os_error().raw_os_error();
    refused == Some(libc::EAGAIN) || is_mapped_by(pid, file, path)
}

/// Whether the process runs and still has the file mapped.
fn is_mapped_by(pid: u32, file: &File, path: &Path) -> bool {
    let (Ok(maps), Ok(there)) = (fs::read(format!("/proc/{pid}/maps")), file.metadata()) else {
        return false;
    };
    let name = name(path);
    // proc_pid_maps(5): address, permissions, offset, device, inode, path.
    maps.split(|&byte| byte == b'\n').any(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let inode = fields
            .nth(4)
            .and_then(|inode| std::str::from_utf8(inode).ok());
        inode.and_then(|inode| inode.parse().ok()) == Some(there.ino()) && line.ends_with(name)
    })
}
