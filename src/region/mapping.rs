//! The region's memory: a file if possible, else private memory.
//!
//! All addresses are reserved at once, without access. A slot gets its memory when a thread takes it, and entries for
//! files when there are new names. A system call makes that memory, and fails if there is none left. An access to a
//! page of a full file system would instead end the program with SIGBUS. An unused slot has no memory, so mlockall(2)
//! locks none for it.

mod handed;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags};
use rustix::process::Resource;
use weir_record::coroutine::Coroutine;
use weir_record::file::FileEntry;
use weir_record::region::{Circumstance, Header, MAX_SLOTS, Room, Section};
use weir_record::slot::Slot;
use weir_record::stacks::{InterpretedCode, Module, Node};

use crate::environment::{self, Path};
use crate::process::copied;
use crate::region::backing;
use crate::sys::{self, Descriptor, pages::pages_around};
use handed::Handed;

/// The room of a region if address space or data is limited.
const FEW: Room = Room {
    files: 64,
    slots: 4,
    coroutines: 64,
    nodes: 0,
    modules: 0,
    interpreted: 0,
};
/// The nodes for call stacks where samples are taken: 8 MiB of addresses.
const SAMPLED_NODES: usize = 1 << 17;
/// How many entries for files get their memory at once.
const FILES_AT_ONCE: usize = 16;
/// How many of them get it first: most processes need no more.
const FIRST_FILES: usize = 4;
/// Nodes of call stacks that get their memory at once: 64 KiB of it.
const NODES_AT_ONCE: usize = 1024;
/// Entries for loaded objects that get their memory at once.
const MODULES_AT_ONCE: usize = 16;
/// Entries for functions of interpreted code that get their memory at once.
const INTERPRETED_AT_ONCE: usize = 64;
/// The number of slots if the kernel cannot make memory page by page and report failure (before Linux 5.14). All of
/// them get their memory at the start.
const SLOTS_AT_ONCE: usize = 16;

/// The start of the region; NULL if there is none.
static START: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// How many bytes of addresses it has.
static BYTES: AtomicUsize = AtomicUsize::new(0);
/// The start of the parent's region, in a forked child that has set it aside and not given it up.
static SET_ASIDE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// How many entries for files, from the first, have their memory in this process.
static MADE_FILES: AtomicUsize = AtomicUsize::new(0);
/// Whether the first slot got its memory together with the header.
static MADE_FIRST_SLOT: AtomicBool = AtomicBool::new(false);
static FILES: AtomicU32 = AtomicU32::new(0);
static SLOTS: AtomicU32 = AtomicU32::new(0);
static COROUTINES: AtomicU32 = AtomicU32::new(0);
static NODES: AtomicU32 = AtomicU32::new(0);
static MODULES: AtomicU32 = AtomicU32::new(0);
static INTERPRETED: AtomicU32 = AtomicU32::new(0);

fn room() -> Room {
    Room {
        files: FILES.load(Ordering::Relaxed) as usize,
        slots: SLOTS.load(Ordering::Relaxed) as usize,
        coroutines: COROUTINES.load(Ordering::Relaxed) as usize,
        nodes: NODES.load(Ordering::Relaxed) as usize,
        modules: MODULES.load(Ordering::Relaxed) as usize,
        interpreted: INTERPRETED.load(Ordering::Relaxed) as usize,
    }
}

fn set_room(room: Room) {
    FILES.store(room.files as u32, Ordering::Relaxed);
    SLOTS.store(room.slots as u32, Ordering::Relaxed);
    COROUTINES.store(room.coroutines as u32, Ordering::Relaxed);
    NODES.store(room.nodes as u32, Ordering::Relaxed);
    MODULES.store(room.modules as u32, Ordering::Relaxed);
    INTERPRETED.store(room.interpreted as u32, Ordering::Relaxed);
    BYTES.store(room.bytes(), Ordering::Relaxed);
}

/// Whether an address is in the region that this process counts in.
#[inline(always)]
pub fn has(address: usize) -> bool {
    address.wrapping_sub(START.load(Ordering::Relaxed).addr()) < BYTES.load(Ordering::Relaxed)
}

/// A new region's memory.
pub struct Mapping {
    /// The header, at the first byte. Its memory is there and zeroed.
    pub header: &'static Header,
    /// How much there is room for.
    pub room: Room,
    /// What is not as usual.
    pub circumstances: [Option<Circumstance>; 3],
}

