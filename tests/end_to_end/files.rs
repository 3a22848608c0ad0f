//! What was done to each file, by name.

use std::collections::BTreeMap;
use std::fs;

use weir_report::model::{FileUse, Files, KindUse};

use crate::support::{Mode, Outcome, Program, scratch, victim};

/// Runs the victim in one way, in a folder of its own. Passes its processes' files to `check`, with names relative to
/// that folder.
#[track_caller]
fn in_way(way: &str, check: impl Fn(&Outcome, &BTreeMap<String, FileUse>)) {
    for mode in Mode::MEASURED {
        let folder = scratch();
        let root = fs::canonicalize(folder.path()).expect("a folder");
        let program = Program::new(victim("file_names")).arg(way).in_folder(&root);
        let outcome = program.run(mode).expect_status(0);
        let root = format!("{}/", root.display());
        let mut files: BTreeMap<String, FileUse> = BTreeMap::new();
        for process in outcome.processes() {
            expect_kinds(&process.files);
            for file in &process.files.listed {
                let name = file.name.strip_prefix(&root).unwrap_or(&file.name);
                files.entry(name.to_owned()).or_default().add(file);
            }
        }
        check(&outcome, &files);
    }
}

/// The sums by kind are those of the files that are listed, and of the others. Of these the kinds are not known.
#[track_caller]
fn expect_kinds(files: &Files) {
    let mut sums: BTreeMap<String, KindUse> = BTreeMap::new();
    for file in files.listed.iter().chain([&files.others]) {
        if file.calls() != 0 {
            sums.entry(file.kind.clone()).or_default().add_file(file);
        }
    }
    let all = |kinds: &BTreeMap<String, KindUse>| {
        let mut all = KindUse::default();
        kinds.values().for_each(|kind| all.add(kind));
        all
    };
    assert_eq!(all(&files.kinds), all(&sums));
    if files.folded == 0 {
        assert_eq!(files.kinds, sums);
    }
}

/// The number of opens, of writes, and of bytes written.
fn written(files: &BTreeMap<String, FileUse>, name: &str) -> (u64, u64, u64) {
    let file = files
        .get(name)
        .unwrap_or_else(|| panic!("{name} is not among {:?}", files.keys()));
    (file.opens, file.writes, file.written_bytes)
}

#[test]
fn copies_of_a_descriptor_lead_to_the_same_file() {
    in_way("duplicated", |_, files| {
        assert_eq!(written(files, "shared"), (1, 6, 63));
        assert_eq!(written(files, "other"), (1, 1, 64));
    });
}

#[test]
fn a_file_keeps_the_name_that_it_was_opened_by() {
    in_way("renamed", |_, files| {
        assert_eq!(written(files, "before"), (1, 2, 3));
        assert_eq!(written(files, "gone"), (1, 1, 4));
        assert!(!files.contains_key("after"));
    });
}

/// A descriptor that the child closes stays open in its parent, whose memory the child uses.
#[test]
fn a_child_of_vfork_has_descriptors_of_its_own() {
    in_way("vforked", |outcome, files| {
        assert_eq!(written(files, "kept"), (1, 2, 3));
        assert_eq!(written(files, "other"), (1, 2, 20));
        assert_eq!(written(files, "third"), (1, 2, 40));
        assert_eq!(written(files, "sub/the child's"), (1, 0, 0));
        assert_eq!(written(files, "third again"), (1, 1, 64));
        assert!(!files.keys().any(|name| name.ends_with("renamed")));
        let processes = outcome.processes();
        let vforks = processes
            .iter()
            .filter_map(|process| process.functions.get("vfork"));
        assert_eq!(vforks.map(|vfork| vfork.calls).sum::<u64>(), 2);
    });
}

/// A child of clone in its parent's memory; files without a name, or without a directory; a number that stdio has
/// closed; terminals that forkpty and login_tty put in the place of files.
#[test]
fn numbers_that_become_another_s() {
    in_way("cloned", |outcome, files| {
        assert_eq!(written(files, "kept"), (1, 2, 3));
        assert_eq!(written(files, "the child's"), (1, 0, 0));
        let processes = outcome.processes();
        let written_to = |kind: &str| {
            let all = processes.iter().flat_map(|process| &process.files.listed);
            let of_kind = all.filter(|file| file.kind == kind);
            let mut bytes: Vec<u64> = of_kind.map(|file| file.written_bytes).collect();
            // Files are listed in the order of their time, which differs from run to run.
            bytes.sort();
            bytes
        };
        assert_eq!(written_to("memfd"), [8, 16]);
        assert_eq!(written(files, "standard output before"), (1, 1, 3));
        assert_eq!(written_to("terminal").iter().sum::<u64>(), 5 + 7);
        assert_eq!(written_to("pipe").iter().sum::<u64>(), 0);
        assert_eq!(written_to("directory").iter().sum::<u64>(), 0);
    });
}

