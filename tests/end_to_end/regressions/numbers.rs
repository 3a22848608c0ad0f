//! Numbers that cannot be known are reported as not known; all others are true.

use std::collections::BTreeMap;
use std::fs;

use weir_report::model::{EndKind, FileUse, InFlight, Process};

use crate::live_blocks;
use crate::support::recover::{recover, region_files};
use crate::support::{Mode, Outcome, Program, scratch, victim, weir};

/// The files of all processes, by kind and name. Names in `folder` are relative to it.
fn files_in(outcome: &Outcome, folder: &str) -> BTreeMap<(String, String), FileUse> {
    let mut files: BTreeMap<(String, String), FileUse> = BTreeMap::new();
    for process in outcome.processes() {
        for file in &process.files.listed {
            let name = file.name.strip_prefix(folder).unwrap_or(&file.name);
            let key = (file.kind.clone(), name.to_owned());
            files.entry(key).or_default().add(file);
        }
    }
    files
}

/// Descriptors that `syscall` makes and closes lead to the right files.
#[test]
fn descriptors_are_followed_through_bare_system_calls() {
    for mode in Mode::MEASURED {
        let folder = scratch();
        let root = fs::canonicalize(folder.path()).expect("a folder");
        let program = Program::new(victim("raw_descriptors")).in_folder(&root);
        let outcome = program.run(mode).expect_status(0);
        let files = files_in(&outcome, &format!("{}/", root.display()));
        let written = |kind: &str, name: &str| {
            let file = files.get(&(kind.to_owned(), name.to_owned()));
            file.map_or(0, |file| file.written_bytes)
        };
        for (name, bytes) in [
            ("one", 1),
            ("two", 2),
            ("three", 4),
            ("four", 8),
            ("five", 16 + 32),
            ("six", 64 + 128 + 256 + 512),
            ("sub/seven", 3),
        ] {
            assert_eq!(written("file", name), bytes, "{mode:?} {name}: {files:#?}");
        }
        assert_eq!(written("pipe", ""), 5, "{mode:?}");
        assert_eq!(written("socketpair", ""), 7, "{mode:?}");
        assert_eq!(written("eventfd", ""), 8, "{mode:?}");
        assert_eq!(written("memfd", "in memory"), 9, "{mode:?}");
    }
}

/// Checks that the report has the victim's own number of moved bytes for each function.
#[track_caller]
fn expect_lengths(way: &str) {
    let victim = Program::new(victim("lengths")).arg(way);
    let plain = victim.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = victim.run(mode).expect_status(0).expect_same(&plain);
        let functions = &outcome.process().functions;
        for account in outcome.text().lines() {
            let (name, bytes) = account.split_once(' ').expect("a name and a number");
            let moved = functions.get(name).map_or(0, |of| of.moved_bytes);
            assert_eq!(moved.to_string(), bytes, "{mode:?} {name}");
        }
    }
}

#[test]
fn a_line_is_as_long_as_it_is_whatever_is_in_it() {
    expect_lengths("lines");
}

#[test]
fn no_more_is_received_than_there_is_room_for() {
    expect_lengths("messages");
}

/// The program frees blocks that were allocated unseen. The heap would be negative, so it is not known.
#[test]
fn a_heap_below_zero_is_not_known() {
    let program = Program::new(victim("deep_bound")).arg(victim("deep_library"));
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        let process = outcome.process();
        assert!(process.heap.live_blocks < -900, "{:?}", process.heap);
        let reason = process.heap.not_known.as_deref().unwrap_or_default();
        assert!(reason.contains("less than zero"), "{mode:?}: {reason}");
        let report = &outcome.reports[0];
        assert_eq!(report.heap.not_known.as_deref(), Some(reason));
        assert_eq!((report.heap.live_bytes, report.heap.live_blocks), (0, 0));
        let notes = report.missed.notes.join("\n");
        assert!(notes.contains(reason), "{mode:?}: {notes}");
    }
}

/// Blocks that are freed unseen look live. The report names the library that frees them.
#[test]
fn what_frees_past_us_is_named() {
    for mode in Mode::MEASURED {
        for (how, is_named) in [("there", true), ("ordinary", false)] {
            let program = Program::new(victim("deep_bound"))
                .arg(victim("deep_library"))
                .arg(how);
            let outcome = program.run(mode).expect_status(0);
            let process = outcome.process();
            let is_it =
                |note: &String| note.contains("deep_library.so calls the C library's alloc");
            let notes = &process.missed.notes;
            assert_eq!(
                notes.iter().any(is_it),
                is_named,
                "{mode:?} {how} {notes:?}"
            );
            assert_eq!(
                process.heap.live_blocks > 900,
                is_named,
                "{:?}",
                process.heap
            );
        }
    }
}

/// Runs a program with an allocator of its own, in a library behind ours.
fn with_allocator(program: &Program, library: &str, mode: Mode) -> Outcome {
    let allocator = victim(library);
    let preload = match mode {
        Mode::Bare => format!("{}:{}", weir::library().display(), allocator.display()),
        _ => allocator.display().to_string(),
    };
    program.clone().env("LD_PRELOAD", preload).run(mode)
}

