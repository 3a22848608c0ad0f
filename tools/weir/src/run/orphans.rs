//! Processes whose parents have ended, where weir inherits them: as the first process of a pid namespace, as in a container that begins
//! with weir, or as a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER). Weir waits for them. Else their ids would be in use for ever, and
//! at last no process could be started.

use std::mem;
use std::sync::OnceLock;

use crossbeam_channel::{Receiver, Sender, bounded};
use libc::{c_int, pid_t};
use weir_record::ends::ChildEnd;

use super::moment;

/// How many ends are kept until somebody asks for them. Of more it is not known how they ended.
const MOST: usize = 4096;

type Ends = (Sender<ChildEnd>, Receiver<ChildEnd>);

static ENDS: OnceLock<Option<Ends>> = OnceLock::new();

/// From now on, orphans can be waited for, if weir inherits them at all.
pub fn expect() {
    ENDS.get_or_init(|| inherits().then(|| bounded(MOST)));
}

/// Waits for all orphans that have ended: for children other than the program. Nothing here allocates.
pub fn wait_for_ended(program: pid_t) {
    let Some(Some((sender, _))) = ENDS.get() else {
        return;
    };
    while let Some(pid) = next().filter(|&pid| pid != program) {
        let mut status = 0;
        // SAFETY: a status that may be written.
        if unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } != pid {
            return;
        }
        let _ = sender.try_send(ChildEnd {
            pid: pid.cast_unsigned(),
            status,
            ticks: moment::now().ticks,
        });
    }
}

/// How those ended that were waited for since the last time.
pub fn ends() -> impl Iterator<Item = ChildEnd> {
    let receiver = ENDS.get().and_then(|ends| ends.as_ref());
    receiver.into_iter().flat_map(|(_, ends)| ends.try_iter())
}

fn inherits() -> bool {
    let mut is_subreaper: c_int = 0;
    // SAFETY: an integer that may be written.
    let asked = unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut is_subreaper) };
    std::process::id() == 1 || (asked == 0 && is_subreaper != 0)
}

/// A child that has ended, which is not waited for by this.
fn next() -> Option<pid_t> {
    // SAFETY: a `siginfo_t` is made of numbers.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: information that may be written.
    let asked = unsafe { libc::waitid(libc::P_ALL, 0, &mut info, how) };
    // SAFETY: zero where there is none, or what the kernel has written of a child.
    let pid = unsafe { info.si_pid() };
    (asked == 0 && pid > 0).then_some(pid)
}
