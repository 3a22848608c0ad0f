use weir_report::model::{
    CodeName, CodePlace, End, EndKind, FilePart, FileUse, Files, Frame, Function, InFlight,
    Latency, Lifetimes, Module, Report, Since, Site, SiteBlocks, SiteFile, Stacks,
};

use super::*;
use crate::{sample, units};

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

/// What each rule takes for wrong, as little of it as is enough; and changes after which it is not enough.
fn cases() -> Vec<(Rule, Change, Vec<Change>)> {
    vec![
        (
            Rule::Leak,
            leaks,
            vec![
                |report| site_of(report).blocks.as_mut().expect("blocks").live_bytes -= 1,
                // Most of it was made early.
                |report| lifetimes(report).live_since[1].bytes = (1 << 20) * 39 / 100,
                |report| lifetimes(report).live_since[1].from_ms = 2_400,
                |report| report.duration_ns = 2 * SECOND - 1,
                |report| report.heap.not_known = Some("a reason".to_owned()),
                // Two samples of this distance.
                |report| stacks(report).sampled_bytes = Some(512 << 10),
            ],
        ),
        (
            Rule::Temporaries,
            storms,
            vec![
                |report| lifetimes(report).freed[0] -= 1,
                |report| site_of(report).calls = 125_001,
                |report| {
                    call(report, "free", 1, 999);
                },
                |report| {
                    report.duration_ns = 2 * SECOND;
                    call(report, "malloc", 1_000_000, 300);
                    call(report, "free", 1_000_000, 99);
                },
            ],
        ),
        (
            Rule::TinyWrites,
            |report| {
                report.files.listed.push(FileUse {
                    writes: 1000,
                    written_bytes: 64_000,
                    write_ns: RUN / 200,
                    ..file("file", "/data/file")
                })
            },
            vec![
                |report| report.files.listed[0].writes = 999,
                |report| report.files.listed[0].written_bytes += 1,
                |report| report.files.listed[0].write_ns -= 1,
                |report| report.files.listed[0].kind = "terminal".to_owned(),
                |report| report.files.listed[0].kind = "pipe".to_owned(),
            ],
        ),
        (
            Rule::TinyReads,
            |report| {
                report.files.listed.push(FileUse {
                    reads: 10_000,
                    read_bytes: 160_000,
                    read_ns: RUN / 200,
                    ..file("pipe", "")
                })
            },
            vec![
                |report| report.files.listed[0].reads = 9_999,
                // An answer follows each request.
                |report| report.files.listed[0].writes = 5_001,
                |report| report.files.listed[0].read_bytes += 1,
                |report| report.files.listed[0].read_ns -= 1,
            ],
        ),
        (
            Rule::Sync,
            |report| {
                call(report, "fsync", 99, 1000);
                call(report, "fdatasync", 1, 1000);
                stacks(report)
                    .sites
                    .push(about_a_file(site(0, "fsync", 99)));
                report.files.listed.push(FileUse {
                    written_bytes: 100 * (64 << 10),
                    ..file("file", "/data/file")
                });
            },
            vec![
                |report| {
                    call(report, "fsync", 98, 1000);
                },
                |report| report.files.listed[0].written_bytes += 100,
            ],
        ),
        (
            Rule::Sync,
            |report| {
                call(report, "fsync", 20, RUN / 20 / 20);
            },
            vec![
                |report| {
                    call(report, "fsync", 19, RUN);
                },
                |report| {
                    call(report, "fsync", 20, RUN / 20 / 20 - 1);
                },
            ],
        ),
        (
            Rule::RandomReads,
            |report| {
                report.files.listed.push(FileUse {
                    reads: 1000,
                    read_bytes: 1000 * (64 << 10),
                    read_ns: RUN / 1000,
                    random: 1000,
                    sequential: 666,
                    ..file("file", "/data/file")
                })
            },
            vec![
                |report| report.files.listed[0].random = 999,
                |report| report.files.listed[0].sequential = 667,
                |report| report.files.listed[0].read_bytes += 1,
                |report| report.files.listed[0].read_ns -= 1,
                |report| report.files.listed[0].kind = "device".to_owned(),
                // All of the random ones were writes.
                |report| report.files.listed[0].reads = 999,
            ],
        ),
        (
            Rule::Reopened,
            |report| {
                report.files.listed.push(FileUse {
                    opens: 1000,
                    ..file("file", "/etc/hosts")
                })
            },
            vec![|report| report.files.listed[0].opens = 999, |report| {
                report.files.listed[0].name = "/proc/self/stat".to_owned()
            }],
        ),
        (
            Rule::Peer,
            |report| {
                report.files.listed.push(FileUse {
                    reads: 5,
                    read_ns: RUN / 10,
                    ..file("tcp", "to 10.0.0.1:80")
                })
            },
            vec![
                |report| report.files.listed[0].read_ns -= 1,
                |report| {
                    report.files.listed[0].name = "accepted from 10.0.0.1 at 10.0.0.2:80".to_owned()
                },
                |report| report.files.listed[0].kind = "pipe".to_owned(),
                |report| {
                    report.duration_ns = SECOND;
                    report.files.listed[0].read_ns = SECOND / 10 - 1;
                },
            ],
        ),
        (
            Rule::Lock,
            |report| {
                call(report, "pthread_mutex_lock", 10, RUN / 20 / 10);
                call(report, "pthread_rwlock_wrlock", 10, RUN / 20 / 10);
                call(report, "sem_wait", 10, RUN);
            },
            vec![
                |report| {
                    call(report, "pthread_mutex_lock", 10, RUN / 20 / 10 - 1);
                },
                |report| {
                    report.duration_ns = SECOND / 2;
                    call(report, "pthread_mutex_lock", 1, SECOND / 10 - 1);
                    call(report, "pthread_rwlock_wrlock", 0, 0);
                },
            ],
        ),
        (
            Rule::Stuck,
            |report| {
                let process = &mut report.processes[0];
                process.end.how = EndKind::Signaled;
                process.in_flight.push(InFlight {
                    tid: 7,
                    function: "recv".to_owned(),
                    fd: Some(3),
                    kind: Some("tcp".to_owned()),
                    file: Some("to 10.0.0.1:80".to_owned()),
                    at_ns: None,
                    age_ns: Some(RUN / 4),
                });
            },
            vec![
                |report| report.processes[0].end.how = EndKind::Exited,
                |report| {
                    report.processes[0].end.how = EndKind::Exited;
                    report.processes[0].in_flight[0].function = "sem_wait".to_owned();
                },
                |report| report.processes[0].in_flight[0].age_ns = Some(RUN / 4 - 1),
                |report| report.processes[0].in_flight[0].age_ns = None,
                |report| report.processes[0].in_flight[0].function = "epoll_wait".to_owned(),
                |report| report.processes[0].in_flight[0].function = "sem_wait".to_owned(),
                |report| report.processes[0].in_flight[0].file = Some("at 0.0.0.0:80".to_owned()),
                |report| report.processes[0].in_flight[0].kind = Some("terminal".to_owned()),
            ],
        ),
        (
            Rule::FailedLookups,
            |report| {
                let failed = ("ENOENT".to_owned(), 1000);
                call(report, "stat", 1999, 100_000).errors_by_errno = [failed].into();
                call(report, "openat", 1, 1000);
                // It looks for nothing.
                call(report, "fstat", 1_000_000, 1000);
            },
            vec![
                |report| {
                    call(report, "openat", 2, 1000);
                },
                |report| {
                    call(report, "stat", 1999, 99_999).errors_by_errno =
                        [("ENOENT".to_owned(), 1000)].into();
                },
                |report| {
                    let stat = report.functions.get_mut("stat").expect("called");
                    stat.errors_by_errno = [("ENOENT".to_owned(), 999)].into();
                },
                |report| {
                    let stat = report.functions.get_mut("stat").expect("called");
                    stat.errors_by_errno = [("EACCES".to_owned(), 1000)].into();
                },
            ],
        ),
        (
            Rule::Descriptors,
            |report| {
                call(report, "openat", 602, 1000);
                call(report, "pipe2", 211, 1000);
                call(report, "close", 512, 1000);
                call(report, "dup2", 1000, 1000);
            },
            vec![
                |report| {
                    call(report, "close", 513, 1000);
                },
                |report| {
                    call(report, "fclose", 1, 1000);
                },
                |report| {
                    call(report, "close_range", 1, 1000);
                },
                |report| {
                    call(report, "socket", 1000, 1000);
                    call(report, "close", 1513, 1000);
                },
            ],
        ),
    ]
}

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

