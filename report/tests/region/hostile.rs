//! A region with any contents gives a report that can be written and read back.

use weir_record::clock::Moment;
use weir_record::functions::Function;
use weir_record::region::Room;
use weir_report::{emit, read, recording};

use crate::memory::{Memory, Random, after, exited, running};

/// Makes every kind of report from it.
fn survives(memory: &Memory, random: &mut Random) {
    let moments = [
        after(2_000_000),
        Moment::default(),
        Moment {
            ticks: u64::MAX,
            monotonic_ns: u64::MAX,
            unix_ns: u64::MAX,
        },
        Moment {
            ticks: random.next(),
            monotonic_ns: random.next(),
            unix_ns: random.next(),
        },
    ];
    let mut writer = memory.writer();
    let first = moments[random.below(4) as usize];
    writer.poll(first);
    let process = writer.process(first, running());
    let second = moments[random.below(4) as usize];
    writer.poll(second);
    let again = writer.process(second, exited());
    let report = recording::report(vec![process, again], exited(), u64::MAX);
    let text = emit::to_json(&report);
    assert_eq!(read::from_slice(&text).expect("a report"), report);
}

/// A region in which every kind of event happened.
fn lively(random: &mut Random) -> Memory {
    let memory = Memory::new(2);
    for index in 0..2 {
        let thread = memory.thread(index, "thread");
        for function in Function::ALL {
            thread.timed(function, random.next(), 3, 5, random.magnitude(40));
            thread.failed(function, libc::EIO);
        }
    }
    memory.header().command.set(b"a\0b\0");
    memory
}

#[test]
fn noise_behind_a_valid_head() {
    let mut random = Random::new(4);
    for _ in 0..10 {
        let mut memory = Memory::new(2);
        for word in memory.bytes().chunks_exact_mut(8) {
            word.copy_from_slice(&random.next().to_ne_bytes());
        }
        memory.header().prepare(Room {
            files: 8,
            slots: 2,
            coroutines: 16,
            nodes: 0,
            modules: 0,
            interpreted: 0,
        });
        memory.header().complete();
        survives(&memory, &mut random);
    }
}

#[test]
fn one_byte_everywhere() {
    let mut random = Random::new(5);
    for byte in [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff] {
        let mut memory = Memory::new(2);
        memory.bytes().fill(byte);
        memory.header().prepare(Room {
            files: 8,
            slots: 2,
            coroutines: 16,
            nodes: 0,
            modules: 0,
            interpreted: 0,
        });
        memory.header().complete();
        memory.header().use_slots(2);
        memory.header().use_files(8);
        survives(&memory, &mut random);
    }
}

/// A real region in which some words are replaced by harmful ones: what a fuzzer finds first.
#[test]
fn damaged_words() {
    let mut random = Random::new(6);
    let hurtful = [
        0,
        1,
        u64::MAX,
        u64::MAX - 1,
        1 << 63,
        (1 << 63) - 1,
        1 << 52,
        1 << 32,
        64,
    ];
    for _ in 0..60 {
        let mut memory = lively(&mut random);
        let words = memory.bytes().len() / 8;
        // Rings are most of a slot, but damage elsewhere matters more.
        for _ in 0..1 + random.magnitude(12) {
            let word = 8 * random.below(words as u64) as usize;
            let value = match random.below(10) {
                9 => random.next(),
                which => hurtful[which as usize],
            };
            memory.bytes()[word..word + 8].copy_from_slice(&value.to_ne_bytes());
        }
        memory.header().prepare(Room {
            files: random.magnitude(16) as usize,
            slots: random.magnitude(16) as usize,
            coroutines: random.magnitude(16) as usize,
            nodes: 0,
            modules: 0,
            interpreted: 0,
        });
        // Damages the table of parts, which `prepare` has just written.
        for _ in 0..random.magnitude(3) {
            let word = 8 * (2 + random.below(32) as usize);
            let value = match random.below(4) {
                0 => hurtful[random.below(9) as usize],
                1 => random.next(),
                _ => random.magnitude(24),
            };
            memory.bytes()[word..word + 8].copy_from_slice(&value.to_ne_bytes());
        }
        memory
            .header()
            .use_coroutines(random.magnitude(40) as usize);
        memory.header().complete();
        survives(&memory, &mut random);
    }
}

/// The clock of the image, and every duration, with impossible values.
#[test]
fn impossible_clocks() {
    let mut random = Random::new(7);
    for round in 0..40 {
        let memory = lively(&mut random);
        let bits = 1 + round % 64;
        memory.header().started.set(Moment {
            ticks: random.magnitude(bits),
            monotonic_ns: random.magnitude(bits),
            unix_ns: random.next(),
        });
        memory.header().latest.set(Moment {
            ticks: random.next(),
            monotonic_ns: random.next(),
            unix_ns: random.next(),
        });
        survives(&memory, &mut random);
    }
}
