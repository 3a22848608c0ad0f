//! The region that lies under the name of this process's own: that of the image which it has replaced; or that of a killed
//! process which had the same id, and started in the same tick of the kernel's clock.
//!
//! The files show which: an image that executes another program writes its report first, and says so in its region, which nobody needs
//! then. Every other region has the only counts of its image. It stays for `weir recover`, under another name.

use std::ffi::CStr;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::process::Resource;
use weir_record::region::{Header, Maker};

use crate::environment::Path;
use crate::region::backing::{self, ATTEMPTS};
use crate::sys::{self, Descriptor};

/// Makes a region's name free, if a file of ours has it: removes that if its report is written, else moves it to one of the names
/// that `other_name` gives. Touches no other file. Whether there was one of ours. If it cannot be moved, it stays where it is.
pub fn make_way(path: &CStr, other_name: impl FnMut(&mut Path) -> bool) -> bool {
    let Some(file) = open(path) else {
        return false;
    };
    let maker = maker(&file);
    match maker {
        Some(maker) if maker.has_report => backing::remove(path),
        // A filter may end the process for a system call that it does not make itself.
        _ if sys::is_filtered() => {}
        _ => {
            if maker.is_some() {
                let (place, bytes) = Header::follower_patch(sys::ticks());
                // Without it, the end of this process may be taken for the other's.
                let _ = patch(&file, place, &bytes);
            }
            keep(path, other_name);
        }
    }
    true
}

/// Opens a file that is this user's own, and that has only this name.
fn open(path: &CStr) -> Option<Descriptor> {
    // Follows no link, and does not block on a pipe without a reader.
    let flags =
        OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = || rustix::fs::open(path, flags, Mode::empty()).map(Descriptor::from);
    let file = match open() {
        Err(Errno::MFILE) => sys::with_more_descriptors(open)?,
        other => other,
    };
    file.ok().filter(|file| {
        rustix::fs::fstat(file).is_ok_and(|status| {
            FileType::from_raw_mode(status.st_mode) == FileType::RegularFile
                && status.st_nlink == 1
                && status.st_uid == rustix::process::geteuid().as_raw()
        })
    })
}

fn maker(file: &Descriptor) -> Option<Maker> {
    let mut first = [0; Header::MAKER_BYTES];
    let length = rustix::io::pread(file, &mut first, 0);
    let is_whole = length == Ok(Header::MAKER_BYTES);
    Header::maker(&first).filter(|_| is_whole)
}

/// Gives a file another name, which no file has.
fn keep(path: &CStr, mut other_name: impl FnMut(&mut Path) -> bool) {
    for _ in 0..ATTEMPTS {
        let mut name = Path::new();
        if !other_name(&mut name) || rename(path, name.as_c_str()) != Err(Errno::EXIST) {
            return;
        }
    }
}

fn rename(from: &CStr, to: &CStr) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can do that.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            rustix::fs::unlinkat(CWD, from, AtFlags::empty())
        }
        other => other,
    }
}

/// Writes into another image's region what it cannot know itself.
pub fn patch(file: &Descriptor, place: u64, bytes: &[u8]) -> rustix::io::Result<()> {
    // Beyond the limit on file sizes the kernel sends SIGXFSZ, which we must not cause.
    let past = place + bytes.len() as u64;
    if sys::limit(Resource::Fsize).is_none_or(|limit| past <= limit) {
        rustix::io::pwrite(file, bytes, place)?;
    }
    Ok(())
}
