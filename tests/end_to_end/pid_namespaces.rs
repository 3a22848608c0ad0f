//! Processes in namespaces of their own: they have another id there than weir sees, or another clock.

use std::process::Command;

use weir_report::model::{EndKind, Process};
use weir_report::read;

use crate::endings::expect_ends;
use crate::support::recover::recover_all;
use crate::support::{Account, Mode, Program, finish, scratch, victim, weir};

/// Starts the victim in as many pid namespaces as the first argument says.
const IN_NAMESPACES: &str = r#"
    namespaces=$1
    shift
    while [ $namespaces -gt 0 ]; do
        unshare --pid --fork "$@" &
        namespaces=$((namespaces - 1))
    done
    wait
"#;

/// Traces so many children of the victim at the same time, in each of so many namespaces; compares all their accounts.
#[track_caller]
fn expect_all(namespaces: usize, children: usize) {
    let outcome = Program::new("/bin/sh")
        .args(["-c", IN_NAMESPACES, "sh", &namespaces.to_string()])
        .arg(victim("outlives_its_word"))
        .arg(children.to_string())
        .run(Mode::Run)
        .expect_status(0);
    expect_in(&outcome.text(), outcome.processes(), namespaces, children);
}

#[track_caller]
fn expect_in(text: &str, processes: Vec<&Process>, namespaces: usize, children: usize) {
    let mut accounts = Account::all(text);
    let of_victim = |image: &&Process| image.executable.ends_with("/outlives_its_word");
    let mut victims: Vec<_> = processes.into_iter().filter(of_victim).collect();
    // Processes of the same number did the same. The first of each namespace is number 1 there.
    accounts.sort_by_key(|account| account.pid);
    victims.sort_by_key(|image| image.pid);
    let numbers: Vec<u32> = victims.iter().map(|image| image.pid).collect();
    let expected = 1..=u32::try_from(children + 1).expect("few");
    let expected: Vec<u32> = expected
        .flat_map(|number| vec![number; namespaces])
        .collect();
    assert_eq!(numbers, expected);
    assert_eq!(accounts.len(), victims.len());
    for (account, image) in accounts.iter().zip(victims) {
        account.expect_own_calls(image);
        assert_eq!(image.end.how, EndKind::Exited, "{}", image.pid);
        assert_eq!(image.end.status, Some(0), "{}", image.pid);
    }
}

/// An image that has said that it ends can make calls for as long as it likes.
#[test]
fn what_is_counted_late_is_counted() {
    expect_all(1, 3);
}

#[test]
fn many_at_the_same_time_are_counted() {
    expect_all(1, 300);
}

#[test]
fn equal_ids_are_different_processes() {
    expect_all(5, 2);
}

/// Regions have names where weir has few descriptors: then the kernel does not say who made them.
#[test]
fn those_whose_regions_have_names_are_counted() {
    let folder = scratch();
    let report = folder.path().join("report.json");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -n 200; exec \"$@\"", "sh"])
        .arg(weir::command())
        .args(["run", "-q", "--all-processes", "-o"])
        .arg(&report)
        .args(["--", "/bin/sh", "-c", IN_NAMESPACES, "sh", "3"])
        .arg(victim("outlives_its_word"))
        .arg("100");
    let (status, text, stderr) = finish(&mut command, b"");
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    let report = read::load(&report).expect("a report");
    let text = String::from_utf8(text).expect("UTF-8");
    expect_in(&text, report.processes.iter().collect(), 3, 100);
}

