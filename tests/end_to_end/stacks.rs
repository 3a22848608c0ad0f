//! Call stacks: every call has the one that another unwinder finds, and none is lost.

use std::collections::BTreeMap;

use weir_record::functions::Function;
use weir_report::model::{Process, Site, Stacks};

use crate::live_blocks::{expect_the_peak, live};
use crate::support::real::Real;
use crate::support::recover::{recover, region_files};
use crate::support::{Mode, Outcome, Program, scratch, succeed, victim, weir};

/// With each stack unwound a second time, in full.
const VERIFIED: (&str, &str) = ("WEIR_STACKS", "verify");

fn stacks(process: &Process) -> &Stacks {
    process.stacks.as_ref().expect("stacks were taken")
}

/// Whether a function's calls have a site: all that are timed, except those that give back a block or ask about one.
fn has_sites(name: &str) -> bool {
    weir_record::stacks::has_sites(Function::from_name(name).expect("a function of the table"))
}

/// The sites have every call that was counted, and no stack was another one when it was unwound in full.
#[track_caller]
fn expect_all_calls(process: &Process) {
    let stacks = stacks(process);
    let who = &process.executable;
    for reason in ["differs", "no_room", "no_memory", "not_readable"] {
        assert_eq!(stacks.ended.get(reason), None, "{who}: {reason}");
    }
    let mut calls: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for site in &stacks.sites {
        let sum = calls.entry(&site.function).or_default();
        sum[0] += site.calls;
        sum[1] += site.requested_bytes;
        sum[2] += site.moved_bytes;
        sum[3] += site.errors;
    }
    let counted = process.functions.iter().filter(|(name, _)| has_sites(name));
    for (name, function) in counted {
        let sum = calls.get(&**name).copied().unwrap_or_default();
        assert_eq!(sum[0], function.calls, "{who}: calls of {name}");
        assert_eq!(sum[1], function.requested_bytes, "{who}: bytes of {name}");
        assert_eq!(sum[2], function.moved_bytes, "{who}: bytes moved by {name}");
        assert_eq!(sum[3], function.errors, "{who}: errors of {name}");
    }
    // What a child inherited is at no site.
    let heap = &process.heap;
    if !process.forked && heap.not_known.is_none() {
        let sums = live(process);
        assert_eq!(
            sums.live_bytes.cast_signed(),
            heap.live_bytes,
            "{who}: live bytes"
        );
        assert_eq!(
            sums.live.cast_signed(),
            heap.live_blocks,
            "{who}: live blocks"
        );
        expect_the_peak(process);
    }
}

/// The stacks of a function's calls: how many calls each has; a stack is return addresses, the innermost first, as
/// `object+offset`.
fn of_function(stacks: &Stacks, function: &str) -> BTreeMap<Vec<String>, u64> {
    let mut found = BTreeMap::new();
    for site in stacks.sites.iter().filter(|site| site.function == function) {
        let chain = stacks.chain(site.frame).map(|(_, frame)| {
            let module = frame.module.map(|module| &stacks.modules[module as usize]);
            let name = module.and_then(|module| module.path.rsplit('/').next());
            format!("{}+{:x}", name.unwrap_or("?"), frame.offset)
        });
        *found.entry(chain.collect()).or_default() += site.calls;
    }
    found
}

/// The stacks that the witness printed, and the report's stacks of its one allocating function.
#[track_caller]
fn expect_witnessed(outcome: &Outcome) {
    expect_witnessed_in(outcome.process(), &outcome.text());
}

#[track_caller]
fn expect_witnessed_in(process: &Process, printed: &str) {
    let mut expected: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for line in printed.lines() {
        let mut words = line.split(' ');
        let count: u64 = words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number");
        *expected
            .entry(words.map(str::to_owned).collect())
            .or_default() += count;
    }
    assert!(expected.len() > 100, "{}", expected.len());
    expect_all_calls(process);
    let all = of_function(stacks(process), "malloc");
    // The function's own frame, which the witness leaves out: the one with most calls.
    let mut innermost: BTreeMap<&String, u64> = BTreeMap::new();
    for (stack, calls) in &all {
        *innermost.entry(&stack[0]).or_default() += calls;
    }
    let (own, _) = innermost
        .iter()
        .max_by_key(|(_, calls)| **calls)
        .expect("some");
    let own = (*own).clone();
    let found: BTreeMap<Vec<String>, u64> = all
        .into_iter()
        .filter(|(stack, _)| stack[0] == own)
        .map(|(stack, calls)| (stack[1..].to_vec(), calls))
        .collect();
    for (stack, calls) in &expected {
        assert_eq!(found.get(stack), Some(calls), "{stack:#?}");
    }
    assert_eq!(found.len(), expected.len());
}

/// Recursion, frames of a size known only as they run, aligned and huge frames, callbacks, jumps, signal handlers on two
/// stacks, coroutines and threads: beside the C library's own unwinder.
#[test]
fn every_stack_is_what_another_unwinder_finds() {
    let program = Program::new(victim("stack_witness")).env(VERIFIED.0, VERIFIED.1);
    for mode in Mode::MEASURED {
        expect_witnessed(&program.run(mode).expect_status(0));
    }
}

/// The stacks are in the region, not in the process.
#[test]
fn a_killed_program_leaves_its_stacks() {
    let program = Program::new(victim("stack_witness"))
        .arg("killed")
        .env(VERIFIED.0, VERIFIED.1);
    expect_witnessed(&program.run(Mode::Run));
    let regions = scratch();
    let program = program.env("WEIR_REGION_DIR", regions.path());
    let outcome = program.without_reports().run(Mode::Bare);
    let [region] = &region_files(regions.path())[..] else {
        panic!("not one region");
    };
    let report = recover(region);
    expect_witnessed_in(&report.processes[0], &outcome.text());
}

