//! Calls of functions that look for who called them: those of a sanitizer.
//!
//! A sanitizer notes the stack of each allocation. It follows frame pointers, and our hooks have none: it would miss the function
//! that called the hook, and a suppression that names this function would not match. So its functions are not called by the hooks
//! themselves, but by an entry for each, which pushes a frame record that leads to the program. Where the program is, is found by
//! unwind information ([`begin`]).
//!
//! LeakSanitizer does not report what the dynamic linker has allocated. It knows it by the address that its function returns to. So
//! calls of the linker's return through a piece of the linker's own code, which returns to the entry.
//!
//! ThreadSanitizer keeps a stack of its own instead: compiled code says when a function begins, with its return address, and when it
//! ends. An entry does the same, for a hook that was called by such code. Of other code it knows only the address that its function
//! returns to; by that it also knows code that is to be ignored (`called_from_lib`). So calls of such code return through a piece of the
//! function that called the hook.

use std::mem::transmute;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weir_record::functions::Function;

use super::linker::{self, Answer};
use super::objects::Object;
use super::symbols::{Name, Tables};
use crate::arch::framed::ENTRY_BYTES;
use crate::arch::{self, State};

/// A function that every sanitizer with an allocator defines (sanitizer/allocator_interface.h).
const OF_SANITIZERS: Name<'static> = Name::new(b"__sanitizer_get_ownership");
/// What compiled code calls where a function begins, with its return address, and where it ends (tsan_interface.h of LLVM and GCC).
const FUNCTION_BEGINS: Name<'static> = Name::new(b"__tsan_func_entry");
const FUNCTION_ENDS: Name<'static> = Name::new(b"__tsan_func_exit");

/// The function that the entry of each function calls; 0 for those without an entry.
static TARGETS: [AtomicUsize; Function::COUNT] = [const { AtomicUsize::new(0) }; Function::COUNT];
/// Whether there is one.
static ARE_USED: AtomicBool = AtomicBool::new(false);
/// The functions of ThreadSanitizer's for calls that begin and end; 0 where there are none.
static BEGINS: AtomicUsize = AtomicUsize::new(0);
static ENDS: AtomicUsize = AtomicUsize::new(0);

/// From a place in code of ours to where the program called it. False, and nothing changed, where that is not known.
pub type ToProgram = fn(&mut State) -> bool;
/// The [`ToProgram`]; 0 until there is one.
static TO_PROGRAM: AtomicUsize = AtomicUsize::new(0);

/// Code in the function that has called a hook, through which the function behind the hook can return.
pub struct Way {
    /// The code that returns ([`arch::framed::RETURN`]).
    pub through: usize,
    /// How many bytes an unwinder takes of the stack there, as the unwind information says; from the size of a word up to
    /// [`arch::framed::MOST_BEHIND`].
    pub bytes: usize,
}

/// Finds the [`Way`] for a call, by the return address into code of this object.
pub type FindWay = fn(usize, &Object) -> Option<Way>;
/// The [`FindWay`]; 0 until there is one.
static FIND_WAY: AtomicUsize = AtomicUsize::new(0);

/// Whose calls return through code of its own.
pub struct ReturnsThrough {
    /// Its code.
    pub code: Range<usize>,
    /// The code that returns ([`arch::framed::RETURN`]).
    pub through: usize,
}

/// What an entry needs to know of a call. The order of its words is that of the entries' code.
#[repr(C)]
struct Call {
    /// Who called the entry; then, where the program is.
    state: State,
    /// The function that is to be called.
    target: usize,
    /// Code through which it returns, of [`Kind::Through`] and [`Kind::ThroughFrame`].
    through: usize,
    /// The program's frame pointer and a return address into it: what a function with a frame pointer pushes. Of
    /// [`Kind::ThroughFrame`], the frame pointer and [`Way::bytes`].
    record: [usize; 2],
}

/// How an entry is to call its function.
#[repr(usize)]
enum Kind {
    /// As the hook would: where the program is, is not known.
    Plain = 0,
    /// From a frame that leads to the program.
    Framed = 1,
    /// The same, and [`end_call`] follows.
    Announced = 2,
    /// As framed, with a return address elsewhere, where an unwinder takes what the code does.
    Through = 3,
    /// With a return address elsewhere, where an unwinder takes what its information says, and finds the registers there.
    ThroughFrame = 4,
}

arch::framed::framed_entries!(Function::COUNT, begin_call, end_call);

unsafe extern "C" {
    /// The first entry.
    #[link_name = "weir_framed_entries"]
    static ENTRIES: [[u8; ENTRY_BYTES]; Function::COUNT];
}

/// Whether an object is a sanitizer that may look for its callers. Remembers what else it has to be called.
pub fn are_wanted_by(tables: &Tables) -> bool {
    if tables.find(OF_SANITIZERS).is_none() {
        return false;
    }
    let places = [(FUNCTION_BEGINS, &BEGINS), (FUNCTION_ENDS, &ENDS)];
    let found = places.map(|(name, _)| tables.find(name));
    if let [Some(begins), Some(ends)] = found {
        BEGINS.store(begins.address, Ordering::Relaxed);
        ENDS.store(ends.address, Ordering::Relaxed);
    }
    true
}