fn site_of(report: &mut Report) -> &mut Site {
    &mut stacks(report).sites[0]
}

fn lifetimes(report: &mut Report) -> &mut Lifetimes {
    site_of(report).lifetimes.as_mut().expect("lifetimes")
}

#[test]
fn each_rule_finds_what_is_just_enough_and_nothing_less() {
    assert_eq!(found(&quiet()), []);
    for (rule, wrong, less) in cases() {
        let mut report = quiet();
        wrong(&mut report);
        let findings = found(&report);
        let rules: Vec<Rule> = findings.iter().map(|of| of.rule).collect();
        assert_eq!(rules, [rule]);
        for (number, change) in less.into_iter().enumerate() {
            let mut report = quiet();
            wrong(&mut report);
            change(&mut report);
            let findings = found(&report);
            assert_eq!(findings, [], "change {number} of {rule:?}");
        }
    }
}

#[test]
fn a_finding_names_the_place_and_what_it_is_about() {
    let sentence = |change: Change| {
        let mut report = quiet();
        change(&mut report);
        found(&report)[0].sentence()
    };
    assert_eq!(
        sentence(leaks),
        "memory grows: 1.00 MiB in 1,000 blocks were made all through the run and never freed, in a.out+0x1"
    );
    assert_eq!(
        sentence(storms),
        "temporary blocks: 100,000 of 125,000 blocks lived less than 1 ms; that took ≈500 ms of 10.0 s, in a.out+0x2"
    );
    let synced = |report: &mut Report| {
        call(report, "fsync", 100, 1_000_000);
        stacks(report).sites = vec![site(1, "write", 900), about_a_file(site(0, "fsync", 100))];
        report.files.listed.push(FileUse {
            written_bytes: 10_000,
            ..file("file", "/data/file")
        });
    };
    assert_eq!(
        sentence(synced),
        "sync in a loop: 100 syncs of /data/file, 100 B written for each, took 100 ms of 10.0 s, in a.out+0x1"
    );
}

