//! Processes that leave their surroundings: for another root directory, another user, the background, or a program
//! that cannot be traced.

use std::fs;

use weir_report::model::{EndKind, Process, Untraced};

use crate::support::{Mode, Program, scratch, victim};

/// Checks what one child of the victim did, with its threads and its own child, and how many such children counted in
/// this process.
#[track_caller]
fn expect_children(process: &Process, children: u64, sharers: &str) {
    let write = &process.functions["write"];
    let parents = write.calls - 250 * children;
    assert!(parents == 0 || parents == 200, "{} writes", write.calls);
    assert_eq!((write.errors, write.moved_bytes), (0, 16 * write.calls));
    assert_eq!(process.functions["_exit"].calls, children);
    assert_eq!(process.functions["execl"].errors, children);
    assert_eq!(process.missed.threads_without_slot, 0);
    assert_eq!(process.missed.untraced, []);
    let notes = &process.missed.notes;
    assert!(
        notes.iter().any(|note| note.starts_with(sharers)),
        "{notes:?}"
    );
}

/// A child makes its region when it calls chroot. Its own child can no longer make one, and counts in that region.
#[test]
fn children_in_another_root_directory() {
    let root = scratch();
    let program = Program::new(victim("leaves_home"))
        .arg("root")
        .arg(root.path());
    let plain = program.plain().expect_status(7);
    let outcome = program.run(Mode::Run).expect_same(&plain);
    let processes = outcome.processes();
    assert_eq!(processes.len(), 5);
    assert_eq!(processes[0].functions["write"].calls, 200);
    for child in &processes[1..] {
        expect_children(child, 1, "1 forked process ");
        assert_eq!(
            (child.end.how, child.end.status),
            (EndKind::Exited, Some(5))
        );
        assert_eq!(
            child.files.others.writes, 50,
            "the files of the last are folded into one entry"
        );
    }
}

/// As in a server that root started: each child makes its region before it becomes another user. Its own child can no
/// longer make one, and counts in that region.
#[test]
fn children_that_become_another_user() {
    let program = Program::new(victim("leaves_home")).args(["user", "-"]);
    let plain = program.plain().expect_status(7);
    let outcome = program.run(Mode::Run).expect_same(&plain);
    let processes = outcome.processes();
    assert_eq!(processes.len(), 5);
    assert_eq!(processes[0].functions["write"].calls, 200);
    for child in &processes[1..] {
        expect_children(child, 1, "1 forked process ");
        let end = (child.end.how, child.end.status);
        assert_eq!(end, (EndKind::Exited, Some(5)));
    }
}

/// If Weir does not see the change of user, no child can make a region, and all count in their parent's.
#[test]
fn children_that_are_another_user_s() {
    let program = Program::new(victim("leaves_home")).args(["quietly", "-"]);
    let plain = program.plain().expect_status(7);
    let outcome = program.run(Mode::Run).expect_same(&plain);
    let process = outcome.process();
    expect_children(process, 4, "8 forked processes ");
    assert_eq!(process.end.status, Some(7));
    assert_eq!(process.functions["write"].calls, 1200);
    assert_eq!(process.files.others.writes, 1000);
}

/// A region outlives the process that made it while others count in it.
#[test]
fn a_child_that_outlives_the_parent_whose_region_it_counts_in() {
    let program = Program::new(victim("leaves_home")).args(["orphan", "-"]);
    let outcome = program.run(Mode::Run).expect_status(7);
    let processes = outcome.processes();
    assert_eq!(processes.len(), 2);
    let parent = processes[1];
    assert_eq!(
        (parent.end.how, parent.end.status),
        (EndKind::Exited, Some(4))
    );
    assert_eq!(parent.functions["write"].calls, 50);
    assert_eq!(parent.functions["_exit"].calls, 2);
}

/// The child may still make its first call, or never.
#[test]
fn a_child_of_which_nothing_is_known_is_reported() {
    let outcome = Program::new(victim("leaves_a_child")).run(Mode::Run);
    let outcome = outcome.expect_status(0);
    let notes = &outcome.process().missed.notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("1 forked process had not made a call"),
        "{notes:?}"
    );
}

/// Four are started by vfork, two by posix_spawn.
#[test]
fn children_that_cannot_be_traced_are_listed() {
    let program = victim("static");
    let outcome = Program::new(victim("spawns")).arg(&program).run(Mode::Run);
    let outcome = outcome.expect_status(0);
    assert_eq!(outcome.processes().len(), 1);
    let report = &outcome.reports[0];
    let untraced = &report.missed.untraced;
    assert_eq!(untraced.len(), 6, "{untraced:?}");
    for Untraced {
        pid,
        program: named,
        reason,
    } in untraced
    {
        assert_ne!(*pid, report.processes[0].pid);
        assert_eq!(*named, program.display().to_string());
        assert!(reason.starts_with("is statically linked"), "{reason}");
    }
    assert_eq!(report.processes[0].missed.untraced, *untraced);
    assert_eq!(report.missed.unlisted_starts, 0);
}

