//! Limits of what processes take of the machine.

use weir_report::model::{EndKind, TimelinePoint, Usage};

use super::*;

const MS: u64 = 1_000_000;
const KIB: u64 = 1024;

/// Three processes, read 50 ms before their end: 70 MiB at most, 100 faults from disk and 450 ms of CPU time in all.
fn read() -> Report {
    let mut report = complete();
    let sizes = [30, 70, 50];
    for (number, process) in report.processes.iter_mut().enumerate() {
        let point = |(at_ns, resident_bytes, times): (u64, u64, u64)| TimelinePoint {
            at_ns,
            usage: Some(Usage {
                resident_bytes,
                minor_faults: 1000 * times,
                major_faults: 10 * times,
                user_ns: 35 * MS * times,
                system_ns: 10 * MS * times,
            }),
            ..TimelinePoint::default()
        };
        process.pid = 100 + number as u32;
        process.end.how = EndKind::Exited;
        process.executable = format!("/usr/bin/p{number}");
        process.duration_ns = 1000 * MS;
        let size = sizes[number] * 1024 * KIB;
        let times = [2, 3, 5][number];
        let points = [(500 * MS, size, times - 1), (950 * MS, size / 2, times)];
        process.timeline.points = points.map(point).to_vec();
    }
    report
}

fn at_most(metric: &str, max: &str, per: &str) -> String {
    format!("[[limit]]\nmetric = \"usage.{metric}\"\nmax = {max}\n{per}\n")
}

fn is_cannot_tell(verdict: &Verdict, part: &str) -> bool {
    matches!(verdict, Verdict::CannotTell(reason) if reason.contains(part))
}

#[test]
fn the_largest_size_and_the_sums_have_limits() {
    let report = read();
    // What the batches of the kernel can make of 70 MiB lies between 69.5 and 70.5.
    for (metric, kept, unclear, broken) in [
        (
            "resident_bytes",
            "\"70.5MiB\"",
            "\"70.4MiB\"",
            "\"69.4MiB\"",
        ),
        ("resident", "73924608", "73924607", "72876031"),
        // Each process may have had two ticks more.
        ("cpu_ns", "\"510ms\"", "\"509ms\"", "\"449ms\""),
        ("cpu", "\"0.51s\"", "\"450ms\"", "\"0.4499s\""),
        ("major_faults", "100", "", "99"),
        ("minor_faults", "10_000", "", "9_999"),
    ] {
        let of = |max: &str| verdict(&at_most(metric, max, ""), &report);
        assert_eq!(of(kept), Verdict::Kept, "{metric}");
        assert_eq!(of(broken), Verdict::Broken, "{metric}");
        if !unclear.is_empty() {
            let found = of(unclear);
            assert!(
                is_cannot_tell(&found, "it is known to lie between"),
                "{found:?}"
            );
        }
    }
}

#[test]
fn each_process_has_limits() {
    let report = read();
    let per = "per = \"process\"";
    let found = check(&at_most("resident", "\"49MiB\"", per), &report, None);
    assert_eq!(found[0].0, Verdict::Broken);
    let expected = "101 (p1) ≈70.0 MiB 49.0 MiB\n102 (p2) ≈50.0 MiB 49.0 MiB";
    assert_eq!(found[0].1, expected);
    for (metric, kept, broken) in [
        ("resident", "\"71MiB\"", "\"69MiB\""),
        ("cpu", "\"245ms\"", "\"224ms\""),
        ("major_faults", "50", "49"),
    ] {
        let of = |max: &str| verdict(&at_most(metric, max, per), &report);
        assert_eq!(of(kept), Verdict::Kept, "{metric}");
        assert_eq!(of(broken), Verdict::Broken, "{metric}");
    }
}

/// A process that replaced itself goes on with its counts, which are no second process's.
#[test]
fn images_of_one_process_are_one() {
    let mut report = read();
    report.processes[1].pid = 100;
    report.processes[1].started_unix_ns = report.processes[0].started_unix_ns + 1000 * MS;
    let of = |report: &Report| check(&at_most("major_faults", "80", ""), report, None).remove(0);
    assert_eq!(of(&report).0, Verdict::Broken);
    report.processes[0].end.how = EndKind::Exec;
    assert_eq!(of(&report).0, Verdict::Kept);
    assert_eq!(of(&report).1, " ≈80 80");
    let per = "per = \"process\"";
    let found = check(&at_most("resident", "1", per), &report, None);
    assert_eq!(found[0].1.lines().count(), 2, "{}", found[0].1);
}

