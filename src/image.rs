//! The state of the process image: its start, at the first call that is interposed; fork; and its end.
//!
//! Nothing here waits for another thread without a bound: the first call may come while the
//! dynamic linker's lock is held, and another thread may hold up the start by waiting for that lock.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

use weir_record::clock;
use weir_record::functions::{Family, Function, Role};
use weir_record::region::{Circumstance, Header, Phase, Region};
use weir_record::slot::{Counters, Slot, Tenancy};

use crate::environment::{self, Path};
use crate::files::{self, Inheritance};
use crate::{mapping, next, own_heap, provenance, streams, sys, thread, writer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum State {
    /// No call has been seen yet.
    Unborn = 0,
    /// A thread is at work on it.
    Starting = 1,
    /// There is a region.
    Ready = 2,
    /// There is none, and will be none.
    Off = 3,
}

static STATE: AtomicU32 = AtomicU32::new(State::Unborn as u32);
static HEADER: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// That of the parent, in a child of fork that has none yet.
static PARENTS: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// Calls that nothing could be counted into, while there is no header.
static UNCOUNTED: AtomicU64 = AtomicU64::new(0);
/// Whether this process began by fork, in an image that had begun before.
static IS_FORKED: AtomicBool = AtomicBool::new(false);
static INHERITED_BYTES: AtomicU64 = AtomicU64::new(0);
static INHERITED_BLOCKS: AtomicU64 = AtomicU64::new(0);
/// The first slot that nobody has had.
static FRESH_SLOT: AtomicUsize = AtomicUsize::new(0);
/// How many slots have their memory in this process. The header's number is shared: after fork it is the
/// parent's, and goes on.
static MADE_SLOTS: AtomicUsize = AtomicUsize::new(0);
/// Where the search for a slot that was left begins.
static ENDED_HINT: AtomicUsize = AtomicUsize::new(0);
/// Held while a fresh slot is made: slots get their memory in order.
static MAKING_SLOT: AtomicBool = AtomicBool::new(false);

struct File(UnsafeCell<Path>);
// SAFETY: written in `begin` alone, which one thread runs; read once the state is Ready.
unsafe impl Sync for File {}
static FILE: File = File(UnsafeCell::new(Path::new()));

/// So many times a thread gives way to one that starts the image or makes a slot, before it goes on without.
const PATIENCE: u32 = 10_000;
/// A process with more threads than this has slots that were left taken over, before fresh ones.
const FRESH_PREFERRED: usize = 32;

fn state() -> State {
    match STATE.load(Ordering::Acquire) {
        0 => State::Unborn,
        1 => State::Starting,
        2 => State::Ready,
        _ => State::Off,
    }
}

/// The region's header, where there is one.
pub fn header() -> Option<&'static Header> {
    // SAFETY: NULL, or the header of a region that stays mapped.
    unsafe { HEADER.load(Ordering::Acquire).as_ref() }
}

/// The region, where there is one.
pub fn region() -> Option<Region<'static>> {
    region_at(HEADER.load(Ordering::Acquire))
}

fn region_at(header: *mut Header) -> Option<Region<'static>> {
    // SAFETY: NULL, or the header of a region that stays mapped, with as much room; only what is in use of it is
    // looked into.
    unsafe { Region::from_memory(header.cast(), header.as_ref()?.room().bytes()) }.ok()
}

/// Path of the region's file; empty where it has none.
pub fn file() -> Path {
    if state() == State::Ready {
        // SAFETY: no longer written.
        unsafe { *FILE.0.get() }
    } else {
        Path::new()
    }
}

/// Whether the calling process is the one that the region describes, not a child of vfork in its memory.
fn is_this_process(header: &Header) -> bool {
    header.pid.load(Ordering::Relaxed) == sys::pid()
}

