//! Waiting for children. These hooks note how each child ended: only the process that waits for a child learns that it
//! was killed.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::mem::{MaybeUninit, offset_of};

use libc::{pid_t, siginfo_t};
use weir_record::ends::ChildEnd;
use weir_record::functions::Function;
use weir_record::region::Section;

use crate::linking::next::next_call;
use crate::program_memory::read_after;
use crate::recording::{Call, NO_FD, NO_SIZE, returns};
use crate::region::mapping;
use crate::{coop, process, sys};

const fn call(function: Function) -> Call<usize> {
    Call {
        function,
        fd: NO_FD,
        file: NO_FD,
        to: NO_FD,
        at: None,
        size: NO_SIZE,
    }
}

/// Defines hooks. A line has the row of the table, the name, the arguments, the argument that points to the call's
/// output, room for that output, the options, and what is done with the result. If the program passes NULL for the
/// output, the hook passes its own room instead.
macro_rules! hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty: $output:ident in $room:expr, $options:expr,
        then |$outcome:ident| $then:expr;)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
            if coop::is_on() {
                // A tail call: this function's frame does not stay, because the stack may be small.
                // SAFETY: the same call with the same arguments; our caller keeps its contract.
                return unsafe { parted($($argument),*) };
            }
            // SAFETY: the same call with the same arguments; our caller keeps its contract.
            return unsafe { whole($($argument),*) };

            #[inline(always)]
            unsafe extern "C-unwind" fn whole($($argument: $type),*) -> $result {
                let own = Cell::new($room);
                let $output = if $output.is_null() { own.as_ptr().cast() } else { $output };
                let next = || next_call!($function($($argument: $type),*) -> $result);
                call(Function::$function).make(returns::status, next, |$outcome: $result| $then)
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn straight($($argument: $type),*) -> $result {
                // SAFETY: the same call with the same arguments; our caller keeps its contract.
                unsafe { whole($($argument),*) }
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn parted($($argument: $type),*) -> $result {
                let call = call(Function::$function);
                let Some(way) = call.begin_two_phases() else {
                    // SAFETY: the same call with the same arguments; our caller keeps its contract.
                    return unsafe { straight($($argument),*) };
                };
                let own = Cell::new($room);
                let $output = if $output.is_null() { own.as_ptr().cast() } else { $output };
                let next = || next_call!($function($($argument: $type),*) -> $result);
                call.in_two_phases(way, returns::status, |$outcome: $result| $then, |parts| {
                    if $options & libc::WNOHANG != 0 {
                        next()
                    } else {
                        coop::wait_for_child(parts, &next)
                    }
                })
            }
        }
    )+};
}

hooks! {
    WaitChild = fn wait(status: *mut c_int) -> pid_t: status in 0, 0, then |pid| waited(pid, status);
    WaitChildAlias = fn __wait(status: *mut c_int) -> pid_t: status in 0, 0, then |pid| waited(pid, status);
    Waitpid = fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t: status in 0, options,
        then |pid| waited(pid, status);
    WaitpidAlias = fn __waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t: status in 0, options,
        then |pid| waited(pid, status);
    Wait3 = fn wait3(status: *mut c_int, options: c_int, usage: *mut c_void) -> pid_t: status in 0, options,
        then |pid| waited(pid, status);
    Wait4 = fn wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut c_void) -> pid_t: status in 0, options,
        then |pid| waited(pid, status);
    Waitid = fn waitid(kind: c_uint, id: c_uint, info: *mut siginfo_t, options: c_int) -> c_int:
        info in MaybeUninit::<siginfo_t>::zeroed(), options,
        then |status| waited_for_id(status, info);
}

/// Called after a call that waits; notes the end of the child `pid`, if the call succeeded.
pub fn waited(pid: pid_t, status: *mut c_int) {
    if pid > 0
        && let Some(status) = read_after(status)
    {
        ended(pid, status);
    }
}

/// The same for waitid, whose output has more fields.
fn waited_for_id(status: c_int, info: *mut siginfo_t) {
    // The fields of a child's `siginfo_t` (sigaction(2)); zeroes, if no child has changed. The whole is larger.
    const CODE: usize = 2;
    const PID: usize = 4;
    const STATUS: usize = 6;
    const { assert!(offset_of!(siginfo_t, si_code) == CODE * size_of::<c_int>()) };
    if status == 0
        && let Some(fields) = read_after(info.cast::<[c_int; STATUS + 1]>())
    {
        let (pid, status) = (fields[PID], fields[STATUS]);
        match fields[CODE] {
            libc::CLD_EXITED => ended(pid, (status & 0xff) << 8),
            libc::CLD_KILLED | libc::CLD_DUMPED => ended(pid, status & 0x7f),
            _ => {}
        }
    }
}

/// Notes the end of a child, given its status as of wait(2). A status that says that the child was stopped or continued
/// is ignored.
pub fn ended(pid: pid_t, status: c_int) {
    if !libc::WIFEXITED(status) && !libc::WIFSIGNALED(status) {
        return;
    }
    let Some(header) = process::header() else {
        return;
    };
    mapping::make_section(header, Section::Ends);
    if let Some(ends) = header.ends() {
        ends.note(ChildEnd {
            pid: pid.cast_unsigned(),
            status,
            ticks: sys::ticks(),
        });
    }
}
