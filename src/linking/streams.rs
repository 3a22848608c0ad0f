//! stdio's streams, from inside.
//!
//! What the C library reads and writes under a `FILE` cannot be interposed by symbol: it calls its own functions.
//! But it calls them through a table, one for each kind of stream, which names the functions that ask the
//! kernel: places 14 to 18 are read, write, seek, close and stat (libio/libioP.h, `struct _IO_jump_t`). Ours are put
//! there, once and for the life of the process, if what is there are the very functions that the C
//! library exports under their names; else stdio is left alone and the report says so. So every
//! refill and every flush passes by here, and nothing is paid for a character.

mod pending;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use libc::{FILE, size_t, wchar_t};
use rustix::mm::MprotectFlags;
use weir_record::functions::Function;

use crate::hooks::stdio_system as ours;
use crate::life::image;
use crate::linking::objects::{self, Object};
use crate::linking::{c_library, next};
use crate::recording::{self, Outcome};
use crate::sys;

pub use pending::last_to_ask;

/// What of a `FILE` is fixed by the C library's binary interface: macros of old programs look at it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Inside {
    flags: c_int,
    /// To what is read next, to the end of what the stream holds, and to its start; and others.
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

/// Whether the tables of files have ours.
static ARE_SEEN: AtomicBool = AtomicBool::new(false);
/// The table that a stream was last seen to have besides, which has been dealt with.
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

/// The descriptor of a stream; -1 where there is none.
#[inline(always)]
pub fn fd(stream: *mut FILE) -> c_int {
    if stream.is_null() {
        return -1;
    }
    // SAFETY: the program passes it as a stream, and nothing writes the descriptor of an open one.
    unsafe { (*stream.cast::<Inside>()).descriptor }
}

/// Whether a stream has had an error.
fn has_failed(stream: *mut FILE) -> bool {
    // SAFETY: the program passes it as a stream, which it may have locked or not: the flag is as good as any
    // moment's.
    !stream.is_null() && unsafe { (*stream.cast::<Inside>()).flags } & HAS_FAILED != 0
}

/// Puts our functions in the tables of files and of wide files, if that has not been done. False where the C library is not as it should be.
pub fn interpose() -> bool {
    if !ARE_SEEN.load(Ordering::Relaxed) {
        let both = [c"_IO_file_jumps", c"_IO_wfile_jumps"].map(|name| exported(name).cast());
        let done = interpose_in(both, objects::around_at_start);
        if done {
            pending::set_list(exported(c"_IO_list_all"));
        }
        ARE_SEEN.store(done, Ordering::Relaxed);
    }
    are_seen()
}

/// Whether what stdio asks of the kernel is seen.
pub fn are_seen() -> bool {
    ARE_SEEN.load(Ordering::Relaxed)
}

/// Looks at a stream that was made, if it was: that of a command has a table of its own.
pub fn see(stream: *mut FILE) {
    if stream.is_null() || !are_seen() {
        return;
    }
    // SAFETY: a stream of the C library has a table.
    let table = unsafe { (*stream.cast::<Inside>()).table };
    // To look at one takes system calls.
    if table == KNOWN.load(Ordering::Relaxed) || image::is_sealed() {
        return;
    }
    // The thread's stack may be small.
    let look = || _ = interpose_in([table], objects::around);
    sys::with_errno_kept(|| sys::on_own_stack_if_possible(look));
    KNOWN.store(table, Ordering::Relaxed);
}

fn exported(name: &CStr) -> *mut c_void {
    // What is found is looked at with care.
    ptr::with_exposed_provenance_mut(c_library::variable(name))
}

/// Puts our functions in tables, if they are the C library's and have what they should have. False where one is not.
fn interpose_in<const N: usize>(
    tables: [*mut Table; N],
    around: fn(usize) -> Option<Object>,
) -> bool {
    let theirs = SYSTEM.map(|function| next::address(function).get());
    // Tables that are close together are opened up once.
    let mut open: Option<Protection> = None;
    let done = tables.into_iter().all(|table| {
        let Some(protection) = Protection::of(table.addr(), size_of::<Table>(), around) else {
            return false;
        };
        // SAFETY: the whole table is within a segment that is mapped for as long as the process lives.
        let system = unsafe { &(*table).system };
        let found: [usize; 5] = std::array::from_fn(|index| system[index].load(Ordering::Relaxed));
        if found == addresses() {
            return true;
        }
        if !is_as_it_should_be(found, theirs) {
            return false;
        }
        if open != Some(protection) {
            close(open.take());
            if !protection.lift() {
                return false;
            }
            open = Some(protection);
        }
        for ((place, ours), theirs) in system.iter().zip(addresses()).zip(theirs) {
            if place.load(Ordering::Relaxed) == theirs {
                place.store(ours, Ordering::Relaxed);
            }
        }
        true
    });
    close(open);
    done
}

