//! What Weir offers, looked up in the running program.

use crate::table::Table;
use crate::{Id, Runtime};
use libc::{c_int, c_void};
use std::error::Error;
use std::ffi::CStr;
use std::sync::OnceLock;
use std::{fmt, io, mem};

/// Tells Weir about the runtime. Weir knows one at a time, and never forgets it.
pub fn register<R: Runtime>() -> Result<(), NotRegistered> {
    let found = look_up(c"weir_coop_register").ok_or(NotRegistered::Absent)?;
    // SAFETY: the type that `include/weir.h` gives what has that name.
    let register: unsafe extern "C" fn(*const Table) -> c_int = unsafe { mem::transmute(found) };
    let table = Table::of::<R>();
    // SAFETY: a table as the header has it, of functions and a name that are there for ever. Weir copies it.
    match -unsafe { register(&table) } {
        0 => Ok(()),
        libc::EINVAL => Err(NotRegistered::Unknown),
        libc::EALREADY => Err(NotRegistered::AlreadyRegistered),
        number => Err(NotRegistered::Other(number)),
    }
}

/// Why Weir does not know the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRegistered {
    /// The program is not run under Weir.
    Absent,
    /// There is a runtime.
    AlreadyRegistered,
    /// This Weir does not know what it was given: it is older than this crate, or much newer.
    Unknown,
    /// An error that this crate has no word for, by its number.
    Other(i32),
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the program does not run under Weir"),
            Self::AlreadyRegistered => f.write_str("a runtime is registered with Weir"),
            Self::Unknown => f.write_str("this version of Weir does not know this runtime's table"),
            Self::Other(number) => write_number(f, "Weir does not take the runtime", *number),
        }
    }
}

impl Error for NotRegistered {}

/// For whom [`enable`] says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The calling thread, whatever runs on it.
    Thread = 0,
    /// The coroutine that runs, wherever it goes.
    Coroutine = 1,
}

/// Whether blocking calls wait by the runtime, as they do at first, or block. Says what it was.
pub fn enable(scope: Scope, enable: bool) -> Result<bool, NotEnabled> {
    type Enable = unsafe extern "C" fn(c_int, c_int) -> c_int;
    static FOUND: OnceLock<Option<Enable>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // SAFETY: the type that `include/weir.h` gives what has that name.
        look_up(c"weir_coop_enable").map(|found| unsafe { mem::transmute(found) })
    });
    let function = found.ok_or(NotEnabled::Absent)?;
    // SAFETY: it takes any two numbers.
    match unsafe { function(scope as c_int, c_int::from(enable)) } {
        0 => Ok(false),
        was if was > 0 => Ok(true),
        error if error == -libc::EINVAL => Err(NotEnabled::NoCoroutine),
        error if error == -libc::ENOSPC => Err(NotEnabled::TooMany),
        error => Err(NotEnabled::Other(-error)),
    }
}

/// Why it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotEnabled {
    /// The program is not run under Weir.
    Absent,
    /// No coroutine runs.
    NoCoroutine,
    /// Too many coroutines have said no.
    TooMany,
    /// An error that this crate has no word for, by its number.
    Other(i32),
}

impl fmt::Display for NotEnabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the program does not run under Weir"),
            Self::NoCoroutine => f.write_str("no coroutine runs"),
            Self::TooMany => f.write_str("too many coroutines have disabled Weir's waiting"),
            Self::Other(number) => write_number(f, "Weir does not do that", *number),
        }
    }
}

impl Error for NotEnabled {}

/// A coroutine is no more, and another may get its id. Without it, what both do is counted as of one.
pub fn ended(coroutine: Id) {
    type Ended = unsafe extern "C" fn(*mut c_void);
    static FOUND: OnceLock<Option<Ended>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // SAFETY: the type that `include/weir.h` gives what has that name.
        look_up(c"weir_coop_ended").map(|found| unsafe { mem::transmute(found) })
    });
    if let Some(function) = found {
        // SAFETY: it compares the pointer, and does not follow it.
        unsafe { function(coroutine.as_ptr()) }
    }
}

/// What the running program has by that name.
fn look_up(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a name that ends in NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

fn write_number(f: &mut fmt::Formatter<'_>, what: &str, number: i32) -> fmt::Result {
    write!(f, "{what}: {}", io::Error::from_raw_os_error(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Events;
    use std::num::NonZeroUsize;
    use std::os::fd::RawFd;
    use std::time::Duration;

    struct Mine;

    impl Runtime for Mine {
        const NAME: &'static CStr = c"mine";

        fn current() -> Option<Id> {
            None
        }

        fn wait_fd(_: RawFd, events: Events, _: Option<Duration>) -> io::Result<Events> {
            Ok(events)
        }
    }

    /// These tests are not run under Weir.
    #[test]
    fn absence_is_told() {
        assert_eq!(register::<Mine>(), Err(NotRegistered::Absent));
        assert_eq!(enable(Scope::Thread, false), Err(NotEnabled::Absent));
        ended(Id::from_number(NonZeroUsize::MIN));
    }

    #[test]
    fn errors_have_words() {
        assert_eq!(
            NotRegistered::Other(libc::ENOMEM).to_string(),
            "Weir does not take the runtime: Cannot allocate memory (os error 12)"
        );
    }
}
