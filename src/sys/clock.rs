//! The kernel's clocks, read by the function that the kernel itself puts into every process. The `clock_gettime` that
//! the dynamic linker would bind may belong to another library (libfaketime), with other times.

use std::mem::transmute;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, clockid_t, timespec};

use super::{counter, is_sealed};

/// The address of the kernel's function; 0 if there is none.
static CLOCK_GETTIME: AtomicUsize = AtomicUsize::new(0);

/// Sets the kernel's function, [`arch::CLOCK_FUNCTION`](crate::arch::CLOCK_FUNCTION) of the kernel's own object
/// (vdso(7)).
pub fn set_function(address: usize) {
    CLOCK_GETTIME.store(address, Ordering::Relaxed);
}

/// The time of a clock, in nanoseconds. In a sealed process no system call is made for it.
pub fn time_ns(clock: clockid_t) -> u64 {
    if is_sealed() {
        return counter::computed_time_ns(clock);
    }
    if counter::is_taken() {
        return counter::asked_time_ns(clock);
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
        return counter::asked_time_ns(clock);
    }
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