fn is_as_it_should_be(found: [usize; 5], theirs: [usize; 5]) -> bool {
    // A stream to a command closes in a way of its own, which is left alone.
    const MUST_BE: [bool; 5] = [true, true, true, false, true];
    let mut all = found.into_iter().zip(theirs).zip(MUST_BE);
    all.all(|((found, theirs), must_be)| found == theirs || !must_be)
}

fn close(open: Option<Protection>) {
    if let Some(protection) = open {
        protection.restore();
    }
}

fn addresses() -> [usize; 5] {
    [
        ours::read as *const () as usize,
        ours::write as *const () as usize,
        ours::seek as *const () as usize,
        ours::close as *const () as usize,
        ours::stat as *const () as usize,
    ]
}

/// How a table is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Protection {
    from: usize,
    bytes: usize,
    /// Whether it is read only since the dynamic linker has relocated it.
    is_read_only: bool,
}

impl Protection {
    /// None where the addresses are not within one writable segment of a loaded object.
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
        let mut is_writable = false;
        let mut is_read_only = false;
        for segment in object.segments()?.iter().filter(is_around) {
            is_writable |= segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_W != 0;
            is_read_only |= segment.p_type == libc::PT_GNU_RELRO;
        }
        const PAGE: usize = 4096;
        let from = address & !(PAGE - 1);
        is_writable.then(|| Protection {
            from,
            bytes: (end - from).next_multiple_of(PAGE),
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
        // SAFETY: whole pages of a loaded object, which stay readable and never become executable. What is
        // around the table in them is as constant as it is.
        unsafe { rustix::mm::mprotect(from, self.bytes, protection) }.is_ok()
    }
}

/// So many items of a size; fewer than asked for is failure where the stream has had an error.
#[inline(always)]
pub fn items(items: size_t, size: size_t, asked: size_t, stream: *mut FILE) -> Outcome {
    if items < asked && has_failed(stream) {
        return failed();
    }
    Outcome::Bytes(items.wrapping_mul(size) as u64)
}

/// A line that is about to be read. It may hold NULs, and then the text in memory does not tell how long it is: the stream
/// does, by how far it is read before and after.
#[derive(Clone, Copy)]
pub struct Line {
    stream: *mut FILE,
    /// The most bytes that there is room for, with the NUL behind them.
    room: size_t,
    /// Whether the newline at its end stays in it.
    keeps_newline: bool,
    /// Bytes that the stream holds, and has not given yet.
    ahead: usize,
    /// What this thread's streams have read from the kernel so far; none where that is not counted by itself.
    refilled: Option<u64>,
}

impl Line {
    /// One of `fgets` and its like.
    #[inline(always)]
    pub fn with_newline(room: c_int, stream: *mut FILE) -> impl Fn(*mut c_char) -> Outcome {
        let room = usize::try_from(room).unwrap_or(0);
        let line = Line::begin(stream, room, true);
        move |text| line.end(text)
    }

    /// One of `gets`.
    pub fn without_newline() -> impl Fn(*mut c_char) -> Outcome {
        let line = Line::begin(standard_input(), usize::MAX, false);
        move |text| line.end(text)
    }

    #[inline(always)]
    fn begin(stream: *mut FILE, room: size_t, keeps_newline: bool) -> Line {
        Line {
            stream,
            room,
            keeps_newline,
            ahead: ahead(stream),
            refilled: recording::moved_by_this_thread(Function::StdioRead),
        }
    }

    /// What was read; NULL is failure where the stream has had an error.
    #[inline(always)]
    fn end(self, text: *mut c_char) -> Outcome {
        if text.is_null() {
            return end_or_failure(self.stream);
        }
        // SAFETY: the C library has just ended it by NUL.
        let length = unsafe { CStr::from_ptr(text) }.count_bytes();
        // SAFETY: as above; the byte before the NUL.
        let ends = length > 0 && unsafe { *text.add(length - 1) } == NEWLINE;
        if ends || length + 1 >= self.room {
            return Outcome::Bytes(length as u64);
        }
        Outcome::Bytes(self.length_with_nuls(text, length) as u64)
    }

