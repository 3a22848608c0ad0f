//! After start-up a hook makes no system call of its own, and never allocates from the program's heap.

use std::path::Path;
use std::process::Command;

use crate::support::{Mode, Program, scratch, victim};

/// The system calls that `steady_state` makes between its markers, in each of its two threads.
fn between_markers(mode: Mode) -> [Vec<String>; 2] {
    let folder = scratch();
    let trace = folder.path().join("trace");
    let program = Program::new(victim("steady_state"));
    let traced = program.command(mode, &folder.path().join("report.json"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "0", "-o"]).arg(&trace);
    for (name, value) in traced.get_envs() {
        // For the program, not for strace.
        match value {
            Some(value) => strace.arg("-E").arg([name, value].join("=".as_ref())),
            None => strace.arg("-E").arg(name),
        };
    }
    strace
        .arg(traced.get_program())
        .args(traced.get_args())
        .current_dir(folder.path());
    let output = strace.output().expect("strace runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let trace = std::fs::read_to_string(&trace).expect("a trace");
    [[4000, 4001], [4100, 4200]].map(|markers| section(&trace, markers))
}

/// The lines of one thread between two calls of getpgid, without the thread's id and addresses.
fn section(trace: &str, markers: [u32; 2]) -> Vec<String> {
    let marker = |number: u32| {
        let call = format!(" getpgid({number})");
        trace
            .lines()
            .find(|line| line.contains(&call))
            .unwrap_or_else(|| panic!("no {call} in the trace"))
    };
    let [first, last] = markers.map(marker);
    let thread = first.split(' ').next().expect("a thread id");
    let mut lines = trace
        .lines()
        .filter(|line| line.split(' ').next() == Some(thread));
    lines.find(|&line| line == first);
    lines
        .take_while(|&line| line != last)
        .map(without_addresses)
        .collect()
}

fn without_addresses(line: &str) -> String {
    let call = line
        .split_once(' ')
        .map_or(line, |(_, call)| call.trim_start());
    call.split("0x").next().unwrap_or(call).to_owned()
}

/// 20,000 rounds of every kind of call, in the main thread and in another: the system calls are one by
/// one those that are made without us.
#[test]
fn no_system_call_of_our_own() {
    let [plain_main, plain_other] = between_markers(Mode::Plain);
    assert!(plain_main.len() > 200_000, "{}", plain_main.len());
    assert!(plain_other.len() > 200_000, "{}", plain_other.len());
    for mode in Mode::MEASURED {
        let [main, other] = between_markers(mode);
        expect_equal(&main, &plain_main, mode);
        expect_equal(&other, &plain_other, mode);
    }
}

/// One line that differs, not four hundred thousand.
#[track_caller]
fn expect_equal(calls: &[String], plain: &[String], mode: Mode) {
    let difference = calls
        .iter()
        .zip(plain)
        .position(|(call, plain)| call != plain);
    if let Some(at) = difference {
        panic!(
            "{mode:?}: call {at} is {}, without us it is {}",
            calls[at], plain[at]
        );
    }
    assert_eq!(calls.len(), plain.len(), "{mode:?}: number of system calls");
}

/// Every block lies where it would lie without us, and malloc's own figures are the same.
#[test]
fn the_heap_is_as_it_would_be() {
    let program = Program::new(victim("heap_layout"));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

/// `weir run` leaves nothing in /dev/shm, and the bare library nothing but its report.
#[test]
fn nothing_is_left_behind() {
    for mode in Mode::MEASURED {
        let folder = scratch();
        let outcome = Program::new(victim("fortified"))
            .in_folder(folder.path())
            .run(mode);
        let pid = outcome.process().pid;
        let left: Vec<_> = ["/dev/shm".as_ref(), folder.path()]
            .iter()
            .flat_map(|folder: &&Path| std::fs::read_dir(folder).expect("a folder"))
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter(|name| name.contains(&format!(".{pid}.")))
            .collect();
        match mode {
            Mode::Bare => assert_eq!(left, [format!("weir.fortified.{pid}.json")]),
            _ => assert!(left.is_empty(), "{left:?}"),
        }
    }
}
