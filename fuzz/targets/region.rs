//! A region of whatever content, behind a header that is valid: `weir recover` and `weir run` make a report
//! of it, in bounded memory, without panic, and the report can be read back.
//!
//! An input is a list of changes to a region of four files and two slots: where, and eight bytes; or a sample for a
//! ring.
#![no_main]

mod memory;

use libfuzzer_sys::fuzz_target;
use weir_record::sample::Sample;

use memory::{Memory, ROOM};

/// Magic and layout stay: without them nothing behind them is looked at.
const FIRST_CHANGED: usize = 16;

fuzz_target!(|input: &[u8]| {
    let mut memory = Memory::new();
    for (place, value) in memory::changes(input) {
        if place >> 30 == 3 {
            // The few words that make a ring look full are hardly found by chance.
            let region = memory.region(memory.size()).expect("a valid header");
            region.all_slots()[place as usize % ROOM.slots]
                .ring
                .push(Sample::from_bits(value), || ());
        } else {
            memory.put(FIRST_CHANGED, place, value);
        }
    }
    memory::report(memory.region(memory.size()).expect("a valid header"));
});
