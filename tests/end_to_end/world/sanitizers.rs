//! Programs that are built with a sanitizer. They run as without Weir, or Weir refuses them in one line before
//! anything runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::World;
use crate::support::{Mode, Outcome, Program, finish, scratch, succeed, victim, weir};

const SOURCE: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *thread(void *block) { memset(block, 'x', 100); return block; }
int main(void) {
    pthread_t other;
    char *block = malloc(100);
    pthread_create(&other, NULL, thread, block);
    pthread_join(other, NULL);
    FILE *file = fopen("file", "w");
    fwrite(block, 1, 100, file);
    fclose(file);
    free(block);
    puts("fine");
    return 0;
}
"#;

/// If addresses are random, something else may be at the place of a thread's shadow memory.
fn without_random_addresses() -> std::io::Result<()> {
    // SAFETY: a number. If it cannot be set, many cases work all the same.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    Ok(())
}

fn compile(folder: &Path, flags: &[&str]) {
    let source = folder.join("p.c");
    std::fs::write(&source, SOURCE).expect("a file");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-pthread", "-o"])
        .arg(folder.join("p"))
        .arg(&source)
        .args(flags);
    succeed(&mut gcc, b"");
}

#[track_caller]
fn expect_unharmed_or_refused(flags: &'static [&'static str]) {
    let folder = scratch();
    compile(folder.path(), flags);
    let path = folder.path().join("p");
    let mut doctor = Command::new(weir::command());
    doctor.arg("doctor").arg(&path);
    doctor.env("ASAN_OPTIONS", "verify_asan_link_order=0");
    let (answer, _, said) = finish(&mut doctor, b"");
    if answer.success() {
        let program = Program::new("./p")
            .env("ASAN_OPTIONS", "verify_asan_link_order=0")
            .before_exec(without_random_addresses);
        return World::new(program)
            .prepared(|folder| compile(folder, flags))
            .expect_same(|_| ());
    }
    let said = String::from_utf8_lossy(&said).to_lowercase();
    assert!(
        said.contains("saniti"),
        "{flags:?}: weir doctor says why: {said}"
    );
    let run = Program::new(&path).env("ASAN_OPTIONS", "verify_asan_link_order=0");
    let mut run = run.command(Mode::Run, &folder.path().join("report.json"));
    let (status, stdout, stderr) = finish(run.current_dir(&folder), b"");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "{flags:?}: weir run refuses it, too");
    assert_eq!(
        (stdout.len(), stderr.lines().count()),
        (0, 1),
        "{flags:?}: {stderr}"
    );
    assert!(
        !folder.path().join("file").exists(),
        "{flags:?}: it has run"
    );
}

/// AddressSanitizer ends a program that loads another library before it, unless the option that its manual names is
/// set.
#[test]
fn address_that_insists_on_being_first() {
    let folder = scratch();
    compile(folder.path(), &["-fsanitize=address"]);
    let path = folder.path().join("p");
    let mut doctor = Command::new(weir::command());
    doctor.arg("doctor").arg(&path).env_remove("ASAN_OPTIONS");
    let (status, _, said) = finish(&mut doctor, b"");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(status.code(), Some(126));
    assert!(said.contains("verify_asan_link_order=0"), "{said}");
    let run = Program::new(&path);
    let mut run = run.command(Mode::Run, &folder.path().join("report.json"));
    run.current_dir(&folder).env_remove("ASAN_OPTIONS");
    let (status, stdout, stderr) = finish(&mut run, b"");
    assert_eq!((status.code(), stdout.len()), (Some(126), 0));
    assert_eq!(String::from_utf8_lossy(&stderr), said);
}

#[test]
fn address() {
    expect_unharmed_or_refused(&["-fsanitize=address"]);
    expect_unharmed_or_refused(&["-fsanitize=address", "-static-libasan"]);
}

#[test]
fn thread() {
    expect_unharmed_or_refused(&["-fsanitize=thread"]);
    expect_unharmed_or_refused(&["-fsanitize=thread", "-static-libtsan"]);
}

#[test]
fn leak() {
    // A program that gcc 12 makes with -static-liblsan does not run, with or without Weir.
    expect_unharmed_or_refused(&["-fsanitize=leak"]);
}

#[test]
fn undefined() {
    expect_unharmed_or_refused(&["-fsanitize=undefined"]);
    expect_unharmed_or_refused(&["-fsanitize=undefined", "-static-libubsan"]);
}

/// The settings by which calls take different ways through the library.
const WAYS: [&[(&str, &str)]; 3] = [
    &[],
    &[("WEIR_STACKS", "off")],
    &[("WEIR_STACKS", "all"), ("WEIR_TIME", "all")],
];

fn in_way(program: Program, way: &[(&str, &str)]) -> Program {
    let set = |program: Program, (name, value): &(&str, &str)| program.env(name, value);
    way.iter().fold(program, set)
}

/// A victim that ends with a report of its sanitizer, with these options for reports.
fn reporting(name: &str, options: &str) -> Program {
    // A leak ends the program by a way of the sanitizer's own, which leaves a region in place of a report.
    let program = Program::new(victim(name)).without_reports();
    program
        .before_exec(without_random_addresses)
        .env("ASAN_OPTIONS", "verify_asan_link_order=0")
        .env("LSAN_OPTIONS", options)
        .env("TSAN_OPTIONS", options)
}

