//! Whether a process holds record locks (fcntl(2)) on a file. The kernel releases them when the process closes any descriptor
//! of the file, and so also one that Weir has opened.

use rustix::fs::{Mode, OFlags};

use super::Descriptor;
use super::rooms::with_room_if_possible;

/// What is read of the list of locks, and the line that it is in. Its zeroes are valid.
struct Scan {
    chunk: [u8; 384],
    line: [u8; 112],
}

/// Whether a process, perhaps this one, holds a record lock on a file with this inode number. False if that cannot be found out.
#[inline(never)]
pub fn may_be_on(inode: u64) -> bool {
    with_room_if_possible(|scan: *mut Scan| {
        // SAFETY: the room is ours, and zeroed.
        let scan = unsafe { &mut *scan };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let Ok(list) = rustix::fs::open(c"/proc/locks", flags, Mode::empty()) else {
            return false;
        };
        scan.finds(inode, &Descriptor::from(list))
    })
    .unwrap_or(false)
}

impl Scan {
    fn finds(&mut self, inode: u64, list: &Descriptor) -> bool {
        let mut length = 0;
        while let Ok(read @ 1..) = rustix::io::read(list, &mut self.chunk) {
            for &byte in &self.chunk[..read] {
                if byte == b'\n' {
                    if inode_of(&self.line[..length]) == Some(inode) {
                        return true;
                    }
                    length = 0;
                } else if length < self.line.len() {
                    self.line[length] = byte;
                    length += 1;
                }
            }
        }
        false
    }
}

/// The inode number of a record lock, as a line of the list has it (proc(5)): `1: POSIX  ADVISORY  WRITE 4711 fd:01:9041 0 EOF`.
fn inode_of(line: &[u8]) -> Option<u64> {
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    if words.nth(1)? != b"POSIX" {
        return None;
    }
    let file = words.nth(3)?;
    let inode = file.rsplit(|&byte| byte == b':').next()?;
    str::from_utf8(inode).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_line_has_an_inode() {
        for (line, inode) in [
            (
                "1: POSIX  ADVISORY  WRITE 4711 fd:01:9041 0 EOF",
                Some(9041),
            ),
            ("2: FLOCK  ADVISORY  WRITE 4711 fd:01:9041 0 EOF", None),
            ("2: -> POSIX  ADVISORY  WRITE 4712 fd:01:9041 0 EOF", None),
            ("3: POSIX", None),
            ("", None),
        ] {
            assert_eq!(inode_of(line.as_bytes()), inode, "{line}");
        }
    }

    #[test]
    fn a_lock_is_seen() {
        let path = std::env::temp_dir().join(format!("weir.lock.{}", std::process::id()));
        let file = std::fs::File::create(&path).expect("made");
        let inode = file.metadata().expect("there").ino();
        let before = may_be_on(inode);
        // SAFETY: it takes a descriptor of ours, and no pointer.
        let locked = unsafe { libc::lockf(file.as_raw_fd(), libc::F_TLOCK, 0) };
        let after = may_be_on(inode);
        let _ = std::fs::remove_file(&path);
        assert_eq!((before, locked, after), (false, 0, true));
    }
}
