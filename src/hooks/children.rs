//! Waiting for children. How one ended is noted: of a child that is killed only the one who waits for it is told.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{pid_t, siginfo_t};
use weir_record::ends::ChildEnd;
use weir_record::functions::Function;
use weir_record::region::Section;

use super::next_call;
use crate::recording::{Call, NO_FD, NO_SIZE, returns};
use crate::{coop, image, mapping, sys};

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

/// Makes a call that waits unless the options say otherwise.
macro_rules! waiting {
    ($function:ident, $options:expr, $next:ident, $then:expr) => {
        call(Function::$function).make_waiting(returns::status, &$next, $then, |parts| {
            if $options & libc::WNOHANG != 0 {
                $next()
            } else {
                coop::wait_for_child(parts, &$next)
            }
        })
    };
}

/// Defines hooks: the row of the table, the name, the arguments, which of them is where the status goes, and the options. A
/// program that does not ask for the status asks for it all the same.
macro_rules! hooks {
    ($($function:ident = $name:ident($($argument:ident: $type:ty),*): $status:ident, $options:expr;)+) => {$(
        /// # Safety
        /// As the C library has it.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) -> pid_t {
            let own = Cell::new(0);
            let $status = if $status.is_null() { own.as_ptr() } else { $status };
            let next = || next_call!($function($($argument: $type),*) -> pid_t);
            waiting!($function, $options, next, |pid| {
                if pid > 0 {
                    // SAFETY: the kernel has just written it.
                    ended(pid, unsafe { $status.read_unaligned() });
                }
            })
        }
    )+};
}

hooks! {
    WaitChild = wait(status: *mut c_int): status, 0;
    WaitChildAlias = __wait(status: *mut c_int): status, 0;
    Waitpid = waitpid(pid: pid_t, status: *mut c_int, options: c_int): status, options;
    WaitpidAlias = __waitpid(pid: pid_t, status: *mut c_int, options: c_int): status, options;
    Wait3 = wait3(status: *mut c_int, options: c_int, usage: *mut c_void): status, options;
    Wait4 = wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut c_void): status, options;
}

/// # Safety
/// As the C library has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn waitid(
    kind: c_uint,
    id: c_uint,
    info: *mut siginfo_t,
    options: c_int,
) -> c_int {
    let own = Cell::new(MaybeUninit::<siginfo_t>::zeroed());
    let info = if info.is_null() {
        own.as_ptr().cast()
    } else {
        info
    };
    let next = || next_call!(Waitid(kind: c_uint, id: c_uint, info: *mut siginfo_t, options: c_int) -> c_int);
    waiting!(Waitid, options, next, |status| {
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
    })
}

/// A child has changed, so that wait(2) has this to tell; it may have been stopped, and go on.
pub fn ended(pid: pid_t, status: c_int) {
    if !libc::WIFEXITED(status) && !libc::WIFSIGNALED(status) {
        return;
    }
    let Some(header) = image::header() else {
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
