//! stdio's streams, from inside.
//!
//! The C library's reads and writes for a `FILE` cannot be interposed by symbol, because it calls its own functions.
//! But it calls those that ask the kernel through a table, one for each kind of stream. Places 14 to 18 are read,
//! write, seek, close and stat (libio/libioP.h, `struct _IO_jump_t`). Our functions replace them once, for the life
//! of the process. The condition is that the tables have the very functions that the C library exports under these
//! names. Otherwise stdio is left alone, and the report says so. So we see every refill and every flush, and single
//! characters cost nothing.

mod pending;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use libc::FILE;
use rustix::mm::MprotectFlags;
use weir_record::functions::Function;

use crate::linking::{
    c_library, entries, next,
    objects::{self, Object},
};
use crate::sys::{self, Turn, pages::pages_around};

pub use pending::last_to_ask;

/// The part of a `FILE` that the C library's binary interface fixes: macros in old programs read it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Inside {
    flags: c_int,
    /// Pointers to the next byte to read, to the end of the bytes in the buffer, to their start, and others.
    pointers: [*mut c_void; 12],
    chain: *mut c_void,
    descriptor: c_int,
    flags_more: c_int,
    old_offset: i64,
    column: u16,
    table_offset: i8,
    short_buffer: u8,
    lock: *mut c_void,
    offset: i64,
    conversion: *mut c_void,
    wide: *mut c_void,
    freed: [*mut c_void; 3],
    mode: c_int,
    unused: [u8; 20],
    table: *mut Table,
}

const _: () = assert!(std::mem::offset_of!(Inside, descriptor) == 112);
const _: () = assert!(std::mem::offset_of!(Inside, wide) == 160);
const _: () = assert!(std::mem::offset_of!(Inside, mode) == 192);
const _: () = assert!(std::mem::offset_of!(Inside, table) == 216);

/// A stream's table of functions.
#[repr(C)]
struct Table {
    others: [usize; 14],
    system: [AtomicUsize; 5],
}

const HAS_ENDED: c_int = 0x10;
const HAS_FAILED: c_int = 0x20;

/// The functions of a table that ask the kernel.
const SYSTEM: [Function; 5] = [
    Function::StdioRead,
    Function::StdioWrite,
    Function::StdioSeek,
    Function::StdioClose,
    Function::StdioStat,
];

/// Whether the tables of files contain our functions.
static ARE_SEEN: AtomicBool = AtomicBool::new(false);
/// Who makes a page of tables read-only again must be the only one that has made it writable.
static CHANGING: Turn = Turn::new();
/// The other table that was last seen in a stream. It needs no second look.
static KNOWN: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());

unsafe extern "C" {
    #[link_name = "stdin"]
    static STDIN: *mut FILE;
    #[link_name = "stdout"]
    static STDOUT: *mut FILE;
}

/// The stream that is standard input now.
#[inline(always)]
pub fn standard_input() -> *mut FILE {
    // SAFETY: a variable of the C library, which the program may set.
    unsafe { STDIN }
}

/// The stream that is standard output now.
#[inline(always)]
pub fn standard_output() -> *mut FILE {
    // SAFETY: as above.
    unsafe { STDOUT }
}

/// The descriptor of a stream; -1 if there is none.
#[inline(always)]
pub fn fd(stream: *mut FILE) -> c_int {
    if stream.is_null() {
        return -1;
    }
    // SAFETY: the program passes it as a stream. Nothing writes the descriptor of an open stream.
    unsafe { (*stream.cast::<Inside>()).descriptor }
}

/// Whether a stream has had an error.
pub fn has_failed(stream: *mut FILE) -> bool {
    // SAFETY: the program passes it as a stream, which it may or may not have locked. The flag is one word; the value
    // of any moment will do.
    !stream.is_null() && unsafe { (*stream.cast::<Inside>()).flags } & HAS_FAILED != 0
}

/// Whether a stream has reached its end.
///
/// # Safety
/// `stream` points to a stream.
pub unsafe fn has_ended(stream: *mut FILE) -> bool {
    // SAFETY: as the caller promises.
    unsafe { (*stream.cast::<Inside>()).flags & HAS_ENDED != 0 }
}

/// Puts our functions into the tables of files and of wide files, unless that is done already. False if the C
/// library's tables are not as expected.
pub fn interpose() -> bool {
    if !ARE_SEEN.load(Ordering::Relaxed) {
        let both = [c"_IO_file_jumps", c"_IO_wfile_jumps"].map(|name| exported(name).cast());
        let done = interpose_in(both, objects::around_at_start).is_some();
        if done {
            pending::set_list(exported(c"_IO_list_all"));
        }
        ARE_SEEN.store(done, Ordering::Relaxed);
    }
    are_seen()
}

/// Whether we see what stdio asks of the kernel.
pub fn are_seen() -> bool {
    ARE_SEEN.load(Ordering::Relaxed)
}

/// Puts our functions into the table of a new stream: the stream of a command has a table of its own. Does nothing
/// for NULL.
pub fn see(stream: *mut FILE) {
    if stream.is_null() || !are_seen() {
        return;
    }
    // SAFETY: a stream of the C library has a table.
    let table = unsafe { (*stream.cast::<Inside>()).table };
    // Examining a table takes system calls.
    if table == KNOWN.load(Ordering::Relaxed) || sys::is_sealed() {
        return;
    }
    // The thread's stack may be small.
    let look = || _ = interpose_in([table], objects::around);
    sys::with_errno_kept(|| sys::on_own_stack_if_possible(look));
    KNOWN.store(table, Ordering::Relaxed);
}

