//! `weir merge`: reports of several runs, and their sum.

use std::fs;

use serde_json::Value;

use super::run::Place;
use super::{read_json, refusal, success, text, weir};

/// A place with reports of as many runs: each writes as many bytes as its number, one by one.
fn recorded(runs: u32) -> Place {
    let place = Place::new();
    fs::create_dir(place.file("reports")).expect("a directory");
    for run in 1..=runs {
        let count = format!("count={run}");
        let report = format!("reports/{run}.json");
        let dd = [
            "dd",
            "if=/dev/zero",
            "of=out",
            "bs=1",
            &count,
            "status=none",
        ];
        let output = place
            .run(&["--stacks", "all"], &dd)
            .output()
            .expect("ended");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        fs::rename(place.file("report.json"), place.file(&report)).expect("a report");
    }
    place
}

fn merged(place: &Place, reports: &[&str]) -> Value {
    let arguments = [&["merge", "--out", "sum.json"], reports].concat();
    let output = place.settle(weir(&arguments)).output().expect("ended");
    assert_eq!(success(&output), "");
    read_json(&place.file("sum.json"))
}

/// The count at a path; 0 where there is none.
fn number(document: &Value, path: &[&str]) -> u64 {
    let found = path.iter().fold(document, |value, name| &value[*name]);
    found.as_u64().unwrap_or(0)
}

fn sum(documents: &[Value], path: &[&str]) -> u64 {
    documents.iter().map(|of| number(of, path)).sum()
}

/// The functions, with their percentiles. The text of equal histograms depends on the order in which they grew.
fn without_histograms(report: &Value) -> Value {
    let mut functions = report["functions"].clone();
    for function in functions.as_object_mut().expect("functions").values_mut() {
        if let Some(latency) = function.get_mut("latency").and_then(Value::as_object_mut) {
            latency.remove("histogram").expect("a histogram");
        }
    }
    functions
}

#[test]
fn a_merge_is_the_sum_of_all_counts() {
    let place = recorded(4);
    let parts: Vec<Value> = (1..=4)
        .map(|run| read_json(&place.file(&format!("reports/{run}.json"))))
        .collect();
    let whole = merged(&place, &["reports"]);
    assert_eq!(whole["runs"], 4);
    assert_eq!(whole["functions"]["write"]["calls"], 1 + 2 + 3 + 4);
    assert_eq!(whole["functions"]["write"]["moved_bytes"], 1 + 2 + 3 + 4);
    let functions = whole["functions"].as_object().expect("functions");
    for name in functions.keys() {
        for field in ["calls", "errors", "requested_bytes", "moved_bytes"] {
            let path = ["functions", name, field];
            assert_eq!(number(&whole, &path), sum(&parts, &path), "{path:?}");
        }
        for field in ["timed", "total_ns"] {
            let path = ["functions", name, "latency", field];
            assert_eq!(number(&whole, &path), sum(&parts, &path), "{path:?}");
        }
    }
    for path in [
        ["heap", "live_bytes"],
        ["heap", "live_blocks"],
        ["heap", "peak_bytes"],
    ] {
        assert_eq!(number(&whole, &path), sum(&parts, &path), "{path:?}");
    }
    assert_eq!(
        number(&whole, &["duration_ns"]),
        sum(&parts, &["duration_ns"])
    );
    let out = whole["files"]["listed"].as_array().expect("files").iter();
    let mut out = out.filter(|file| {
        file["name"]
            .as_str()
            .is_some_and(|name| name.ends_with("/out"))
    });
    let out = out.next().expect("the file that was written");
    assert_eq!((&out["writes"], &out["opens"]), (&10.into(), &4.into()));
    let sites = whole["processes"][0]["stacks"]["sites"]
        .as_array()
        .expect("sites")
        .iter();
    let written = sites.filter(|site| site["function"] == "write");
    assert_eq!(
        written
            .map(|site| site["calls"].as_u64().expect("a count"))
            .sum::<u64>(),
        10
    );

    // In another order, of parts of it, and onto one of its parts.
    let again = merged(&place, &["reports/3.json", "reports/2.json"]);
    assert_eq!(again["functions"]["write"]["calls"], 5);
    fs::rename(place.file("sum.json"), place.file("half.json")).expect("renamed");
    let again = merged(&place, &["reports/4.json", "half.json", "reports/1.json"]);
    assert_eq!(again["runs"], 4);
    assert_eq!(without_histograms(&again), without_histograms(&whole));
    assert_eq!(again["heap"], whole["heap"]);
}

