//! The C library's functions that Weir itself calls.
//!
//! They are looked up in the C library's own symbol table. The dynamic linker does not bind them: a program, a
//! sanitizer or another preloaded library may define functions of these names, which are not for us. While an
//! allocator may be at work, only the functions whose documentation allows it are called.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::linking::{
    objects,
    symbols::{Name, Tables},
};
use crate::sys;

/// The objects that have these functions. Before glibc 2.34 there were three.
const LIBRARIES: [&[u8]; 3] = [b"libc.so.6", b"libpthread.so.0", b"libdl.so.2"];

macro_rules! functions {
    ($($(#[$doc:meta])* $place:ident: fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;)+) => {
        #[derive(Clone, Copy)]
        enum Place { $($place),+ }
        const NAMES: [Name<'static>; COUNT] = [$(Name::new(stringify!($name).as_bytes())),+];
        const COUNT: usize = [$(Place::$place),+].len();

        $(
            $(#[$doc])*
            ///
            /// Returns `None` if the C library has no function of this name.
            ///
            /// # Safety
            /// The same as for the C library's function.
            pub unsafe fn $name($($argument: $type),*) -> Option<$result> {
                let address = FOUND[Place::$place as usize].load(Ordering::Relaxed);
                if address == 0 {
                    return None;
                }
                // SAFETY: the address is that of the C library's function of this name, which has this type.
                let function = unsafe {
                    transmute::<usize, unsafe extern "C" fn($($type),*) -> $result>(address)
                };
                // SAFETY: as the caller promises.
                Some(unsafe { function($($argument),*) })
            }
        )+
    };
}

type ThreadBody = extern "C" fn(*mut c_void) -> *mut c_void;

functions! {
    /// dlsym(3). It takes the dynamic linker's lock.
    Dlsym: fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    /// on_exit(3). It allocates if many handlers have been registered.
    OnExit: fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    /// The function that at_quick_exit calls. (Each program contains its own copy of at_quick_exit.)
    AtQuickExit: fn __cxa_at_quick_exit(handler: extern "C" fn(*mut c_void), object: *mut c_void) -> c_int;
    /// The function that pthread_atfork calls. (Each program contains its own copy of pthread_atfork.)
    RegisterAtfork: fn __register_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
        object: *mut c_void,
    ) -> c_int;
    /// pthread_key_create(3). It takes no lock and allocates nothing, so it is allowed while an allocator is at work.
    KeyCreate: fn pthread_key_create(key: *mut u32, destructor: Option<unsafe extern "C" fn(*mut c_void)>) -> c_int;
    /// pthread_setspecific(3). It allocates nothing for a key below 32, so it is allowed while an allocator is at
    /// work.
    SetSpecific: fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
    /// pthread_attr_init(3).
    AttrInit: fn pthread_attr_init(attributes: *mut libc::pthread_attr_t) -> c_int;
    /// pthread_attr_destroy(3).
    AttrDestroy: fn pthread_attr_destroy(attributes: *mut libc::pthread_attr_t) -> c_int;
    /// pthread_attr_setstacksize(3).
    AttrSetStackSize: fn pthread_attr_setstacksize(attributes: *mut libc::pthread_attr_t, bytes: usize) -> c_int;
    /// pthread_attr_getstacksize(3).
    AttrGetStackSize: fn pthread_attr_getstacksize(attributes: *const libc::pthread_attr_t, bytes: *mut usize) -> c_int;
    /// pthread_attr_setdetachstate(3).
    AttrSetDetachState: fn pthread_attr_setdetachstate(attributes: *mut libc::pthread_attr_t, state: c_int) -> c_int;
    /// pthread_create(3). It allocates.
    Create: fn pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        run: ThreadBody,
        argument: *mut c_void,
    ) -> c_int;
    /// dirfd(3).
    Dirfd: fn dirfd(directory: *mut c_void) -> c_int;
}

static FOUND: [AtomicUsize; COUNT] = [const { AtomicUsize::new(0) }; COUNT];

/// Whether an object is part of the C library.
pub fn is(tables: &Tables) -> bool {
    LIBRARIES.contains(&tables.soname())
}

/// Finds the functions that an object of the C library defines. It must run before any of them is called.
pub fn look_in(tables: &Tables) {
    for (name, found) in NAMES.into_iter().zip(&FOUND) {
        let is_found = found.load(Ordering::Relaxed) != 0;
        if let Some(definition) = tables.find(name).filter(|of| !is_found && !of.is_indirect) {
            found.store(definition.address, Ordering::Relaxed);
        }
    }
}

/// The address of a variable of this name as the program uses it: a program may have the C library's variable in its
/// own memory. 0 if there is none. For the start of the process only.
pub fn variable(name: &CStr) -> usize {
    objects::all()
        .filter_map(|object| Tables::of(&object))
        .find_map(|tables| tables.find(Name::new(name.to_bytes())))
        .map_or(0, |found| found.address)
}

/// Starts a detached thread with a small stack. False if that fails.
pub fn start_thread(run: extern "C" fn(*mut c_void) -> *mut c_void) -> bool {
    let mut attributes = MaybeUninit::uninit();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the attributes are initialised before they are used, and destroyed after that. `run` has the type that
    // pthread_create calls.
    unsafe {
        if pthread_attr_init(attributes.as_mut_ptr()) != Some(0) {
            return false;
        }
        let attributes = attributes.as_mut_ptr();
        pthread_attr_setstacksize(attributes, sys::OWN_STACK);
        pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        let thread = thread.as_mut_ptr();
        let made = pthread_create(thread, attributes, run, ptr::null_mut());
        pthread_attr_destroy(attributes);
        made == Some(0)
    }
}
