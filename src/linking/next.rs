//! The functions behind ours: what `dlsym(RTLD_NEXT)` finds.
//!
//! The function behind ours is the first definition of the name in the objects that the dynamic linker searches after
//! this library. It is read from their symbol tables ([`symbols`](crate::linking::symbols)). A failed look-up of the
//! C library would allocate its error text, perhaps from an allocator that is at work and holds its lock. The program
//! may also have a `dlsym` of its own. The C library's `dlsym` is called only for an indirect function, which the
//! dynamic linker has to choose, and only after the name is known to exist.
//!
//! All pointers are found when the first image starts. They are kept in a [`OnceNonZeroUsize`], which never blocks.
//! So the hot paths do not check whether a pointer has been found. No call searches later, perhaps in a signal
//! handler or in a child of fork.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::mem::transmute_copy;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use libc::{
    iovec, mmsghdr, msghdr, nfds_t, off_t, off64_t, pid_t, pollfd, pthread_attr_t, pthread_t,
    size_t, sockaddr, socklen_t, ssize_t, timespec,
};
use once_cell::race::OnceNonZeroUsize;
use weir_record::functions::Function;
use weir_record::region::MAX_OBJECTS;

use crate::linking::{
    c_library, frames,
    objects::{self, Object},
    symbols::{Definition, Hash, Name, Tables},
};
use crate::{arch, sys, thread};

static NEXT: [OnceNonZeroUsize; Function::COUNT] =
    [const { OnceNonZeroUsize::new() }; Function::COUNT];

/// The hashes of the functions' names. The names themselves would be pointers, which are relocated at each start.
static HASHES: [Hash; Function::COUNT] = {
    let mut hashes = [Hash::of(b""); Function::COUNT];
    let mut index = 0;
    while index < hashes.len() {
        hashes[index] = Hash::of(Function::ALL[index].name().as_bytes());
        index += 1;
    }
    hashes
};

pub(super) fn name(function: Function) -> Name<'static> {
    Name::with_hash(function.name().as_bytes(), HASHES[function.index()])
}

/// The objects that define a function: indexes into [`OBJECTS`] plus one; 0 is none.
struct Place {
    /// The object of the function behind ours.
    next: AtomicU8,
    /// The object before ours that defines the function: the program's calls go there and never reach us.
    before: AtomicU8,
}

static PLACES: [Place; Function::COUNT] = [const {
    Place {
        next: AtomicU8::new(0),
        before: AtomicU8::new(0),
    }
}; Function::COUNT];

/// The names of the objects that define functions, in the order of the search. The name of the program itself is
/// empty.
static OBJECTS: [AtomicPtr<c_char>; MAX_OBJECTS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; MAX_OBJECTS];
static OBJECT_COUNT: AtomicUsize = AtomicUsize::new(0);
/// The place of this library.
static OWN_PLACE: AtomicU8 = AtomicU8::new(0);

/// The address of the function behind ours.
pub fn address(function: Function) -> NonZeroUsize {
    let called = called(function);
    frames::target(function).unwrap_or(called)
}

/// The address that is called for it: its own, or that of the entry that calls it.
#[inline(always)]
pub(super) fn called(function: Function) -> NonZeroUsize {
    match NEXT[function.index()].get() {
        Some(address) => address,
        None => resolve(function),
    }
}

/// Finds the function behind ours, if it has not been found.
#[cold]
pub fn ensure(function: Function) {
    called(function);
}

