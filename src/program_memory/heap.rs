//! The part of the heap that the C library extends by brk(2). No file stands behind it, and in a program with one thread nobody takes
//! it away during that thread's call.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::linking::single_thread;
use crate::sys;

/// Where it began when Weir started; 0 where that is not known.
static START: AtomicUsize = AtomicUsize::new(0);
/// Where it ended when that was asked last.
static END: AtomicUsize = AtomicUsize::new(0);

/// No heap is larger. Other mappings are far away from it, and are not worth a system call.
const LARGEST: usize = 1 << 40;

/// For the start of the process only.
pub fn begin() {
    START.store(sys::heap_end(), Ordering::Relaxed);
}

/// Whether all these addresses are in it, and are this thread's alone. They may still be protected, or given back.
pub fn has(from: usize, end: usize) -> bool {
    let start = START.load(Ordering::Relaxed);
    if start == 0 || from < start || end - start > LARGEST || !single_thread::is_so() {
        return false;
    }
    if end > END.load(Ordering::Relaxed) {
        END.store(sys::heap_end(), Ordering::Relaxed);
    }
    end <= END.load(Ordering::Relaxed)
}
