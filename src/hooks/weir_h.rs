//! The functions that `include/weir.h` declares, for coroutine runtimes.

use std::ffi::{c_int, c_void};

use crate::coop::{self, Table};
use crate::life::attach;

/// # Safety
/// As `weir.h` says: `table` is NULL, or a table whose size field is right and whose functions may be called from now
/// on.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn weir_coop_register(table: *const Table) -> c_int {
    attach::attach_early();
    // SAFETY: the caller guarantees what `weir.h` asks for.
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
