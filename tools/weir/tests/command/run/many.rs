//! Very many processes: those of interest have an entry each, the others one for each executable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use weir_report::model::{EndKind, Function, Process, Report};
use weir_report::read;
use weir_report::recording::{MOST_WHOLE, fold_what_is_not_of_interest};

use super::{Place, silent, text, weir};
use crate::success;

/// 301 processes and 601 images: forks that become `cat`, the first one and one that a signal ends.
const SCRIPT: &str =
    "for i in $(seq 300); do cat /dev/null /nowhere; done 2>/dev/null; sh -c 'kill -9 $$'; exit 3";

/// The recording that keeps each of them, made once.
fn all() -> &'static Report {
    static ALL: LazyLock<Report> = LazyLock::new(|| run(&["--all-processes"]).1);
    &ALL
}

fn run(options: &[&str]) -> (Place, Report) {
    let place = Place::new();
    let output = place.run(options, &["bash", "-c", SCRIPT]).output();
    let output = output.expect("ended");
    assert_eq!(output.status.code(), Some(3));
    assert!(!text(&output.stderr).contains("weir:"));
    let report = place.report();
    (place, report)
}

fn whole(report: &Report) -> Vec<&Process> {
    let whole = report.processes.iter().filter(|of| of.folded.is_none());
    whole.collect()
}

/// What a command prints of a report.
fn shown(arguments: &[&str], report: &Path) -> String {
    let mut command = weir(arguments);
    let output = command.arg(report).output().expect("ended");
    success(&output)
}

#[test]
fn the_totals_of_a_run_do_not_depend_on_what_is_folded() {
    let all = all();
    let (place, folded) = run(&[]);
    assert_eq!(all.folded_processes, 0);
    assert!(all.processes.len() > 600, "{}", all.processes.len());
    assert_eq!(whole(&folded).len(), MOST_WHOLE);
    let images = folded.processes.iter().map(Process::stands_for);
    assert_eq!(images.sum::<u64>(), all.processes.len() as u64);
    let counts = |report: &Report| -> Vec<(String, [u64; 3])> {
        let functions = report.functions.iter();
        // How often the shell asks for the end of a child depends on when that ends, and how many bytes it asks for on the digits
        // of process ids.
        let functions = functions.filter(|(_, of)| ["alloc", "file"].contains(&&*of.family));
        let counts =
            functions.map(|(name, of)| (name.clone(), [of.calls, of.errors, of.moved_bytes]));
        counts.collect()
    };
    assert!(counts(&folded) == counts(all), "the counts differ");
    let size = |report: &Report| serde_json::to_vec(report).expect("JSON").len();
    assert!(size(&folded) * 2 < size(all));

    // The first process, and what did not end well.
    assert!(folded.processes[0].folded.is_none());
    assert_eq!(folded.end.status, Some(3));
    let killed = whole(&folded);
    let killed = killed.iter().filter(|of| of.end.how == EndKind::Signaled);
    assert_eq!(killed.count(), 1);

    let page = shown(&["report", "--width", "200"], &place.file("report.json"));
    let many = folded.folded_processes;
    let line = format!("{many} processes are in such entries; weir run --all-processes keeps each");
    assert!(page.contains(&line), "{page}");
}

/// All of functions but their histograms, whose text has a bound that depends on the order in which they were added.
fn figures(functions: &BTreeMap<String, Function>) -> BTreeMap<String, Function> {
    let mut figures = functions.clone();
    for function in figures.values_mut() {
        if let Some(latency) = &mut function.latency {
            latency.histogram.clear();
        }
    }
    figures
}

/// One recording in both forms: nobody who adds up notices.
#[test]
fn all_commands_have_the_same_totals_of_both_forms() {
    let (place, all) = (Place::new(), all());
    let mut folded = all.clone();
    fold_what_is_not_of_interest(&mut folded);
    let (one, other) = (place.file("all.json"), place.file("folded.json"));
    for (file, report) in [(&one, all), (&other, &folded)] {
        std::fs::write(file, serde_json::to_vec(report).expect("JSON")).expect("written");
    }
    for arguments in [
        &["report", "--totals"][..],
        &["export", "-f", "csv"],
        &["export", "-f", "csv", "--table", "errors"],
        &["export", "-f", "csv", "--table", "latency"],
        &["export", "-f", "csv", "--table", "files"],
        &["export", "-f", "openmetrics"],
        &["export", "-f", "otlp-json"],
        &["export", "-f", "bmf"],
    ] {
        assert_eq!(
            shown(arguments, &one),
            shown(arguments, &other),
            "{arguments:?}"
        );
    }
    let merged = |file: &Path| -> Report {
        let sum = place.file("sum.json");
        let line = [
            "merge".as_ref(),
            "-o".as_ref(),
            sum.as_os_str(),
            file.as_os_str(),
        ];
        assert_eq!(silent(&weir(line).output().expect("ended")), "");
        let mut sum = read::load(&sum).expect("a report");
        sum.processes
            .sort_by(|one, other| one.executable.cmp(&other.executable));
        sum
    };
    let (of_all, of_folded) = (merged(&one), merged(&other));
    assert_eq!(figures(&of_all.functions), figures(&of_folded.functions));
    assert_eq!(of_all.heap, of_folded.heap);
    assert_eq!(of_all.missed, of_folded.missed);
    assert_eq!(of_all.processes.len(), of_folded.processes.len());
    for (one, other) in of_all.processes.iter().zip(&of_folded.processes) {
        assert_eq!(one.executable, other.executable);
        assert_eq!(one.stands_for(), other.stands_for());
        assert_eq!(figures(&one.functions), figures(&other.functions));
        assert!(one.files == other.files, "{}", one.executable);
        assert_eq!(one.heap, other.heap);
        assert_eq!(one.activities, other.activities);
    }
    // Two reports of one recording are not compared.
    for process in &mut folded.processes {
        process.started_unix_ns += 1;
    }
    std::fs::write(&other, serde_json::to_vec(&folded).expect("JSON")).expect("written");
    let line = [
        "diff".as_ref(),
        "-f".as_ref(),
        "json".as_ref(),
        one.as_os_str(),
        other.as_os_str(),
    ];
    let output = weir(line).output().expect("ended");
    let difference: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(difference["changes"], Value::Array(Vec::new()));
    assert!(shown(&["html"], &other).contains("</html>"));
}

/// A report of each image is what was asked for.
#[test]
fn a_directory_has_every_process_all_the_same() {
    let place = Place::new();
    let script = "for i in $(seq 150); do (:); done";
    let output = place
        .run(&["--out-dir", "each"], &["bash", "-c", script])
        .output();
    assert_eq!(silent(&output.expect("ended")), "");
    let files = std::fs::read_dir(place.file("each")).expect("the directory");
    let report = place.report();
    let images: u64 = report.processes.iter().map(Process::stands_for).sum();
    assert!(report.folded_processes > 0);
    assert_eq!(files.count() as u64, images);
}
