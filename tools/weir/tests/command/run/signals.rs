//! Signals that come to weir while the program runs.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};
use std::time::Duration;

use weir_report::model::EndKind;

use super::{Place, text, wait_until};

/// Starts it in a process group of its own and with the signals as they usually are, as a shell does, and
/// waits until the program is ready. The tests themselves may run where SIGHUP is ignored, under nohup.
fn started(place: &Place, mut command: Command) -> Child {
    // SAFETY: signal(2) may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGUSR1] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    let child = command.process_group(0).spawn().expect("started");
    wait_until("the program is ready", || place.file("ready").exists());
    child
}

fn send(pid: i32, signal: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

fn id(child: &Child) -> i32 {
    child.id().cast_signed()
}

const READY_THEN: &str = "echo > ready; while [ -e ready ]; do sleep 0.01; done";

#[test]
fn what_is_sent_to_weir_reaches_the_program() {
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGUSR1] {
        let place = Place::new();
        let script = format!("trap 'exit 5' {signal}; {READY_THEN}");
        let mut weir = started(&place, place.run_shell(&script));
        send(id(&weir), signal);
        assert_eq!(
            weir.wait().expect("ended").code(),
            Some(5),
            "signal {signal}"
        );
        assert_eq!(place.report().end.status, Some(5));
        assert!(place.regions().is_empty());
    }
}

#[test]
fn a_signal_that_ends_the_program_ends_weir_after_the_report() {
    let place = Place::new();
    let mut weir = started(&place, place.run_shell(READY_THEN));
    send(id(&weir), libc::SIGTERM);
    assert_eq!(weir.wait().expect("ended").signal(), Some(libc::SIGTERM));
    let end = place.report().end;
    assert_eq!(
        (end.how, end.signal),
        (EndKind::Signaled, Some(libc::SIGTERM))
    );
    assert!(place.regions().is_empty());
}

#[test]
fn a_program_that_handles_an_interrupt_of_the_whole_group_goes_on_under_weir() {
    let place = Place::new();
    let script = "trap 'echo > interrupted' INT; echo > ready
        while [ -e ready ] && [ ! -e interrupted ]; do sleep 0.01; done; exit 6";
    let mut weir = started(&place, place.run_shell(script));
    send(-id(&weir), libc::SIGINT);
    assert_eq!(weir.wait().expect("ended").code(), Some(6));
    assert_eq!(place.report().end.status, Some(6));
}

#[test]
fn weir_killed_the_program_goes_on_unharmed() {
    let place = Place::new();
    let script = "echo > ready; while [ -e ready ] && [ ! -e go ]; do sleep 0.01; done
        cat /dev/null; echo whole > result";
    let mut weir = started(&place, place.run_shell(script));
    send(id(&weir), libc::SIGKILL);
    weir.wait().expect("ended");
    fs::write(place.file("go"), "").expect("written");
    let result = || fs::read_to_string(place.file("result")).unwrap_or_default();
    wait_until("the program's result", || result() == "whole\n");
}

#[test]
fn weir_killed_what_the_program_counted_is_recovered() {
    let place = Place::new();
    let script = "echo > ready; while [ -e ready ] && [ ! -e go ]; do sleep 0.01; done
        cat /dev/null; echo whole > result";
    let mut weir = started(&place, place.run_shell(script));
    let regions = || {
        let directories = place.regions();
        let entries = directories
            .iter()
            .filter_map(|path| fs::read_dir(path).ok());
        let paths = entries.flatten().map(|entry| entry.expect("read").path());
        paths
            .filter(|path| path.extension().is_some_and(|it| it == "region"))
            .count()
    };
    // A region gets its name once its process has run for a while.
    wait_until("a region with a name", || regions() > 0);
    send(id(&weir), libc::SIGKILL);
    weir.wait().expect("ended");
    fs::write(place.file("go"), "").expect("written");
    wait_until("the program's result", || place.file("result").exists());
    let of_shell = || {
        let listed = place.settle(crate::weir(["recover", "--clean"])).output();
        let listed = String::from_utf8(listed.expect("run").stdout).expect("text");
        listed
            .lines()
            .find(|line| line.contains("(sh)") && line.contains("report in "))
            .map(str::to_owned)
    };
    wait_until("the shell's region", || of_shell().is_some());
}

#[test]
fn weir_killed_a_session_without_regions_is_removed_once_nobody_listens() {
    let place = Place::new();
    let script = "echo > ready; while [ -e ready ] && [ ! -e go ]; do sleep 0.01; done";
    let mut weir = started(&place, place.run_shell(script));
    let inboxes = || {
        let sessions = place.regions().into_iter();
        sessions.filter(|path| path.join("inbox").exists()).count()
    };
    let clean = || {
        let output = place.settle(crate::weir(["recover", "--clean"])).output();
        text(&output.expect("run").stdout)
    };
    // Old enough, were it not for weir.
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!clean().contains("without regions"));
    assert_eq!(inboxes(), 1);
    send(id(&weir), libc::SIGKILL);
    weir.wait().expect("ended");
    fs::write(place.file("go"), "").expect("written");
    // What is no session's keeps a folder.
    let session = || {
        let mut regions = place.regions().into_iter();
        regions.find(|path| path.join("inbox").exists())
    };
    let kept = session().expect("it is left").join("other");
    fs::write(&kept, "").expect("written");
    assert!(!clean().contains("without regions"));
    assert_eq!(inboxes(), 1);
    fs::remove_file(kept).expect("removed");
    // What still runs, or has just ended, may have a region there, and the session goes with the last one.
    wait_until("the session is gone", || {
        clean();
        inboxes() == 0
    });
    wait_until("nothing is left", || {
        clean();
        place.regions().is_empty()
    });
}

/// Its parent is weir, which it has not asked for its word.
#[test]
fn a_program_that_asks_its_parent_to_trace_it_goes_on_as_if_it_had_not() {
    let place = Place::new();
    let source = r#"
        #include <signal.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/ptrace.h>
        #include <unistd.h>
        static void caught(int signal) { printf("caught %d\n", signal); }
        int main(int count, char **arguments) {
            setvbuf(stdout, NULL, _IONBF, 0);
            if (count == 2 && !strcmp(arguments[1], "exec")) {
                ptrace(PTRACE_TRACEME, 0, 0, 0);
                execl(arguments[0], arguments[0], "again", "again", NULL);
                return 9;
            }
            signal(SIGUSR1, caught);
            signal(SIGTRAP, caught);
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            raise(SIGUSR1);
            raise(SIGTRAP);
            if (count == 2) raise(SIGTERM);
            return 7;
        }"#;
    fs::write(place.file("traced.c"), source).expect("written");
    let mut compiler = place.settle(Command::new("cc"));
    let compiled = compiler.args(["-o", "traced", "traced.c"]).status();
    assert!(compiled.expect("a compiler").success());
    let said = format!("caught {}\ncaught {}\n", libc::SIGUSR1, libc::SIGTRAP);
    for options in [&[][..], &["--interval", "0.01"]] {
        for (argument, code, signal) in [
            (None, Some(7), None),
            (Some("exec"), Some(7), None),
            (Some("end"), None, Some(libc::SIGTERM)),
        ] {
            let program: Vec<_> = ["./traced"].into_iter().chain(argument).collect();
            let _ = fs::remove_file(place.file("report.json"));
            let output = place.run(options, &program).output().expect("ended");
            assert_eq!(text(&output.stdout), said, "{argument:?}");
            let status = output.status;
            assert_eq!((status.code(), status.signal()), (code, signal));
            let end = place.report().end;
            assert_eq!((end.status, end.signal), (code, signal));
        }
    }
}
