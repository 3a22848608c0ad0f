//! The library's constructor, and the functions that it passes to lower layers.

use crate::hooks::{alloc, stdio_system};
use crate::life::{attach, end, fork};
use crate::linking::entries::Entries;
use crate::{process::children, thread};

#[used]
#[unsafe(link_section = "weir_entries")]
static ENTRIES: Entries = Entries {
    read: stdio_system::read,
    write: stdio_system::write,
    seek: stdio_system::seek,
    close: stdio_system::close,
    stat: stdio_system::stat,
    is_free_reached: alloc::is_free_reached,
};

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

/// The dynamic linker calls this before the program begins.
extern "C" fn constructor() {
    attach::attach_early();
    thread::ours(|| {
        end::watch();
        fork::watch();
        children::are_announced();
    });
}
