//! Programs that start others.

use std::fs;

use weir_report::model::{EndKind, Process};

use super::{Place, calls, silent, text, wait_until};

fn of_command<'p>(processes: &'p [Process], first: &str) -> Vec<&'p Process> {
    processes
        .iter()
        .filter(|process| process.command[0] == first)
        .collect()
}

#[test]
fn every_image_of_a_pipeline_is_in_the_report() {
    let place = Place::new();
    let script = "echo one; ls / > /dev/null; printf 'a\\nb\\n' | cat | wc -l";
    let output = place.run_shell(script).output().expect("ended");
    assert_eq!(silent(&output), "one\n2\n");
    let report = place.report();
    let shell = &report.processes[0];
    assert_eq!(shell.command, ["sh", "-c", script]);
    for name in ["ls", "cat", "wc"] {
        let images = of_command(&report.processes, name);
        assert_eq!(images.len(), 1, "{name}");
        assert_eq!(
            (images[0].end.how, images[0].end.status),
            (EndKind::Exited, Some(0))
        );
        assert_eq!(images[0].parent_pid, shell.pid, "{name}");
        assert!(!images[0].forked);
    }
    let cat = of_command(&report.processes, "cat")[0];
    assert_eq!(cat.functions["read"].moved_bytes, 4);
    assert_eq!(cat.functions["write"].moved_bytes, 4);
    // The forks of the shell went on as these.
    let forks = report.processes.iter().filter(|process| process.forked);
    for fork in forks.filter(|fork| fork.end.how == EndKind::Exec) {
        assert!(
            report
                .processes
                .iter()
                .any(|other| other.pid == fork.pid && !other.forked)
        );
    }
    assert_eq!(report.missed.notes, [""; 0]);
    assert!(place.regions().is_empty());
}

#[test]
fn an_image_that_is_replaced_is_followed_by_what_it_became() {
    let place = Place::new();
    silent(
        &place
            .run_shell("exec sh -c 'exec cat /dev/null'")
            .output()
            .expect("ended"),
    );
    let report = place.report();
    let ends: Vec<EndKind> = report
        .processes
        .iter()
        .map(|process| process.end.how)
        .collect();
    assert_eq!(ends, [EndKind::Exec, EndKind::Exec, EndKind::Exited]);
    let pid = report.processes[0].pid;
    assert!(report.processes.iter().all(|process| process.pid == pid));
    assert_eq!(report.end.status, Some(0));
    // The shell tries one directory after the other.
    let execve = &report.functions["execve"];
    assert_eq!(execve.calls - execve.errors, 2);
    assert_eq!(report.missed.notes, [""; 0]);
}

#[test]
fn an_exec_that_fails_ends_nothing() {
    let place = Place::new();
    let script = "exec 2> /dev/null; (exec /etc/passwd); echo on; exit 3";
    let output = place.run_shell(script).output().expect("ended");
    assert_eq!(
        (silent(&output).as_str(), output.status.code()),
        ("on\n", Some(3))
    );
    let report = place.report();
    assert!(report.functions["execve"].errors >= 1);
    assert!(
        report
            .processes
            .iter()
            .all(|process| process.end.how == EndKind::Exited)
    );
}

#[test]
fn a_killed_child_is_in_the_report_with_all_it_did() {
    let place = Place::new();
    let script = "sh -c 'echo one; echo two; kill -KILL $$'; exit 0";
    let output = place.run_shell(script).output().expect("ended");
    assert_eq!(text(&output.stdout), "one\ntwo\n");
    let report = place.report();
    let killed = &report.processes[1];
    assert!(
        matches!(killed.end.how, EndKind::Unknown | EndKind::Signaled),
        "{:?}",
        killed.end
    );
    assert_eq!(killed.functions["write"].calls, 2);
    assert_eq!(killed.functions["write"].moved_bytes, 8);
}

#[test]
fn what_is_left_behind_goes_on_and_is_reported_as_running() {
    let place = Place::new();
    let script = "sh -c 'echo > ready; while [ -e ready ] && [ ! -e go ]; do sleep 0.01; done
        cat /dev/null; echo whole > result' > /dev/null 2>&1 &
        while [ ! -s ready ]; do sleep 0.01; done";
    silent(&place.run_shell(script).output().expect("ended"));
    let report = place.report();
    assert_eq!(report.end.status, Some(0));
    let running = report
        .processes
        .iter()
        .filter(|process| process.end.how == EndKind::Running);
    // It may be about to start a sleep, as a fork of its own.
    let left: Vec<_> = running
        .filter(|process| process.command[0] == "sh" && !process.forked)
        .collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].functions["write"].calls >= 1);
    assert!(place.regions().is_empty());

    fs::write(place.file("go"), "").expect("written");
    let result = || fs::read_to_string(place.file("result")).unwrap_or_default();
    wait_until("the result of what was left", || result() == "whole\n");
}

/// There the shell is process 1, and its children have ids that are others' outside.
#[test]
fn processes_in_a_namespace_of_their_own_are_reported_by_their_own_word() {
    let place = Place::new();
    let script = "cat /dev/null; sh -c 'echo one; kill -KILL $$'; exit 4";
    let program = [
        "unshare",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
        script,
    ];
    let output = place.run(&[], &program).output().expect("ended");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stdout), "one\n");
    let report = place.report();
    let shell = of_command(&report.processes, "sh");
    let inner: Vec<_> = shell.iter().filter(|process| process.pid == 1).collect();
    assert_eq!(
        (inner[0].end.how, inner[0].end.status),
        (EndKind::Exited, Some(4))
    );
    assert_eq!(
        of_command(&report.processes, "cat")[0].end.how,
        EndKind::Exited
    );
    let running = report
        .processes
        .iter()
        .filter(|process| process.end.how == EndKind::Running);
    assert_eq!(running.count(), 0);
}

/// More processes than regions could be kept at once under tight limits; none is lost.
#[test]
fn a_storm_of_processes_is_counted_to_the_last() {
    let place = Place::new();
    let script = "i=0; while [ $i -lt 200 ]; do (echo x); cat /dev/null; i=$((i + 1)); done";
    let program = ["sh", "-c", script];
    let output = place.run(&["--all-processes"], &program).output();
    let output = output.expect("ended");
    assert_eq!(silent(&output), "x\n".repeat(200));
    let report = place.report();
    assert_eq!(of_command(&report.processes, "cat").len(), 200);
    assert_eq!(report.functions["write"].moved_bytes, 400);
    assert_eq!(calls(&report, "read"), 200);
    let ended = |process: &&Process| matches!(process.end.how, EndKind::Exited | EndKind::Exec);
    assert_eq!(
        report.processes.iter().filter(ended).count(),
        report.processes.len()
    );
    assert!(place.regions().is_empty());
}
