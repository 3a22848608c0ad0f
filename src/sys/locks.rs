//! Whether the process may hold a record lock (fcntl(2)) on a file. The kernel releases all of them when the process closes any
//! descriptor of the file, and so also one that Weir has opened. Hence there is none where no descriptor leads to the file.
//!
//! `/proc/locks` would say it too, but holds up all processes that lock something.

use std::mem::MaybeUninit;

use rustix::fs::{Mode, OFlags, RawDir};

use super::Descriptor;
use super::looking::status;
use super::rooms::with_room_if_possible;

/// So many descriptors are looked at: each takes a system call.
const MOST: usize = 1024;
/// Room for entries of a directory.
type Room = [MaybeUninit<u8>; 512];

/// Whether a descriptor of the process leads to this file. False if that cannot be found out.
#[inline(never)]
pub fn may_be_on(file: &libc::stat) -> bool {
    with_room_if_possible(|room: *mut Room| {
        // SAFETY: the room is ours, and any bytes are valid.
        is_open(file, unsafe { &mut *room })
    })
    .unwrap_or(false)
}

fn is_open(file: &libc::stat, room: &mut Room) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(list) = rustix::fs::open(c"/proc/self/fd", flags, Mode::empty()) else {
        return false;
    };
    let list = Descriptor::from(list);
    let mut entries = RawDir::new(&list, room);
    for _ in 0..MOST {
        let Some(Ok(entry)) = entries.next() else {
            return false;
        };
        let number = str::from_utf8(entry.file_name().to_bytes());
        let number = number.ok().and_then(|number| number.parse().ok());
        let leads_there =
            |other: libc::stat| (other.st_dev, other.st_ino) == (file.st_dev, file.st_ino);
        if number
            .and_then(|fd| status(fd, c"".as_ptr()).ok())
            .is_some_and(leads_there)
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_file_that_is_open_is_found() {
        let path = std::env::temp_dir().join(format!("weir.lock.{}", std::process::id()));
        let file = File::create(&path).expect("made");
        let others: Vec<File> = (0..100)
            .map(|_| File::open("/dev/null").expect("there"))
            .collect();
        let there = status(std::os::fd::AsRawFd::as_raw_fd(&file), c"".as_ptr()).expect("there");
        let open = may_be_on(&there);
        drop(file);
        let closed = may_be_on(&there);
        drop(others);
        let _ = std::fs::remove_file(&path);
        assert_eq!((open, closed), (true, false));
    }
}