fn exported(name: &CStr) -> *mut c_void {
    // The address is checked before it is used.
    ptr::with_exposed_provenance_mut(c_library::variable(name))
}

/// In a child of fork: a thread that was changing a table does not exist here.
pub fn forked() {
    CHANGING.forget();
}

/// Puts our functions into tables, if they are the C library's and contain the expected functions. `None` if one is
/// not.
fn interpose_in<const N: usize>(
    tables: [*mut Table; N],
    around: fn(usize) -> Option<Object>,
) -> Option<()> {
    sys::with_signals_blocked(|| CHANGING.with(|| change(tables, around).then_some(())))
}

fn change<const N: usize>(tables: [*mut Table; N], around: fn(usize) -> Option<Object>) -> bool {
    let theirs = SYSTEM.map(|function| next::address(function).get());
    // Tables on the same pages are made writable once.
    let mut open: Option<Protection> = None;
    let done = tables.into_iter().all(|table| {
        let Some(protection) = Protection::of(table.addr(), size_of::<Table>(), around) else {
            return false;
        };
        // SAFETY: the whole table is within a segment that stays mapped while the process lives.
        let system = unsafe { &(*table).system };
        let found: [usize; 5] = std::array::from_fn(|index| system[index].load(Ordering::Relaxed));
        if !is_as_it_should_be(found, theirs) {
            return false;
        }
        if std::iter::zip(found, theirs).all(|(found, theirs)| found != theirs) {
            return true;
        }
        if open != Some(protection) {
            close(open.take());
            if !protection.lift() {
                return false;
            }
            open = Some(protection);
        }
        for ((place, ours), theirs) in system.iter().zip(entries::stdio()).zip(theirs) {
            if place.load(Ordering::Relaxed) == theirs {
                place.store(ours, Ordering::Relaxed);
            }
        }
        true
    });
    close(open);
    done
}

/// Whether a table has the C library's functions or ours: a child may be forked while some are changed.
fn is_as_it_should_be(found: [usize; 5], theirs: [usize; 5]) -> bool {
    // The stream of a command has a close function of its own, which stays.
    const MUST_BE: [bool; 5] = [true, true, true, false, true];
    let mut all = found
        .into_iter()
        .zip(theirs)
        .zip(entries::stdio())
        .zip(MUST_BE);
    all.all(|(((found, theirs), ours), must_be)| found == theirs || found == ours || !must_be)
}

fn close(open: Option<Protection>) {
    if let Some(protection) = open {
        protection.restore();
    }
}

/// How a table is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Protection {
    from: usize,
    bytes: usize,
    /// Whether the dynamic linker made it read-only after relocation.
    is_read_only: bool,
}

impl Protection {
    /// The protection of these addresses. `None` if they are not within one writable segment of a loaded object.
    fn of(address: usize, bytes: usize, around: fn(usize) -> Option<Object>) -> Option<Protection> {
        if address == 0 || !address.is_multiple_of(align_of::<Table>()) {
            return None;
        }
        let end = address.checked_add(bytes)?;
        let object = around(address)?;
        let is_around = |segment: &&libc::Elf64_Phdr| {
            let from = object.base().wrapping_add(segment.p_vaddr as usize);
            address >= from && end <= from.wrapping_add(segment.p_memsz as usize)
        };
        let (from, bytes) = pages_around(address, bytes);
        let mut is_writable = false;
        let mut is_read_only = false;
        for segment in object.segments()?.iter().filter(is_around) {
            is_writable |= segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_W != 0;
            if segment.p_type == libc::PT_GNU_RELRO {
                // The linker protects whole pages. If pages are large, the last one may also contain data that stays
                // writable.
                let start = object.base().wrapping_add(segment.p_vaddr as usize);
                let end = start.wrapping_add(segment.p_memsz as usize);
                let [start, end] = [start, end].map(|place| pages_around(place, 0).0);
                let is_whole = start <= from && from + bytes <= end;
                if !is_whole && from < end {
                    return None;
                }
                is_read_only |= is_whole;
            }
        }
        is_writable.then_some(Protection {
            from,
            bytes,
            is_read_only,
        })
    }

    fn lift(&self) -> bool {
        !self.is_read_only || self.set(MprotectFlags::READ | MprotectFlags::WRITE)
    }

    fn restore(&self) {
        if self.is_read_only {
            self.set(MprotectFlags::READ);
        }
    }

    fn set(&self, protection: MprotectFlags) -> bool {
        let from = ptr::without_provenance_mut(self.from);
        // SAFETY: whole pages of a loaded object, which stay readable and never become executable. What else is on
        // these pages is as constant as the table.
        unsafe { rustix::mm::mprotect(from, self.bytes, protection) }.is_ok()
    }
}

/// How many bytes a stream has in its buffer that were not read yet.
#[inline(always)]
pub fn ahead(stream: *mut FILE) -> usize {
    if stream.is_null() {
        return 0;
    }
    // SAFETY: the program passes it as a stream. If another thread uses it, any difference will do.
    let [next, end, ..] = unsafe { (*stream.cast::<Inside>()).pointers };
    end.addr().wrapping_sub(next.addr())
}

/// The byte that was last read from a stream, if it is still in the buffer.
///
/// # Safety
/// `stream` points to a stream.
pub unsafe fn latest(stream: *mut FILE) -> Option<c_char> {
    // SAFETY: as the caller promises.
    let [next, _, first, ..] = unsafe { (*stream.cast::<Inside>()).pointers };
    let has_any = !first.is_null() && next.addr() > first.addr();
    // SAFETY: the bytes between the two pointers are in the stream's buffer.
    has_any.then(|| unsafe { *next.cast::<c_char>().sub(1) })
}
