//! What a program inherits is the same with weir in between.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Place, silent, text};

/// A shell writes what it inherited to a file: descriptors and signals.
const TELL: &str = "\
    for fd in 0 1 2 3 4 5 6 7 8 9; do
        if [ -e /proc/$$/fd/$fd ]; then told=\"$told $fd\"; fi
    done
    while read name value; do
        case $name in SigBlk:|SigIgn:|SigCgt:|NoNewPrivs:) told=\"$told $name $value\";; esac
    done < /proc/$$/status
    echo \"$told $(ulimit -a) $(umask) $PWD $0 $*\" > told";

/// What the shell writes in the environment that `prepare` made, without weir and with it.
fn told(prepare: fn(&mut Command)) -> (String, String) {
    let program = ["sh", "-c", TELL, "name", "a", "", "c d"];
    let place = Place::new();
    let mut plain = place.settle(Command::new(program[0]));
    plain.args(&program[1..]);
    let mut traced = place.run(&[], &program);
    let tell = |command: &mut Command| {
        prepare(command);
        let output = command.output().expect("started");
        assert!(output.status.success(), "{}", text(&output.stderr));
        fs::read_to_string(place.file("told")).expect("told")
    };
    (tell(&mut plain), tell(&mut traced))
}

#[test]
fn descriptors_and_signals_are_those_of_the_program_without_weir() {
    let (plain, traced) = told(|_| ());
    assert!(plain.starts_with(" 0 1 2 SigBlk: "), "{plain}");
    assert_eq!(traced, plain);
}

#[test]
fn closed_streams_stay_closed() {
    let (plain, traced) = told(|command| {
        // SAFETY: closes descriptors of the child, between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::close(0);
                libc::close(2);
                Ok(())
            });
        }
    });
    assert!(plain.starts_with(" 1 SigBlk: "), "{plain}");
    assert_eq!(traced, plain);
    let (plain, traced) = told(|command| {
        // SAFETY: as above.
        unsafe {
            command.pre_exec(|| {
                libc::close(1);
                Ok(())
            });
        }
    });
    assert!(plain.starts_with(" 0 2 SigBlk: "), "{plain}");
    assert_eq!(traced, plain);
}

#[test]
fn ignored_and_blocked_signals_stay_so() {
    let (plain, traced) = told(|command| {
        // SAFETY: dispositions and mask of the child, between fork and exec.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGPIPE, libc::SIGCHLD, libc::SIGINT, libc::SIGHUP] {
                    libc::signal(signal, libc::SIG_IGN);
                }
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&mut set);
                libc::sigaddset(&mut set, libc::SIGUSR1);
                libc::sigaddset(&mut set, libc::SIGWINCH);
                libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
                Ok(())
            });
        }
    });
    // In hexadecimal, signal 1 first: USR1 is 10 and WINCH 28.
    assert!(plain.contains("SigBlk: 0000000008000200"), "{plain}");
    assert_eq!(traced, plain);
}

#[test]
fn limits_are_the_program_s() {
    let (plain, traced) = told(|command| {
        // SAFETY: a limit of the child, between fork and exec.
        unsafe {
            command.pre_exec(|| {
                let limit = libc::rlimit {
                    rlim_cur: 77,
                    rlim_max: 88,
                };
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
                Ok(())
            });
        }
    });
    assert!(plain.contains(" 77\n"), "{plain}");
    assert_eq!(traced, plain);
}

#[test]
fn the_environment_is_the_program_s_and_the_library() {
    let place = Place::new();
    let environment = |mut command: Command| {
        command.env_clear().envs([
            ("PATH", "/usr/bin:/bin"),
            ("B", "2\n3"),
            ("A", ""),
            ("WEIR_OUT", "x"),
        ]);
        silent(&command.output().expect("started"))
    };
    let plain = environment(place.settle(Command::new("env")));
    let traced = environment(place.run(&[], &["env"]));
    let added = traced.strip_prefix(&plain).expect("the same at first");
    let names: Vec<&str> = added
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    assert_eq!(names, ["LD_PRELOAD", "WEIR_SESSION"]);
}

#[test]
fn limits_on_memory_are_those_of_the_program_without_weir() {
    let (plain, traced) = told(|command| {
        let limit = libc::rlimit {
            rlim_cur: 1 << 30,
            rlim_max: 1 << 40,
        };
        // SAFETY: limits of the child, between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::setrlimit(libc::RLIMIT_DATA, &limit);
                libc::setrlimit(libc::RLIMIT_AS, &limit);
                Ok(())
            });
        }
    });
    assert!(plain.contains("1048576"), "{plain}");
    assert_eq!(traced, plain);
}
