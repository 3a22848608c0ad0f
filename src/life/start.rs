//! The start of a process image, at the first hooked call.
//!
//! Nothing here waits for another thread without a limit. The first call may come while the dynamic linker's lock is
//! held, and another thread may delay the start because it waits for that lock.

use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use weir_record::functions::Function;
use weir_record::region::{Circumstance, Header};

use crate::environment::{self, Path};
use crate::life::{attach, inheritance};
use crate::linking::{
    block_size, c_library, entries, frames, linker, next, objects, provenance, single_thread,
    streams, uring,
};
use crate::memory::marked_blocks;
use crate::process::{self, NAMELESS, copied, header, namespaces, vfork};
use crate::program_memory::heap;
use crate::region::{backing, mapping, slots};
use crate::stacks::leaving;
use crate::{coop, files, stacks, sys, thread};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum State {
    /// No call has been seen yet.
    Unborn = 0,
    /// A thread starts the image.
    Starting = 1,
    /// There is a region.
    Ready = 2,
    /// There is no region, and there will be none.
    Off = 3,
}

static STATE: AtomicU32 = AtomicU32::new(State::Unborn as u32);
/// The thread that starts the image.
static STARTER: AtomicUsize = AtomicUsize::new(0);
/// How many calls could not be counted while there was no header.
static UNCOUNTED: AtomicU64 = AtomicU64::new(0);

struct File(UnsafeCell<Path>);
// SAFETY: only `begin` writes it, in one thread. Others read it only after the state is Ready.
unsafe impl Sync for File {}
static FILE: File = File(UnsafeCell::new(Path::new()));

/// How long a thread waits for the one that starts the image, before it goes on without the image.
const PATIENCE: Duration = Duration::from_millis(200);

fn state() -> State {
    match STATE.load(Ordering::Acquire) {
        0 => State::Unborn,
        1 => State::Starting,
        2 => State::Ready,
        _ => State::Off,
    }
}

/// Starts the image, if that was not done. A thread calls it while it is attached, perhaps in the middle of an
/// allocator or of the dynamic linker. So it only makes system calls, takes no lock that another thread may hold, and
/// takes a limited time.
pub fn start() -> Option<&'static Header> {
    loop {
        match state() {
            State::Ready => return header(),
            State::Off => return None,
            _ if sys::is_sealed() => return None,
            // A signal handler has interrupted the start, or has jumped out of it.
            State::Starting if STARTER.load(Ordering::Relaxed) == thread::identity() => {
                return None;
            }
            State::Starting => {
                let has_ended = || state() != State::Starting || sys::is_sealed();
                if !sys::await_until(PATIENCE, has_ended) {
                    return None;
                }
            }
            State::Unborn => {
                let (unborn, starting) = (State::Unborn as u32, State::Starting as u32);
                let begun =
                    STATE.compare_exchange(unborn, starting, Ordering::Acquire, Ordering::Relaxed);
                if begun.is_ok() {
                    STARTER.store(thread::identity(), Ordering::Relaxed);
                    let generation = process::generation();
                    // The thread's own stack may be a signal handler's.
                    sys::on_first_stack(|| _ = begin(generation));
                    undisturbed(generation, || {
                        if state() == State::Starting {
                            STATE.store(State::Off as u32, Ordering::Release);
                        }
                        Some(())
                    });
                    return header();
                }
            }
        }
    }
}

