//! Processes that have another id in their own pid namespace than weir sees.

use std::process::Command;

use weir_report::model::{EndKind, Process};
use weir_report::read;

use crate::support::program::finish;
use crate::support::{Account, Mode, Program, scratch, victim, weir};

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

/// Regions have names where weir has few descriptors: then the kernel does not tell who made them.
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