/// Finds all functions, and all else that is needed from the same objects. Called once, when the first image starts.
pub fn resolve_all() {
    objects::remember();
    let mut is_behind = false;
    for object in objects::all() {
        if object.is_ours() {
            is_behind = true;
            OWN_PLACE.store(note(&object), Ordering::Relaxed);
            continue;
        }
        let Some(tables) = Tables::of(&object) else {
            continue;
        };
        if is_kernels(&tables) {
            if let Some(found) = tables.find(Name::new(arch::CLOCK_FUNCTION)) {
                sys::clock::set_function(found.address);
            }
            continue;
        }
        if c_library::is(&tables) {
            c_library::look_in(&tables);
        }
        look_in(&object, &tables, is_behind);
    }
    if before_place(Function::Realloc) != 0 {
        IS_REALLOCARRAY_CALLED.store(true, Ordering::Relaxed);
    }
    for function in Function::ALL {
        let next = &NEXT[function.index()];
        // No object defines it: the search above has seen them all.
        let _ = next.get_or_init(|| stand_in(function).unwrap_or_else(absent));
    }
}

/// Whether an object is the kernel's own, to which nothing of the program is bound (vdso(7)).
fn is_kernels(tables: &Tables) -> bool {
    let is_named = |name: &[u8]| tables.soname().starts_with(name);
    is_named(b"linux-vdso") || is_named(b"linux-gate")
}

/// How many functions ahead of the current one the tables are prefetched.
const AHEAD: usize = 8;

