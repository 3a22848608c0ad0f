//! The region's memory: a file if one can be had, else private memory.
//!
//! The address space of all slots is reserved at once, without access, and each slot's memory is made when a
//! thread takes it, by a system call that says so where there is none left: touching a page of a
//! full file system would end the program with SIGBUS. A slot that nobody took has no memory,
//! neither for mlockall(2) to lock.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use rustix::fd::OwnedFd;
use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use rustix::process::Resource;
use weir_record::region::{self, Circumstance, Header, MAX_SLOTS};
use weir_record::slot::Slot;

use crate::environment::{self, Bytes, Path};
use crate::sys;

/// Slots where address space is limited.
const FEW_SLOTS: usize = 4;
/// Slots where the kernel cannot make memory page by page and tell (before Linux 5.14): all of them get
/// their memory at the start.
const SLOTS_AT_ONCE: usize = 16;

/// Where the region is, kept for as long as the process runs: a forked child makes its own in the same place.
static START: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static SLOTS: AtomicU32 = AtomicU32::new(0);

/// A new region's memory.
pub struct Mapping {
    /// The first byte; the header's memory is there and zeroed.
    pub header: &'static Header,
    /// How many slots there is room for.
    pub slots: usize,
    /// The region's file; empty where it has none.
    pub file: Path,
    /// What went otherwise than it should.
    pub circumstances: [Option<Circumstance>; 2],
}

impl Mapping {
    fn new(
        header: &'static Header,
        slots: usize,
        file: Path,
        place: Option<Circumstance>,
    ) -> Mapping {
        let few = (slots < MAX_SLOTS).then_some(Circumstance::FewSlots);
        Mapping {
            header,
            slots,
            file,
            circumstances: [few, place],
        }
    }
}

/// Makes the region's memory. None where there is none to be had.
pub fn make(pid: u32) -> Option<Mapping> {
    let slots = slots_within_limits();
    let mut file = Path::new();
    if let Some((fd, place)) = create(pid, &mut file) {
        if let Some((header, slots)) = map_file(&fd, slots) {
            return Some(Mapping::new(header, slots, file, place));
        }
        remove(file.as_c_str());
    }
    let header = map(slots, None)?;
    Some(Mapping::new(
        header,
        slots,
        Bytes::new(),
        Some(Circumstance::PrivateMemory),
    ))
}

/// Makes the memory of a slot. False where there is none left.
pub fn make_slot(index: usize) -> bool {
    let start = START.load(Ordering::Relaxed);
    if start.is_null() || index >= SLOTS.load(Ordering::Relaxed) as usize {
        return false;
    }
    // SAFETY: the slot is within the reserved addresses.
    let place = unsafe { start.byte_add(region::size_with(index)) };
    open_up(place, size_of::<Slot>()) && populate(place, size_of::<Slot>()) != Err(Errno::NOMEM)
}

/// Removes a region's file.
pub fn remove(file: &CStr) {
    let _ = rustix::fs::unlinkat(rustix::fs::CWD, file, rustix::fs::AtFlags::empty());
}

fn slots_within_limits() -> usize {
    let limited = [Resource::As, Resource::Data]
        .into_iter()
        .any(|what| sys::limit(what).is_some());
    if limited { FEW_SLOTS } else { MAX_SLOTS }
}

/// Creates the region's file; its path is in `file`. Tells where it is not in the first directory.
fn create(pid: u32, file: &mut Path) -> Option<(OwnedFd, Option<Circumstance>)> {
    let environment = environment::get();
    let directories: [&[u8]; 2] = if environment.has_session() {
        [environment.session.as_bytes(), b""]
    } else if environment.region_dir.is_empty() {
        [b"/dev/shm", b"/tmp"]
    } else {
        [environment.region_dir.as_bytes(), b""]
    };
    directories
        .into_iter()
        .filter(|directory| !directory.is_empty())
        .find_map(|directory| {
            let place = (directory != directories[0]).then_some(Circumstance::OtherDirectory);
            *file = Path::new();
            let named = if environment.has_session() {
                name_in_session(file, directory, pid)
            } else {
                name_alone(file, directory, environment.executable_name(), pid)
            };
            let fd = if named {
                create_file(file.as_c_str())
            } else {
                None
            };
            fd.map(|fd| (fd, place))
        })
}

