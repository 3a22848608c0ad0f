//! What processes take of the machine over time, beside what getrusage gives them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use weir_report::model::{EndKind, Process, Usage};

use crate::support::{Mode, Program, finish, scratch, victim, weir};

/// The kernel's clock tick.
const TICK_NS: u64 = 10_000_000;
const MIB: u64 = 1 << 20;

/// What the victim says of a time in which it slept.
#[derive(Debug)]
struct Sleep {
    pid: u32,
    began_unix_ns: u64,
    ended_unix_ns: u64,
    minor_faults: u64,
    major_faults: u64,
    cpu_ns: u64,
    touched_bytes: u64,
}

fn sleeps(text: &str) -> Vec<Sleep> {
    let line = |line: &str| {
        let words: Vec<u64> = line
            .split(' ')
            .map(|word| word.parse().expect("a number"))
            .collect();
        let [
            pid,
            began_unix_ns,
            ended_unix_ns,
            minor_faults,
            major_faults,
            cpu_us,
            touched_bytes,
        ] = words[..]
        else {
            panic!("{line}");
        };
        Sleep {
            pid: pid as u32,
            began_unix_ns,
            ended_unix_ns,
            minor_faults,
            major_faults,
            cpu_ns: cpu_us * 1000,
            touched_bytes,
        }
    };
    text.lines().map(line).collect()
}

/// What a process took by its own timeline, with the moments, which are those of the point.
fn usages(process: &Process) -> impl Iterator<Item = (u64, Usage)> {
    let points = process.timeline.points.iter();
    points.filter_map(|point| Some((process.started_unix_ns + point.at_ns, point.usage?)))
}

fn has_usage(process: &Process) -> bool {
    usages(process).next().is_some()
}

/// Processes that touch memory and take processor time, a child of fork, and what it becomes.
#[test]
fn each_moment_has_what_the_process_takes() {
    expect_usages(&Program::new(victim("takes_memory_and_time")));
}

/// In a pid namespace of its own, a process has a number that is another's outside.
#[test]
fn those_of_another_namespace_are_no_others() {
    let program = Program::new(victim("takes_memory_and_time"));
    expect_usages(&program.by("unshare", &["--pid", "--fork"]));
}

#[track_caller]
fn expect_usages(program: &Program) {
    let outcome = program.run(Mode::Run).expect_status(0);
    let mut processes = outcome.processes();
    processes.retain(|image| image.executable.ends_with("/takes_memory_and_time"));
    let [parent, child, successor] = processes[..] else {
        panic!("{} process images", processes.len());
    };
    let sleeps = sleeps(&outcome.text());
    assert_eq!(sleeps.len(), 8, "{sleeps:?}");
    let mut before = None;
    for sleep in &sleeps {
        let moments = sleep.began_unix_ns..sleep.ended_unix_ns;
        let images = processes.iter().filter(|image| image.pid == sleep.pid);
        let seen: Vec<Usage> = images
            .flat_map(|image| usages(image))
            .filter(|(moment, _)| moments.contains(moment))
            .map(|(_, usage)| usage)
            .collect();
        assert!(!seen.is_empty(), "{sleep:?}");
        for usage in &seen {
            // A forked process counts in a region of its own from its first call on, the sleep.
            let minor = sleep.minor_faults..=sleep.minor_faults + 128;
            assert!(minor.contains(&usage.minor_faults), "{usage:?}, {sleep:?}");
            let major = sleep.major_faults..=sleep.major_faults + 16;
            assert!(major.contains(&usage.major_faults), "{usage:?}, {sleep:?}");
            let cpu_ns = usage.user_ns + usage.system_ns;
            assert!(
                cpu_ns + 2 * TICK_NS >= sleep.cpu_ns && cpu_ns <= sleep.cpu_ns + TICK_NS,
                "{usage:?}, {sleep:?}"
            );
            assert!(usage.resident_bytes > MIB, "{usage:?}");
        }
        // The first usage of two sleeps of an image: what was touched in between is resident.
        let resident = seen[0].resident_bytes;
        if let Some((pid, was_resident, had_touched)) = before
            && pid == sleep.pid
            && sleep.touched_bytes >= had_touched
        {
            let touched: u64 = sleep.touched_bytes - had_touched;
            let more = resident.checked_sub(was_resident).expect("it grows");
            assert!(more.abs_diff(touched) < 2 * MIB, "{more}, {touched}");
        }
        before = Some((sleep.pid, resident, sleep.touched_bytes));
    }
    // A forked process begins anew.
    let first = |image| usages(image).next().expect("a usage").1;
    let last = |image| usages(image).last().expect("a usage").1;
    assert!(first(child).minor_faults < 1000, "{:?}", first(child));
    assert!(last(parent).minor_faults > 3 * 900);
    assert!(last(parent).user_ns + last(parent).system_ns >= 28 * TICK_NS);
    // An exec keeps what the process has had, and not its memory.
    assert_eq!(child.end.how, EndKind::Exec);
    assert!(first(successor).minor_faults >= last(child).minor_faults);
    assert!(first(successor).resident_bytes + 16 * MIB < last(child).resident_bytes);
    // They have ended by the last point.
    for image in processes {
        let ended = image.timeline.points.last().expect("points");
        assert_eq!(ended.usage, None);
    }
}