/// Each namespace has a process 2 whose parent is process 1.
#[test]
fn each_ends_as_its_own_parent_noted() {
    let signals = [
        ("KILL", libc::SIGKILL),
        ("ABRT", libc::SIGABRT),
        ("TERM", libc::SIGTERM),
    ];
    let script = r#"
        for signal in KILL ABRT TERM; do
            for pause in 0 0.02 1; do
                unshare --pid --fork sh -c '
                    sh -c "sleep $1; kill -$0 \$\$" "$0" "$1"; :
                ' $signal $pause &
            done
        done
        wait
    "#;
    let program = Program::new("/bin/sh").args(["-c", script]);
    let outcome = program.run(Mode::Run).expect_status(0);
    for (name, signal) in signals {
        for pause in ["0", "0.02", "1"] {
            let is_it = |image: &&Process| {
                let killed = image
                    .command
                    .get(2)
                    .is_some_and(|code| code.contains("kill"));
                killed && image.pid == 2 && image.command[3..] == [name, pause]
            };
            let processes = outcome.processes();
            let images: Vec<_> = processes.into_iter().filter(is_it).collect();
            let last = images.last().expect("an image");
            // Also one that is gone before weir looks.
            assert_eq!(last.end.signal, Some(signal), "{name} {pause} {last:?}");
        }
    }
}

/// In the same clock tick, too: the kernel gives the start of a process in hundredths of a second.
#[test]
fn those_with_one_id_end_as_their_parent_noted() {
    let program = Program::new("/usr/bin/unshare").args(["--pid", "--fork"]);
    expect_ends(
        program
            .arg(victim("ends_in_many_ways"))
            .args(["300", "1", "same"]),
    );
}

/// Without `weir run`, too.
#[test]
fn each_recovered_end_is_what_its_own_parent_noted() {
    let script = r#"
        for signal in KILL ABRT TERM; do
            unshare --pid --fork sh -c 'sh -c "kill -$0 \$\$" "$0"; :' $signal &
        done
        wait
    "#;
    let regions = scratch();
    let program = Program::new("/bin/sh").args(["-c", script]);
    let program = program
        .env("WEIR_REGION_DIR", regions.path())
        .without_reports();
    program.run(Mode::Bare).expect_status(0);
    let recovered = recover_all(regions.path()).expect("reports");
    let processes = recovered.iter().flat_map(|report| &report.processes);
    let mut ends: Vec<_> = processes
        .filter(|image| image.pid == 2)
        .map(|image| (image.command.last().cloned(), image.end.signal))
        .collect();
    ends.sort();
    let end = |name: &str, signal| (Some(name.to_owned()), Some(signal));
    let expected = [
        end("ABRT", libc::SIGABRT),
        end("KILL", libc::SIGKILL),
        end("TERM", libc::SIGTERM),
    ];
    assert_eq!(ends, expected);
}

/// A process whose parent is gone is waited for by another.
#[test]
fn ends_of_orphans_are_reported_by_who_inherits_them() {
    for signal in [libc::SIGKILL, libc::SIGABRT] {
        let program = Program::new(victim("subreaper"));
        let outcome = program.args([signal.to_string()]).run(Mode::Run);
        let outcome = outcome.expect_status(0);
        let processes = outcome.processes();
        let ends = processes.iter().filter_map(|image| image.end.signal);
        assert_eq!(ends.collect::<Vec<_>>(), [signal; 10]);
        assert_eq!(processes.len(), 21);
    }
}

/// As the first process of a container, weir has the children of those that have ended.
#[test]
fn weir_waits_for_those_that_it_inherits() {
    let script = r#"
        for number in 1 2 3 4 5 6 7 8 9 10; do
            sh -c 'sh -c "sleep 0.2; kill -KILL \$\$" orphan &'
        done
        sleep 1
        cat /proc/[0-9]*/stat
    "#;
    let folder = scratch();
    let report = folder.path().join("report.json");
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(weir::command())
        .args(["run", "-q", "--all-processes", "-o"])
        .arg(&report)
        .args(["--", "/bin/sh", "-c", script]);
    let (status, text, stderr) = finish(&mut command, b"");
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.starts_with("1 (weir) "), "{text}");
    assert!(!text.contains(") Z "), "{text}");
    let report = read::load(&report).expect("a report");
    let orphans = report.processes.iter().filter(|image| {
        let name = image.command.last();
        image.executable.ends_with("/dash") && name.is_some_and(|name| name == "orphan")
    });
    let ends: Vec<_> = orphans.map(|image| image.end.signal).collect();
    assert_eq!(ends, [Some(libc::SIGKILL); 10]);
}