#[test]
fn what_nobody_read_keeps_no_limit() {
    let metrics = [
        ("resident", "\"1TiB\"", "\"1MiB\""),
        ("cpu", "\"99min\"", "\"1ms\""),
        ("major_faults", "1_000_000", "1"),
        ("minor_faults", "1_000_000", "1"),
    ];
    let mut none = read();
    for process in &mut none.processes {
        for point in &mut process.timeline.points {
            point.usage = None;
        }
    }
    let mut short = read();
    short.processes[2].timeline.points.clear();
    let mut early = read();
    early.processes[2].timeline.points.pop();
    for (metric, most, least) in metrics {
        for per in ["", "per = \"process\""] {
            for (report, reason) in [
                (&none, "it was not read"),
                (
                    &short,
                    if per.is_empty() {
                        "what 1 process took"
                    } else {
                        "it was not read"
                    },
                ),
                (&early, "what 1 process took of the machine was not read up"),
            ] {
                let text = at_most(metric, most, per);
                let found = verdict(&text, report);
                assert!(is_cannot_tell(&found, reason), "{metric} {per}: {found:?}");
                // What a reading lacks can be accepted, and no reading at all cannot.
                let accepting = format!("accept = [\"unread\"]\n{text}");
                let found = verdict(&accepting, report);
                let is_kept = reason.starts_with('w');
                assert_eq!(found == Verdict::Kept, is_kept, "{metric} {per}: {found:?}");
            }
            // What is too much already stays so.
            let text = at_most(metric, least, per);
            assert_eq!(verdict(&text, &early), Verdict::Broken, "{metric} {per}");
            let found = verdict(&text, &none);
            assert!(
                is_cannot_tell(&found, "it was not read"),
                "{metric} {per}: {found:?}"
            );
        }
    }
}

#[test]
fn processes_that_were_not_traced_took_something_too() {
    let mut report = read();
    report.missed.uncounted_calls = 3;
    report.missed.not_interposed = vec!["malloc".to_owned()];
    let text = at_most("cpu", "\"1min\"", "");
    assert_eq!(verdict(&text, &report), Verdict::Kept, "no call is in it");
    report.missed.unlisted_starts = 1;
    let found = verdict(&text, &report);
    assert!(is_cannot_tell(&found, "perhaps not traced"), "{found:?}");
}

#[test]
fn a_broken_limit_names_the_processes_that_took_most() {
    let report = read();
    let budget = Budget::parse(&at_most("cpu", "\"100ms\"", "")).expect("a budget");
    let judged = judged(Path::new("weir.toml"), &budget, &report, None).expect("judged");
    let culprits = judged[0].culprits.iter();
    let culprits: Vec<_> = culprits.map(|(by, of)| format!("{by}: {of}")).collect();
    let expected = [
        "≈225 ms: 102 (p2)",
        "≈135 ms: 101 (p1)",
        "≈90.0 ms: 100 (p0)",
    ];
    assert_eq!(culprits, expected);
}

#[test]
fn an_increase_is_on_what_was_read_before() {
    let (now, mut before) = (read(), read());
    let text = "[[limit]]\nmetric = \"usage.resident_bytes\"\nincrease = \"5%\"";
    let of = |before: &Report| check(text, &now, Some(before)).remove(0).0;
    assert_eq!(of(&before), Verdict::Kept);
    for point in &mut before.processes[1].timeline.points {
        if let Some(usage) = &mut point.usage {
            usage.resident_bytes /= 2;
        }
    }
    assert_eq!(of(&before), Verdict::Broken);
    before.processes[1].timeline.points.clear();
    assert!(is_cannot_tell(
        &of(&before),
        "in the baseline, what 1 process"
    ));
}

/// The next run takes more or less: such limits stay as they are written.
#[test]
fn such_limits_are_not_lowered() {
    let report = read();
    for (metric, max) in [
        ("resident", "\"1TiB\""),
        ("major_faults", "900"),
        ("cpu", "\"1min\""),
    ] {
        let budget = Budget::parse(&at_most(metric, max, "")).expect("a budget");
        let judged = judged(Path::new("weir.toml"), &budget, &report, None).expect("judged");
        assert_eq!(judged[0].verdict(), &Verdict::Kept, "{metric}");
        let (text, lowered) = update::lowered(&budget.text, &judged).expect("TOML");
        assert_eq!((text, lowered.len()), (budget.text.clone(), 0), "{metric}");
    }
}

#[test]
fn what_nobody_reads_is_no_metric() {
    let report = read();
    for (metric, rest, part) in [
        ("usage.user", "", "usage.user"),
        ("usage", "", "'usage'"),
        ("usage.cpu.max", "", "usage.cpu.max"),
        ("usage.resident", "per = \"site\"", "sites have no metric"),
        ("usage.resident", "per = \"file\"", "usage.resident"),
        ("usage.cpu", "", "a time"),
    ] {
        let budget = Budget::parse(&limit(metric, 1, rest)).expect("a budget");
        let refused = judged(Path::new("weir.toml"), &budget, &report, None);
        let message = refused.expect_err(metric).in_one_line();
        assert!(message.contains(part), "{message}");
    }
}
