use weir_report::model::{FileUse, IoUring, IoUringSeen, Process, Untraced};

use super::*;
use crate::report::loss::Loss;
use crate::sample;

mod usage;

/// The verdicts on the limits of a text, and what is shown of each.
fn check(text: &str, report: &Report, baseline: Option<&Report>) -> Vec<(Verdict, String)> {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("weir.toml");
    std::fs::write(&path, text).expect("written");
    let budget = Budget::read(&path).expect(text);
    let judged = judged(&path, &budget, report, baseline).expect(text);
    let found = judged.iter().map(|one| {
        let rows = one.rows.iter();
        let rows: Vec<String> = rows
            .map(|row| format!("{} {} {}", row.of, row.value, row.most))
            .collect();
        (one.verdict().clone(), rows.join("\n"))
    });
    found.collect()
}

fn verdict(text: &str, report: &Report) -> Verdict {
    check(text, report, None).remove(0).0
}

fn limit(metric: &str, max: u64, rest: &str) -> String {
    format!("[[limit]]\nmetric = \"{metric}\"\nmax = {max}\n{rest}\n")
}

/// What is not complete in the sample report would hide what is asked here.
fn complete() -> Report {
    let mut report = sample::report();
    report.missed = Default::default();
    for process in &mut report.processes {
        process.missed = Default::default();
    }
    report
}

