//! A program that damages its heap ends as it does without Weir: with the message of its allocator, by the same signal.

use crate::support::{Mode, Program, victim};

/// With the settings that look at blocks in other ways.
const STACKS: [&str; 3] = ["off", "sampled", "all"];

fn expect_the_same_end(way: &str, blocks: &str, in_a_thread: bool) {
    let mut program = Program::new(victim("damaged_heap")).args([way, blocks]);
    if in_a_thread {
        program = program.arg("thread");
    }
    let plain = program.plain();
    for mode in Mode::MEASURED {
        for stacks in STACKS {
            let program = program.clone().env("WEIR_STACKS", stacks).without_reports();
            let _ = program.run(mode).expect_same(&plain);
        }
    }
}

/// As its first blocks, and after many.
#[test]
fn a_damaged_heap_is_reported_by_its_allocator() {
    for way in ["twice", "size", "zero", "middle", "odd", "stack", "moved"] {
        for blocks in ["0", "200"] {
            expect_the_same_end(way, blocks, false);
        }
    }
}

#[test]
fn so_is_that_of_a_thread() {
    for way in ["twice", "size", "zero", "middle", "moved"] {
        expect_the_same_end(way, "200", true);
    }
}

/// The C library multiplies before it looks at the block.
#[test]
fn a_product_that_is_too_large_leaves_the_block_alone() {
    for blocks in ["0", "200"] {
        expect_the_same_end("too-large", blocks, false);
    }
}
