//! The scheduler without Weir: each test is a thread, and so has its own.

use super::*;
use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

/// What has happened, in its order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn say(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn said(&self) -> Vec<String> {
        self.0.take()
    }
}

fn id(number: usize) -> Id {
    Id::from_number(NonZeroUsize::new(number).expect("not zero"))
}

/// Reads a byte as Weir would: once there is one.
fn read(reader: &mut PipeReader) -> u8 {
    let happened = wait_fd(reader.as_raw_fd(), Events::IN, None).expect("it waits");
    assert!(happened.contains(Events::IN), "{happened:?}");
    let mut byte = [0];
    reader.read_exact(&mut byte).expect("there is one");
    byte[0]
}

#[test]
fn a_coroutine_runs_at_once_until_it_waits() {
    let log = Log::default();
    let outer = log.clone();
    spawn(id(1), move || {
        let inner = outer.clone();
        outer.say("starts");
        spawn(id(2), move || {
            inner.say("waits");
            sleep(Duration::from_millis(1)).expect("it sleeps");
            inner.say("has waited");
        });
        outer.say("goes on");
    });
    run();
    assert_eq!(log.said(), ["starts", "waits", "goes on", "has waited"]);
}

#[test]
fn each_coroutine_is_itself() {
    let log = Log::default();
    assert_eq!(current(), None);
    for number in [7, 8] {
        let log = log.clone();
        spawn(id(number), move || {
            assert_eq!(current(), Some(id(number)));
            sleep(Duration::from_millis(2)).expect("it sleeps");
            assert_eq!(current(), Some(id(number)));
            log.say("done");
        });
    }
    run();
    assert_eq!(log.said(), ["done", "done"]);
    assert_eq!(current(), None);
}

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    let log = Log::default();
    let begun = Instant::now();
    for ms in [30, 10, 20] {
        let log = log.clone();
        spawn(id(ms as usize), move || {
            sleep(Duration::from_millis(ms)).expect("it sleeps");
            log.say(ms.to_string());
        });
    }
    run();
    assert_eq!(log.said(), ["10", "20", "30"]);
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[test]
fn what_is_waited_for_is_there() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    let log = Log::default();
    let reads = log.clone();
    spawn(id(1), move || {
        for _ in 0..3 {
            reads.say(char::from(read(&mut reader)));
        }
    });
    let writes = log.clone();
    spawn(id(2), move || {
        for byte in *b"abc" {
            writes.say("writes");
            writer.write_all(&[byte]).expect("there is room");
            sleep(Duration::from_millis(1)).expect("it sleeps");
        }
    });
    run();
    assert_eq!(log.said(), ["writes", "a", "writes", "b", "writes", "c"]);
}

#[test]
fn a_wait_ends_with_its_time() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    spawn(id(1), move || {
        let begun = Instant::now();
        let time = Duration::from_millis(20);
        let happened = wait_fd(reader.as_raw_fd(), Events::IN, Some(time)).expect("it waits");
        assert!(happened.is_empty());
        assert!(begun.elapsed() >= time);
        // What it no longer waited for then did not end the wait after it.
        writer.write_all(b"x").expect("there is room");
        sleep(time).expect("it sleeps");
        assert!(begun.elapsed() >= 2 * time);
        assert_eq!(read(&mut reader), b'x');
    });
    run();
}

#[test]
fn an_event_ends_the_time_of_its_wait() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    writer.write_all(b"x").expect("there is room");
    let begun = Instant::now();
    spawn(id(1), move || {
        let time = Some(Duration::from_secs(100));
        wait_fd(reader.as_raw_fd(), Events::IN, time).expect("it waits");
        assert_eq!(read(&mut reader), b'x');
    });
    run();
    assert!(begun.elapsed() < Duration::from_secs(50));
}

