//! Stands between weir and the program: passes signals on, and tells when the program has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use libc::pid_t;

use super::hanging::Asked;
use super::signals;

/// Supervises a child until it ends; the channel then has its status. Weir's signals must be held
/// back ([`signals::hold`]) since before the child was started. `asked` is told of those that ask it to end.
pub fn supervise(pid: pid_t, asked: &Asked) -> Receiver<ExitStatus> {
    let (sender, ended) = bounded(1);
    let (told, tells) = (sender.clone(), asked.clone());
    let supervisor = thread::Builder::new()
        .name("supervisor".to_owned())
        // Who no longer listens does not need the status.
        .spawn(move || _ = told.send(until_end(pid, &tells)));
    if supervisor.is_err() {
        // No thread is to be had. The program goes on all the same: its counters are exact, and
        // only latencies get lost where nobody drains the rings.
        let _ = sender.send(until_end(pid, asked));
    }
    ended
}

fn until_end(pid: pid_t, asked: &Asked) -> ExitStatus {
    loop {
        // Only this thread waits for the child, so the pid is the child's for as long as it goes on.
        if let Some(status) = status(pid) {
            return status;
        }
        let came = signals::wait();
        asked.tell(came.signal);
        if came.sent && came.signal != libc::SIGCHLD {
            signals::send(pid, came.signal);
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
