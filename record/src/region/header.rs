//! The head of a region: its process, how that ended, the objects that its functions lead to, and the common counters.

use std::mem::{offset_of, size_of};
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::parts::{Part, Parts};
use super::{
    LAYOUT, MAGIC, MAX_COROUTINES, MAX_FILES, MAX_INTERPRETED, MAX_MODULES, MAX_NODES, MAX_SLOTS,
    Room,
};
use crate::clock::SharedMoment;
use crate::coroutine::Coroutine;
use crate::counter::Counter;
use crate::ends::Ends;
use crate::file::FileEntry;
use crate::functions::Function;
use crate::namespaces::Namespaces;
use crate::sizes::SeldomSizes;
use crate::slot::{Counters, HeapTotals, Slot};
use crate::stacks::{Cut, InterpretedCode, Module, Node};
use crate::starts::{self, Starts};
use crate::text::Text;

/// How many loaded objects the header can name.
pub const MAX_OBJECTS: usize = 15;

/// Of how many descriptors, from the first, the header says where they lead.
pub const MAX_LINKS: usize = 256;

const _: () = assert!(MAX_FILES <= u16::MAX as usize);

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
    /// A setting was invalid, and its default was used.
    BadSetting = 5,
    /// The slot of an ended thread cannot be taken over, because no thread-specific key was left.
    NoThreadExit = 6,
    /// The region's file is in the second-best directory.
    OtherDirectory = 7,
    /// What stdio asks of the kernel is not seen.
    StdioUnseen = 8,
    /// The sizes of blocks are not known: one object has the next `malloc`, another `malloc_usable_size`.
    NoBlockSizes = 9,
    /// The process gave up the right to make every system call.
    Sealed = 10,
    /// The process asked for a ring of io_uring; whether it got one is not known.
    UringAskedFor = 11,
    /// The process had a ring of io_uring.
    UringUsed = 12,
    /// A coroutine runtime registered itself, but there was no memory to count by coroutine.
    NoCoroutines = 13,
    /// Calls of malloc and its kin do not reach us, although they are bound to ours: what runs the program has put its own in
    /// their place, as valgrind does.
    HeapElsewhere = 14,
    /// A thread of the process gave up the time-stamp counter.
    ClockTaken = 15,
    /// The process has system calls dispatched to itself, by where they are made.
    Dispatched = 16,
    /// The writer in the program had no memory, and gave up.
    NoWriterMemory = 17,
    /// The writer in the program failed by a fault of its own, and gave up.
    WriterFailed = 18,
    /// Threads were made that share their maker's thread-local storage, and so its slot.
    SharedThreadArea = 19,
    /// Libraries were loaded into a namespace of their own (dlmopen), whose calls never reach us.
    OtherNamespace = 20,
    /// There was no memory for the slots of more threads.
    NoSlotMemory = 21,
    /// A thread has no slot because another took too long to make one.
    SlotAwaited = 22,
    /// There was no memory to count the calls of seldom functions by size.
    NoSizesMemory = 23,
    /// Another image of a recording without `weir` has started this one, or was the process before.
    IsNotFirst = 24,
}

impl Circumstance {
    /// All of them.
    pub const ALL: [Circumstance; 25] = [
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
        Circumstance::NoCoroutines,
        Circumstance::HeapElsewhere,
        Circumstance::ClockTaken,
        Circumstance::Dispatched,
        Circumstance::NoWriterMemory,
        Circumstance::WriterFailed,
        Circumstance::SharedThreadArea,
        Circumstance::OtherNamespace,
        Circumstance::NoSlotMemory,
        Circumstance::SlotAwaited,
        Circumstance::NoSizesMemory,
        Circumstance::IsNotFirst,
    ];
}

/// A part of the header that gets its memory when it comes to be used: most processes need none of them, and each page of
/// memory takes time to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Section {
    /// The first [`Section::FEW_STARTS`] notes of programs that were started.
    FirstStarts = 0,
    /// All of them.
    Starts = 1,
    /// Notes of how children ended.
    Ends = 2,
    /// The counters of threads that have no slot.
    Common = 3,
    /// The calls of seldom functions by size.
    SeldomSizes = 4,
}

impl Section {
    /// All of them.
    pub const ALL: [Section; 5] = [
        Section::FirstStarts,
        Section::Starts,
        Section::Ends,
        Section::Common,
        Section::SeldomSizes,
    ];

    /// As many notes as lie within two pages: more than most shells need.
    pub const FEW_STARTS: usize = 15;

