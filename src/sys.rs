//! The kernel and the thread, asked without any interposed function.

use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use rustix::fd::BorrowedFd;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::Timespec;
pub use weir_report::emit::Descriptor;

use crate::arch::{self, FloatState};

pub mod arguments;
pub mod clock;
pub mod counter;
mod deadline;
mod locks;
pub mod looking;
pub mod pages;
mod peeking;
pub mod process;
pub mod rooms;
mod sealed;
mod stacks;
mod turn;
pub mod waiting;

pub use clock::time_ns;
pub use counter::{now, ticks};
pub use deadline::Deadline;
pub use pages::page_bytes;
pub use peeking::{
    can_peek, heap_end, is_readable, is_resident, peek, peek_at, peek_to, try_to_peek,
};
pub use sealed::{allowed, forget_others, is_sealed, seal, unseal};
pub use stacks::{
    OWN_STACK, is_left, on_first_stack, on_own_stack, on_own_stack_if_possible,
    on_ready_stack_if_possible, on_stack, undisturbed_on_own_stack,
};
pub use turn::Turn;

/// Makes a system call, without the C library's `syscall`, which is interposed. A result less than 0 is the negated
/// number of an error.
///
/// # Safety
/// The kernel's conditions for the call.
unsafe fn call(number: i64, arguments: [usize; 5]) -> isize {
    // SAFETY: as the caller promises.
    unsafe { arch::system_call(number, arguments) }
}

/// An integer option of a socket (`SOL_SOCKET`). `None` if `fd` is not a socket.
pub fn socket_option(fd: i32, option: i32) -> Option<i32> {
    let mut value = 0_i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    let arguments = [
        fd as usize,
        libc::SOL_SOCKET as usize,
        option as usize,
        (&raw mut value).addr(),
        (&raw mut length).addr(),
    ];
    // SAFETY: the kernel writes at most `length` bytes to `value`, and writes `length`.
    let result = unsafe { call(libc::SYS_getsockopt, arguments) };
    (result == 0).then_some(value)
}

/// One of a connection's two ends.
#[derive(Clone, Copy)]
pub enum End {
    Own,
    Peer,
}

/// Stores the address of a socket's end. Returns its length in bytes; `None` if the end has none.
pub fn socket_address(
    fd: i32,
    end: End,
    address: &mut libc::sockaddr_storage,
) -> Option<libc::socklen_t> {
    let mut length = size_of_val(address) as libc::socklen_t;
    let most = length;
    let arguments = [
        fd as usize,
        ptr::from_mut(address).addr(),
        (&raw mut length).addr(),
        0,
        0,
    ];
    let number = match end {
        End::Own => libc::SYS_getsockname,
        End::Peer => libc::SYS_getpeername,
    };
    // SAFETY: the kernel writes at most `length` bytes to `address`, and writes `length`.
    let result = unsafe { call(number, arguments) };
    (result == 0).then(|| length.min(most))
}

/// Checks access to a path for the calling process (its effective user). Returns 0, or the number of the error with
/// which access(2) fails; less than 0 if the string cannot be read.
pub fn access(path: *const c_char, mode: i32) -> i32 {
    let ids = libc::AT_EACCESS as usize;
    let arguments = [libc::AT_FDCWD as usize, path.addr(), mode as usize, ids, 0];
    // SAFETY: the kernel reads the string, and fails if it cannot.
    let ask = |number| unsafe { call(number, arguments) };
    let result = match ask(libc::SYS_faccessat2) {
        // Before Linux 5.8. This call checks for the real user.
        error if error == -(libc::ENOSYS as isize) => ask(libc::SYS_faccessat),
        result => result,
    };
    match result {
        0 => 0,
        error if error == -(libc::EFAULT as isize) => -1,
        error => (-error) as i32,
    }
}

/// The process id, as the kernel returns it now.
pub fn pid() -> u32 {
    rustix::process::getpid()
        .as_raw_nonzero()
        .get()
        .cast_unsigned()
}

/// The parent's process id; 0 if the parent is outside the process-id namespace.
pub fn parent_pid() -> u32 {
    rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().cast_unsigned())
}

/// The calling thread's id.
pub fn tid() -> u32 {
    rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .cast_unsigned()
}

/// The calling thread's name, as the two words of [`weir_record::slot::Owner`].
pub fn thread_name() -> [u64; 2] {
    let mut name = [0_u64; 2];
    let arguments = [
        libc::PR_GET_NAME as usize,
        name.as_mut_ptr().addr(),
        0,
        0,
        0,
    ];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, which `name` has.
    unsafe { call(libc::SYS_prctl, arguments) };
    name
}

