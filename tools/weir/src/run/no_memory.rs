//! What remains to be done where weir itself has no memory while a program runs: to wait for the program, to pass signals on,
//! and to end as the program did. Nothing here allocates.

use std::fmt::Write;
use std::mem;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use libc::{c_int, c_void, pid_t};

use super::{live, message, orphans, signals, supervisor};
use crate::exit_code::ProgramEnd;
use crate::memory::{self, Line, complain};
use crate::terminal;

/// How often the program is asked about.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// No status of a process (wait(2)).
const RUNS: c_int = -1;

/// The highest descriptor that is looked at for a region.
const MOST_DESCRIPTORS: c_int = 1024;

/// Messages that are taken at one look.
const AT_ONCE: usize = 64;

/// What weir runs.
struct Running {
    program: pid_t,
    /// The directory of the session.
    session: PathBuf,
    /// Its file system.
    device: u64,
    /// The socket by which processes hand over regions. It is open for as long as the program runs.
    inbox: Option<RawFd>,
}

static RUNNING: OnceLock<Running> = OnceLock::new();
static STATUS: AtomicI32 = AtomicI32::new(RUNS);
static IS_SAID: AtomicBool = AtomicBool::new(false);
static IS_WRITTEN: AtomicBool = AtomicBool::new(false);
static WANTS_SUMMARY: AtomicBool = AtomicBool::new(false);

/// From now on, weir waits for this child whatever becomes of its memory, and names the regions that come to the inbox.
pub fn stay_with(program: pid_t, session: &Path, inbox: Option<RawFd>) {
    let _ = RUNNING.set(Running {
        program,
        session: session.to_owned(),
        device: session.metadata().map_or(0, |there| there.dev()),
        inbox,
    });
    memory::end_by(stay);
    // The C library, too, aborts where it has no memory (for destructors of a thread, for example).
    // SAFETY: a `sigaction` is made of numbers and pointers that may be null.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = aborts as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler has the form that SA_SIGINFO asks for, and does only what a handler may.
    unsafe { libc::sigaction(libc::SIGABRT, &action, ptr::null_mut()) };
}

extern "C" fn aborts(signal: c_int, info: *const libc::siginfo_t, _: *const c_void) {
    // SAFETY: what the kernel hands to a handler; what comes by kill(2) or raise(3) has a sender's pid.
    let (sender, own) = unsafe { ((*info).si_pid(), libc::getpid()) };
    if sender != own {
        return signals::die_of(signal);
    }
    stay(0)
}

/// The report is written, as far as it can be: only the summary is left, if it is wanted.
pub fn is_written(wants_summary: bool) {
    WANTS_SUMMARY.store(wants_summary, Ordering::Relaxed);
    IS_WRITTEN.store(true, Ordering::Release);
}

/// The child has ended, and has been waited for.
pub fn note_end(status: c_int) {
    STATUS.store(status, Ordering::Release);
}

fn stay(_: usize) -> ! {
    if live::is_here() {
        live::give_up();
    }
    terminal::give_back();
    if !IS_SAID.swap(true, Ordering::Relaxed) {
        if IS_WRITTEN.load(Ordering::Acquire) {
            if WANTS_SUMMARY.load(Ordering::Relaxed) {
                complain(format_args!(
                    "not enough memory for the summary; weir report shows the report"
                ));
            }
            end_as(STATUS.load(Ordering::Acquire));
        }
        complain(format_args!(
            "not enough memory for the report: it is missing or incomplete; raise the limit on memory (ulimit -d, -v), or make reports from what is left by weir recover"
        ));
    }
    let status = match RUNNING.get() {
        Some(running) => {
            name_regions(running);
            let status = wait(running);
            take_regions(running);
            status
        }
        None => RUNS,
    };
    end_as(status)
}

/// Ends as the program did.
fn end_as(status: c_int) -> ! {
    let end = ProgramEnd::from(ExitStatus::from_raw(status));
    if let ProgramEnd::Signaled(signal) = end {
        signals::die_of(signal.into());
    }
    // SAFETY: ends the process; nothing else of it is run.
    unsafe { libc::_exit(c_int::from(end.exit_code())) }
}

/// Waits for the program's end.
fn wait(running: &Running) -> c_int {
    let program = running.program;
    loop {
        take_regions(running);
        // The supervisor may have a thread of its own, which waits, too.
        let noted = STATUS.load(Ordering::Acquire);
        if noted != RUNS {
            return noted;
        }
        let mut status = 0;
        // SAFETY: a status that may be written.
        let changed = unsafe { libc::waitpid(program, &mut status, libc::WNOHANG) };
        if changed == program && libc::WIFSTOPPED(status) {
            supervisor::let_go(program);
        } else if changed == program {
            return status;
        }
        orphans::wait_for_ended(program);
        if let Some(signal) = signals::wait_for_sent(BETWEEN_LOOKS) {
            signals::send(program, signal);
        }
    }
}

/// Takes the regions that processes have handed over since the last time, and names them. They would go with the socket.
fn take_regions(running: &Running) {
    let Some(inbox) = running.inbox else { return };
    // SAFETY: it is open for as long as the program runs.
    let inbox = unsafe { BorrowedFd::borrow_raw(inbox) };
    let mut is_any = false;
    for _ in 0..AT_ONCE {
        // They stay open, and are looked at by their numbers.
        if message::receive(inbox, mem::forget).is_err() {
            break;
        }
        is_any = true;
    }
    if is_any {
        name_regions(running);
    }
}

/// Gives the regions that have no name one in the session, for `weir recover`.
fn name_regions(running: &Running) {
    for fd in 3..MOST_DESCRIPTORS {
        // SAFETY: a `stat` is made of numbers.
        let mut there: libc::stat = unsafe { mem::zeroed() };
        // SAFETY: a `stat` that may be written; the descriptor need not be open.
        let is_open = unsafe { libc::fstat(fd, &mut there) } == 0;
        let is_nameless = there.st_nlink == 0 && there.st_mode & libc::S_IFMT == libc::S_IFREG;
        if !is_open || !is_nameless || there.st_dev != running.device {
            continue;
        }
        let (mut from, mut to) = (Line::new(), Line::new());
        let session = running.session.display();
        // The C library ends a string by a zero.
        let fits = write!(from, "/proc/self/fd/{fd}\0").is_ok()
            && write!(to, "{session}/kept-{fd}.region\0").is_ok();
        if fits {
            let (from, to) = (from.bytes().as_ptr(), to.bytes().as_ptr());
            let here = libc::AT_FDCWD;
            // SAFETY: strings with their ends. Where it has no name, nothing is left of it.
            unsafe {
                libc::linkat(here, from.cast(), here, to.cast(), libc::AT_SYMLINK_FOLLOW);
            }
        }
    }
}
