//! The end of the image: exit in all its forms, and its replacement by another.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use libc::FILE;
use weir_record::region::{Circumstance, Header, Phase};

use crate::life::{attach, inheritance, start::file, starts, writer};
use crate::linking::{bypasses, c_library, objects, streams, uring};
use crate::memory::{giving_up, reserve};
use crate::process::{Whose, children, header, vfork, whose};
use crate::region::mapping;
use crate::{sys, thread};

/// The status that quick_exit was called with.
static QUICK_EXIT_STATUS: AtomicI32 = AtomicI32::new(0);

/// The process is about to end by quick_exit, once the program's handlers have run.
pub fn begin_quick_exit(status: i32) {
    QUICK_EXIT_STATUS.store(status, Ordering::Relaxed);
}

/// Asks to be told of exit, and sees to it that the report of the end can be written.
///
/// What is registered first is called last at exit, and this is before the dynamic
/// linker registers that it runs the destructors of libraries: those are all done when we are called.
pub fn watch() {
    extern "C" fn at_exit(status: c_int, _: *mut c_void) {
        expect_streams(ptr::null_mut());
        tell_end(status);
        EXITING.store(thread::identity(), Ordering::Relaxed);
    }
    extern "C" fn at_quick_exit(_: *mut c_void) {
        end(QUICK_EXIT_STATUS.load(Ordering::Relaxed));
    }
    if writer::is_here() {
        reserve::make();
        giving_up::watch_panics();
    }
    // SAFETY: the handlers stay where they are: the library is never unloaded (`-z nodelete`).
    unsafe {
        c_library::on_exit(at_exit, ptr::null_mut());
        c_library::__cxa_at_quick_exit(at_quick_exit, ptr::null_mut());
    }
}

/// In a child of fork: its end is another.
pub fn forked() {
    EXITING.store(0, Ordering::Relaxed);
    LAST.store(ptr::null_mut(), Ordering::Relaxed);
    AGAIN.store(0, Ordering::Relaxed);
}

/// The process ends with this status. What it does from here on is still counted.
pub fn end(status: i32) {
    // No stream is asked for any more, also where another thread is in exit.
    LAST.store(ptr::null_mut(), Ordering::Relaxed);
    tell_end(status);
}

fn tell_end(status: i32) {
    // Where a jump has left a call, the thread is in none any more.
    if let Some(slot) = thread::home() {
        slot.in_flight.end();
    }
    let Some(header) = header() else {
        return inheritance::leave(inheritance::take_parents());
    };
    sys::with_errno_kept(|| match whose(header) {
        Whose::Vfork => vfork::end(),
        Whose::Sharer => {
            children::leave(header);
            // Another process may have the slot; what is still to come goes to the common counters.
            attach::leave();
        }
        Whose::Region => {
            header.set_exit_status(status);
            write_final_report(header, Phase::Exiting);
        }
    });
}

/// The thread that is in exit, whose handlers have all run; 0 where there is none.
static EXITING: AtomicUsize = AtomicUsize::new(0);

/// The stream that the C library will ask the kernel for last, once all handlers of exit have run; NULL where that is none.
static LAST: AtomicPtr<FILE> = AtomicPtr::new(ptr::null_mut());
/// How many times the end has been told again.
static AGAIN: AtomicU32 = AtomicU32::new(0);
/// So many times it is at most, where other streams than expected are asked for: each time the whole report is written.
const MOST_AGAIN: u32 = 16;

/// Finds out which stream will be the last, after the one at work.
fn expect_streams(at_work: *mut FILE) {
    let last = match writer::is_here() && !sys::is_sealed() {
        true => sys::with_errno_kept(|| streams::last_to_ask(at_work)),
        false => None,
    };
    LAST.store(last.unwrap_or(ptr::null_mut()), Ordering::Relaxed);
}

/// stdio has asked the kernel for something, for a stream. Where that is the last thing that the process does, its end is
/// told again.
#[inline(always)]
pub fn asked_by_stdio(stream: *mut FILE) {
    if EXITING.load(Ordering::Relaxed) != 0 {
        end_again(stream);
    }
}

