//! The mapping: a header, a table of files, a slot for every thread, and a table of coroutines.
//!
//! One region per process image. It is a shared file, so that it outlives whatever ends the process;
//! where no file can be had, it is private memory and only the process itself reads it.

use std::mem::{align_of, size_of};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::clock::SharedMoment;
use crate::coroutine::Coroutine;
use crate::counter::Counter;
use crate::errnos;
use crate::file::FileEntry;
use crate::functions::{Function, SIZED_COUNT, WAITING_COUNT};
use crate::ring;
use crate::slot::{Counters, HeapTotals, Slot};
use crate::slow;
use crate::starts::Starts;

/// The first eight bytes of a region.
pub const MAGIC: u64 = u64::from_le_bytes(*b"weir.reg");

/// Raised whenever what stands where changes, other than by the table of functions.
const LAYOUT_VERSION: u64 = 5;

/// What a reader must have been built with to read the region: version, sizes and counts.
pub const LAYOUT: u64 = {
    let facts = [
        LAYOUT_VERSION,
        size_of::<Header>() as u64,
        size_of::<Slot>() as u64,
        Function::COUNT as u64,
        SIZED_COUNT as u64,
        WAITING_COUNT as u64,
        ring::CAPACITY as u64,
        errnos::CAPACITY as u64,
        slow::KEPT as u64,
        size_of::<FileEntry>() as u64,
        size_of::<Coroutine>() as u64,
    ];
    // FNV-1a over the numbers.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < facts.len() {
        hash = (hash ^ facts[index]).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    hash
};

/// The most slots that a region has; threads beyond them share the common one.
pub const MAX_SLOTS: usize = 1024;

/// The most entries that a region has for files and sockets; what does not fit shares the first.
pub const MAX_FILES: usize = 4096;

/// The most entries that a region has for coroutines; what does not fit shares the first.
pub const MAX_COROUTINES: usize = 4096;

/// How much a region has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Entries for files; a multiple of two, so that the slots begin with a page.
    pub files: usize,
    /// Slots for threads.
    pub slots: usize,
    /// Entries for coroutines; they begin with a page, as the slots do.
    pub coroutines: usize,
}

impl Room {
    /// The most there is.
    pub const MOST: Room = Room {
        files: MAX_FILES,
        slots: MAX_SLOTS,
        coroutines: MAX_COROUTINES,
    };

    /// Bytes of the region.
    pub const fn bytes(self) -> usize {
        self.coroutine_at(self.coroutines)
    }

    /// Where the entry of this number begins.
    pub const fn file_at(self, index: usize) -> usize {
        size_of::<Header>() + index * size_of::<FileEntry>()
    }

    /// Where the slot of this number begins.
    pub const fn slot_at(self, index: usize) -> usize {
        self.file_at(self.files) + index * size_of::<Slot>()
    }

    /// Where the entry for the coroutine of this number begins.
    pub const fn coroutine_at(self, index: usize) -> usize {
        self.slot_at(self.slots) + index * size_of::<Coroutine>()
    }
}

/// Text of unknown encoding, cut to fit.
#[derive(Debug)]
#[repr(C)]
pub struct Text<const N: usize> {
    length: AtomicU64,
    bytes: [AtomicU8; N],
}

impl<const N: usize> Text<N> {
    /// Sets the text.
    pub fn set(&self, text: &[u8]) {
        self.set_parts([text]);
    }

    /// Sets the text to the parts, one after the other.
    pub fn set_parts<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) {
        let mut length = 0;
        for (&byte, place) in parts.into_iter().flatten().zip(&self.bytes) {
            place.store(byte, Ordering::Relaxed);
            length += 1;
        }
        self.length.store(length, Ordering::Relaxed);
    }

    /// The bytes.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let length = usize::try_from(self.length.load(Ordering::Relaxed))
            .unwrap_or(N)
            .min(N);
        self.bytes[..length]
            .iter()
            .map(|byte| byte.load(Ordering::Relaxed))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    /// Whether the text may have been cut.
    pub fn is_full(&self) -> bool {
        self.length.load(Ordering::Relaxed) >= N as u64
    }
}