#[test]
fn what_a_process_became_is_listed_too() {
    let program = victim("static");
    let line = format!("exec {}", program.display());
    let outcome = Program::new("/bin/sh").args(["-c", &line]).run(Mode::Run);
    let outcome = outcome.expect_status(7);
    let process = outcome.process();
    assert_eq!(process.end.how, EndKind::Exec);
    let untraced = &process.missed.untraced;
    assert_eq!(untraced.len(), 1);
    assert_eq!(untraced[0].pid, process.pid);
    assert_eq!(process.missed.notes, [""; 0]);
}

#[test]
fn a_storm_of_programs_that_cannot_be_traced_is_listed_to_the_last() {
    let script = format!(
        "i=0; while [ $i -lt 200 ]; do {}; i=$((i + 1)); done; exit 7",
        victim("static").display()
    );
    let outcome = Program::new("/bin/sh").args(["-c", &script]).run(Mode::Run);
    let missed = &outcome.expect_status(7).reports[0].missed;
    assert_eq!((missed.untraced.len(), missed.unlisted_starts), (200, 0));
    assert_eq!(missed.notes, [""; 0]);
}

/// No program that is started and traced is listed, in whatever way it is started.
#[test]
fn children_that_are_traced_are_not_listed() {
    let script = "for n in 1 2 3; do /bin/true; seq $n | sort; done; exec /bin/true";
    let spawns = Program::new(victim("spawns")).arg(victim("ways_to_exit"));
    for program in [
        spawns,
        Program::new(victim("ways_to_exec")),
        Program::new("/bin/sh").args(["-c", script]),
    ] {
        let folder = victim("ways_to_exec");
        let folder = folder.parent().expect("victims are in a folder");
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let outcome = program.env("PATH", path).run(Mode::Run);
        let missed = &outcome.reports[0].missed;
        assert_eq!((&missed.untraced[..], missed.unlisted_starts), (&[][..], 0));
    }
}

#[test]
fn a_cleared_environment_is_reported_and_followed_where_that_is_wanted() {
    let program = Program::new("/usr/bin/env").args(["-i", "A=1", "/usr/bin/env"]);
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "A=1\n");
    let outcome = program.run(Mode::Run).expect_same(&plain);
    let untraced = &outcome.process().missed.untraced;
    assert_eq!(untraced.len(), 1);
    assert!(untraced[0].reason.contains("LD_PRELOAD"), "{untraced:?}");

    let program = program
        .env("WEIR_FOLLOW", "cleared")
        .env("WEIR_TIME", "all");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        let text = outcome.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "A=1", "what it had stays first");
        assert!(lines[1].starts_with("LD_PRELOAD=/"), "{text}");
        assert!(lines.contains(&"WEIR_FOLLOW=cleared") && lines.contains(&"WEIR_TIME=all"));
        let processes = outcome.processes();
        assert_eq!(processes.len(), 2, "{mode:?}");
        assert_eq!(processes[1].timed_one_in, 1);
        for report in &outcome.reports {
            assert_eq!(report.missed.untraced, []);
        }
    }
}

/// An environment that contains Weir is passed on unchanged.
#[test]
fn a_whole_environment_is_not_touched() {
    let program = Program::new("/bin/sh").args(["-c", "env | sort; exec env | sort"]);
    let program = program.env("WEIR_FOLLOW", "cleared");
    let outcome = program.run(Mode::Run).expect_status(0);
    let text = outcome.text();
    let named = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((named("LD_PRELOAD="), named("WEIR_SESSION=")), (2, 2));
}

/// The variadic exec functions, with an environment of one entry.
#[test]
fn exec_with_many_arguments_is_followed() {
    let program = Program::new(victim("many_arguments"));
    let plain = program.plain().expect_status(5);
    let program = program.env("WEIR_FOLLOW", "cleared");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        assert_eq!(outcome.processes().len(), 4, "{mode:?}");
    }
}

/// A program may pass anything to exec; the kernel reports what is wrong with it.
#[test]
fn arguments_that_lead_nowhere_are_errors_as_before() {
    let program = Program::new(victim("bad_environments"));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
        let followed = program.clone().env("WEIR_FOLLOW", "cleared").run(mode);
        let followed = followed.expect_status(0);
        assert!(
            followed.text().starts_with(&plain.text()),
            "{}",
            followed.text()
        );
        assert_eq!(followed.processes().len(), 2, "{mode:?}");
    }
}

/// The daemon is counted up to the end of the program, and continues to run.
#[test]
fn a_daemon_is_in_the_report_and_goes_on() {
    let folder = scratch();
    let program = Program::new(victim("daemon")).arg(folder.path());
    let outcome = program.run(Mode::Run).expect_status(0);
    assert_eq!(outcome.complaints(), "");
    let processes = outcome.processes();
    assert_eq!(processes.len(), 3);
    let running = |process: &&&Process| process.end.how == EndKind::Running;
    let daemon = processes.iter().find(running).expect("the daemon");
    assert!(daemon.forked);
    assert_eq!(daemon.functions["write"].calls, 20);
    assert_eq!(daemon.functions["write"].moved_bytes, 100);
    let file = |name: &str| folder.path().join(name);
    fs::write(file("go"), "").expect("a file");
    let done = || fs::read_to_string(file("result")).unwrap_or_default();
    let ends = (0..6000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        done() == "line\nline\nline\n"
    });
    assert!(ends, "the daemon did not go on: {:?}", done());
}
