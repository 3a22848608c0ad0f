//! Every way to make a process, at the worst moments: no child hangs, and none is counted twice.
//!
//! `WEIR_FORK_STORM=100000` makes that many children of each kind, one kind after the other, and prints how long that
//! took. `WEIR_FORK_STORM='100000 vfork clone3'` makes only these kinds. Without it, a few of all kinds are made
//! together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weir_report::model::{Function, Process};

use crate::support::{Account, Mode, Program, victim, weir};

/// Runs the victim in a way in which every image prints its account, and compares all accounts.
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

/// What handlers of fork do in the child counts as the child's, even for handlers that were registered before Weir's.
#[test]
fn handlers_of_fork_count_where_they_run() {
    expect_every_image("handlers", 21);
}

/// A child that shares its parent's memory during a fork is not the forked child.
#[test]
fn a_child_of_vfork_within_fork_is_nobody_s_image() {
    expect_every_image("handlers that vfork", 21);
}

#[test]
fn clone3_makes_an_image() {
    expect_every_image("clone3", 21);
}

/// The calls of a signal handler inside an allocator are the program's own, and those of its children are the
/// children's. That also holds if one function of the heap calls another.
#[test]
fn a_handler_makes_children_in_the_middle_of_reallocarray() {
    let beside = victim("signalling_library");
    let program = Program::new(victim("forks_at_bad_moments")).arg("in reallocarray");
    for mode in Mode::MEASURED {
        let preload = match mode {
            Mode::Bare => format!("{}:{}", weir::library().display(), beside.display()),
            _ => beside.display().to_string(),
        };
        let outcome = program.clone().env("LD_PRELOAD", preload).run(mode);
        let outcome = outcome.expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}");
        assert_eq!(Account::expect_all_in(&outcome), 16, "{mode:?}");
        assert_eq!(outcome.processes().len(), 16, "{mode:?}");
    }
}

/// Runs the victim in a way whose exit status says whether all went well.
#[track_caller]
fn expect_unharmed(way: &str) {
    let program = Program::new(victim("forks_at_bad_moments")).arg(way);
    for mode in Mode::MEASURED {
        let outcome = program.clone().without_reports().run(mode);
        let outcome = outcome.expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}, {way}");
    }
}

/// Memory that a frame below uses stays mapped in the child.
#[test]
fn a_handler_that_forks_returns_in_the_child() {
    expect_unharmed("in a handler");
}

/// What was read of the parent's table of files is not used for the child's.
#[test]
fn a_handler_forks_as_files_come() {
    expect_unharmed("in a handler, as files come");
}

/// The child waits neither for the dynamic linker's lock nor for a heap's lock.
#[test]
fn forks_while_other_threads_load_libraries_and_allocate() {
    expect_unharmed("busy");
}

#[test]
fn a_child_without_a_thread_area() {
    expect_unharmed("without a thread area");
}

/// If the child cannot have a region, or its parent's cannot be set aside, both continue as without Weir.
#[test]
fn forks_with_little_memory() {
    expect_unharmed("little address space");
    expect_unharmed("little data");
}

/// The ways that `fork_storm` supports.
const KINDS: [&str; 12] = [
    "fork",
    "_Fork",
    "vfork",
    "vfork_exec",
    "posix_spawn",
    "clone",
    "clone_settls",
    "clone_vfork",
    "clone_vfork_settls",
    "clone3",
    "syscall_fork",
    "inline_fork",
];

/// Without `weir run`, each image writes a report. No more than this many exist at the same time.
const MOST_AT_ONCE: u64 = 10_000;

/// Makes `forks` children of a kind, out of 40 busy threads. No child hangs, and the reports contain each call once.
#[track_caller]
fn storm(kind: &str, forks: u64, mode: Mode) {
    // A file system in memory. On a disk where as many files were removed before, making a file takes longer than the
    // process that it describes.
    let folder = TempDir::with_prefix_in("weir-test-", "/dev/shm").expect("a folder");
    let program = Program::new(victim("fork_storm"))
        .in_folder(folder.path())
        .args([kind, &forks.to_string(), "40", "8"])
        .patience(Duration::from_secs(60) + Duration::from_millis(20) * forks as u32);
    let outcome = program.run(mode).expect_status(0);
    assert_eq!(outcome.complaints(), "", "{mode:?}, {kind}");
    let text = outcome.text();
    let told: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, number)| (name, number.parse().expect("a number")))
        .collect();
    let mut reported: BTreeMap<&str, u64> = told.keys().map(|name| (*name, 0)).collect();
    let processes = outcome.reports.iter().flat_map(|report| &report.processes);
    reported.insert("images", processes.map(Process::stands_for).sum());
    for (name, function) in outcome.reports.iter().flat_map(|report| &report.functions) {
        if let Some(calls) = reported.get_mut(name.as_str()) {
            *calls += function.calls;
        }
    }
    assert_eq!(reported, told, "{mode:?}, {kind}");
}