/// An earlier sum in the directory, and what is no regular file, are no parts.
#[test]
fn a_directory_is_merged_again_and_again() {
    let place = recorded(2);
    let fifo = std::process::Command::new("mkfifo")
        .arg(place.file("reports/fifo.json"))
        .status();
    assert!(fifo.expect("started").success());
    for _ in 0..3 {
        let arguments = ["merge", "--out", "reports/sum.json", "reports"];
        let output = place.settle(weir(arguments)).output().expect("ended");
        assert_eq!(success(&output), "");
        assert_eq!(read_json(&place.file("reports/sum.json"))["runs"], 2);
    }
}

#[test]
fn reports_that_were_made_with_other_settings_are_reported() {
    let place = recorded(1);
    let dd = [
        "dd",
        "if=/dev/zero",
        "of=out",
        "bs=1",
        "count=1",
        "status=none",
    ];
    let output = place
        .run(&["--time", "off", "--stacks", "all"], &dd)
        .output()
        .expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let arguments = [
        "merge",
        "--out",
        "sum.json",
        "report.json",
        "reports/1.json",
    ];
    let output = place.settle(weir(arguments)).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stderr).contains("made with different settings"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_sum_is_not_added_to_its_copy_or_to_its_parts() {
    let place = recorded(3);
    merged(&place, &["reports/1.json", "reports/2.json"]);
    fs::copy(place.file("sum.json"), place.file("copy.json")).expect("copied");
    merged(&place, &["copy.json", "reports/3.json"]);
    for (one, other, reason) in [
        ("sum.json", "copy.json", "are of the same recording"),
        ("sum.json", "reports/2.json", "are of the same recording"),
        ("reports/3.json", "sum.json", "are of the same recording"),
        ("twice.json", "sum.json", "is one of the reports"),
    ] {
        fs::write(place.file("twice.json"), b"{}").expect("written");
        let arguments = ["merge", "--out", "twice.json", one, other];
        let output = place.settle(weir(arguments)).output().expect("ended");
        let (code, line) = refusal(&output);
        assert_eq!(code, 2);
        assert!(line.contains(reason), "{line}");
    }
}

#[test]
fn the_sum_is_a_report() {
    let place = recorded(2);
    merged(&place, &["reports"]);
    let report = weir(["report", "sum.json"]);
    let output = place.settle(report).output().expect("ended");
    let page = text(&output.stdout);
    assert!(
        page.contains("2 times, ") && page.contains("2 processes"),
        "{page}"
    );
    let to_output = weir(["merge", "--out", "-", "reports"]);
    let output = place.settle(to_output).output().expect("ended");
    assert_eq!(
        output.stdout,
        fs::read(place.file("sum.json")).expect("a report")
    );
}

#[test]
fn what_cannot_be_merged_is_refused_in_a_line_and_nothing_is_written() {
    let place = recorded(1);
    fs::create_dir(place.file("empty")).expect("a directory");
    let report = fs::read(place.file("reports/1.json")).expect("a report");
    fs::write(place.file("half.json"), &report[..report.len() / 2]).expect("written");
    fs::write(place.file("copy.json"), &report).expect("written");
    let refusals = [
        (
            &["reports/1.json", "copy.json"][..],
            2,
            "are of the same recording",
        ),
        (
            &["reports/1.json", "half.json"],
            125,
            "--skip-unreadable leaves such files out",
        ),
        (&["-", "-"], 2, "standard input can be one report only"),
        (&["missing.json"], 125, "cannot read missing.json"),
        (&["empty"], 125, "has no file that ends with .json"),
        (&["half.json", "--skip-unreadable"], 125, ""),
        (&[], 2, "REPORT"),
    ];
    for (reports, code, reason) in refusals {
        let arguments = [&["merge", "--out", "sum.json"], reports].concat();
        let output = place.settle(weir(&arguments)).output().expect("ended");
        match reason {
            "" => assert_eq!(output.status.code(), Some(code), "{reports:?}"),
            reason => {
                let (exit_code, line) = refusal(&output);
                assert_eq!(exit_code, code, "{reports:?}");
                assert!(line.contains(reason), "{reports:?}: {line}");
            }
        }
        assert!(!place.file("sum.json").exists(), "{reports:?}");
    }
    let arguments = [
        "merge",
        "--out",
        "sum.json",
        "--skip-unreadable",
        "half.json",
        "reports",
    ];
    let output = place.settle(weir(arguments)).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("weir: skipped: cannot read half.json"),
        "{said}"
    );
    assert_eq!(
        read_json(&place.file("sum.json"))["functions"]["write"]["calls"],
        1
    );
}

