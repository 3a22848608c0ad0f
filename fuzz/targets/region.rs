//! A region of whatever content, behind a header that is valid: `weir recover` and `weir run` make a report
//! of it, in bounded memory, without panic, and the report can be read back.
//!
//! An input is a list of changes to a region of four files and two slots: where, and eight bytes; or a sample for a ring.
#![no_main]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use libfuzzer_sys::fuzz_target;
use weir_record::clock::Moment;
use weir_record::region::{Header, Region, Room};
use weir_record::sample::Sample;
use weir_report::model::{End, EndKind};
use weir_report::writer::Writer;
use weir_report::{emit, read, recording};

const ROOM: Room = Room { files: 4, slots: 2 };
/// Magic and layout stay: without them nothing behind them is looked at.
const FIRST_CHANGED: usize = 16;
const CHANGE: usize = 12;

/// Memory for a region, as a file of its length would be mapped.
struct Memory(*mut u8, Layout);

impl Memory {
    fn new() -> Memory {
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

    /// Puts eight bytes at a multiple of eight, where most of what a region holds is.
    fn put(&mut self, place: u32, value: u64) {
        let words = (self.1.size() - FIRST_CHANGED) / 8;
        let place = FIRST_CHANGED + place as usize % words * 8;
        // SAFETY: within the memory, aligned, and nobody else sees it yet.
        unsafe { self.0.add(place).cast::<u64>().write(value) };
    }

    fn region(&self) -> Region<'_> {
        // SAFETY: the memory lives as long as `self`.
        unsafe { Region::from_memory(self.0, self.1.size()) }.expect("a valid header")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.0, self.1) }
    }
}

fuzz_target!(|changes: &[u8]| {
    let mut memory = Memory::new();
    for change in changes.chunks_exact(CHANGE) {
        let (place, value) = change.split_at(4);
        let place = u32::from_le_bytes(place.try_into().expect("four bytes"));
        let value = u64::from_le_bytes(value.try_into().expect("eight bytes"));
        if place >> 30 == 3 {
            // The few words that make a ring look full are hardly found by chance.
            let slots = memory.region().all_slots();
            slots[place as usize % ROOM.slots]
                .ring
                .push(Sample::from_bits(value), || ());
        } else {
            memory.put(place, value);
        }
    }

    let now = Moment {
        ticks: 1 << 40,
        monotonic_ns: 1 << 39,
        unix_ns: 1 << 60,
    };
    let end = || End {
        how: EndKind::Unknown,
        ..End::default()
    };
    let mut writer = Writer::new(memory.region());
    writer.poll(now);
    let process = writer.process(now, end());
    // Two of them in one report: their histograms and counters are added up.
    let report = recording::report(vec![process.clone(), process], end(), u64::MAX);
    let json = emit::to_json(&report);
    assert!(json.len() < 16 << 20, "{} bytes of JSON", json.len());
    let back = read::from_slice(&json).expect("a report is readable");
    assert!(back == report, "a report is read as it was written");
});
