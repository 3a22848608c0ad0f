//! Every way to make a process, at the worst of moments: no child hangs, none is counted twice.

use crate::support::{Account, Mode, Program, victim};

/// Runs the victim in a way in which every image gives its account; compares them all.
#[track_caller]
fn expect_every_image(way: &str, images: usize) {
    let program = Program::new(victim("forks_at_bad_moments")).arg(way);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}, {way}");
        assert_eq!(Account::expect_all_in(&outcome), images, "{mode:?}, {way}");
        assert_eq!(outcome.processes().len(), images, "{mode:?}, {way}");
    }
}

/// What handlers of fork do in the child is the child's, also of those that were registered before Weir's.
#[test]
fn handlers_of_fork_count_where_they_run() {
    expect_every_image("handlers", 21);
}

/// A child that shares its parent's memory, in the middle of a fork, is not the forked one.
#[test]
fn a_child_of_vfork_within_fork_is_nobody_s_image() {
    expect_every_image("handlers that vfork", 21);
}

#[test]
fn clone3_makes_an_image() {
    expect_every_image("clone3", 21);
}

/// Runs the victim in a way that tells by its status whether all went well.
#[track_caller]
fn expect_unharmed(way: &str) {
    let program = Program::new(victim("forks_at_bad_moments")).arg(way);
    for mode in Mode::MEASURED {
        let outcome = program.clone().without_reports().run(mode);
        let outcome = outcome.expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}, {way}");
    }
}

/// What a frame below uses stays mapped in the child.
#[test]
fn a_handler_that_forks_returns_in_the_child() {
    expect_unharmed("in a handler");
}

/// The child waits neither for the dynamic linker's lock nor for a heap's.
#[test]
fn forks_while_other_threads_load_libraries_and_allocate() {
    expect_unharmed("busy");
}

#[test]
fn a_child_without_a_thread_area() {
    expect_unharmed("without a thread area");
}

/// Where the child can have no region, or its parent's cannot be set aside, both go on as they would.
#[test]
fn forks_with_little_memory() {
    expect_unharmed("little address space");
    expect_unharmed("little data");
}
