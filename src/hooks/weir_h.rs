//! The functions that `include/weir.h` names, for runtimes of coroutines.

use std::ffi::{c_int, c_void};

use crate::coop::{self, Table};
use crate::life::attach;

/// # Safety
/// As `weir.h` has it: NULL, or a table that is as long as it says, the functions of which may be called from
/// now on.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn weir_coop_register(table: *const Table) -> c_int {
    attach::attach_early();
    // SAFETY: as the caller promises.
    unsafe { coop::register(table) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn weir_coop_enable(scope: c_int, enable: c_int) -> c_int {
    coop::enable(scope, enable)
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn weir_coop_ended(coroutine: *mut c_void) {
    coop::ended(coroutine);
}
