//! The kernel's clocks, read by the function that the kernel itself puts into every process. The `clock_gettime` that
//! the dynamic linker would bind may belong to another library (libfaketime), with other times.

use std::mem::transmute;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, clockid_t, timespec};

use super::{call, counter};

/// The address of the kernel's function; 0 if there is none.
static CLOCK_GETTIME: AtomicUsize = AtomicUsize::new(0);

/// Sets the kernel's function: `__vdso_clock_gettime` of the kernel's own object (vdso(7)).
pub fn set_function(address: usize) {
    CLOCK_GETTIME.store(address, Ordering::Relaxed);
}

/// The time of a clock, in nanoseconds.
pub fn time_ns(clock: clockid_t) -> u64 {
    if counter::is_taken() {
        return counter::time_ns_without(clock);
    }
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let function = CLOCK_GETTIME.load(Ordering::Relaxed);
    let status = if function == 0 {
        -1
    } else {
        // SAFETY: the kernel's function, which has this type; `time` may be written.
        unsafe {
            transmute::<usize, unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int>(function)(
                clock,
                &raw mut time,
            )
        }
    };
    if status != 0 {
        let arguments = [clock as usize, (&raw mut time).addr(), 0, 0, 0];
        // SAFETY: the kernel writes a `timespec`.
        unsafe { call(libc::SYS_clock_gettime, arguments) };
    }
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
