//! Regions that their program truncates while we read them.
//!
//! An access to mapped memory behind the end of a file is a SIGBUS, and the program can truncate a region's
//! file. So we handle SIGBUS: if the address is in one of the mappings that are listed here, we map a page of
//! zeroes there, which is as valid as anything else in a region. All other faults end weir.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// Bytes of a page.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// A mapping. Entries are used again and never freed, so that the handler can walk their list at any time.
#[derive(Debug)]
struct Entry {
    start: AtomicUsize,
    /// 0 where it is not in use.
    length: AtomicUsize,
    next: Option<&'static Entry>,
}

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// The entries that are not in use. Held to change the list; the handler only reads that.
static FREE: Mutex<Vec<&'static Entry>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<&'static Entry>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn first() -> Option<&'static Entry> {
    // SAFETY: null, or an entry, which is never freed and only shared.
    unsafe { FIRST.load(Ordering::Acquire).as_ref() }
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    std::iter::successors(first(), |last| last.next)
}

/// A mapping that is in the list until this is dropped.
#[derive(Debug)]
pub struct Expected(&'static Entry);

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.length.store(0, Ordering::Release);
        free().push(self.0);
    }
}

/// From now on what is behind the end of the file, in this mapping of it, reads as zeroes. To be dropped before the mapping goes.
pub fn expect(start: *const u8, length: usize) -> Expected {
    static HANDLED: Once = Once::new();
    HANDLED.call_once(handle);
    let mut free = free();
    if let Some(entry) = free.pop() {
        entry.start.store(start.addr(), Ordering::Relaxed);
        entry.length.store(length, Ordering::Release);
        return Expected(entry);
    }
    let entry: &'static Entry = Box::leak(Box::new(Entry {
        start: AtomicUsize::new(start.addr()),
        length: AtomicUsize::new(length),
        next: first(),
    }));
    FIRST.store(ptr::from_ref(entry).cast_mut(), Ordering::Release);
    Expected(entry)
}

fn handle() {
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    PAGE.store(page as usize, Ordering::Relaxed);
    // SAFETY: all zeroes are an action with no flags and an empty mask; the handler makes one system call, reads
    // atomics, and touches nothing else.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
    }
}

extern "C" fn on_fault(_: c_int, info: *mut libc::siginfo_t, _: *mut std::ffi::c_void) {
    // SAFETY: the kernel passes what is known of the signal; a fault has an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    let is_in = |entry: &Entry| {
        let length = entry.length.load(Ordering::Acquire);
        address.wrapping_sub(entry.start.load(Ordering::Relaxed)) < length
    };
    // Otherwise a process sent it, or it is not about a region.
    let is_ours = code > 0 && entries().any(is_in);
    if is_ours && is_filled(address) {
        return;
    }
    // SAFETY: back to what ends the process, when the instruction is tried again or the signal comes again.
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        libc::raise(libc::SIGBUS);
    }
}

/// Puts a page of zeroes where that address lies.
fn is_filled(address: usize) -> bool {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    let bytes = PAGE.load(Ordering::Relaxed);
    let place = ptr::with_exposed_provenance_mut(address & !(bytes - 1));
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a page of a mapping of ours that cannot be touched as it is.
    unsafe { mmap_anonymous(place, bytes, access, MapFlags::PRIVATE | MapFlags::FIXED) }.is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use weir_record::region::Header;

    use super::super::mapping::Mapping;

    #[test]
    fn what_was_cut_off_reads_as_zeroes() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let mapping = Mapping::shared(&file).unwrap();
        file.set_len(0).unwrap();
        assert!(mapping.region().is_err());
        let other = Mapping::shared(&tempfile::tempfile().unwrap());
        assert!(other.is_err(), "too short from the start");
        const { assert!(size_of::<Header>() > size_of::<AtomicU64>()) };
    }
}