/// Starts an image, and sets the state if that succeeds. Does so only for the process of this generation of forks.
fn begin(generation: u32) -> Option<()> {
    let is_forked = inheritance::is_forked();
    if !is_forked {
        next::resolve_all();
        sys::arguments::find(c_library::variable(c"__libc_stack_end"));
        single_thread::begin();
        heap::begin();
        copied::begin();
        linker::begin();
        // SAFETY: called once, by the thread that starts the first image.
        unsafe { environment::read(|| objects::ours().map(|own| own.name())) };
        if frames::are_used() && leaving::begin() {
            frames::begin(leaving::to_program, leaving::linker(), leaving::way);
        }
    }
    let environment = environment::get();
    if environment.is_secure {
        return None;
    }
    let caller = sys::pid();
    let pid = process::owner_of_memory(caller);
    let parents = inheritance::take_parents();
    let may_share = environment.has_session() && is_shareable(parents);
    // SAFETY: no other thread reads it before the state is Ready.
    let file = unsafe { &mut *FILE.0.get() };
    let Some(mapping) = mapping::make(pid, may_share, file) else {
        // Only `weir` looks at all slots of a region. A process looks only at those whose memory it has made
        // accessible.
        if may_share {
            return undisturbed(generation, || {
                share(parents, pid)?;
                STATE.store(State::Ready as u32, Ordering::Release);
                Some(())
            });
        }
        inheritance::leave(parents);
        return None;
    };
    inheritance::leave(parents);
    let header = mapping.header;
    header.prepare(mapping.room);
    for circumstance in mapping.circumstances.into_iter().flatten() {
        header.note(circumstance);
    }
    header.pid.store(pid, Ordering::Relaxed);
    // SAFETY: NULL, or the header of the parent's region, which is still mapped.
    let parent = match unsafe { parents.as_ref() } {
        Some(parents) if pid != caller => parents.pid.load(Ordering::Relaxed),
        _ => sys::parent_pid(),
    };
    header.parent_pid.store(parent, Ordering::Relaxed);
    if pid != caller {
        vfork::begin();
    } else {
        namespaces::note(header);
    }
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
    if provenance::is_interposed(header, Function::Free) && !entries::is_free_reached() {
        header.note(Circumstance::HeapElsewhere);
    }
    if !is_forked {
        uring::look_at_start(header);
    }
    if !block_size::find() {
        header.note(Circumstance::NoBlockSizes);
    }
    if is_forked {
        header.note(Circumstance::Forked);
        inheritance::begin_in(header);
    } else if environment.shares_name() && backing::is_there(parent) {
        header.note(Circumstance::IsNotFirst);
    }
    // In a virtual machine this takes long. `weir` does it for the processes that it collects from.
    let asks = !environment.has_session() || header.has(Circumstance::PrivateMemory);
    if asks && !sys::counter::is_steady() {
        header.note(Circumstance::UnsteadyClock);
    }
    if environment.has_bad_setting {
        header.note(Circumstance::BadSetting);
    }
    if !attach::watch_exits() {
        header.note(Circumstance::NoThreadExit);
    }
    header
        .uncounted_calls
        .set(UNCOUNTED.swap(0, Ordering::Relaxed));
    header.complete();
    marked_blocks::begin();
    undisturbed(generation, || {
        slots::begin();
        process::set_header(ptr::from_ref(header).cast_mut(), None);
        if let Some(region) = process::region() {
            files::begin(header, region.all_files());
            stacks::begin(&region);
        }
        Some(())
    })?;
    if is_forked {
        files::inherit(process::region_at(parents));
    }
    // SAFETY: NULL, or the header of the parent's region, which is mapped.
    if let Some(parents) = unsafe { parents.as_ref() } {
        mapping::drop_set_aside(parents);
    }
    undisturbed(generation, || {
        if environment.is_parted {
            coop::begin_parted();
        }
        coop::begin();
        STATE.store(State::Ready as u32, Ordering::Release);
        Some(())
    })
}

/// Changes what all threads see. A signal handler may fork, and return in the child; the change would then be made
/// there, where another image starts. So signals are blocked meanwhile, and nothing is changed if a fork has happened.
fn undisturbed<T>(generation: u32, change: impl FnOnce() -> Option<T>) -> Option<T> {
    sys::with_signals_blocked(|| {
        let is_same = process::generation() == generation;
        is_same.then(change).flatten()
    })
}

#[inline(never)] // A frame of its own, because the array takes 4 KiB.
fn note_command(header: &Header) {
    let mut command = [0; 4096];
    header
        .command
        .set(sys::arguments::command_line(&mut command));
}

/// Whether other processes see what is counted in a region.
fn is_shareable(parents: *const Header) -> bool {
    // SAFETY: NULL, or the header of a region that stays mapped.
    unsafe { parents.as_ref() }.is_some_and(|header| !header.has(Circumstance::PrivateMemory))
}

/// Continues in the parent's region, if there is one that other processes see. `sharer` is the calling process's id, or
/// [`NAMELESS`].
fn share(parents: *mut Header, sharer: u32) -> Option<&'static Header> {
    if !is_shareable(parents) {
        return None;
    }
    let region = process::region_at(parents)?;
    let header = region.header;
    header.sharers.add_shared(1);
    header
        .uncounted_calls
        .add_shared(UNCOUNTED.swap(0, Ordering::Relaxed));
    process::set_header(parents, Some(sharer));
    // The table of files is the parent's: the files of this process are counted together.
    files::inherit(None);
    files::begin(header, region.all_files());
    Some(header)
}

/// Counts a call for which there are no counters.
pub fn count_uncounted() {
    match header() {
        Some(header) => _ = header.uncounted_calls.add_shared(1),
        None => _ = UNCOUNTED.fetch_add(1, Ordering::Relaxed),
    }
}

/// The path of the region's file; empty if it has none.
pub fn file() -> &'static CStr {
    if state() == State::Ready {
        // SAFETY: it is not written any more.
        unsafe { &*FILE.0.get() }.as_c_str()
    } else {
        c""
    }
}

/// Called in a child of fork: a new image starts at the next call. A sealed child goes on in its parent's region.
pub fn forked() {
    UNCOUNTED.store(0, Ordering::Relaxed);
    if sys::is_sealed() {
        let state = match share(inheritance::parents(), NAMELESS) {
            Some(_) => State::Ready,
            None => State::Off,
        };
        STATE.store(state as u32, Ordering::Release);
    } else if state() != State::Off {
        STATE.store(State::Unborn as u32, Ordering::Release);
    }
}
