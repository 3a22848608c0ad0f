//! Libraries that go.

use std::ffi::{c_int, c_void};

use weir_record::functions::Function;

use crate::linking::{bound, next};
use crate::{recording, stacks};

/// The code goes with the library, and what is known of it with that.
///
/// # Safety
/// The same contract as dlclose(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn dlclose(handle: *mut c_void) -> c_int {
    recording::count(Function::Dlclose);
    let result = next::next_call!(Dlclose(handle: *mut c_void) -> c_int);
    bound::forget_code();
    stacks::forget_code();
    result
}