/// Each number is what the report's JSON has at the same path.
#[test]
fn a_metric_is_a_number_of_the_report() {
    let report = complete();
    let json = serde_json::to_value(&report).expect("JSON");
    let mut compared = 0;
    for (name, function) in json["functions"].as_object().expect("functions") {
        for field in [
            "calls",
            "errors",
            "requested_bytes",
            "moved_bytes",
            "reentrant",
        ] {
            let number = function[field].as_u64().expect("a number");
            let metric = format!("functions.{name}.{field}");
            assert_eq!(
                verdict(&limit(&metric, number, ""), &report),
                Verdict::Kept,
                "{metric}"
            );
            if let Some(less) = number.checked_sub(1) {
                assert_eq!(
                    verdict(&limit(&metric, less, ""), &report),
                    Verdict::Broken,
                    "{metric}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "{compared}");
    for (metric, number) in [
        ("duration", json["duration_ns"].as_u64()),
        (
            "functions.read.latency.max",
            json["functions"]["read"]["latency"]["max_ns"].as_u64(),
        ),
        (
            "functions.read.latency.mean_ns",
            json["functions"]["read"]["latency"]["mean_ns"].as_u64(),
        ),
        (
            "activities.transfer.total",
            json["activities"]["transfer"]["total_ns"].as_u64(),
        ),
    ] {
        let number = number.expect("a number");
        let text = |max: u64| format!("[[limit]]\nmetric = \"{metric}\"\nmax = \"{max}ns\"");
        assert_eq!(verdict(&text(number), &report), Verdict::Kept, "{metric}");
        assert_eq!(
            verdict(&text(number - 1), &report),
            Verdict::Broken,
            "{metric}"
        );
    }
}

/// What JSON leaves out where it is 0 is a metric all the same.
#[test]
fn what_a_report_leaves_out_is_zero() {
    let mut report = complete();
    report.activities.remove("memory_map");
    report.files.listed.clear();
    report.files.others = FileUse::default();
    report.files.folded = 0;
    for (metric, rest) in [
        ("activities.memory_map.calls", ""),
        ("files.mapped_bytes", ""),
        ("files.opens", "file = \"/etc/*\""),
        ("files.mapped", "per = \"file\""),
    ] {
        assert_eq!(
            verdict(&limit(metric, 0, rest), &report),
            Verdict::Kept,
            "{metric}"
        );
    }
    for (metric, rest) in [
        ("activities.transfer.calls", ""),
        ("activities.wait.calls", ""),
    ] {
        assert_eq!(
            verdict(&limit(metric, 0, rest), &report),
            Verdict::Broken,
            "{metric}"
        );
    }
}

/// A process that was not looked into may have what is asked for.
#[test]
fn sites_are_known_where_each_process_has_stacks() {
    let mut report = complete();
    let text = limit("leak_bytes", u64::from(u32::MAX), "per = \"site\"");
    for process in &mut report.processes {
        process.stacks = Some(Default::default());
    }
    report.heap.not_known = None;
    assert_eq!(verdict(&text, &report), Verdict::Kept);
    report.processes[1].stacks = None;
    let found = verdict(&text, &report);
    assert!(
        matches!(&found, Verdict::CannotTell(reason) if reason.contains("1 process has no")),
        "{found:?}"
    );
}

#[test]
fn what_was_not_called_is_zero_and_has_no_latency() {
    let mut report = complete();
    report.functions.remove("fsync");
    assert_eq!(
        verdict(&limit("functions.fsync.calls", 0, ""), &report),
        Verdict::Kept
    );
    assert_eq!(
        verdict(
            &limit("functions.fsync.errors_by_errno.EIO", 0, ""),
            &report
        ),
        Verdict::Kept
    );
    for field in ["p99", "p99_9_ns", "max", "total"] {
        let text = format!("[[limit]]\nmetric = \"functions.fsync.latency.{field}\"\nmax = \"1s\"");
        let reason = "fsync was not called".to_owned();
        assert_eq!(
            verdict(&text, &report),
            Verdict::CannotTell(reason),
            "{field}"
        );
    }
}

#[test]
fn what_the_report_lacks_keeps_no_limit() {
    type Lack = fn(&mut Report);
    let lacks: [(Loss, Lack); 6] = [
        (Loss::Uncounted, |report| report.missed.uncounted_calls = 1),
        (Loss::NotInterposed, |report| {
            report.missed.not_interposed = vec!["read".to_owned()];
        }),
        (Loss::Untraced, |report| {
            report.missed.untraced = vec![Untraced {
                pid: 1,
                program: "/bin/busybox".to_owned(),
                reason: "is statically linked".to_owned(),
            }];
        }),
        (Loss::Untraced, |report| report.missed.unlisted_starts = 1),
        (Loss::IoUring, |report| {
            report.missed.io_uring = Some(IoUring {
                seen: IoUringSeen::Used,
                library: None,
            });
        }),
        (Loss::Notes, |report| {
            report.missed.notes = vec!["a region was lost".to_owned()]
        }),
    ];
    for (loss, lack) in lacks {
        let mut report = complete();
        let calls = report.functions["read"].calls;
        lack(&mut report);
        let text = limit("functions.read.calls", calls, "");
        let found = verdict(&text, &report);
        assert!(
            matches!(found, Verdict::CannotTell(_)),
            "{loss:?}: {found:?}"
        );
        let accepting = format!("accept = [\"{}\"]\n{text}", loss.name());
        assert_eq!(verdict(&accepting, &report), Verdict::Kept, "{loss:?}");
        // What is too much already stays so.
        let text = limit("functions.read.calls", calls - 1, "");
        assert_eq!(verdict(&text, &report), Verdict::Broken, "{loss:?}");
    }
    // Another function's calls do not matter.
    let mut report = complete();
    report.missed.not_interposed = vec!["write".to_owned()];
    let text = limit("functions.read.calls", u32::MAX.into(), "");
    assert_eq!(verdict(&text, &report), Verdict::Kept);
}

#[test]
fn a_heap_that_is_not_known_keeps_no_limit() {
    let mut report = complete();
    report.heap.not_known = Some("it has an allocator of its own".to_owned());
    for metric in ["heap.peak_bytes", "leak_bytes", "leak_blocks"] {
        let found = verdict(&limit(metric, u32::MAX.into(), ""), &report);
        assert!(
            matches!(found, Verdict::CannotTell(reason) if reason.contains("own")),
            "{metric}"
        );
    }
}

/// What a baseline lacks would have allowed more.
#[test]
fn a_baseline_with_losses_breaks_nothing() {
    let report = complete();
    let mut before = complete();
    before.functions.get_mut("read").expect("called").calls -= 1000;
    let text = "[[limit]]\nmetric = \"functions.read.calls\"\nincrease = \"0%\"";
    let judged = |before: &Report, text: &str| check(text, &report, Some(before)).remove(0).0;
    assert_eq!(judged(&before, text), Verdict::Broken);
    before.missed.uncounted_calls = 3;
    let found = judged(&before, text);
    let Verdict::CannotTell(why) = &found else {
        panic!("{found:?}");
    };
    assert!(why.starts_with("in the baseline, "), "{why}");
    // What is allowed to lack, and a limit that is broken whatever was before, are as without.
    let accepted = format!("accept = [\"uncounted\"]\n{text}");
    assert_eq!(judged(&before, &accepted), Verdict::Broken);
    assert_eq!(
        judged(&before, &format!("{text}\nmax = 3")),
        Verdict::Broken
    );
    // What is kept by what the baseline has is kept by more.
    let large = text.replace("0%", "900%");
    assert_eq!(judged(&before, &large), Verdict::Kept);
}

#[test]
fn an_increase_is_on_what_was_before() {
    let before = complete();
    let mut now = complete();
    let text = "[[limit]]\nmetric = \"functions.read.calls\"\nincrease = \"10%\"";
    let calls = before.functions["read"].calls;
    for (calls, expected) in [
        (calls, Verdict::Kept),
        (calls + calls / 10, Verdict::Kept),
        (calls + calls / 10 + 1, Verdict::Broken),
    ] {
        now.functions.get_mut("read").expect("read").calls = calls;
        assert_eq!(check(text, &now, Some(&before))[0].0, expected, "{calls}");
    }
    assert!(
        matches!(verdict(text, &now), Verdict::CannotTell(reason) if reason.contains("--baseline"))
    );
}

#[test]
fn limits_hold_for_each_process_and_file() {
    let report = complete();
    let most = |of: fn(&Process) -> u64| report.processes.iter().map(of).max().unwrap_or(0);
    let calls = most(|process| process.functions.get("read").map_or(0, |read| read.calls));
    let per = "per = \"process\"";
    assert_eq!(
        verdict(&limit("functions.read.calls", calls, per), &report),
        Verdict::Kept
    );
    let found = check(
        &limit("functions.read.calls", calls - 1, per),
        &report,
        None,
    );
    assert_eq!(found[0].0, Verdict::Broken);
    assert_eq!(found[0].1.lines().count(), 1, "{}", found[0].1);

    let reads = report
        .files
        .listed
        .iter()
        .map(|file| file.reads)
        .max()
        .unwrap_or(0);
    let per = "per = \"file\"";
    assert_eq!(verdict(&limit("reads", reads, per), &report).severity(), {
        // The sample has files that are not listed.
        u8::from(report.files.folded > 0)
    });
    assert_eq!(
        verdict(&limit("files.reads", reads - 1, per), &report),
        Verdict::Broken
    );

    let named = |file: &&FileUse| file.opens > 1 && file.name.starts_with('/');
    let file = report.files.listed.iter().find(named).expect("a file");
    let opens = file.opens;
    let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let same = report
        .files
        .listed
        .iter()
        .filter(|other| other.name.starts_with(folder));
    assert_eq!(same.count(), 1, "{folder}");
    let file = format!("file = \"{folder}/**\"");
    let text = limit("files.opens", opens, &file);
    let accepting = format!("accept = [\"unlisted\"]\n{text}");
    assert_eq!(verdict(&accepting, &report), Verdict::Kept);
    assert_eq!(
        verdict(&limit("files.opens", opens - 1, &file), &report),
        Verdict::Broken
    );
}

#[test]
fn a_limit_on_nothing_is_refused_with_its_line() {
    let report = complete();
    for (text, part) in [
        (limit("functions.maloc.calls", 1, ""), "maloc"),
        (limit("functions.malloc", 1, ""), "functions.malloc"),
        (limit("functions.malloc.latency", 1, ""), "latency"),
        (limit("heap.depth", 1, ""), "heap.depth"),
        (limit("activities.sleeping.calls", 1, ""), "sleeping"),
        (limit("duration", 1, ""), "a time"),
        (limit("files.colour", 1, ""), "files.colour"),
        (limit("colour", 1, "per = \"file\""), "colour"),
        (limit("heap.peak_bytes", 1, "per = \"site\""), "leak_bytes"),
        (limit("", 1, ""), "''"),
        (limit("...", 1, ""), "..."),
    ] {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("weir.toml");
        std::fs::write(&path, format!("# a budget\n{text}")).expect("written");
        let budget = Budget::read(&path).expect(&text);
        let failure = judged(&path, &budget, &report, None)
            .expect_err(&text)
            .in_one_line();
        assert!(failure.contains("line 2: "), "{failure}");
        assert!(failure.contains(part), "{failure}");
    }
}

/// Of processes that are reported together only the sum is known: the one that has most has at least the mean.
#[test]
fn a_limit_of_each_process_is_not_broken_by_several_together() {
    let mut report = complete();
    let process = &mut report.processes[0];
    process.folded = Some(Box::new(weir_report::model::Folded {
        processes: 3,
        ..Default::default()
    }));
    let calls = process.functions["read"].calls;
    report.processes.truncate(1);
    let of = |most: u64| {
        verdict(
            &limit("functions.read.calls", most, "per = \"process\""),
            &report,
        )
    };
    assert_eq!(of(calls), Verdict::Kept);
    assert!(matches!(of(calls - 1), Verdict::CannotTell(_)));
    assert!(matches!(of(calls / 3), Verdict::CannotTell(_)));
    assert_eq!(of(calls / 3 - 1), Verdict::Broken);
}