/// How many loaded objects the header can name.
pub const MAX_OBJECTS: usize = 32;

/// Where a function leads: places in [`Header::objects`] plus one; 0 is nowhere.
#[derive(Debug)]
#[repr(C)]
pub struct Provenance {
    /// The object in which RTLD_NEXT found the function.
    pub next: AtomicU8,
    /// The object that a call by the program reaches.
    pub bound: AtomicU8,
    /// Whether that object is Weir's own.
    pub interposed: AtomicU8,
}

/// Where a process image is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// The header is being filled.
    Starting = 0,
    /// It runs.
    Running = 1,
    /// It has begun to exit, with `exit_status` if that is known. It may still count.
    Exiting = 2,
    /// It is about to replace itself by exec.
    Replacing = 3,
}

impl Phase {
    fn from_bits(bits: u32) -> Phase {
        match bits {
            0 => Phase::Starting,
            2 => Phase::Exiting,
            3 => Phase::Replacing,
            _ => Phase::Running,
        }
    }
}

/// What went otherwise than it should, as bits of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Circumstance {
    /// The image began by fork.
    Forked = 0,
    /// The region is private memory: no file could be made for it.
    PrivateMemory = 1,
    /// The region has fewer slots than usual, because of a resource limit.
    FewSlots = 2,
    /// The time-stamp counter may change its rate.
    UnsteadyClock = 3,
    /// No writer could be started in the program: samples were dropped once the rings were full.
    NoWriter = 4,
    /// A setting was not understood, and its default used.
    BadSetting = 5,
    /// The slot of an ended thread cannot be taken over, because no thread-specific key was left.
    NoThreadExit = 6,
    /// The region's file is in the second-best directory.
    OtherDirectory = 7,
    /// What stdio asks of the kernel is not seen.
    StdioUnseen = 8,
    /// The sizes of blocks are not known: one object has the next `malloc`, another `malloc_usable_size`.
    NoBlockSizes = 9,
    /// The process gave up the right to make any system call it likes.
    Sealed = 10,
    /// The process asked for a ring of io_uring, by a way that does not tell whether it got one.
    UringAskedFor = 11,
    /// The process had a ring of io_uring.
    UringUsed = 12,
    /// Waits were left to the C library, because some signal handlers let calls go on and others do not.
    WaitsLeft = 13,
    /// A coroutine runtime had registered itself, and its coroutines could not be told apart: there was no memory.
    NoCoroutines = 14,
}

impl Circumstance {
    /// All of them.
    pub const ALL: [Circumstance; 15] = [
        Circumstance::Forked,
        Circumstance::PrivateMemory,
        Circumstance::FewSlots,
        Circumstance::UnsteadyClock,
        Circumstance::NoWriter,
        Circumstance::BadSetting,
        Circumstance::NoThreadExit,
        Circumstance::OtherDirectory,
        Circumstance::StdioUnseen,
        Circumstance::NoBlockSizes,
        Circumstance::Sealed,
        Circumstance::UringAskedFor,
        Circumstance::UringUsed,
        Circumstance::WaitsLeft,
        Circumstance::NoCoroutines,
    ];
}

