//! Stands between weir and the program: passes signals on, and tells when the program has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use libc::pid_t;

use super::hanging::Asked;
use super::signals;

/// How long a thread sleeps that has nothing else to do.
const LONG: Duration = Duration::from_secs(3600);

/// Supervises the program until it ends. Weir's signals must be held back ([`signals::hold`]) since before it
/// was started.
#[derive(Debug)]
pub struct Supervisor {
    child: Child,
    /// Where a thread of its own supervises.
    elsewhere: Option<Receiver<ExitStatus>>,
}

impl Supervisor {
    /// Over a child; `asked` is told of the signals that ask it to end.
    pub fn new(pid: pid_t, asked: Asked) -> Supervisor {
        Supervisor {
            child: Child { pid, asked },
            elsewhere: None,
        }
    }

    /// Has a thread pass signals on from now on: for who will do what may take long. Where none is to be had, signals
    /// are passed on when that is done.
    pub fn be_independent(&mut self) {
        let (sender, ended) = bounded(1);
        let child = self.child.clone();
        let until_end = move || {
            let status = std::iter::repeat_with(|| child.end_within(LONG))
                .flatten()
                .next();
            // Who no longer listens does not need the status.
            _ = status.map(|status| sender.send(status));
        };
        let name = "supervisor".to_owned();
        let thread = thread::Builder::new().name(name).spawn(until_end);
        self.elsewhere = thread.is_ok().then_some(ended);
    }

    /// Waits so long at the most; how the program ended, once it did.
    pub fn end_within(&mut self, time: Duration) -> Option<ExitStatus> {
        match self
            .elsewhere
            .as_ref()
            .map(|ended| ended.recv_timeout(time))
        {
            Some(Ok(status)) => Some(status),
            Some(Err(RecvTimeoutError::Timeout)) => None,
            Some(Err(RecvTimeoutError::Disconnected)) | None => {
                self.elsewhere = None;
                self.child.end_within(time)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Child {
    pid: pid_t,
    asked: Asked,
}

impl Child {
    fn end_within(&self, time: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + time;
        loop {
            // Nobody else waits for the child, so the pid is the child's for as long as this goes on.
            if let Some(status) = status(self.pid) {
                return Some(status);
            }
            let came = signals::wait(end.saturating_duration_since(Instant::now()))?;
            self.asked.tell(came.signal);
            if came.sent && came.signal != libc::SIGCHLD {
                signals::send(self.pid, came.signal);
            }
        }
    }
}

/// How the child ended, once it did.
fn status(pid: pid_t) -> Option<ExitStatus> {
    let mut status = 0;
    // SAFETY: a status that may be written.
    let ended = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) };
    (ended == pid).then(|| ExitStatus::from_raw(status))
}
