//! Formatted output and input.
//!
//! Stable Rust cannot define a variadic function. So the hook is a naked function: it stores the registers that may
//! hold arguments in the layout of a `va_list`, and calls a body. The body calls the form of the function that takes a
//! `va_list`. But if the variadic form is another library's, that one must be called: the hook counts, and jumps there.

use std::ffi::{c_char, c_int, c_void};

use libc::{FILE, wchar_t};
use weir_record::functions::Function;

use super::stdio_hooks;
use crate::arch::{self, Answer, Arguments, Registers};
use crate::linking::{next, streams};
use crate::recording::{self, NO_SIZE, buffered, returns, stdio_returns};

/// A fixed argument, converted from its register.
trait Fixed {
    fn from_register(register: usize) -> Self;
}

impl Fixed for c_int {
    fn from_register(register: usize) -> c_int {
        register as c_int
    }
}

impl<T> Fixed for *mut T {
    fn from_register(register: usize) -> *mut T {
        std::ptr::with_exposed_provenance_mut(register)
    }
}

impl<T> Fixed for *const T {
    fn from_register(register: usize) -> *const T {
        std::ptr::with_exposed_provenance(register)
    }
}

/// Defines hooks for variadic functions. A line has the row of the table, the name, the fixed arguments, the function
/// that does the work, and what the result means.
macro_rules! variadic_hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),*) by $by:ident: $judge:expr;)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name() {
            unsafe extern "C-unwind" fn body(
                registers: *const Registers,
                on_stack: *const c_void,
            ) -> Answer {
                if let Some(address) = next::of_another_library(Function::$function) {
                    recording::count(Function::$function);
                    return Answer::jump(address);
                }
                // SAFETY: the naked function has just stored the registers there.
                let general = unsafe { (*registers).general };
                let mut count = 0;
                $(
                    let $argument = <$type>::from_register(general[count]);
                    count += 1;
                )*
                let result = buffered(Function::$function, NO_SIZE, $judge, || {
                    let mut list = Arguments::after(count, registers, on_stack);
                    let list = &raw mut list;
                    next::ensure(Function::$by);
                    next::next_call!($by($($argument: $type,)* list: *mut Arguments) -> c_int)
                }, |_| {});
                Answer::result(result)
            }
            arch::with_registers!(body)
        }
    )+};
}

variadic_hooks! {
    Printf = fn printf(format: *const c_char) by Vprintf: stdio_returns::printed;
    PrintfChk = fn __printf_chk(flag: c_int, format: *const c_char) by VprintfChk: stdio_returns::printed;
    IoPrintf = fn _IO_printf(format: *const c_char) by Vprintf: stdio_returns::printed;
    Fprintf = fn fprintf(stream: *mut FILE, format: *const c_char) by Vfprintf: stdio_returns::printed;
    FprintfChk = fn __fprintf_chk(stream: *mut FILE, flag: c_int, format: *const c_char) by VfprintfChk: stdio_returns::printed;
    IoFprintf = fn _IO_fprintf(stream: *mut FILE, format: *const c_char) by Vfprintf: stdio_returns::printed;
    Dprintf = fn dprintf(fd: c_int, format: *const c_char) by Vdprintf: stdio_returns::printed;
    DprintfChk = fn __dprintf_chk(fd: c_int, flag: c_int, format: *const c_char) by VdprintfChk: stdio_returns::printed;
    Scanf = fn scanf(format: *const c_char) by Vscanf: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc99Scanf = fn __isoc99_scanf(format: *const c_char) by Isoc99Vscanf: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc23Scanf = fn __isoc23_scanf(format: *const c_char) by Isoc23Vscanf: move |values| stdio_returns::scanned(values, streams::standard_input());
    Fscanf = fn fscanf(stream: *mut FILE, format: *const c_char) by Vfscanf: move |values| stdio_returns::scanned(values, stream);
    Isoc99Fscanf = fn __isoc99_fscanf(stream: *mut FILE, format: *const c_char) by Isoc99Vfscanf: move |values| stdio_returns::scanned(values, stream);
    Isoc23Fscanf = fn __isoc23_fscanf(stream: *mut FILE, format: *const c_char) by Isoc23Vfscanf: move |values| stdio_returns::scanned(values, stream);
    Wprintf = fn wprintf(format: *const wchar_t) by Vwprintf: returns::status;
    WprintfChk = fn __wprintf_chk(flag: c_int, format: *const wchar_t) by VwprintfChk: returns::status;
    Fwprintf = fn fwprintf(stream: *mut FILE, format: *const wchar_t) by Vfwprintf: returns::status;
    FwprintfChk = fn __fwprintf_chk(stream: *mut FILE, flag: c_int, format: *const wchar_t) by VfwprintfChk: returns::status;
    Wscanf = fn wscanf(format: *const wchar_t) by Vwscanf: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc99Wscanf = fn __isoc99_wscanf(format: *const wchar_t) by Isoc99Vwscanf: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc23Wscanf = fn __isoc23_wscanf(format: *const wchar_t) by Isoc23Vwscanf: move |values| stdio_returns::scanned(values, streams::standard_input());
    Fwscanf = fn fwscanf(stream: *mut FILE, format: *const wchar_t) by Vfwscanf: move |values| stdio_returns::scanned(values, stream);
    Isoc99Fwscanf = fn __isoc99_fwscanf(stream: *mut FILE, format: *const wchar_t) by Isoc99Vfwscanf: move |values| stdio_returns::scanned(values, stream);
    Isoc23Fwscanf = fn __isoc23_fwscanf(stream: *mut FILE, format: *const wchar_t) by Isoc23Vfwscanf: move |values| stdio_returns::scanned(values, stream);
}

