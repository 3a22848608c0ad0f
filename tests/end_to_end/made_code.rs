//! Stacks through code that a program makes while it runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use weir_report::model::{CodePlace, Process, Stacks};

use crate::support::{Mode, Outcome, Program, scratch, victim};

/// The file that a process has written for perf.
fn map_of(process: &Process) -> PathBuf {
    PathBuf::from(format!("/tmp/perf-{}.map", process.pid))
}

/// The named functions of made code on a stack, from the innermost on.
fn made(stacks: &Stacks, frame: Option<u32>) -> Vec<CodePlace> {
    let frames = stacks.chain(frame);
    let places = frames.filter_map(|(_, frame)| {
        let module = &stacks.modules[frame.module? as usize];
        (module.language.as_deref() == Some("jit")).then_some(())?;
        let mut names = module.names.iter();
        let name = names.find(|name| name.offset == frame.offset);
        Some(name.expect("a name for each").places[0].clone())
    });
    places.collect()
}

/// The calls of a function, by the made code that they came through.
fn by_made(stacks: &Stacks, function: &str) -> BTreeMap<Vec<String>, u64> {
    let mut sums = BTreeMap::new();
    for site in stacks.sites.iter().filter(|site| site.function == function) {
        let named = made(stacks, site.frame).into_iter();
        let named = named.map(|place| place.function.expect("a function"));
        *sums.entry(named.collect()).or_default() += site.calls;
    }
    sums
}

fn makes_code(mode: Mode, follows: bool) -> Outcome {
    let program = Program::new(victim("makes_code")).env("WEIR_STACKS", "all");
    let program = match follows {
        true => program.env("WEIR_FRAME_POINTERS", "on"),
        false => program,
    };
    let outcome = program.run(mode).expect_status(0);
    fs::remove_file(map_of(outcome.process())).expect("the program has written it");
    outcome
}

#[test]
fn the_way_through_it_is_followed_and_has_names() {
    let outcome = makes_code(Mode::Run, true);
    let calls: u64 = outcome.text().trim().parse().expect("a number");
    let stacks = outcome.process().stacks.as_ref().expect("stacks");
    assert_eq!(stacks.ended, BTreeMap::new());
    let way = vec!["inner_made".to_owned(), "outer_made".to_owned()];
    for function in ["malloc", "read"] {
        let found = by_made(stacks, function);
        assert_eq!(found.get(&way), Some(&calls), "{function}: {found:?}");
    }
    let site = stacks.sites.iter().find(|site| site.function == "read");
    let places = made(stacks, site.expect("a site").frame);
    let outer = (places[1].file.as_deref(), places[1].line);
    assert_eq!(outer, (Some("/nowhere/made.js"), Some(12)));
}

