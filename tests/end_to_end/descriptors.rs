//! Known and unknown commands of `fcntl`, `ioctl` and `prctl`, and numbers of `syscall`.

use std::fs;

use crate::support::{Mode, Program, scratch, victim, weir};

/// Each has the same result and the same errno.
#[test]
fn commands_that_nobody_has_heard_of() {
    let program = Program::new(victim("unknown_commands"));
    let plain = program.plain().expect_status(0);
    assert!(plain.text().contains("waiting 3\n") && plain.text().contains("name a name\n"));
    assert!(plain.text().contains("second 6 18\n"), "{}", plain.text());
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

/// The kernel gets every argument: strace prints them as numbers.
#[test]
fn every_argument_is_passed_on() {
    let arguments = |preload: &str| -> Vec<String> {
        let folder = scratch();
        let trace = folder.path().join("trace");
        let preload = format!("LD_PRELOAD={preload}");
        let strace = [
            "-qq",
            "--trace=fcntl,ioctl,prctl",
            "--raw=all",
            "-E",
            &preload,
            "-o",
            trace.to_str().expect("a path in UTF-8"),
        ];
        let program = Program::new(victim("unknown_commands")).in_folder(folder.path());
        program.by("strace", &strace).plain().expect_status(0);
        let text = fs::read_to_string(&trace).expect("a trace");
        let known = |line: &&str| line.contains("0x5eed");
        text.lines().filter(known).map(str::to_owned).collect()
    };
    let plain = arguments("");
    assert_eq!(plain.len(), 400);
    assert!(plain.iter().any(|line| line.contains("0x5eed5eed5ee4")));
    let library = weir::library().to_str().expect("a path in UTF-8");
    assert_eq!(arguments(library), plain);
}
