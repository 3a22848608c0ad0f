//! The kinds of files that were examined before: a shell or a build starts the same programs again and again. To
//! examine a file takes about 20 system calls; to know that it is the same one takes one.
//!
//! A child of vfork shares this memory with its parent, so what it learns stays. What a child of fork learns does not.

use super::Kind;
use crate::memory::versioned::Versioned;
use crate::sys::{looking::Looked, time_ns};

/// The identity of a file and its content, in this order: the device, the number, the size in bytes, and the
/// times of the last change of its content and of the file, in ns. Then the kind, as its index in [`KINDS`] plus 1.
type Words = [usize; 6];

/// The kinds that depend on nothing but the file.
const KINDS: [Kind; 5] = [
    Kind::Dynamic,
    Kind::Static,
    Kind::OtherMachine,
    Kind::OtherLibc,
    Kind::MustBeFirst,
];

const FILES: usize = 64;
static KNOWN: [Versioned<6>; FILES] = [const { Versioned::new() }; FILES];

/// A file that was changed so recently, in ns, may change again within one unit of its file system's times.
const RECENT: i64 = 3_000_000_000;

/// The kind of the file that the kernel says this of; `None` if it is to be examined.
#[inline(never)]
pub fn kind(status: &libc::stat) -> Option<Kind> {
    let known = place(status).get()?;
    let index = known[5].checked_sub(1)?;
    (known == words(status, index)).then(|| KINDS[index])
}

/// Remembers the kind of an open file.
#[inline(never)]
pub fn remember(file: &Looked, kind: Kind) {
    let index = KINDS.iter().position(|&one| one == kind);
    let (Some(index), Some(status)) = (index, file.status()) else {
        return;
    };
    let now = time_ns(libc::CLOCK_REALTIME) as i64;
    let changed = ns(status.st_ctime, status.st_ctime_nsec);
    if now.wrapping_sub(changed) > RECENT {
        place(&status).try_set(words(&status, index));
    }
}

fn place(status: &libc::stat) -> &'static Versioned<6> {
    &KNOWN[status.st_ino as usize % FILES]
}

fn words(status: &libc::stat, kind: usize) -> Words {
    [
        status.st_dev as usize,
        status.st_ino as usize,
        status.st_size as usize,
        ns(status.st_mtime, status.st_mtime_nsec) as usize,
        ns(status.st_ctime, status.st_ctime_nsec) as usize,
        kind + 1,
    ]
}

fn ns(seconds: i64, ns: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(ns)
}