/// The time of the monotonic clock, in nanoseconds.
pub fn monotonic_ns() -> u64 {
    time_ns(libc::CLOCK_MONOTONIC)
}

/// Signals, one bit each.
type Signals = u64;
/// All signals except SIGSETXID (33). With it, the C library makes every thread change its user, and waits until all
/// threads have done so.
const ALL_SIGNALS: Signals = !(1 << 32);

/// Blocks the signals of the calling thread during `work`. In a sealed process, which may not ask for that, they stay
/// as they are.
pub fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    if is_sealed() {
        return work();
    }
    // Also for the call that unblocks them.
    let Some(_allowed) = allowed() else {
        return work();
    };
    let before = set_blocked(ALL_SIGNALS);
    let result = work();
    if let Some(before) = before {
        set_blocked(before);
    }
    result
}

/// Sets which signals the calling thread blocks, and returns the previous set. `None` if the kernel refuses.
fn set_blocked(signals: Signals) -> Option<Signals> {
    let mut before: Signals = 0;
    let arguments = [
        libc::SIG_SETMASK as usize,
        (&raw const signals).addr(),
        (&raw mut before).addr(),
        size_of::<Signals>(),
        0,
    ];
    // SAFETY: the kernel reads and writes a set of this size.
    let result = unsafe { call(libc::SYS_rt_sigprocmask, arguments) };
    (result == 0).then_some(before)
}

/// Whether the calling thread has a thread area of the C library's. A thread that the program made by clone(2) with
/// an area of its own may have none. Then it has neither an errno nor any state of ours.
pub fn has_thread_area() -> bool {
    arch::has_thread_area()
}

/// Does `work` and keeps `errno` as it was.
pub fn with_errno_kept<T>(work: impl FnOnce() -> T) -> T {
    if !has_thread_area() {
        return work();
    }
    // SAFETY: every thread with a thread area has its errno.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: valid while the thread runs.
    let errno = unsafe { place.read() };
    let result = work();
    // SAFETY: as above; `work` stays on the same thread.
    unsafe { place.write(errno) };
    result
}

/// Does work that calculates with floating point, which raises flags and, if the program asks for that, signals: both are the
/// program's.
#[inline(always)]
pub fn with_float_state_kept<T>(work: impl FnOnce() -> T) -> T {
    let state = FloatState::take();
    let result = work();
    state.give_back();
    result
}

/// The calling thread's `errno`.
#[inline(always)]
pub fn errno() -> i32 {
    // SAFETY: every thread has its errno.
    unsafe { libc::__errno_location().read() }
}

/// Sets the calling thread's `errno`.
pub fn set_errno(errno: i32) {
    // SAFETY: every thread has its errno.
    unsafe { libc::__errno_location().write(errno) }
}

/// The target of a symbolic link, cut to the buffer's length; empty if there is none.
pub fn read_link<'b>(path: &CStr, buffer: &'b mut [MaybeUninit<u8>]) -> &'b [u8] {
    match rustix::fs::readlinkat_raw(rustix::fs::CWD, path, buffer) {
        Ok((target, _)) => target,
        Err(_) => &[],
    }
}

/// Reads a small file from its start into `buffer`. Returns the bytes that were read; none if the file cannot be
/// opened.
pub fn read_file<'b>(path: &CStr, buffer: &'b mut [u8]) -> &'b [u8] {
    use rustix::fs::{Mode, OFlags};
    let Ok(file) = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return &[];
    };
    let file = Descriptor::from(file);
    let mut length = 0;
    while length < buffer.len() {
        match rustix::io::read(&file, &mut buffer[length..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => length += read,
        }
    }
    &buffer[..length]
}

/// Copies the auxiliary vector (getauxval(3)) that the kernel gave the process. Returns its bytes.
pub fn auxiliary_vector(buffer: &mut [u8]) -> &[u8] {
    // Linux 6.4; linux/prctl.h.
    const PR_GET_AUXV: usize = 0x4155_5856;
    let arguments = [PR_GET_AUXV, buffer.as_mut_ptr().addr(), buffer.len(), 0, 0];
    // SAFETY: the kernel writes no more than the buffer holds.
    let length = unsafe { call(libc::SYS_prctl, arguments) };
    match usize::try_from(length) {
        Ok(length) => &buffer[..length.min(buffer.len())],
        Err(_) => read_file(c"/proc/self/auxv", buffer),
    }
}

