//! Waiting for children. How one ended is noted: of a child that is killed only the one who waits for it is told.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{pid_t, siginfo_t};
use weir_record::ends::ChildEnd;
use weir_record::functions::Function;
use weir_record::region::Section;

use crate::linking::next::next_call;
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

/// Defines hooks: the row of the table, the name, the arguments, which of them is where the call writes what it tells, room for
/// that, the options, and what is done with the result. A program that does not ask for what is told asks for it all the same.
macro_rules! hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty: $told:ident in $room:expr, $options:expr,
        then |$outcome:ident| $then:expr;)+) => {$(
        /// # Safety
        /// As the C library has it.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
            if coop::is_on() {
                // In the place of this function, not on top of it: the stack may be small.
                // SAFETY: the same call.
                return unsafe { parted($($argument),*) };
            }
            // SAFETY: the same call.
            return unsafe { whole($($argument),*) };

            #[inline(always)]
            unsafe extern "C-unwind" fn whole($($argument: $type),*) -> $result {
                let own = Cell::new($room);
                let $told = if $told.is_null() { own.as_ptr().cast() } else { $told };
                let next = || next_call!($function($($argument: $type),*) -> $result);
                call(Function::$function).make(returns::status, next, |$outcome: $result| $then)
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn straight($($argument: $type),*) -> $result {
                // SAFETY: the same call.
                unsafe { whole($($argument),*) }
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn parted($($argument: $type),*) -> $result {
                let call = call(Function::$function);
                let Some(way) = call.begin_two_phases() else {
                    // SAFETY: the same call.
                    return unsafe { straight($($argument),*) };
                };
                let own = Cell::new($room);
                let $told = if $told.is_null() { own.as_ptr().cast() } else { $told };
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
        then |status| told(status, info);
}

/// A child was waited for, if it was.
fn waited(pid: pid_t, status: *mut c_int) {
    if pid > 0 {
        // SAFETY: the kernel has just written it.
        ended(pid, unsafe { status.read_unaligned() });
    }
}

/// The same by waitid, which tells more.
fn told(status: c_int, info: *mut siginfo_t) {
    if status == 0 {
        // SAFETY: the kernel has just written it, as that of a child; or zeroes, where there is none.
        let (pid, code, status) = unsafe {
            let info = ptr::read_unaligned(info);
            (info.si_pid(), info.si_code, info.si_status())
        };
        match code {
            libc::CLD_EXITED => ended(pid, (status & 0xff) << 8),
            libc::CLD_KILLED | libc::CLD_DUMPED => ended(pid, status & 0x7f),
            _ => {}
        }
    }
}

/// A child has changed, so that wait(2) has this to tell; it may have been stopped, and go on.
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