/// The address of the entry of a function, which calls this target.
pub fn entry(function: Function, target: NonZeroUsize) -> NonZeroUsize {
    if !can_have(function) {
        return target;
    }
    TARGETS[function.index()].store(target.get(), Ordering::Relaxed);
    ARE_USED.store(true, Ordering::Relaxed);
    let first = (&raw const ENTRIES).addr();
    NonZeroUsize::new(first + function.index() * ENTRY_BYTES).unwrap_or(target)
}

/// The function that the entry of a function calls; none where it has no entry.
pub fn target(function: Function) -> Option<NonZeroUsize> {
    NonZeroUsize::new(TARGETS[function.index()].load(Ordering::Relaxed))
}

/// Whether a function can have an entry: all its arguments are in registers, on every architecture.
pub const fn can_have(function: Function) -> bool {
    !matches!(
        function,
        Function::Clone | Function::CloneAlias | Function::RecvfromChk
    )
}

/// Whether some function has an entry.
pub fn are_used() -> bool {
    ARE_USED.load(Ordering::Relaxed)
}

/// Where the dynamic linker's code begins and ends, and [code that returns](arch::framed::RETURN) in it; 0 where there is none.
static LINKER: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

/// From here on, entries find the program by `to_program`, calls of the dynamic linker's return through its code, and others by ways
/// that `find_way` finds.
pub fn begin(to_program: ToProgram, linker: Option<ReturnsThrough>, find_way: FindWay) {
    if let Some(linker) = linker {
        let words = [linker.code.start, linker.code.end, linker.through];
        for (place, word) in LINKER.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
    }
    FIND_WAY.store(find_way as usize, Ordering::Relaxed);
    TO_PROGRAM.store(to_program as usize, Ordering::Release);
}

/// An entry of ours was called, and is to call its function. Returns how.
///
/// # Safety
/// `entry` is the address of an entry.
unsafe extern "C" fn begin_call(call: &mut Call, entry: usize) -> Kind {
    let index = (entry - (&raw const ENTRIES).addr()) / ENTRY_BYTES;
    call.target = TARGETS[index].load(Ordering::Relaxed);
    let to_program = TO_PROGRAM.load(Ordering::Acquire);
    if to_program == 0 {
        return Kind::Plain;
    }
    // SAFETY: `begin` has stored a function of this type.
    let to_program = unsafe { transmute::<usize, ToProgram>(to_program) };
    if !to_program(&mut call.state) {
        return Kind::Plain;
    }
    call.record = [call.state.frame_pointer, call.state.return_address];
    let [from, to, through] = LINKER.each_ref().map(|word| word.load(Ordering::Relaxed));
    if (from..to).contains(&call.state.return_address) {
        call.through = through;
        return Kind::Through;
    }
    let begins = BEGINS.load(Ordering::Relaxed);
    if begins == 0 {
        return Kind::Framed;
    }
    // A return address stands behind the instruction that it is about.
    let Answer::Object(object) = linker::find(call.state.return_address.wrapping_sub(1)) else {
        return Kind::Framed;
    };
    if !is_announcing(&object) {
        // SAFETY: `begin` has stored a function of this type.
        let find_way = unsafe { transmute::<usize, FindWay>(FIND_WAY.load(Ordering::Relaxed)) };
        let Some(way) = find_way(call.state.return_address, &object) else {
            return Kind::Framed;
        };
        call.through = way.through;
        call.record[1] = way.bytes;
        return Kind::ThroughFrame;
    }
    // SAFETY: ThreadSanitizer's function, which takes a return address. It may be called here: the code that has called the hook
    // calls it, too.
    unsafe { transmute::<usize, extern "C" fn(usize)>(begins)(call.state.return_address) };
    Kind::Announced
}

/// A function that was called by an entry has returned.
extern "C" fn end_call() {
    // SAFETY: ThreadSanitizer's function, which was found together with that for the begin.
    unsafe { transmute::<usize, extern "C" fn()>(ENDS.load(Ordering::Relaxed))() };
}

/// What is known of some objects: their base addresses, which are multiples of a page's size, with these flags.
static KNOWN: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];
const IS_KNOWN: usize = 1;
const ANNOUNCES: usize = 2;

/// Whether the code of an object says where its functions begin. Other code may run where ThreadSanitizer knows nothing of the
/// thread, and would crash if it were called.
fn is_announcing(object: &Object) -> bool {
    let known = KNOWN.iter().map(|entry| entry.load(Ordering::Relaxed));
    let base = object.base();
    match { known }.find(|known| known & IS_KNOWN != 0 && known & !(IS_KNOWN | ANNOUNCES) == base) {
        Some(known) => known & ANNOUNCES != 0,
        None => look_at(object),
    }
}

#[cold]
fn look_at(object: &Object) -> bool {
    let announces = Tables::of(object).is_some_and(|tables| tables.needs(FUNCTION_BEGINS.text()));
    let flags = IS_KNOWN | if announces { ANNOUNCES } else { 0 };
    // Where there is no room, it is looked at again.
    if let Some(free) = KNOWN
        .iter()
        .find(|entry| entry.load(Ordering::Relaxed) == 0)
    {
        free.store(object.base() | flags, Ordering::Relaxed);
    }
    announces
}
