//! Writes into the regions of children that were killed how they ended.
//!
//! Only the process that waits for a child learns which signal killed it. That is noted in the parent's region, which
//! is removed after the parent has written its report. The child's region stays, for `weir recover`. So before the
//! parent's region is removed, the ends of killed children are written into their own regions. This makes only system
//! calls and maps nothing, so nobody can truncate a file while it is mapped. It runs on a stack of our own.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

use rustix::fs::{FileType, Mode, OFlags, RawDir};
use weir_record::ends::ChildEnd;
use weir_record::region::{Header, Maker};

use crate::environment::Path;
use crate::process::namespaces;
use crate::region::left_behind;
use crate::sys::Descriptor;

const NOBODY: ChildEnd = ChildEnd {
    pid: 0,
    status: 0,
    ticks: 0,
};
/// Of how many killed children, the last ones, the ends are written.
const MOST: usize = 256;
/// Room in bytes for directory entries, as many as the kernel returns at a time. A name has at most 255 bytes.
const ENTRIES: usize = 4096;

/// Writes the ends of a process's killed children into their regions, if those are in the same directory as its own. If
/// that fails, their ends stay unknown.
pub fn write_ends_of_killed(header: &Header, region: &CStr) {
    let mut room = [NOBODY; MOST];
    let killed = killed(header, &mut room);
    if killed.is_empty() {
        return;
    }
    let Some(directory) = open_directory_of(region) else {
        return;
    };
    if header.namespaces.pid().is_none() {
        // A child of vfork has made the region.
        namespaces::note(header);
    }
    let mut entries = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(&directory, &mut entries);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        let pid = pid_of(name.to_bytes());
        if killed.iter().any(|end| Some(end.pid) == pid) {
            // If that fails, the end stays unknown; nothing else can be done.
            let _ = write_end(&directory, name, killed, header);
        }
    }
}

/// The children that signals have ended.
fn killed<'r>(header: &Header, room: &'r mut [ChildEnd; MOST]) -> &'r [ChildEnd] {
    let mut count = 0;
    if let Some(ends) = header.ends() {
        ends.show(0, true, |end| {
            if libc::WIFSIGNALED(end.status) {
                room[count % MOST] = end;
                count += 1;
            }
        });
    }
    &room[..count.min(MOST)]
}

fn open_directory_of(file: &CStr) -> Option<Descriptor> {
    let bytes = file.to_bytes();
    let length = bytes.iter().rposition(|&byte| byte == b'/')?;
    let mut directory = Path::new();
    // The name of the root directory is the slash.
    if !directory.push(&bytes[..length.max(1)]) {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory.as_c_str(), flags, Mode::empty());
    opened.ok().map(Descriptor::from)
}

/// The process id in the name of a region: `weir.<pid>.<number>.region`.
fn pid_of(name: &[u8]) -> Option<u32> {
    let rest = name.strip_prefix(b"weir.")?.strip_suffix(b".region")?;
    let pid = rest.split(|&byte| byte == b'.').next()?;
    std::str::from_utf8(pid).ok()?.parse().ok()
}

/// Writes into one region how its process ended, if it is that of a killed child.
fn write_end(
    directory: &Descriptor,
    name: &CStr,
    killed: &[ChildEnd],
    parent: &Header,
) -> rustix::io::Result<()> {
    // Follows no link, and does not block on a pipe without a reader.
    let flags =
        OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = Descriptor::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
    let status = rustix::fs::fstat(&file)?;
    let is_own = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile
        && status.st_uid == rustix::process::geteuid().as_raw();
    let mut first = [0; Header::MAKER_BYTES];
    let is_whole = is_own && rustix::io::pread(&file, &mut first, 0)? == first.len();
    let parent_pid = parent.pid.load(Ordering::Relaxed);
    let is_child = |maker: &Maker| {
        // Another namespace has the same numbers.
        maker.parent_pid == parent_pid && maker.namespace == parent.namespaces.pid()
    };
    let maker = Header::maker(&first).filter(|maker| is_whole && is_child(maker));
    if let Some(end) = maker.and_then(|maker| end_of(&maker, killed)) {
        let (place, bytes) = Header::wait_status_patch(end.status);
        left_behind::patch(&file, place, &bytes)?;
    }
    Ok(())
}

/// The end of the process that made a region: of all ends with its process id, the first one after it began, and before
/// another image began under its name.
fn end_of(maker: &Maker, killed: &[ChildEnd]) -> Option<ChildEnd> {
    let candidates = killed.iter().copied();
    candidates
        .filter(|end| end.pid == maker.pid && end.ticks >= maker.began_ticks)
        .filter(|end| maker.followed_ticks.is_none_or(|ticks| end.ticks < ticks))
        .min_by_key(|end| end.ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_a_region_is() {
        assert_eq!(pid_of(b"weir.4711.99.region"), Some(4711));
        assert_eq!(pid_of(b"weir.4711.region"), Some(4711));
        for other in [
            &b"weir..1.region"[..],
            b"weir.x.1.region",
            b"weir.7.1.json",
            b"7.1.region",
        ] {
            assert_eq!(pid_of(other), None);
        }
    }

    #[test]
    fn of_two_with_one_id_each_has_its_own_end() {
        let end = |ticks, status| ChildEnd {
            pid: 7,
            status,
            ticks,
        };
        let killed = [
            end(300, 15),
            end(100, 9),
            ChildEnd {
                pid: 8,
                ..end(50, 6)
            },
        ];
        let of = |began_ticks, followed_ticks| {
            let maker = Maker {
                pid: 7,
                parent_pid: 1,
                namespace: None,
                began_ticks,
                followed_ticks,
                has_report: false,
            };
            end_of(&maker, &killed).map(|end| end.status)
        };
        let all = [of(10, None), of(200, None), of(400, None)];
        assert_eq!(all, [Some(9), Some(15), None]);
        // One that went on as another image before its process ended.
        assert_eq!([of(10, Some(60)), of(10, Some(150))], [None, Some(9)]);
    }
}