/// The head of a region.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Header {
    /// [`MAGIC`], stored last.
    magic: AtomicU64,
    /// [`LAYOUT`].
    layout: AtomicU64,
    phase: AtomicU32,
    circumstances: AtomicU32,
    /// Process id.
    pub pid: AtomicU32,
    /// Process id of the parent.
    pub parent_pid: AtomicU32,
    /// Exit status plus one where it is known, else 0.
    exit_status: AtomicU64,
    /// One allocation call in so many is timed; 0 is none, and then no I/O call either.
    pub timed_one_in: AtomicU32,
    /// How many slots the mapping has.
    slot_capacity: AtomicU32,
    /// How many entries for files the mapping has.
    file_capacity: AtomicU32,
    /// How many of them, from the first, have ever been used.
    files_used: AtomicU32,
    /// How many entries for coroutines the mapping has.
    coroutine_capacity: AtomicU32,
    /// How many of them have their memory: none, or all.
    coroutines_used: AtomicU32,
    /// How many slots, from the first, have ever been taken.
    slots_used: AtomicU64,
    /// Files and sockets whose entry was given to another: they count in the first entry.
    pub folded_files: Counter,
    /// Times that the entry of a coroutine was given to another: they count in the first entry.
    pub folded_coroutines: Counter,
    /// Calls that blocked a whole thread although a coroutine made them.
    pub blocked_coroutines: Counter,
    /// Threads that share the common counters.
    pub threads_without_slot: Counter,
    /// Calls that passed through uncounted.
    pub uncounted_calls: Counter,
    /// Bytes that were live when a forked image began.
    pub inherited_bytes: Counter,
    /// Blocks that were live when a forked image began.
    pub inherited_blocks: Counter,
    /// Forked processes that could make no region of their own and count in this one.
    pub sharers: Counter,
    /// How many of them said that they end.
    pub sharers_gone: Counter,
    /// The start of the image.
    pub started: SharedMoment,
    /// A later moment, so that whoever finds the region knows the clock's rate.
    pub latest: SharedMoment,
    /// The heap.
    pub heap: HeapTotals,
    /// The executable's path.
    pub executable: Text<1024>,
    /// The command line, every argument ended by NUL.
    pub command: Text<4096>,
    /// Paths of the loaded objects that the functions lead to.
    pub objects: [Text<248>; MAX_OBJECTS],
    /// The name of the coroutine runtime that registered itself; empty where none did.
    pub runtime: Text<56>,
    /// Path of the library for io_uring, where one is loaded.
    pub uring_library: Text<248>,
    /// Programs that were started from here.
    pub starts: Starts,
    /// Where each function leads.
    pub provenance: [Provenance; Function::COUNT],
    /// The counters of threads that have no slot, added to by locked instructions, never timed.
    pub common: Counters,
}

impl Header {
    /// Fills in what a reader checks first. The region is not valid before [`Header::complete`].
    pub fn prepare(&self, room: Room) {
        self.layout.store(LAYOUT, Ordering::Relaxed);
        self.file_capacity
            .store(room.files as u32, Ordering::Relaxed);
        self.slot_capacity
            .store(room.slots as u32, Ordering::Relaxed);
        self.coroutine_capacity
            .store(room.coroutines as u32, Ordering::Relaxed);
    }

    /// Makes the region valid: everything stored before is there for whoever sees the magic.
    pub fn complete(&self) {
        self.set_phase(Phase::Running);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// Where the image is in its life.
    pub fn phase(&self) -> Phase {
        Phase::from_bits(self.phase.load(Ordering::Acquire))
    }

    /// Sets the phase.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u32, Ordering::Release);
    }

    /// Records the exit status.
    pub fn set_exit_status(&self, status: i32) {
        let bits = u64::from(status.cast_unsigned()) + 1;
        self.exit_status.store(bits, Ordering::Relaxed);
    }

    /// The exit status, where it was recorded.
    pub fn exit_status(&self) -> Option<i32> {
        let bits = self.exit_status.load(Ordering::Relaxed).checked_sub(1)?;
        u32::try_from(bits).ok().map(u32::cast_signed)
    }

    /// Notes a circumstance.
    pub fn note(&self, circumstance: Circumstance) {
        self.circumstances
            .fetch_or(1 << circumstance as u32, Ordering::Relaxed);
    }

    /// A circumstance that was noted did not come about.
    pub fn forget(&self, circumstance: Circumstance) {
        self.circumstances
            .fetch_and(!(1 << circumstance as u32), Ordering::Relaxed);
    }

    /// Whether a circumstance was noted.
    pub fn has(&self, circumstance: Circumstance) -> bool {
        self.circumstances.load(Ordering::Relaxed) & 1 << circumstance as u32 != 0
    }

    /// How much the mapping has room for, by its own word, but never more than [`Room::MOST`].
    pub fn room(&self) -> Room {
        let files = self.file_capacity.load(Ordering::Relaxed) as usize;
        let slots = self.slot_capacity.load(Ordering::Relaxed) as usize;
        let coroutines = self.coroutine_capacity.load(Ordering::Relaxed) as usize;
        // With an odd number of files the slots would not be aligned.
        Room {
            files: files.min(MAX_FILES) & !1,
            slots: slots.min(MAX_SLOTS),
            coroutines: coroutines.min(MAX_COROUTINES),
        }
    }