impl Mapping {
    fn new(header: &'static Header, room: Room, of_file: [Option<Circumstance>; 2]) -> Mapping {
        let few = (room.slots < MAX_SLOTS).then_some(Circumstance::FewSlots);
        let [place, before] = of_file;
        Mapping {
            header,
            room,
            circumstances: [few, place, before],
        }
    }
}

/// Makes the region's memory, and stores its file's path in `file`; empty if it has none. Returns `None` if there is
/// no memory, if nobody would read it, or if `must_be_file` is set and no file is possible. A previous region then
/// remains in use.
pub fn make(pid: u32, must_be_file: bool, file: &mut Path) -> Option<Mapping> {
    let room = within_limits();
    file.clear();
    if let Some((header, room)) = make_handed(pid, room, file) {
        return Some(Mapping::new(header, room, [None; 2]));
    }
    if let Some(made) = backing::create(pid, file) {
        if let Some((header, room)) = map_file(&made.fd, room) {
            return Some(Mapping::new(header, room, made.circumstances));
        }
        backing::remove(file.as_c_str());
    }
    file.clear();
    if must_be_file || nobody_would_read_it() {
        return None;
    }
    let header = map(room, None)?;
    let private = Some(Circumstance::PrivateMemory);
    Some(Mapping::new(header, room, [private, None]))
}

/// Whether neither `weir` could find the region nor the process write its report. That is so if the process cannot
/// enter the recording's directory, as another user or in another root directory.
fn nobody_would_read_it() -> bool {
    let environment = environment::get();
    let session = environment.session.as_c_str();
    environment.has_session() && sys::access(session.as_ptr(), libc::W_OK | libc::X_OK) != 0
}

/// Makes the region in a file without a name, and sends it to `weir`. If `weir` does not take it, gives it a name and
/// stores that in `file`. If `weir` has ended, what is recorded goes nowhere.
fn make_handed(pid: u32, room: Room, file: &mut Path) -> Option<(&'static Header, Room)> {
    let session = &environment::get().session;
    if session.is_empty() {
        return None;
    }
    let fd = handed::create(session.as_c_str())?;
    let before = current();
    let made = map_file(&fd, room)?;
    let is_taken = match handed::hand_over(&fd, session.as_bytes()) {
        Handed::Over | Handed::ToNobody => true,
        Handed::NotOver => {
            backing::name_in_session(file, session.as_bytes(), pid)
                && handed::name(&fd, file.as_c_str())
        }
    };
    if !is_taken {
        file.clear();
        return_to(before);
        return None;
    }
    Some(made)
}

/// The start of the current region, and its room.
fn current() -> (*mut c_void, Room) {
    (START.load(Ordering::Relaxed), room())
}

/// Unmaps the region that was mapped last, and returns to the previous one.
fn return_to((start, room): (*mut c_void, Room)) {
    let (mapped, bytes) = (START.load(Ordering::Relaxed), self::room().bytes());
    // SAFETY: the mapping was made by `map`, and nothing refers to it.
    let _ = unsafe { rustix::mm::munmap(mapped, bytes) };
    START.store(start, Ordering::Relaxed);
    set_room(room);
}

/// Makes the memory of a slot, except for most of its ring. False if there is no memory left.
pub fn make_slot(index: usize) -> bool {
    if index == 0 && MADE_FIRST_SLOT.load(Ordering::Relaxed) {
        return true;
    }
    has_room_for_slot(index) && make_slot_at(room().slot_at(index))
}

/// Whether the region has addresses for this slot. Under a resource limit it has fewer than usual.
pub fn has_room_for_slot(index: usize) -> bool {
    index < room().slots
}

fn make_slot_at(at: usize) -> bool {
    make_memory(at, size_of::<Slot>(), Slot::FIRST_BYTES)
}

/// Makes the memory for the rest of a slot's ring. False if there is no memory left.
pub fn make_ring(slot: &Slot) -> bool {
    let from = Slot::FIRST_BYTES;
    let start = START.load(Ordering::Relaxed);
    let address = ptr::from_ref(slot).addr();
    if !has(address) {
        return false;
    }
    let at = address - start.addr();
    // SAFETY: within the slot, which is within the region's mapping.
    let place = unsafe { start.byte_add(at + from) };
    populate(place, size_of::<Slot>() - from) != Err(Errno::NOMEM)
}