    /// How long a line is that has a NUL before its end, unless it is the last and has none.
    #[cold]
    #[inline(never)]
    fn length_with_nuls(self, text: *const c_char, at_least: usize) -> usize {
        // SAFETY: the program has passed it as a stream.
        let latest = unsafe { latest(self.stream) };
        let ended = latest == Some(NEWLINE);
        // SAFETY: the program has given so much room.
        let at = |place: usize| unsafe { *text.add(place) };
        let refilled = recording::moved_by_this_thread(Function::StdioRead);
        if let (Some(before), Some(after)) = (self.refilled, refilled) {
            let refilled = after.wrapping_sub(before) as usize;
            let dropped = usize::from(ended && !self.keeps_newline);
            let taken = self
                .ahead
                .wrapping_add(refilled)
                .wrapping_sub(ahead(self.stream))
                .wrapping_sub(dropped);
            // Another thread may have read from the stream too.
            if (at_least..self.room).contains(&taken) && at(taken) == 0 {
                return taken;
            }
        }
        if !self.keeps_newline {
            return at_least;
        }
        if ended {
            // What is read ends with the first.
            let ends = (at_least..self.room - 1).find(|&place| at(place) == NEWLINE);
            return ends.map_or(at_least, |place| place + 1);
        }
        // SAFETY: as above.
        let is_over = unsafe { (*self.stream.cast::<Inside>()).flags } & HAS_ENDED != 0;
        if is_over { at_least } else { self.room - 1 }
    }
}

const NEWLINE: c_char = b'\n' as c_char;

/// How many bytes a stream holds that it has not given yet.
#[inline(always)]
fn ahead(stream: *mut FILE) -> usize {
    if stream.is_null() {
        return 0;
    }
    // SAFETY: the program passes it as a stream. Where another thread uses it, the difference is as good as any.
    let [next, end, ..] = unsafe { (*stream.cast::<Inside>()).pointers };
    end.addr().wrapping_sub(next.addr())
}

/// The byte that a stream gave last, where it still holds it.
///
/// # Safety
/// It is a stream.
unsafe fn latest(stream: *mut FILE) -> Option<c_char> {
    // SAFETY: as the caller promises.
    let [next, _, first, ..] = unsafe { (*stream.cast::<Inside>()).pointers };
    let has_any = !first.is_null() && next.addr() > first.addr();
    // SAFETY: what is between the two is in the stream's buffer.
    has_any.then(|| unsafe { *next.cast::<c_char>().sub(1) })
}

/// A line of wide characters, the bytes of which nobody tells.
#[inline(always)]
pub fn wide_line(line: *mut wchar_t, stream: *mut FILE) -> Outcome {
    if line.is_null() {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

/// A text that was written, and so many bytes behind it; less than 0 is failure.
#[inline(always)]
pub fn text(status: c_int, text: *const c_char, more: u64) -> Outcome {
    if status < 0 {
        return failed();
    }
    // SAFETY: the C library has just written it up to its NUL.
    Outcome::Bytes(unsafe { CStr::from_ptr(text) }.count_bytes() as u64 + more)
}

/// A character; EOF is failure where the stream has had an error.
#[inline(always)]
pub fn character(character: c_int, stream: *mut FILE) -> Outcome {
    if character < 0 {
        return end_or_failure(stream);
    }
    Outcome::Bytes(1)
}

/// The character that comes next, and is still to be read; EOF is failure where the stream has had an error.
#[inline(always)]
pub fn coming(character: c_int, stream: *mut FILE) -> Outcome {
    if character < 0 {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

/// A word, which may be any number.
#[inline(always)]
pub fn word(word: c_int, stream: *mut FILE) -> Outcome {
    if word == libc::EOF {
        return end_or_failure(stream);
    }
    Outcome::Bytes(4)
}

/// A wide character, the bytes of which nobody tells; all ones is failure where the stream has had an error.
#[inline(always)]
pub fn wide(character: u32, stream: *mut FILE) -> Outcome {
    if character == u32::MAX {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

/// So many bytes; less than 0 is failure where the stream has had an error.
#[inline(always)]
pub fn length(length: isize, stream: *mut FILE) -> Outcome {
    match u64::try_from(length) {
        Ok(length) => Outcome::Bytes(length),
        Err(_) => end_or_failure(stream),
    }
}

/// So many bytes were written; less than 0 is failure.
#[inline(always)]
pub fn printed(length: c_int) -> Outcome {
    match u64::try_from(length) {
        Ok(length) => Outcome::Bytes(length),
        Err(_) => failed(),
    }
}

/// So many values were read; less than 0 is failure where the stream has had an error.
#[inline(always)]
pub fn scanned(values: c_int, stream: *mut FILE) -> Outcome {
    if values < 0 {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

#[cold]
fn end_or_failure(stream: *mut FILE) -> Outcome {
    if has_failed(stream) {
        failed()
    } else {
        Outcome::Bytes(0)
    }
}

#[cold]
fn failed() -> Outcome {
    Outcome::Failed(sys::errno())
}
