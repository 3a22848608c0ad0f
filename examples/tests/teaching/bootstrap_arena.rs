//! Step 3.

use crate::support::{assert_overflows, directory, example};

const ALLOCATING: &str = "./libno_arena.so ./liballocating_dlsym.so";

#[test]
fn without_an_arena_a_dlsym_that_allocates_overflows_the_stack() {
    let directory = directory("bootstrap_arena");
    assert_overflows(&directory, ALLOCATING, "./early", "calloc: entered");
}

#[test]
fn each_of_the_three_ends_as_it_is_said_to() {
    let outcome = example(&["bootstrap_arena"]);

    let unharmed = outcome.part("the dlsym of this libc");
    assert_eq!(
        unharmed[1..],
        ["malloc: entered", "malloc: entered", "Good"]
    );

    let crashed = outcome.part("#    no arena, and a dlsym that allocates");
    assert!(crashed[1].ends_with("1 malloc: entered"), "{crashed:?}");
    assert!(crashed[2].ends_with(" calloc: entered"), "{crashed:?}");
    assert!(crashed[3].starts_with("killed by SIGSEGV"), "{crashed:?}");

    // Five lookups, so five names; the last one is grown by realloc long after the lookups, and what
    // it held came along.
    let served = outcome.part("#    an arena, and a dlsym that allocates");
    assert_eq!(
        served[1..],
        [
            "malloc_usable_size: grown from 19 to 10000 bytes",
            "Good",
            "the arena gave 5 blocks; 5 came back"
        ]
    );
}
