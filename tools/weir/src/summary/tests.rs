use super::*;
use crate::sample;

fn text(report: &Report, path: &str, sort: Sort) -> String {
    let mut out = Vec::new();
    summary(report, Path::new(path), sort, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_summary_is_short_and_every_line_is_weirs() {
    let text = text(&sample::report(), "weir.bash.4711.json", Sort::Time);
    insta::assert_snapshot!(text);
    assert!((8..=18).contains(&text.lines().count()));
    for line in text.lines() {
        assert!(line.starts_with("weir: "), "{line}");
    }
}

#[test]
fn the_manual_shows_the_summary_as_it_is() {
    let manual = include_str!("../../../../docs/commands.md");
    let summary = text(&sample::report(), "weir.bash.4711.json", Sort::Time);
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
    insta::assert_snapshot!(text(&report, "/reports/a b\n.json", Sort::Calls));
}

#[test]
fn waits_do_not_hide_the_rest() {
    let report = sample::report();
    let by_time = lines(&report, Path::new("x"), Sort::Time).join("\n");
    assert!(!by_time.contains("epoll"), "{by_time}");
    assert!(by_time.contains(" waiting"), "{by_time}");
}

#[test]
fn a_report_without_times_has_none() {
    let mut report = sample::report();
    for activity in report.activities.values_mut() {
        activity.total_ns = 0;
    }
    let lines = lines(&report, Path::new("x"), Sort::Time);
    assert!(
        lines.iter().all(|line| !line.starts_with("time ")),
        "{lines:?}"
    );
}

#[test]
fn the_order_is_the_one_asked_for() {
    let report = sample::report();
    let first = |sort| {
        let lines = lines(&report, Path::new("x"), sort);
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
