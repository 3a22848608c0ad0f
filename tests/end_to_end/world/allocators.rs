//! Allocators other than the C library's.

use super::{World, calls};
use crate::support::{Program, victim};

/// How many times `allocates.c` and its child call pwrite, which no allocator calls.
const PWRITES: u64 = 31;

#[track_caller]
fn expect_right(name: &str) {
    World::new(Program::new(victim(name)))
        .expect_same(|report| assert_eq!(calls(report, name, "pwrite"), PWRITES));
}

#[test]
fn the_c_librarys() {
    expect_right("allocates");
}

#[test]
fn jemalloc_linked_in() {
    expect_right("allocates_jemalloc");
}

#[test]
fn tcmalloc_linked_in() {
    expect_right("allocates_tcmalloc");
}

/// Debian has no static library of it.
#[test]
fn mimalloc_linked() {
    expect_right("allocates_mimalloc");
}

/// Its lock is not recursive. It refuses foreign blocks, and does I/O while it holds the lock.
#[test]
fn one_of_the_programs_own() {
    expect_right("allocates_strictly");
}

#[track_caller]
fn expect_right_beside(library: &str) {
    World::new(Program::new(victim("allocates")))
        .beside(library)
        .expect_same(|report| assert_eq!(calls(report, "allocates", "pwrite"), PWRITES));
}

#[test]
fn jemalloc_preloaded() {
    expect_right_beside("libjemalloc.so.2");
}

#[test]
fn tcmalloc_preloaded() {
    expect_right_beside("libtcmalloc_minimal.so.4");
}

#[test]
fn mimalloc_preloaded() {
    expect_right_beside("libmimalloc.so.2");
}
