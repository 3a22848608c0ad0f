//! Signals that come to weir while the program runs.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};
use std::time::Duration;

use weir_report::model::EndKind;

use super::{Place, text, wait_until, weir};

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

/// It is in the program's group, and gets it too.
#[test]
fn what_the_program_sends_to_its_group_does_not_come_back() {
    const PROGRAM: &str = "
import os, signal, time
signals = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2]
came = []
for number in signals:
    signal.signal(number, lambda number, _: came.append(number))
for number in signals:
    os.kill(0, number)
    if os.fork() == 0:
        signal.signal(number, signal.SIG_IGN)
        os.kill(0, number)
        time.sleep(0.2)
        os._exit(0)
    time.sleep(0.1)
    os.wait()
time.sleep(0.2)
assert sorted(came) == sorted(signals * 2), came
";
    let place = Place::new();
    let mut command = place.run(&[], &["python3", "-c", PROGRAM]);
    let output = command.process_group(0).output().expect("ended");
    assert!(output.status.success(), "{}", text(&output.stderr));
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

/// What waitpid says of a child that has changed, also where it has stopped.
fn change(child: &Child) -> i32 {
    let mut status = 0;
    // SAFETY: a status that may be written; the child is ours, and nobody else waits for it.
    let changed = unsafe { libc::waitpid(id(child), &mut status, libc::WUNTRACED) };
    assert_eq!(changed, id(child));
    status
}

/// A shell takes the terminal back when the program stops, and not before weir has stopped.
#[test]
fn a_program_that_stops_itself_stops_weir() {
    for (interval, signal) in [
        (false, libc::SIGSTOP),
        (true, libc::SIGSTOP),
        (false, libc::SIGTSTP),
    ] {
        for continues_all in [true, false] {
            let place = Place::new();
            let script = format!("echo $$ > ready; kill -{signal} $$; exit 3");
            // With an interval a thread of its own supervises.
            let options: &[&str] = if interval {
                &["--interval", "0.01"]
            } else {
                &[]
            };
            let mut weir = started(&place, place.run(options, &["sh", "-c", &script]));
            let status = change(&weir);
            let case = format!("{interval}, {signal}, {continues_all}");
            assert!(libc::WIFSTOPPED(status), "{case}: {status:#x}");
            assert_eq!(libc::WSTOPSIG(status), signal, "{case}");
            if continues_all {
                send(id(&weir), libc::SIGCONT);
            } else {
                // Whoever knows the program's id need not know weir.
                let program = fs::read_to_string(place.file("ready")).expect("an id");
                send(program.trim().parse().expect("a number"), libc::SIGCONT);
            }
            assert_eq!(weir.wait().expect("ended").code(), Some(3), "{case}");
            assert_eq!(place.report().end.status, Some(3), "{case}");
        }
    }
}

/// A program with a group of its own is no matter of who started weir.
#[test]
fn a_program_of_another_group_stops_alone() {
    let place = Place::new();
    let script = "echo $$ > ready; kill -STOP $$; exit 4";
    let mut weir = started(&place, place.run(&[], &["setsid", "sh", "-c", script]));
    let state = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
        let (_, rest) = stat.rsplit_once(") ").expect("a name");
        rest[..1].to_owned()
    };
    let program = || {
        fs::read_to_string(place.file("ready"))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    wait_until("the program has stopped", || {
        program().is_some_and(|pid| state(pid) == "T")
    });
    // Longer than weir takes to stop with a program.
    std::thread::sleep(Duration::from_millis(200));
    assert_ne!(state(id(&weir)), "T");
    send(program().expect("an id"), libc::SIGCONT);
    assert_eq!(weir.wait().expect("ended").code(), Some(4));
}

/// A terminal of weir's own: what its other end reads, once weir has ended.
fn on_a_terminal(mut command: Command) -> (std::process::ExitStatus, String) {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd};
    // SAFETY: a new descriptor, which is ours.
    let mut ours = unsafe { File::from_raw_fd(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY)) };
    let mut number = 0_i32;
    let unlock = 0_i32;
    // SAFETY: the numbers may be read and written.
    unsafe {
        assert_eq!(libc::ioctl(ours.as_raw_fd(), libc::TIOCSPTLCK, &unlock), 0);
        assert_eq!(
            libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTN, &mut number),
            0
        );
    }
    let theirs = File::options()
        .read(true)
        .write(true)
        .open(format!("/dev/pts/{number}"));
    let theirs = theirs.expect("a terminal");
    command.stdin(theirs.try_clone().expect("a copy"));
    command
        .stdout(theirs.try_clone().expect("a copy"))
        .stderr(theirs);
    // SAFETY: system calls only; the settings may be read and written.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            let mut settings = std::mem::zeroed();
            libc::tcgetattr(0, &mut settings);
            settings.c_lflag |= libc::TOSTOP;
            libc::tcsetattr(0, libc::TCSANOW, &settings);
            Ok(())
        });
    }
    let mut weir = command.spawn().expect("started");
    drop(command);
    let mut said = Vec::new();
    // EIO is how a terminal ends that nobody has open.
    let _ = ours.read_to_end(&mut said);
    (weir.wait().expect("ended"), text(&said))
}

/// Where the program has taken the terminal for its own group, and `stty tostop` holds back who writes in the background.
#[test]
fn the_summary_is_written_also_in_the_background() {
    let place = Place::new();
    let script = "use POSIX; setpgid(0, 0); $SIG{TTOU} = 'IGNORE'; POSIX::tcsetpgrp(0, getpid) or die; exit 5";
    let line = ["run", "--out", "report.json", "--", "perl", "-e", script];
    let command = place.settle(weir(line));
    let (status, said) = on_a_terminal(command);
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("weir: more: weir report "), "{said}");
}
