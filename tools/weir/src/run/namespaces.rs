//! Namespaces of the kernel, by the numbers of their inodes (namespaces(7)). A process notes its own in its region; /proc shows them,
//! too, for as long as there is the process.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use weir_record::region::Header;

use super::moment;

/// A namespace of process ids (pid_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// Weir's own.
    Here,
    /// Another one, by its number.
    Other(NonZeroU32),
    /// Not weir's own, and its number is not known.
    Elsewhere,
    /// Any.
    Unknown,
}

impl Namespace {
    /// That of the process that made a region, if the process has noted it.
    pub fn noted(header: &Header) -> Option<Namespace> {
        header.namespaces.pid().map(Namespace::of)
    }

    /// The one with this number.
    pub fn of(number: NonZeroU32) -> Namespace {
        if ours().0 == Some(number) {
            Namespace::Here
        } else {
            Namespace::Other(number)
        }
    }

    /// That of a process that has one id here and one of its own, as /proc shows it now.
    pub fn shown(here: u32, own: u32) -> Namespace {
        match (number_of(&here.to_string(), "pid"), ours().0) {
            (Some(theirs), Some(_)) => Namespace::of(theirs),
            _ if here == own => Namespace::Unknown,
            _ => Namespace::Elsewhere,
        }
    }

    /// Whether it is known which one it is.
    pub fn is_known(self) -> bool {
        matches!(self, Namespace::Here | Namespace::Other(_))
    }
}

/// What is to be added to the monotonic clock of a region to get weir's, in nanoseconds: not 0 where its process is in a time namespace of
/// its own (time_namespaces(7)). The process may have this id here.
pub fn clock_shift_ns(header: &Header, here: Option<u32>) -> i64 {
    let noted = header.namespaces.time();
    let theirs = noted.or_else(|| number_of(&here?.to_string(), "time"));
    match (theirs, ours().1) {
        (Some(theirs), Some(ours)) if theirs != ours => {}
        _ => return 0,
    }
    // The real time is the same in all of them.
    let (now, started) = (moment::now(), header.started.get());
    let age_ns = now.unix_ns.saturating_sub(started.unix_ns);
    let was_ns = now.monotonic_ns.saturating_sub(age_ns);
    was_ns.wrapping_sub(started.monotonic_ns).cast_signed()
}

/// Weir's own: of process ids, and of time.
fn ours() -> (Option<NonZeroU32>, Option<NonZeroU32>) {
    static OURS: OnceLock<(Option<NonZeroU32>, Option<NonZeroU32>)> = OnceLock::new();
    *OURS.get_or_init(|| (number_of("self", "pid"), number_of("self", "time")))
}

/// The number of a namespace of a process.
fn number_of(who: &str, namespace: &str) -> Option<NonZeroU32> {
    let there = fs::metadata(format!("/proc/{who}/ns/{namespace}"));
    NonZeroU32::new(there.ok()?.ino().try_into().ok()?)
}

/// Whether /proc shows the ids of weir's own pid namespace: whoever enters one can leave /proc as it was.
pub fn is_proc_ours() -> bool {
    static IS_OURS: OnceLock<bool> = OnceLock::new();
    *IS_OURS.get_or_init(|| {
        let shown = fs::read_link("/proc/self").ok();
        shown.is_some_and(|shown| shown.as_os_str() == std::process::id().to_string().as_str())
    })
}
