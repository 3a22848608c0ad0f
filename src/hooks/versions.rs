//! Functions that the C library has in several symbol versions with different behaviour. The call goes to the version
//! that its caller is bound to; the caller's own symbol table says which.
//!
//! Our symbols have no versions: the dynamic linker binds all versions of a name to one hook. So these hooks read their
//! return address first, and find the caller by it.

use std::ffi::{c_char, c_int, c_void};

use libc::pid_t;
use weir_record::functions::Function;

use super::{process, wait_for_threads};
use crate::arch;
use crate::life::end;
use crate::linking::bound;
use crate::recording;

/// Defines hooks that pass their arguments, and their return address after them, to a body. The number is how many
/// arguments.
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
    posix_spawn, 6, process::spawn_body::<false>, "posix_spawn(3)";
    posix_spawnp, 6, process::spawn_body::<true>, "posix_spawn(3)";
    pthread_cond_wait, 2, wait_for_threads::cond_wait, "pthread_cond_wait(3)";
    pthread_cond_timedwait, 3, wait_for_threads::cond_timedwait, "pthread_cond_timedwait(3)";
}

/// The program's own handlers run after this. A handler of ours was registered before them, so it is called last.
unsafe extern "C-unwind" fn quick_exit_body(status: c_int, caller: usize) -> ! {
    recording::count(Function::QuickExit);
    end::begin_quick_exit(status);
    // SAFETY: the type is that of quick_exit; the next function has the same contract, and our caller keeps it.
    unsafe {
        let next: unsafe extern "C-unwind" fn(c_int) -> ! =
            bound::of_caller(Function::QuickExit, caller);
        next(status)
    }
}

/// Defines the bodies of the hooks of `lio_listio`, which only count.
macro_rules! listings {
    ($($function:ident = $name:ident;)+) => {$(
        unsafe extern "C-unwind" fn $name(
            mode: c_int,
            list: *const *mut c_void,
            count: c_int,
            event: *mut c_void,
            caller: usize,
        ) -> c_int {
            let counted = recording::count(Function::$function);
            type List =
                unsafe extern "C-unwind" fn(c_int, *const *mut c_void, c_int, *mut c_void) -> c_int;
            // SAFETY: the type is that of lio_listio; the next function has the same contract, and our caller keeps it.
            let result = unsafe {
                bound::of_caller::<List>(Function::$function, caller)(mode, list, count, event)
            };
            if result == -1 {
                counted.failed(Function::$function);
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

/// The body of a hook of `posix_spawn` or `posix_spawnp`: their arguments, and then the return address of the hook.
type SpawnBody = unsafe extern "C-unwind" fn(
    *mut pid_t,
    *const c_char,
    *const c_void,
    *const c_void,
    Strings,
    Strings,
    usize,
) -> c_int;
const _: [SpawnBody; 2] = [process::spawn_body::<false>, process::spawn_body::<true>];
