//! Which blocks are live at which call site, beside what the program says of itself and beside heaptrack.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use weir_report::model::{Process, Report, SiteBlocks};

use crate::support::recover::{recover, region_files};
use crate::support::{Mode, Program, scratch, succeed, victim, weir};

const STACKS: (&str, &str) = ("WEIR_STACKS", "all");
/// All calls have their stacks. Where each byte is a sample, so has each block, on the other path.
const ALL: [&str; 2] = ["all", "sampled:1"];

/// What is live at the sites of a process, all together.
pub fn live(process: &Process) -> SiteBlocks {
    let stacks = process.stacks.as_ref().expect("stacks were taken");
    let blocks = stacks.sites.iter().filter_map(|site| site.blocks);
    blocks.fold(SiteBlocks::default(), |sum, of| SiteBlocks {
        live: sum.live + of.live,
        live_bytes: sum.live_bytes + of.live_bytes,
        live_bytes_at_peak: sum.live_bytes_at_peak + of.live_bytes_at_peak,
        temporary: sum.temporary + of.temporary,
    })
}

/// What the sites had at the peak is the peak: a hundredth is not noted, and the peak has an error of its own.
#[track_caller]
pub fn expect_the_peak(process: &Process) {
    let stacks = process.stacks.as_ref().expect("stacks were taken");
    let (at_peak, heap) = (stacks.peak_bytes, &process.heap);
    assert_eq!(live(process).live_bytes_at_peak, at_peak);
    let least = heap.peak_bytes - heap.peak_bytes / 100;
    let least = least.saturating_sub(heap.peak_error_bytes);
    let most = heap.peak_bytes + heap.peak_error_bytes;
    let who = &process.executable;
    assert!(
        (least..=most).contains(&at_peak),
        "{who}: {at_peak} of {heap:?}"
    );
}

/// The sums of a process by the function that called the allocator, as `weir export` has them.
pub fn by_function(report: &Report, pid: u32, metric: &str) -> BTreeMap<String, u64> {
    let folder = scratch();
    let file = folder.path().join("report.json");
    fs::write(&file, serde_json::to_vec(report).expect("JSON")).expect("a file");
    let mut command = Command::new(weir::command());
    command
        .args(["export", "--format", "folded", "--metric", metric])
        .args(["--process", &pid.to_string()])
        .arg(&file);
    let folded = succeed(&mut command, b"");
    let mut sums = BTreeMap::new();
    for line in folded.lines() {
        let (stack, sum) = line.rsplit_once(' ').expect("a number");
        let caller = stack.rsplit(';').nth(1).unwrap_or("").to_owned();
        *sums.entry(caller).or_default() += sum.parse::<u64>().expect("a number");
    }
    sums
}

