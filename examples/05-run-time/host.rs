//! Step 5: `dlopen`, `dlsym`, `dlclose` and `dlerror`, with everything that can go wrong.

use std::ffi::{CStr, c_char, c_void};
use std::mem;
use std::ptr::NonNull;

/// A library loaded while the program runs; unloaded when it is dropped, if nobody else holds it.
struct Library(NonNull<c_void>);

impl Library {
    fn open(path: &CStr) -> Result<Self, String> {
        // SAFETY: the path is a C string. The initialisers that run are those of our own plugins.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        NonNull::new(handle).map(Library).ok_or_else(last_error)
    }

    /// The address of a symbol, which may be null, and that is no error: whether there was one, only
    /// `dlerror` knows. It is emptied first, of what an earlier failure may have left there.
    fn symbol(&self, name: &CStr) -> Result<*mut c_void, String> {
        // SAFETY: the handle is open, the name a C string; dlerror's text is copied at once.
        unsafe {
            libc::dlerror();
            let address = libc::dlsym(self.0.as_ptr(), name.as_ptr());
            let error = libc::dlerror();
            if error.is_null() {
                Ok(address)
            } else {
                Err(CStr::from_ptr(error).to_string_lossy().into_owned())
            }
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle was opened once by `open`, and is closed here once.
        if unsafe { libc::dlclose(self.0.as_ptr()) } != 0 {
            println!("dlclose: {}", last_error());
        }
    }
}

/// What the last of the four said. The text is the thread's own, and the next call's to overwrite.
fn last_error() -> String {
    // SAFETY: dlerror returns null or a C string that is valid until the next call.
    unsafe {
        let error = libc::dlerror();
        if error.is_null() {
            return "no error".to_owned();
        }
        CStr::from_ptr(error).to_string_lossy().into_owned()
    }
}

fn is_loaded(path: &CStr) -> bool {
    // SAFETY: the path is a C string; with RTLD_NOLOAD nothing is loaded. A handle that is given
    // counts as one more, and is given back.
    unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
        !handle.is_null() && libc::dlclose(handle) == 0
    }
}

fn main() -> Result<(), String> {
    if let Err(error) = Library::open(c"./libmissing.so") {
        println!("dlopen fails: {error}");
    }

    let plugin = Library::open(c"./libplugin.so")?;
    let greeting = plugin.symbol(c"greeting")?;
    // SAFETY: the plugin defines `greeting` so, and is open; its text is static.
    let text = unsafe {
        let greeting = mem::transmute::<*mut c_void, extern "C" fn() -> *const c_char>(greeting);
        CStr::from_ptr(greeting())
    };
    println!(
        "dlsym finds greeting, and it says: {}",
        text.to_string_lossy()
    );

    if let Err(error) = plugin.symbol(c"farewell") {
        println!("dlsym fails: {error}");
    }

    let other = Library::open(c"./libnothing.so")?;
    let nothing = other.symbol(c"nothing")?;
    println!("dlsym finds nothing at {nothing:?}, and dlerror has no complaint");

    let again = Library::open(c"./libplugin.so")?;
    println!("dlopen again, same handle: {}", again.0 == plugin.0);
    drop(again);
    println!(
        "dlclose once, still loaded: {}",
        is_loaded(c"./libplugin.so")
    );
    drop(plugin);
    println!(
        "dlclose twice, still loaded: {}",
        is_loaded(c"./libplugin.so")
    );
    Ok(())
}