#[test]
fn a_read_that_meets_the_end_does_not_make_the_mean_nothing() {
    let mut report = quiet();
    report.files.listed.push(FileUse {
        reads: 6501,
        read_bytes: 6500,
        read_ns: report.duration_ns / 2,
        ..file("file", "/names.txt")
    });
    let found = found(&report);
    let evidence = &found.first().expect("a finding").evidence;
    assert!(evidence.contains(", 1 B each on average,"), "{evidence}");
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
fn a_thread_that_is_stuck_in_a_lock_is_found_also_after_a_normal_end() {
    let mut report = quiet();
    report.processes[0].in_flight = [(7, RUN / 4), (8, RUN / 2), (9, RUN / 2)]
        .map(|(tid, age_ns)| InFlight {
            tid,
            function: "pthread_mutex_lock".to_owned(),
            age_ns: Some(age_ns),
            ..InFlight::default()
        })
        .into();
    let findings = found(&report);
    assert_eq!(findings.len(), 1);
    let said = "pthread_mutex_lock of process 4711, thread 8, was under way for 5.00 s and had not returned";
    assert_eq!(findings[0].evidence, said);
}

#[test]
fn each_place_that_waits_for_locks_is_told_with_its_own_time() {
    let mut report = quiet();
    let of = |frame, function: &str, ns| Site {
        time_ns: ns,
        ..site(frame, function, 10)
    };
    stacks(&mut report).sites = vec![
        of(0, "pthread_mutex_lock", RUN / 5),
        of(1, "pthread_rwlock_rdlock", RUN / 10),
    ];
    call(&mut report, "pthread_mutex_lock", 10, RUN / 50);
    call(&mut report, "pthread_rwlock_rdlock", 10, RUN / 100);
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    assert_eq!(
        sentences,
        [
            "waits for locks: 10 calls found it taken and waited 2.00 s of 10.0 s, in a.out+0x1",
            "waits for locks: 10 calls found it taken and waited 1.00 s of 10.0 s, in a.out+0x2",
        ]
    );
    // Where no place has enough of it, all of them together do.
    stacks(&mut report).sites[0].time_ns = RUN / 11;
    stacks(&mut report).sites[1].time_ns = RUN / 12;
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    let all = "waits for locks: 20 calls found it taken and waited 3.00 s of 10.0 s, in several places, most of it a.out+0x1";
    assert_eq!(sentences, [all]);
}

/// A futex is a lock where a function says so that waits for one; other waits at a futex are of threads without work.
#[test]
fn locks_of_languages_are_known_by_their_stacks() {
    let mut report = quiet();
    let of = |frame, function: &str, ns| Site {
        time_ns: ns,
        ..site(frame, function, 10)
    };
    let names = [
        (1, "app::work"),
        (2, "std::sys::sync::mutex::futex::Mutex::lock_contended"),
        (3, "app::other"),
    ];
    let all = stacks(&mut report);
    all.frames[1].parent = Some(0);
    all.modules[0].names = names
        .into_iter()
        .map(|(offset, function)| CodeName {
            offset,
            places: vec![CodePlace {
                function: Some(function.to_owned()),
                ..CodePlace::default()
            }],
        })
        .collect();
    all.sites = vec![of(1, "futex", RUN / 5), of(0, "futex", RUN)];
    call(&mut report, "futex", 20, RUN / 20);
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    let said = "waits for locks: 10 calls found it taken and waited 2.00 s of 10.0 s, in app::work";
    assert_eq!(sentences, [said]);
    // With a lock of the C library, if none has enough alone.
    stacks(&mut report).sites[0].time_ns = RUN / 11;
    let all = stacks(&mut report);
    all.frames.push(Frame {
        parent: None,
        module: Some(0),
        offset: 3,
    });
    all.sites.push(of(2, "pthread_mutex_lock", RUN / 12));
    call(&mut report, "pthread_mutex_lock", 10, RUN / 120);
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    let all = "waits for locks: 20 calls found it taken and waited 1.74 s of 10.0 s, in several places, most of it app::work";
    assert_eq!(sentences, [all]);
}

#[test]
fn estimates_are_no_more_than_what_there_was() {
    let mut report = quiet();
    storms(&mut report);
    call(&mut report, "malloc", 120_000, 100_000);
    let other = Site {
        frame: Some(0),
        ..stacks(&mut report).sites[0].clone()
    };
    stacks(&mut report).frames[0] = stacks(&mut report).frames[1];
    stacks(&mut report).sites.push(other);
    let said = "120,000 of 120,000 blocks lived less than 1 ms; that took ≈10.0 s of 10.0 s";
    assert_eq!(found(&report)[0].evidence, said);
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
fn time_that_is_longer_than_the_run_is_that_of_several_threads() {
    let mut report = quiet();
    report.files.listed.push(FileUse {
        reads: 5,
        read_ns: 3 * RUN,
        ..file("tcp", "to 10.0.0.1:80")
    });
    let findings = found(&report);
    assert!(
        findings[0]
            .evidence
            .ends_with("took 30.0 s, summed over its threads, in 10.0 s"),
        "{findings:?}"
    );
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

/// The conditions that the manual names, from the thresholds.
#[test]
fn the_manual_has_the_thresholds() {
    use super::{failures::*, files::*, memory::*, waits::*};
    let manual = include_str!("../../../../../docs/findings.md");
    let row = |rule: Rule| {
        let title = rule.title();
        let mut rows = manual.lines().filter(|line| line.starts_with("| "));
        let is_it = |line: &&str| {
            line.split(" | ")
                .next()
                .is_some_and(|head| head.contains(title))
        };
        rows.find(is_it)
            .unwrap_or_else(|| panic!("no row of '{title}'"))
    };
    let (bytes, time, count) = (units::bytes, units::time, units::count);
    let thousandths = |number: u64| format!("{number} thousandth");
    let percent = |number: u128| format!("{number} %");
    let calls = |number: u64| format!("{} calls", count(number));
    let expected = [
        (
            Rule::Leak,
            vec![
                time(LEAST_LEAK_RUN_NS),
                bytes(LEAST_LEAK_BYTES),
                percent(LEAST_LATE_PERCENT),
                format!("{LEAST_LEAK_SAMPLES} times"),
                bytes(GRAVE_LEAK_BYTES),
            ],
        ),
        (
            Rule::Temporaries,
            vec![
                count(LEAST_TEMPORARIES),
                percent(LEAST_TEMPORARY_PERCENT),
                time(LEAST_TEMPORARY_NS),
                thousandths(LEAST_TEMPORARY_THOUSANDTHS),
            ],
        ),
        (
            Rule::TinyWrites,
            vec![
                calls(LEAST_TINY_CALLS),
                bytes(MOST_TINY_BYTES),
                calls(LEAST_TINY_MESSAGES),
                bytes(MOST_TINY_MESSAGE_BYTES),
                format!("{LEAST_OF_ONE_WAY} times"),
                thousandths(LEAST_TINY_THOUSANDTHS),
            ],
        ),
        (Rule::TinyReads, vec![]),
        (
            Rule::Sync,
            vec![
                calls(LEAST_SYNCS),
                bytes(MOST_SYNCED_BYTES),
                format!("at least {LEAST_SLOW_SYNCS} that"),
                thousandths(LEAST_SYNC_THOUSANDTHS),
            ],
        ),
        (
            Rule::RandomReads,
            vec![
                format!("{} reads", count(LEAST_RANDOM)),
                calls(LEAST_RANDOM),
                percent(LEAST_RANDOM_PERCENT),
                bytes(MOST_RANDOM_BYTES),
                thousandths(LEAST_RANDOM_THOUSANDTHS),
            ],
        ),
        (Rule::Reopened, vec![count(LEAST_OPENS), KERNELS.join(", ")]),
        (
            Rule::Peer,
            vec![time(LEAST_PEER_NS), thousandths(LEAST_PEER_THOUSANDTHS)],
        ),
        (
            Rule::Lock,
            vec![time(LEAST_LOCK_NS), thousandths(LEAST_LOCK_THOUSANDTHS)],
        ),
        (
            Rule::Stuck,
            vec![time(LEAST_STUCK_NS), thousandths(LEAST_STUCK_THOUSANDTHS)],
        ),
        (
            Rule::FailedLookups,
            vec![
                calls(LEAST_FAILED),
                percent(LEAST_FAILED_PERCENT),
                thousandths(LEAST_FAILED_THOUSANDTHS),
            ],
        ),
        (
            Rule::Descriptors,
            vec![count(LEAST_OPEN), percent(LEAST_OPEN_PERCENT)],
        ),
    ];
    for (rule, conditions) in expected {
        let row = row(rule);
        for condition in conditions {
            assert!(
                row.contains(&condition),
                "{rule:?}: '{condition}' in: {row}"
            );
        }
    }
}
