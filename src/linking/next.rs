//! The functions behind ours: what `dlsym(RTLD_NEXT)` finds.
//!
//! That is the first definition of a name in the objects that the dynamic linker searches after ours. It is read from their
//! tables of symbols ([`symbols`](crate::linking::symbols)): a look-up that fails would allocate its error text, perhaps from an allocator
//! that is at work and holds its lock; and the program may have a `dlsym` of its own. Only what the dynamic linker
//! would have to choose first (an indirect function) is asked of the C library's `dlsym`, once it is known to exist.
//!
//! Every pointer is found when the first image starts, and kept in a [`OnceNonZeroUsize`], which never blocks: the hot paths
//! need not ask whether they have been found, and no call looks later, perhaps in a signal handler or in a child
//! of fork.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::mem::{transmute, transmute_copy};
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
    c_library,
    objects::{self, Object},
    symbols::{Definition, Hash, Name, Tables},
};
use crate::{sys, thread};

static NEXT: [OnceNonZeroUsize; Function::COUNT] =
    [const { OnceNonZeroUsize::new() }; Function::COUNT];

/// The hashes of their names. Not the names: pointers would have to be relocated at each start.
static HASHES: [Hash; Function::COUNT] = {
    let mut hashes = [Hash::of(b""); Function::COUNT];
    let mut index = 0;
    while index < hashes.len() {
        hashes[index] = Hash::of(Function::ALL[index].name().as_bytes());
        index += 1;
    }
    hashes
};

fn name(function: Function) -> Name<'static> {
    Name::with_hash(function.name().as_bytes(), HASHES[function.index()])
}

/// Which objects the functions lead to: places in [`OBJECTS`] plus one; 0 is nowhere.
struct Place {
    /// Where the function behind ours is.
    next: AtomicU8,
    /// What is before ours, where calls of the program end that never reach us.
    before: AtomicU8,
}

static PLACES: [Place; Function::COUNT] = [const {
    Place {
        next: AtomicU8::new(0),
        before: AtomicU8::new(0),
    }
}; Function::COUNT];

/// The names of the objects that functions lead to, from the first; the program's own is empty.
static OBJECTS: [AtomicPtr<c_char>; MAX_OBJECTS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; MAX_OBJECTS];
static OBJECT_COUNT: AtomicUsize = AtomicUsize::new(0);
/// The place of our own.
static OWN_PLACE: AtomicU8 = AtomicU8::new(0);

/// The address of the function behind ours.
#[inline(always)]
pub fn address(function: Function) -> NonZeroUsize {
    match NEXT[function.index()].get() {
        Some(address) => address,
        None => resolve(function),
    }
}

/// Sees to it that a function has been found.
#[cold]
pub fn ensure(function: Function) {
    address(function);
}

/// Finds every function, and all else that is in the same objects: once, when the first image starts.
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
            if let Some(found) = tables.find(Name::new(b"__vdso_clock_gettime")) {
                sys::clock::set_function(found.address);
            }
            continue;
        }
        if c_library::is(&tables) {
            c_library::look_in(&tables);
        }
        look_in(&object, &tables, is_behind);
    }
    for function in Function::ALL {
        let next = &NEXT[function.index()];
        // No object has it, as has been seen.
        let _ = next.get_or_init(|| stand_in(function).unwrap_or_else(absent));
    }
}

/// Whether an object is the kernel's own, which nothing of the program is bound to (vdso(7)).
fn is_kernels(tables: &Tables) -> bool {
    let is_named = |name: &[u8]| tables.soname().starts_with(name);
    is_named(b"linux-vdso") || is_named(b"linux-gate")
}

/// How many functions ahead of the one that is looked for the tables are fetched.
const AHEAD: usize = 8;