#[test]
fn all_who_wait_for_a_descriptor_wake() {
    let (reader, mut writer) = pipe().expect("a pipe");
    let reader = Rc::new(reader);
    let log = Log::default();
    for number in 1..=3 {
        let (reader, log) = (Rc::clone(&reader), log.clone());
        spawn(id(number), move || {
            wait_fd(reader.as_raw_fd(), Events::IN, None).expect("it waits");
            log.say(number.to_string());
        });
    }
    spawn(id(4), move || {
        writer.write_all(b"x").expect("there is room")
    });
    run();
    assert_eq!(log.said(), ["1", "2", "3"]);
}

#[test]
fn one_waits_to_read_and_another_to_write() {
    let (ours, mut theirs) = UnixStream::pair().expect("sockets");
    ours.set_nonblocking(true).expect("a socket can");
    while (&ours).write(&[0; 4096]).is_ok() {}
    let ours = Rc::new(ours);
    let log = Log::default();
    for (number, events) in [(1, Events::IN), (2, Events::OUT)] {
        let (ours, log) = (Rc::clone(&ours), log.clone());
        spawn(id(number), move || {
            let happened = wait_fd(ours.as_raw_fd(), events, None).expect("it waits");
            assert!(happened.contains(events), "{happened:?}");
            log.say(number.to_string());
        });
    }
    let says = log.clone();
    spawn(id(3), move || {
        theirs.write_all(b"x").expect("there is room");
        sleep(Duration::from_millis(5)).expect("it sleeps");
        says.say("makes room");
        theirs.set_nonblocking(true).expect("a socket can");
        let mut buffer = [0; 4096];
        while theirs.read(&mut buffer).is_ok() {}
        sleep(Duration::from_millis(5)).expect("it sleeps");
    });
    run();
    assert_eq!(log.said(), ["1", "makes room", "2"]);
}

#[test]
fn closing_wakes_who_waits() {
    let (reader, _writer) = pipe().expect("a pipe");
    let begun = Instant::now();
    let fd = reader.as_raw_fd();
    spawn(id(1), move || {
        let time = Some(Duration::from_secs(100));
        let happened = wait_fd(fd, Events::IN, time).expect("it waits");
        assert_eq!(happened, Events::NVAL);
    });
    spawn(id(2), move || {
        fd_closing(fd);
        drop(reader);
    });
    run();
    assert!(begun.elapsed() < Duration::from_secs(50));
}

/// What is in the set after a wait is heard again, but not for ever.
#[test]
fn what_nobody_waits_for_keeps_nobody_busy() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    let cpu_time = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    spawn(id(1), move || {
        writer.write_all(b"12").expect("there is room");
        assert_eq!(read(&mut reader), b'1');
        let before = cpu_time();
        sleep(Duration::from_millis(300)).expect("it sleeps");
        let busy = cpu_time() - before;
        assert!(busy < Duration::from_millis(100), "{busy:?}");
        assert_eq!(read(&mut reader), b'2');
    });
    run();
}

/// The set of the scheduler does not know the second, though it knew the first by the same number.
#[test]
fn a_number_may_become_another_descriptor_s() {
    let (mut first, mut writer) = pipe().expect("a pipe");
    let (second, mut its_writer) = pipe().expect("a pipe");
    spawn(id(1), move || {
        writer.write_all(b"1").expect("there is room");
        assert_eq!(read(&mut first), b'1');
        let mut number = OwnedFd::from(first);
        fd_closing(number.as_raw_fd());
        rustix::io::dup2(&second, &mut number).expect("a descriptor");
        its_writer.write_all(b"2").expect("there is room");
        assert_eq!(read(&mut PipeReader::from(number)), b'2');
    });
    run();
}

#[test]
fn what_cannot_be_waited_for_is_an_error() {
    let (reader, _writer) = pipe().expect("a pipe");
    wait_fd(reader.as_raw_fd(), Events::IN, None).expect_err("no coroutine runs");
    sleep(Duration::ZERO).expect_err("no coroutine runs");
    let file = File::open("/proc/self/exe").expect("a regular file");
    spawn(id(1), move || {
        let error = wait_fd(file.as_raw_fd(), Events::IN, None).expect_err("epoll refuses it");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        // And so nobody waits for it.
        sleep(Duration::from_millis(1)).expect("it sleeps");
    });
    run();
}