/// All kinds together, or each kind by itself.
fn storms(mode: Mode) {
    let Ok(wanted) = std::env::var("WEIR_FORK_STORM") else {
        return storm("all", 40 * KINDS.len() as u64, mode);
    };
    let mut words = wanted.split(' ');
    let number = words.next().map(str::parse);
    let forks: u64 = number
        .and_then(Result::ok)
        .expect("WEIR_FORK_STORM begins with a number");
    let kinds: Vec<&str> = words.collect();
    for kind in KINDS
        .into_iter()
        .filter(|kind| kinds.is_empty() || kinds.contains(kind))
    {
        let start = Instant::now();
        let at_once = if mode == Mode::Bare {
            MOST_AT_ONCE
        } else {
            forks
        };
        let mut left = forks;
        while left > 0 {
            storm(kind, left.min(at_once), mode);
            left -= left.min(at_once);
        }
        println!("{mode:?}: {forks} by {kind}: {:.1?}", start.elapsed());
    }
}

#[test]
fn a_storm_of_forks_under_the_bare_library() {
    storms(Mode::Bare);
}

#[test]
fn a_storm_of_forks_under_weir_run() {
    storms(Mode::Run);
}

/// Such a thread counts in its maker's slot, and each overwrites what the other adds at the same time. The report
/// says so.
#[test]
fn a_thread_with_its_maker_s_thread_area() {
    let program = Program::new(victim("clone_shared_area"));
    let plain = program.plain().expect_status(5);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let notes = outcome.processes()[0].missed.notes.join("\n");
        assert!(
            notes.contains("without thread-local storage of their own"),
            "{notes}"
        );
    }
}

/// Such threads have one place for what a thread remembers of its stacks: they must not both be in it.
#[test]
fn threads_with_their_maker_s_thread_area_take_no_stacks() {
    let program = Program::new(victim("clone_shared_area_io"));
    for stacks in ["sampled", "all"] {
        for mode in Mode::MEASURED {
            for _ in 0..4 {
                let program = program.clone().env("WEIR_STACKS", stacks);
                let outcome = program.run(mode).expect_status(5);
                let stacks = outcome.process().stacks.as_ref().expect("stacks");
                assert!(stacks.ended.contains_key("no_memory"), "{mode:?}");
            }
        }
    }
}

/// A handler forks in the middle of a call and returns in the child, which ends the call. It is counted in the parent and nowhere in
/// the child: not by its size, its failure, its file, its bytes or its site.
#[test]
fn a_call_that_goes_on_in_a_child_is_not_the_child_s() {
    let beside = victim("forking_library");
    for mode in Mode::MEASURED {
        let preload = match mode {
            Mode::Bare => format!("{}:{}", weir::library().display(), beside.display()),
            _ => beside.display().to_string(),
        };
        let settings = [
            ("WEIR_STACKS", "off"),
            ("WEIR_STACKS", "all"),
            ("WEIR_STACKS", "sampled:1"),
            ("WEIR_COOP", "on"),
        ];
        for (name, value) in settings {
            let program = Program::new(victim("goes_on_in_a_child")).env("LD_PRELOAD", &preload);
            let outcome = program.env(name, value).run(mode).expect_status(0);
            let context = format!("{mode:?}, {name}={value}");
            assert_eq!(outcome.complaints(), "", "{context}");
            let children: Vec<_> = outcome
                .processes()
                .into_iter()
                .filter(|process| process.forked)
                .collect();
            assert_eq!(format!("{}\n", children.len()), outcome.text(), "{context}");
            assert!(children.len() > 30);
            // In the order in which they were made: process ids may begin anew.
            let mut by_start = children.clone();
            by_start.sort_by_key(|child| child.started_unix_ns);
            expect_the_blocks_of_their_calls(&by_start, &context);
            for child in children {
                expect_only_its_own(child, &context);
            }
        }
    }
}