/// Makes slots accessible whose memory another process, which shares the region, has made. False if that fails.
pub fn open_slots(from: usize, to: usize) -> bool {
    let start = START.load(Ordering::Relaxed);
    if start.is_null() || from >= to || to > room().slots {
        return false;
    }
    // SAFETY: within the reserved addresses.
    let place = unsafe { start.byte_add(room().slot_at(from)) };
    open_up(place, (to - from) * size_of::<Slot>())
}

/// Makes the memory of a header's section, unless it is there. False if there is no memory left.
pub fn make_section(header: &Header, section: Section) -> bool {
    if header.has_section(section) {
        return true;
    }
    let start = START.load(Ordering::Relaxed);
    if !ptr::eq(start.cast(), header) {
        return false;
    }
    let Some(_allowed) = sys::allowed() else {
        return false;
    };
    let bytes = section.bytes();
    let made = populate_at(bytes.start, bytes.len());
    if made {
        header.open_section(section);
    }
    made
}

/// Whether no more of the region's memory can be made: in a sandbox; and in a child that no hook has seen yet, where a frame of the parent's
/// goes on. The region is the parent's there, who would read of more entries in the header than it has memory for.
///
/// Not inlined, to take little of the stack.
#[inline(never)]
fn is_fixed() -> bool {
    sys::is_sealed() || copied::is_copy() == Some(true)
}

/// Makes the memory of some entries for files, from `index` on. Returns how many; `None` if there is no memory left.
pub fn make_files(index: usize) -> Option<usize> {
    let at_once = if index == 0 {
        FIRST_FILES
    } else {
        FILES_AT_ONCE
    };
    let count = room().files.checked_sub(index)?.min(at_once);
    if count > 0 && index + count <= MADE_FILES.load(Ordering::Relaxed) {
        // This is a forked child that counts in its parent's region.
        return Some(count);
    }
    if count == 0 || sys::is_sealed() {
        return None;
    }
    let bytes = count * size_of::<FileEntry>();
    let at = room().file_at(index);
    let made = if index == 0 {
        // `map` has made these pages accessible, together with the header.
        populate_at(at, bytes)
    } else {
        make_memory(at, bytes, bytes)
    };
    made.then(|| {
        MADE_FILES.store(index + count, Ordering::Relaxed);
        count
    })
}

/// Makes the memory of all entries for coroutines. Returns how many; `None` if there is no memory left.
pub fn make_coroutines() -> Option<usize> {
    let room = room();
    if is_fixed() {
        return None;
    }
    let bytes = room.coroutines * size_of::<Coroutine>();
    make_memory(room.coroutine_at(0), bytes, bytes).then_some(room.coroutines)
}

/// Makes the memory of some nodes of call stacks, from this one on. How many; none where there is none left.
pub fn make_nodes(index: usize) -> Option<usize> {
    let room = room();
    let count = room.nodes.checked_sub(index)?.min(NODES_AT_ONCE);
    if count == 0 || is_fixed() {
        return None;
    }
    let bytes = count * size_of::<Node>();
    make_memory(room.node_at(index), bytes, bytes).then_some(count)
}

/// Makes the memory of some entries for loaded objects, from this one on. How many; none where there is none left.
pub fn make_modules(index: usize) -> Option<usize> {
    let room = room();
    let count = room.modules.checked_sub(index)?.min(MODULES_AT_ONCE);
    if count == 0 || is_fixed() {
        return None;
    }
    let bytes = count * size_of::<Module>();
    make_memory(room.module_at(index), bytes, bytes).then_some(count)
}

/// Makes the memory of some entries for functions of interpreted code, from this one on. How many; none where there is none left.
pub fn make_interpreted(index: usize) -> Option<usize> {
    let room = room();
    let count = room
        .interpreted
        .checked_sub(index)?
        .min(INTERPRETED_AT_ONCE);
    if count == 0 || is_fixed() {
        return None;
    }
    let bytes = count * size_of::<InterpretedCode>();
    make_memory(room.interpreted_at(index), bytes, bytes).then_some(count)
}