/// Whether the calling thread has a seccomp filter, which may end the process for a system call that it does not
/// expect.
pub fn is_filtered() -> bool {
    // SAFETY: the call only returns a number.
    unsafe { call(libc::SYS_prctl, [libc::PR_GET_SECCOMP as usize, 0, 0, 0, 0]) != 0 }
}

/// The number of a namespace, given its path in /proc (namespaces(7)); 0 if it is not known.
pub fn namespace(path: &CStr) -> u32 {
    let there = rustix::fs::stat(path);
    there.map_or(0, |there| u32::try_from(there.st_ino).unwrap_or(0))
}

/// Writes to a descriptor that may not be open; the result is ignored.
pub fn write(fd: i32, bytes: &[u8]) {
    if fd < 0 {
        return;
    }
    // SAFETY: a descriptor is a number. If it is not open, the kernel says so, and that is ignored.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = rustix::io::write(fd, bytes);
}

/// Memory of our own, straight from the kernel.
pub struct Memory {
    start: *mut c_void,
    bytes: usize,
}

impl Memory {
    /// Maps `bytes` zeroed bytes. `None` if the kernel refuses, or if the process is sealed.
    pub fn new(bytes: usize) -> Option<Memory> {
        let _allowed = allowed()?;
        Self::for_the_program(bytes)
    }

    /// The same for memory that the program itself asked for: also in a sealed process.
    pub fn for_the_program(bytes: usize) -> Option<Memory> {
        // SAFETY: a new mapping, wherever the kernel has room, affects nothing else.
        let start = unsafe {
            rustix::mm::mmap_anonymous(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        start.ok().map(|start| Memory { start, bytes })
    }

    /// Memory that [`Memory::new`] or its like made and that is still mapped.
    ///
    /// # Safety
    /// It has no other owner.
    unsafe fn of(start: *mut c_void, bytes: usize) -> Memory {
        Memory { start, bytes }
    }

    /// The first byte.
    pub fn start(&self) -> *mut c_void {
        self.start
    }

    /// All its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the mapping is ours, has this length, and is zeroed where nothing was written.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.bytes) }
    }

    /// All its bytes, for writing.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nothing else borrows it.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.bytes) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no pointer into it is used any more.
        let _ = unsafe { rustix::mm::munmap(self.start, self.bytes) };
    }
}

/// Addresses for so many bytes, which read as zeroes and get their memory as they are used; none where the kernel refuses, or may
/// not be asked. They are never given back.
pub fn reserve(bytes: usize) -> Option<*mut c_void> {
    let _allowed = allowed()?;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, wherever the kernel has room, affects nothing else.
    let start =
        unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), flags) }
            .ok()?;
    // Where the program has all its future memory locked (mlockall(2)), the kernel would make all of this once it can be used.
    // SAFETY: the mapping is whole, and ours.
    let opened = unsafe {
        let _ = rustix::mm::munlock(start, bytes);
        rustix::mm::mprotect(start, bytes, MprotectFlags::READ | MprotectFlags::WRITE)
    };
    if opened.is_err() {
        // SAFETY: nobody knows of it.
        unsafe { unreserve(start, bytes) };
        return None;
    }
    // SAFETY: the mapping is whole; leaving it out of core dumps changes nothing of it.
    let _ = unsafe { rustix::mm::madvise(start, bytes, rustix::mm::Advice::LinuxDontDump) };
    Some(start)
}

/// Gives back what [`reserve`] has reserved.
///
/// # Safety
/// Nothing leads there any more.
pub unsafe fn unreserve(start: *mut c_void, bytes: usize) {
    if let Some(_allowed) = allowed() {
        // SAFETY: as the caller promises.
        let _ = unsafe { rustix::mm::munmap(start, bytes) };
    }
}

/// Empties what [`reserve`] has reserved: it reads as zeroes again. What is in it are numbers of which any are valid. In a sealed
/// process nothing is done.
pub fn empty(start: *mut c_void, bytes: usize) {
    if let Some(_allowed) = allowed() {
        // SAFETY: private memory of our own without a file: the kernel gives zeroes there from now on.
        let _ = unsafe { rustix::mm::madvise(start, bytes, rustix::mm::Advice::LinuxDontNeed) };
    }
}

