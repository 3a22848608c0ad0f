//! After its start, a hook makes no system call of its own, and it never allocates from the program's heap. One kind of call is an
//! exception: the path, address or vector of a call that is neither on the thread's stack nor in the program's image may not be there, and
//! the kernel is asked, or copies it.

use std::path::Path;
use std::process::Command;

use crate::support::strace::run_under;
use crate::support::{Mode, Program, scratch, succeed, victim};

/// The system calls that `steady_state` makes between its markers, in each of its two threads.
fn between_markers(mode: Mode, stacks: &str) -> [Vec<String>; 2] {
    let folder = scratch();
    let program = Program::new(victim("steady_state")).env("WEIR_STACKS", stacks);
    let traced = program.command(mode, &folder.path().join("report.json"));
    let mut strace = Command::new("strace");
    // One file for each thread.
    strace
        .args(["-ff", "-qq", "-s", "0", "-o"])
        .arg(folder.path().join("trace"));
    run_under(&mut strace, &traced);
    strace.current_dir(folder.path());
    succeed(&mut strace, b"");
    let traces: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("trace."))
        })
        .map(|path| std::fs::read_to_string(path).expect("a trace"))
        .collect();
    [[5_000_000, 5_000_001], [5_000_100, 5_000_200]].map(|markers| section(&traces, markers))
}

/// The lines of one thread between two calls of getpgid, without addresses.
fn section(traces: &[String], markers: [u32; 2]) -> Vec<String> {
    let [first, last] = markers.map(|number| format!("getpgid({number})"));
    let trace = traces
        .iter()
        .find(|trace| trace.contains(&first))
        .expect("a thread with the marker");
    trace
        .lines()
        .skip_while(|line| !line.starts_with(&first))
        .take_while(|line| !line.starts_with(&last))
        .map(|line| line.split("0x").next().unwrap_or(line).to_owned())
        .collect()
}

/// Makes 1,500 rounds of every kind of call, in the main thread and in another. The system calls are the same, one
/// by one, as without us. The exceptions: a program with one thread and no `weir run` drains its own ring, once in
/// 4096 timed calls, with signals blocked; and call stacks of samples begin after a thousand calls, and are found with signals
/// blocked until they are remembered.
#[test]
fn no_system_call_of_our_own() {
    let [plain_main, plain_other] = between_markers(Mode::Plain, "off");
    // The marker, and the system calls of each round.
    assert_eq!((plain_main.len(), plain_other.len()), (15_001, 15_001));
    for mode in Mode::MEASURED {
        let [mut main, other] = between_markers(mode, "off");
        if matches!(mode, Mode::Bare) {
            let drains = take_drains(&mut main);
            // 13,500 I/O calls, and one in 128 of 16,500 others.
            assert!((3..=4).contains(&drains), "{drains} drains");
        }
        expect_equal(&main, &plain_main, mode);
        expect_equal(&other, &plain_other, mode);
    }
    // So many samples that the first one, which asks for memory, is among the first calls.
    let with_samples = between_markers(Mode::Run, "sampled:65536");
    for (calls, plain) in with_samples.iter().zip([&plain_main, &plain_other]) {
        let of_our_own = calls.len() - plain.len();
        assert!(of_our_own < 500, "{of_our_own} system calls of our own");
        // Later ones are for the few blocks that are samples.
        let is_other = |call: &&String| !call.starts_with("rt_sigprocmask(SIG_SETMASK, ");
        let others: Vec<String> = calls.iter().filter(is_other).cloned().collect();
        let last = |calls: &[String]| calls[calls.len() - 12_000..].to_vec();
        expect_equal(&last(&others), &last(plain), Mode::Run);
    }
}

/// Removes the calls that were made with signals blocked, and returns how many times signals were blocked.
fn take_drains(calls: &mut Vec<String>) -> usize {
    const OF_A_DRAIN: [&str; 4] = ["mmap(", "munmap(", "prlimit64(", "rt_sigprocmask("];
    let (mut drains, mut in_drain) = (0, false);
    calls.retain(|call| {
        let begins = call.starts_with("rt_sigprocmask(SIG_SETMASK, ~[");
        let ends = in_drain && call.starts_with("rt_sigprocmask(SIG_SETMASK, []");
        let is_of_drain = begins || in_drain;
        if is_of_drain {
            assert!(
                OF_A_DRAIN
                    .iter()
                    .any(|of_a_drain| call.starts_with(of_a_drain)),
                "{call}"
            );
        }
        drains += usize::from(begins);
        in_drain = (in_drain || begins) && !ends;
        !is_of_drain
    });
    drains
}

/// Prints only the first line that differs, not a hundred thousand lines.
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

/// Every block has the address that it has without us, and malloc's own figures are the same.
#[test]
fn the_heap_is_as_it_would_be() {
    let program = Program::new(victim("heap_layout"));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

/// `weir run` leaves nothing in /dev/shm, and the bare library leaves only its report.
#[test]
fn nothing_is_left_behind() {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .map(|name| name.into_string().expect("UTF-8"))
            .collect()
    };
    for mode in Mode::MEASURED {
        let folder = scratch();
        // A killed process may have left files there, and the program may get the same process id.
        let before = names(Path::new("/dev/shm"));
        let outcome = Program::new(victim("fortified"))
            .in_folder(folder.path())
            .run(mode);
        let pid = outcome.process().pid;
        let left: Vec<_> = [Path::new("/dev/shm"), folder.path()]
            .into_iter()
            .flat_map(names)
            .filter(|name| name.contains(&format!(".{pid}.")) && !before.contains(name))
            .collect();
        match mode {
            Mode::Bare => assert_eq!(left, [format!("weir.fortified.{pid}.json")]),
            _ => assert!(left.is_empty(), "{left:?}"),
        }
    }
}
