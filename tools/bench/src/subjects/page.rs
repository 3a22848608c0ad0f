//! The page of `weir html`, of large reports: how long the command takes, how long a browser does to show it, and to scroll a long table.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use weir_report::model::Report;
use weir_report::recording;

use super::recorded;
use crate::bench::Bench;
use crate::browser::Browser;
use crate::command::{find_program, measure as run, scratch};
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::table::{count, number};
use crate::target::{Bound, Target};

/// The least size of the large report, in bytes.
const LARGE: usize = 20_000_000;
/// The same with `--quick`.
const QUICK_LARGE: usize = 1_000_000;
/// Threads of the long table, and with `--quick`.
const THREADS: usize = 100_000;
const QUICK_THREADS: usize = 2_000;
/// What a browser may take to show the page of the large report, in milliseconds.
const MOST_TO_SHOW_MS: f64 = 1000.0;
/// In how many frames a table is scrolled.
const FRAMES: u32 = 120;

/// From the navigation to the first frame after all that is in view was made, in milliseconds.
const SHOWN: &str = "new Promise((done) => {
  const look = () => requestAnimationFrame(document.documentElement.dataset.ready ? () => done(performance.now()) : look);
  look();
})";
const SCROLL: &str = include_str!("../../loads/scroll.js");

/// The times of both pages.
pub fn measure(bench: &Bench) -> Result<Section> {
    let folder = scratch()?;
    let file = |name: &str| folder.path().join(name);
    let small = recorded::small(bench)?;
    let (large, threads) = match bench.quick {
        true => (QUICK_LARGE, QUICK_THREADS),
        false => (LARGE, THREADS),
    };
    let large = large_report(&small, large)?;
    let threads = report_of_threads(&small, threads)?;
    fs::write(file("large.json"), &large)?;
    fs::write(file("threads.json"), &threads)?;

    let rounds = bench.few_rounds();
    let mut made = Vec::new();
    for _ in 0..rounds {
        made.push(page(bench, &file("large.json"), &file("large.html"))? * 1e3);
    }
    page(bench, &file("threads.json"), &file("threads.html"))?;
    let mut rows = vec![Row::values("`weir html` makes the page", made)];
    let names = [
        "Chromium shows it",
        "a frame while the table of threads is scrolled",
    ];
    match find_program("chromium") {
        None => rows.extend(names.map(Row::not_installed)),
        Some(chromium) => {
            let shown = shown_ms(&chromium, &file("large.html"), rounds)?;
            let target = Target::new(
                Bound::AtMost(MOST_TO_SHOW_MS),
                "≤ 1 s",
                Spread::of(&shown).median,
            );
            rows.push(Row::values(names[0], shown).aiming_at(target));
            let frames = frames_ms(&chromium, &file("threads.html"))?;
            rows.push(Row::values(names[1], frames));
        }
    }
    let mb = |bytes: u64| number(bytes as f64 / 1e6);
    let section = Section::new("The page of a large report", "ms", rows);
    Ok(section.note(format!(
        "The report has {} MB, its page {} MB.",
        mb(large.len() as u64),
        mb(fs::metadata(file("large.html"))?.len()),
    )))
}

/// A report of at least so many bytes: a tree in which the processes of a small one come again and again.
fn large_report(small: &Report, bytes: usize) -> Result<Vec<u8>> {
    let once = serde_json::to_vec(&small.processes)?.len();
    let times = bytes.div_ceil(once.max(1));
    let mut images = Vec::new();
    for time in 0..times as u64 {
        let mut copy = small.clone();
        recorded::delay(&mut copy, time * small.duration_ns);
        images.extend(copy.processes.into_iter().map(|mut image| {
            image.pid += time as u32;
            image
        }));
    }
    let duration_ns = small.duration_ns * times as u64;
    let report = recording::report(images, small.end.clone(), duration_ns);
    Ok(serde_json::to_vec(&report)?)
}

/// A report of a process with so many threads, each with the counters of one function.
fn report_of_threads(small: &Report, threads: usize) -> Result<Vec<u8>> {
    let mut image = small.processes.first().context("no process")?.clone();
    let mut thread = image.threads.first().context("no thread")?.clone();
    thread.functions = thread.functions.pop_first().into_iter().collect();
    image.threads = (0..threads as u32)
        .map(|place| {
            let mut thread = thread.clone();
            thread.tid += place;
            thread.name = format!("worker {place}");
            thread
        })
        .collect();
    let report = recording::report(vec![image], small.end.clone(), small.duration_ns);
    Ok(serde_json::to_vec(&report)?)
}

/// Has the page made, and says how many seconds that took.
fn page(bench: &Bench, report: &Path, page: &Path) -> Result<f64> {
    let mut command = Command::new(&bench.product.weir);
    command.args(["html".as_ref(), report.as_os_str(), "--out".as_ref()]);
    Ok(run(command.arg(page))?.seconds)
}

/// The times in which a page was there, in a browser that has shown it once.
fn shown_ms(chromium: &Path, page: &Path, rounds: usize) -> Result<Vec<f64>> {
    let mut browser = Browser::start(chromium)?;
    let mut shown = || {
        browser.open(page)?;
        let ms = browser.value(SHOWN)?;
        ms.as_f64().context("the page gave no time")
    };
    shown()?;
    (0..rounds).map(|_| shown()).collect()
}

/// The times of the frames in which the table of threads was scrolled from its first row to its last.
fn frames_ms(chromium: &Path, page: &Path) -> Result<Vec<f64>> {
    let mut browser = Browser::start(chromium)?;
    browser.open(page)?;
    browser.value(SHOWN)?;
    let scrolled = browser.value(&format!("({SCROLL})({FRAMES})"))?;
    let rows = scrolled["rows"].as_u64().unwrap_or(0);
    ensure!(
        rows >= QUICK_THREADS as u64,
        "the table has {} rows",
        count(rows)
    );
    let took = scrolled["took"].as_array().context("no frames")?;
    Ok(took.iter().filter_map(serde_json::Value::as_f64).collect())
}

#[cfg(test)]
mod tests {
    use weir_report::model::{End, Process};
    use weir_report::read;

    use super::*;

    /// A report of one process, of the package that reads them.
    fn small() -> Report {
        let shop = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../report/examples/shop.json"
        );
        read::load(Path::new(shop)).unwrap()
    }

    #[test]
    fn a_large_report_is_as_large_as_asked_and_a_report() {
        let small = small();
        let text = large_report(&small, 300_000).unwrap();
        assert!(text.len() >= 300_000, "{}", text.len());
        let report = read::from_slice(&text).unwrap();
        let times = report.processes.len() / small.processes.len();
        let calls = |report: &Report| report.functions["read"].calls;
        assert_eq!(calls(&report), times as u64 * calls(&small));
        let starts = |of: &Process| (of.pid, of.started_unix_ns);
        let mut all: Vec<_> = report.processes.iter().map(starts).collect();
        all.dedup();
        assert_eq!(all.len(), report.processes.len());
    }

    #[test]
    fn each_thread_has_a_name_of_its_own() {
        let text = report_of_threads(&small(), 7).unwrap();
        let report = read::from_slice(&text).unwrap();
        let mut names = report.processes[0].threads.iter().map(|of| &of.name);
        assert_eq!(names.clone().count(), 7);
        assert_eq!(names.next_back().map(String::as_str), Some("worker 6"));
        assert_eq!(report.end, End { ..small().end });
    }
}
