//! The mapping: a header, a table of files, a slot for every thread, and a table of coroutines.
//!
//! One region per process image. It is a shared file, so that it remains after any end of the process;
//! if there can be no file, it is private memory, and only the process itself reads it.

mod header;
mod parts;
mod unmapped;

use std::error::Error;
use std::fmt;
use std::mem::{align_of, size_of};
use std::sync::atomic::Ordering;

use crate::coroutine::Coroutine;
use crate::errnos;
use crate::file::FileEntry;
use crate::functions::{Function, OFTEN_SIZED_COUNT, SIZED_COUNT, WAITING_COUNT};
use crate::ring;
use crate::slot::{Counters, Slot};
use crate::slow;
use crate::stacks::{InterpretedCode, Module, Node};

pub use header::{Circumstance, Header, MAX_OBJECTS, Phase, Provenance, Section};
pub use parts::{Part, Parts};
pub use unmapped::Maker;

/// The first eight bytes of a region.
pub const MAGIC: u64 = u64::from_le_bytes(*b"weir.reg");

/// Raised whenever what stands where changes, other than by the table of functions.
const LAYOUT_VERSION: u64 = 25;

/// What a reader must have been built with to read the region: version, sizes and counts.
pub const LAYOUT: u64 = {
    let facts = [
        LAYOUT_VERSION,
        size_of::<Header>() as u64,
        size_of::<Slot>() as u64,
        Function::COUNT as u64,
        SIZED_COUNT as u64,
        OFTEN_SIZED_COUNT as u64,
        WAITING_COUNT as u64,
        ring::CAPACITY as u64,
        errnos::CAPACITY as u64,
        slow::KEPT as u64,
        size_of::<FileEntry>() as u64,
        size_of::<Coroutine>() as u64,
        size_of::<Node>() as u64,
        size_of::<Module>() as u64,
        size_of::<InterpretedCode>() as u64,
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

/// The most nodes that a region has for call stacks: 64 MiB, if they are all used.
pub const MAX_NODES: usize = 1 << 20;

/// The most loaded objects that a region has entries for.
pub const MAX_MODULES: usize = 1024;

/// The most functions of interpreted code that a region has entries for.
pub const MAX_INTERPRETED: usize = 1 << 14;

/// How much a region has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Entries for files; a multiple of two, so that the slots begin with a page.
    pub files: usize,
    /// Slots for threads.
    pub slots: usize,
    /// Entries for coroutines; they begin with a page, as the slots do.
    pub coroutines: usize,
    /// Nodes for call stacks, a multiple of 64, so that what follows begins with a page; none where stacks are off.
    pub nodes: usize,
    /// Entries for loaded objects; none where stacks are off.
    pub modules: usize,
    /// Entries for functions of interpreted code; none where stacks are off.
    pub interpreted: usize,
}

impl Room {
    /// The most there is.
    pub const MOST: Room = Room {
        files: MAX_FILES,
        slots: MAX_SLOTS,
        coroutines: MAX_COROUTINES,
        nodes: MAX_NODES,
        modules: MAX_MODULES,
        interpreted: MAX_INTERPRETED,
    };

    /// Bytes of the region.
    pub const fn bytes(self) -> usize {
        self.interpreted_at(self.interpreted)
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

    /// Where the node of this number begins.
    pub const fn node_at(self, index: usize) -> usize {
        self.coroutine_at(self.coroutines) + index * size_of::<Node>()
    }

    /// Where the entry for the loaded object of this number begins.
    pub const fn module_at(self, index: usize) -> usize {
        self.node_at(self.nodes) + index * size_of::<Module>()
    }

    /// Where the entry for the interpreted function of this number begins.
    pub const fn interpreted_at(self, index: usize) -> usize {
        self.module_at(self.modules) + index * size_of::<InterpretedCode>()
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

impl fmt::Display for NotARegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotARegion::Short => "it is not a region: it is shorter than the header of one",
            NotARegion::Magic => "it is not a region: it does not begin as one does",
            NotARegion::Layout => "it is a region of another version of Weir",
            NotARegion::Alignment => "it is not aligned as a region is",
        })
    }
}