/// Finds what an object has of the functions that have not been found in those before it.
fn look_in(object: &Object, tables: &Tables, is_behind: bool) {
    let mut place = 0;
    for function in Function::ALL {
        let index = function.index();
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
        }
        of.store(place, Ordering::Relaxed);
        if is_behind && let Some(address) = bind(function, found) {
            let _ = NEXT[index].set(address);
            if function == Function::Malloc && tables.find(OF_SANITIZERS).is_some() {
                IS_SANITIZERS.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Notes an object that functions lead to. Its place plus one; the last place where there are too many.
fn note(object: &Object) -> u8 {
    let count = OBJECT_COUNT.load(Ordering::Relaxed);
    let place = count.min(MAX_OBJECTS - 1);
    if count < MAX_OBJECTS {
        OBJECTS[place].store(object.name().as_ptr().cast_mut(), Ordering::Relaxed);
        OBJECT_COUNT.store(count + 1, Ordering::Relaxed);
    }
    place as u8 + 1
}

/// The objects that functions lead to: the names, in the order of the places that [`next_place`] and [`before_place`] tell.
pub fn objects() -> impl Iterator<Item = &'static CStr> {
    let count = OBJECT_COUNT.load(Ordering::Relaxed).min(MAX_OBJECTS);
    OBJECTS[..count].iter().map(|name| {
        // SAFETY: a name of the dynamic linker's, of an object that the program was started with: it stays.
        unsafe { CStr::from_ptr(name.load(Ordering::Relaxed)) }
    })
}

/// The place of our own object.
pub fn own_place() -> u8 {
    OWN_PLACE.load(Ordering::Relaxed)
}

/// In which object the function behind ours is; 0 where there is none.
pub fn next_place(function: Function) -> u8 {
    PLACES[function.index()].next.load(Ordering::Relaxed)
}

/// In which object, searched before us, the program's calls end; 0 where they reach us.
pub fn before_place(function: Function) -> u8 {
    PLACES[function.index()].before.load(Ordering::Relaxed)
}

/// The function that a definition leads to.
fn bind(function: Function, found: Definition) -> Option<NonZeroUsize> {
    if !found.is_indirect {
        return NonZeroUsize::new(found.address);
    }
    let mut name = [0_u8; 32];
    name[..function.name().len()].copy_from_slice(function.name().as_bytes());
    // SAFETY: a C string, as the table's names are shorter than 32. The C library gets the object to search after from
    // our return address, so this must not be compiled to a jump; it is not, because the result is looked at.
    let chosen =
        thread::ours(|| unsafe { c_library::dlsym(libc::RTLD_NEXT, name.as_ptr().cast()) });
    NonZeroUsize::new(chosen?.addr())
}

/// The function for the size of a block of the next `malloc`.
static SIZE_OF_BLOCK: OnceNonZeroUsize = OnceNonZeroUsize::new();

/// Finds the function for the size of a block. False if there is none: if a library has a `malloc` and no `malloc_usable_size`,
/// the function of another library does not know its blocks; and the function of a sanitizer ends the program for a block that it
/// does not know, such as a block that it made while it started. Before any thread has its slot.
pub fn find_size_of_block() -> bool {
    let is_of_one_allocator =
        next_place(Function::Malloc) == next_place(Function::MallocUsableSize);
    let is_told = is_of_one_allocator && !IS_SANITIZERS.load(Ordering::Relaxed);
    let _ = SIZE_OF_BLOCK.set(if is_told {
        address(Function::MallocUsableSize)
    } else {
        function_address(no_size as *const ())
    });
    is_told
}

/// Whether the next `malloc` is a sanitizer's.
static IS_SANITIZERS: AtomicBool = AtomicBool::new(false);
/// What every sanitizer with an allocator has (sanitizer/allocator_interface.h).
const OF_SANITIZERS: Name<'static> = Name::new(b"__sanitizer_get_ownership");

extern "C-unwind" fn no_size(_: *mut c_void) -> size_t {
    0
}

/// The size of a block as its allocator sees it; 0 for NULL, and if it is not known.
///
/// # Safety
/// The block is live, of the next `malloc` or its kin; and the calling thread has its slot.
#[inline(always)]
pub unsafe fn size_of_block(block: *mut c_void) -> size_t {
    // SAFETY: the image has started, as the caller promises, and has set it to a function of this type.
    unsafe {
        let size = transmute::<usize, unsafe extern "C-unwind" fn(*mut c_void) -> size_t>(
            SIZE_OF_BLOCK.get_unchecked().get(),
        );
        size(block)
    }
}

/// Finds a function that no object behind ours has; or, before the image has started, any.
#[cold]
#[inline(never)]
fn resolve(function: Function) -> NonZeroUsize {
    let mut behind = objects::all()
        .skip_while(|object| !object.is_ours())
        .skip(1);
    let found = behind.find_map(|object| Tables::of(&object)?.find(name(function)));
    let found = found.and_then(|found| bind(function, found));
    let address = found.or_else(|| stand_in(function)).unwrap_or_else(absent);
    // Another thread may have been faster; it found the same.
    let _ = NEXT[function.index()].set(address);
    address
}

/// The function behind ours, in the version that the caller with this return address was bound to; the usual
/// one if that is not known.
#[inline(never)]
fn address_for(function: Function, return_address: usize) -> NonZeroUsize {
    let usual = address(function);
    if sys::is_sealed() {
        return usual;
    }
    let found = || {
        let caller = Tables::of(&objects::around(return_address)?)?;
        let version = caller.needed_version(function.name().as_bytes())?;
        let behind = objects::around(usual.get())?;
        let found = Tables::of(&behind)?.find_version(name(function), version)?;
        bind(function, found)
    };
    let mut address = usual;
    // The thread's stack may be small.
    sys::on_own_stack_if_possible(|| address = found().unwrap_or(usual));
    address
}

/// The function behind ours that the caller with this return address was bound to, with its type.
///
/// # Safety
/// `F` is the type of a pointer to that function.
pub unsafe fn of_caller<F: Copy>(function: Function, return_address: usize) -> F {
    const { assert!(size_of::<F>() == size_of::<NonZeroUsize>()) };
    let address = address_for(function, return_address);
    // SAFETY: `F` is a pointer to it, as the caller promises.
    unsafe { transmute_copy::<NonZeroUsize, F>(&address) }
}

/// What does the work of a function that this C library lacks, which a program finds all the same, because it finds
/// ours: the ways to free are all `free`, and C23 scans what C99 does, and binary numbers besides.
fn stand_in(function: Function) -> Option<NonZeroUsize> {
    use Function as F;
    let other = match function {
        F::Cfree | F::FreeSized | F::FreeAlignedSized => F::Free,
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
    Some(address(other))
}

fn absent() -> NonZeroUsize {
    function_address(unavailable as *const ())
}

fn function_address(function: *const ()) -> NonZeroUsize {
    // The address of a function is not 0.
    NonZeroUsize::new(function.addr()).unwrap_or(NonZeroUsize::MIN)
}

/// Stands for a function that this C library lacks, as the kernel does for a system call.
extern "C-unwind" fn unavailable() -> isize {
    // SAFETY: every thread has its errno.
    unsafe { *libc::__errno_location() = libc::ENOSYS };
    -1
}

/// The function behind ours, as what it is.
///
/// # Safety
/// `F` is the type of a pointer to that function; and the function has been found: the calling thread has its
/// slot, so the image has started, or [`ensure`] has seen to it.
#[inline(always)]
pub unsafe fn of<F: Copy>(function: Function) -> F {
    const { assert!(size_of::<F>() == size_of::<NonZeroUsize>()) };
    // SAFETY: it has been found, as the caller promises, and `F` is a pointer to it.
    unsafe {
        let address = NEXT[function.index()].get_unchecked();
        transmute_copy::<NonZeroUsize, F>(&address)
    }
}

/// The function of a row of the table behind ours, called with these arguments: the one way to call it, for hooks that a macro
/// defines. What is called by its name has its type below.
macro_rules! next_call {
    ($function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {
        // SAFETY: what our caller promises is what the next one asks, which has been found: whoever records a call has seen to
        // that. The row's function has this type.
        unsafe {
            $crate::linking::next::of::<unsafe extern "C-unwind" fn($($type),*) $(-> $result)?>(
                ::weir_record::functions::Function::$function,
            )($($argument),*)
        }
    };
}
pub(crate) use next_call;

macro_rules! next {
    ($(fn $name:ident = $function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)+) => {$(
        /// The function of that name behind ours.
        ///
        /// # Safety
        /// As the C library has it; and the function has been found: the calling thread has its slot, so
        /// the image has started, or [`ensure`] has seen to it.
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
