//! What C sees of a runtime: `struct weir_coop` of `include/weir.h`, and functions that C can call for those of a
//! [`Runtime`].
//!
//! They are `extern "C"`, so a panic that reaches them ends the process.

use crate::{Events, Id, Name, PollFd, Runtime, work};
use libc::{c_char, c_int, c_short, c_ulong, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::time::Duration;
use std::{io, slice};

/// The version of the table.
pub(crate) const ABI: u32 = 1;

type Poll = unsafe extern "C" fn(*mut PollFd, c_ulong, c_int) -> c_int;
type SleepNs = extern "C" fn(u64) -> c_int;
type FdClosing = extern "C" fn(c_int);
type StackBounds = unsafe extern "C" fn(*mut c_void, *mut *mut c_void, *mut *mut c_void) -> c_int;
type RunBlocking =
    unsafe extern "C" fn(Option<unsafe extern "C" fn(*mut c_void)>, *mut c_void) -> c_int;
type CoroutineName = unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> usize;

/// `struct weir_coop`.
#[repr(C)]
pub(crate) struct Table {
    abi: u32,
    size: u32,
    flags: u64,
    name: *const c_char,
    current: extern "C" fn() -> *mut c_void,
    wait_fd: extern "C" fn(c_int, c_short, c_int) -> c_int,
    poll: Option<Poll>,
    sleep_ns: Option<SleepNs>,
    fd_closing: Option<FdClosing>,
    stack_bounds: Option<StackBounds>,
    run_blocking: Option<RunBlocking>,
    coroutine_name: Option<CoroutineName>,
}

impl Table {
    /// What C sees of `R`.
    pub(crate) const fn of<R: Runtime>() -> Self {
        /// `function`, where the runtime has what it calls.
        macro_rules! where_there_is {
            ($constant:ident, $type:ty, $function:ident) => {
                match R::$constant {
                    Some(_) => Some(Of::<R>::$function as $type),
                    None => None,
                }
            };
        }
        Self {
            abi: ABI,
            size: size_of::<Self>() as u32,
            flags: R::OPTIONS.bits(),
            name: R::NAME.as_ptr(),
            current: Of::<R>::current,
            wait_fd: Of::<R>::wait_fd,
            poll: where_there_is!(POLL, Poll, poll),
            sleep_ns: where_there_is!(SLEEP, SleepNs, sleep_ns),
            fd_closing: where_there_is!(FD_CLOSING, FdClosing, fd_closing),
            stack_bounds: where_there_is!(STACK_BOUNDS, StackBounds, stack_bounds),
            run_blocking: where_there_is!(RUN_BLOCKING, RunBlocking, run_blocking),
            coroutine_name: where_there_is!(COROUTINE_NAME, CoroutineName, coroutine_name),
        }
    }
}

/// The functions of `R`, as C calls them.
struct Of<R>(PhantomData<R>);

impl<R: Runtime> Of<R> {
    extern "C" fn current() -> *mut c_void {
        R::current().map_or(ptr::null_mut(), Id::as_ptr)
    }

    extern "C" fn wait_fd(fd: c_int, events: c_short, timeout_ms: c_int) -> c_int {
        match R::wait_fd(fd, Events::from_bits(events), timeout(timeout_ms)) {
            Ok(happened) => happened.as_answer(),
            Err(error) => negative(&error),
        }
    }

    /// # Safety
    ///
    /// `array` is an array of so many, of the caller's.
    unsafe extern "C" fn poll(array: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int {
        let Some(poll) = R::POLL else {
            return -libc::ENOSYS;
        };
        let array = match NonNull::new(array) {
            // SAFETY: as the caller says.
            Some(array) => unsafe { slice::from_raw_parts_mut(array.as_ptr(), count as usize) },
            None => &mut [],
        };
        match poll(array, timeout(timeout_ms)) {
            Ok(ready) => c_int::try_from(ready).unwrap_or(c_int::MAX),
            Err(error) => negative(&error),
        }
    }

    extern "C" fn sleep_ns(ns: u64) -> c_int {
        let Some(sleep) = R::SLEEP else {
            return -libc::ENOSYS;
        };
        answer(sleep(Duration::from_nanos(ns)))
    }

    extern "C" fn fd_closing(fd: c_int) {
        if let Some(fd_closing) = R::FD_CLOSING {
            fd_closing(fd);
        }
    }

    /// # Safety
    ///
    /// `low` and `high` can be written to.
    unsafe extern "C" fn stack_bounds(
        coroutine: *mut c_void,
        low: *mut *mut c_void,
        high: *mut *mut c_void,
    ) -> c_int {
        let (Some(stack_bounds), Some(id)) = (R::STACK_BOUNDS, NonNull::new(coroutine)) else {
            return -libc::EINVAL;
        };
        answer(stack_bounds(id.into()).map(|stack| {
            // SAFETY: as the caller says.
            unsafe {
                low.write(stack.start.cast());
                high.write(stack.end.cast());
            }
        }))
    }

    /// # Safety
    ///
    /// `work` can be called with `argument`, on any thread, until this returns.
    unsafe extern "C" fn run_blocking(
        work: Option<unsafe extern "C" fn(*mut c_void)>,
        argument: *mut c_void,
    ) -> c_int {
        let (Some(run_blocking), Some(work)) = (R::RUN_BLOCKING, work) else {
            return -libc::EINVAL;
        };
        // SAFETY: as the caller says.
        answer(unsafe { work::ask(work, argument, run_blocking) })
    }

    /// # Safety
    ///
    /// So many bytes can be written to at `name`.
    unsafe extern "C" fn coroutine_name(
        coroutine: *mut c_void,
        name: *mut c_char,
        size: usize,
    ) -> usize {
        let (Some(coroutine_name), Some(id)) = (R::COROUTINE_NAME, NonNull::new(coroutine)) else {
            return 0;
        };
        let room = match NonNull::new(name.cast::<MaybeUninit<u8>>()) {
            // SAFETY: as the caller says.
            Some(name) => unsafe { slice::from_raw_parts_mut(name.as_ptr(), size) },
            None => &mut [],
        };
        let mut name = Name::new(room);
        coroutine_name(id.into(), &mut name);
        name.bytes()
    }
}

/// A time to wait, as `poll` has it: a negative one is for ever.
fn timeout(ms: c_int) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

fn answer(result: io::Result<()>) -> c_int {
    result.map_or_else(|error| negative(&error), |()| 0)
}

/// An error as a negative number.
fn negative(error: &io::Error) -> c_int {
    -error
        .raw_os_error()
        .filter(|number| *number > 0)
        .unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use std::ffi::CStr;
    use std::fmt::Write;
    use std::mem::offset_of;
    use std::os::fd::RawFd;
    use std::process::Command;

    /// What a C compiler makes of `include/weir.h`, one `name value` a line.
    fn header() -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("header");
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
        let compiled = Command::new("gcc")
            .args(["-Wall", "-Wextra", "-Werror", "-std=c99", "-pedantic"])
            .args(["-I", &format!("{here}/../../include"), "-o"])
            .arg(&program)
            .arg(format!("{here}/header.c"))
            .status()
            .expect("gcc runs");
        assert!(compiled.success());
        let output = Command::new(program).output().expect("it runs");
        String::from_utf8(output.stdout).expect("ASCII")
    }

    #[test]
    fn is_what_the_header_says() {
        let mut expected = String::new();
        let mut line = |name: &str, value: u64| {
            writeln!(expected, "{name} {value}").expect("a string takes what comes");
        };
        line("size", size_of::<Table>() as u64);
        /// The offset and the size of each field.
        macro_rules! fields {
            ($($field:ident: $type:ty),*) => {
                $(
                    line(stringify!($field), offset_of!(Table, $field) as u64);
                    line(stringify!($field), size_of::<$type>() as u64);
                )*
            };
        }
        fields!(
            abi: u32, size: u32, flags: u64, name: *const c_char,
            current: extern "C" fn() -> *mut c_void,
            wait_fd: extern "C" fn(c_int, c_short, c_int) -> c_int,
            poll: Option<Poll>, sleep_ns: Option<SleepNs>, fd_closing: Option<FdClosing>,
            stack_bounds: Option<StackBounds>, run_blocking: Option<RunBlocking>,
            coroutine_name: Option<CoroutineName>
        );
        line("WEIR_COOP_ABI", u64::from(ABI));
        line("WEIR_COOP_MIGRATES", Options::MIGRATES.bits());
        line("WEIR_COOP_SHARED_STACKS", Options::SHARED_STACKS.bits());
        line("WEIR_COOP_MANY_WAITERS", Options::MANY_WAITERS.bits());
        line("WEIR_COOP_INTERPOSES", Options::INTERPOSES.bits());
        line("WEIR_COOP_THREAD", crate::Scope::Thread as u64);
        line("WEIR_COOP_COROUTINE", crate::Scope::Coroutine as u64);
        assert_eq!(header(), expected);
    }

    /// A runtime of nothing but what must be there.
    struct Bare;

    impl Runtime for Bare {
        const NAME: &'static CStr = c"bare";

        fn current() -> Option<Id> {
            None
        }

        fn wait_fd(_: RawFd, _: Events, timeout: Option<Duration>) -> io::Result<Events> {
            match timeout {
                None => Err(io::Error::other("no number")),
                Some(Duration::ZERO) => Err(io::Error::from_raw_os_error(libc::EBADF)),
                Some(time) => {
                    assert_eq!(time, Duration::from_millis(1500));
                    Ok(Events::NONE)
                }
            }
        }
    }

    #[test]
    fn what_is_absent_is_null() {
        let table = Table::of::<Bare>();
        assert!(table.poll.is_none() && table.sleep_ns.is_none() && table.fd_closing.is_none());
        assert!(table.stack_bounds.is_none() && table.run_blocking.is_none());
        assert!(table.coroutine_name.is_none());
        assert_eq!(table.flags, 0);
        assert!((table.current)().is_null());
    }

    #[test]
    fn errors_are_negative_numbers() {
        let table = Table::of::<Bare>();
        assert_eq!((table.wait_fd)(0, 0, -1), -libc::EIO);
        assert_eq!((table.wait_fd)(0, 0, 0), -libc::EBADF);
        assert_eq!((table.wait_fd)(0, 0, 1500), 0);
    }
}
