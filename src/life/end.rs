//! The end of the image: all ways to exit, and its replacement by another program.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use libc::FILE;
use weir_record::region::{Circumstance, Header, Phase};

use crate::life::{attach, inheritance, start::file, starts, writer};
use crate::linking::{bypasses, c_library, objects, streams, uring};
use crate::memory::{giving_up, reserve};
use crate::process::{Whose, children, header, vfork, whose};
use crate::region::backing;
use crate::{sys, thread};

/// The exit status that quick_exit was called with.
static QUICK_EXIT_STATUS: AtomicI32 = AtomicI32::new(0);

/// Called before the process ends by quick_exit. The program's handlers run first.
pub fn begin_quick_exit(status: i32) {
    QUICK_EXIT_STATUS.store(status, Ordering::Relaxed);
}

/// Registers handlers of exit, and reserves what the last report needs.
///
/// At exit, handlers run in reverse order of their registration. This function runs before the dynamic linker registers
/// the destructors of libraries. So all of those have run when our handler is called.
pub fn watch() {
    extern "C" fn at_exit(status: c_int, _: *mut c_void) {
        expect_streams(ptr::null_mut());
        note_end(status);
        EXITING.store(thread::identity(), Ordering::Relaxed);
    }
    extern "C" fn at_quick_exit(_: *mut c_void) {
        end(QUICK_EXIT_STATUS.load(Ordering::Relaxed));
    }
    if writer::is_here() {
        reserve::make();
        giving_up::watch_panics();
    }
    // SAFETY: the handlers stay mapped, because the library is never unloaded (`-z nodelete`).
    unsafe {
        c_library::on_exit(at_exit, ptr::null_mut());
        c_library::__cxa_at_quick_exit(at_quick_exit, ptr::null_mut());
    }
}

/// Called in a child of fork, which has not begun to exit.
pub fn forked() {
    EXITING.store(0, Ordering::Relaxed);
    LAST.store(ptr::null_mut(), Ordering::Relaxed);
    AGAIN.store(0, Ordering::Relaxed);
}

/// Called before the process ends with this exit status. Its later calls are still counted.
pub fn end(status: i32) {
    // No stream is expected any more, even if another thread is in exit.
    LAST.store(ptr::null_mut(), Ordering::Relaxed);
    note_end(status);
}

fn note_end(status: i32) {
    // A jump may have left a call; the thread is not in that call any more.
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
            // Another process may take the slot now. So later calls count into the common counters.
            attach::leave();
        }
        Whose::Region => {
            header.set_exit_status(status);
            write_final_report(header, Phase::Exiting);
        }
    });
}

/// The thread that is in exit and whose handlers have all run; 0 if there is none.
static EXITING: AtomicUsize = AtomicUsize::new(0);

/// The last stream for which the C library will call the kernel after all handlers of exit. NULL if there is none.
static LAST: AtomicPtr<FILE> = AtomicPtr::new(ptr::null_mut());
/// How many times the last report was written again.
static AGAIN: AtomicU32 = AtomicU32::new(0);
/// The most times that the last report is written again, if other streams than expected call the kernel. Each time the
/// whole report is written.
const MOST_AGAIN: u32 = 16;

/// Finds the last stream that will call the kernel after the stream `at_work`.
fn expect_streams(at_work: *mut FILE) {
    let last = match writer::is_here() && !sys::is_sealed() {
        true => sys::with_errno_kept(|| streams::last_to_ask(at_work)),
        false => None,
    };
    LAST.store(last.unwrap_or(ptr::null_mut()), Ordering::Relaxed);
}

/// Called after stdio has called the kernel for a stream. If that is the last act of the process, the report is written
/// again.
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

/// Whether later calls are expected that the report does not have yet. If so, the region stays for the next report, or
/// for `weir recover`.
fn is_more_expected() -> bool {
    !LAST.load(Ordering::Relaxed).is_null() || AGAIN.load(Ordering::Relaxed) >= MOST_AGAIN
}

/// Called before the image ends or is replaced. Returns the number of calls in the report that was written.
fn write_final_report(header: &Header, phase: Phase) -> Option<u64> {
    inheritance::catch_up(header);
    if sys::is_sealed() {
        header.set_phase(phase);
        return None;
    }
    look_around(header);
    header.latest.set(sys::now());
    header.set_phase(phase);
    let keeps_region = is_more_expected() || matches!(phase, Phase::Replacing);
    let calls = writer::finish(keeps_region);
    header.set_reported_calls(calls);
    calls
}

/// Looks for calls that bypass the hooks, if the process may have made any. Works on a stack of our own, because the
/// thread's stack may be a signal handler's.
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

/// An exec in progress.
pub struct Replacing {
    header: &'static Header,
    whose: Whose,
    note: Option<starts::Note>,
    /// Whether the report was written.
    is_written: bool,
    /// Whether the region's file was removed.
    is_removed: bool,
}

/// Called before a program is executed. It replaces this image, or a child of vfork, or a process that shares the
/// region.
///
/// If the writer lives in the program, the report is written now, because no code of ours runs after a successful exec.
/// But an exec that is known to fail changes nothing. The region stays, because the exec may still fail, and says that
/// how much the report has: so the new image removes it, and if that one cannot, `weir recover` makes no second report,
/// unless other threads have counted more. If the program will not load Weir, the region is removed now.
pub fn begin_replacing(start: &starts::Start) -> Option<Replacing> {
    let header = header()?;
    if sys::is_sealed() {
        return Some(begin_in_a_sandbox(header, start));
    }
    Some(sys::with_errno_kept(|| {
        let note = starts::note_exec(header, start);
        let whose = whose(header);
        let mut is_written = false;
        let mut is_removed = false;
        match whose {
            Whose::Vfork => vfork::end(),
            Whose::Sharer => children::leave(header),
            Whose::Region if !writer::is_here() => {
                write_final_report(header, Phase::Replacing);
            }
            Whose::Region if starts::is_hopeless(start) => {}
            Whose::Region => {
                is_written = write_final_report(header, Phase::Replacing).is_some();
                // A program that does not load Weir would not remove the region.
                is_removed = is_written && !start.loads_us();
                if is_removed {
                    backing::remove(file());
                }
            }
        }
        Replacing {
            header,
            whose,
            note,
            is_written,
            is_removed,
        }
    }))
}

/// The same for a sealed process: makes no system call, and works on the thread's stack.
fn begin_in_a_sandbox(header: &'static Header, start: &starts::Start) -> Replacing {
    let note = starts::note_exec_in_a_sandbox(header, start);
    let whose = whose(header);
    match whose {
        Whose::Vfork => vfork::end(),
        Whose::Sharer => children::leave(header),
        Whose::Region => header.set_phase(Phase::Replacing),
    }
    Replacing {
        header,
        whose,
        note,
        is_written: false,
        is_removed: false,
    }
}

impl Replacing {
    /// Called after the exec has failed: the image goes on.
    pub fn failed(&self) {
        match self.whose {
            Whose::Vfork => vfork::begin(),
            Whose::Sharer => children::return_to(self.header),
            Whose::Region => {
                self.header.set_reported_calls(None);
                self.header.set_phase(Phase::Running);
            }
        }
        if self.is_removed {
            // The region's file is gone, and a new file cannot replace memory that threads count into.
            self.header.note(Circumstance::PrivateMemory);
        }
        if self.is_written {
            writer::take_back(self.is_removed);
        }
        if let Some(note) = &self.note {
            note.withdraw();
        }
    }
}
