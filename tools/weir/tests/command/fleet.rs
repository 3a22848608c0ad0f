//! `weir export --format parquet`, as DuckDB, ClickHouse and pyarrow read it, and as `weir merge` has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::run::Place;
use super::{python, read_json, refusal, sample, success, text, weir};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/fleet.md");
const A_DAY_NS: u64 = 86_400_000_000_000;
/// Midday of 2026-11-30.
const MIDDAY_NS: u64 = 1_796_040_000_000_000_000;

/// Reports of three runs of two days: two of them write as many bytes as their number one by one, the third waits for a pipe. One
/// has names.
fn recorded() -> Place {
    let place = Place::new();
    fs::create_dir(place.file("reports")).expect("a directory");
    let dd = "dd if=/dev/zero of=out bs=1 status=none count=";
    let (one, two) = (format!("{dd}1000"), format!("{dd}2000; cat missing"));
    let scripts = [&*one, &two, "(sleep 0.1; echo late) | cat"];
    for (run, script) in (1..).zip(scripts) {
        let options = ["--stacks", "all", "--time", "all", "--coop"];
        let run_it = place.run(&options, &["sh", "-c", script]).output();
        run_it.expect("ended");
        let mut report = read_json(&place.file("report.json"));
        move_to(&mut report, MIDDAY_NS - A_DAY_NS * (run % 2));
        let path = place.file(&format!("reports/{run}.json"));
        fs::write(path, report.to_string()).expect("written");
    }
    let named = place.settle(weir(["symbolize", "reports/2.json"])).output();
    assert!(named.expect("ended").status.success());
    place
}

/// Gives a report another start.
fn move_to(report: &mut Value, start_ns: u64) {
    let first = report["started_unix_ns"].as_u64().expect("a start");
    report["started_unix_ns"] = start_ns.into();
    for process in report["processes"].as_array_mut().expect("processes") {
        let after = process["started_unix_ns"].as_u64().expect("a start") - first;
        process["started_unix_ns"] = (start_ns + after).into();
    }
}

/// Runs the command, which must say nothing.
fn quietly(place: &Place, arguments: &[&str]) {
    let output = place.settle(weir(arguments)).output().expect("ended");
    assert_eq!(success(&output), "", "{arguments:?}");
}

fn export(place: &Place, reports: &[&str]) {
    let arguments = [&["export", "-f", "parquet", "-o", "fleet"], reports].concat();
    quietly(place, &arguments);
}

/// The files of the data set, with what they hold.
fn files(place: &Place) -> BTreeMap<PathBuf, Vec<u8>> {
    fn within(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => within(&path, files),
                false => _ = files.insert(path.clone(), fs::read(&path).expect("a file")),
            }
        }
    }
    let mut files_there = BTreeMap::new();
    within(&place.file("fleet"), &mut files_there);
    files_there
}

/// Has the engines read the data set, and compares it with the report `sum.json`.
fn compare(place: &Place, data: &str) {
    python::with_readers("fleet.py", place.path(), &[PAGE.as_ref(), data.as_ref()]);
}

#[test]
fn engines_have_the_numbers_of_a_merge() {
    let place = recorded();
    export(&place, &["reports"]);
    // Again: nothing counts twice.
    export(&place, &["reports/3.json", "reports/1.json"]);
    quietly(&place, &["merge", "-o", "sum.json", "reports"]);
    compare(&place, "runs");
    // What the page warns of is found.
    export(&place, &["sum.json"]);
    compare(&place, "overlap");
}

#[test]
fn engines_have_what_was_not_observed() {
    let place = Place::new();
    let mut report = sample::report();
    report
        .missed
        .notes
        .push("a note of the whole run".to_owned());
    fs::write(
        place.file("1.json"),
        serde_json::to_vec(&report).expect("JSON"),
    )
    .expect("written");
    export(&place, &["1.json"]);
    fs::rename(place.file("1.json"), place.file("sum.json")).expect("renamed");
    compare(&place, "sample");
}

#[test]
fn a_run_is_replaced_and_others_stay() {
    let place = recorded();
    export(&place, &["reports/1.json"]);
    let one = files(&place);
    assert_eq!(one.len(), 11);
    export(&place, &["reports/2.json"]);
    let two = files(&place);
    assert_eq!(two.len(), 22);
    // Another report of the first run, such as one at an interval.
    let mut earlier = read_json(&place.file("reports/1.json"));
    earlier["duration_ns"] = 1.into();
    fs::write(place.file("earlier.json"), earlier.to_string()).expect("written");
    export(&place, &["earlier.json"]);
    let of_run = |path: &PathBuf| path.starts_with(place.file("fleet/run"));
    let now = files(&place);
    assert!(now.keys().eq(two.keys()));
    let changed: Vec<&PathBuf> = now.keys().filter(|&path| now[path] != two[path]).collect();
    assert!(changed.len() == 1 && of_run(changed[0]), "{changed:?}");
    export(&place, &["reports/1.json"]);
    assert_eq!(files(&place), two);

    let day = |path: &PathBuf| {
        path.to_string_lossy()
            .contains("/day=2026-11-29/service=dash/")
    };
    assert!(one.keys().all(day), "{:?}", one.keys());
}

