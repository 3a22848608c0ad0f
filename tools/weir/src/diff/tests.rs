//! Which differences are found, and which are none.

use std::collections::BTreeSet;

use weir_report::model::{FileUse, Process};

use super::compare::Change;
use super::numbers::Section;
use super::*;
use crate::sample;

mod usage;

fn run(file: &str, report: Report) -> Run {
    Run {
        file: PathBuf::from(file),
        report,
    }
}

pub fn sides(before: Vec<Report>, after: Vec<Report>) -> Sides {
    let runs = |side: &str, reports: Vec<Report>| {
        let reports = reports.into_iter().enumerate();
        reports
            .map(|(index, report)| run(&format!("{side}{index}.json"), report))
            .collect()
    };
    Sides {
        before: runs("before", before),
        after: runs("after", after),
    }
}

impl Sides {
    fn compared(&self) -> Comparison {
        self.compared_by(&self.places())
    }
}

/// Two reports, of which the second was changed.
fn changed(change: impl FnOnce(&mut Report)) -> Sides {
    let mut after = sample::report();
    change(&mut after);
    sides(vec![sample::report()], vec![after])
}

fn metrics(comparison: &Comparison) -> Vec<String> {
    let of = |change: &Change| {
        format!(
            "{:?} {} {}",
            change.key.section, change.key.name, change.key.metric
        )
    };
    comparison.changes.iter().map(of).collect()
}

fn page(sides: &Sides, width: usize) -> String {
    let options = page::Options {
        width,
        coloured: false,
        top: 10,
    };
    page::text(sides, &sides.compared(), &options)
}

#[test]
fn a_report_does_not_differ_from_itself() {
    let sides = changed(|_| {});
    let comparison = sides.compared();
    assert_eq!(metrics(&comparison), [""; 0]);
    assert!(comparison.compared[&Section::Functions] > 10);
    assert!(page(&sides, 80).contains("differ  nothing that was compared"));
}

/// A number, and what makes it greater or less by one.
type Changing<T> = (&'static str, fn(&mut T));

#[test]
fn each_count_that_differs_by_one_is_found_and_nothing_else() {
    let of_function: [Changing<Report>; 6] = [
        ("calls", |report| {
            one_more(&mut function(report, "read").calls)
        }),
        ("errors", |report| {
            one_more(&mut function(report, "read").errors)
        }),
        ("requested_bytes", |report| {
            one_more(&mut function(report, "read").requested_bytes)
        }),
        ("moved_bytes", |report| {
            one_more(&mut function(report, "read").moved_bytes)
        }),
        ("calls", |report| function(report, "read").calls -= 1),
        ("errors_by_errno.ENOENT", |report| {
            let open = function(report, "openat");
            let errors = open
                .errors_by_errno
                .get_mut("ENOENT")
                .expect("a failed openat");
            one_more(errors);
        }),
    ];
    for (metric, change) in of_function {
        let name = if metric.starts_with("errors_by") {
            "openat"
        } else {
            "read"
        };
        let found = metrics(&changed(change).compared());
        assert_eq!(found, [format!("Functions {name} {metric}")]);
    }
    let of_whole: [Changing<Report>; 4] = [
        ("leak_bytes", |report| report.heap.live_bytes += 1),
        ("leak_blocks", |report| report.heap.live_blocks += 1),
        ("heap.peak_bytes", |report| {
            report.heap.peak_bytes += 2 * report.heap.peak_error_bytes + 1
        }),
        ("activities.transfer.calls", |report| {
            one_more(&mut report.activities.get_mut("transfer").expect("reads").calls)
        }),
    ];
    for (metric, change) in of_whole {
        assert_eq!(
            metrics(&changed(change).compared()),
            [format!("Whole  {metric}")]
        );
    }
    let of_file: [Changing<FileUse>; 8] = [
        ("opens", |file| one_more(&mut file.opens)),
        ("reads", |file| one_more(&mut file.reads)),
        ("writes", |file| one_more(&mut file.writes)),
        ("other_calls", |file| one_more(&mut file.other_calls)),
        ("errors", |file| one_more(&mut file.errors)),
        ("read_bytes", |file| one_more(&mut file.read_bytes)),
        ("written_bytes", |file| one_more(&mut file.written_bytes)),
        ("mapped_bytes", |file| one_more(&mut file.mapped_bytes)),
    ];
    for (metric, change) in of_file {
        let name = sample::report().files.listed[0].name.clone();
        let found = metrics(&changed(|report| change(&mut report.files.listed[0])).compared());
        assert_eq!(found, [format!("Files {name} {metric}")]);
    }
}

fn one_more(count: &mut u64) {
    *count += 1;
}

fn function<'r>(report: &'r mut Report, name: &str) -> &'r mut weir_report::model::Function {
    report.functions.get_mut(name).expect(name)
}