/// Starts the image if that has not been done. For a guarded thread with signals blocked.
pub fn start() -> Option<&'static Header> {
    for _ in 0..PATIENCE {
        match state() {
            State::Ready => return header(),
            State::Off => return None,
            State::Starting => rustix::thread::sched_yield(),
            State::Unborn => {
                let (unborn, starting) = (State::Unborn as u32, State::Starting as u32);
                let begun =
                    STATE.compare_exchange(unborn, starting, Ordering::Acquire, Ordering::Relaxed);
                if begun.is_ok() {
                    let mut header = None;
                    // The thread's own stack may be a signal handler's.
                    sys::on_own_stack(|| header = begin());
                    let state = if header.is_some() {
                        State::Ready
                    } else {
                        State::Off
                    };
                    STATE.store(state as u32, Ordering::Release);
                    return header;
                }
            }
        }
    }
    None
}

fn begin() -> Option<&'static Header> {
    let is_forked = IS_FORKED.load(Ordering::Relaxed);
    if !is_forked {
        next::resolve_all();
        // SAFETY: once, by the thread that starts the first image.
        unsafe { environment::read() };
        own_heap::survive_fork();
        watch_process();
    }
    let pid = sys::pid();
    // The new region takes the place of the parent's.
    let inheritance = Inheritance::of(region_at(PARENTS.swap(ptr::null_mut(), Ordering::Relaxed)));
    let mapping = mapping::make(pid)?;
    let environment = environment::get();
    let header = mapping.header;
    header.prepare(mapping.room);
    for circumstance in mapping.circumstances.into_iter().flatten() {
        header.note(circumstance);
    }
    header.pid.store(pid, Ordering::Relaxed);
    header
        .parent_pid
        .store(sys::parent_pid(), Ordering::Relaxed);
    header
        .timed_one_in
        .store(environment.timing.one_in(), Ordering::Relaxed);
    header.started.set(sys::now());
    header.latest.set(header.started.get());
    header.executable.set(environment.executable.as_bytes());
    let mut command = [0; 4096];
    header
        .command
        .set(sys::read_file(c"/proc/self/cmdline", &mut command));
    if !streams::interpose() {
        header.note(Circumstance::StdioUnseen);
    }
    provenance::record(header, environment.executable.as_bytes());
    if is_forked {
        header.note(Circumstance::Forked);
        header
            .inherited_bytes
            .set(INHERITED_BYTES.load(Ordering::Relaxed));
        header
            .inherited_blocks
            .set(INHERITED_BLOCKS.load(Ordering::Relaxed));
        header
            .heap
            .live_bytes
            .set(INHERITED_BYTES.load(Ordering::Relaxed));
        header
            .heap
            .peak_bytes
            .set(INHERITED_BYTES.load(Ordering::Relaxed));
    }
    if !clock::is_invariant() {
        header.note(Circumstance::UnsteadyClock);
    }
    if environment.has_bad_setting {
        header.note(Circumstance::BadSetting);
    }
    if !thread::watch_exits() {
        header.note(Circumstance::NoThreadExit);
    }
    header
        .uncounted_calls
        .set(UNCOUNTED.swap(0, Ordering::Relaxed));
    // SAFETY: nobody reads it before the state is Ready.
    unsafe { *FILE.0.get() = mapping.file };
    header.complete();
    HEADER.store(ptr::from_ref(header).cast_mut(), Ordering::Release);
    if let Some(region) = region() {
        files::begin(header, region.all_files());
        inheritance.settle();
    }
    Some(header)
}

unsafe extern "C" {
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    // What at_quick_exit, which lives in each program, calls.
    fn __cxa_at_quick_exit(function: extern "C" fn(*mut c_void), object: *mut c_void) -> c_int;
}

/// The status that quick_exit was called with.
static QUICK_EXIT_STATUS: AtomicI32 = AtomicI32::new(0);

/// The process is about to end by quick_exit, once the program's handlers have run.
pub fn begin_quick_exit(status: i32) {
    QUICK_EXIT_STATUS.store(status, Ordering::Relaxed);
}