/// Finds those functions in an object that no earlier object defines.
fn look_in(object: &Object, tables: &Tables, is_behind: bool) {
    let mut place = 0;
    let is_framed = is_behind && frames::are_wanted_by(tables);
    for function in Function::ALL {
        let index = function.index();
        if !function.is_in_library() {
            continue;
        }
        if let Some(&hash) = HASHES.get(index + AHEAD) {
            tables.expect(hash);
        }
        let of = if is_behind {
            &PLACES[index].next
        } else {
            &PLACES[index].before
        };
        if of.load(Ordering::Relaxed) != 0 {
            continue;
        }
        let Some(found) = tables.find(name(function)) else {
            continue;
        };
        if place == 0 {
            place = note(object);
            let is_others = is_behind && !is_framed && !c_library::is(tables);
            ARE_OTHERS[usize::from(place)].store(is_others, Ordering::Relaxed);
        }
        of.store(place, Ordering::Relaxed);
        if is_behind && let Some(address) = bind(function, found) {
            let called = match is_framed {
                true => frames::entry(function, address),
                false => address,
            };
            let _ = NEXT[index].set(called);
            if function == Function::Malloc && is_framed {
                IS_SANITIZERS.store(true, Ordering::Relaxed);
            }
            if function == Function::Reallocarray && !c_library::is(tables) {
                IS_REALLOCARRAY_CALLED.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Stores an object that defines functions. Returns its place plus one; if there are too many objects, the last place
/// plus one.
fn note(object: &Object) -> u8 {
    let count = OBJECT_COUNT.load(Ordering::Relaxed);
    let place = count.min(MAX_OBJECTS - 1);
    if count < MAX_OBJECTS {
        OBJECTS[place].store(object.name().as_ptr().cast_mut(), Ordering::Relaxed);
        OBJECT_COUNT.store(count + 1, Ordering::Relaxed);
    }
    place as u8 + 1
}

/// The names of the objects that define functions, in the order of the places that [`next_place`] and
/// [`before_place`] return.
pub fn objects() -> impl Iterator<Item = &'static CStr> {
    let count = OBJECT_COUNT.load(Ordering::Relaxed).min(MAX_OBJECTS);
    OBJECTS[..count].iter().map(|name| {
        // SAFETY: the dynamic linker's name of an object that the program was started with. Such objects stay loaded.
        unsafe { CStr::from_ptr(name.load(Ordering::Relaxed)) }
    })
}

/// The place of this library.
pub fn own_place() -> u8 {
    OWN_PLACE.load(Ordering::Relaxed)
}

/// The place of the object that defines the function behind ours; 0 if there is none.
pub fn next_place(function: Function) -> u8 {
    PLACES[function.index()].next.load(Ordering::Relaxed)
}

/// Which of the objects are neither the C library nor a sanitizer, by their places: these two have functions that take a `va_list`, or
/// an array, in place of variable arguments, and treat them alike.
static ARE_OTHERS: [AtomicBool; MAX_OBJECTS + 1] =
    [const { AtomicBool::new(false) }; MAX_OBJECTS + 1];

/// The function behind ours, if it is another library's: then none of another name may be called in its place.
#[inline(always)]
pub fn of_another_library(function: Function) -> Option<NonZeroUsize> {
    let place = usize::from(next_place(function));
    let is_others = ARE_OTHERS.get(place)?.load(Ordering::Relaxed);
    is_others.then(|| address(function))
}

/// The place of the object, searched before ours, that gets the program's calls; 0 if they reach us.
pub fn before_place(function: Function) -> u8 {
    PLACES[function.index()].before.load(Ordering::Relaxed)
}

/// The function that a definition leads to.
pub(super) fn bind(function: Function, found: Definition) -> Option<NonZeroUsize> {
    if !found.is_indirect {
        return NonZeroUsize::new(found.address);
    }
    let mut name = [0_u8; 32];
    name[..function.name().len()].copy_from_slice(function.name().as_bytes());
    // SAFETY: the name is a C string, because the table's names are shorter than 32 bytes. The C library finds the
    // object to search after by our return address. So this call must not be compiled to a jump; it is not, because
    // the result is used after it.
    let chosen =
        thread::ours(|| unsafe { c_library::dlsym(libc::RTLD_NEXT, name.as_ptr().cast()) });
    NonZeroUsize::new(chosen?.addr())
}

/// Whether the next `malloc` is a sanitizer's.
static IS_SANITIZERS: AtomicBool = AtomicBool::new(false);

/// Whether the next `malloc` is a sanitizer's, whose functions end the program for what they do not know.
pub fn is_malloc_sanitizers() -> bool {
    IS_SANITIZERS.load(Ordering::Relaxed)
}

/// Whether the next `reallocarray` must be called itself. The C library's multiplies and calls `realloc` by its name; where that is
/// ours, the next `realloc` can be called at once. A sanitizer's reports a product that is too large. And if the program, or
/// a library before ours, has a `realloc`, the block is of its heap.
static IS_REALLOCARRAY_CALLED: AtomicBool = AtomicBool::new(false);

/// Finds a function that no object behind ours defines; before the image has started, any function.
#[cold]
#[inline(never)]
fn resolve(function: Function) -> NonZeroUsize {
    let mut behind = objects::all()
        .skip_while(|object| !object.is_ours())
        .skip(1);
    let found = behind.find_map(|object| Tables::of(&object)?.find(name(function)));
    let found = found.and_then(|found| bind(function, found));
    let address = found.or_else(|| stand_in(function)).unwrap_or_else(absent);
    // If another thread was faster, it found the same.
    let _ = NEXT[function.index()].set(address);
    address
}

/// The function that replaces one that this C library lacks. A program finds such a function all the same, because it
/// finds ours. `free` replaces all functions that free: the one that the program's own calls reach. A scan function of C99 replaces that of C23, which also scans
/// binary numbers.
fn stand_in(function: Function) -> Option<NonZeroUsize> {
    use Function as F;
    let other = match function {
        F::Cfree | F::FreeSized | F::FreeAlignedSized => {
            return Some(before(F::Free).unwrap_or_else(|| called(F::Free)));
        }
        F::Isoc23Scanf => F::Isoc99Scanf,
        F::Isoc23Fscanf => F::Isoc99Fscanf,
        F::Isoc23Vscanf => F::Isoc99Vscanf,
        F::Isoc23Vfscanf => F::Isoc99Vfscanf,
        F::Isoc23Wscanf => F::Isoc99Wscanf,
        F::Isoc23Fwscanf => F::Isoc99Fwscanf,
        F::Isoc23Vwscanf => F::Isoc99Vwscanf,
        F::Isoc23Vfwscanf => F::Isoc99Vfwscanf,
        _ => return None,
    };
    Some(called(other))
}

/// The function of an object before ours, which gets the program's calls.
fn before(function: Function) -> Option<NonZeroUsize> {
    let mut before = objects::all().take_while(|object| !object.is_ours());
    let found = before.find_map(|object| Tables::of(&object)?.find(name(function)))?;
    // What an indirect function leads to, only a look-up after an object says; no allocator is known to have any.
    NonZeroUsize::new(found.address).filter(|_| !found.is_indirect)
}

fn absent() -> NonZeroUsize {
    function_address(unavailable as *const ())
}

/// The address of a function that stands for another.
pub fn function_address(function: *const ()) -> NonZeroUsize {
    // The address of a function is not 0.
    NonZeroUsize::new(function.addr()).unwrap_or(NonZeroUsize::MIN)
}

/// Replaces a function that this C library lacks. Fails with ENOSYS, as the kernel does for a missing system call.
extern "C-unwind" fn unavailable() -> isize {
    // SAFETY: every thread has its errno.
    unsafe { *libc::__errno_location() = libc::ENOSYS };
    -1
}

/// The function behind ours, with its type.
///
/// # Safety
/// `F` is the type of a pointer to that function. The function has been found: either the calling thread has a slot,
/// so the image has started, or the caller has called [`ensure`].
#[inline(always)]
pub unsafe fn of<F: Copy>(function: Function) -> F {
    const { assert!(size_of::<F>() == size_of::<NonZeroUsize>()) };
    // SAFETY: the function has been found, as the caller promises, and `F` is a pointer to it.
    unsafe {
        let address = NEXT[function.index()].get_unchecked();
        transmute_copy::<NonZeroUsize, F>(&address)
    }
}

/// The function behind ours, with its type, for a hook that may be called before anything has been found.
///
/// # Safety
/// `F` is the type of a pointer to that function.
#[inline(always)]
pub unsafe fn found<F: Copy>(function: Function) -> F {
    const { assert!(size_of::<F>() == size_of::<NonZeroUsize>()) };
    let address = called(function);
    // SAFETY: `F` is a pointer to that function, as the caller promises.
    unsafe { transmute_copy::<NonZeroUsize, F>(&address) }
}

/// Calls the function behind ours that a row of the table names. Hooks that a macro defines call it only by this. The
/// `next!` list below has typed functions for all other callers.
macro_rules! next_call {
    ($function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {
        // SAFETY: the hook's caller promises what the next function requires. The function has been found, because
        // the code that records a call has a slot or has called `ensure`. The row's function has this type.
        unsafe {
            const {
                let arguments: &[&str] = &[$(stringify!($argument)),*];
                assert!(
                    arguments.len() <= $crate::arch::ARGUMENT_REGISTERS
                        || !$crate::linking::frames::can_have(::weir_record::functions::Function::$function)
                );
            }
            $crate::linking::next::of::<unsafe extern "C-unwind" fn($($type),*) $(-> $result)?>(
                ::weir_record::functions::Function::$function,
            )($($argument),*)
        }
    };
}
pub(crate) use next_call;

/// Changes a block's size, to a product that may be too large.
///
/// # Safety
/// The same contract as reallocarray(3). The calling thread has a slot, or the functions have been found.
#[inline(always)]
pub unsafe fn reallocarray(block: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    if IS_REALLOCARRAY_CALLED.load(Ordering::Relaxed) {
        return next_call!(
            Reallocarray(block: *mut c_void, count: size_t, size: size_t) -> *mut c_void
        );
    }
    // The C library's calls realloc, which is interposed: that call would be counted, too.
    match count.checked_mul(size) {
        // SAFETY: as the caller promises.
        Some(bytes) => unsafe { realloc(block, bytes) },
        None => {
            sys::set_errno(libc::ENOMEM);
            std::ptr::null_mut()
        }
    }
}

macro_rules! next {
    ($(fn $name:ident = $function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)+) => {$(
        /// The function of this name behind ours.
        ///
        /// # Safety
        /// The same as for the C library's function. Also, the function has been found: either the calling thread has
        /// a slot, so the image has started, or the caller has called [`ensure`].
        #[inline(always)]
        pub unsafe fn $name($($argument: $type),*) $(-> $result)? {
            next_call!($function($($argument: $type),*) $(-> $result)?)
        }
    )+};
}

type Strings = *const *const c_char;

next! {
    fn malloc = Malloc(size: size_t) -> *mut c_void;
    fn calloc = Calloc(count: size_t, size: size_t) -> *mut c_void;
    fn realloc = Realloc(block: *mut c_void, size: size_t) -> *mut c_void;
    fn free = Free(block: *mut c_void);
    fn cfree = Cfree(block: *mut c_void);
    fn free_sized = FreeSized(block: *mut c_void, size: size_t);
    fn free_aligned_sized = FreeAlignedSized(block: *mut c_void, align: size_t, size: size_t);
    fn posix_memalign = PosixMemalign(place: *mut *mut c_void, align: size_t, size: size_t) -> c_int;
    fn aligned_alloc = AlignedAlloc(align: size_t, size: size_t) -> *mut c_void;
    fn memalign = Memalign(align: size_t, size: size_t) -> *mut c_void;
    fn valloc = Valloc(size: size_t) -> *mut c_void;
    fn pvalloc = Pvalloc(size: size_t) -> *mut c_void;
    fn malloc_usable_size = MallocUsableSize(block: *mut c_void) -> size_t;

    fn underscore_exit = UnderscoreExit(status: c_int) -> !;
    fn underscore_exit_c99 = UnderscoreExitC99(status: c_int) -> !;
    fn execv = Execv(path: *const c_char, arguments: Strings) -> c_int;
    fn execve = Execve(path: *const c_char, arguments: Strings, environment: Strings) -> c_int;
    fn execvp = Execvp(file: *const c_char, arguments: Strings) -> c_int;
    fn execvpe = Execvpe(file: *const c_char, arguments: Strings, environment: Strings) -> c_int;
    fn execveat = Execveat(dir: c_int, path: *const c_char, arguments: Strings, environment: Strings, flags: c_int) -> c_int;
    fn fexecve = Fexecve(fd: c_int, arguments: Strings, environment: Strings) -> c_int;
    fn fork = Fork() -> pid_t;
    fn fork_alias = ForkAlias() -> pid_t;
    fn underscore_fork = UnderscoreFork() -> pid_t;
    fn prctl = Prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int;
    fn syscall = Syscall(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize) -> c_long;
    fn pthread_create = PthreadCreate(thread: *mut pthread_t, attributes: *const pthread_attr_t, run: *const c_void, argument: *mut c_void) -> c_int;

    fn recv = Recv(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t;
    fn recvfrom = Recvfrom(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t;
    fn recvmsg = Recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t;
    fn recvmmsg = Recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int;
    fn send = Send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t;
    fn sendto = Sendto(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int, address: *const sockaddr, length: socklen_t) -> ssize_t;
    fn sendmsg = Sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t;
    fn write = Write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t;
    fn writev = Writev(fd: c_int, array: *const iovec, count: c_int) -> ssize_t;
    fn sendfile = Sendfile(to: c_int, from: c_int, at: *mut off_t, size: size_t) -> ssize_t;
    fn sendfile64 = Sendfile64(to: c_int, from: c_int, at: *mut off64_t, size: size_t) -> ssize_t;
    fn splice = Splice(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, size: size_t, flags: c_uint) -> ssize_t;
    fn poll = Poll(array: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int;
    fn ppoll = Ppoll(array: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const c_void) -> c_int;
    fn pselect = Pselect(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *const timespec, mask: *const c_void) -> c_int;
    fn epoll_pwait = EpollPwait(epoll: c_int, events: *mut c_void, count: c_int, timeout: c_int, mask: *const c_void) -> c_int;
}
