//! Memory for a region, as a file would be mapped, and what is done with a region.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use weir_record::clock::Moment;
use weir_record::region::{Header, NotARegion, Region, Room};
use weir_report::model::{End, EndKind};
use weir_report::writer::Writer;
use weir_report::{emit, read, recording};

/// What there is room for.
pub const ROOM: Room = Room {
    files: 4,
    slots: 2,
    coroutines: 16,
    nodes: 0,
    modules: 0,
    interpreted: 0,
};

/// A change is a place, of four bytes, and a value, of eight.
const CHANGE: usize = 12;

/// The changes that an input is.
pub fn changes(input: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    input.chunks_exact(CHANGE).map(|change| {
        let (place, value) = change.split_at(4);
        let place = u32::from_le_bytes(place.try_into().expect("four bytes"));
        let value = u64::from_le_bytes(value.try_into().expect("eight bytes"));
        (place, value)
    })
}

/// A region in which all slots and entries are in use, all zeroes.
pub struct Memory(*mut u8, Layout);

impl Memory {
    pub fn new() -> Memory {
        let layout = Layout::from_size_align(ROOM.bytes(), 4096).expect("a small size");
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: long enough for a header, aligned, and zeroes are a valid one.
        let header = unsafe { &*start.cast::<Header>() };
        header.prepare(ROOM);
        header.use_files(ROOM.files);
        header.use_slots(ROOM.slots);
        header.complete();
        Memory(start, layout)
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.1.size()
    }

    /// Puts eight bytes at a multiple of eight, where most of what a region holds is; not before `first`.
    pub fn put(&mut self, first: usize, place: u32, value: u64) {
        let words = (self.1.size() - first) / 8;
        let place = first + place as usize % words * 8;
        // SAFETY: within the memory, aligned, and nobody else sees it yet.
        unsafe { self.0.add(place).cast::<u64>().write(value) };
    }

    /// The region, as its first `length` bytes have it.
    pub fn region(&self, length: usize) -> Result<Region<'_>, NotARegion> {
        // SAFETY: the memory lives as long as `self`, and is no shorter.
        unsafe { Region::from_memory(self.0, length.min(self.1.size())) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.0, self.1) }
    }
}

/// Makes a report of a region, and reads it back.
pub fn report(region: Region<'_>) {
    let now = Moment {
        ticks: 1 << 40,
        monotonic_ns: 1 << 39,
        unix_ns: 1 << 60,
    };
    let end = || End {
        how: EndKind::Unknown,
        ..End::default()
    };
    let mut writer = Writer::new(region);
    writer.poll(now);
    let process = writer.process(now, end());
    // Two of them in one report: their histograms and counters are added up.
    let report = recording::report(vec![process.clone(), process], end(), u64::MAX);
    let json = emit::to_json(&report);
    assert!(json.len() < 16 << 20, "{} bytes of JSON", json.len());
    let back = read::from_slice(&json).expect("a report is readable");
    assert!(back == report, "a report is read as it was written");
}