#[test]
fn a_peak_that_is_not_exact_differs_by_more_than_its_error() {
    for (more, differs) in [(20, false), (21, true)] {
        let mut reports = [sample::report(), sample::report()];
        for report in &mut reports {
            report.heap.peak_error_bytes = 10;
        }
        reports[1].heap.peak_bytes += more;
        let [before, after] = reports;
        let comparison = sides(vec![before], vec![after]).compared();
        assert_eq!(comparison.changes.len(), usize::from(differs), "{more}");
    }
}

#[test]
fn a_file_that_is_not_listed_may_be_among_the_others() {
    let listed = |folded| {
        let mut before = sample::report();
        let mut after = sample::report();
        let file = after.files.listed.remove(0);
        after.files.folded = folded;
        after.files.others = FileUse::default();
        after.files.others.add(&file);
        before.files.folded = 0;
        sides(vec![before], vec![after])
            .compared()
            .changed(Section::Files)
    };
    assert_eq!((listed(1), listed(0)), (0, 1));
}

#[test]
fn unknown_heaps_do_not_differ() {
    let sides = changed(|report| {
        report.heap.not_known = Some("it has an allocator of its own".to_owned());
        report.heap.live_bytes += 1000;
    });
    assert_eq!(metrics(&sides.compared()), [""; 0]);
    assert!(
        page(&sides, 200).contains("after: the heap is not known: it has an allocator of its own")
    );
}

#[test]
fn names_lose_what_the_kernel_chose() {
    let file = |kind: &str, name: &str| FileUse {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..FileUse::default()
    };
    let mut report = sample::report();
    report.processes[1].pid = 12;
    let names = names::Names::of(&report);
    let pid = report.processes[0].pid;
    for (kind, name, expected) in [
        ("tcp", "to 127.0.0.1:8080".to_owned(), "to 127.0.0.1:8080"),
        ("tcp", "to 127.0.0.1:40439".to_owned(), "to 127.0.0.1:*"),
        ("udp", "at [::1]:32768".to_owned(), "at [::1]:*"),
        ("udp", "at [::1]:32767".to_owned(), "at [::1]:32767"),
        ("file", "/a:40439/40439".to_owned(), "/a:40439/40439"),
        ("file", format!("/proc/{pid}/stat"), "/proc/*/stat"),
        ("file", "/proc/12/stat".to_owned(), "/proc/*/stat"),
        ("file", "/data/shard-12".to_owned(), "/data/shard-12"),
        ("file", format!("/tmp/x{pid}.{pid}1"), "/tmp/x*.47111"),
        (
            "file",
            "/tmp/99999999999999999999".to_owned(),
            "/tmp/99999999999999999999",
        ),
    ] {
        assert_eq!(names.of_file(&file(kind, &name)), expected, "{name}");
    }
}

#[test]
fn files_that_differ_in_what_the_kernel_chose_are_one() {
    let with_ports = |ports: &[u32]| {
        let mut report = sample::report();
        report.files.folded = 0;
        report.files.listed.extend(ports.iter().map(|port| FileUse {
            kind: "tcp".to_owned(),
            name: format!("to 10.0.0.1:{port}"),
            reads: 5,
            ..FileUse::default()
        }));
        report
    };
    let one = |before: &[u32], after: &[u32]| {
        let sides = sides(vec![with_ports(before)], vec![with_ports(after)]);
        metrics(&sides.compared())
    };
    assert_eq!(one(&[50_000], &[50_001]), [""; 0]);
    assert_eq!(
        one(&[50_000], &[50_001, 50_002]),
        ["Files to 10.0.0.1:* reads"]
    );
    assert_eq!(one(&[80], &[81]).len(), 2);
}

