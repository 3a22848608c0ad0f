//! The functions behind ours: what `dlsym(RTLD_NEXT)` finds.
//!
//! Every pointer is found once and kept in a [`OnceNonZeroUsize`], which never blocks: two threads that
//! look at the same time find the same. When an image starts it finds all of them: the hot paths
//! need not ask whether they have been found, and no call looks later, perhaps in a signal handler
//! or in a child of fork.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::{transmute, transmute_copy};
use std::num::NonZeroUsize;

use libc::{pid_t, size_t};
use once_cell::race::OnceNonZeroUsize;
use weir_record::functions::Function;

use crate::thread;

static NEXT: [OnceNonZeroUsize; Function::COUNT] =
    [const { OnceNonZeroUsize::new() }; Function::COUNT];

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

/// Finds every function.
pub fn resolve_all() {
    for function in Function::ALL {
        address(function);
    }
}

/// What tells the size of a block of the next `malloc`.
static SIZE_OF_BLOCK: OnceNonZeroUsize = OnceNonZeroUsize::new();

/// Says whether the next `malloc` and the next `malloc_usable_size` are of one object: a library that has the one
/// and not the other makes blocks which the other does not know. To be said before any thread has its slot.
pub fn set_size_of_block(is_of_one_allocator: bool) {
    let _ = SIZE_OF_BLOCK.set(if is_of_one_allocator {
        address(Function::MallocUsableSize)
    } else {
        function_address(no_size as *const ())
    });
}

extern "C-unwind" fn no_size(_: *mut c_void) -> size_t {
    0
}

/// The size of a block as its allocator sees it; 0 for NULL, and where nobody knows it.
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

#[cold]
#[inline(never)]
fn resolve(function: Function) -> NonZeroUsize {
    let found = thread::ours(|| look_up(function));
    let address = found.or_else(|| stand_in(function)).unwrap_or_else(absent);
    // Another thread may have been faster; it found the same.
    let _ = NEXT[function.index()].set(address);
    address
}

/// The C library tells the object to search after from our return address: the calls below must not
/// be compiled to jumps, and are not, because what they return is looked at.
fn look_up(function: Function) -> Option<NonZeroUsize> {
    let mut name = [0_u8; 32];
    name[..function.name().len()].copy_from_slice(function.name().as_bytes());
    let name = CStr::from_bytes_until_nul(&name).ok()?;
    // SAFETY: `name` is a C string.
    let mut found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if found.is_null() && function == Function::Cfree {
        // Since 2.26 only a symbol for old programs, without a default version.
        // SAFETY: as above.
        found = unsafe { libc::dlvsym(libc::RTLD_NEXT, name.as_ptr(), c"GLIBC_2.2.5".as_ptr()) };
    }
    if found.is_null() {
        // The program must not find our error where it asks for its own. A search that succeeds forgets
        // it; dlerror would too, but it asks for a translation, and that waits for a lock which our
        // caller may hold: the first call may come from within newlocale.
        // SAFETY: a C string.
        unsafe { libc::dlsym(libc::RTLD_NEXT, c"malloc".as_ptr()) };
    }
    NonZeroUsize::new(found.addr())
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

macro_rules! next {
    ($(fn $name:ident = $function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)+) => {$(
        /// The function of that name behind ours.
        ///
        /// # Safety
        /// As the C library has it; and the function has been found: the calling thread has its slot, so
        /// the image has started, or [`ensure`] has seen to it.
        #[inline(always)]
        pub unsafe fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: found, as the caller promises, under this name, which has this type.
            let next = unsafe {
                of::<unsafe extern "C-unwind" fn($($type),*) $(-> $result)?>(Function::$function)
            };
            // SAFETY: as the caller promises.
            unsafe { next($($argument),*) }
        }
    )+};
}

type Strings = *const *const c_char;

next! {
    fn malloc = Malloc(size: size_t) -> *mut c_void;
    fn calloc = Calloc(count: size_t, size: size_t) -> *mut c_void;
    fn realloc = Realloc(block: *mut c_void, size: size_t) -> *mut c_void;
    fn reallocarray = Reallocarray(block: *mut c_void, count: size_t, size: size_t) -> *mut c_void;
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
    fn quick_exit = QuickExit(status: c_int) -> !;
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
}