    /// Which bytes of the header it takes.
    pub const fn bytes(self) -> Range<usize> {
        let (from, length) = match self {
            Section::FirstStarts => (
                offset_of!(Header, starts),
                Section::FEW_STARTS * size_of::<starts::Start>(),
            ),
            Section::Starts => (offset_of!(Header, starts), size_of::<Starts>()),
            Section::Ends => (offset_of!(Header, ends), size_of::<Ends>()),
            Section::Common => (offset_of!(Header, common), size_of::<Counters>()),
            Section::SeldomSizes => (offset_of!(Header, seldom_sizes), size_of::<SeldomSizes>()),
        };
        from..from + length
    }
}

/// The head of a region.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Header {
    /// [`MAGIC`], stored last.
    pub(super) magic: AtomicU64,
    /// [`LAYOUT`].
    pub(super) layout: AtomicU64,
    /// Where the parts are.
    pub(super) parts: Parts,
    pub(super) phase: AtomicU32,
    circumstances: AtomicU32,
    /// Which sections have their memory, a bit for each.
    sections: AtomicU32,
    /// Process id.
    pub pid: AtomicU32,
    /// Process id of the parent.
    pub parent_pid: AtomicU32,
    /// Where these ids and the clock are its own.
    pub namespaces: Namespaces,
    /// Exit status plus one where it is known, else 0.
    exit_status: AtomicU64,
    /// The process's status for wait(2), plus one; 0 if it is not known. The parent that waited writes it to the file.
    pub(super) wait_status: AtomicU64,
    /// Calls in the report that the image wrote before it executed another program or ended, plus one; 0 where there is none.
    pub(super) reported_calls: AtomicU64,
    /// The time-stamp counter when another image began under this one's name; 0 where none did. That image writes it to the file.
    pub(super) followed_ticks: AtomicU64,
    /// One allocation call in so many is timed; 0 is none, and then no I/O call either.
    pub timed_one_in: AtomicU32,
    /// How many of them, from the first, have ever been used.
    files_used: AtomicU32,
    /// How many of them have their memory: none, or all.
    coroutines_used: AtomicU32,
    /// How many slots, from the first, have ever been taken.
    slots_used: AtomicU64,
    /// How many nodes of call stacks, from the first, have their memory; none where stacks are off.
    nodes_made: AtomicU32,
    /// How many of them have been claimed.
    nodes_claimed: AtomicU32,
    /// How many entries for loaded objects are in use.
    modules_used: AtomicU32,
    /// How many entries for functions of interpreted code are in use.
    interpreted_used: AtomicU32,
    /// Calls whose stack is not known to its outermost caller, by reason ([`Cut`]).
    cuts: [Counter; Cut::COUNT],
    /// Where blocks are sampled, once in so many bytes on average; 0 where all are counted at their sites.
    pub sampled_bytes: Counter,
    /// Blocks that are live at no site, because there was no memory to note them.
    pub untracked_blocks: Counter,
    /// Blocks that were freed and are still live at their site, because there was no room to note it.
    pub untracked_frees: Counter,
    /// Files and sockets whose entry was given to another: they count in the first entry.
    pub folded_files: Counter,
    /// Times that the entry of a coroutine was given to another: they count in the first entry.
    pub folded_coroutines: Counter,
    /// Calls that blocked a whole thread although a coroutine made them.
    pub blocked_coroutines: Counter,
    /// Threads that share the common counters.
    pub threads_without_slot: Counter,
    /// Programs that were started and that there was no room to note.
    pub unlisted_starts: Counter,
    /// Calls that passed through uncounted.
    pub uncounted_calls: Counter,
    /// Bytes that were live when a forked image began.
    pub inherited_bytes: Counter,
    /// Blocks that were live when a forked image began.
    pub inherited_blocks: Counter,
    /// Forked processes that could make no region of their own and count in this one.
    pub sharers: Counter,
    /// Children that were forked by the processes that count here: each may count here too, until it has a region of
    /// its own.
    pub children: Counter,
    /// How many of them have one, or said that they end.
    pub children_gone: Counter,
    /// The start of the image.
    pub started: SharedMoment,
    /// A later moment, so that a reader of the region knows the clock's rate.
    pub latest: SharedMoment,
    /// The heap.
    pub heap: HeapTotals,
    /// For each of the first descriptors, which entry of the table of files it leads to; 0 where that is not known.
    links: [AtomicU16; MAX_LINKS],
    /// The name of the coroutine runtime that registered itself; empty where none did.
    pub runtime: Text<56>,
    /// Path of the library for io_uring, where one is loaded.
    pub uring_library: Text<248>,
    /// Path of an object that calls the allocator behind ours itself, where one was found.
    pub bypassing: Text<248>,
    /// The executable's path.
    pub executable: Text<1024>,
    /// Where each function leads.
    pub provenance: [Provenance; Function::COUNT],
    /// The command line, every argument ended by NUL.
    pub command: Text<4096>,
    /// Paths of the loaded objects that the functions lead to.
    pub objects: [Text<248>; MAX_OBJECTS],
    // From here on, only sections that are marked have memory.
    starts: Starts,
    ends: Ends,
    common: Counters,
    seldom_sizes: SeldomSizes,
}