#[test]
fn temporary_files_are_no_difference_but_for_their_numbers() {
    let with_files = |files: &[(&str, u64)]| {
        let mut report = sample::report();
        report.files.folded = 0;
        report
            .files
            .listed
            .extend(files.iter().map(|(name, writes)| FileUse {
                kind: "file".to_owned(),
                name: (*name).to_owned(),
                writes: *writes,
                ..FileUse::default()
            }));
        report
    };
    let found = |before: &[(&str, u64)], after: &[(&str, u64)]| {
        metrics(&sides(vec![with_files(before)], vec![with_files(after)]).compared())
    };
    assert_eq!(found(&[("/tmp/aQx3", 5)], &[("/tmp/b7zK", 5)]), [""; 0]);
    assert_eq!(found(&[("/tmp/aQx3", 5)], &[("/tmp/b7zK", 6)]).len(), 2);
    assert_eq!(found(&[("/tmp/aQx3", 5)], &[("/tmp/b7zKl", 5)]).len(), 2);
    assert_eq!(found(&[("/tmp/aQx3", 5)], &[("/var/b7zK", 5)]).len(), 2);
    // One more of them is one too many.
    let more = found(&[("/tmp/aQx3", 5)], &[("/tmp/b7zK", 5), ("/tmp/c111", 5)]);
    assert_eq!(more.len(), 1, "{more:?}");
}

#[test]
fn a_site_that_was_counted_in_part_differs_by_what_is_sure() {
    let change = |before: [i64; 3], after: [i64; 3]| {
        let range = |[low, value, high]: [i64; 3]| number::Range { low, value, high };
        Change {
            key: numbers::Key {
                section: Section::Sites,
                name: "read".to_owned(),
                aside: "main".to_owned(),
                metric: "calls".to_owned(),
            },
            unit: crate::units::Unit::Count,
            before: range(before),
            after: range(after),
            place: None,
            is_partial: true,
        }
    };
    assert_eq!(
        change([328, 328, 539], [541, 541, 541]).values(),
        (539, 541)
    );
    assert_eq!(change([328, 328, 539], [541, 541, 541]).by(), 2);
    assert_eq!(change([541, 541, 600], [10, 10, 20]).by(), -521);
}

#[test]
fn a_program_that_was_built_again_has_no_call_sites_to_compare() {
    let mut sides = changed(|report| {
        report.processes[0].stacks = None;
    });
    let stacks = |path: &str| weir_report::model::Stacks {
        modules: vec![weir_report::model::Module {
            path: path.to_owned(),
            ..Default::default()
        }],
        frames: vec![weir_report::model::Frame {
            parent: None,
            module: Some(0),
            offset: 4096,
        }],
        sites: vec![weir_report::model::Site {
            frame: Some(0),
            function: "read".to_owned(),
            calls: 5,
            ..Default::default()
        }],
        ..Default::default()
    };
    for side in [&mut sides.before, &mut sides.after] {
        side[0].report.processes[0].stacks = Some(stacks("/nowhere/program"));
    }
    let comparison = sides.compared();
    assert_eq!(comparison.changed(Section::Sites), 0);
    let page = page(&sides, 200);
    for side in ["before", "after"] {
        let reason = format!(
            "{side}: call sites are not compared: /nowhere/program is not on this machine; weir symbolize"
        );
        assert!(page.contains(&reason), "{page}");
    }
}

#[test]
fn times_that_were_not_measured_are_not_gone() {
    let sides = changed(|report| {
        report.timed_one_in = 0;
        for activity in report.activities.values_mut() {
            activity.total_ns = 0;
        }
    });
    let comparison = sides.compared();
    assert_eq!(comparison.times.len(), 1, "{:?}", comparison.times);
}

#[test]
fn counts_of_several_runs_differ_where_all_of_a_side_do() {
    let with_calls = |calls: &[u64]| -> Vec<Report> {
        let reports = calls.iter().map(|&calls| {
            let mut report = sample::report();
            function(&mut report, "read").calls = calls;
            report
        });
        reports.collect()
    };
    let differs = |before: &[u64], after: &[u64]| {
        let sides = sides(with_calls(before), with_calls(after));
        !sides.compared().changes.is_empty()
    };
    assert!(differs(&[1, 2, 3], &[4, 5]));
    assert!(differs(&[4, 5], &[1, 2, 3]));
    assert!(!differs(&[1, 2, 4], &[4, 5]));
    assert!(!differs(&[1, 9], &[4, 5]));
}