/// Asks to be told of exit and fork.
///
/// What is registered first is called last at exit, and this is before the dynamic linker registers that it
/// runs the destructors of libraries: those are all done when we are called.
fn watch_process() {
    extern "C" fn at_exit(status: c_int, _: *mut c_void) {
        end(status);
        EXITING.store(thread::identity(), Ordering::Relaxed);
    }
    extern "C" fn at_quick_exit(_: *mut c_void) {
        end(QUICK_EXIT_STATUS.load(Ordering::Relaxed));
    }
    extern "C" fn in_child() {
        forked();
    }
    // SAFETY: the handlers stay where they are: the library is never unloaded (`-z nodelete`).
    unsafe {
        on_exit(at_exit, ptr::null_mut());
        __cxa_at_quick_exit(at_quick_exit, ptr::null_mut());
        libc::pthread_atfork(None, None, Some(in_child));
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

/// Called by the dynamic linker before the program begins.
extern "C" fn constructor() {
    thread::attach_early();
    writer::start_if_wanted();
}

static IS_SEALED: AtomicBool = AtomicBool::new(false);

/// Whether the process has taken from itself the right to make any system call it likes: none may be made
/// that it would not make itself.
pub fn is_sealed() -> bool {
    IS_SEALED.load(Ordering::Relaxed)
}

/// The process is about to take that right from itself.
pub fn seal() {
    IS_SEALED.store(true, Ordering::Relaxed);
}

/// Counts a call that nothing can be counted into.
pub fn count_uncounted() {
    match header() {
        Some(header) => _ = header.uncounted_calls.add_shared(1),
        None => _ = UNCOUNTED.fetch_add(1, Ordering::Relaxed),
    }
}

/// In a child of fork: the region is the parent's. The child begins one of its own at its next call; a child
/// that makes none, or none but exec, costs nothing more.
pub fn forked() {
    if let Some(region) = region() {
        let (bytes, blocks) = inherited(&region);
        INHERITED_BYTES.store(bytes, Ordering::Relaxed);
        INHERITED_BLOCKS.store(blocks, Ordering::Relaxed);
        IS_FORKED.store(true, Ordering::Relaxed);
    }
    let parents = HEADER.swap(ptr::null_mut(), Ordering::Relaxed);
    if !parents.is_null() {
        PARENTS.store(parents, Ordering::Relaxed);
    }
    UNCOUNTED.store(0, Ordering::Relaxed);
    FRESH_SLOT.store(0, Ordering::Relaxed);
    MADE_SLOTS.store(0, Ordering::Relaxed);
    ENDED_HINT.store(0, Ordering::Relaxed);
    MAKING_SLOT.store(false, Ordering::Relaxed);
    EXITING.store(0, Ordering::Relaxed);
    writer::forked();
    files::forked();
    thread::forget();
    if state() != State::Off {
        STATE.store(State::Unborn as u32, Ordering::Release);
    }
}

/// Live bytes and blocks of the whole region, in a child that has just been forked.
fn inherited(region: &Region) -> (u64, u64) {
    let mut bytes = region.header.inherited_bytes.get();
    let mut blocks = region.header.inherited_blocks.get();
    let made = MADE_SLOTS.load(Ordering::Relaxed);
    let slots = region
        .all_slots()
        .iter()
        .take(made)
        .map(|slot| &slot.counters);
    for counters in slots.chain([&region.header.common]) {
        bytes = bytes.wrapping_add(counters.live_bytes.get());
        blocks = blocks.wrapping_add(live_blocks(counters));
    }
    (bytes, blocks)
}

fn live_blocks(counters: &Counters) -> u64 {
    let alloc = Function::ALL
        .into_iter()
        .filter(|function| function.row().family == Family::Alloc);
    alloc.fold(counters.blocks_adjustment.get(), |blocks, function| {
        let of = counters.of(function);
        match function.row().role {
            Role::Allocate => blocks
                .wrapping_add(of.calls.get())
                .wrapping_sub(of.errors.get()),
            Role::Free => blocks.wrapping_sub(of.calls.get()),
            _ => blocks,
        }
    })
}

/// The process ends with this status. What it does from here on is still counted.
pub fn end(status: i32) {
    let Some(header) = header().filter(|header| is_this_process(header)) else {
        return;
    };
    sys::with_errno_kept(|| {
        header.set_exit_status(status);
        header.latest.set(sys::now());
        header.set_phase(Phase::Exiting);
        writer::finish();
    });
}

/// The thread that is in exit, whose handlers have all run; 0 where there is none.
static EXITING: AtomicUsize = AtomicUsize::new(0);

/// stdio has asked the kernel for something. Where that is the last thing that the process does, its end is told
/// again.
#[inline(always)]
pub fn asked_by_stdio() {
    if EXITING.load(Ordering::Relaxed) != 0 {
        end_again();
    }
}

#[cold]
#[inline(never)]
fn end_again() {
    if EXITING.load(Ordering::Relaxed) == thread::identity()
        && let Some(status) = header().and_then(Header::exit_status)
    {
        end(status);
    }
}

/// An exec under way.
pub struct Replacing(&'static Header);

/// The image is about to be replaced. None in a child of vfork, which replaces only itself.
pub fn begin_replacing() -> Option<Replacing> {
    let header = header().filter(|header| is_this_process(header))?;
    sys::with_errno_kept(|| {
        header.latest.set(sys::now());
        header.set_phase(Phase::Replacing);
        writer::finish();
    });
    Some(Replacing(header))
}

impl Replacing {
    /// The exec failed: the image goes on.
    pub fn failed(self) {
        self.0.set_phase(Phase::Running);
    }
}

/// A slot for the calling thread; none where there is none left. For a guarded thread with signals blocked.
pub fn claim_slot() -> Option<&'static Slot> {
    let region = region()?;
    let slots = region.all_slots();
    let slot = if FRESH_SLOT.load(Ordering::Relaxed) < FRESH_PREFERRED {
        fresh_slot(slots, &region).or_else(|| ended_slot(region.slots()))
    } else {
        ended_slot(region.slots()).or_else(|| fresh_slot(slots, &region))
    }?;
    let one_in = region.header.timed_one_in.load(Ordering::Relaxed);
    slot.countdown
        .start(one_in, clock::ticks() ^ u64::from(slot.owner.tid()) << 40);
    thread::watch_exit_of_this_thread();
    if region.header.slots_used() > 1 {
        // One thread more makes no difference to a program that has several.
        writer::start();
    }
    Some(slot)
}

fn take(slot: &Slot, from: Tenancy) -> bool {
    slot.owner
        .take(from, sys::tid(), sys::thread_name(), clock::ticks())
}

/// A slot whose thread ended.
fn ended_slot(used: &'static [Slot]) -> Option<&'static Slot> {
    let from = ENDED_HINT.load(Ordering::Relaxed).min(used.len());
    let (behind, ahead) = used.split_at(from);
    let place = ahead
        .iter()
        .chain(behind)
        .position(|slot| take(slot, Tenancy::Ended))?;
    let index = (from + place) % used.len();
    ENDED_HINT.store(index + 1, Ordering::Relaxed);
    used.get(index)
}

/// A slot that nobody has had.
fn fresh_slot(slots: &'static [Slot], region: &Region) -> Option<&'static Slot> {
    if FRESH_SLOT.load(Ordering::Relaxed) >= slots.len() {
        return None;
    }
    let mut patience = 0..PATIENCE;
    while MAKING_SLOT.swap(true, Ordering::Acquire) {
        patience.next()?;
        rustix::thread::sched_yield();
    }
    let index = FRESH_SLOT.load(Ordering::Relaxed);
    let slot = slots.get(index).filter(|_| mapping::make_slot(index));
    match slot {
        Some(slot) => {
            take(slot, Tenancy::Free);
            MADE_SLOTS.store(index + 1, Ordering::Relaxed);
            region.header.use_slots(index + 1);
            FRESH_SLOT.store(index + 1, Ordering::Relaxed);
        }
        // There is no memory, and asking again for every thread would not make any.
        None => FRESH_SLOT.store(slots.len(), Ordering::Relaxed),
    }
    MAKING_SLOT.store(false, Ordering::Release);
    slot
}

/// The calling thread ends.
pub fn release_slot(slot: &'static Slot) {
    if let Some(header) = header() {
        slot.counters.publish(&header.heap);
    }
    slot.owner.rename(sys::thread_name());
    slot.owner.leave();
}
