//! Calls in two parts: in coroutines, with the runtime of `tests/programs/coroutines.h`, and in threads. In threads,
//! programs must behave as they do without Weir.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weir_report::model::{CoroutineUse, Process};

use crate::support::{Mode, Outcome, Program, scratch, victim, weir};

/// The result of a row: what a call returned, and its errno. The times are the call's duration in milliseconds, and
/// how often another coroutine ticked meanwhile.
#[derive(Debug)]
struct Row {
    said: String,
    times: Option<(u64, u64)>,
}

type Rows = BTreeMap<String, Row>;

fn rows(outcome: &Outcome) -> Rows {
    let text = outcome.text();
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let (name, said, times) = match words.as_slice() {
                [name, result, errno, ms, ticks] => {
                    let number = |word: &str| word.parse().expect("a number");
                    let times = (number(ms), number(ticks));
                    (name, format!("{result} {errno}"), Some(times))
                }
                [name, rest @ ..] => (name, rest.join(" "), None),
                [] => panic!("a line without a word"),
            };
            ((*name).to_owned(), Row { said, times })
        })
        .collect()
}

/// The least and the most time that a row takes, in milliseconds. The upper bound is generous, because the machine
/// may be busy.
const AT_ONCE: (u64, u64) = (0, 400);
fn bounds(name: &str) -> (u64, u64) {
    match name {
        "timeout-0" => (100, 900),
        // The kernel rounds it up to a multiple of its own tick.
        "timeout-500us" => (0, 900),
        "timeout-150ms" => (150, 900),
        "dup" | "pipe" | "readv" | "accept-timeout" | "accepted" | "poll-two" | "select-two"
        | "epoll" | "far" | "stale-after" | "end-of-file" | "read-of-closed" | "inherited"
        | "inherited-again" => (49, 900),
        "poll-timeout" | "select-timeout" | "epoll-timeout" | "nanosleep" => (59, 900),
        _ => AT_ONCE,
    }
}

/// Compares a victim's rows with those of the kernel alone. In coroutines, also checks that others ran while one
/// waited.
fn expect_rows(found: &Rows, kernel: &Rows, who: &str, in_coroutines: bool) {
    for (name, Row { said, .. }) in kernel {
        let Some(row) = found.get(name) else {
            panic!("{who}: no row {name}: {found:#?}");
        };
        assert_eq!(&row.said, said, "{who}: {name}");
        if let Some((ms, ticks)) = row.times {
            let (least, most) = bounds(name);
            assert!((least..=most).contains(&ms), "{who}: {name} took {ms} ms");
            let has_blocked = in_coroutines && least > 40 && ticks == 0;
            assert!(!has_blocked, "{who}: {name} blocked the thread");
        }
    }
}

#[test]
fn what_libco_gets_wrong_is_right() {
    let alone = Program::new(victim("coop_faults")).arg("x");
    let kernel = rows(&alone.plain().expect_status(0));
    assert!(kernel.contains_key("end-of-file"), "{kernel:#?}");
    expect_rows(&kernel, &kernel, "the kernel", false);
    for mode in Mode::MEASURED {
        // Without a runtime.
        let parted = alone.clone().env("WEIR_COOP", "on").run(mode);
        let found = rows(&parted.expect_status(0));
        expect_rows(&found, &kernel, "threads", false);
        // With a runtime; and with a runtime that has only the required functions, in a fortified build.
        for name in ["coop_faults", "coop_faults_fortified"] {
            let outcome = Program::new(victim(name)).run(mode).expect_status(0);
            let found = rows(&outcome);
            expect_rows(&found, &kernel, name, true);
            assert_eq!(found["registered"].said, "1");
            let woken: Vec<u64> = found["two-waiters"]
                .said
                .split(' ')
                .map(|ms| ms.parse().expect("both woke"))
                .collect();
            assert!(woken.iter().all(|ms| (100..900).contains(ms)), "{woken:?}");
            let closed = &found["read-of-closed"];
            assert_eq!(closed.said, "-1 EBADF", "{name}");
            let ms = closed.times.map_or(0, |(ms, _)| ms);
            assert!((49..900).contains(&ms), "{ms}");
        }
    }
}

