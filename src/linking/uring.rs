//! io_uring: I/O through its rings does not use the C library, so we do not see it. We can detect that there is a
//! ring, and the report says so.
//!
//! A ring is detected in these ways: the program asks for it or uses it by `syscall`; a call is made on its
//! descriptor; or it is among the process's memory maps when the process ends. The maps are read only if the process
//! has loaded liburing, or has asked for a ring.

use std::ffi::c_long;

use rustix::fs::{Mode, OFlags};
use weir_record::region::{Circumstance, Header};

use crate::linking::objects;
use crate::process;
use crate::sys::Descriptor;

/// The beginning of the library's file name.
const LIBRARY: &[u8] = b"liburing.so";
/// The kernel's name for a ring, as a descriptor and as a mapping.
pub const RING: &[u8] = b"anon_inode:[io_uring]";

/// Looks for liburing among the objects that are loaded when the first image of the process starts.
pub fn look_at_start(header: &Header) {
    objects::all().any(|object| see(header, object.name().to_bytes()));
}

/// Stores the library's name if this object is liburing. Returns whether it is.
fn see(header: &Header, name: &[u8]) -> bool {
    let file = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    let is_it = file.starts_with(LIBRARY);
    if is_it {
        header.uring_library.set(name);
    }
    is_it
}

/// Looks for rings, if there may be any. For an image that is about to end or to be replaced.
pub fn look_at_end(header: &Header) {
    if header.uring_library.is_empty() && objects::have_come() {
        objects::names_now(|name| !see(header, name));
    }
    if may_be_there(header) && is_mapped() {
        header.note(Circumstance::UringUsed);
    }
}

/// Whether there may be rings that have not been detected.
pub fn may_be_there(header: &Header) -> bool {
    let is_likely = !header.uring_library.is_empty() || header.has(Circumstance::UringAskedFor);
    is_likely && !header.has(Circumstance::UringUsed)
}

/// Takes note of a system call that the program makes by `syscall`.
pub fn called(number: c_long) {
    match number {
        libc::SYS_io_uring_setup => note(Circumstance::UringAskedFor),
        libc::SYS_io_uring_enter => note(Circumstance::UringUsed),
        _ => {}
    }
}

/// Records that a descriptor is a ring.
pub fn found() {
    note(Circumstance::UringUsed);
}

#[cold]
fn note(circumstance: Circumstance) {
    if let Some(header) = process::header() {
        header.note(circumstance);
    }
}

/// Whether a ring is among the memory maps of the process.
fn is_mapped() -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(maps) = rustix::fs::open(c"/proc/self/maps", flags, Mode::empty()) else {
        return false;
    };
    let maps = Descriptor::from(maps);
    let mut bytes = [0; 4096];
    // The end of each read is kept for the next: a name may lie across the two.
    let mut kept = 0;
    while let Ok(read @ 1..) = rustix::io::read(&maps, &mut bytes[kept..]) {
        let length = kept + read;
        if bytes[..length].windows(RING.len()).any(|name| name == RING) {
            return true;
        }
        kept = length.min(RING.len() - 1);
        bytes.copy_within(length - kept..length, 0);
    }
    false
}