/// In a forked child: moves its parent's region to other addresses, and puts memory of the child's own in its place.
/// Returns the region's new place. Signals are blocked.
///
/// Frames of the thread that forked may still refer to the old addresses: a signal handler may have forked, and
/// return into a hook. Such a frame continues, and nothing that it counts in the child reaches the parent.
pub fn set_aside(header: *mut Header) -> *mut Header {
    let start: *mut c_void = header.cast();
    // SAFETY: the header of a region that is mapped.
    let is_own = unsafe { (*header).has(Circumstance::PrivateMemory) };
    // A sealed child stays in its parent's region.
    if start != START.load(Ordering::Relaxed) || is_own || sys::is_sealed() {
        return header;
    }
    let bytes = room().bytes();
    let moved = || {
        let reserved = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let opened = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: new mappings, wherever the kernel has room, and the region's own mapping, in a process with one
        // thread. The region is always whole, either at the old place or at the new one: all steps that may fail for
        // want of memory come before the region is moved.
        unsafe {
            // The mapping has parts with different protection. mremap can move it only as one part.
            rustix::mm::mprotect(start, bytes, opened).ok()?;
            let all = ProtFlags::READ | ProtFlags::WRITE;
            let stand_in =
                rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, all, reserved).ok()?;
            let none = ProtFlags::empty();
            let moved = rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, none, reserved)
                .and_then(|place| {
                    rustix::mm::mremap_fixed(start, bytes, bytes, MremapFlags::MAYMOVE, place)
                });
            let Ok(moved) = moved else {
                let _ = rustix::mm::munmap(stand_in, bytes);
                return None;
            };
            let put = rustix::mm::mremap_fixed(stand_in, bytes, bytes, MremapFlags::MAYMOVE, start);
            if put.is_err() {
                // The region was there a moment ago, so there is room for it.
                let _ = rustix::mm::mremap_fixed(moved, bytes, bytes, MremapFlags::MAYMOVE, start);
                return None;
            }
            Some(moved)
        }
    };
    match moved() {
        Some(moved) => {
            START.store(moved, Ordering::Relaxed);
            SET_ASIDE.store(moved, Ordering::Relaxed);
            moved.cast()
        }
        None => header,
    }
}

/// Unmaps a region that was set aside and that nothing refers to any more. A region that could not be set aside
/// stays.
pub fn drop_set_aside(header: &'static Header) {
    let start = ptr::from_ref(header).cast_mut().cast();
    let none = ptr::null_mut();
    let taken = SET_ASIDE.compare_exchange(start, none, Ordering::Relaxed, Ordering::Relaxed);
    if taken.is_ok() {
        let bytes = header.length();
        // SAFETY: the mapping that `set_aside` has moved there.
        let _ = unsafe { rustix::mm::munmap(start, bytes) };
    }
}

/// Makes the memory of a part of the region that is accessible already. False if there is no memory left.
fn populate_at(at: usize, bytes: usize) -> bool {
    let start = START.load(Ordering::Relaxed);
    if start.is_null() {
        return false;
    }
    // SAFETY: within the region, as the callers ensure.
    let place = unsafe { start.byte_add(at) };
    populate(place, bytes) != Err(Errno::NOMEM)
}

/// Makes a part of the region accessible, and makes the memory of its first `made` bytes. False if there is no memory
/// left.
fn make_memory(at: usize, bytes: usize, made: usize) -> bool {
    let start = START.load(Ordering::Relaxed);
    if start.is_null() {
        return false;
    }
    // SAFETY: within the reserved addresses, as the callers ensure.
    let place = unsafe { start.byte_add(at) };
    open_up(place, bytes) && populate_at(at, made)
}

fn within_limits() -> Room {
    let limited = [Resource::As, Resource::Data]
        .into_iter()
        .any(|what| sys::limit(what).is_some());
    let stacks = environment::get().stacks;
    match limited {
        true => FEW,
        false if !stacks.are_taken() => Room {
            nodes: 0,
            modules: 0,
            interpreted: 0,
            ..Room::MOST
        },
        false if stacks.sampled_bytes() != 0 => Room {
            nodes: SAMPLED_NODES,
            ..Room::MOST
        },
        false => Room::MOST,
    }
}

/// Maps the file, with as much room as possible, up to `room`.
fn map_file(file: &Descriptor, room: Room) -> Option<(&'static Header, Room)> {
    // Beyond the limit on file sizes the kernel sends SIGXFSZ, which we must not cause.
    let limit = sys::limit(Resource::Fsize).map_or(usize::MAX, |limit| limit as usize);
    let few = room.bytes() > limit;
    let fewer = |most: usize, few_of_them: usize| if few { few_of_them.min(most) } else { most };
    let room = Room {
        files: fewer(room.files, FEW.files),
        coroutines: fewer(room.coroutines, FEW.coroutines),
        nodes: fewer(room.nodes, FEW.nodes),
        modules: fewer(room.modules, FEW.modules),
        interpreted: fewer(room.interpreted, FEW.interpreted),
        ..room
    };
    let slots = limit
        .checked_sub(Room { slots: 0, ..room }.bytes())?
        .checked_div(size_of::<Slot>())?
        .min(room.slots);
    if slots == 0 {
        return None;
    }
    let room = Room { slots, ..room };
    rustix::fs::ftruncate(file, room.bytes() as u64).ok()?;
    let before = current();
    let header = map(room, Some(file))?;
    let made = fill(file, header, room);
    if made.is_none() {
        return_to(before);
    }
    made
}