/// An allocator that does one call by others, which pass by our hooks, makes one block of it.
#[test]
fn a_call_that_is_made_of_others_counts_for_the_heap_once() {
    for stacks in ["off", "sampled", "sampled:1000", "all"] {
        let program = Program::new(victim("nests")).env("WEIR_STACKS", stacks);
        for mode in Mode::MEASURED {
            let outcome = with_allocator(&program, "nesting_library", mode).expect_status(0);
            let heap = &outcome.process().heap;
            assert_eq!(heap.not_known, None);
            let live = format!("{} blocks, {} bytes\n", heap.live_blocks, heap.live_bytes);
            assert_eq!(live, outcome.text(), "{mode:?} {stacks}");
            if stacks == "all" {
                let sums = live_blocks::live(outcome.process());
                assert_eq!(sums.live.cast_signed(), heap.live_blocks, "{mode:?}");
                assert_eq!(sums.live_bytes.cast_signed(), heap.live_bytes, "{mode:?}");
            }
        }
    }
}

/// A signal handler that jumps out of a call, wherever that was, leaves nothing behind that later calls would suffer from.
#[test]
fn calls_have_their_sites_after_jumps_out_of_handlers() {
    for (function, stacks) in [("malloc", "all"), ("write", "all"), ("write", "sampled")] {
        let program = Program::new(victim("jumps_from_handlers"))
            .arg(function)
            .env("WEIR_STACKS", stacks);
        for mode in Mode::MEASURED {
            let outcome = with_allocator(&program, "nesting_library", mode).expect_status(0);
            let stacks = outcome.process().stacks.as_ref().expect("stacks");
            let of = stacks.sites.iter().filter(|site| site.function == function);
            let with_stack = of.filter(|site| site.frame.is_some());
            let calls: u64 = with_stack.map(|site| site.calls).sum();
            assert!(calls >= 999_000, "{mode:?} {function}: {calls}");
        }
    }
}

/// The number of bytes of wide characters is not known. The report says so, but only if such functions were called.
#[test]
fn bytes_that_are_not_known_are_no_zero_without_a_word() {
    for (program, is_reported) in [("wide_calls", true), ("does_little", false)] {
        for mode in Mode::MEASURED {
            let outcome = Program::new(victim(program)).run(mode);
            let notes = &outcome.reports[0].missed.notes;
            let is_it = |note: &String| note.contains("moved bytes: not known");
            assert_eq!(
                notes.iter().any(is_it),
                is_reported,
                "{mode:?} {program} {notes:?}"
            );
        }
    }
}

/// valgrind's tools replace every malloc by their own.
#[test]
fn a_heap_that_another_took_over_is_not_known() {
    let valgrind = Program::new("/usr/bin/valgrind").args(["-q", "--tool=memcheck", "/bin/true"]);
    let outcome = valgrind.run(Mode::Run).expect_status(0);
    let mut processes = outcome.processes();
    let last = processes.pop().expect("the program under valgrind");
    assert_eq!(
        last.executable,
        fs::canonicalize("/bin/true")
            .expect("it is there")
            .to_string_lossy()
    );
    let reason = last.heap.not_known.as_deref().unwrap_or_default();
    assert!(reason.contains("valgrind"), "{reason}");
    assert!(last.missed.notes.iter().any(|note| note.contains(reason)));
    for other in processes {
        assert_eq!(other.heap.not_known, None, "{}", other.executable);
    }
}

/// A library in a namespace of its own calls that namespace's functions.
#[test]
fn another_namespace_is_reported() {
    for mode in Mode::MEASURED {
        for (arguments, is_reported) in [(&[][..], false), (&["dlmopen"], true)] {
            let program = Program::new(victim("own_namespace")).args(arguments);
            let outcome = program.run(mode).expect_status(0);
            let notes = &outcome.process().missed.notes;
            let told = notes.iter().any(|note| note.contains("(dlmopen)"));
            assert_eq!(told, is_reported, "{mode:?}: {notes:?}");
        }
    }
}

/// valgrind complains about system calls that it does not know. Those that we make are older than it.
#[test]
fn valgrind_knows_what_we_ask_of_the_kernel() {
    let valgrind = Program::new("/usr/bin/valgrind").args(["--tool=none", "-q", "/bin/true"]);
    for mode in Mode::MEASURED {
        let outcome = valgrind.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}");
    }
}

/// A program with its own malloc, and one whose heap is known.
#[test]
fn a_heap_that_was_never_ours_is_not_known() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("own_malloc")).run(mode);
        let reason = outcome
            .process()
            .heap
            .not_known
            .as_deref()
            .unwrap_or_default();
        assert!(reason.contains("own_malloc"), "{mode:?}: {reason}");
        let outcome = Program::new("/bin/true").run(mode).expect_status(0);
        assert_eq!(outcome.process().heap.not_known, None, "{mode:?}");
    }
}