/// Nobody looks from outside.
/// /proc shows the memory of such a process with its other threads only.
#[test]
fn it_is_reported_where_the_first_thread_has_ended() {
    let program = Program::new(victim("first_thread_ends"));
    let outcome = program.run(Mode::Run).expect_status(0);
    let usages = usages(outcome.process());
    let most = usages.map(|(_, usage)| usage.resident_bytes).max();
    assert!(most.is_some_and(|bytes| bytes > 32 * MIB), "{most:?}");
}

#[test]
fn without_weir_run_nothing_is_reported() {
    let outcome = Program::new(victim("takes_memory_and_time"))
        .run(Mode::Bare)
        .expect_status(0);
    for process in outcome.processes() {
        assert!(process.timeline.points.len() > 1);
        assert!(!has_usage(process));
    }
}

/// Limits just below and above what getrusage gives the processes.
#[test]
fn a_budget_limits_what_processes_take() {
    let folder = scratch();
    let weir = |words: &[&str]| {
        let mut command = Command::new(weir::command());
        let (status, output, errors) = finish(command.args(words).current_dir(folder.path()), b"");
        assert_eq!(String::from_utf8_lossy(&errors), "");
        (status.code(), String::from_utf8(output).expect("UTF-8"))
    };
    let program = victim("takes_memory_and_time");
    let program = program.to_str().expect("UTF-8");
    let (status, text) = weir(&["run", "--quiet", "--out", "report.json", "--", program]);
    assert_eq!(status, Some(0), "{text}");
    let sleeps = sleeps(&text);
    // The child is one process, with what it becomes.
    let last: BTreeMap<u32, &Sleep> = sleeps.iter().map(|sleep| (sleep.pid, sleep)).collect();
    assert_eq!(last.len(), 2, "{sleeps:?}");
    let sum = |of: fn(&Sleep) -> u64| last.values().map(|sleep| of(sleep)).sum::<u64>();
    let most = |of: fn(&Sleep) -> u64| sleeps.iter().map(of).max().unwrap_or(0);
    let (cpu, faults) = (sum(|of| of.cpu_ns), sum(|of| of.minor_faults));
    let (cpu_of_one, faults_of_one) = (most(|of| of.cpu_ns), most(|of| of.minor_faults));
    let touched = most(|of| of.touched_bytes);
    let each = "per = \"process\"";
    for (metric, per, broken, kept) in [
        ("resident_bytes", "", touched, touched + 24 * MIB),
        ("resident_bytes", each, touched, touched + 24 * MIB),
        ("cpu_ns", "", cpu - 6 * TICK_NS, cpu + 10 * TICK_NS),
        (
            "cpu_ns",
            each,
            cpu_of_one - 3 * TICK_NS,
            cpu_of_one + 10 * TICK_NS,
        ),
        ("minor_faults", "", faults - 1, faults + 1000),
        (
            "minor_faults",
            each,
            faults_of_one - 1,
            faults_of_one + 1000,
        ),
    ] {
        let unit = if metric == "cpu_ns" { "ns" } else { "" };
        for (max, code) in [(broken, 1), (kept, 0)] {
            let budget =
                format!("[[limit]]\nmetric = \"usage.{metric}\"\nmax = \"{max}{unit}\"\n{per}\n");
            fs::write(folder.path().join("weir.toml"), &budget).expect("written");
            let (status, page) = weir(&["check", "report.json"]);
            assert_eq!(status, Some(code), "{budget}{page}{sleeps:?}");
        }
    }
}
