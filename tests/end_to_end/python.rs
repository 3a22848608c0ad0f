//! Stacks of Python: the functions and lines that the interpreter runs.
//!
//! `WEIR_TEST_PYTHONS` has the paths of other interpreters, separated by colons, that are tested, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_report::model::{CodePlace, Site, Stacks};

use crate::support::{Mode, Outcome, Program, victim};

const DEBIAN_S: &str = "/usr/bin/python3";

/// Function, line, and what was called.
type Line = (String, u32, String);

fn interpreters() -> Vec<PathBuf> {
    let others = std::env::var_os("WEIR_TEST_PYTHONS").unwrap_or_default();
    let others = std::env::split_paths(&others).filter(|path| !path.as_os_str().is_empty());
    std::iter::once(PathBuf::from(DEBIAN_S))
        .chain(others)
        .collect()
}

/// The script, without the interpreter's own heap: then each object is a block.
fn program(interpreter: &Path) -> Program {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    Program::new(interpreter)
        .arg(tests.join("lines_of_python.py"))
        .env("PYTHONMALLOC", "malloc")
        .env("PYTHONWARNINGS", "ignore")
}

/// The functions of Python of a stack, from the innermost on.
fn chain(stacks: &Stacks, frame: Option<u32>) -> Vec<&CodePlace> {
    let frames = stacks.chain(frame);
    let places = frames.filter_map(|(_, frame)| {
        let module = &stacks.modules[frame.module? as usize];
        module.language.as_ref()?;
        let mut names = module.names.iter();
        let name = names.find(|name| name.offset == frame.offset);
        Some(&name.expect("a name for each").places[0])
    });
    places.collect()
}

/// The function that was called: some builds call the one for large files, which is the same.
fn called(site: &Site) -> &str {
    site.function.trim_end_matches("64")
}

/// The calls by the innermost line of Python, for lines of the script and of what it compiles.
fn by_line(outcome: &Outcome) -> BTreeMap<Line, u64> {
    let mut sums = BTreeMap::new();
    let processes = outcome.processes();
    let all = processes
        .iter()
        .filter_map(|process| process.stacks.as_ref());
    for stacks in all {
        for site in &stacks.sites {
            let chain = chain(stacks, site.frame);
            let Some(place) = chain.first() else { continue };
            let file = place.file.as_deref().expect("a file");
            if !file.ends_with("lines_of_python.py") && !file.ends_with("/ünïcode.py") {
                continue;
            }
            let function = place.function.clone().expect("a function");
            // What the compiler adds has none.
            let line = place.line.unwrap_or(0);
            *sums
                .entry((function, line, called(site).to_owned()))
                .or_default() += site.calls;
        }
    }
    sums
}

/// What the script printed.
fn told(outcome: &Outcome) -> BTreeMap<Line, u64> {
    let mut sums = BTreeMap::new();
    for line in outcome.text().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let &[function, line, called, calls] = words.as_slice() else {
            panic!("{line}");
        };
        let number = |text: &str| text.parse().expect("a number");
        let key = (function.to_owned(), number(line), called.to_owned());
        *sums.entry(key).or_default() += u64::from(number(calls));
    }
    assert_eq!(sums.len(), 9, "{sums:?}");
    sums
}

#[track_caller]
fn expect_lines(outcome: &Outcome, who: &str) {
    let found = by_line(outcome);
    for (line, calls) in told(outcome) {
        let of_line = found.get(&line).copied().unwrap_or_default();
        assert_eq!(of_line, calls, "{who}: {line:?} of {found:#?}");
    }
}

#[test]
fn calls_are_at_lines_of_python() {
    for interpreter in interpreters() {
        let program = program(&interpreter).env("WEIR_STACKS", "all");
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_status(0);
            let who = format!("{mode:?}, {}", interpreter.display());
            assert_eq!(outcome.complaints(), "", "{who}");
            expect_lines(&outcome, &who);
            let all = outcome.processes();
            let stacks = all[0].stacks.as_ref().expect("stacks");
            assert_eq!(stacks.ended, BTreeMap::new(), "{who}");
            expect_whole_stack(stacks, &who);
            expect_each_file(stacks, &who);
        }
    }
}

/// Of the files that come one after the other, each made one call.
fn expect_each_file(stacks: &Stacks, who: &str) {
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for site in stacks.sites.iter().filter(|site| called(site) == "lseek") {
        let chain = chain(stacks, site.frame);
        let file = chain.first().and_then(|place| place.file.as_deref());
        let is_one = |file: &&str| file.starts_with("/no/such/") && !file.contains("code");
        if let Some(file) = file.filter(is_one) {
            *calls.entry(file).or_default() += site.calls;
        }
    }
    assert_eq!(calls.len(), 200, "{who}");
    assert!(calls.values().all(|&calls| calls == 1), "{who}: {calls:#?}");
}

