//! What processes took of the machine, on both sides.

use weir_report::model::{TimelinePoint, Usage};

use super::*;

const MS: u64 = 1_000_000;

/// A process that was read so many milliseconds before its end: its size in KiB, its CPU time in milliseconds, its page faults.
fn read(before_end: u64, (size, cpu, faults): (u64, u64, u64)) -> Report {
    let mut report = sample::report();
    report.processes.drain(..2);
    let process = &mut report.processes[0];
    process.duration_ns = 1000 * MS;
    process.timeline.points = vec![TimelinePoint {
        at_ns: (1000 - before_end) * MS,
        usage: Some(Usage {
            resident_bytes: size << 10,
            minor_faults: faults,
            major_faults: faults,
            user_ns: (cpu - 10) * MS,
            system_ns: 10 * MS,
        }),
        ..TimelinePoint::default()
    }];
    report
}

fn runs(taken: [(u64, u64, u64); 5]) -> Vec<Report> {
    taken.map(|taken| read(50, taken)).to_vec()
}

fn of_usage(comparison: &Comparison) -> Vec<&str> {
    let changes = comparison.of(Section::Usage);
    changes.map(|change| change.key.metric.as_str()).collect()
}

#[test]
fn it_is_shown_and_no_change_of_single_runs() {
    let sides = sides(
        vec![read(50, (20 << 10, 100, 7))],
        vec![read(50, (80 << 10, 400, 7))],
    );
    let comparison = sides.compared();
    assert_eq!(metrics(&comparison), [""; 0]);
    let page = page(&sides, 200);
    for line in [
        "largest resident size ≈20.0 MiB ≈80.0 MiB +60.0 MiB × 4.0",
        "CPU time ≈100 ms ≈400 ms +300 ms × 4.0",
        "page faults with I/O ≈7 ≈7 0 –",
        "Read while the processes ran: the least that they took. These numbers vary from run to run; 5 runs of each side are needed to decide whether they differ.",
    ] {
        let mut lines = page.lines();
        let has = |one: &str| one.split_whitespace().collect::<Vec<_>>().join(" ") == line;
        assert!(lines.any(has), "{line}\n{page}");
    }
}

#[test]
fn runs_differ_by_more_than_readings_are_wrong_by() {
    let before = [10, 12, 11, 13, 14].map(|more| (20_000 + more, 100 + more, 100 + more));
    let found = |size: u64, cpu: u64, faults: u64| {
        let after = [0, 1, 2, 3, 4].map(|more| (size + more, cpu + more, faults + more));
        let sides = sides(runs(before), runs(after));
        let comparison = sides.compared();
        assert_eq!(comparison.usage.len(), 4);
        of_usage(&comparison).join(" ")
    };
    // The greatest of the runs before are 20,014 KiB, 114 ms and 114 faults.
    assert_eq!(found(20_014, 114, 114), "");
    assert_eq!(found(20_014 + 1024, 114 + 20, 114), "");
    assert_eq!(found(20_014 + 1025, 114, 114), "usage.resident_bytes");
    assert_eq!(found(20_014, 114 + 21, 114), "usage.cpu_ns");
    let faults = "usage.major_faults usage.minor_faults";
    assert_eq!(found(20_014, 114, 115), faults);
    // The least of the runs before are 20,010 KiB, 110 ms and 110 faults.
    assert_eq!(found(20_010 - 1024 - 4, 90 - 4, 110 - 4), "");
    assert_eq!(found(20_010 - 1024 - 5, 110, 110), "usage.resident_bytes");
    assert_eq!(found(20_010, 89 - 4, 110), "usage.cpu_ns");
    assert_eq!(found(20_010, 110, 109 - 4), faults);
}

#[test]
fn four_runs_are_too_few() {
    let four = |size| vec![read(50, (size, 100, 1)); 4];
    let sides = sides(four(1 << 10), four(90 << 10));
    assert_eq!(of_usage(&sides.compared()), [""; 0]);
}

/// Before its end it may have taken more, and not less.
#[test]
fn what_was_not_read_to_the_end_is_the_least() {
    let early = |size| vec![read(600, (size, 100, 1)); 5];
    let whole = |size| vec![read(50, (size, 100, 1)); 5];
    let (little, much) = (1 << 10, 90 << 10);
    let grown = sides(early(little), whole(much));
    assert_eq!(of_usage(&grown.compared()), [""; 0]);
    let shrunk = sides(early(much), whole(little));
    assert_eq!(of_usage(&shrunk.compared()), ["usage.resident_bytes"]);
    let page = page(&grown, 200);
    for part in [
        "≥1.00 MiB  ≈90.0 MiB",
        "before (before0.json): what 1 process took of the machine was not read up to the end",
    ] {
        assert!(page.contains(part), "{page}");
    }
    let text = json::text(&grown, &grown.compared()).expect("JSON");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let expected = serde_json::json!({
        "section": "usage",
        "metric": "usage.resident_bytes",
        "unit": "bytes",
        "before": { "value": 1024 << 10, "low": 512 << 10, "high": null },
        "after": { "value": 90 << 20, "low": (90 << 20) - (512 << 10), "high": (90 << 20) + (512 << 10) },
    });
    let usage = document["usage"].as_array().expect("a list");
    let named = |one: &&serde_json::Value| one["metric"] == "usage.resident_bytes";
    assert_eq!(usage.iter().find(named), Some(&expected));
}

#[test]
fn without_readings_nothing_is_compared() {
    let none = || {
        let mut report = read(50, (1, 10, 1));
        report.processes[0].timeline.points.clear();
        report
    };
    let reason = "it was not read what processes took of the machine, so that is not compared";
    let sides_of = |before, after| sides(vec![before], vec![after]);
    let one = sides_of(none(), read(50, (1, 10, 1)));
    assert!(one.compared().usage.is_empty());
    let text = page(&one, 200);
    assert!(text.contains(&format!("before: {reason}")), "{text}");
    assert!(!text.contains("Machine"), "{text}");
    let neither = sides_of(none(), none());
    let text = page(&neither, 200);
    assert!(
        !text.contains(reason) && !text.contains("of the machine"),
        "{text}"
    );
}
