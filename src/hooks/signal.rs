//! How the program handles signals. The calls are counted. If calls are made in two parts, the signal's new handling is
//! then read, because it decides whether an interrupted wait goes on.

use std::ffi::{c_int, c_void};

use weir_record::functions::Function;

use crate::coop::signals;
use crate::linking::next;
use crate::recording;

/// Defines hooks that change how one signal is handled. All of them return -1, or a pointer with all bits set, on
/// failure.
macro_rules! signal_hooks {
    ($($function:ident = fn $name:ident($signal:ident: c_int $(, $argument:ident: $type:ty)*) -> $result:ty;)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($signal: c_int $(, $argument: $type)*) -> $result {
            let counted = recording::count(Function::$function);
            let result = next::next_call!($function($signal: c_int $(, $argument: $type)*) -> $result);
            if result as isize == -1 {
                counted.failed(Function::$function);
            } else {
                signals::changed($signal);
            }
            result
        }
    )+};
}

signal_hooks! {
    Sigaction = fn sigaction(signal: c_int, new: *const c_void, old: *mut c_void) -> c_int;
    SigactionAlias = fn __sigaction(signal: c_int, new: *const c_void, old: *mut c_void) -> c_int;
    Signal = fn signal(signal: c_int, handler: *mut c_void) -> *mut c_void;
    BsdSignal = fn bsd_signal(signal: c_int, handler: *mut c_void) -> *mut c_void;
    Ssignal = fn ssignal(signal: c_int, handler: *mut c_void) -> *mut c_void;
    SysvSignal = fn sysv_signal(signal: c_int, handler: *mut c_void) -> *mut c_void;
    SysvSignalAlias = fn __sysv_signal(signal: c_int, handler: *mut c_void) -> *mut c_void;
    Sigset = fn sigset(signal: c_int, handler: *mut c_void) -> *mut c_void;
    Sigignore = fn sigignore(signal: c_int) -> c_int;
    Siginterrupt = fn siginterrupt(signal: c_int, interrupts: c_int) -> c_int;
}