    /// How many entries for files have ever been used, by the region's own word.
    pub fn files_used(&self) -> usize {
        self.files_used.load(Ordering::Acquire) as usize
    }

    /// Raises the number of entries ever used; every one below it has its memory.
    pub fn use_files(&self, count: usize) {
        self.files_used.fetch_max(count as u32, Ordering::Release);
    }

    /// How many entries for coroutines are in use, by the region's own word.
    pub fn coroutines_used(&self) -> usize {
        self.coroutines_used.load(Ordering::Acquire) as usize
    }

    /// Opens the entries for coroutines: so many have their memory.
    pub fn use_coroutines(&self, count: usize) {
        self.coroutines_used.store(count as u32, Ordering::Release);
    }

    /// How many slots have ever been taken, by the region's own word.
    pub fn slots_used(&self) -> usize {
        self.slots_used.load(Ordering::Acquire) as usize
    }

    /// Raises the number of slots ever taken; every one below it has its memory.
    pub fn use_slots(&self, count: usize) {
        self.slots_used.fetch_max(count as u64, Ordering::Release);
    }
}

/// Why some memory is not a region that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotARegion {
    /// It is shorter than a header.
    Short,
    /// It does not begin as a region does.
    Magic,
    /// It is a region of another version of Weir.
    Layout,
    /// It is not aligned.
    Alignment,
}

/// A region that has been checked: a header, and slots that are all within the memory.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// The header.
    pub header: &'a Header,
    files: &'a [FileEntry],
    slots: &'a [Slot],
    coroutines: &'a [Coroutine],
}