/// A program with LD_PRELOAD alone leaves a report for each process. A directory of them is one report for every command.
#[test]
fn a_directory_is_one_run_for_the_other_commands() {
    let place = recorded(3);
    let merge = ["merge", "--one-run", "-o", "one.json", "reports"];
    let output = place.settle(weir(merge)).output().expect("ended");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let parts = [1, 2, 3].map(|run| read_json(&place.file(&format!("reports/{run}.json"))));
    let one = read_json(&place.file("one.json"));
    assert_eq!(one["processes"].as_array().map(Vec::len), Some(3));
    assert_eq!(one["runs"], Value::Null, "a sum says how many");
    let writes = ["functions", "write", "calls"];
    assert_eq!(number(&one, &writes), sum(&parts, &writes));
    assert_eq!(one["started_unix_ns"], parts[0]["started_unix_ns"]);
    // They began one after the other, and none of them by another.
    let notes = one["missed"]["notes"].to_string();
    assert!(notes.contains("seem to be of several runs"), "{notes}");
    let shown = |file: &str| {
        let output = place.settle(weir(["report", file])).output();
        let output = output.expect("ended");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(shown("reports"), shown("one.json"));
}

#[test]
fn what_of_a_run_cannot_be_read_is_left_out_and_told() {
    let place = recorded(2);
    fs::write(place.file("reports/3.json"), "{").expect("a file");
    let output = place.settle(weir(["report", "reports"])).output();
    let output = output.expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("weir: left out: cannot read reports/3.json: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
    let shown = text(&output.stdout);
    assert!(
        shown.contains("1 file of the run could not be read"),
        "{shown}"
    );

    for number in [1, 2] {
        fs::remove_file(place.file(&format!("reports/{number}.json"))).expect("a report");
    }
    let said = refused(&place, &["report", "reports"]);
    assert!(said.starts_with("cannot read reports/3.json: "), "{said}");
    fs::remove_file(place.file("reports/3.json")).expect("a file");
    let said = refused(&place, &["report", "reports"]);
    assert_eq!(said, "reports has no file that ends with .json");
}

#[test]
fn no_call_of_a_run_counts_twice() {
    let place = recorded(2);
    fs::copy(place.file("reports/1.json"), place.file("reports/3.json")).expect("a copy");
    let said = refused(&place, &["report", "reports"]);
    assert!(said.contains("are of the same recording"), "{said}");
    fs::remove_file(place.file("reports/3.json")).expect("a file");
    merged(&place, &["reports"]);
    fs::rename(place.file("sum.json"), place.file("reports/3.json")).expect("a sum");
    let said = refused(&place, &["report", "reports"]);
    assert!(
        said.contains("reports/3.json is the sum of several runs"),
        "{said}"
    );
    let said = refused(&place, &["symbolize", "reports"]);
    assert!(
        said.contains("cannot write back to the files of a directory"),
        "{said}"
    );
}

/// What weir says where it fails, as it does for reports that it cannot take.
fn refused(place: &Place, arguments: &[&str]) -> String {
    let output = place.settle(weir(arguments)).output().expect("ended");
    let (code, line) = refusal(&output);
    assert!(code != 0, "{line}");
    line
}
