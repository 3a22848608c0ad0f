use weir_report::model::{Frame, Module, Site, Stacks};

use super::*;
use crate::sample;

fn look(sort: Sort) -> Look {
    Look {
        sort,
        top: None,
        width: WIDTH,
        is_terminal: false,
        coloured: false,
    }
}

fn text(report: &Report, path: &str, look: Look) -> String {
    let mut out = Vec::new();
    summary(report, Path::new(path), look, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_summary_fits_narrow_and_wide_terminals() {
    for columns in [60, 80, 120, 200] {
        let look = Look {
            width: columns - HEAD.len(),
            is_terminal: true,
            ..look(Sort::Time)
        };
        let mut report = sample::report();
        report.processes[0].stacks = Some(stacks());
        let text = text(&report, "weir.bash.4711.json", look);
        for line in text.lines() {
            assert!(text::width(line) <= columns, "{columns}: {line}");
        }
        insta::assert_snapshot!(format!("summary_{columns}"), text);
    }
}

#[test]
fn tables_have_as_many_lines_as_asked_for() {
    let rows = |top| {
        let look = Look {
            top,
            ..look(Sort::Time)
        };
        let lines = lines(&sample::report(), Path::new("x"), &look);
        let head = lines.iter().position(|line| line.contains("p50"));
        let end = lines
            .iter()
            .position(|line| line.starts_with("file or socket"));
        end.expect("files") - head.expect("functions") - 1
    };
    assert_eq!([rows(None), rows(Some(1)), rows(Some(9))], [4, 1, 9]);
}

#[test]
fn a_summary_is_short_and_every_line_is_weirs() {
    let text = text(&sample::report(), "weir.bash.4711.json", look(Sort::Time));
    insta::assert_snapshot!(text);
    assert!((8..=22).contains(&text.lines().count()));
    for line in text.lines() {
        assert!(line.starts_with("weir: "), "{line}");
    }
}

#[test]
fn the_manual_shows_the_summary_as_it_is() {
    let manual = include_str!("../../../../docs/commands.md");
    let summary = text(&sample::report(), "weir.bash.4711.json", look(Sort::Time));
    assert!(
        manual.contains(&summary),
        "docs/commands.md should have:\n{summary}"
    );
}

#[test]
fn a_program_that_called_nothing_has_a_summary_all_the_same() {
    let mut report = sample::report();
    report.functions.clear();
    report.activities.clear();
    report.files = Default::default();
    report.processes.truncate(1);
    report.missed = Default::default();
    insta::assert_snapshot!(text(&report, "/reports/a b\n.json", look(Sort::Calls)));
}

#[test]
fn waits_do_not_hide_the_rest() {
    let report = sample::report();
    let by_time = lines(&report, Path::new("x"), &look(Sort::Time)).join("\n");
    assert!(!by_time.contains("epoll"), "{by_time}");
    assert!(by_time.contains(" waiting"), "{by_time}");
}

/// Five sites of a program without debug information.
fn stacks() -> Stacks {
    let frame = |offset| Frame {
        parent: None,
        module: Some(0),
        offset,
    };
    let site = |frame, function: &str, requested_bytes, time_ns| Site {
        frame: Some(frame),
        function: function.to_owned(),
        calls: 3,
        requested_bytes,
        time_ns,
        ..Site::default()
    };
    Stacks {
        modules: vec![Module {
            path: "/nowhere/a.out".to_owned(),
            build_id: None,
            ..Module::default()
        }],
        frames: (1..=5).map(frame).collect(),
        sites: vec![
            site(0, "malloc", 1 << 10, 0),
            site(1, "malloc", 3 << 10, 0),
            site(2, "malloc", 1, 0),
            site(3, "calloc", 2, 0),
            site(4, "read", 1, 2000),
        ],
        ..Stacks::default()
    }
}

#[test]
fn call_sites_are_there_where_they_were_recorded() {
    let mut report = sample::report();
    report.processes[0].stacks = Some(stacks());
    let lines = lines(&report, Path::new("x"), &look(Sort::Time));
    let head = lines.iter().position(|line| line.starts_with("call site "));
    let rows: Vec<String> = lines[head.expect("a table") + 1..][..4]
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "a.out+0x2 malloc 3 74.9 % of 4.00 KiB",
        "a.out+0x1 malloc 3 25.0 % of 4.00 KiB",
        "a.out+0x4 calloc 3 <0.1 % of 4.00 KiB",
        "a.out+0x5 read 3 100 % of 2.00 µs",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_report_without_times_has_none() {
    let mut report = sample::report();
    for activity in report.activities.values_mut() {
        activity.total_ns = 0;
    }
    let lines = lines(&report, Path::new("x"), &look(Sort::Time));
    assert!(
        lines.iter().all(|line| !line.starts_with("time ")),
        "{lines:?}"
    );
}

#[test]
fn the_order_is_the_one_asked_for() {
    let report = sample::report();
    let first = |sort| {
        let lines = lines(&report, Path::new("x"), &look(sort));
        let title = lines
            .iter()
            .position(|line| line.contains("p50"))
            .expect("a table");
        lines[title + 1]
            .split_whitespace()
            .next()
            .map(str::to_owned)
    };
    assert_eq!(first(Sort::Calls).as_deref(), Some("free"));
    assert_eq!(first(Sort::Bytes).as_deref(), Some("malloc"));
}
