//! Which of the interpreter's threads the calling one is, and whether its frames can go while they are read.
//!
//! The interpreter's own way to know a thread is thread-specific data (`PyGILState_GetThisThreadState`, pystate.c): a thread's state is
//! there as long as it lasts. Only the end of the whole interpreter frees the states of threads that go on, with the memory of
//! their frames; it says so before, and unmaps the frames' memory by `munmap`, which is a hook of ours.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use std::time::Duration;

use weir_record::functions::Function;

use super::layout::{self, DIRECT, Field, LAST_HOLDER, LOCKED};
use super::memory::Memory;
use crate::linking::next;
use crate::linking::objects;
use crate::linking::symbols::{Name, Tables};
use crate::process::modes;
use crate::sys;

type GetSpecific = unsafe extern "C" fn(libc::pthread_key_t) -> *mut c_void;

/// `pthread_getspecific`, which takes no lock. It is looked for, because its version differs between C libraries.
static GET_SPECIFIC: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Finds what is needed of the C library. False where it is not there.
pub fn begin() -> bool {
    let errno = libc::__errno_location as *const c_void;
    let thread = next::address(Function::PthreadCreate).get();
    let found = [errno.addr(), thread].into_iter().find_map(|at| {
        let tables = Tables::of(&objects::around(at)?)?;
        let found = tables.find(Name::new(b"pthread_getspecific"))?;
        (!found.is_indirect).then_some(found.address)
    });
    let function = found.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut);
    GET_SPECIFIC.store(function, Ordering::Relaxed);
    found.is_some()
}

/// The interpreter's memory that lasts as long as its code: the runtime.
#[derive(Clone, Copy)]
pub struct Runtime {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
}

impl Runtime {
    fn has(self, at: usize, bytes: usize) -> bool {
        at.is_multiple_of(size_of::<usize>())
            && at >= self.from
            && at.saturating_add(bytes) <= self.to
    }

    /// A word of it.
    #[inline(always)]
    fn word(self, at: usize) -> usize {
        if !self.has(at, size_of::<usize>()) {
            return 0;
        }
        // SAFETY: within the runtime, which is aligned; other threads write it as an atomic.
        let word = unsafe { AtomicUsize::from_ptr(ptr::with_exposed_provenance_mut(at)) };
        word.load(Ordering::SeqCst)
    }

    /// Whether the interpreter is about to free all. Not so for the thread that does it, whose state this is: it has its frames to the end.
    #[inline(always)]
    fn is_ended_by_another(self, state: usize) -> bool {
        let by = self.word(self.from + layout::of(Field::Finalizing));
        by != 0 && by != state
    }

    /// The state of the calling thread; none where it has none.
    #[inline(always)]
    pub fn state(self) -> Option<usize> {
        // Py_tss_t (pythread.h): an int, which says whether there is a key, and the key.
        let slot = self.word(self.from + layout::of(Field::Key));
        let function = GET_SPECIFIC.load(Ordering::Relaxed);
        if slot as u32 == 0 || function.is_null() {
            return None;
        }
        // SAFETY: the C library's function of this name.
        let get = unsafe { std::mem::transmute::<*mut c_void, GetSpecific>(function) };
        // SAFETY: it may be asked for any key.
        let state = unsafe { get((slot >> 32) as libc::pthread_key_t) };
        (!state.is_null()).then_some(state.addr())
    }

    /// Whether the calling thread, whose state this is, holds the interpreter's lock: then nobody frees what is its.
    #[inline(always)]
    fn is_held_by(self, state: usize) -> bool {
        if !layout::has_a_lock_for_each_interpreter() {
            return self.word(self.from + layout::of(Field::Lock)) == state;
        }
        // The main interpreter, and its lock, are within the runtime; others' are not looked at.
        const MAIN: usize = size_of::<usize>(); // behind the first one
        let main = self.word(self.from + layout::of(Field::Interpreters) + MAIN);
        let lock = self.word(main.wrapping_add(layout::of(Field::Lock)));
        self.word(lock.wrapping_add(LAST_HOLDER)) == state
            && self.word(lock.wrapping_add(LOCKED)) as u32 != 0
    }
}

/// How many threads read frames that may go.
static READING: AtomicU32 = AtomicU32::new(0);
/// Whether they were waited for in vain.
static HAS_WAITED: AtomicBool = AtomicBool::new(false);

/// As long as this is there, the calling thread's frames stay.
pub struct Kept {
    is_counted: bool,
}

impl Kept {
    /// None where the interpreter ends, and they may be gone.
    #[inline(always)]
    pub fn new(runtime: Runtime, state: usize) -> Option<Kept> {
        if runtime.is_held_by(state) {
            return Some(Kept { is_counted: false });
        }
        READING.fetch_add(1, Ordering::SeqCst);
        let kept = Kept { is_counted: true };
        (!runtime.is_ended_by_another(state)).then_some(kept)
    }
}

impl Drop for Kept {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_counted {
            READING.fetch_sub(1, Ordering::Release);
        }
    }
}

/// A new image: none of its threads reads.
pub fn forget_readers() {
    READING.store(0, Ordering::Relaxed);
    HAS_WAITED.store(false, Ordering::Relaxed);
}

/// Memory is about to be unmapped: where the interpreter ends, it may be that of frames which a thread has begun to read. That takes less
/// than a microsecond, unless the thread has to wait for a processor.
#[inline(always)]
pub fn before_unmapping() {
    if modes::are(modes::PYTHON) {
        wait_for_readers();
    }
}

#[cold]
#[inline(never)]
fn wait_for_readers() {
    const PATIENCE: Duration = Duration::from_secs(1);
    fence(Ordering::SeqCst);
    let ends = super::runtime().is_ended_by_another(0);
    if !ends || HAS_WAITED.load(Ordering::Relaxed) || sys::is_sealed() {
        return;
    }
    let is_over = sys::await_until(PATIENCE, || READING.load(Ordering::Acquire) == 0);
    // A signal handler that jumped away has left the number as it was.
    HAS_WAITED.store(!is_over, Ordering::Relaxed);
}

/// The innermost frame of a state; 0 where there is none.
#[inline(always)]
pub fn current_frame(state: usize, memory: &mut Memory) -> Option<usize> {
    let current = memory.word(state + layout::of(Field::Current))?;
    match layout::of(Field::CurrentOfCall) {
        DIRECT => Some(current),
        _ if current == 0 => Some(0),
        offset => memory.word(current + offset),
    }
}