/// The soft limit on a resource, in its unit (getrlimit(2)). `None` if there is no limit.
pub fn limit(resource: Resource) -> Option<u64> {
    rustix::process::getrlimit(resource).current
}

/// Does `work` with a higher limit on descriptors. `None`, and nothing done, if the limit cannot be raised.
pub fn with_more_descriptors<T>(work: impl FnOnce() -> T) -> Option<T> {
    const MORE: u64 = 64;
    let before = rustix::process::getrlimit(Resource::Nofile);
    let most = before.maximum.unwrap_or(u64::MAX);
    let raised = before
        .current
        .map(|soft| soft.saturating_add(MORE).min(most));
    if raised == before.current {
        return None;
    }
    let limit = Rlimit {
        current: raised,
        maximum: before.maximum,
    };
    rustix::process::setrlimit(Resource::Nofile, limit).ok()?;
    let result = work();
    let _ = rustix::process::setrlimit(Resource::Nofile, before);
    Some(result)
}

/// The working directory. Empty if it is unreachable or too long, or if the process is sealed.
pub fn working_directory(buffer: &mut [u8]) -> &[u8] {
    let Some(_allowed) = allowed() else {
        return &[];
    };
    // SAFETY: the kernel writes no more than the buffer holds, and ends it by NUL.
    let length = unsafe {
        call(
            libc::SYS_getcwd,
            [buffer.as_mut_ptr().addr(), buffer.len(), 0, 0, 0],
        )
    };
    match usize::try_from(length) {
        Ok(length) if length > 1 && buffer[0] == b'/' => &buffer[..length - 1],
        _ => &[],
    }
}

/// Ends the calling thread, without what the C library does when a thread ends.
pub fn end_thread(status: i32) {
    // SAFETY: nothing else uses anything of this thread's.
    unsafe { call(libc::SYS_exit, [status as usize, 0, 0, 0, 0]) };
}

/// Sets the calling thread's name.
pub fn name_this_thread(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}

/// Gives the calling thread a table of descriptors of its own, which is empty. The program does not see what the
/// thread opens, and the thread keeps nothing open that the program closes.
pub fn part_from_descriptors() {
    // SAFETY: the thread is our own and uses no descriptor that it did not open.
    unsafe {
        call(
            libc::SYS_close_range,
            [
                0,
                u32::MAX as usize,
                libc::CLOSE_RANGE_UNSHARE as usize,
                0,
                0,
            ],
        )
    };
}

/// The processor time of the calling thread, in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    time_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Lets other threads run, unless the process is sealed.
#[inline(never)]
fn give_way() {
    if let Some(_allowed) = allowed() {
        rustix::thread::sched_yield();
    }
}

/// Sleeps for this time, or until a signal handler has run. In a sealed process it does not sleep.
#[inline(never)]
pub fn pause(duration: Duration) {
    match allowed() {
        Some(_allowed) => sleep(duration),
        None => std::hint::spin_loop(),
    }
}

fn sleep(duration: Duration) {
    let request = Timespec {
        tv_sec: duration.as_secs().cast_signed(),
        tv_nsec: duration.subsec_nanos().into(),
    };
    let _ = rustix::thread::nanosleep(&request);
}

/// Waits until a condition holds. False if that takes longer than `patience`.
pub fn await_until(patience: Duration, is_so: impl Fn() -> bool) -> bool {
    await_turn(patience, is_so, || 0)
}

/// Waits until a condition holds, in a queue: the time begins anew whenever there is another number of `turns`. False if
/// one turn takes longer than `patience`.
pub fn await_turn(patience: Duration, is_so: impl Fn() -> bool, turns: impl Fn() -> u32) -> bool {
    const YIELDS: u32 = 100;
    const STEP: Duration = Duration::from_micros(100);
    // What another thread does at this moment mostly ends before a sleep would.
    for _ in 0..YIELDS {
        if is_so() {
            return true;
        }
        give_way();
    }
    let mut waited = Duration::ZERO;
    let mut seen = turns();
    while !is_so() {
        let now = turns();
        if now != seen {
            seen = now;
            waited = Duration::ZERO;
        }
        if waited >= patience {
            return false;
        }
        pause(STEP);
        waited += STEP;
    }
    true
}

/// Whether the process has a thread with this id.
pub fn is_thread(tid: u32) -> bool {
    // SAFETY: the call sends no signal (number 0); it only checks that one could be sent.
    unsafe { call(libc::SYS_tgkill, [pid() as usize, tid as usize, 0, 0, 0]) == 0 }
}
