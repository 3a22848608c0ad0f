//! A region in memory, its threads, and a clock that the test sets.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use weir_record::clock::Moment;
use weir_record::counter::{Adder, Alone, Shared};
use weir_record::functions::Function;
use weir_record::region::{Header, Region, Room, Section};
use weir_record::slot::{Counters, Slot, Tenancy};
use weir_report::model::{End, EndKind, Report};
use weir_report::recording;
use weir_report::writer::Writer;

/// Ticks per nanosecond: two, so that the rate is exact.
pub const TICKS_IN_NS: u64 = 2;

/// The time at which images start.
pub const STARTED: Moment = Moment {
    ticks: 1_000_000,
    monotonic_ns: 77_000_000_000,
    unix_ns: 1_790_000_000_000_000_001,
};

/// The same time in the calendar.
pub const STARTED_AT: &str = "2026-09-21T14:13:20.000000001Z";

/// The time `ns` nanoseconds after the start.
pub fn after(ns: u64) -> Moment {
    Moment {
        ticks: STARTED.ticks + TICKS_IN_NS * ns,
        monotonic_ns: STARTED.monotonic_ns + ns,
        unix_ns: STARTED.unix_ns + ns,
    }
}

/// The end of a process that exited with status 0.
pub fn exited() -> End {
    End {
        how: EndKind::Exited,
        status: Some(0),
        signal: None,
    }
}

pub fn running() -> End {
    End {
        how: EndKind::Running,
        ..End::default()
    }
}

/// The memory of a region, zeroed at first.
pub struct Memory {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: all access is through `Region`, which consists of atomics.
unsafe impl Sync for Memory {}

impl Memory {
    /// A valid region of an image that has started. It has `slots` slots, and no thread has one.
    pub fn new(slots: usize) -> Memory {
        let room = Room {
            files: 8,
            slots,
            coroutines: 16,
            nodes: 0,
            modules: 0,
            interpreted: 0,
        };
        let layout = Layout::from_size_align(room.bytes(), 4096).unwrap();
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        let memory = Memory { start, layout };
        memory.header().prepare(room);
        memory.header().started.set(STARTED);
        memory.header().timed_one_in.store(1, RELAXED);
        memory.header().complete();
        memory
    }

    pub fn header(&self) -> &Header {
        // SAFETY: it is at least a header long, aligned, and lives as long as `self`; any bits are valid.
        unsafe { &*self.start.cast::<Header>() }
    }

    pub fn region(&self) -> Region<'_> {
        // SAFETY: the memory is readable and writable as long as `self` lives.
        unsafe { Region::from_memory(self.start, self.layout.size()) }.expect("a region")
    }

    /// The bytes, to damage them.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the memory is `self`'s, and `&mut self` excludes every region that refers to it.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.layout.size()) }
    }

    /// A thread in the slot with this index.
    pub fn thread(&self, index: usize, name: &str) -> Thread<'_> {
        let region = self.region();
        self.header().use_slots(index + 1);
        let slot = &region.all_slots()[index];
        let mut padded = [0; 16];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        let words = [
            u64::from_ne_bytes(padded[..8].try_into().unwrap()),
            u64::from_ne_bytes(padded[8..].try_into().unwrap()),
        ];
        let tid = 100 + index as u32;
        let from = match slot.owner.threads() {
            0 => Tenancy::Free,
            _ => Tenancy::Ended,
        };
        let now = after(1000 * index as u64).ticks;
        assert!(slot.owner.take(from, tid, words, now));
        Thread { memory: self, slot }
    }

    /// The report of this image alone, `ns` nanoseconds after its start.
    pub fn report(&self, ns: u64) -> Report {
        recording::report_of(self.region(), after(ns), exited())
    }

    pub fn writer(&self) -> Writer<'_> {
        Writer::new(self.region())
    }

    /// Counts a call of a thread that has no slot.
    pub fn count_common(&self, function: Function, size: u64) {
        let header = self.header();
        header.open_section(Section::Common);
        let common = header.common().expect("it has its memory");
        self.count::<Shared>(common, function, size);
    }

    fn count<A: Adder>(&self, counters: &Counters, function: Function, size: u64) {
        A::add(&counters.of(function).calls, 1);
        if !counters.count_size::<A>(function, size) {
            let header = self.header();
            header.open_section(Section::SeldomSizes);
            let sizes = header.seldom_sizes().expect("they have their memory");
            sizes.count(function, size);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start, self.layout) }
    }
}

pub const RELAXED: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;

/// Records calls as a thread of the program does.
#[derive(Clone, Copy)]
pub struct Thread<'m> {
    memory: &'m Memory,
    pub slot: &'m Slot,
}

impl Thread<'_> {
    /// A call that is not timed.
    pub fn call(&self, function: Function, size: u64) {
        self.memory
            .count::<Alone>(&self.slot.counters, function, size);
    }

    /// A call that took `took_ns` nanoseconds, and began `began_ns` nanoseconds after the start.
    pub fn timed(&self, function: Function, size: u64, fd: i32, began_ns: u64, took_ns: u64) {
        self.call(function, size);
        let (began, took) = (after(began_ns).ticks, TICKS_IN_NS * took_ns);
        let sample = self.slot.time(function, began, took, size, fd);
        let ring = &self.slot.ring;
        ring.push(sample, || ring.set_whole());
    }

    /// The previous call has failed.
    pub fn failed(&self, function: Function, errno: i32) {
        self.slot.counters.of(function).errors.add(1);
        self.slot.counters.errnos.count::<Alone>(function, errno);
    }

    /// The previous call has moved `bytes` bytes.
    pub fn moved(&self, function: Function, bytes: u64) {
        self.slot.counters.of(function).moved_bytes.add(bytes);
    }

    /// The heap has grown by `bytes` bytes; if negative, it has shrunk.
    pub fn shift(&self, bytes: i64) {
        let due = match u64::try_from(bytes) {
            Ok(bytes) => self.slot.grow(bytes),
            Err(_) => self.slot.shrink(bytes.unsigned_abs()),
        };
        if due {
            self.slot.counters.publish(&self.memory.header().heap);
        }
    }
}

/// Numbers without a pattern (xorshift64*, Vigna 2016), the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number less than the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number of any magnitude up to 2^bits.
    pub fn magnitude(&mut self, bits: u64) -> u64 {
        let shift = 64 - 1 - self.below(bits);
        self.next() >> shift
    }
}