#[test]
fn a_forked_child_writes_to_the_same_name() {
    in_way("forked", |outcome, files| {
        assert_eq!(written(files, "inherited"), (1, 4, 15));
        let processes = outcome.processes();
        let bytes: Vec<u64> = processes
            .iter()
            .flat_map(|process| &process.files.listed)
            .filter(|file| file.name.ends_with("/inherited"))
            .map(|file| file.written_bytes)
            .collect();
        assert_eq!(bytes, [9, 6], "the parent and the child");
    });
}

#[test]
fn names_are_absolute() {
    in_way("relative", |_, files| {
        assert_eq!(written(files, "sub/by descriptor"), (1, 1, 1));
        assert_eq!(written(files, "sub/by chdir"), (1, 1, 2));
        assert_eq!(written(files, "sub/by dot"), (1, 1, 4));
        assert_eq!(written(files, "back"), (1, 1, 8));
        assert_eq!(written(files, "stream"), (1, 1, 16));
    });
}

/// A thread may have a working directory of its own.
#[test]
fn paths_are_relative_to_the_thread_s_directory() {
    in_way("parted", |_, files| {
        assert_eq!(written(files, "sub/inside"), (3, 3, 3));
        assert_eq!(written(files, "outside"), (4, 4, 8));
    });
}

/// A directory is recognised by the flags with which it was opened, or by later calls on it. Weir makes no call to
/// find out.
#[test]
fn directories_are_distinguished_from_files() {
    in_way("directories", |outcome, files| {
        let kind = |name: &str| {
            let listed = &outcome.process().files.listed;
            let named = listed
                .iter()
                .filter(|file| file.name.ends_with(&format!("/{name}")));
            let kinds: Vec<&str> = named.map(|file| &*file.kind).collect();
            kinds.join(" and ")
        };
        for name in ["asked", "started from", "read", "entered", "opened"] {
            assert_eq!(kind(name), "directory", "{name}");
        }
        assert_eq!(kind("started from/file"), "file");
        assert_eq!(kind("unknown"), "file", "nothing shows it");
        assert_eq!(files["opened"].opens, 2, "one entry of both kinds");
    });
}

#[test]
fn more_names_than_the_table_has_room_for() {
    const NAMES: u64 = 20_000;
    in_way("many", |outcome, _| {
        let sum = |files: &Files| {
            let mut sum = files.others.clone();
            for file in &files.listed {
                sum.add(file);
            }
            sum
        };
        let process = outcome.process();
        let functions = &process.functions;
        for report in &outcome.reports {
            for files in [&process.files, &report.files] {
                let sum = sum(files);
                assert_eq!(sum.opens, NAMES);
                assert_eq!((sum.writes, sum.errors), (functions["write"].calls, 0));
                assert_eq!(sum.written_bytes, functions["write"].moved_bytes);
                assert_eq!(sum.other_calls, functions["close"].calls);
                assert_eq!(sum.sequential + sum.random, NAMES);
                let told = files.folded + files.listed.len() as u64;
                assert_eq!(told, NAMES, "every name is listed or folded");
                assert!(files.folded > 0);
            }
        }
        assert_eq!(
            functions["write"].moved_bytes,
            NAMES / 100 * (0..100).sum::<u64>()
        );
    });
}

/// A signal handler interrupts its thread while that records a name, and records others. Its stack lies above the thread's, as if
/// the thread had left the frame that it interrupted.
#[test]
fn names_from_a_handler_whose_stack_is_above() {
    for mode in Mode::MEASURED.repeat(3) {
        let folder = scratch();
        let program = Program::new(victim("names_from_above")).in_folder(folder.path());
        let outcome = program.run(mode).expect_status(0);
        let created: u64 = outcome.text().trim().parse().expect("a number");
        let files = &outcome.process().files;
        let root = fs::canonicalize(folder.path()).expect("a folder");
        let mut opens = files.others.opens;
        for file in &files.listed {
            if file.name.starts_with(&*root.to_string_lossy()) {
                assert_eq!((file.opens, file.other_calls), (1, 1), "{}", file.name);
                opens += file.opens;
            }
        }
        assert_eq!(opens, created, "{mode:?}");
    }
}

#[test]
fn descriptors_of_high_numbers() {
    in_way("high", |_, files| {
        assert_eq!(written(files, "high"), (1, 3, 7));
    });
}

#[test]
fn closed_ranges_are_forgotten() {
    in_way("closed", |_, files| {
        assert_eq!(written(files, "first"), (1, 1, 1));
        assert_eq!(written(files, "second"), (1, 1, 2));
        assert_eq!(written(files, "third"), (1, 2, 12));
    });
}
