//! The state of the process image: its start, at the first call that is interposed; and fork.
//!
//! A forked child that can make no region file (it is in another root, or another user, or has sealed itself)
//! stays in its parent's region, which is shared memory: its threads take slots of their own there, its files
//! are told together, and the header says how many there are of its kind.
//!
//! Nothing here waits for another thread without a bound: the first call may come while the
//! dynamic linker's lock is held, and another thread may hold up the start by waiting for that lock.

mod ending;
mod sealing;

use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use weir_record::functions::{Family, Function, Role};
use weir_record::region::{Circumstance, Header, Region, Section};
use weir_record::slot::Counters;

use crate::coop;
use crate::environment::{self, Path};
use crate::files;
use crate::life::writer;
use crate::linking::{c_library, next, provenance, streams, uring};
use crate::memory::own_heap;
use crate::process::{children, copied, vfork};
use crate::region::{mapping, slots};
use crate::sys;
use crate::thread;
use crate::thread::Live;

pub use ending::{Replacing, asked_by_stdio, begin_quick_exit, begin_replacing, end};
pub use sealing::{Taking, is_sealed};

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
/// The thread that is at work on the start.
static STARTER: AtomicUsize = AtomicUsize::new(0);
static HEADER: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// That of the parent, in a child of fork that has none yet.
static PARENTS: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// Calls that nothing could be counted into, while there is no header.
static UNCOUNTED: AtomicU64 = AtomicU64::new(0);
/// Whether this process began by fork, in an image that had begun before.
static IS_FORKED: AtomicBool = AtomicBool::new(false);
static INHERITED_BYTES: AtomicU64 = AtomicU64::new(0);
static INHERITED_BLOCKS: AtomicU64 = AtomicU64::new(0);
/// The process that counts in its parent's region, because it could make none; 0 where it has its own.
static SHARER: AtomicU32 = AtomicU32::new(0);
/// A sharer that may not ask for its process id.
const NAMELESS: u32 = u32::MAX;

struct File(UnsafeCell<Path>);
// SAFETY: written in `begin` alone, which one thread runs; read once the state is Ready.
unsafe impl Sync for File {}
static FILE: File = File(UnsafeCell::new(Path::new()));

/// So many times a thread gives way to one that starts the image, before it goes on without.
const PATIENCE: u32 = 10_000;

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

/// The counters of threads that have no slot; none where there is no region, or no memory for them.
pub fn common() -> Option<&'static Counters> {
    let header = header()?;
    if !mapping::make_section(header, Section::Common) {
        return None;
    }
    header.common()
}

/// The region, where there is one and it describes this process.
pub fn region() -> Option<Region<'static>> {
    if is_sharer() { None } else { mapped_region() }
}

/// The region that is counted in, where there is one.
pub fn mapped_region() -> Option<Region<'static>> {
    region_at(HEADER.load(Ordering::Acquire))
}

/// Whether the process counts in the region of another.
pub fn is_sharer() -> bool {
    SHARER.load(Ordering::Relaxed) != 0
}

fn region_at(header: *mut Header) -> Option<Region<'static>> {
    // SAFETY: NULL, or the header of a region that stays mapped, with as much room; only what is in use of it is
    // looked into.
    unsafe { Region::from_memory(header.cast(), header.as_ref()?.room().bytes()) }.ok()
}

/// Path of the region's file; empty where it has none.
pub fn file() -> &'static CStr {
    if state() == State::Ready {
        // SAFETY: no longer written.
        unsafe { &*FILE.0.get() }.as_c_str()
    } else {
        c""
    }
}

/// The process is about to become another user for good, who could not remove its region's file from a folder
/// where all may make files: gives it to them. True where that was done.
#[inline(never)]
pub fn give_region(user: u32) -> bool {
    let is_own = header().is_some_and(|header| whose(header) == Whose::Region);
    let gives = is_own && !is_sealed() && user != 0 && rustix::process::geteuid().is_root();
    if gives {
        sys::on_own_stack(|| mapping::give(file(), user));
    }
    gives
}

/// It has not become another.
#[inline(never)]
pub fn keep_region() {
    sys::on_own_stack(|| mapping::give(file(), 0));
}

/// Whose the calling process is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The one that the region describes.
    Region,
    /// One that shares the region.
    Sharer,
    /// A child of vfork, in the memory of one of these.
    Vfork,
}

/// The process that counts in a region here, and how.
fn process_of(header: &Header) -> (u32, Whose) {
    match SHARER.load(Ordering::Relaxed) {
        0 => (header.pid.load(Ordering::Relaxed), Whose::Region),
        sharer => (sharer, Whose::Sharer),
    }
}

/// A sealed process may not ask who it is: a child of vfork is taken for its parent there.
fn whose(header: &Header) -> Whose {
    let (process, is) = process_of(header);
    if is_sealed() || process == sys::pid() {
        is
    } else {
        Whose::Vfork
    }
}