/// Makes the memory that is used at once.
fn fill(file: &Descriptor, header: &'static Header, room: Room) -> Option<(&'static Header, Room)> {
    let start = ptr::from_ref(header).cast_mut().cast();
    match populate(start, Header::FIRST_BYTES) {
        Ok(()) => {
            // If there is no memory for a thread, it is better to find that out now than when the first thread comes.
            let made = make_slot_at(room.slot_at(0));
            MADE_FIRST_SLOT.store(made, Ordering::Relaxed);
            return made.then_some((header, room));
        }
        Err(Errno::INVAL) => {}
        Err(_) => return None,
    }
    let room = Room {
        files: room.files.min(FEW.files),
        slots: room.slots.min(SLOTS_AT_ONCE),
        coroutines: room.coroutines.min(FEW.coroutines),
        nodes: FEW.nodes,
        modules: FEW.modules,
        interpreted: FEW.interpreted,
    };
    allocate(file, 0, room.bytes())?;
    for section in Section::ALL {
        header.open_section(section);
    }
    set_room(room);
    Some((header, room))
}

fn allocate(file: &Descriptor, at: usize, bytes: usize) -> Option<()> {
    rustix::fs::fallocate(file, FallocateFlags::empty(), at as u64, bytes as u64).ok()
}

/// Reserves the addresses, and makes the header and the first entries for files behind it accessible.
fn map(room: Room, file: Option<&Descriptor>) -> Option<&'static Header> {
    let bytes = room.bytes();
    let none = ProtFlags::empty();
    let flags = MapFlags::NORESERVE;
    // SAFETY: a new mapping, wherever the kernel has room.
    let mapped = unsafe {
        match file {
            Some(file) => rustix::mm::mmap(
                ptr::null_mut(),
                bytes,
                none,
                flags | MapFlags::SHARED,
                file,
                0,
            ),
            None => {
                rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, none, flags | MapFlags::PRIVATE)
            }
        }
    };
    let start = mapped.ok()?;
    // SAFETY: the mapping is whole; the advice keeps it out of core dumps and changes nothing else.
    let _ = unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxDontDump) };
    if !open_up(start, room.file_at(FIRST_FILES.min(room.files))) {
        // SAFETY: the mapping was made above, and nothing refers to it.
        let _ = unsafe { rustix::mm::munmap(start, bytes) };
        return None;
    }
    START.store(start, Ordering::Relaxed);
    MADE_FILES.store(0, Ordering::Relaxed);
    MADE_FIRST_SLOT.store(false, Ordering::Relaxed);
    set_room(room);
    // SAFETY: zeroed memory of a header's size at the start of a page, which stays mapped.
    Some(unsafe { &*start.cast::<Header>() })
}

/// Makes the pages around a part of the region accessible. False if that fails.
fn open_up(start: *mut c_void, bytes: usize) -> bool {
    let (start, bytes) = whole_pages(start, bytes);
    // SAFETY: whole pages of the region's own mapping.
    unsafe { rustix::mm::mprotect(start, bytes, MprotectFlags::READ | MprotectFlags::WRITE) }
        .is_ok()
}

/// Makes the memory of the pages around a part of the region. NOMEM if there is no memory, INVAL if the kernel does
/// not know the request.
fn populate(start: *mut c_void, bytes: usize) -> Result<(), Errno> {
    let (start, bytes) = whole_pages(start, bytes);
    // SAFETY: whole pages of the region's own mapping, which are accessible.
    match unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxPopulateWrite) } {
        Ok(()) => Ok(()),
        Err(Errno::INVAL) => Err(Errno::INVAL),
        // This includes FAULT and HWPOISON: an access to the page would have ended the process.
        Err(_) => Err(Errno::NOMEM),
    }
}

/// The pages around a part of the region. The parts begin and end at multiples of 4 KiB, and pages may be larger.
fn whole_pages(start: *mut c_void, bytes: usize) -> (*mut c_void, usize) {
    let (from, bytes) = pages_around(start.addr(), bytes);
    (start.with_addr(from), bytes)
}
