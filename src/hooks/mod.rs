//! The interposed functions.
//!
//! Each is a row of [`weir_record::functions`] and a line here: it hands the call to
//! [`recording`](crate::recording), with the next function to call in its place. They depend on nothing
//! that must have run before: the first call of the process may reach any of them.
//!
//! Most are lines of a macro, written as C declares them behind the name of their row: `Read = fn read(fd: c_int, …)`. To find one,
//! search for `fn read(`; to add one, add its row and its line in the file of its kind, then see which test asks for more
//! (`docs/functions.md` is made from the rows).
//!
//! `extern "C-unwind"`, because pthread_cancel unwinds through those that are cancellation points.
//! In unit tests they are not exported, or the test runner would allocate by them.

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
mod weir_h;

/// A wide character or WEOF.
#[expect(non_camel_case_types, reason = "the C library's name")]
type wint_t = u32;

/// Defines hooks for I/O: the row of the table, the name, the arguments and the result, what the result means; and,
/// where there are any, the descriptor of the file that the call is about (`fd`), that of a directory that it
/// starts from (`dir`), the one that bytes go to (`to`), the offset (`at`), the size, how to make the call in two
/// parts (`parts`, given what keeps the time of the waits, and the next function), what to do first (`before`), and what
/// to keep track of.
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

/// One of them.
macro_rules! io_hook {
    ($function:ident = fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?: $judge:expr
        $(, fd $fd:expr)? $(, dir $dir:expr)? $(, to $to:expr)? $(, at $at:expr)? $(, size $size:expr)?
        $(, before $before:expr)? $(, then |$outcome:pat_param| $then:expr)?) => {
        /// # Safety
        /// As the C library has it.
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
        /// As the C library has it.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) $(-> $result)? {
            $($before;)?
            if crate::coop::is_on() {
                // In the place of this function, not on top of it: the stack may be small.
                // SAFETY: the same call.
                return unsafe { parted($($argument),*) };
            }
            // SAFETY: the same call.
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
                // SAFETY: the same call.
                unsafe { whole($($argument),*) }
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn parted($($argument: $type),*) $(-> $result)? {
                let call = super::io_call!($function $(, fd $fd)? $(, dir $dir)? $(, to $to)? $(, at $at)? $(, size $size)?);
                let Some(way) = call.begin_two_phases() else {
                    // SAFETY: the same call.
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

/// What a hook for I/O is about.
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

/// The body of a hook for I/O that is not exported: its row, its arguments and result, what the result means, the
/// descriptor, the size, what is done with the result when all has been recorded (`settled`, given the result), and how to make
/// the call in two parts (`parts`, given the descriptor too).
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
                // SAFETY: the same call.
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
            // In the place of this function, not on top of it: the stack may be small.
            // SAFETY: the same call.
            return unsafe { parted($($argument),*) };
        }
        super::io_body!($function($($argument: $type),*) -> $result, $judge, $fd, $size, settled |$came| $settle)
    }};
}

/// Defines hooks for stdio: the row of the table, the name, the arguments and the result, what the result means; and,
/// where there are any, the size, what to do first, and what to keep track of.
macro_rules! stdio_hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?: $judge:expr
        $(, size $size:expr)? $(, before $before:expr)? $(, then |$outcome:ident| $then:expr)?;)+) => {$(
        /// # Safety
        /// As the C library has it.
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

/// What is given, or else a default.
macro_rules! or {
    ($default:expr) => {
        $default
    };
    ($default:expr, $given:expr) => {
        $given
    };
}

use {io_body, io_call, io_hook, io_hooks, or, stdio_hooks};
