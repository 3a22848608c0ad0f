//! A runtime as C sees it: `stand_in.c` takes the place of Weir, and calls what was registered by the types of
//! `include/weir.h`.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_short, c_void};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, io, ptr, thread};
use weir_coop::{
    CoroutineName, Done, Events, FdClosing, Id, Name, NotDone, NotEnabled, NotRegistered, Options,
    Poll, PollFd, RunBlocking, Runtime, Scope, Sleep, StackBounds, Work,
};

thread_local! {
    static CURRENT: Cell<Option<Id>> = const { Cell::new(None) };
    static CLOSED: Cell<RawFd> = const { Cell::new(-1) };
    static SLEPT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A runtime of which each function says by its answer what it was asked.
struct Full;

impl Runtime for Full {
    const NAME: &'static CStr = c"full";
    const OPTIONS: Options = Options::MIGRATES.and(Options::INTERPOSES);
    const POLL: Option<Poll> = Some(poll);
    const SLEEP: Option<Sleep> = Some(sleep);
    const FD_CLOSING: Option<FdClosing> = Some(|fd| CLOSED.set(fd));
    const STACK_BOUNDS: Option<StackBounds> = Some(stack_bounds);
    const RUN_BLOCKING: Option<RunBlocking> = Some(run_blocking);
    const COROUTINE_NAME: Option<CoroutineName> = Some(coroutine_name);

    fn current() -> Option<Id> {
        CURRENT.get()
    }

    fn wait_fd(fd: RawFd, events: Events, timeout: Option<Duration>) -> io::Result<Events> {
        match (fd, timeout) {
            (3, None) => Ok(events | Events::HUP),
            (3, Some(time)) => {
                assert_eq!(time, Duration::from_millis(20));
                Ok(Events::NONE)
            }
            (13, _) => panic!("no coroutine waits for this"),
            _ => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }
}

fn poll(array: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    assert_eq!(timeout, Some(Duration::ZERO));
    let [passed_over, asked] = array else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    assert_eq!(passed_over.fd, -1);
    asked.revents = asked.events & Events::OUT;
    Ok(1)
}

fn sleep(time: Duration) -> io::Result<()> {
    SLEPT.set(time);
    Ok(())
}

fn stack_bounds(id: Id) -> io::Result<Range<*mut u8>> {
    let low = id.as_ptr().cast::<u8>();
    Ok(low..low.wrapping_add(4096))
}

fn run_blocking(work: Work) -> Result<Done, NotDone> {
    if SLEPT.get() == Duration::MAX {
        return Err(work.refuse(io::Error::from_raw_os_error(libc::EAGAIN)));
    }
    let done = thread::scope(|scope| scope.spawn(|| work.run()).join());
    Ok(done.expect("adding does not fail"))
}

fn coroutine_name(id: Id, name: &mut Name<'_>) {
    write!(name, "coroutine {}", id.number()).expect("a name takes what comes");
}

/// What `stand_in.c` has by that name, once the runtime is registered with it.
fn stand_in(name: &CStr) -> *mut c_void {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        load();
        weir_coop::register::<Full>().expect("there is none yet");
    });
    // SAFETY: a name that ends in NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}");
    found
}

/// A function of `stand_in.c`.
macro_rules! stand_in {
    ($name:ident: $type:ty) => {{
        let found = stand_in(
            CStr::from_bytes_with_nul(concat!("stand_in_", stringify!($name), "\0").as_bytes())
                .expect("one NUL"),
        );
        // SAFETY: the type that it is defined with.
        unsafe { std::mem::transmute::<*mut c_void, $type>(found) }
    }};
}

