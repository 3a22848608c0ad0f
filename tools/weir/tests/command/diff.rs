//! `weir diff`: which reports are of which side, and what is refused.

mod page;

use super::{refusal, sample, success, text, weir};

/// A directory with the report of the tests, a later one, and half of one.
fn reports() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(directory.path().join(name), bytes).expect("written");
    };
    let json = serde_json::to_vec(&sample::report()).expect("JSON");
    write("before.json", &json);
    write("half.json", &json[..json.len() / 2]);
    let later = serde_json::to_vec(&sample::later()).expect("JSON");
    write("after.json", &later);
    for (name, mut report, later) in [
        ("before-2.json", sample::report(), 1),
        ("after-2.json", sample::later(), 2),
    ] {
        for process in &mut report.processes {
            process.started_unix_ns += later;
        }
        write(name, &serde_json::to_vec(&report).expect("JSON"));
    }
    directory
}

#[test]
fn a_side_is_one_report_or_several() {
    let directory = reports();
    let outcomes = [
        (&["before.json", "after.json"][..], "openat"),
        (&["before.json", "--after", "after.json"], "openat"),
        (
            &[
                "before.json",
                "before-2.json",
                "--after",
                "after.json",
                "after-2.json",
            ],
            "2 runs",
        ),
        (
            &["before.json", "--after", "before-2.json", "after-2.json"],
            "nothing that was compared",
        ),
        (&["before.json", "before.json"], "nothing that was compared"),
    ];
    for (files, shown) in outcomes {
        let arguments = [&["diff"], files].concat();
        let output = weir(&arguments)
            .current_dir(&directory)
            .output()
            .expect("ended");
        let page = success(&output);
        assert!(page.contains(shown), "{files:?}\n{page}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused_in_a_line() {
    let directory = reports();
    let refusals = [
        (&["before.json"][..], 2, "one report is nothing to compare"),
        (
            &["before.json", "after.json", "after.json"],
            2,
            "--after must stand before",
        ),
        (
            &["before.json", "before.json", "--after", "after.json"],
            2,
            "are of the same recording",
        ),
        (&["-", "-"], 2, "standard input can be one report only"),
        (&["before.json", "after.json", "--top", "0"], 2, "--top"),
        (
            &["before.json", "missing.json"],
            125,
            "cannot read missing.json",
        ),
        (&["half.json", "after.json"], 125, "cannot read half.json"),
        (
            &["before.json", "--after", "after.json", "half.json"],
            125,
            "cannot read half.json",
        ),
    ];
    for (arguments, code, reason) in refusals {
        let arguments = [&["diff"], arguments].concat();
        let output = weir(&arguments)
            .current_dir(&directory)
            .output()
            .expect("ended");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        let (exit_code, line) = refusal(&output);
        assert_eq!(exit_code, code, "{arguments:?}");
        assert!(line.contains(reason), "{arguments:?}: {line}");
    }
}