#[test]
fn times_that_cannot_be_read_are_errors_as_before() {
    let program = Program::new(victim("coop_bad_times"));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let in_thread = program.clone().env("WEIR_COOP", "on");
        let in_coroutine = program.clone().arg("x");
        for way in [in_thread, in_coroutine] {
            let _ = way.run(mode).expect_same(&plain);
        }
    }
}

fn named<'p>(process: &'p Process, name: &str) -> &'p CoroutineUse {
    let coroutines = process.coroutines.as_ref().expect("a runtime");
    let mut found = coroutines.listed.iter().filter(|one| one.name == name);
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        _ => panic!("not one {name} among {coroutines:#?}"),
    }
}

#[test]
fn each_coroutine_has_what_it_did_while_others_waited() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("coop_counts"))
            .run(mode)
            .expect_status(0);
        let expected = "null -22\nabi -22\nshort -22\nlacking -22\n\
            was 1\nwas 0\nwas 1\nwas 0\nagain -114\nscope -22\noutside -22\n";
        assert_eq!(outcome.text(), expected);
        let process = outcome.process();
        let coroutines = process.coroutines.as_ref().expect("a runtime");
        assert_eq!(coroutines.runtime, "test runtime");
        assert_eq!((coroutines.folded, coroutines.blocked_calls), (0, 0));
        let waits = named(process, "waits");
        assert_eq!((waits.calls, waits.moved_bytes), (7, 700));
        assert_eq!((waits.waits, waits.allocations), (7, 0));
        let works = named(process, "works");
        // usleep, write, malloc, free, realloc.
        assert_eq!(works.calls, 7 + 7 + 1000 + 990 + 1);
        assert_eq!((works.moved_bytes, works.waits), (700, 7));
        assert_eq!((works.allocations, works.live_blocks), (1000, 10));
        // Nine blocks of 1000 bytes, which take exactly that much, and one of 5000.
        assert_eq!(works.live_bytes, 14_000);
        assert!(works.ended && waits.ended);
        // Two of its reads were not made in parts.
        let disabled = named(process, "disabled");
        assert_eq!((disabled.calls, disabled.waits), (5, 1));
        let read = &process.functions["read"];
        let parts = read.parts.as_ref().expect("reads in parts");
        assert_eq!((read.calls, parts.calls, parts.waits), (10, 8, 8));
        // While the first coroutine waits, calls of the others are counted.
        assert_eq!(process.functions["usleep"].calls, 7);
    }
}

#[test]
fn a_coroutine_that_wakes_on_another_thread_is_counted_there() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("coop_migrates"))
            .run(mode)
            .expect_status(0);
        assert_eq!(outcome.text(), "200 moves, 0 mistakes\n");
        let process = outcome.process();
        for (name, calls, moved, errors) in [
            ("recv", 200, 0, 200),
            ("read", 200, 2000, 0),
            ("write", 200, 2000, 0),
        ] {
            let all = &process.functions[name];
            assert_eq!((all.moved_bytes, all.errors), (moved, errors), "{name}");
            let of_threads: Vec<_> = process
                .threads
                .iter()
                .filter_map(|thread| thread.functions.get(name))
                .collect();
            let sum: u64 = of_threads.iter().map(|of| of.calls).sum();
            assert_eq!((all.calls, sum), (calls, calls), "{name}");
            // It spends half of the time on each thread.
            for of in &of_threads {
                assert_eq!((of.calls, of.errors), (calls / 2, errors / 2), "{name}");
                assert_eq!(of.moved_bytes, moved / 2, "{name}");
            }
            assert_eq!(of_threads.len(), 2, "{name}");
        }
        let recv = process.functions["recv"].parts.as_ref().expect("parts");
        assert_eq!((recv.calls, recv.waits), (200, 200));
        // Each call waited for a millisecond; the transfer contains none of that.
        assert!(recv.wait.total_ns >= 200 * 1_000_000, "{recv:?}");
        assert!(recv.transfer.total_ns < recv.wait.total_ns, "{recv:?}");
    }
}

#[test]
fn signals_and_cancellation_end_a_wait_as_they_would_the_call() {
    for how in ["restart", "interrupt", "both"] {
        let program = Program::new(victim("coop_signals")).arg(how);
        let kernel = program.plain().expect_status(0).text();
        assert!(kernel.contains("socket cancelled"), "{kernel}");
        for mode in Mode::MEASURED {
            let parted = program.clone().env("WEIR_COOP", "on");
            let outcome = parted.run(mode).expect_status(0);
            assert_eq!(outcome.text(), kernel, "{how}");
        }
    }
}