impl Error for NotARegion {}

/// A region that has been checked: a header, and parts that are looked for within the memory. Small, so that it is handed around in
/// registers.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// The header.
    pub header: &'a Header,
    /// Bytes of the memory.
    length: usize,
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
        Ok(Region { header, length })
    }

    /// The slots that have ever been taken.
    pub fn slots(&self) -> &'a [Slot] {
        first(self.all_slots(), self.header.slots_used())
    }

    /// The entries for files that have ever been used.
    pub fn files(&self) -> &'a [FileEntry] {
        first(self.all_files(), self.header.files_used())
    }

    /// All entries for files, also those whose memory may not be there yet.
    pub fn all_files(&self) -> &'a [FileEntry] {
        self.entries(Part::Files, MAX_FILES)
    }

    /// The entries for coroutines, where they are in use.
    pub fn coroutines(&self) -> &'a [Coroutine] {
        let all = self.entries(Part::Coroutines, MAX_COROUTINES);
        first(all, self.header.coroutines_used())
    }

    /// The nodes of call stacks that have their memory.
    pub fn nodes(&self) -> &'a [Node] {
        first(self.all_nodes(), self.header.nodes_made())
    }

    /// All nodes, also those whose memory may not be there yet.
    pub fn all_nodes(&self) -> &'a [Node] {
        self.entries(Part::Nodes, MAX_NODES)
    }

    /// The entries for loaded objects that are in use.
    pub fn modules(&self) -> &'a [Module] {
        first(self.all_modules(), self.header.modules_used())
    }

    /// All entries for loaded objects, also those whose memory may not be there yet.
    pub fn all_modules(&self) -> &'a [Module] {
        self.entries(Part::Modules, MAX_MODULES)
    }

    /// The entries for functions of interpreted code that are in use.
    pub fn interpreted(&self) -> &'a [InterpretedCode] {
        first(self.all_interpreted(), self.header.interpreted_used())
    }

    /// All of them, also those whose memory may not be there yet.
    pub fn all_interpreted(&self) -> &'a [InterpretedCode] {
        self.entries(Part::Interpreted, MAX_INTERPRETED)
    }

    /// The entries of a part, `most` at most.
    fn entries<T: OfAtomics>(&self, part: Part, most: usize) -> &'a [T] {
        let memory = std::ptr::from_ref(self.header).cast();
        // SAFETY: as whoever made the region has promised; any bits are valid.
        unsafe { entries(self.header, memory, self.length, part, most) }
    }

    /// All slots, also those whose memory may not be there yet.
    pub fn all_slots(&self) -> &'a [Slot] {
        self.entries(Part::Slots, MAX_SLOTS)
    }

    /// The counters of every slot, and the common ones.
    pub fn counters(&self) -> impl Iterator<Item = &'a Counters> {
        self.slots()
            .iter()
            .map(|slot| &slot.counters)
            .chain(self.header.common())
    }
}

/// The first of some entries, `count` at most.
fn first<T>(all: &[T], count: usize) -> &[T] {
    &all[..count.min(all.len())]
}

/// What is made of atomics only, so that any bits are valid.
trait OfAtomics {}
impl OfAtomics for FileEntry {}
impl OfAtomics for Slot {}
impl OfAtomics for Coroutine {}
impl OfAtomics for Node {}
impl OfAtomics for Module {}
impl OfAtomics for InterpretedCode {}

