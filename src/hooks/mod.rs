//! The interposed functions.
//!
//! Each has a row in [`weir_record::functions`] and a line here. A hook passes the call to
//! [`recording`](crate::recording), together with the next function, which does the work. A hook depends on no
//! initialization: the first call of the process may reach any of them.
//!
//! Most hooks are lines of a macro. A line has the name of the row, and then the C declaration:
//! `Read = fn read(fd: c_int, …)`. To find a hook, search for `fn read(`. To add one, add its row, and its line in the
//! file of its kind. Then run the tests: they say what else is missing. `docs/functions.md` is generated from the rows.
//!
//! The hooks are `extern "C-unwind"`, because pthread_cancel unwinds through the hooks of cancellation points. Unit
//! tests do not export them: otherwise the test runner would allocate through them.

#![allow(
    non_snake_case,
    reason = "the C library's names, which no_mangle excuses and unit tests do not have"
)]

pub mod alloc;
mod children;
mod clone;
mod constructor;
mod count_only;
mod descriptor;
mod file;
mod identity;
mod libraries;
mod lock;
mod memory_map;
mod metadata;
mod process;
mod raw;
mod reissue;
mod signal;
mod socket;
mod stdio;
mod stdio_formatted;
pub mod stdio_system;
mod stdio_wide;
mod taken;
mod thread;
mod versions;
mod vfork;
mod wait;
mod wait_for_threads;
mod weir_h;

/// A wide character or WEOF.
#[expect(non_camel_case_types, reason = "the C library's name")]
type wint_t = u32;

/// Defines hooks for I/O. A line has the row of the table, the name, the arguments, the result, and what the result
/// means. It may also have:
///
/// - `fd`: the descriptor of the file that the call is about;
/// - `dir`: the descriptor of the directory that the path starts from;
/// - `to`: the descriptor that receives the bytes;
/// - `at`: the offset in the file, in bytes;
/// - `size`: the size that the call asks for, in bytes;
/// - `parts`: how to make the call in two parts, given the timer of the waits and the next function;
/// - `before`: what to do before the call;
/// - `then`: what to update after the call, given its result.
macro_rules! io_hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?: $judge:expr
        $(, fd $fd:expr)? $(, dir $dir:expr)? $(, to $to:expr)? $(, at $at:expr)? $(, size $size:expr)?
        $(, parts |$parts:ident, $next:ident| $perform:expr)?
        $(, before $before:expr)? $(, then |$outcome:pat_param| $then:expr)?;)+) => {$(
        super::io_hook! {
            $function = fn $name($($argument: $type),*) $(-> $result)?: $judge
            $(, fd $fd)? $(, dir $dir)? $(, to $to)? $(, at $at)? $(, size $size)?
            $(, parts |$parts, $next| $perform)?
            $(, before $before)? $(, then |$outcome| $then)?
        }
    )+};
}