/// Compares each part of python3's blocking calls with what the program itself measured.
#[test]
fn calls_of_an_unmodified_program_have_the_time_they_waited() {
    let script = "\
import socket, threading, time
one, other = socket.socketpair()
def talk():
    for _ in range(20):
        time.sleep(0.01)
        other.send(b'x' * 1000)
thread = threading.Thread(target=talk)
thread.start()
took = time.monotonic()
for _ in range(20): one.recv(1000)
print(int((time.monotonic() - took) * 1e9))
thread.join()
one.setblocking(False)
try: one.recv(1)
except BlockingIOError: print('would block')
";
    let program = Program::new("/usr/bin/python3").args(["-c", script]);
    for mode in Mode::MEASURED {
        let outcome = program.clone().env("WEIR_COOP", "on").run(mode);
        let outcome = outcome.expect_status(0);
        let text = outcome.text();
        let (took, rest) = text.split_once('\n').expect("two lines");
        assert_eq!(rest, "would block\n");
        let took: u64 = took.parse().expect("a number");
        let process = outcome.process();
        let recv = &process.functions["recv"];
        let parts = recv.parts.as_ref().expect("parts");
        assert_eq!((recv.calls, recv.errors, parts.calls), (21, 1, 21));
        assert!((15..=20).contains(&parts.waits), "{}", parts.waits);
        assert!(parts.wait.total_ns <= took && parts.wait.total_ns > took / 2);
        assert_eq!(parts.wait.dropped + parts.transfer.dropped, 0);
        let whole = recv.latency.as_ref().expect("timed").total_ns;
        let sum = parts.wait.total_ns + parts.transfer.total_ns;
        assert!(whole.abs_diff(sum) <= 42, "{whole} is not {sum}");
        let files = &process.files.listed;
        let pairs: Vec<_> = files.iter().filter(|of| of.kind == "socketpair").collect();
        let [pair] = pairs.as_slice() else {
            panic!("{files:#?}")
        };
        let wait = pair.wait.as_ref().expect("its waits");
        assert_eq!(wait.calls, 41, "20 sent, 21 received");
        assert_eq!(wait.classes.iter().map(|of| of.calls).sum::<u64>(), 41);
        assert!(wait.total_ns.abs_diff(parts.wait.total_ns) < took / 10);
        // A read of a file does not wait.
        let script = files.iter().filter(|of| of.kind == "file");
        assert!(script.clone().count() > 5);
        assert!(script.clone().all(|of| of.wait.is_none()), "{files:#?}");
    }
}

