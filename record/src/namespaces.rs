//! In which namespaces of the kernel a process lives: what its ids and its clocks mean to others depends on that (namespaces(7)).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// The numbers of a process's namespaces: those of the inodes in /proc/PID/ns. The process notes them itself at its start: a reader
/// often comes when it is gone.
#[derive(Debug)]
#[repr(C)]
pub struct Namespaces {
    /// 0 is none.
    pid: AtomicU32,
    /// 0 is none.
    time: AtomicU32,
}

impl Namespaces {
    /// Notes both; one that is not known is 0.
    pub fn set(&self, pid: u32, time: u32) {
        self.pid.store(pid, Ordering::Relaxed);
        self.time.store(time, Ordering::Relaxed);
    }

    /// The one of its ids (pid_namespaces(7)), if that is known. Then the process itself has made the region, and no child of vfork.
    pub fn pid(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.pid.load(Ordering::Relaxed))
    }

    /// The one of its monotonic clock (time_namespaces(7)), if that is known.
    pub fn time(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.time.load(Ordering::Relaxed))
    }
}