#[test]
fn times_differ_only_where_runs_are_enough() {
    let with_times = |count: u64, from: u64| -> Vec<Report> {
        let reports = (from..from + count).map(|time| {
            let mut report = sample::report();
            report.files.listed[0].read_ns = time;
            report
        });
        reports.collect()
    };
    let found = |runs| metrics(&sides(with_times(runs, 1), with_times(runs, 100)).compared());
    for runs in [1, 2, 4] {
        assert_eq!(found(runs), [""; 0], "{runs}");
    }
    // Of ten runs, five are the first five in one way of 252, and the last five in another.
    let name = sample::report().files.listed[0].name.clone();
    assert_eq!(found(5), [format!("Files {name} read_ns")]);
    let one_in = sides(with_times(5, 1), with_times(5, 1))
        .compared()
        .one_in();
    assert!((one_in - 126.0).abs() < 1e-6, "{one_in}");
}

#[test]
fn times_of_the_whole_are_always_shown() {
    let sides = changed(|report| report.duration_ns *= 2);
    assert_eq!(metrics(&sides.compared()), [""; 0]);
    let page = page(&sides, 80);
    let line = page
        .lines()
        .find(|line| line.trim_start().starts_with("duration"));
    assert!(line.expect("a line").ends_with("+100.0 %"), "{page}");
}

#[test]
fn programs_are_compared_where_there_are_several() {
    let sides = changed(|report| {
        let python: &mut Process = &mut report.processes[1];
        python.executable = "/usr/bin/python3.12".to_owned();
    });
    let comparison = sides.compared();
    let programs: BTreeSet<&str> = comparison
        .of(Section::Programs)
        .map(|change| change.key.name.as_str())
        .collect();
    assert!(programs.contains("/usr/bin/python3.12"), "{programs:?}");

    let alone = || {
        let mut report = sample::report();
        report.processes.truncate(1);
        report
    };
    let mut more = alone();
    one_more(
        &mut more.processes[0]
            .functions
            .values_mut()
            .next()
            .expect("a function")
            .calls,
    );
    let comparison = super::tests::sides(vec![alone()], vec![more]).compared();
    assert_eq!(comparison.compared.get(&Section::Programs), None);
}

#[test]
fn what_makes_reports_differ_is_said() {
    let mut sides = changed(|report| {
        report.weir_version = "0.2.0".to_owned();
        report.timed_one_in = 1;
        report.command[0] = "dash".to_owned();
    });
    sides.before[0]
        .report
        .missed
        .notes
        .push("a note".to_owned());
    let page = page(&sides, 200);
    for sentence in [
        "different versions of Weir, which do not count the same functions: 0.1.0 before, 0.2.0 after",
        "different timed calls: one in 128 before, all after",
        "different programs: bash before, dash after",
        "both: 3 calls were not counted",
        "before: a note",
    ] {
        assert!(page.contains(sentence), "{sentence}\n{page}");
    }
}

#[test]
fn a_page_fits_narrow_and_wide_terminals() {
    let sides = sides(vec![sample::report()], vec![sample::later()]);
    for width in [60, 80, 120, 200] {
        let page = page(&sides, width);
        for line in page.lines() {
            assert!(crate::text::width(line) <= width, "{width}: {line}");
        }
        insta::assert_snapshot!(format!("page_{width}"), page);
    }
}

#[test]
fn json_has_each_change_with_its_range() {
    let sides = changed(|report| one_more(&mut function(report, "read").calls));
    let text = json::text(&sides, &sides.compared()).expect("JSON");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["schema"], "weir.diff/1");
    let before = sample::report().functions["read"].calls;
    let number = |value: u64| serde_json::json!({ "value": value, "low": value, "high": value });
    let expected = serde_json::json!([{
        "section": "functions",
        "name": "read",
        "metric": "calls",
        "unit": "count",
        "before": number(before),
        "after": number(before + 1),
    }]);
    assert_eq!(document["changes"], expected);
}
