//! A program that was asked to end, did not end, and has not loaded the library: it probably hangs where
//! the library is loaded, perhaps with signals blocked. Weir kills it, and says what it was doing.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use libc::{c_int, pid_t};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long a program has to end, once asked.
const PATIENCE: Duration = Duration::from_millis(700);

/// The latest signal that asks a program to end; set by the supervisor.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<AtomicI32>);

impl Asked {
    /// A signal came for the program.
    pub fn note(&self, signal: c_int) {
        let ends = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
        if ends.contains(&signal) {
            self.0.store(signal, Ordering::Relaxed);
        }
    }

    fn signal(&self) -> Option<c_int> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }
}

/// Watches over a program that has not loaded the library.
#[derive(Debug)]
pub struct Watch {
    asked: Asked,
    pid: pid_t,
    /// The process itself: another process may get its id as soon as it has been waited for.
    process: Option<OwnedFd>,
    since: Option<Instant>,
    ended_by: Option<c_int>,
}

impl Watch {
    /// Over a child that has not been waited for; `asked` has the signals that it got.
    pub fn new(pid: pid_t, asked: Asked) -> Watch {
        let process = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Watch {
            asked,
            pid,
            process,
            since: None,
            ended_by: None,
        }
    }

    /// Kills the program if it is time for that; returns the message.
    pub fn look(&mut self) -> Option<String> {
        let signal = self.asked.signal()?;
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.ended_by.is_some() || since.elapsed() < PATIENCE {
            return None;
        }
        let (pid, process) = (self.pid, self.process.as_ref()?);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // A program that handles or ignores the signal runs, and may take its time.
        if has_its_way(&status, signal) {
            return None;
        }
        let doing = doing(&status, pid);
        pidfd_send_signal(process, Signal::KILL).ok()?;
        self.ended_by = Some(signal);
        Some(format!(
            "(process {pid}, {doing}) got signal {signal}, did not end, and had not loaded Weir's library: Weir killed it"
        ))
    }

    /// The signal in whose place the program was killed.
    pub fn ended_by(&self) -> Option<c_int> {
        self.ended_by
    }
}

/// Whether a process ignores a signal, or has a handler for it (proc_pid_status(5)).
fn has_its_way(status: &str, signal: c_int) -> bool {
    let set = |name: &str| field(status, name).and_then(|set| u64::from_str_radix(set, 16).ok());
    let own = set("SigIgn:").unwrap_or(0) | set("SigCgt:").unwrap_or(0);
    own & 1 << (signal - 1) != 0
}

/// The state of a process, and where in the kernel it waits, if that is known.
fn doing(status: &str, pid: pid_t) -> String {
    let state = field(status, "State:").unwrap_or("in an unknown state");
    let place = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    match place.as_str() {
        "" | "0" => format!("state {state}"),
        place => format!("state {state} in {place}"),
    }
}

fn field<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tx\nState:\tS (sleeping)\nSigBlk:\tfffffffffffbfeff\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004000\n";

    #[test]
    fn what_a_program_does_about_a_signal_is_known() {
        assert!(has_its_way(STATUS, libc::SIGTERM), "caught");
        assert!(has_its_way(STATUS, libc::SIGHUP), "ignored");
        assert!(!has_its_way(STATUS, libc::SIGINT), "blocked");
        assert_eq!(doing(STATUS, -1), "state S (sleeping)");
    }

    #[test]
    fn only_who_is_asked_to_end_is_ended() {
        let asked = Asked::default();
        let mut watch = Watch::new(libc::pid_t::MAX, asked.clone());
        asked.note(libc::SIGUSR1);
        assert_eq!(watch.look(), None);
        assert_eq!(watch.since, None);
        asked.note(libc::SIGTERM);
        assert_eq!(watch.look(), None);
        assert!(watch.since.is_some());
        assert_eq!(watch.ended_by(), None);
    }
}
