//! What is just enough for a finding.

use super::*;

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
                    looks: None,
                    frame: None,
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
