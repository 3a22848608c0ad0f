//! What `weir diff` says of a program that makes known calls: all that differs, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{finish, scratch, succeed, victim, weir};

/// A report of the program: how many calls it makes, and how long it sleeps in each of 300.
fn record(folder: &Path, report: &str, stacks: &str, calls: u32, sleep_us: u32) {
    let mut run = Command::new(weir::command());
    run.args(["run", "--quiet", "--stacks", stacks, "--out", report, "--"]);
    run.arg(victim("repeats"));
    run.args([calls.to_string(), sleep_us.to_string()]);
    succeed(run.current_dir(folder), b"");
}

fn diff(folder: &Path, arguments: &[&str]) -> String {
    let mut diff = Command::new(weir::command());
    diff.arg("diff").args(arguments).current_dir(folder);
    let (status, output, errors) = finish(&mut diff, b"");
    let errors = String::from_utf8_lossy(&errors);
    assert!(status.success() && errors.is_empty(), "{status} {errors}");
    String::from_utf8(output).expect("UTF-8")
}

/// The changes but those of latencies: what each is of, and by how much it grew.
fn changes(folder: &Path, arguments: &[&str]) -> BTreeMap<String, i64> {
    let json = diff(folder, &[arguments, &["--format", "json"]].concat());
    let document: Value = serde_json::from_str(&json).expect("JSON");
    let changes = document["changes"].as_array().expect("changes").iter();
    let changes = changes.filter(|change| change["section"] != "latency");
    let named = changes.map(|change| {
        let text = |field: &str| change[field].as_str().unwrap_or_default();
        let name = text("name").rsplit('/').next().unwrap_or_default();
        let name = format!(
            "{} {name} {} {}",
            text("section"),
            text("by"),
            text("metric")
        );
        let value = |side: &str| change[side]["value"].as_i64().expect("a number");
        (name, value("after") - value("before"))
    });
    named.collect()
}

fn expected<const N: usize>(changes: [(&str, i64); N]) -> BTreeMap<String, i64> {
    let named = changes.map(|(name, by)| (name.to_owned(), by));
    named.into()
}

#[test]
fn all_that_differs_is_found_and_nothing_else() {
    let folder = scratch();
    let folder = folder.path();
    record(folder, "1.json", "all", 2000, 1);
    record(folder, "2.json", "all", 2000, 1);
    record(folder, "3.json", "all", 2014, 1);
    record(folder, "4.json", "all", 2014, 1);
    record(folder, "5.json", "all", 2000, 1);
    assert_eq!(changes(folder, &["1.json", "2.json"]), expected([]));
    let by_14 = expected([
        ("whole   activities.transfer.calls", 14),
        ("whole   leak_blocks", 7),
        ("whole   leak_bytes", 7000),
        ("functions malloc  calls", 14),
        ("functions malloc  requested_bytes", 14_000),
        ("functions free  calls", 7),
        ("functions write  calls", 14),
        ("functions write  requested_bytes", 1400),
        ("functions write  moved_bytes", 1400),
        ("files stored  writes", 14),
        ("files stored  written_bytes", 1400),
        ("sites malloc keep (repeats.c) calls", 14),
        ("sites malloc keep (repeats.c) requested_bytes", 14_000),
        ("sites malloc keep (repeats.c) leak_bytes", 7000),
        ("sites malloc keep (repeats.c) temporary_blocks", 7),
        ("sites write store (repeats.c) calls", 14),
        ("sites write store (repeats.c) moved_bytes", 1400),
    ]);
    assert_eq!(changes(folder, &["1.json", "3.json"]), by_14);
    // Several runs of a side; one with as many calls as the other side's is enough for no difference.
    let runs = |after: &'static str| ["1.json", "2.json", "--after", "3.json", after];
    assert_eq!(changes(folder, &runs("4.json")), by_14);
    assert_eq!(changes(folder, &runs("5.json")), expected([]));
}

/// Of samples the sites are not exact, and all else is.
#[test]
fn samples_differ_where_they_surely_do() {
    let folder = scratch();
    let folder = folder.path();
    let of_sites = |arguments: &[&str]| {
        let changes = changes(folder, arguments).into_iter();
        let sites = changes.filter(|(name, _)| name.starts_with("sites"));
        sites.map(|(name, _)| name).collect::<Vec<String>>()
    };
    record(folder, "all.json", "all", 4000, 1);
    record(folder, "1.json", "sampled", 4000, 1);
    record(folder, "2.json", "sampled", 4014, 1);
    record(folder, "3.json", "sampled", 100_000, 1);
    assert_eq!(
        changes(folder, &["1.json", "2.json"])["functions malloc  calls"],
        14
    );
    for nearly in [
        ["1.json", "2.json"],
        ["all.json", "1.json"],
        ["2.json", "all.json"],
    ] {
        let sites = of_sites(&nearly);
        assert!(
            !sites.iter().any(|site| site.contains("malloc")),
            "{nearly:?} {sites:?}"
        );
    }
    let sites = of_sites(&["1.json", "3.json"]);
    for site in [
        "sites malloc keep (repeats.c) requested_bytes",
        "sites malloc keep (repeats.c) leak_bytes",
        "sites write store (repeats.c) calls",
    ] {
        assert!(sites.iter().any(|one| one == site), "{site}: {sites:?}");
    }
}

/// A program's modules have functions of one name.
#[test]
fn functions_of_one_name_are_distinguished_by_their_file() {
    let folder = scratch();
    let folder = folder.path();
    let load = "import os\ndef load(file, count):\n    for _ in range(count):\n        os.pread(file, 1, 0)\n";
    for module in ["one.py", "other.py"] {
        std::fs::write(folder.join(module), load).expect("written");
    }
    let program = "import os, sys, one, other\nfile = os.open('one.py', os.O_RDONLY)\none.load(file, int(sys.argv[1]))\nother.load(file, int(sys.argv[2]))\n";
    std::fs::write(folder.join("program.py"), program).expect("written");
    for (report, counts) in [("1.json", ["3000", "1000"]), ("2.json", ["1000", "3000"])] {
        let mut run = Command::new(weir::command());
        run.args(["run", "--quiet", "--stacks", "all", "--out", report, "--"]);
        run.args(["/usr/bin/python3", "-B", "program.py"])
            .args(counts);
        succeed(run.current_dir(folder), b"");
    }
    let changes = changes(folder, &["1.json", "2.json"]);
    let of = |file: &str| changes.get(&format!("sites pread64 load ({file}.py) calls"));
    assert_eq!(
        (of("one"), of("other")),
        (Some(&-2000), Some(&2000)),
        "{changes:?}"
    );
}

#[test]
fn a_function_that_takes_longer_is_named() {
    let folder = scratch();
    let folder = folder.path();
    record(folder, "1.json", "off", 100, 100);
    record(folder, "2.json", "off", 100, 1000);
    let page = diff(folder, &["1.json", "2.json", "--width", "100"]);
    let latency = page
        .split("\n\n")
        .find(|section| section.starts_with("Latency"));
    let latency = latency.unwrap_or_else(|| panic!("{page}"));
    let line = latency
        .lines()
        .find(|line| line.trim_start().starts_with("usleep"));
    assert!(line.is_some_and(|line| line.contains("p50")), "{page}");
}
