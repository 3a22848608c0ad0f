//! Functions of which the C library has more than one, by symbol version, that differ: the call goes on to the one that
//! its caller was bound to, which the caller's own table of symbols tells.
//!
//! Ours have no versions: every version of a name is bound to the one hook. So the hooks here begin with the address that
//! they return to, by which the caller is found.

use std::ffi::{c_char, c_int, c_void};

use libc::pid_t;
use weir_record::functions::Function;

use super::process;
use crate::arch;
use crate::life::end;
use crate::linking::next;
use crate::recording;

/// Defines hooks that hand their arguments, of which there are so many, and the address that they return to on to a body.
macro_rules! versioned {
    ($($name:ident, $arguments:tt, $body:path, $manual:literal;)+) => {$(
        #[doc = concat!("# Safety\nAs ", $manual, " has it.")]
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name() {
            arch::with_caller!($arguments, $body)
        }
    )+};
}

versioned! {
    quick_exit, 1, quick_exit_body, "C11 (7.22.4.7)";
    lio_listio, 4, lio_listio_body, "lio_listio(3)";
    lio_listio64, 4, lio_listio64_body, "lio_listio(3)";
    posix_spawn, 6, process::posix_spawn_body, "posix_spawn(3)";
    posix_spawnp, 6, process::posix_spawnp_body, "posix_spawn(3)";
}

/// The program's handlers are yet to run: a handler of our own, registered before them, is called last.
unsafe extern "C-unwind" fn quick_exit_body(status: c_int, caller: usize) -> ! {
    recording::count(Function::QuickExit);
    end::begin_quick_exit(status);
    // SAFETY: what the caller promises is what the next one asks.
    unsafe {
        let next: unsafe extern "C-unwind" fn(c_int) -> ! =
            next::of_caller(Function::QuickExit, caller);
        next(status)
    }
}

/// Defines the bodies of hooks that count.
macro_rules! listings {
    ($($function:ident = $name:ident;)+) => {$(
        unsafe extern "C-unwind" fn $name(
            mode: c_int,
            list: *const *mut c_void,
            count: c_int,
            event: *mut c_void,
            caller: usize,
        ) -> c_int {
            recording::count(Function::$function);
            type List =
                unsafe extern "C-unwind" fn(c_int, *const *mut c_void, c_int, *mut c_void) -> c_int;
            // SAFETY: what the caller promises is what the next one asks.
            let result = unsafe {
                next::of_caller::<List>(Function::$function, caller)(mode, list, count, event)
            };
            if result == -1 {
                recording::count_failure(Function::$function);
            }
            result
        }
    )+};
}

listings! {
    LioListio = lio_listio_body;
    LioListio64 = lio_listio64_body;
}

type Strings = *const *const c_char;

/// The body of a hook of `posix_spawn` or its kin: its arguments, and the address that it returns to.
type SpawnBody = unsafe extern "C-unwind" fn(
    *mut pid_t,
    *const c_char,
    *const c_void,
    *const c_void,
    Strings,
    Strings,
    usize,
) -> c_int;
const _: [SpawnBody; 2] = [process::posix_spawn_body, process::posix_spawnp_body];