/// `<directory>/<pid>-<ticks>.region`: several images may have one process id.
fn name_in_session(file: &mut Path, directory: &[u8], pid: u32) -> bool {
    file.push(directory)
        && file.push(b"/")
        && file.push_number(pid.into())
        && file.push(b"-")
        && file.push_number(weir_record::clock::ticks())
        && file.push(b".region")
}

/// `<directory>/weir.<executable>.<pid>.region`
fn name_alone(file: &mut Path, directory: &[u8], executable: &[u8], pid: u32) -> bool {
    file.push(directory)
        && file.push(b"/weir.")
        && file.push(executable)
        && file.push(b".")
        && file.push_number(pid.into())
        && file.push(b".region")
}

fn create_file(path: &CStr) -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = || rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR);
    let result = match open() {
        // What another process with this id, or this one before an exec, left behind.
        Err(Errno::EXIST) => {
            remove(path);
            open()
        }
        Err(Errno::MFILE) => sys::with_more_descriptors(open)?,
        other => other,
    };
    result.ok()
}

/// Maps the file, with as many slots as can be had, up to `slots`.
fn map_file(file: &OwnedFd, slots: usize) -> Option<(&'static Header, usize)> {
    // Beyond the limit on file sizes the kernel sends SIGXFSZ, which we must not cause.
    let room = sys::limit(Resource::Fsize).map_or(usize::MAX, |limit| limit as usize);
    let slots = room
        .checked_sub(region::size_with(0))?
        .checked_div(size_of::<Slot>())?
        .min(slots);
    if slots == 0 {
        return None;
    }
    rustix::fs::fallocate(
        file,
        FallocateFlags::empty(),
        0,
        region::size_with(1) as u64,
    )
    .ok()?;
    rustix::fs::ftruncate(file, region::size_with(slots) as u64).ok()?;
    let header = map(slots, Some(file))?;
    let start = ptr::from_ref(header).cast_mut().cast();
    if populate(start, size_of::<Header>()) != Err(Errno::INVAL) {
        return Some((header, slots));
    }
    let slots = slots.min(SLOTS_AT_ONCE);
    rustix::fs::fallocate(
        file,
        FallocateFlags::empty(),
        0,
        region::size_with(slots) as u64,
    )
    .ok()?;
    SLOTS.store(slots as u32, Ordering::Relaxed);
    Some((header, slots))
}

/// Reserves the addresses and opens up the header's. In a forked child, in place of the parent's region.
fn map(slots: usize, file: Option<&OwnedFd>) -> Option<&'static Header> {
    let mut start = START.load(Ordering::Relaxed);
    let mut flags = MapFlags::NORESERVE;
    if start.is_null() || SLOTS.load(Ordering::Relaxed) as usize != slots {
        start = ptr::null_mut();
    } else {
        flags |= MapFlags::FIXED;
    }
    let bytes = region::size_with(slots);
    let none = ProtFlags::empty();
    // SAFETY: either where the kernel has room, or over the region of the parent, to which this process has
    // forgotten all references (`image::forked`).
    let mapped = unsafe {
        match file {
            Some(file) => rustix::mm::mmap(start, bytes, none, flags | MapFlags::SHARED, file, 0),
            None => rustix::mm::mmap_anonymous(start, bytes, none, flags | MapFlags::PRIVATE),
        }
    };
    let start = mapped.ok()?;
    START.store(start, Ordering::Relaxed);
    SLOTS.store(slots as u32, Ordering::Relaxed);
    // SAFETY: the mapping is whole; leaving it out of core dumps changes nothing of it.
    let _ = unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxDontDump) };
    if !open_up(start, size_of::<Header>()) {
        return None;
    }
    // SAFETY: a header's size of zeroes at a page's start, which stays mapped.
    Some(unsafe { &*start.cast::<Header>() })
}

fn open_up(start: *mut c_void, bytes: usize) -> bool {
    // SAFETY: whole pages of the region's own mapping.
    unsafe { rustix::mm::mprotect(start, bytes, MprotectFlags::READ | MprotectFlags::WRITE) }
        .is_ok()
}

/// Makes the pages' memory: NOMEM where there is none, INVAL where the kernel does not know how.
fn populate(start: *mut c_void, bytes: usize) -> Result<(), Errno> {
    // SAFETY: whole pages of the region's own mapping, opened up.
    match unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxPopulateWrite) } {
        Ok(()) => Ok(()),
        Err(Errno::INVAL) => Err(Errno::INVAL),
        // Also FAULT and HWPOISON: what touching the page would have ended in.
        Err(_) => Err(Errno::NOMEM),
    }
}