stdio_hooks! {
    Vprintf = fn vprintf(format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    VprintfChk = fn __vprintf_chk(flag: c_int, format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    Vfprintf = fn vfprintf(stream: *mut FILE, format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    VfprintfChk = fn __vfprintf_chk(stream: *mut FILE, flag: c_int, format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    IoVfprintf = fn _IO_vfprintf(stream: *mut FILE, format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    Vdprintf = fn vdprintf(fd: c_int, format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    VdprintfChk = fn __vdprintf_chk(fd: c_int, flag: c_int, format: *const c_char, arguments: *mut c_void) -> c_int: stdio_returns::printed;
    Vscanf = fn vscanf(format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc99Vscanf = fn __isoc99_vscanf(format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc23Vscanf = fn __isoc23_vscanf(format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, streams::standard_input());
    Vfscanf = fn vfscanf(stream: *mut FILE, format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
    VfscanfAlias = fn __vfscanf(stream: *mut FILE, format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
    Isoc99Vfscanf = fn __isoc99_vfscanf(stream: *mut FILE, format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
    Isoc23Vfscanf = fn __isoc23_vfscanf(stream: *mut FILE, format: *const c_char, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
    Vwprintf = fn vwprintf(format: *const wchar_t, arguments: *mut c_void) -> c_int: returns::status;
    VwprintfChk = fn __vwprintf_chk(flag: c_int, format: *const wchar_t, arguments: *mut c_void) -> c_int: returns::status;
    Vfwprintf = fn vfwprintf(stream: *mut FILE, format: *const wchar_t, arguments: *mut c_void) -> c_int: returns::status;
    VfwprintfChk = fn __vfwprintf_chk(stream: *mut FILE, flag: c_int, format: *const wchar_t, arguments: *mut c_void) -> c_int: returns::status;
    Vwscanf = fn vwscanf(format: *const wchar_t, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc99Vwscanf = fn __isoc99_vwscanf(format: *const wchar_t, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, streams::standard_input());
    Isoc23Vwscanf = fn __isoc23_vwscanf(format: *const wchar_t, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, streams::standard_input());
    Vfwscanf = fn vfwscanf(stream: *mut FILE, format: *const wchar_t, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
    Isoc99Vfwscanf = fn __isoc99_vfwscanf(stream: *mut FILE, format: *const wchar_t, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
    Isoc23Vfwscanf = fn __isoc23_vfwscanf(stream: *mut FILE, format: *const wchar_t, arguments: *mut c_void) -> c_int: move |values| stdio_returns::scanned(values, stream);
}
