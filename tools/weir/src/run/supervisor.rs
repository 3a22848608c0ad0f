//! Between weir and the program: passes signals on, and reports the end of the program.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use libc::{c_int, pid_t};

use super::hanging::Asked;
use super::signals::{self, Beside, Waited};
use super::{no_memory, orphans, stopping};

/// How long a thread sleeps that has nothing else to do.
const LONG: Duration = Duration::from_secs(3600);

/// Supervises the program until it ends. Weir's signals must be held back ([`signals::hold`]) since before it
/// was started.
#[derive(Debug)]
pub struct Supervisor {
    child: Child,
    /// The descriptor by which signals are awaited together with something else.
    signals: Option<OwnedFd>,
    /// Where a thread of its own supervises.
    elsewhere: Option<Receiver<News>>,
}

/// What [`Supervisor::wait`] found.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// The program has ended like this.
    End(ExitStatus),
    /// The descriptor is readable, or may be.
    Readable,
    /// The time has passed, and the descriptor has not become readable.
    Nothing,
    /// The time has passed. Nobody looked at a descriptor.
    TimeOnly,
}

impl Supervisor {
    /// Over a child; `asked` gets the signals that ask it to end. `is_alone` says that nothing else will be awaited: where
    /// descriptors are few, each is needed for something else.
    pub fn new(pid: pid_t, asked: Asked, is_alone: bool) -> Supervisor {
        orphans::expect();
        Supervisor {
            child: Child {
                pid,
                asked,
                may_have_changed: true,
            },
            signals: (!is_alone).then(signals::descriptor).flatten(),
            elsewhere: None,
        }
    }

    /// From now on, a thread passes signals on: the caller will do work that may take long. If there can be no thread, signals
    /// are passed on after that work.
    pub fn be_independent(&mut self) {
        // A child that is held can do no more than end.
        let (sender, news) = bounded(2);
        let mut child = self.child.clone();
        let until_end = move || {
            for came in std::iter::repeat_with(|| child.news_within(LONG, None).ok()).flatten() {
                // Who no longer listens does not need the status.
                if sender.send(came).is_err() || matches!(came, News::Ended(_)) {
                    break;
                }
            }
        };
        let name = "supervisor".to_owned();
        let thread = thread::Builder::new().name(name).spawn(until_end);
        self.elsewhere = thread.is_ok().then_some(news);
    }

    /// Waits so long at the most for the program's end, or until a descriptor is readable. To be called by the thread that
    /// started the program.
    pub fn wait(&mut self, time: Duration, other: Option<BorrowedFd<'_>>) -> Found {
        let end = Instant::now() + time;
        loop {
            match self.news_within(end.saturating_duration_since(Instant::now()), other) {
                Ok(News::Ended(status)) => return Found::End(status),
                Ok(News::Held) => let_go(self.child.pid),
                Err(found) => return found,
            }
        }
    }

    fn news_within(
        &mut self,
        time: Duration,
        other: Option<BorrowedFd<'_>>,
    ) -> Result<News, Found> {
        match self.elsewhere.as_ref().map(|news| news.recv_timeout(time)) {
            Some(Ok(news)) => Ok(news),
            Some(Err(RecvTimeoutError::Timeout)) => Err(Found::TimeOnly),
            Some(Err(RecvTimeoutError::Disconnected)) | None => {
                self.elsewhere = None;
                let beside = other.zip(self.signals.as_ref());
                let beside = beside.map(|(other, signals)| Beside { signals, other });
                self.child.news_within(time, beside)
            }
        }
    }
}

/// What became of the child.
#[derive(Clone, Copy, Debug)]
enum News {
    Ended(ExitStatus),
    /// It had asked to be traced by its parent (PTRACE_TRACEME, ptrace(2)), and now waits for us.
    Held,
}

/// How the child has changed.
enum Change {
    News(News),
    /// A signal has stopped it.
    Stopped(c_int),
}

#[derive(Clone, Debug)]
struct Child {
    pid: pid_t,
    asked: Asked,
    /// Whether the kernel has said so (SIGCHLD) since the child was last asked about.
    may_have_changed: bool,
}

impl Child {
    fn news_within(&mut self, time: Duration, beside: Option<Beside<'_>>) -> Result<News, Found> {
        let end = Instant::now() + time;
        loop {
            // Nobody else waits for the child, so the pid is the child's for as long as this goes on.
            while self.may_have_changed {
                match change(self.pid) {
                    Some(Change::News(news)) => return Ok(news),
                    Some(Change::Stopped(signal)) => stopping::stop_with(self.pid, signal),
                    None => self.may_have_changed = false,
                }
            }
            orphans::wait_for_ended(self.pid);
            let left = end.saturating_duration_since(Instant::now());
            let came = match beside {
                None => signals::wait(left).ok_or(Found::TimeOnly)?,
                Some(beside) => match signals::wait_beside(beside, left) {
                    Waited::Signal(came) => came,
                    Waited::Readable => return Err(Found::Readable),
                    Waited::Nothing => return Err(Found::Nothing),
                },
            };
            self.asked.note(came.signal);
            if came.signal == libc::SIGCHLD {
                self.may_have_changed = true;
            } else if came.sent {
                signals::send(self.pid, came.signal);
            }
        }
    }
}

/// Lets a child that is held go on untraced, with the signal that it was held at. Only the thread that started it
/// traces it.
pub fn let_go(pid: pid_t) {
    // SAFETY: a `siginfo_t` is made of numbers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: information that may be written; the child is ours, and has not been waited for to its end.
    let known = unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, pid, 0, &mut info) };
    let signal = match (known, info.si_signo) {
        // It has stopped already, or is being killed.
        (-1, _) => 0,
        // The kernel sends it for an exec, and only to a traced process.
        (_, libc::SIGTRAP) if is_from(pid, &info) => 0,
        (_, signal) => signal,
    };
    // SAFETY: no memory is involved.
    unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, 0, libc::c_long::from(signal)) };
}

fn is_from(pid: pid_t, info: &libc::siginfo_t) -> bool {
    // SAFETY: what kill(2) sends has a sender's pid, and so has what the kernel sends in its form.
    info.si_code == libc::SI_USER && unsafe { info.si_pid() } == pid
}

/// How the child has changed, if it has.
fn change(pid: pid_t) -> Option<Change> {
    let mut status = 0;
    // SAFETY: a status that may be written.
    let changed = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG | libc::WUNTRACED) };
    (changed == pid).then(|| match libc::WIFSTOPPED(status) {
        true if is_traced(pid) => Change::News(News::Held),
        true => Change::Stopped(libc::WSTOPSIG(status)),
        false => {
            no_memory::note_end(status);
            Change::News(News::Ended(ExitStatus::from_raw(status)))
        }
    })
}

/// Whether weir traces the child (proc_pid_status(5)).
fn is_traced(pid: pid_t) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let tracer = lines.find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.and_then(|tracer| tracer.trim().parse().ok()) == Some(std::process::id())
}