/// Compiles it, and loads it such that what looks everywhere finds it.
fn load() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("libstand_in.so");
    let here = env!("CARGO_MANIFEST_DIR");
    let compiled = Command::new("gcc")
        .args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"])
        .arg(format!("{here}/../include"))
        .arg("-o")
        .arg(&library)
        .arg(format!("{here}/tests/stand_in/stand_in.c"))
        .status()
        .expect("gcc runs");
    assert!(compiled.success());
    let mut name = library.into_os_string().into_encoded_bytes();
    name.push(0);
    // SAFETY: a path that ends in NUL, of a library whose start does nothing.
    let loaded = unsafe { libc::dlopen(name.as_ptr().cast(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    assert!(!loaded.is_null());
}

fn id(number: usize) -> Id {
    Id::from_number(NonZeroUsize::new(number).expect("not zero"))
}

#[test]
fn is_registered_once() {
    let name = stand_in!(name: extern "C" fn() -> *const c_char);
    let flags = stand_in!(flags: extern "C" fn() -> u64);
    // SAFETY: the runtime's name.
    assert_eq!(unsafe { CStr::from_ptr(name()) }, c"full");
    assert_eq!(flags(), 1 | 8);
    assert_eq!(
        weir_coop::register::<Full>(),
        Err(NotRegistered::AlreadyRegistered)
    );
}

#[test]
fn what_must_be_there() {
    let current = stand_in!(current: extern "C" fn() -> *mut c_void);
    let wait_fd = stand_in!(wait_fd: extern "C" fn(c_int, c_short, c_int) -> c_int);
    assert!(current().is_null());
    CURRENT.set(Some(id(5)));
    assert_eq!(current().addr(), 5);
    CURRENT.set(None);
    let (read, hung_up) = (libc::POLLIN, libc::POLLHUP);
    assert_eq!(wait_fd(3, read, -1), c_int::from(read | hung_up));
    assert_eq!(wait_fd(3, read, 20), 0);
    assert_eq!(wait_fd(4, read, -1), -libc::EBADF);
}

#[test]
fn what_may_be_there() {
    let poll = stand_in!(poll: extern "C" fn(c_int, c_short, &mut c_short, c_int) -> c_int);
    let mut revents = 0;
    assert_eq!(poll(3, libc::POLLIN | libc::POLLOUT, &mut revents, 0), 1);
    assert_eq!(revents, libc::POLLOUT);

    let sleep_ns = stand_in!(sleep_ns: extern "C" fn(u64) -> c_int);
    assert_eq!(sleep_ns(1_500_000_000), 0);
    assert_eq!(SLEPT.get(), Duration::from_millis(1500));

    let fd_closing = stand_in!(fd_closing: extern "C" fn(c_int));
    fd_closing(9);
    assert_eq!(CLOSED.get(), 9);

    let stack_bounds = stand_in!(stack_bounds: extern "C" fn(*mut c_void, &mut *mut c_void, &mut *mut c_void) -> c_int);
    let (mut low, mut high) = (ptr::null_mut(), ptr::null_mut());
    assert_eq!(
        stack_bounds(ptr::without_provenance_mut(8192), &mut low, &mut high),
        0
    );
    assert_eq!((low.addr(), high.addr()), (8192, 12288));
}

#[test]
fn work_is_done_or_refused() {
    let run_blocking = stand_in!(run_blocking: extern "C" fn(&mut c_int) -> c_int);
    let mut number = 1;
    assert_eq!(run_blocking(&mut number), 0);
    assert_eq!(number, 2);
    SLEPT.set(Duration::MAX);
    assert_eq!(run_blocking(&mut number), -libc::EAGAIN);
    assert_eq!(number, 2);
}

#[test]
fn names_are_cut() {
    let name = stand_in!(coroutine_name: extern "C" fn(*mut c_void, *mut u8, usize) -> usize);
    let mut room = [0u8; 8];
    let bytes = name(ptr::without_provenance_mut(77), room.as_mut_ptr(), 8);
    assert_eq!(bytes, "coroutine 77".len());
    assert_eq!(&room, b"corouti.");
}

#[test]
fn is_enabled_for_whom_it_says() {
    stand_in(c"weir_coop_enable");
    assert_eq!(weir_coop::enable(Scope::Thread, false), Ok(true));
    assert_eq!(weir_coop::enable(Scope::Thread, true), Ok(false));
    assert_eq!(
        weir_coop::enable(Scope::Coroutine, false),
        Err(NotEnabled::NoCoroutine)
    );
    CURRENT.set(Some(id(6)));
    assert_eq!(weir_coop::enable(Scope::Coroutine, false), Ok(true));
    CURRENT.set(None);
}

#[test]
fn the_end_of_a_coroutine_is_told() {
    let ended = stand_in(c"stand_in_ended").cast::<*mut c_void>();
    weir_coop::ended(id(11));
    // SAFETY: a pointer that only this test has written.
    assert_eq!(unsafe { *ended }.addr(), 11);
}

#[test]
fn a_panic_ends_the_process() {
    const AGAIN: &str = "WEIR_COOP_TEST_PANICS";
    if env::var_os(AGAIN).is_some() {
        stand_in!(wait_fd: extern "C" fn(c_int, c_short, c_int) -> c_int)(13, 0, 0);
        return;
    }
    let output = Command::new(env::current_exe().expect("the path of this test"))
        .args(["--exact", "a_panic_ends_the_process", "--nocapture"])
        .env(AGAIN, "1")
        .output()
        .expect("this test runs");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no coroutine waits for this"), "{said}");
}