/// Of the two forms in which a program describes its code for perf, one has lines.
#[test]
fn a_dump_of_the_code_has_the_line_of_a_call() {
    let folder = scratch();
    let program = Program::new(victim("makes_code")).in_folder(folder.path());
    let program = program
        .arg("dump")
        .env("WEIR_STACKS", "all")
        .env("WEIR_FRAME_POINTERS", "on");
    let outcome = program.run(Mode::Run).expect_status(0);
    let calls: u64 = outcome.text().trim().parse().expect("a number");
    let stacks = outcome.process().stacks.as_ref().expect("stacks");
    let way = vec!["inner_made".to_owned(), "outer_made".to_owned()];
    let found = by_made(stacks, "read");
    assert_eq!(found.get(&way), Some(&calls), "{found:?}");
    let site = stacks.sites.iter().find(|site| site.function == "read");
    let places = made(stacks, site.expect("a site").frame);
    let lines = places
        .iter()
        .map(|place| (place.file.as_deref(), place.line));
    let expected = [(None, None), (Some("/nowhere/dumped.x"), Some(34))];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

/// The library writes no names into its own report, but the way is the same.
#[test]
fn the_way_is_followed_by_the_bare_library() {
    let outcome = makes_code(Mode::Bare, true);
    let calls: u64 = outcome.text().trim().parse().expect("a number");
    let stacks = outcome.process().stacks.as_ref().expect("stacks");
    assert_eq!(stacks.ended, BTreeMap::new());
    let through = |site: &&weir_report::model::Site| {
        let nameless = stacks.chain(site.frame);
        let nameless = nameless.filter(|(_, frame)| frame.module.is_none());
        site.function == "read" && nameless.count() == 2
    };
    let found: u64 = stacks
        .sites
        .iter()
        .filter(through)
        .map(|site| site.calls)
        .sum();
    assert_eq!(found, calls);
}

#[test]
fn unasked_stacks_end_there() {
    for mode in Mode::MEASURED {
        let outcome = makes_code(mode, false);
        let calls: u64 = outcome.text().trim().parse().expect("a number");
        let stacks = outcome.process().stacks.as_ref().expect("stacks");
        // A malloc and a read in each round; a free has no site.
        let expected = BTreeMap::from([("unknown_code".to_owned(), 2 * calls)]);
        assert_eq!(stacks.ended, expected, "{mode:?}");
    }
}

/// A stack may end at a record that is linked to another later.
#[test]
fn the_way_is_found_anew_where_a_record_is_linked() {
    for stacks in ["all", "verify"] {
        for mode in Mode::MEASURED {
            let program = Program::new(victim("links_stacks"))
                .env("WEIR_STACKS", stacks)
                .env("WEIR_FRAME_POINTERS", "on");
            let outcome = program.run(mode).expect_status(0);
            let calls: u64 = outcome.text().trim().parse().expect("a number");
            let stacks = outcome.process().stacks.as_ref().expect("stacks");
            assert_eq!(stacks.ended, BTreeMap::new(), "{mode:?}");
            let of_malloc = stacks.sites.iter().filter(|site| site.function == "malloc");
            let lengths = of_malloc.map(|site| (stacks.chain(site.frame).count(), site.calls));
            let found: BTreeMap<usize, u64> = lengths.filter(|&(frames, _)| frames <= 3).collect();
            // The function that calls it, the code before that, and what its record was linked to.
            assert_eq!(found, BTreeMap::from([(2, calls), (3, calls)]), "{mode:?}");
        }
    }
}

/// Node says which JavaScript its calls came from. A call of `readSync` is one read.
#[test]
fn node_reads_where_its_script_does() {
    const ROUNDS: u64 = 40;
    let folder = scratch();
    let script = folder.path().join("reads.js");
    let lines = [
        "const fs = require('fs');",
        "function reads(fd, bytes) { return fs.readSync(fd, bytes, 0, 64, 0); }",
        "function opens(path) {",
        "  const fd = fs.openSync(path);",
        "  reads(fd, Buffer.alloc(64)); fs.closeSync(fd);",
        "}",
        "for (let i = 0; i < 40; i++) opens(process.argv[1]);",
    ];
    fs::write(&script, lines.join("\n")).expect("a script");
    for stacks in ["all", "verify"] {
        let program = Program::new("/usr/bin/node")
            .args(["--perf-basic-prof", "--interpreted-frames-native-stack"])
            .arg(&script)
            .env("WEIR_STACKS", stacks)
            .env("WEIR_FRAME_POINTERS", "on");
        let outcome = program.run(Mode::Run).expect_status(0);
        let processes = outcome.processes();
        let process = processes.first().expect("node");
        fs::remove_file(map_of(process)).expect("node has written it");
        let stacks = process.stacks.as_ref().expect("stacks");
        assert!(!stacks.ended.contains_key("differs"), "{:?}", stacks.ended);
        let ended: u64 = stacks.ended.values().sum();
        assert!(ended < 10, "{:?}", stacks.ended);
        let mut found = 0;
        for site in &stacks.sites {
            let places = made(stacks, site.frame);
            let is_ours = |place: &&CodePlace| place.file.as_deref() == script.to_str();
            let ours: Vec<&CodePlace> = places.iter().filter(is_ours).collect();
            let named = |at: usize| {
                ours.get(at)
                    .map(|place| (place.function.as_deref(), place.line))
            };
            if site.function.starts_with("pread") && named(0) == Some((Some("reads"), Some(2))) {
                assert_eq!(named(1), Some((Some("opens"), Some(3))));
                found += site.calls;
            }
        }
        assert_eq!(found, ROUNDS);
    }
}