/// The functions of a stack call each other, and none of them stands there twice.
fn expect_whole_stack(stacks: &Stacks, who: &str) {
    let site = stacks.sites.iter().find(|site| {
        let chain = chain(stacks, site.frame);
        let innermost = chain.first().and_then(|place| place.function.as_deref());
        site.function == "malloc" && innermost == Some("leaf") && chain.len() == 3
    });
    let chain = chain(stacks, site.unwrap_or_else(|| panic!("{who}: leaf")).frame);
    let functions: Vec<_> = chain
        .iter()
        .map(|place| place.function.as_deref().expect("a name"))
        .collect();
    assert_eq!(functions, ["leaf", "middle", "<module>"], "{who}");
    let sources = stacks
        .modules
        .iter()
        .filter(|module| module.language.is_some());
    let paths: Vec<&str> = sources.map(|module| module.path.as_str()).collect();
    assert!(!paths.contains(&"__init__"), "{who}: the interpreter's own");
    let is_cut = |path: &&str| path.starts_with('…') && path.ends_with("xxx/end.py");
    assert_eq!(paths.iter().filter(|path| is_cut(path)).count(), 1, "{who}");
    let interpreters = stacks
        .modules
        .iter()
        .filter(|module| module.interprets.as_deref() == Some("python"));
    assert_eq!(interpreters.count(), 1, "{who}");
}

/// Where the heap is sampled, I/O is exact.
/// The interpreter unmaps memory that its current frame is in.
#[test]
fn frames_may_go_with_the_call() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let script = tests.join("generators_of_python.py");
    for interpreter in interpreters() {
        let who = interpreter.display();
        let program = || Program::new(&interpreter).arg(&script);
        let plain = program().run(Mode::Plain).expect_status(0);
        for stacks in ["all", "sampled", "sampled:1K"] {
            for mode in [Mode::Run, Mode::Bare] {
                let outcome = program().env("WEIR_STACKS", stacks).run(mode);
                let outcome = outcome.expect_same(&plain);
                if stacks != "all" || interpreter != Path::new(DEBIAN_S) {
                    continue;
                }
                let stacks = outcome.process().stacks.as_ref().expect("stacks");
                let mut sites = stacks.sites.iter();
                let is_below = |site: &Site| {
                    let chain = chain(stacks, site.frame);
                    let function = chain.first().and_then(|place| place.function.as_deref());
                    site.function == "munmap"
                        && matches!(function, Some("nothing" | "below.<locals>.<genexpr>"))
                };
                assert!(sites.any(is_below), "{who}, {mode:?}: no munmap there");
            }
        }
    }
}

#[test]
fn samples_have_lines_of_python() {
    let program = program(Path::new(DEBIAN_S)).env("WEIR_STACKS", "sampled:16384");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        let found = by_line(&outcome);
        for (line, calls) in told(&outcome) {
            let of_line = found.get(&line).copied().unwrap_or_default();
            let (function, _, called) = &line;
            // In a forked child, stacks begin again with a later call.
            let is_exact = called != "malloc" && function != "<module>";
            assert!(of_line == calls || !is_exact, "{mode:?}: {line:?}");
        }
    }
}

#[test]
fn a_killed_program_has_its_lines() {
    let program = program(Path::new(DEBIAN_S)).env("WEIR_STACKS", "all");
    let outcome = program.arg("and die").run(Mode::Run);
    expect_lines(&outcome, "killed");
}

/// An interpreter that a program loads late, and from whose code it calls back.
#[test]
fn an_interpreter_in_a_program() {
    let name = "import sysconfig; print(sysconfig.get_config_var('INSTSONAME'))";
    let asked = Command::new(DEBIAN_S).args(["-c", name]).output();
    let library = String::from_utf8(asked.expect("python3").stdout).expect("a name");
    let program = Program::new(victim("embeds_python"))
        .arg(library.trim())
        .env("WEIR_STACKS", "all");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(5);
        let stacks = outcome.process().stacks.as_ref().expect("stacks");
        let calls = stacks.sites.iter().filter(|site| {
            let chain = chain(stacks, site.frame);
            let at = chain
                .first()
                .map(|place| (place.function.as_deref(), place.line));
            called(site) == "lseek" && at == Some((Some("inside"), Some(3)))
        });
        assert_eq!(calls.map(|site| site.calls).sum::<u64>(), 12, "{mode:?}");
    }
}