/// The waits of stdio appear at its own system calls, and at the file.
#[test]
fn what_stdio_waits_for_is_reported() {
    let program =
        Program::new("/bin/sh").args(["-c", "(sleep 0.3; echo b; echo a) | /usr/bin/sort"]);
    let outcome = program.env("WEIR_COOP", "on").run(Mode::Run);
    let outcome = outcome.expect_status(0);
    assert_eq!(outcome.text(), "a\nb\n");
    let processes = outcome.processes();
    let sort = processes
        .iter()
        .find(|process| process.executable.ends_with("/sort"));
    let sort = sort.expect("it is there");
    let parts = sort.functions["_IO_file_read"]
        .parts
        .as_ref()
        .expect("parts");
    assert!(parts.wait.total_ns > 200_000_000, "{parts:?}");
    assert!(parts.transfer.total_ns < 100_000_000, "{parts:?}");
    let input = sort
        .files
        .listed
        .iter()
        .find(|file| file.name == "standard input");
    let wait = input
        .and_then(|file| file.wait.as_ref())
        .expect("its waits");
    assert_eq!(wait.total_ns, parts.wait.total_ns);
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis(socket: &Path) -> Server {
    let child = Command::new("/usr/bin/redis-server")
        .args(["--port", "0", "--save", "", "--unixsocket"])
        .arg(socket)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server runs");
    let server = Server(child);
    let until = Instant::now() + Duration::from_secs(30);
    while !socket.exists() {
        assert!(Instant::now() < until, "redis-server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

/// 200 coroutines use a client library that has no support for coroutines. All queries together take little longer
/// than one.
#[test]
fn a_blocking_client_library_waits_in_200_coroutines_at_once() {
    let folder = scratch();
    let socket = folder.path().join("redis.socket");
    let _server = redis(&socket);
    let program = |queries: &str| Program::new(victim("coop_redis")).arg(&socket).arg(queries);
    let figures = |outcome: &Outcome| -> Vec<u64> {
        let text = outcome.text();
        text.split_whitespace()
            .map(|number| number.parse().expect("numbers"))
            .collect()
    };
    let one = figures(&program("1").plain().expect_status(0));
    let [1, alone_ms] = one.as_slice() else {
        panic!("{one:?}")
    };
    assert!(*alone_ms >= 50);
    for mode in Mode::MEASURED {
        let mut took_ms = (0..5).map(|_| {
            let outcome = program("200").run(mode).expect_status(0);
            let all = figures(&outcome);
            let [200, ms] = all.as_slice() else {
                panic!("{all:?}")
            };
            let coroutines = outcome.process().coroutines.clone().expect("a runtime");
            let waited = coroutines
                .listed
                .iter()
                .filter(|one| one.wait_ns >= 50_000_000);
            assert_eq!((waited.count(), coroutines.folded), (200, 0));
            *ms
        });
        // In sequence they would take 10,000 ms. A busy machine may be late once.
        assert!(took_ms.any(|ms| ms < 500), "{mode:?}");
    }
}

/// A wait inside the C library is reported as blocking the thread, unless the runtime offers a thread that makes the
/// call.
#[test]
fn what_waits_inside_the_c_library_is_reported_or_made_elsewhere() {
    for mode in Mode::MEASURED {
        for (name, runs, blocked) in [("coop_names", 0, 2), ("coop_names_offered", 2, 0)] {
            let outcome = Program::new(victim(name)).run(mode).expect_status(0);
            assert_eq!(outcome.text(), format!("0\n1\n{runs}\n"), "{name}");
            let process = outcome.process();
            let asked = &process.functions["getaddrinfo"];
            assert_eq!((asked.calls, asked.errors), (2, 1), "{name}");
            let coroutines = process.coroutines.as_ref().expect("a runtime");
            assert_eq!(coroutines.blocked_calls, blocked, "{name}");
        }
    }
}

/// In some cases poll does not predict what a call does, or a call that does not block behaves differently. The
/// results are still the kernel's, for calls of threads and of coroutines.
#[test]
fn corners_are_the_kernel_s() {
    let program = Program::new(victim("coop_corners"));
    let kernel = program.plain().expect_status(0).text();
    let of_threads = ["closed meanwhile", "another's", "cut short"];
    let common = kernel
        .lines()
        .filter(|line| !of_threads.iter().any(|name| line.starts_with(name)));
    let common: Vec<&str> = common.collect();
    assert_eq!(common.len() + of_threads.len(), kernel.lines().count());
    for mode in Mode::MEASURED {
        let parted = program.clone().env("WEIR_COOP", "on").run(mode);
        assert_eq!(parted.expect_status(0).text(), kernel, "{mode:?}");
        let in_coroutine = program.clone().arg("coroutine").run(mode);
        let said = in_coroutine.expect_status(0).text();
        assert_eq!(said.lines().collect::<Vec<_>>(), common, "{mode:?}");
    }
}

/// One coroutine reads from a pipe that is silent most of the time. Another ticks every 100 ms, and is never more
/// than 10 ms late. A busy machine may make it late once; a read that blocks makes it late each time.
#[test]
fn a_ticker_is_not_late_for_a_read_that_waits() {
    let program = Program::new(victim("coop_ticker"));
    for mode in Mode::MEASURED {
        let mut late_us = (0..5).map(|_| {
            let text = program.run(mode).expect_status(0).text();
            let numbers: Vec<u64> = text
                .split_whitespace()
                .map(|word| word.parse().expect("a number"))
                .collect();
            assert_eq!(numbers[..2], [4, 12], "{mode:?}");
            numbers[2]
        });
        assert!(late_us.any(|us| us <= 10_000), "{mode:?}");
    }
}

/// A runtime can keep what it knows of a descriptor until Weir informs it that the descriptor is closed.
#[test]
fn a_runtime_learns_what_is_closed_that_was_waited_for() {
    let expected = [
        "never waited for: 0",
        "open: 0",
        "close: 1 right",
        "close again: 0",
        "dup2 that fails or does nothing: 0",
        "flags that there are not: 0",
        "dup2: 1 right",
        "close_range that only marks: 0",
        "close_range: 1 right",
        "fclose: 1 right",
        "popen: 0",
        "pclose: 1 right",
        "told in a child of fork: 0",
        "told in a child of vfork: 0",
        "children: 0",
        "close after that: 1 right",
        "poll: 1 right",
    ];
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("coop_closes")).run(mode);
        let outcome = outcome.expect_status(0);
        assert_eq!(
            outcome.text().lines().collect::<Vec<_>>(),
            expected,
            "{mode:?}"
        );
    }
}

/// If a try without blocking succeeds, there is no further system call: a read from a socket that has data is one
/// system call, as without Weir.
#[test]
fn what_need_not_wait_costs_no_call_more() {
    let script = "\
import socket
one, other = socket.socketpair()
for _ in range(100):
    one.send(b'x' * 10)
    other.recv(10)
    one.sendmsg([b'x' * 10, b'x'])
    other.recvmsg(20)
";
    let folder = scratch();
    let trace = folder.path().join("trace");
    let traced = |parted: bool| -> Vec<String> {
        let mut strace = Command::new("strace");
        strace
            .args([
                "-f",
                "-e",
                "trace=recvfrom,recvmsg,sendto,sendmsg,poll,ppoll,fcntl,getsockopt",
                "-o",
            ])
            .arg(&trace)
            .arg("-E")
            .arg(format!("LD_PRELOAD={}", weir::library().display()))
            .arg("-E")
            .arg(format!(
                "WEIR_OUT={}",
                folder.path().join("out.json").display()
            ));
        if parted {
            strace.args(["-E", "WEIR_COOP=on"]);
        }
        let status = strace
            .args(["/usr/bin/python3", "-c", script])
            .status()
            .expect("strace runs");
        assert!(status.success());
        let text = std::fs::read_to_string(&trace).expect("a trace");
        let name = |line: &str| {
            let call = line
                .split_once(' ')
                .map_or(line, |(_, call)| call)
                .trim_start();
            call.split('(').next().unwrap_or(call).to_owned()
        };
        text.lines()
            .filter(|line| line.contains('('))
            .map(name)
            .collect()
    };
    let count = |calls: &[String], name: &str| calls.iter().filter(|call| *call == name).count();
    let (plain, parted) = (traced(false), traced(true));
    assert_eq!(count(&plain, "recvfrom"), 100);
    assert_eq!(count(&plain, "sendmsg"), 100);
    for name in [
        "recvfrom",
        "recvmsg",
        "sendto",
        "sendmsg",
        "poll",
        "ppoll",
        "fcntl",
        "getsockopt",
    ] {
        assert_eq!(count(&parted, name), count(&plain, name), "{name}");
    }
}

/// Sends more than a buffer holds, by each function that moves bytes, and by calls that are repeated until all is
/// sent.
#[test]
fn all_of_it_arrives_whichever_way_it_is_sent() {
    let alone = Program::new(victim("coop_transfers")).arg("x");
    // The writer and the reader print in any order.
    let lines = |outcome: Outcome| -> Vec<String> {
        let text = outcome.expect_status(0).text();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let kernel = lines(alone.plain());
    let same = kernel.iter().filter(|line| line.ends_with("same"));
    assert_eq!(same.count(), 10);
    for mode in Mode::MEASURED {
        for how in ["x", "signals"] {
            let threads = Program::new(victim("coop_transfers")).arg(how);
            let threads = lines(threads.env("WEIR_COOP", "on").run(mode));
            assert_eq!(threads, kernel, "{how}");
        }
        let outcome = Program::new(victim("coop_transfers")).run(mode);
        let process = outcome.process();
        let coroutines = process.coroutines.as_ref().expect("a runtime");
        assert_eq!(coroutines.blocked_calls, 0);
        // Each call is counted once, even if it was repeated several times.
        for name in ["write", "writev", "send", "sendto", "sendmsg", "sendmmsg"] {
            let function = &process.functions[name];
            assert!(function.moved_bytes >= 3 << 20, "{name}: {function:?}");
            let parts = function.parts.as_ref().expect("in parts");
            assert!(parts.waits >= 1, "{name}: {parts:?}");
        }
        assert_eq!(process.functions["writev"].calls, 3);
        assert_eq!(process.functions["sendmmsg"].calls, 1);
        assert_eq!(lines(outcome), kernel);
    }
}
