//! Step 3: hooks that serve `dlsym` from an arena until it has answered.

use core::cell::Cell;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use libc::{c_void, size_t};

mod arena;
#[path = "../common/next.rs"]
mod next;
#[path = "../common/say.rs"]
mod say;
use arena::Arena;
use next::Next;
use say::say;

type Malloc = unsafe extern "C" fn(size_t) -> *mut c_void;
type Calloc = unsafe extern "C" fn(size_t, size_t) -> *mut c_void;
type Realloc = unsafe extern "C" fn(*mut c_void, size_t) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type UsableSize = unsafe extern "C" fn(*mut c_void) -> size_t;

static MALLOC: Next = Next::new(c"malloc");
static CALLOC: Next = Next::new(c"calloc");
static REALLOC: Next = Next::new(c"realloc");
static FREE: Next = Next::new(c"free");
static USABLE_SIZE: Next = Next::new(c"malloc_usable_size");

static ARENA: Arena = Arena::new();
static SERVED: AtomicU64 = AtomicU64::new(0);
static CAME_BACK: AtomicU64 = AtomicU64::new(0);

/// Are the real functions known? All are looked up together: later there is nothing to ask.
static KNOWN: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Is this thread asking `dlsym` at this moment?
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Finds the real functions. False while that is under way: then the caller is `dlsym` itself.
fn known() -> bool {
    if KNOWN.load(Ordering::Acquire) {
        return true;
    }
    if ASKING.replace(true) {
        return false;
    }
    for next in [&MALLOC, &CALLOC, &REALLOC, &FREE, &USABLE_SIZE] {
        next.address();
    }
    ASKING.set(false);
    KNOWN.store(true, Ordering::Release);
    true
}

fn from_arena(size: size_t) -> *mut c_void {
    let block = ARENA.alloc(size);
    SERVED.fetch_add(u64::from(!block.is_null()), Ordering::Relaxed);
    block
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    if !known() {
        return from_arena(size);
    }
    // SAFETY: the address is that of a malloc; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Malloc>(MALLOC.address())(size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    if !known() {
        return count.checked_mul(size).map_or(ptr::null_mut(), from_arena);
    }
    // SAFETY: the address is that of a calloc; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Calloc>(CALLOC.address())(count, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
    if ARENA.owns(block) {
        CAME_BACK.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the block is the arena's, and `larger` a new one; both have that many bytes.
        unsafe {
            let larger = malloc(size);
            if !larger.is_null() {
                let kept = ARENA.size(block).min(size);
                ptr::copy_nonoverlapping(block.cast::<u8>(), larger.cast::<u8>(), kept);
            }
            return larger;
        }
    }
    if !known() {
        // Only a null pointer: what else was there to grow, before the first block was given?
        return from_arena(size);
    }
    // SAFETY: the address is that of a realloc; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Realloc>(REALLOC.address())(block, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    if ARENA.owns(block) {
        CAME_BACK.fetch_add(1, Ordering::Relaxed);
        return;
    }
    if block.is_null() || !known() {
        return;
    }
    // SAFETY: the address is that of a free; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Free>(FREE.address())(block) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> size_t {
    if ARENA.owns(block) {
        // SAFETY: the block is the arena's.
        return unsafe { ARENA.size(block) };
    }
    if block.is_null() || !known() {
        return 0;
    }
    // SAFETY: the address is that of a malloc_usable_size; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, UsableSize>(USABLE_SIZE.address())(block) }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    let served = SERVED.load(Ordering::Relaxed);
    let back = CAME_BACK.load(Ordering::Relaxed);
    say(format_args!(
        "the arena gave {served} blocks; {back} came back"
    ));
}
