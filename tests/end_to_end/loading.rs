//! Code that is loaded before us, after us, or for a limited time.

use crate::support::witness::expect_exact;
use crate::support::{Account, Mode, Program, victim};

/// Calls before main, before any constructor, and in the constructor of a library.
#[test]
fn calls_before_our_constructor() {
    expect_exact("early");
}

/// Calls in atexit handlers, and in destructors after them.
#[test]
fn calls_after_main() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("last_words"))
            .run(mode)
            .expect_status(4);
        assert_eq!(outcome.complaints(), "");
        Account::of(&outcome.text()).expect_in(outcome.process());
    }
}

#[test]
fn libraries_come_and_go() {
    for deep in [false, true] {
        let mut program = Program::new(victim("loads_plugins")).arg(victim("plugin"));
        if deep {
            program = program.arg("deep");
        }
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_status(0);
            assert_eq!(outcome.complaints(), "");
            assert!(outcome.text().starts_with("fifty times\n"));
            // The dynamic linker allocates for itself, but calls neither of these.
            let account = Account::of(&outcome.text());
            let process = outcome.process();
            for name in ["aligned_alloc", "pwrite"] {
                let calls = process
                    .functions
                    .get(name)
                    .map_or(0, |function| function.calls);
                assert_eq!(calls, account.count(name), "{name}, deep: {deep}");
            }
        }
    }
}

/// The report names the object behind us: the next one in the dynamic linker's order, which is not always the C
/// library.
#[test]
fn the_next_in_line_is_named() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("ways_to_exit")).arg("return").run(mode);
        let next = |name: &str| {
            let provenance = outcome.process().provenance_of(name);
            provenance.unwrap().next.clone().unwrap_or_default()
        };
        assert!(
            next("malloc").ends_with("/counting.so"),
            "{}",
            next("malloc")
        );
        assert!(next("read").ends_with("/libc.so.6"), "{}", next("read"));
        let malloc = outcome.process().provenance_of("malloc");
        assert!(malloc.unwrap().interposed);
    }
}

/// The report says that a program has an allocator of its own; the rest of its calls are counted.
#[test]
fn an_allocator_in_the_program_is_admitted() {
    let program = Program::new(victim("own_malloc"));
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "own\nused\n");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let process = outcome.process();
        let own = ["calloc", "free", "malloc", "realloc"];
        assert_eq!(process.missed.not_interposed, own, "{mode:?}");
        for name in own {
            let provenance = process.provenance_of(name).unwrap();
            assert!(!provenance.interposed);
            let bound = provenance.bound.clone().unwrap_or_default();
            assert!(bound.ends_with("/own_malloc"), "{name}: {bound}");
            assert_eq!(
                process
                    .functions
                    .get(name)
                    .map_or(0, |function| function.calls),
                0
            );
        }
        assert_eq!(process.functions["write"].calls, 1);
    }
}

/// The first call may come from a function of the C library that holds a lock. Nothing in the start of the image may
/// take that lock.
#[test]
fn a_first_call_with_a_lock_held() {
    for from in ["newlocale", "atexit", "at_quick_exit", "pthread_atfork"] {
        let program = Program::new(victim("first_call")).arg(from);
        let plain = program.plain().expect_status(5);
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_same(&plain);
            let image = outcome.processes().into_iter().find(|image| !image.forked);
            let image = image.expect("the program's image");
            assert_eq!(image.functions["fork"].calls, 1, "{from}, {mode:?}");
        }
    }
}

/// If an allocator has no function for the size of its blocks, nothing asks for the size. The C library's function
/// would read memory that is not its own.
#[test]
fn an_allocator_that_does_not_tell_sizes() {
    let program = Program::new(victim("bare_malloc"));
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "block\n");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let process = outcome.process();
        assert!(process.functions["realloc"].calls >= 1000);
        let heap = (process.heap.live_bytes, process.heap.peak_bytes);
        assert_eq!(heap, (0, 0), "{mode:?}");
        let told = |note: &String| note.contains("malloc_usable_size");
        assert!(process.missed.notes.iter().any(told), "{mode:?}");
    }
}

/// A sanitizer's functions look for their callers by frame pointers, which the hooks do not have.
#[test]
fn an_allocator_that_looks_for_its_callers() {
    let program = Program::new(victim("calls_sanitizing"));
    let plain = program.plain().expect_status(0);
    assert_eq!(
        plain.text().matches(": found").count(),
        15,
        "{}",
        plain.text()
    );
    let ways: [&[_]; 3] = [
        &[],
        &[("WEIR_STACKS", "off")],
        &[("WEIR_STACKS", "all"), ("WEIR_TIME", "all")],
    ];
    for mode in Mode::MEASURED {
        for way in ways {
            let program = Program::new(victim("calls_sanitizing"));
            let set = |program: Program, (name, value): &(&str, &str)| program.env(name, value);
            let program = way.iter().fold(program, set);
            program.run(mode).expect_same(&plain);
        }
    }
}

/// Weir's hooks for variable arguments call the functions that take a `va_list`. Another library may have only the former.
#[test]
fn another_library_s_functions_with_variable_arguments() {
    let program = Program::new(victim("prints_by_library"));
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text().matches("own ").count(), 17, "{}", plain.text());
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let functions = &outcome.process().functions;
        let calls = ["printf", "fprintf", "dprintf", "__isoc99_fscanf", "execl"]
            .map(|name| functions[name].calls);
        assert_eq!(calls, [9, 3, 4, 3, 1], "{mode:?}");
    }
}