/// Whether the calling process is a child of vfork, in memory that is not its own.
pub fn is_vfork_child() -> bool {
    header().is_some_and(|header| whose(header) == Whose::Vfork)
}

/// Starts the image if that has not been done. For a thread that is being attached, perhaps in the middle of an allocator or
/// of the dynamic linker: by system calls only, with no lock that another may hold, in bounded time.
pub fn start() -> Option<&'static Header> {
    for _ in 0..PATIENCE {
        match state() {
            State::Ready => return header(),
            State::Off => return None,
            _ if is_sealed() => return None,
            // A signal handler has jumped out of the start, or is in the middle of it.
            State::Starting if STARTER.load(Ordering::Relaxed) == thread::identity() => {
                return None;
            }
            State::Starting => rustix::thread::sched_yield(),
            State::Unborn => {
                let (unborn, starting) = (State::Unborn as u32, State::Starting as u32);
                let begun =
                    STATE.compare_exchange(unborn, starting, Ordering::Acquire, Ordering::Relaxed);
                if begun.is_ok() {
                    STARTER.store(thread::identity(), Ordering::Relaxed);
                    let mut header = None;
                    // The thread's own stack may be a signal handler's.
                    sys::on_first_stack(|| header = begin());
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
        sys::arguments::find();
        copied::begin();
        // SAFETY: once, by the thread that starts the first image.
        unsafe { environment::read() };
    }
    let environment = environment::get();
    if environment.is_secure {
        return None;
    }
    let pid = sys::pid();
    let parents = PARENTS.swap(ptr::null_mut(), Ordering::Relaxed);
    let may_share = environment.has_session() && is_shareable(parents);
    // SAFETY: nobody reads it before the state is Ready.
    let file = unsafe { &mut *FILE.0.get() };
    let Some(mapping) = mapping::make(pid, may_share, file) else {
        // Only `weir` looks into all slots of a region: a process has opened up its own.
        if may_share {
            return share(parents, pid);
        }
        leave_parents(parents);
        return None;
    };
    leave_parents(parents);
    SHARER.store(0, Ordering::Relaxed);
    slots::begin();
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
    note_command(header);
    if !streams::interpose() {
        header.note(Circumstance::StdioUnseen);
    }
    provenance::record(header, environment.executable.as_bytes());
    if !provenance::is_heap_reached(header) {
        header.note(Circumstance::HeapElsewhere);
    }
    if !is_forked {
        uring::look_at_start(header);
    }
    if !next::find_size_of_block() {
        header.note(Circumstance::NoBlockSizes);
    }
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
    // To ask the processor takes long in a virtual machine. `weir` asks for all that it collects.
    let asks = !environment.has_session() || header.has(Circumstance::PrivateMemory);
    if asks && !sys::counter::is_steady() {
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
    header.complete();
    HEADER.store(ptr::from_ref(header).cast_mut(), Ordering::Release);
    if let Some(region) = region() {
        files::begin(header, region.all_files());
        if is_forked {
            files::inherit(region_at(parents));
        }
    }
    // SAFETY: NULL, or the region of the parent, which is mapped.
    if let Some(parents) = unsafe { parents.as_ref() } {
        mapping::drop_set_aside(parents);
    }
    if environment.is_parted {
        coop::begin_parted();
    }
    coop::begin();
    Some(header)
}

#[inline(never)] // So that nobody else has the frame.
fn note_command(header: &Header) {
    let mut command = [0; 4096];
    header
        .command
        .set(sys::arguments::command_line(&mut command));
}

/// Whether another process sees what is counted in a region.
fn is_shareable(parents: *const Header) -> bool {
    // SAFETY: NULL, or the header of a region that stays mapped.
    unsafe { parents.as_ref() }.is_some_and(|header| !header.has(Circumstance::PrivateMemory))
}

/// Goes on in the parent's region, where that is there.
fn share(parents: *mut Header, sharer: u32) -> Option<&'static Header> {
    if !is_shareable(parents) {
        return None;
    }
    let region = region_at(parents)?;
    let header = region.header;
    header.sharers.add_shared(1);
    header
        .uncounted_calls
        .add_shared(UNCOUNTED.swap(0, Ordering::Relaxed));
    SHARER.store(sharer, Ordering::Relaxed);
    HEADER.store(parents, Ordering::Release);
    // The table of files is the parent's: what this process has open is told together.
    files::inherit(None);
    files::begin(header, region.all_files());
    Some(header)
}

/// The calling thread is about to make a child with memory of its own. True where [`end_fork`] or [`forked`] must follow.
pub fn begin_fork() -> bool {
    let live = mapped_region().map_or_else(inherited, |region| live(&region));
    let is_first = thread::begin_fork(live);
    if is_first && let Some(header) = header() {
        children::announce(header);
    }
    is_first
}

/// It has made one, or failed to.
pub fn end_fork(has_failed: bool) {
    thread::end_fork();
    if has_failed && let Some(header) = header() {
        children::withdraw(header);
    }
}

/// How many images this process and those that it was forked from have had.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// What is another number in a forked child from when it has been told that it is one.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether the calling process, a child of a fork that began in this generation, has been told.
pub fn is_told(generation: u32) -> bool {
    match copied::is_copy() {
        Some(is_copy) => !is_copy,
        None => generation != self::generation(),
    }
}

/// The calling thread, which forks, has changed what is live: the child inherits that too.
pub fn inherit_anew() {
    if thread::is_forking() {
        thread::inherit(mapped_region().map_or_else(inherited, |region| live(&region)));
    }
}

/// In a child of fork: it will not count in its parent's region.
fn leave_parents(parents: *mut Header) {
    // SAFETY: NULL, or the header of the parent's region, which is still mapped.
    if let Some(header) = unsafe { parents.as_ref() } {
        children::leave(header);
    }
}

/// Asks to be told of exit and fork.
///
/// From our constructor, not from the first call: that may come from within one of these very functions, with the
/// lock held that they take.
fn watch_process() {
    // Only forks that do not come by our hooks (of a library that has looked up the C library's own) begin here.
    extern "C" fn before_fork() {
        if begin_fork() {
            thread::set_fork_by_handler(true);
        }
    }
    extern "C" fn in_parent() {
        if thread::set_fork_by_handler(false) {
            end_fork(false);
        }
    }
    extern "C" fn in_child() {
        if thread::is_forking() {
            forked();
        }
    }
    ending::watch();
    // SAFETY: the handlers stay where they are: the library is never unloaded (`-z nodelete`).
    unsafe {
        c_library::__register_atfork(
            Some(before_fork),
            Some(in_parent),
            Some(in_child),
            ptr::null_mut(),
        );
    }
    children::are_announced();
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

/// Called by the dynamic linker before the program begins.
extern "C" fn constructor() {
    thread::attach_early();
    thread::ours(watch_process);
}

/// Counts a call that nothing can be counted into.
pub fn count_uncounted() {
    match header() {
        Some(header) => _ = header.uncounted_calls.add_shared(1),
        None => _ = UNCOUNTED.fetch_add(1, Ordering::Relaxed),
    }
}

/// In a child of fork: the region is the parent's. The child begins one of its own at its next call; a child
/// that makes none costs little more. A sealed one stays in the parent's.
pub fn forked() {
    sys::with_signals_blocked(|| {
        let live = thread::inherited();
        INHERITED_BYTES.store(live.bytes, Ordering::Relaxed);
        INHERITED_BLOCKS.store(live.blocks, Ordering::Relaxed);
        IS_FORKED.store(true, Ordering::Relaxed);
        GENERATION.fetch_add(1, Ordering::Relaxed);
        copied::settle();
        let parents = HEADER.swap(ptr::null_mut(), Ordering::Relaxed);
        if !parents.is_null() {
            PARENTS.store(mapping::set_aside(parents), Ordering::Relaxed);
        }
        UNCOUNTED.store(0, Ordering::Relaxed);
        ending::forked();
        own_heap::forked();
        slots::forked();
        writer::forked();
        files::forked();
        coop::forked();
        vfork::forked();
        thread::forget();
        if is_sealed() {
            let state = match share(PARENTS.load(Ordering::Relaxed), NAMELESS) {
                Some(_) => State::Ready,
                None => State::Off,
            };
            STATE.store(state as u32, Ordering::Release);
        } else if state() != State::Off {
            STATE.store(State::Unborn as u32, Ordering::Release);
        }
    });
}

/// What was live where this image began.
fn inherited() -> Live {
    Live {
        bytes: INHERITED_BYTES.load(Ordering::Relaxed),
        blocks: INHERITED_BLOCKS.load(Ordering::Relaxed),
    }
}

/// What is live now, in the whole region.
fn live(region: &Region<'static>) -> Live {
    let mut live = Live {
        bytes: region.header.inherited_bytes.get(),
        blocks: region.header.inherited_blocks.get(),
    };
    let slots = slots::visible(region).iter().map(|slot| &slot.counters);
    for counters in slots.chain(region.header.common()) {
        live.bytes = live.bytes.wrapping_add(counters.live_bytes.get());
        live.blocks = live.blocks.wrapping_add(live_blocks(counters));
    }
    live
}

fn live_blocks(counters: &Counters) -> u64 {
    // By reference: a copy of the table would take a kilobyte of a stack that may be small.
    let alloc = Function::ALL
        .iter()
        .filter(|function| function.row().family == Family::Alloc);
    alloc.fold(counters.blocks_adjustment.get(), |blocks, &function| {
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