impl<'a> Region<'a> {
    /// Looks at memory as a region.
    ///
    /// # Errors
    /// Where it is none, or one of another version.
    ///
    /// # Safety
    /// `memory` to `memory + length` must be readable for `'a`, and written by others, if at all, as
    /// atomics are. It must be writable where a ring of it is drained. Its content may be anything.
    pub unsafe fn from_memory(memory: *const u8, length: usize) -> Result<Region<'a>, NotARegion> {
        if length < size_of::<Header>() {
            return Err(NotARegion::Short);
        }
        if !memory.addr().is_multiple_of(align_of::<Header>()) {
            return Err(NotARegion::Alignment);
        }
        // SAFETY: long enough and aligned, as just checked; the header is made of atomics, for
        // which any bits are valid.
        let header = unsafe { &*memory.cast::<Header>() };
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Err(NotARegion::Magic);
        }
        if header.layout.load(Ordering::Relaxed) != LAYOUT {
            return Err(NotARegion::Layout);
        }
        let said = header.room();
        let left = length - size_of::<Header>();
        let files = said.files.min(left / size_of::<FileEntry>()) & !1;
        let left = left - files * size_of::<FileEntry>();
        let slots = said.slots.min(left / size_of::<Slot>());
        let left = left - slots * size_of::<Slot>();
        let room = Room {
            files,
            slots,
            coroutines: said.coroutines.min(left / size_of::<Coroutine>()),
        };
        // SAFETY: so many entries fit behind the header, so many slots behind them, and so many entries behind
        // those; their alignments divide where they begin, and any bits are valid for them.
        let (files, slots, coroutines) = unsafe {
            let files = memory.add(room.file_at(0)).cast::<FileEntry>();
            let slots = memory.add(room.slot_at(0)).cast::<Slot>();
            let coroutines = memory.add(room.coroutine_at(0)).cast::<Coroutine>();
            (
                std::slice::from_raw_parts(files, room.files),
                std::slice::from_raw_parts(slots, room.slots),
                std::slice::from_raw_parts(coroutines, room.coroutines),
            )
        };
        Ok(Region {
            header,
            files,
            slots,
            coroutines,
        })
    }

    /// The slots that have ever been taken.
    pub fn slots(&self) -> &'a [Slot] {
        &self.slots[..self.header.slots_used().min(self.slots.len())]
    }

    /// The entries for files that have ever been used.
    pub fn files(&self) -> &'a [FileEntry] {
        &self.files[..self.header.files_used().min(self.files.len())]
    }

    /// All entries for files, also those whose memory may not be there yet.
    pub fn all_files(&self) -> &'a [FileEntry] {
        self.files
    }

    /// The entries for coroutines, where they are in use.
    pub fn coroutines(&self) -> &'a [Coroutine] {
        &self.coroutines[..self.header.coroutines_used().min(self.coroutines.len())]
    }

    /// All slots, also those whose memory may not be there yet.
    pub fn all_slots(&self) -> &'a [Slot] {
        self.slots
    }

    /// The counters of every slot, and the common ones.
    pub fn counters(&self) -> impl Iterator<Item = &'a Counters> {
        self.slots()
            .iter()
            .map(|slot| &slot.counters)
            .chain([&self.header.common])
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    const fn room(slots: usize) -> Room {
        Room {
            files: 4,
            slots,
            coroutines: 16,
        }
    }

    struct Memory(*mut u8, Layout);

    impl Memory {
        fn new(bytes: usize) -> Memory {
            let layout = Layout::from_size_align(bytes, 4096).unwrap();
            // SAFETY: the size is not zero.
            Memory(unsafe { alloc_zeroed(layout) }, layout)
        }

        fn region(&self) -> Result<Region<'_>, NotARegion> {
            // SAFETY: the memory lives as long as `self`.
            unsafe { Region::from_memory(self.0, self.1.size()) }
        }

        fn header(&self) -> &Header {
            // SAFETY: every memory of these tests is at least a header long, and zeroed.
            unsafe { &*self.0.cast::<Header>() }
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.0, self.1) }
        }
    }

    #[test]
    fn only_a_complete_region_of_this_layout_is_read() {
        let memory = Memory::new(room(2).bytes());
        assert_eq!(memory.region().unwrap_err(), NotARegion::Magic);
        memory.header().complete();
        assert_eq!(memory.region().unwrap_err(), NotARegion::Layout);
        memory.header().prepare(room(2));
        assert_eq!(memory.region().unwrap().slots().len(), 0);
        // SAFETY: a prefix of the memory.
        let short = unsafe { Region::from_memory(memory.0, 4096) };
        assert_eq!(short.unwrap_err(), NotARegion::Short);
        // SAFETY: as above.
        let odd = unsafe { Region::from_memory(memory.0.add(8), room(1).bytes()) };
        assert_eq!(odd.unwrap_err(), NotARegion::Alignment);
    }

    #[test]
    fn a_region_that_lies_about_its_slots_gives_only_those_it_has() {
        let memory = Memory::new(room(2).bytes() + 100);
        memory.header().prepare(Room {
            files: 4,
            slots: 1000,
            coroutines: 99,
        });
        memory.header().complete();
        memory.header().use_slots(usize::MAX >> 1);
        memory.header().use_files(usize::MAX >> 1);
        memory.header().use_coroutines(usize::MAX >> 1);
        assert_eq!(memory.region().unwrap().slots().len(), 2);
        assert_eq!(memory.region().unwrap().files().len(), 4);
        // What fits into the place of 16, and the hundred bytes behind them.
        assert_eq!(memory.region().unwrap().coroutines().len(), 16);
    }

    #[test]
    fn text_is_cut_to_fit() {
        let memory = Memory::new(room(0).bytes());
        let text = &memory.header().objects[0];
        text.set(b"libc.so.6");
        assert_eq!(text.bytes().collect::<Vec<_>>(), b"libc.so.6");
        text.set(&[b'x'; 1000]);
        assert_eq!(text.bytes().count(), 248);
        assert!(text.is_full());
    }

    #[test]
    fn exit_status_is_absent_until_set() {
        let memory = Memory::new(room(0).bytes());
        assert_eq!(memory.header().exit_status(), None);
        for status in [0, 1, 255, -1, i32::MIN] {
            memory.header().set_exit_status(status);
            assert_eq!(memory.header().exit_status(), Some(status));
        }
    }
}
