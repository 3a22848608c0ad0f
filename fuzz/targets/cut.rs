//! A region file that is cut off anywhere, and the head of which may be anything: it is refused, or a report is made
//! of what is there.
//!
//! An input is the length, of four bytes, and changes as those of the target `region`, each to one of the first
//! words where its value is even, else to any.
#![no_main]

mod memory;

use libfuzzer_sys::fuzz_target;

use memory::Memory;

/// The words that a reader looks at first.
const HEAD_WORDS: u32 = 16;

fuzz_target!(|input: &[u8]| {
    let Some((length, input)) = input.split_first_chunk() else {
        return;
    };
    let mut memory = Memory::new();
    for (place, value) in memory::changes(input) {
        let place = if value % 2 == 0 {
            place % HEAD_WORDS
        } else {
            place
        };
        memory.put(0, place, value);
    }
    let length = u32::from_le_bytes(*length) as usize % (memory.size() + 1);
    if let Ok(region) = memory.region(length) {
        assert!(region.slots().len() <= memory::ROOM.slots);
        memory::report(region);
    }
});