impl Header {
    /// Bytes of a header that has none of its sections.
    pub const FIRST_BYTES: usize = offset_of!(Header, starts);

    /// Whether a section has its memory.
    pub fn has_section(&self, section: Section) -> bool {
        self.sections.load(Ordering::Acquire) & 1 << section as u32 != 0
    }

    /// A section has its memory.
    pub fn open_section(&self, section: Section) {
        self.sections
            .fetch_or(1 << section as u32, Ordering::Release);
    }

    /// Programs that were started from here, and how many of the notes have their memory.
    pub fn starts(&self) -> (&Starts, usize) {
        let room = if self.has_section(Section::Starts) {
            starts::CAPACITY
        } else if self.has_section(Section::FirstStarts) {
            Section::FEW_STARTS
        } else {
            0
        };
        (&self.starts, room)
    }

    /// How the children ended that were waited for here, where that has its memory.
    pub fn ends(&self) -> Option<&Ends> {
        self.has_section(Section::Ends).then_some(&self.ends)
    }

    /// The counters of threads that have no slot, added to by locked instructions, never timed; where they have their memory.
    pub fn common(&self) -> Option<&Counters> {
        self.has_section(Section::Common).then_some(&self.common)
    }

    /// The calls of seldom functions by size, where they have their memory.
    pub fn seldom_sizes(&self) -> Option<&SeldomSizes> {
        self.has_section(Section::SeldomSizes)
            .then_some(&self.seldom_sizes)
    }

    /// Fills in what a reader checks first. The region is not valid before [`Header::complete`].
    pub fn prepare(&self, room: Room) {
        self.layout.store(LAYOUT, Ordering::Relaxed);
        let parts = [
            (Part::Starts, Section::Starts.bytes()),
            (Part::Ends, Section::Ends.bytes()),
            (Part::Common, Section::Common.bytes()),
            (Part::SeldomSizes, Section::SeldomSizes.bytes()),
            (Part::Files, room.file_at(0)..room.file_at(room.files)),
            (Part::Slots, room.slot_at(0)..room.slot_at(room.slots)),
            (
                Part::Coroutines,
                room.coroutine_at(0)..room.coroutine_at(room.coroutines),
            ),
            (Part::Nodes, room.node_at(0)..room.node_at(room.nodes)),
            (
                Part::Modules,
                room.module_at(0)..room.module_at(room.modules),
            ),
            (
                Part::Interpreted,
                room.interpreted_at(0)..room.interpreted_at(room.interpreted),
            ),
        ];
        for (part, place) in parts {
            self.parts.set(part, place);
        }
    }

    /// Makes the region valid: a reader that sees the magic also sees everything that was stored before.
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

    /// The time-stamp counter when another image began under this one's name, if one did.
    pub fn followed_ticks(&self) -> Option<u64> {
        Some(self.followed_ticks.load(Ordering::Relaxed)).filter(|&ticks| ticks != 0)
    }

    /// How many calls there are in the report that the image wrote before it executed another program or ended; none where there is
    /// no such report. Until the kernel ends the other threads, they count on.
    pub fn reported_calls(&self) -> Option<u64> {
        let calls = self.reported_calls.load(Ordering::Acquire).checked_sub(1);
        calls.filter(|_| matches!(self.phase(), Phase::Replacing | Phase::Exiting))
    }

    /// Notes how many calls there are in the report that was written.
    pub fn set_reported_calls(&self, calls: Option<u64>) {
        let noted = calls.map_or(0, |calls| calls.saturating_add(1));
        self.reported_calls.store(noted, Ordering::Release);
    }

