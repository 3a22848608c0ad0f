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
struct Entry {
    start: AtomicUsize,
    /// 0 where it is not in use.
    length: AtomicUsize,
    next: *mut Entry,
}

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// Held to change the list; the handler only reads.
static CHANGES: Mutex<()> = Mutex::new(());

fn changes() -> MutexGuard<'static, ()> {
    CHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    let first = FIRST.load(Ordering::Acquire);
    // SAFETY: null, or an entry, which is never freed; `next` is not changed once the entry is in the list.
    let entry = |at: *mut Entry| unsafe { at.as_ref() };
    std::iter::successors(entry(first), move |last| entry(last.next))
}

/// From now on what is behind the end of the file, in this mapping of it, reads as zeroes.
pub fn expect(start: *const u8, length: usize) {
    static HANDLED: Once = Once::new();
    HANDLED.call_once(handle);
    let _changes = changes();
    let free = entries().find(|entry| entry.length.load(Ordering::Relaxed) == 0);
    if let Some(entry) = free {
        entry.start.store(start.addr(), Ordering::Relaxed);
        entry.length.store(length, Ordering::Release);
        return;
    }
    let entry = Box::new(Entry {
        start: AtomicUsize::new(start.addr()),
        length: AtomicUsize::new(length),
        next: FIRST.load(Ordering::Relaxed),
    });
    FIRST.store(Box::into_raw(entry), Ordering::Release);
}

/// The mapping is about to go.
pub fn forget(start: *const u8) {
    let _changes = changes();
    let is_it = |entry: &&Entry| {
        entry.length.load(Ordering::Relaxed) != 0
            && entry.start.load(Ordering::Relaxed) == start.addr()
    };
    if let Some(entry) = entries().find(is_it) {
        entry.length.store(0, Ordering::Release);
    }
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