/// The entries of a part, as many as lie within the memory, `most` at most.
///
/// # Safety
/// `memory` has this length, is aligned for `T`, and lives for `'a`; any bits are valid for a `T`, also where others write them.
unsafe fn entries<'a, T>(
    header: &Header,
    memory: *const u8,
    length: usize,
    part: Part,
    most: usize,
) -> &'a [T] {
    let (from, count) = header.parts.entries::<T>(part, length, most);
    // SAFETY: as the caller promises; so many lie within the memory, from a place on that is aligned.
    unsafe { std::slice::from_raw_parts(memory.add(from).cast(), count) }
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
            nodes: 0,
            modules: 0,
            interpreted: 0,
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
    fn what_is_used_reaches_to_the_end_of_the_last_part_in_use() {
        let room = Room {
            nodes: 8,
            modules: 4,
            interpreted: 2,
            ..room(2)
        };
        let memory = Memory::new(room.bytes());
        let header = memory.header();
        header.prepare(room);
        assert_eq!(header.bytes_used(), room.slot_at(0));
        header.use_slots(2);
        assert_eq!(header.bytes_used(), room.slot_at(2));
        header.use_coroutines(3);
        assert_eq!(header.bytes_used(), room.coroutine_at(3));
        header.make_nodes(8);
        assert_eq!(header.bytes_used(), room.node_at(8));
        header.use_modules(1);
        assert_eq!(header.bytes_used(), room.module_at(1));
        header.use_interpreted(1);
        assert_eq!(header.bytes_used(), room.interpreted_at(1));
        // By a damaged region's word there is more than it has room for.
        header.use_interpreted(usize::MAX);
        assert_eq!(header.bytes_used(), room.bytes());
    }

    #[test]
    fn a_file_s_first_bytes_tell_its_maker_and_take_its_end() {
        let memory = Memory::new(room(0).bytes());
        let header = memory.header();
        // SAFETY: these bytes are within the memory, and nothing else uses them meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts_mut(memory.0, Header::MAKER_BYTES + 8) };
        let maker = |bytes: &[u8]| Header::maker(bytes.first_chunk().unwrap());
        assert_eq!(maker(bytes), None);
        header.prepare(room(0));
        header.pid.store(7, Ordering::Relaxed);
        header.parent_pid.store(5, Ordering::Relaxed);
        header.namespaces.set(0xf000_0001, 0xf000_0002);
        header.started.set(crate::clock::Moment {
            ticks: 100,
            monotonic_ns: 200,
            unix_ns: 300,
        });
        header.complete();
        let expected = Maker {
            pid: 7,
            parent_pid: 5,
            namespace: header.namespaces.pid(),
            began_ticks: 100,
            followed_ticks: None,
            has_report: false,
        };
        assert_eq!(maker(bytes), Some(expected));
        assert!(expected.namespace.is_some());
        assert_eq!(header.wait_status(), None);
        for status in [0, 9, 0x300, -1] {
            let (place, patch) = Header::wait_status_patch(status);
            bytes[place as usize..][..patch.len()].copy_from_slice(&patch);
            assert_eq!(header.wait_status(), Some(status));
            assert_eq!(maker(bytes), Some(expected));
        }
        let (place, patch) = Header::follower_patch(150);
        bytes[place as usize..][..patch.len()].copy_from_slice(&patch);
        assert_eq!(maker(bytes).and_then(|it| it.followed_ticks), Some(150));
        header.set_reported_calls(Some(0));
        let reported = |bytes: &[u8]| (header.reported_calls(), maker(bytes).unwrap().has_report);
        assert_eq!(reported(bytes), (None, false), "it runs");
        header.set_phase(Phase::Replacing);
        assert_eq!(reported(bytes), (Some(0), true));
        header.set_reported_calls(None);
        assert_eq!(reported(bytes), (None, false));
        header.layout.store(LAYOUT + 1, Ordering::Relaxed);
        assert_eq!(maker(bytes), None);
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
            nodes: 64,
            modules: 8,
            interpreted: 8,
        });
        memory.header().complete();
        memory.header().use_slots(usize::MAX >> 1);
        memory.header().use_files(usize::MAX >> 1);
        memory.header().use_coroutines(usize::MAX >> 1);
        assert_eq!(memory.region().unwrap().files().len(), 4);
        // The slots that fit into the space of two slots and the coroutines behind them.
        assert_eq!(memory.region().unwrap().slots().len(), 2);
        assert_eq!(memory.region().unwrap().coroutines().len(), 0);
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