/// For a child that was killed, or that ended by a bare system call, the parent knows how it ended.
#[test]
fn a_child_ended_as_its_parent_noted() {
    for coop in [false, true] {
        let mut program = Program::new(victim("killed_children"));
        if coop {
            program = program.env("WEIR_COOP", "on");
        }
        let outcome = program.run(Mode::Run).expect_status(0);
        let text = outcome.text();
        assert_eq!(text.lines().count(), 10);
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (pid, number) = (words[0].parse::<u32>(), words[2].parse::<i32>());
            let processes = outcome.processes();
            let process = processes.iter().find(|process| Ok(process.pid) == pid);
            let end = &process.expect("every child made a call").end;
            let (status, signal) = match words[1] {
                "signal" => (None, number.ok()),
                _ => (number.ok(), None),
            };
            assert_eq!(
                (end.status, end.signal),
                (status, signal),
                "{line}: {end:?}"
            );
        }
    }
}

/// Reads of mapped memory are not counted, but the mapping is.
#[test]
fn a_file_that_is_mapped_does_not_look_unread() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("mapped_file"))
            .run(mode)
            .expect_status(0);
        let mut listed = outcome.process().files.listed.iter();
        let file = listed.find(|file| file.name.ends_with("/mapped"));
        let file = file.expect("it was opened");
        assert_eq!(
            (file.mapped_bytes, file.read_bytes),
            (12288 + 4096, 0),
            "{mode:?}"
        );
    }
}

/// Checks that the calls in flight are those that the victim was in, each with its descriptor.
#[track_caller]
fn expect_in_flight(process: &Process, text: &str, folder: &str) {
    let mut expected: Vec<(u32, &str, Option<i32>)> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let fd = words[2].parse().expect("a descriptor");
            let tid = words[1].parse().expect("a thread id");
            (tid, words[0], (fd >= 0).then_some(fd))
        })
        .collect();
    assert_eq!(expected.len(), 6, "{text}");
    expected.sort_unstable();
    let calls = &process.in_flight;
    let mut found: Vec<_> = calls
        .iter()
        .map(|call| (call.tid, &*call.function, call.fd))
        .collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{calls:#?}");
    let of = |function: &str| {
        let call = calls.iter().find(|call| call.function == function);
        let InFlight { kind, file, .. } = call.expect("it is there");
        (kind.as_deref(), file.as_deref())
    };
    assert_eq!(of("read"), (Some("pipe"), None));
    assert_eq!(of("poll"), (None, None));
    let (kind, file) = of("accept");
    assert_eq!(kind, Some("unix"));
    assert!(
        file.is_some_and(|file| file.ends_with("listener")),
        "{file:?} in {folder}"
    );
}

/// The calls in which a program waited when it was killed or exited, and for how long.
#[test]
fn calls_in_flight_at_the_end_are_reported() {
    for coop in ["off", "on"] {
        for (way, mode) in [
            ("killed", Mode::Run),
            ("exits", Mode::Run),
            ("exits", Mode::Bare),
        ] {
            let folder = scratch();
            let program = Program::new(victim("waits_for_ever"))
                .arg(way)
                .env("WEIR_COOP", coop)
                .in_folder(folder.path());
            let outcome = program.run(mode);
            let processes = outcome.processes();
            let process = processes
                .iter()
                .find(|process| !process.forked)
                .expect("the program");
            let how = match way {
                "killed" => EndKind::Signaled,
                _ => EndKind::Exited,
            };
            assert_eq!(process.end.how, how, "{:?}", process.end);
            expect_in_flight(
                process,
                &outcome.text(),
                &folder.path().display().to_string(),
            );
            for call in &process.in_flight {
                let (at, age) = (call.at_ns.expect("a time"), call.age_ns.expect("an age"));
                assert!(age >= 390_000_000, "{way} {call:?}");
                assert_eq!(at + age, process.duration_ns);
            }
        }
    }
}

/// If only the region is left, the time of the program's end is not known: its calls have a beginning and no age.
#[test]
fn a_recovered_report_tells_calls_in_flight_without_an_age() {
    let folder = scratch();
    let program = Program::new(victim("waits_for_ever"))
        .arg("killed")
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .without_reports();
    let outcome = program.run(Mode::Bare);
    let reports = region_files(folder.path())
        .into_iter()
        .map(|region| recover(&region));
    let report = reports
        .into_iter()
        .find(|report| !report.processes[0].forked)
        .expect("the region stays");
    let process = &report.processes[0];
    expect_in_flight(process, &outcome.text(), "");
    for call in &process.in_flight {
        assert_eq!(call.age_ns, None);
        assert!(call.at_ns.is_some_and(|at_ns| at_ns <= process.duration_ns));
    }
}

/// A program that does not wait has no call in flight.
#[test]
fn a_call_that_returned_is_not_in_flight() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("file_calls")).run(mode);
        assert_eq!(outcome.process().in_flight, [], "{mode:?}");
    }
}