/// Each of the modes with each of these.
fn each(modes: [Mode; 2], with: [&'static str; 2]) -> impl Iterator<Item = (Mode, &'static str)> {
    modes
        .into_iter()
        .flat_map(move |mode| with.map(|with| (mode, with)))
}

/// Blocks that other threads free, that realloc moves or fails to move, that signal handlers make, that take the place of
/// others; and those of a child, which frees its parent's.
#[test]
fn each_site_has_the_blocks_that_the_program_says() {
    for (mode, stacks) in each(Mode::MEASURED, ALL) {
        let program = Program::new(victim("live_blocks")).env(STACKS.0, stacks);
        let outcome = program.run(mode).expect_status(0);
        let text = outcome.text();
        let processes = outcome.processes();
        let [parent, child] = processes[..] else {
            panic!("{} process images", processes.len());
        };
        let report_of = |process: &Process| {
            let mut reports = outcome.reports.iter();
            let is_in = |report: &&Report| report.processes.iter().any(|of| of.pid == process.pid);
            reports.find(is_in).expect("a report")
        };
        for metric in ["live", "peak", "temporary"] {
            let sums = by_function(report_of(parent), parent.pid, metric);
            let said: Vec<(&str, u64)> = text
                .lines()
                .filter_map(|line| line.strip_prefix(metric)?.trim().split_once(' '))
                .map(|(site, sum)| (site, sum.parse().expect("a number")))
                .collect();
            assert!(said.len() >= 4, "{text}");
            for &(site, sum) in &said {
                assert_eq!(
                    sums.get(site),
                    Some(&sum),
                    "{mode:?}, {stacks}: {metric} at {site}"
                );
            }
            // Nothing is where nothing was left.
            let gone = match metric {
                "live" => [
                    "for_others",
                    "first_of_grown",
                    "too_large",
                    "vanishes",
                    "tower",
                ],
                "peak" => [
                    "for_others",
                    "first_of_grown",
                    "too_large",
                    "vanishes",
                    "in_turn_b",
                ],
                _ => ["kept", "by_threads", "too_large", "for_others", "zeroed"],
            };
            for site in gone {
                assert_eq!(
                    sums.get(site),
                    None,
                    "{mode:?}, {stacks}: {metric} at {site}"
                );
            }
        }
        let sums = live(parent);
        assert_eq!(sums.live_bytes, parent.heap.live_bytes.unsigned_abs());
        assert_eq!(sums.live, parent.heap.live_blocks.unsigned_abs());
        expect_the_peak(parent);
        let recorded = parent.stacks.as_ref().expect("stacks");
        assert_eq!(recorded.untracked_blocks, 0);

        // The first thousand were its parent's.
        assert!(child.forked && child.heap.inherited_blocks > 1000);
        let said = text
            .lines()
            .find_map(|line| line.strip_prefix("child child_s "));
        let said: u64 = said.expect("the child's word").parse().expect("a number");
        let sums = live(child);
        assert_eq!((sums.live, sums.live_bytes), (1000, said), "{mode:?}");
    }
}

/// Allocators that place blocks of 8 bytes at every multiple of 8.
#[test]
fn blocks_of_eight_bytes() {
    for library in ["libjemalloc.so.2", "libtcmalloc.so.4", "libmimalloc.so.2"] {
        for (mode, stacks) in each(Mode::MEASURED, ALL) {
            let preload = match mode {
                Mode::Bare => format!("{}:{library}", weir::library().display()),
                _ => library.to_owned(),
            };
            let program = Program::new(victim("small_blocks"))
                .env(STACKS.0, stacks)
                .env("LD_PRELOAD", preload);
            let outcome = program.run(mode).expect_status(0);
            let process = outcome.process();
            let heap = &process.heap;
            assert_eq!(heap.not_known, None, "{library}");
            let sums = live(process);
            let known = (sums.live, sums.live_bytes);
            let (blocks, bytes) = (
                heap.live_blocks.unsigned_abs(),
                heap.live_bytes.unsigned_abs(),
            );
            let which = format!("{library}, {mode:?}, {stacks}: {known:?} of {blocks}, {bytes}");
            if stacks == "all" {
                assert_eq!(known, (blocks, bytes), "{which}");
            } else {
                // Of blocks of 8 bytes, where there is a sample for each byte on average, one in e^8 is none: about 2 of 6700.
                assert!((blocks - 20..=blocks).contains(&sums.live), "{which}");
                assert!((bytes - 160..=bytes).contains(&sums.live_bytes), "{which}");
            }
            assert!(sums.live > 6000, "{library}: {}", sums.live);
        }
    }
}

/// jemalloc has no pvalloc: that of the C library is called, and jemalloc must not be asked about its block.
#[test]
fn a_block_of_another_allocator() {
    for mode in Mode::MEASURED {
        let library = "libjemalloc.so.2";
        let preload = match mode {
            Mode::Bare => format!("{}:{library}", weir::library().display()),
            _ => library.to_owned(),
        };
        for stacks in ["off", "all", "sampled:1"] {
            let program = Program::new(victim("makes_pages"))
                .env(STACKS.0, stacks)
                .env("LD_PRELOAD", &preload);
            let outcome = program.run(mode).expect_status(0);
            assert_eq!(
                (outcome.text().as_str(), outcome.complaints().as_str()),
                ("made\n", "")
            );
            assert_eq!(outcome.process().functions["pvalloc"].calls, 1);
        }
    }
}

#[test]
fn a_killed_program_s_blocks_are_known() {
    let folder = scratch();
    let program = Program::new("/usr/bin/python3")
        .args([
            "-c",
            "import os, signal; kept = [bytes(1000 + i) for i in range(1000)]; os.kill(os.getpid(), signal.SIGKILL)",
        ])
        .env(STACKS.0, STACKS.1)
        .env("PYTHONMALLOC", "malloc")
        .env("WEIR_REGION_DIR", folder.path())
        .without_reports();
    let outcome = program.run(Mode::Bare);
    assert_eq!(outcome.status.code(), None);
    let [region] = &region_files(folder.path())[..] else {
        panic!("one region");
    };
    let report = recover(region);
    let [process] = &report.processes[..] else {
        panic!("one process");
    };
    let sums = live(process);
    assert!(sums.live_bytes > 1_000_000, "{sums:?}");
    let heap = &process.heap;
    // A thread adds what it has to the total in steps, and this one could not at its end.
    assert_eq!(sums.live, heap.live_blocks.unsigned_abs());
    assert_eq!(sums.live_bytes, heap.live_bytes.unsigned_abs());
}

/// There are more stacks than room: calls without a stack of their own are reported, and no block is lost.
#[test]
fn where_there_is_no_room_for_more_stacks() {
    let program = Program::new(victim("many_stacks")).env(STACKS.0, STACKS.1);
    let outcome = program.run(Mode::Run).expect_status(0);
    let process = outcome.process();
    let stacks = process.stacks.as_ref().expect("stacks");
    assert!(stacks.ended["no_room"] > 100_000, "{:?}", stacks.ended);
    let calls = stacks.sites.iter().filter(|of| of.function == "malloc");
    let calls: u64 = calls.map(|of| of.calls).sum();
    assert_eq!(calls, process.functions["malloc"].calls);
    let (sums, heap) = (live(process), &process.heap);
    assert!(sums.live >= 400_000, "{sums:?}");
    assert_eq!(sums.live, heap.live_blocks.unsigned_abs());
    assert_eq!(sums.live_bytes, heap.live_bytes.unsigned_abs());
    assert_eq!((stacks.untracked_blocks, stacks.untracked_frees), (0, 0));
}