/// Defines one of these hooks.
macro_rules! io_hook {
    ($function:ident = fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?: $judge:expr
        $(, fd $fd:expr)? $(, dir $dir:expr)? $(, to $to:expr)? $(, at $at:expr)? $(, size $size:expr)?
        $(, before $before:expr)? $(, then |$outcome:pat_param| $then:expr)?) => {
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? {
            $($before;)?
            let call = super::io_call!($function $(, fd $fd)? $(, dir $dir)? $(, to $to)? $(, at $at)? $(, size $size)?);
            let next = move || crate::linking::next::next_call!($function($($argument: $type),*) $(-> $result)?);
            call.make($judge, next, super::or!(|_| {} $(, |$outcome| $then)?))
        }
    };
    ($function:ident = fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?: $judge:expr
        $(, fd $fd:expr)? $(, dir $dir:expr)? $(, to $to:expr)? $(, at $at:expr)? $(, size $size:expr)?
        , parts |$parts:ident, $real:ident| $perform:expr
        $(, before $before:expr)? $(, then |$outcome:pat_param| $then:expr)?) => {
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? {
            $($before;)?
            if crate::coop::is_on() {
                // A tail call: this function's frame does not stay, because the stack may be small.
                // SAFETY: the same call with the same arguments; our caller keeps its contract.
                return unsafe { parted($($argument),*) };
            }
            // SAFETY: the same call with the same arguments; our caller keeps its contract.
            return unsafe { whole($($argument),*) };

            #[inline(always)]
            unsafe extern "C-unwind" fn whole($($argument: $type),*) $(-> $result)? {
                let call = super::io_call!($function $(, fd $fd)? $(, dir $dir)? $(, to $to)? $(, at $at)? $(, size $size)?);
                let next = move || crate::linking::next::next_call!($function($($argument: $type),*) $(-> $result)?);
                call.make($judge, next, super::or!(|_| {} $(, |$outcome| $then)?))
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn straight($($argument: $type),*) $(-> $result)? {
                // SAFETY: the same call with the same arguments; our caller keeps its contract.
                unsafe { whole($($argument),*) }
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn parted($($argument: $type),*) $(-> $result)? {
                let call = super::io_call!($function $(, fd $fd)? $(, dir $dir)? $(, to $to)? $(, at $at)? $(, size $size)?);
                let Some(way) = call.begin_two_phases() else {
                    // SAFETY: the same call with the same arguments; our caller keeps its contract.
                    return unsafe { straight($($argument),*) };
                };
                call.in_two_phases(way, $judge, super::or!(|_| {} $(, |$outcome| $then)?), move |$parts: &crate::coop::TwoPhaseCall| {
                    let next = move || crate::linking::next::next_call!($function($($argument: $type),*) $(-> $result)?);
                    let $real = &next;
                    $perform
                })
            }
        }
    };
}

/// Makes the [`Call`](crate::recording::Call) of a hook for I/O.
macro_rules! io_call {
    ($function:ident $(, fd $fd:expr)? $(, dir $dir:expr)? $(, to $to:expr)? $(, at $at:expr)? $(, size $size:expr)?) => {{
        let file = super::or!(crate::recording::NO_FD $(, $fd)?);
        crate::recording::Call {
            function: weir_record::functions::Function::$function,
            fd: super::or!(file $(, $dir)?),
            file,
            to: super::or!(crate::recording::NO_FD $(, $to)?),
            at: super::or!(None $(, u64::try_from($at).ok())?),
            size: super::or!(crate::recording::NO_SIZE $(, $size)?),
        }
    }};
}

/// The body of a hook for I/O that is not exported. It takes the row, the arguments, the result, what the result means,
/// the descriptor and the size in bytes. `settled` gets the result after the call is recorded. `parts` makes the call
/// in two parts; it gets the descriptor, too.
macro_rules! io_body {
    ($function:ident($($argument:ident: $type:ty),*) -> $result:ty, $judge:expr, $fd:expr, $size:expr,
        settled |$came:ident| $settle:expr) => {{
        let fd = $fd;
        let call = super::io_call!($function, fd fd, size $size);
        let next = move || crate::linking::next::next_call!($function($($argument: $type),*) -> $result);
        let $came = call.make($judge, next, |_| {});
        $settle
    }};
    ($function:ident($($argument:ident: $type:ty),*) -> $result:ty, $judge:expr, $fd:expr, $size:expr,
        settled |$came:ident| $settle:expr, parts |$parts:ident, $real:ident, $at:ident| $perform:expr) => {{
        #[cold]
        #[inline(never)]
        unsafe extern "C-unwind" fn straight($($argument: $type),*) -> $result {
            super::io_body!($function($($argument: $type),*) -> $result, $judge, $fd, $size, settled |$came| $settle)
        }

        #[cold]
        #[inline(never)]
        unsafe extern "C-unwind" fn parted($($argument: $type),*) -> $result {
            let $at = $fd;
            let call = super::io_call!($function, fd $at, size $size);
            let Some(way) = call.begin_two_phases() else {
                // SAFETY: the same call with the same arguments; our caller keeps its contract.
                return unsafe { straight($($argument),*) };
            };
            let $came = call.in_two_phases(way, $judge, |_| {}, move |$parts: &crate::coop::TwoPhaseCall| {
                let next = move || crate::linking::next::next_call!($function($($argument: $type),*) -> $result);
                let $real = &next;
                $perform
            });
            $settle
        }

        if crate::coop::is_on() {
            // A tail call: this function's frame does not stay, because the stack may be small.
            // SAFETY: the same call with the same arguments; our caller keeps its contract.
            return unsafe { parted($($argument),*) };
        }
        super::io_body!($function($($argument: $type),*) -> $result, $judge, $fd, $size, settled |$came| $settle)
    }};
}

/// Defines hooks for stdio. A line has the row of the table, the name, the arguments, the result, and what the result
/// means. It may also have the size in bytes (`size`), what to do before the call (`before`), and what to update after
/// it (`then`).
macro_rules! stdio_hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?: $judge:expr
        $(, size $size:expr)? $(, before $before:expr)? $(, then |$outcome:ident| $then:expr)?;)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? {
            $($before;)?
            crate::recording::buffered(
                weir_record::functions::Function::$function,
                super::or!(crate::recording::NO_SIZE $(, $size)?),
                $judge,
                || crate::linking::next::next_call!($function($($argument: $type),*) $(-> $result)?),
                super::or!(|_| {} $(, |$outcome| $then)?),
            )
        }
    )+};
}

/// Expands to the given expression, or else to the default.
macro_rules! or {
    ($default:expr) => {
        $default
    };
    ($default:expr, $given:expr) => {
        $given
    };
}

use {io_body, io_call, io_hook, io_hooks, or, stdio_hooks};