/// What cannot be a name in a path has another form there.
#[test]
fn a_service_with_a_strange_name_is_found() {
    let place = Place::new();
    let mut report = sample::report();
    report.processes[0].executable = format!("/bin/a b=%/ü{}", "x".repeat(300));
    fs::write(
        place.file("1.json"),
        serde_json::to_vec(&report).expect("JSON"),
    )
    .expect("written");
    export(&place, &["1.json"]);
    let paths = files(&place);
    let expected = format!("/service=%C3%BC{}/", "x".repeat(194));
    let is_there = |path: &PathBuf| path.to_string_lossy().contains(&expected);
    assert!(paths.keys().all(is_there), "{:?}", paths.keys().next());
}

#[test]
fn what_cannot_be_exported_is_refused_in_a_line() {
    let place = Place::new();
    let report = serde_json::to_vec(&sample::report()).expect("JSON");
    fs::write(place.file("1.json"), &report).expect("written");
    fs::write(place.file("copy.json"), &report).expect("written");
    fs::write(place.file("half.json"), &report[..report.len() / 2]).expect("written");
    let newer = text(&report).replacen("weir.report/1", "weir.report/2", 1);
    fs::write(place.file("newer.json"), newer).expect("written");
    let skip = "--skip-unreadable leaves such files out";
    let refusals: [(&[&str], i32, &[&str]); 11] = [
        (&["1.json"], 2, &["parquet needs --out"]),
        (
            &["1.json", "-o", "1.json"],
            125,
            &["it is not a directory; --out names"],
        ),
        (
            &["1.json", "-o", "1.json/x"],
            125,
            &["cannot make 1.json/x: Not a directory"],
        ),
        (
            &["1.json", "-o", "/proc/x"],
            125,
            &["cannot make /proc/x: No such file"],
        ),
        (
            &["half.json", "-o", "x"],
            125,
            &["half.json: it is cut off", skip],
        ),
        (
            &["newer.json", "-o", "x"],
            125,
            &["in the format weir.report/2", skip],
        ),
        (
            &["1.json", "copy.json", "-o", "x"],
            2,
            &["are of the same recording"],
        ),
        (
            &["1.json", "-o", "x", "--process", "4711"],
            2,
            &["--process is for other formats"],
        ),
        (
            &["1.json", "-o", "x", "--focus", "f"],
            2,
            &["--focus is for other formats"],
        ),
        (
            &["1.json", "-o", "x", "--table", "files"],
            2,
            &["--table is for the formats csv"],
        ),
        (&["-o", "x"], 2, &["required arguments were not provided"]),
    ];
    for (arguments, code, parts) in refusals {
        let arguments = [&["export", "-f", "parquet"], arguments].concat();
        let output = place.settle(weir(&arguments)).output().expect("ended");
        let (exit_code, line) = refusal(&output);
        assert_eq!(exit_code, code, "{arguments:?}: {line}");
        for part in parts {
            assert!(line.contains(part), "{arguments:?}: {line}");
        }
    }
    let for_parquet = [
        (
            &["1.json", "copy.json"][..],
            "only the format parquet takes several",
        ),
        (
            &["1.json", "--skip-unreadable"],
            "--skip-unreadable is for the format",
        ),
    ];
    for (arguments, part) in for_parquet {
        let arguments = [&["export", "-f", "csv"], arguments].concat();
        let output = place.settle(weir(&arguments)).output().expect("ended");
        let (code, line) = refusal(&output);
        assert_eq!((code, line.contains(part)), (2, true), "{line}");
    }
}

/// One report that is cut off does not keep the others out.
#[test]
fn unreadable_reports_are_skipped_where_that_is_asked_for() {
    let place = Place::new();
    let report = serde_json::to_vec(&sample::report()).expect("JSON");
    fs::write(place.file("a.json"), &report[..report.len() / 2]).expect("written");
    fs::write(place.file("b.json"), &report).expect("written");
    let arguments = [
        "export",
        "-f",
        "parquet",
        "--skip-unreadable",
        "-o",
        "fleet",
        "a.json",
        "b.json",
    ];
    let output = place.settle(weir(arguments)).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("weir: skipped: cannot read a.json"),
        "{said}"
    );
    assert_eq!(files(&place).len(), 11);
}