/// Whoever enters a namespace can leave /proc as it was: it shows the ids of another one.
#[test]
fn weir_knows_who_runs_where_proc_is_another_namespace_s() {
    let script = r#"
        sh -c 'sleep 0.3; kill -KILL $$'
        sleep 1000 &
        sleep 2
    "#;
    let folder = scratch();
    let report = folder.path().join("report.json");
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child"])
        .arg(weir::command())
        .args(["run", "-q", "--all-processes", "-o"])
        .arg(&report)
        .args(["--", "/bin/sh", "-c", script]);
    let (status, _, stderr) = finish(&mut command, b"");
    // The shell says that, too.
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!((status.code(), stderr.trim()), (Some(0), "Killed"));
    let report = read::load(&report).expect("a report");
    let of = |argument: &str| {
        let mut images = report.processes.iter();
        let image = images.rfind(|image| image.command.last().is_some_and(|last| last == argument));
        image.expect("an image")
    };
    let killed = of("sleep 0.3; kill -KILL $$");
    assert_eq!(killed.end.signal, Some(libc::SIGKILL));
    assert!(killed.duration_ns < 1_900_000_000, "{killed:?}");
    assert_eq!(of("1000").end.how, EndKind::Running);
    assert_eq!(of("2").end.how, EndKind::Exited);
}

/// There, the monotonic clock shows another time. Some are gone before weir looks.
#[test]
fn times_are_right_in_time_namespaces() {
    for shift in ["-1000", "5000"] {
        let outcome = in_time_namespace(shift, "sleep 0.5; for i in 1 2 3 4 5 6 7 8; do env; done")
            .run(Mode::Run)
            .expect_status(0);
        let processes = outcome.processes();
        let of = |name: &str| {
            let images = processes.iter();
            let named = images.filter(move |image| image.executable.ends_with(name));
            named.copied().collect::<Vec<_>>()
        };
        let short: Vec<_> = of("/env").iter().map(|image| image.duration_ns).collect();
        assert_eq!(short.len(), 8);
        let is_short = |ns: &u64| (10_000..60_000_000_000).contains(ns);
        assert!(short.iter().all(is_short), "{shift} {short:?}");
        let seconds = 500_000_000..60_000_000_000;
        let sleeps = of("/sleep")[0];
        assert!(seconds.contains(&sleeps.duration_ns), "{shift} {sleeps:?}");
        let mut functions = sleeps.functions.iter();
        let slept = functions.find(|(name, _)| name.contains("nanosleep"));
        let (_, slept) = slept.expect("it sleeps");
        let slept = slept.latency.as_ref().map(|latency| latency.total_ns);
        assert!(
            slept.is_some_and(|ns| seconds.contains(&ns)),
            "{shift} {slept:?}"
        );
        assert!(seconds.contains(&outcome.reports[0].duration_ns), "{shift}");
    }
}

#[test]
fn recovered_times_are_right_in_time_namespaces() {
    for shift in ["-1000", "5000"] {
        let regions = scratch();
        in_time_namespace(shift, r#"sh -c 'sleep 0.5; kill -KILL $$'; :"#)
            .env("WEIR_REGION_DIR", regions.path())
            .without_reports()
            .run(Mode::Bare)
            .expect_status(0);
        let recovered = recover_all(regions.path()).expect("reports");
        let processes = recovered.iter().flat_map(|report| &report.processes);
        let durations: Vec<_> = processes.map(|image| image.duration_ns).collect();
        let [duration] = durations[..] else {
            panic!("{durations:?}");
        };
        let seconds = 400_000_000..60_000_000_000;
        assert!(seconds.contains(&duration), "{shift} {duration}");
    }
}

/// A shell whose clock shows so many seconds more.
fn in_time_namespace(shift: &str, script: &str) -> Program {
    Program::new("/usr/bin/unshare").args([
        "--time",
        "--monotonic",
        shift,
        "--fork",
        "sh",
        "-c",
        script,
    ])
}
