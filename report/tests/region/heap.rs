//! The heap's figures, compared with a heap that the test keeps itself.

use weir_record::functions::Function;
use weir_report::model::Heap;

use crate::memory::{Memory, Random};

fn heap(memory: &Memory) -> Heap {
    let report = memory.report(2_000_000);
    assert_eq!(report.heap, report.processes[0].heap);
    report.heap
}

#[test]
fn nothing_was_allocated() {
    let memory = Memory::new(1);
    memory.thread(0, "t").call(Function::Read, 1);
    assert_eq!(heap(&memory), Heap::default());
}

#[test]
fn blocks_are_those_made_less_those_freed() {
    let memory = Memory::new(2);
    let (one, two) = (memory.thread(0, "a"), memory.thread(1, "b"));
    let adjust = |by: i64| {
        one.slot.counters.blocks_adjustment.add(by.cast_unsigned());
    };
    for _ in 0..10 {
        one.call(Function::Malloc, 16);
        one.shift(24);
    }
    // A call that failed allocates no block.
    one.call(Function::Calloc, 16);
    one.failed(Function::Calloc, 0);
    // free(NULL); realloc(NULL, 8); realloc(block, 0); realloc(block, 100).
    one.call(Function::Free, 0);
    adjust(1);
    one.call(Function::Realloc, 8);
    adjust(1);
    one.shift(24);
    one.call(Function::Realloc, 0);
    adjust(-1);
    one.shift(-24);
    one.call(Function::Realloc, 100);
    one.shift(80);
    // Another thread frees three blocks, and asks for the size of one.
    for _ in 0..3 {
        two.call(Function::Free, 0);
        two.shift(-24);
    }
    two.call(Function::MallocUsableSize, 0);
    let told = heap(&memory);
    assert_eq!(told.live_blocks, 10 - 3);
    assert_eq!(told.live_bytes, 7 * 24 + 80);
    let threads = &memory.report(2_000_000).processes[0].threads;
    assert_eq!(threads[1].live_bytes, -72);
}

#[test]
fn what_a_forked_image_inherited_is_live() {
    let memory = Memory::new(1);
    let header = memory.header();
    header.inherited_bytes.set(1000);
    header.inherited_blocks.set(4);
    // The values with which the library begins a forked image.
    header.heap.live_bytes.set(1000);
    header.heap.peak_bytes.set(1000);
    let thread = memory.thread(0, "t");
    thread.call(Function::Free, 0);
    thread.shift(-300);
    let told = heap(&memory);
    assert_eq!((told.inherited_bytes, told.inherited_blocks), (1000, 4));
    assert_eq!((told.live_bytes, told.live_blocks), (700, 3));
    assert_eq!(told.peak_bytes, 1000);
}

/// Threads allocate, and free each other's blocks. The peak is as close to the true one as the report says.
#[test]
fn the_peak_is_as_good_as_it_claims() {
    for seed in 0..20 {
        let memory = Memory::new(8);
        let mut random = Random::new(seed);
        let count = 1 + random.below(8) as usize;
        let threads: Vec<_> = (0..count).map(|index| memory.thread(index, "t")).collect();
        let (mut live, mut peak) = (0_i64, 0_i64);
        // As many additional blocks as can be freed below: a call of free here does not free a certain block, but a
        // part of all bytes.
        for _ in 0..20_000 {
            threads[0].call(Function::Malloc, 1);
        }
        for _ in 0..20_000 {
            let thread = threads[random.below(count as u64) as usize];
            let bytes = random.magnitude(17).cast_signed();
            if live >= bytes && random.below(2) == 0 {
                thread.call(Function::Free, 0);
                thread.shift(-bytes);
                live -= bytes;
            } else {
                thread.call(Function::Malloc, 1);
                thread.shift(bytes);
                live += bytes;
            }
            peak = peak.max(live);
        }
        let told = heap(&memory);
        assert_eq!(told.live_bytes, live);
        let error = told.peak_bytes.abs_diff(peak.cast_unsigned());
        assert!(
            error <= told.peak_error_bytes,
            "{count} threads: {told:?}, in truth {peak}"
        );
        if count == 1 {
            assert!(told.peak_bytes <= peak.cast_unsigned());
        }
        assert!(told.peak_error_bytes <= told.peak_bytes / 64 * count as u64 + 4096 * count as u64);
    }
}