/// The stacks of a sanitizer's report: of each, the functions of the victim, from the innermost.
fn stacks(outcome: &Outcome, source: &str) -> BTreeSet<Vec<String>> {
    let mut stacks = BTreeSet::new();
    let mut stack = Vec::new();
    for line in outcome.complaints().lines().chain([""]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words
            .first()
            .is_none_or(|word| !word.starts_with('#') || *word == "#0")
        {
            stacks.insert(std::mem::take(&mut stack));
        }
        if words.iter().any(|word| word.contains(source)) {
            let function = words.iter().find(|word| {
                word.starts_with(|first: char| first.is_ascii_lowercase()) && **word != "in"
            });
            stack.push(function.expect("a frame has a function").to_string());
        }
    }
    stacks.remove(&Vec::new());
    stacks
}

#[track_caller]
fn expect_stacks(name: &str, source: &str, innermost: &[&str]) {
    let program = reporting(name, "");
    let plain = program.plain();
    let expected = stacks(&plain, source);
    for function in innermost {
        let is_there = expected.iter().any(|stack| stack[0] == *function);
        assert!(is_there, "{function}: {}", plain.complaints());
    }
    for mode in Mode::MEASURED {
        for way in WAYS {
            let program = in_way(reporting(name, ""), way);
            let outcome = program.run(mode);
            assert_eq!(outcome.status, plain.status, "{mode:?}, {way:?}");
            let found = stacks(&outcome, source);
            assert_eq!(
                found,
                expected,
                "{mode:?}, {way:?}: {}",
                outcome.complaints()
            );
        }
    }
}

/// What a suppression names is found in the stacks, so the program ends as without Weir.
#[track_caller]
fn expect_suppressed(name: &str, lines: &str) {
    let folder = scratch();
    let list = folder.path().join("list");
    std::fs::write(&list, lines).expect("a file");
    let program = reporting(name, &format!("suppressions={}", list.display()));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode);
        assert_eq!(
            outcome.status,
            plain.status,
            "{mode:?}: {}",
            outcome.complaints()
        );
    }
}

/// The functions of the victim that call an allocating function themselves, and keep a frame pointer.
const LEAKING: [&str; 7] = [
    "leaks_malloc",
    "leaks_calloc",
    "leaks_realloc",
    "leaks_reallocarray",
    "leaks_memalign",
    "leaks_aligned_alloc",
    "leaks_valloc",
];

#[test]
fn stacks_of_leaks() {
    let all = LEAKING
        .map(|function| format!("leak:^{function}$\n"))
        .concat()
        + "leak:^by_posix_memalign_of$\nleak:getdelim\nleak:strdup\n";
    for name in ["leaks_by_name", "leaks_by_name_of_address"] {
        expect_stacks(name, "leaks_by_name.c", &LEAKING);
        expect_suppressed(name, &all);
    }
}

#[test]
fn stacks_of_races() {
    let innermost = ["reads", "makes", "writer"];
    expect_stacks("race_in_read", "race_in_read.c", &innermost);
    expect_suppressed("race_in_read", "race:^reads$\n");
}

/// A sanitizer's functions of other names are not used in place of one that it has.
#[test]
fn a_product_that_is_too_large() {
    let program = reporting("product_too_large", "");
    let plain = program.plain();
    let reports = |outcome: &Outcome| outcome.complaints().contains("reallocarray-overflow");
    assert!(reports(&plain), "{}", plain.complaints());
    for mode in Mode::MEASURED {
        let outcome = program.run(mode);
        assert!(reports(&outcome), "{mode:?}: {}", outcome.complaints());
        assert_eq!(outcome.status, plain.status, "{mode:?}");
    }
}

/// What the dynamic linker allocates is known by who called the allocator.
#[test]
fn what_the_linker_keeps_is_no_leak() {
    for name in ["linker_allocates", "linker_allocates_with_address"] {
        for case in ["0", "1", "2", "3"] {
            let program = reporting(name, "").arg(case);
            let plain = program.plain().expect_status(0);
            for mode in Mode::MEASURED {
                for way in WAYS {
                    let outcome = in_way(program.clone(), way).run(mode);
                    assert_eq!(
                        outcome.complaints(),
                        plain.complaints(),
                        "{name} {case}, {mode:?}"
                    );
                    outcome.expect_same(&plain);
                }
            }
        }
    }
}

/// ThreadSanitizer knows code that is not compiled with it by the address that its functions return to.
#[test]
fn races_with_code_that_is_not_compiled_for_it() {
    let (name, source) = ("not_sanitized", "not_sanitized_library.c");
    expect_stacks(
        name,
        source,
        &["makes_elsewhere", "reads_elsewhere", "reads_and_adds"],
    );
    let by_function = "race:^reads_elsewhere$\nrace:^reads_and_adds$\n";
    for lines in [by_function, "race:not_sanitized_library"] {
        expect_suppressed(name, lines);
    }
    expect_suppressed(name, "called_from_lib:not_sanitized_library.so");
}

/// Such a call can be left by a cancellation: what is unwound there has its registers.
#[test]
fn a_cancellation_unwinds_calls_of_code_that_is_not_compiled_for_it() {
    let program = reporting("not_sanitized", "").arg("cancel");
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "1 12345 12345\n".repeat(3));
    for mode in Mode::MEASURED {
        for way in WAYS {
            in_way(program.clone(), way).run(mode).expect_same(&plain);
        }
    }
}