    /// The process's status for wait(2), if its parent has noted it.
    pub fn wait_status(&self) -> Option<i32> {
        let bits = self.wait_status.load(Ordering::Relaxed).checked_sub(1)?;
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
        let length = Room::MOST.bytes();
        let entries = |(_, count)| count;
        Room {
            files: entries(
                self.parts
                    .entries::<FileEntry>(Part::Files, length, MAX_FILES),
            ),
            slots: entries(self.parts.entries::<Slot>(Part::Slots, length, MAX_SLOTS)),
            coroutines: entries(self.parts.entries::<Coroutine>(
                Part::Coroutines,
                length,
                MAX_COROUTINES,
            )),
            nodes: entries(self.parts.entries::<Node>(Part::Nodes, length, MAX_NODES)),
            modules: entries(
                self.parts
                    .entries::<Module>(Part::Modules, length, MAX_MODULES),
            ),
            interpreted: entries(self.parts.entries::<InterpretedCode>(
                Part::Interpreted,
                length,
                MAX_INTERPRETED,
            )),
        }
    }

    /// Bytes of the region, by its own word, but never more than those of [`Room::MOST`]: the last part ends there.
    pub fn length(&self) -> usize {
        self.parts.get(Part::Interpreted, Room::MOST.bytes()).end
    }

    /// How many entries for files have ever been used, by the region's own word.
    pub fn files_used(&self) -> usize {
        self.files_used.load(Ordering::Acquire) as usize
    }

    /// Raises the number of entries ever used; every one below it has its memory.
    pub fn use_files(&self, count: usize) {
        self.files_used.fetch_max(count as u32, Ordering::Release);
    }

    /// Where a descriptor leads: the number of an entry for files, where that is known.
    pub fn link(&self, fd: i32) -> Option<usize> {
        let link = self.links.get(usize::try_from(fd).ok()?)?;
        match link.load(Ordering::Relaxed) {
            0 => None,
            link => Some(usize::from(link)),
        }
    }

    /// Sets where a descriptor leads: to the entry of this number, or, where it is not one, nowhere that is known.
    pub fn set_link(&self, fd: i32, entry: u32) {
        let place = usize::try_from(fd).ok();
        if let Some(link) = place.and_then(|place| self.links.get(place)) {
            link.store(u16::try_from(entry).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Bytes of the region up to the end of the last part that is in use, by the region's own word.
    pub fn bytes_used(&self) -> usize {
        let room = self.room();
        let slots = room.slot_at(self.slots_used().min(room.slots));
        let coroutines = self.coroutines_used().min(room.coroutines);
        let nodes = self.nodes_made().min(room.nodes);
        let modules = self.modules_used().min(room.modules);
        let interpreted = self.interpreted_used().min(room.interpreted);
        let ends = [
            (coroutines, room.coroutine_at(coroutines)),
            (nodes, room.node_at(nodes)),
            (modules, room.module_at(modules)),
            (interpreted, room.interpreted_at(interpreted)),
        ];
        let used = ends.into_iter().filter(|&(count, _)| count > 0);
        used.map(|(_, end)| end).fold(slots, usize::max)
    }

    /// How many entries for coroutines are in use, by the region's own word.
    pub fn coroutines_used(&self) -> usize {
        self.coroutines_used.load(Ordering::Acquire) as usize
    }

    /// Opens the entries for coroutines: so many have their memory.
    pub fn use_coroutines(&self, count: usize) {
        self.coroutines_used.store(count as u32, Ordering::Release);
    }

    /// How many nodes of call stacks have their memory, by the region's own word.
    pub fn nodes_made(&self) -> usize {
        self.nodes_made.load(Ordering::Acquire) as usize
    }

    /// Raises the number of nodes that have their memory.
    pub fn make_nodes(&self, count: usize) {
        self.nodes_made.fetch_max(count as u32, Ordering::Release);
    }

    /// Claims a node: its number, which may be past those that have their memory.
    pub fn claim_node(&self) -> usize {
        self.nodes_claimed.fetch_add(1, Ordering::Relaxed) as usize
    }

    /// How many nodes have been claimed.
    pub fn nodes_claimed(&self) -> usize {
        self.nodes_claimed.load(Ordering::Relaxed) as usize
    }

    /// How many entries for loaded objects are in use, by the region's own word.
    pub fn modules_used(&self) -> usize {
        self.modules_used.load(Ordering::Acquire) as usize
    }

    /// Sets the number of entries for loaded objects that are in use.
    pub fn use_modules(&self, count: usize) {
        self.modules_used.store(count as u32, Ordering::Release);
    }

    /// How many entries for functions of interpreted code are in use, by the region's own word.
    pub fn interpreted_used(&self) -> usize {
        self.interpreted_used.load(Ordering::Acquire) as usize
    }

    /// Sets the number of entries for functions of interpreted code that are in use.
    pub fn use_interpreted(&self, count: usize) {
        self.interpreted_used.store(count as u32, Ordering::Release);
    }

    /// Calls whose stack is cut for this reason.
    pub fn cut(&self, reason: Cut) -> &Counter {
        &self.cuts[reason as usize]
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