#[cold]
#[inline(never)]
fn end_again(stream: *mut FILE) {
    if EXITING.load(Ordering::Relaxed) != thread::identity() {
        return;
    }
    let last = LAST.load(Ordering::Relaxed);
    if !last.is_null() && last != stream || AGAIN.load(Ordering::Relaxed) >= MOST_AGAIN {
        return;
    }
    if let Some(header) = header()
        && matches!(whose(header), Whose::Region)
    {
        AGAIN.fetch_add(1, Ordering::Relaxed);
        expect_streams(stream);
        sys::with_errno_kept(|| write_final_report(header, Phase::Exiting));
    }
}

/// Whether more is to come, of which the report that is written now knows nothing: then the region stays, until that has
/// come, or for `weir recover`.
fn is_more_expected() -> bool {
    !LAST.load(Ordering::Relaxed).is_null() || AGAIN.load(Ordering::Relaxed) >= MOST_AGAIN
}

/// The image is about to end, or to be replaced.
fn write_final_report(header: &Header, phase: Phase) {
    if sys::is_sealed() {
        return header.set_phase(phase);
    }
    look_around(header);
    header.latest.set(sys::now());
    header.set_phase(phase);
    let keeps_region = is_more_expected() || matches!(phase, Phase::Replacing);
    writer::finish(keeps_region);
}

/// Looks for what passes us by, where it may have come or has been asked for; on a stack of our own, for the thread's may be a
/// signal handler's.
#[inline(never)]
fn look_around(header: &Header) {
    if objects::are_in_other_namespaces() {
        header.note(Circumstance::OtherNamespace);
    }
    if uring::may_be_there(header) || objects::have_come() {
        let look = || {
            thread::ours(|| {
                uring::look_at_end(header);
                bypasses::look_at_end(header);
            });
        };
        sys::on_own_stack_if_possible(look);
    }
}

/// An exec under way.
pub struct Replacing {
    header: &'static Header,
    whose: Whose,
    note: Option<starts::Note>,
    /// Whether the report was written.
    is_told: bool,
    /// Whether the region's file was removed.
    is_removed: bool,
}

/// A program is about to be executed in the calling process: it replaces the image, or a child of vfork, or a
/// process that shares the region.
///
/// Where the writer is the program's, its report is written now, because nothing of ours comes after an exec that succeeds. Not
/// so where it will fail, as far as can be told before: that changes nothing. The region stays, in case it fails all the same:
/// the image that comes removes it.
pub fn begin_replacing(start: &starts::Start) -> Option<Replacing> {
    let header = header()?;
    if sys::is_sealed() {
        return Some(begin_in_a_sandbox(header));
    }
    Some(sys::with_errno_kept(|| {
        let note = starts::note_exec(header, start);
        let whose = whose(header);
        let mut is_told = false;
        let mut is_removed = false;
        match whose {
            Whose::Vfork => vfork::end(),
            Whose::Sharer => children::leave(header),
            Whose::Region if !writer::is_here() => write_final_report(header, Phase::Replacing),
            Whose::Region if starts::is_hopeless(start) => {}
            Whose::Region => {
                write_final_report(header, Phase::Replacing);
                is_told = true;
                // What will not load us leaves the region where it is: nobody would come to remove it.
                is_removed = !start.loads_us();
                if is_removed {
                    mapping::remove(file());
                }
            }
        }
        Replacing {
            header,
            whose,
            note,
            is_told,
            is_removed,
        }
    }))
}

/// The same where no call may be made, on the thread's stack.
fn begin_in_a_sandbox(header: &'static Header) -> Replacing {
    let whose = whose(header);
    match whose {
        Whose::Vfork => vfork::end(),
        Whose::Sharer => children::leave(header),
        Whose::Region => header.set_phase(Phase::Replacing),
    }
    Replacing {
        header,
        whose,
        note: None,
        is_told: false,
        is_removed: false,
    }
}

impl Replacing {
    /// The exec failed: the image goes on.
    pub fn failed(&self) {
        match self.whose {
            Whose::Vfork => vfork::begin(),
            Whose::Sharer => children::return_to(self.header),
            Whose::Region => self.header.set_phase(Phase::Running),
        }
        if self.is_told && writer::take_back() && self.is_removed {
            // Its file is gone, and no other can be made of memory that threads count into.
            self.header.note(Circumstance::PrivateMemory);
        }
        if let Some(note) = &self.note {
            note.withdraw();
        }
    }
}