/// Nothing is recorded, and the report has no such part.
#[test]
fn there_are_no_stacks_unless_asked_for() {
    for (mode, value) in [(Mode::Bare, "off"), (Mode::Bare, ""), (Mode::Run, "off")] {
        let program = Program::new(victim("stack_witness")).env("WEIR_STACKS", value);
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.process().stacks, None, "{mode:?}");
    }
}

/// `weir run` asks for samples.
#[test]
fn under_weir_run_there_are_samples() {
    let program = Program::new(victim("sampled_sites"));
    let outcome = program.run(Mode::Run).expect_status(0);
    let stacks = outcome.process().stacks.as_ref().expect("stacks");
    assert_eq!(stacks.sampled_bytes, Some(512 * 1024));
    assert!(!stacks.sites.is_empty());
}

/// In real programs, every call of every process of the tree has its stack.
#[test]
fn real_programs_lose_no_stack() {
    for name in [
        "sqlite3",
        "git",
        "gcc",
        "python3",
        "perl",
        "sort in eight threads",
        "every function of stdio",
    ] {
        let real = Real::named(name);
        let run = |mode| {
            let folder = real.folder();
            let program = real.program().in_folder(folder.path());
            program.env(VERIFIED.0, VERIFIED.1).run(mode)
        };
        for mode in Mode::MEASURED {
            let outcome = run(mode).expect_status(0);
            for process in outcome.processes() {
                expect_all_calls(process);
            }
        }
    }
}

/// A library goes, and another comes to its place: its code is not taken for that of the first.
#[test]
fn code_that_takes_the_place_of_other_code() {
    let program = Program::new(victim("unloads"))
        .arg(victim("unloaded_first"))
        .arg(victim("unloaded_second"))
        .env(VERIFIED.0, VERIFIED.1);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.text().trim(), "at the same place");
        let process = outcome.process();
        expect_all_calls(process);
        let stacks = stacks(process);
        let mut calls: BTreeMap<String, u64> = BTreeMap::new();
        for (stack, count) in of_function(stacks, "malloc") {
            let (module, _) = stack[0].split_once('+').expect("an object");
            *calls.entry(module.to_owned()).or_default() += count;
        }
        assert_eq!(calls.get("unloaded_first.so"), Some(&300), "{calls:#?}");
        assert_eq!(calls.get("unloaded_second.so"), Some(&700), "{calls:#?}");
    }
}

/// Two hundred threads, which fork and execute while they allocate.
#[test]
fn many_threads_and_their_children() {
    let program = Program::new(victim("clones")).env(VERIFIED.0, VERIFIED.1);
    let plain = program.plain();
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        for process in outcome.processes() {
            expect_all_calls(process);
        }
    }
}

/// The function that an innermost frame is of, as addr2line says.
fn function_at(stacks: &Stacks, frame: u32) -> String {
    let frame = stacks.frames[frame as usize];
    let module = &stacks.modules[frame.module.expect("an object") as usize];
    let address = format!("{:#x}", frame.offset - 1);
    let mut command = weir::binutils("addr2line");
    let text = succeed(command.args(["-f", "-e", &module.path, &address]), b"");
    text.lines().next().expect("a function").to_owned()
}

/// Each thread of the victim waits in a function of its own: `reads` in read, `opens` in open.
#[track_caller]
fn expect_the_function_of_each(process: &Process) {
    assert_eq!(process.in_flight.len(), 6, "{:?}", process.in_flight);
    for call in &process.in_flight {
        let frame = call.frame.expect("its stack is known");
        let function = function_at(stacks(process), frame);
        let expected = match &*call.function {
            "wait" | "waitpid" => "waits".to_owned(),
            called => format!("{called}s"),
        };
        assert_eq!(function, expected, "{call:?}");
        let sites = stacks(process).sites.iter();
        let is_it = |site: &&Site| site.frame == Some(frame) && site.function == call.function;
        assert_eq!(sites.filter(is_it).count(), 0, "it has not returned");
    }
}

#[test]
fn a_call_that_has_not_returned_has_its_stack() {
    let program = |way: &str| {
        Program::new(victim("waits_for_ever"))
            .arg(way)
            .env(VERIFIED.0, VERIFIED.1)
    };
    for (way, mode) in [
        ("killed", Mode::Run),
        ("exits", Mode::Run),
        ("exits", Mode::Bare),
    ] {
        let folder = scratch();
        let outcome = program(way).in_folder(folder.path()).run(mode);
        let processes = outcome.processes();
        let process = processes.iter().find(|process| !process.forked);
        expect_the_function_of_each(process.expect("the program"));
    }
    let folder = scratch();
    let _ = program("killed")
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .without_reports()
        .run(Mode::Bare);
    let left = region_files(folder.path());
    let mut reports = left.iter().map(|region| recover(region));
    let report = reports.find(|report| !report.processes[0].forked);
    expect_the_function_of_each(&report.expect("the region stays").processes[0]);
}

/// In parts, the stack is taken after the call: there is none, not that of another call.
#[test]
fn a_call_in_two_parts_has_none() {
    let folder = scratch();
    let program = Program::new(victim("waits_for_ever")).arg("killed");
    let program = program.env(VERIFIED.0, VERIFIED.1).env("WEIR_COOP", "on");
    let outcome = program.in_folder(folder.path()).run(Mode::Run);
    let processes = outcome.processes();
    let process = processes.iter().find(|process| !process.forked);
    let calls = &process.expect("the program").in_flight;
    let has_none = |name: &str| {
        let call = calls.iter().find(|call| call.function == name);
        assert_eq!(call.expect("it is in flight").frame, None, "{name}");
    };
    ["read", "accept", "poll"].into_iter().for_each(has_none);
}