/// What is live in the children: malloc of 5000 bytes, realloc of it to 9000, free of it, calloc of 2100 and memalign of 3000, each with
/// the signal before and after what it does. The sixth of each is in no call of the heap, and nothing of these is live.
#[track_caller]
fn expect_the_blocks_of_their_calls(children: &[&Process], context: &str) {
    let of_each = (children.len() - 5) / 2;
    for first in [0, of_each] {
        let heap = |index: usize| &children[first + index].heap;
        for (index, bytes) in [5000, 9000, 0, 2100, 3000].into_iter().enumerate() {
            let is_live = i64::from(bytes > 0);
            let (own, none) = (heap(index), heap(5));
            let context = format!("{context}: child {}", first + index);
            assert_eq!(own.live_blocks - none.live_blocks, is_live, "{context}");
            let more = own.live_bytes - none.live_bytes - bytes;
            // What malloc_usable_size says beyond what was asked for.
            assert!(
                (0..=64 * is_live).contains(&more),
                "{context}: {bytes} and {more}"
            );
            let inherited = (own.inherited_bytes, own.inherited_blocks);
            assert_eq!((own.live_bytes, own.live_blocks), inherited, "{context}");
        }
    }
}

/// The first call in a forked child's memory may be that of a child of vfork: the image is the forked child's all the same, by its
/// process id, its end, and its calls.
#[test]
fn a_child_of_vfork_calls_first() {
    let beside = victim("forking_library");
    for mode in Mode::MEASURED {
        let preload = match mode {
            Mode::Bare => format!("{}:{}", weir::library().display(), beside.display()),
            _ => beside.display().to_string(),
        };
        let program = Program::new(victim("vforks_in_a_child")).env("LD_PRELOAD", preload);
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}");
        let mut expected: Vec<u32> = outcome
            .text()
            .lines()
            .map(|line| line.parse().expect("a process id"))
            .collect();
        let processes = outcome.processes();
        let parent = processes.iter().find(|process| !process.forked);
        let parent = parent.expect("an image that was executed").pid;
        let mut found = Vec::new();
        for child in processes.into_iter().filter(|process| process.forked) {
            found.push(child.pid);
            assert_eq!(child.parent_pid, parent, "{mode:?}");
            assert_eq!(child.end.status, Some(42), "{mode:?}");
            let calls = |(name, function): (&String, &Function)| (name.clone(), function.calls);
            let counted: BTreeMap<_, _> = child.functions.iter().map(calls).collect();
            let own = ["lseek", "waitpid", "access", "_exit"].map(|name| (name.to_owned(), 1));
            assert_eq!(counted, BTreeMap::from(own), "{mode:?}");
        }
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{mode:?}");
    }
}

/// The report of a child that has written three bytes with `pwritev`, called `_exit`, and done nothing else.
#[track_caller]
fn expect_only_its_own(child: &Process, context: &str) {
    let own = BTreeMap::from([("_exit", (1, 0, 0, 0)), ("pwritev", (1, 3, 3, 1))]);
    let mut counted = BTreeMap::new();
    for (name, function) in &child.functions {
        assert_eq!(function.errors, 0, "{context}: {name}");
        let sizes = function.size_classes.iter().map(|class| class.calls);
        let numbers = (
            function.calls,
            function.requested_bytes,
            function.moved_bytes,
            sizes.sum(),
        );
        if numbers != (0, 0, 0, 0) {
            counted.insert(name.as_str(), numbers);
        }
    }
    assert_eq!(counted, own, "{context}");
    let mut calls = 0;
    for file in child.files.listed.iter().chain([&child.files.others]) {
        assert_eq!((file.errors, file.read_bytes), (0, 0), "{context}");
        calls += file.reads + file.writes + file.other_calls;
    }
    assert_eq!(calls, 1, "{context}: {:?}", child.files);
    let heap = &child.heap;
    assert_eq!(heap.not_known, None, "{context}");
    assert_eq!(heap.live_bytes, heap.inherited_bytes, "{context}");
    assert_eq!(heap.live_blocks, heap.inherited_blocks, "{context}");
    for site in child.stacks.iter().flat_map(|stacks| &stacks.sites) {
        let is_own = own.contains_key(site.function.as_str());
        assert!(is_own && site.calls == 1, "{context}: {site:?}");
    }
}
