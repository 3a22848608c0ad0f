//! `vfork` returns twice on one stack, so no frame of ours may be there when it does: the hooks count, and jump.

use std::num::NonZeroUsize;

use weir_record::functions::Function;

use crate::arch;
use crate::life::inject_environment;
use crate::linking::next;
use crate::process::vfork;
use crate::recording;

/// Defines a hook: its name, its row, and the function that counts the call and returns the address to jump to.
macro_rules! hooks {
    ($($name:ident = $function:ident, $begin:ident;)+) => {$(
        extern "C" fn $begin() -> NonZeroUsize {
            begin(Function::$function)
        }

        /// # Safety
        /// The same contract as vfork(2).
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name() {
            arch::jump_without_arguments!($begin)
        }
    )+};
}

hooks! {
    vfork = Vfork, begin_vfork;
    __vfork = VforkAlias, begin_vfork_alias;
}

/// Counts the call, and returns the address of the next function. The hook does not see whether that fails.
fn begin(function: Function) -> NonZeroUsize {
    recording::count(function);
    inject_environment::begin_vfork();
    vfork::begin();
    next::address(function)
}
