use weir_report::model::{
    CodeName, CodePlace, End, EndKind, FilePart, FileUse, Files, Frame, Function, InFlight,
    Latency, Lifetimes, Looks, Module, Report, Since, Site, SiteBlocks, SiteFile, Stacks,
};

use super::*;
use crate::sample;

mod manual;
mod sentences;
mod thresholds;

const SECOND: u64 = 1_000_000_000;
/// How long the report is that nothing is wrong with.
const RUN: u64 = 10 * SECOND;

/// A report of one process, of ten seconds, in which nothing was called.
fn quiet() -> Report {
    let mut report = sample::report();
    report.duration_ns = RUN;
    report.functions.clear();
    report.files = Files::default();
    report.folded_processes = 0;
    report.processes.truncate(1);
    let process = &mut report.processes[0];
    process.duration_ns = RUN;
    process.functions.clear();
    process.in_flight.clear();
    process.end = End {
        how: EndKind::Exited,
        status: Some(0),
        signal: None,
    };
    process.stacks = Some(Stacks {
        modules: vec![Module {
            path: "/nowhere/a.out".to_owned(),
            ..Module::default()
        }],
        frames: (1..=2)
            .map(|offset| Frame {
                parent: None,
                module: Some(0),
                offset,
            })
            .collect(),
        files: vec![SiteFile {
            kind: "file".to_owned(),
            name: "/data/file".to_owned(),
        }],
        ..Stacks::default()
    });
    report
}

fn found(report: &Report) -> Vec<Finding> {
    of_subject(&Subject::whole(report))
}

fn stacks(report: &mut Report) -> &mut Stacks {
    report.processes[0].stacks.as_mut().expect("stacks")
}

fn call<'r>(report: &'r mut Report, name: &str, calls: u64, mean_ns: u64) -> &'r mut Function {
    let function = Function {
        calls,
        latency: Some(Box::new(Latency {
            timed: calls,
            total_ns: calls * mean_ns,
            mean_ns,
            ..Latency::default()
        })),
        ..Function::default()
    };
    let process = &mut report.processes[0];
    process.functions.insert(name.to_owned(), function.clone());
    report.functions.insert(name.to_owned(), function);
    report.functions.get_mut(name).expect("inserted")
}

fn file(kind: &str, name: &str) -> FileUse {
    FileUse {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..FileUse::default()
    }
}

fn site(frame: u32, function: &str, calls: u64) -> Site {
    Site {
        frame: Some(frame),
        function: function.to_owned(),
        calls,
        ..Site::default()
    }
}

/// A change that makes something of a report.
type Change = fn(&mut Report);

fn about_a_file(site: Site) -> Site {
    let part = FilePart {
        file: 0,
        calls: site.calls,
        ..FilePart::default()
    };
    Site {
        by_file: vec![part],
        ..site
    }
}

fn leaks(report: &mut Report) {
    stacks(report).sites.push(Site {
        blocks: Some(SiteBlocks {
            live: 1000,
            live_bytes: 1 << 20,
            ..SiteBlocks::default()
        }),
        lifetimes: Some(Lifetimes {
            live_since: [(0, 2500, 60), (2500, 3000, 40)]
                .map(|(from_ms, to_ms, percent)| Since {
                    from_ms,
                    to_ms,
                    bytes: ((1_u64 << 20) * percent).div_ceil(100),
                })
                .into(),
            ..Lifetimes::default()
        }),
        ..site(0, "malloc", 1000)
    });
}

fn storms(report: &mut Report) {
    call(report, "malloc", 1_000_000, 3000);
    call(report, "free", 1_000_000, 1000);
    stacks(report).sites.push(Site {
        lifetimes: Some(Lifetimes {
            freed: [100_000, 25_000, 0, 0, 0, 0, 0, 0],
            ..Lifetimes::default()
        }),
        ..site(1, "malloc", 125_000)
    });
}

#[test]
fn the_sum_of_several_runs_has_no_findings() {
    let mut report = quiet();
    leaks(&mut report);
    assert_eq!(found(&report).len(), 1);
    report.runs = 2;
    assert_eq!(found(&report), []);
}

#[test]
fn the_gravest_comes_first() {
    let mut report = quiet();
    let of = |name: &str, percent: u64| FileUse {
        reads: 5,
        read_ns: RUN * percent / 100,
        ..file("tcp", name)
    };
    report.files.listed = vec![of("to a", 10), of("to b", 19), of("to c", 20)];
    report.files.listed.push(FileUse {
        opens: 1000,
        ..file("file", "/etc/hosts")
    });
    let findings = found(&report);
    let severities: Vec<_> = findings.iter().map(|of| of.severity.name()).collect();
    assert_eq!(severities, ["high", "medium", "medium", "low"]);
    assert!(findings[1].evidence.contains("to b"), "{findings:?}");
    assert_eq!(counted(&findings), "1 high, 2 medium, 1 low");
}

#[test]
fn of_one_kind_there_are_the_greatest_five() {
    let mut report = quiet();
    report.files.listed = (0..9)
        .map(|number| FileUse {
            opens: 1000 + number,
            ..file("file", &format!("/etc/{number}"))
        })
        .collect();
    let findings = found(&report);
    let opens: Vec<u64> = findings.iter().map(|of| of.size).collect();
    assert_eq!(opens, [1008, 1007, 1006, 1005, 1004]);
    let manual = include_str!("../../../../../docs/findings.md");
    assert!(manual.contains(&format!("at most {MOST_OF_A_RULE},")));
}

#[test]
fn one_image_is_judged_by_its_own_numbers() {
    let mut report = quiet();
    let listed = FileUse {
        opens: 1000,
        ..file("file", "/etc/hosts")
    };
    report.processes[0].files.listed = vec![listed];
    assert_eq!(found(&report), []);
    let of_image = of_subject(&Subject::image(&report.processes[0]));
    assert_eq!(of_image.len(), 1);
}

#[test]
fn lines_fit_and_name_the_severity_once() {
    let mut report = quiet();
    leaks(&mut report);
    storms(&mut report);
    let findings = found(&report);
    for columns in 40..120 {
        let lines = lines(&findings, columns, false);
        assert!(
            lines.iter().all(|line| text::width(line) <= columns),
            "{lines:?}"
        );
        let heads = lines
            .iter()
            .filter(|line| line.starts_with("medium") || line.starts_with("low"));
        assert_eq!(heads.count(), 2, "{lines:?}");
    }
    let lines = lines(&findings, 80, true);
    assert!(lines[0].starts_with("\u{1b}[33mmedium"), "{lines:?}");
}
