//! `vfork` returns twice on one stack, so there may be no frame of ours when it does: the hooks count, and jump.

use std::num::NonZeroUsize;

use weir_record::functions::Function;

use crate::arch;
use crate::linking::next;
use crate::process::vfork;
use crate::recording;

/// Defines a hook: the name, and what counts the call and says where to go on.
macro_rules! hooks {
    ($($name:ident = $function:ident, $begin:ident;)+) => {$(
        extern "C" fn $begin() -> NonZeroUsize {
            begin(Function::$function)
        }

        /// # Safety
        /// As vfork(2) has it.
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

/// Counts the call; that it fails is not seen. Where the next one is.
fn begin(function: Function) -> NonZeroUsize {
    recording::count(function);
    vfork::begin();
    next::address(function)
}
