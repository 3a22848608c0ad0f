//! Whether the process may hold a record lock (fcntl(2)) on a file. The kernel releases all of them when the process closes any
//! descriptor of the file, and so also one that Weir has opened. Hence there is none where the process does not have the file open.
//!
//! `/proc/locks` would say it too, but holds up all processes that lock something.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir};

use super::looking::status;
use super::rooms::with_room_if_possible;
use super::{Descriptor, call};

/// So many descriptors are looked at: each takes a system call.
const MOST: usize = 1024;
/// Room for entries of a directory.
type Room = [MaybeUninit<u8>; 512];

/// A descriptor by which the process has this file open. None if there is none, or that cannot be found out.
#[inline(never)]
pub fn descriptor_of(file: &libc::stat) -> Option<c_int> {
    with_room_if_possible(|room: *mut Room| {
        // SAFETY: the room is ours, and any bytes are valid.
        found(file, unsafe { &mut *room })
    })
    .flatten()
}

fn found(file: &libc::stat, room: &mut Room) -> Option<c_int> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let list = rustix::fs::open(c"/proc/self/fd", flags, Mode::empty());
    let list = Descriptor::from(list.ok()?);
    let mut entries = RawDir::new(&list, room);
    for _ in 0..MOST {
        let entry = entries.next()?.ok()?;
        let number = str::from_utf8(entry.file_name().to_bytes());
        let Some(fd) = number.ok().and_then(|number| number.parse().ok()) else {
            continue;
        };
        let leads_there = status(fd, c"".as_ptr())
            .is_ok_and(|other| (other.st_dev, other.st_ino) == (file.st_dev, file.st_ino));
        if leads_there && is_open(fd) {
            return Some(fd);
        }
    }
    None
}

/// Whether a descriptor has its file open: one that only names it (O_PATH) has no part in locks.
fn is_open(fd: c_int) -> bool {
    let arguments = [fd as usize, libc::F_GETFL as usize, 0, 0, 0];
    // SAFETY: it takes two numbers.
    let flags = unsafe { call(libc::SYS_fcntl, arguments) };
    flags >= 0 && flags & libc::O_PATH as isize == 0
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_open_is_found() {
        let path = std::env::temp_dir().join(format!("weir.lock.{}", std::process::id()));
        let file = File::create(&path).expect("made");
        let others: Vec<File> = (0..100)
            .map(|_| File::open("/dev/null").expect("there"))
            .collect();
        let there = status(file.as_raw_fd(), c"".as_ptr()).expect("there");
        let open = descriptor_of(&there);
        let expected = file.as_raw_fd();
        drop(file);
        let named = File::options()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(&path);
        let closed = descriptor_of(&there);
        drop((others, named));
        let _ = std::fs::remove_file(&path);
        assert_eq!((open, closed), (Some(expected), None));
    }
}
