//! The loaded objects whose code is in the stacks: where each begins and ends, its unwind information, and its entry in the region.
//!
//! The dynamic linker says in which object an address is (`_dl_find_object`, glibc 2.35: without a lock, and safe in a signal
//! handler). Older ones are asked by their list of objects, which is read through the kernel. What is known of an object is kept,
//! and checked against what the linker says now: an object may have gone without a hook of ours (the C library's own dlclose), and
//! another may be at its place. To add an object takes system calls; so a process that seals itself looks at all of them before.

use std::ffi::CStr;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_record::region::MAX_MODULES;
use weir_record::stacks::{Module, Place};

use super::call_frames::UnwindTable;
use super::python;
use crate::environment;
use crate::linking::linker::{self, Answer};
use crate::linking::objects::{self, Object};
use crate::memory::versioned::Versioned;
use crate::process::{self, copied};
use crate::region::mapping;
use crate::sys::{self, Turn};

/// A loaded object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Addresses less those of its file.
    pub base: usize,
    /// Where its code begins.
    from: usize,
    /// Where its code ends.
    to: usize,
    /// Where its unwind information begins; 0 where it has none.
    unwind: usize,
    /// Where the segment begins that holds it.
    unwind_start: usize,
    /// Where that ends.
    unwind_end: usize,
    /// Number of its entry in the region.
    entry: usize,
}

impl Known {
    /// Its unwind information.
    pub fn unwind_table(&self) -> Option<UnwindTable> {
        (self.unwind != 0).then_some(UnwindTable {
            header: self.unwind,
            start: self.unwind_start,
            end: self.unwind_end,
        })
    }

    /// Where its code begins and ends.
    pub fn code(&self) -> Range<usize> {
        self.from..self.to
    }

    /// Whether an address is in its code.
    pub fn holds(&self, address: usize) -> bool {
        (self.from..self.to).contains(&address)
    }

    /// Whether it is this library.
    pub fn is_ours(&self) -> bool {
        self.holds(Known::is_ours as *const () as usize)
    }

    /// Where a return address is in it.
    pub fn place(&self, address: usize) -> Place {
        Place {
            module: u32::try_from(self.entry).ok(),
            offset: address.wrapping_sub(self.base) as u64,
            is_interpreter: python::is_interpreter(address),
        }
    }
}

/// An entry of the list.
struct Entry(Versioned<7>);

impl Entry {
    const fn new() -> Entry {
        Entry(Versioned::new())
    }

    fn get(&self) -> Option<Known> {
        let [base, from, to, unwind, unwind_start, unwind_end, entry] = self.0.get()?;
        Some(Known {
            base,
            from,
            to,
            unwind,
            unwind_start,
            unwind_end,
            entry,
        })
    }

    /// For whoever is alone at work on the list.
    fn set(&self, known: Known) {
        let Known {
            base,
            from,
            to,
            unwind,
            unwind_start,
            unwind_end,
            entry,
        } = known;
        self.0
            .set([base, from, to, unwind, unwind_start, unwind_end, entry]);
    }
}

static LIST: [Entry; MAX_MODULES] = [const { Entry::new() }; MAX_MODULES];
/// How many entries of the list have been used.
static USED: AtomicUsize = AtomicUsize::new(0);
/// How many entries of the region have their memory.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// One thread changes the list at a time.
static CHANGING: Turn = Turn::new();

/// A new region: it has no entry yet.
pub fn begin() {
    CHANGING.forget();
    MADE.store(0, Ordering::Relaxed);
    forget();
}

/// Forgets where the objects are: some have gone, or the region is another.
pub fn forget() {
    python::leave();
    for entry in used() {
        if entry.get().is_none_or(|known| known.to != 0) {
            entry.set(Known::default());
        }
    }
}

fn used() -> &'static [Entry] {
    &LIST[..USED.load(Ordering::Acquire).min(MAX_MODULES)]
}

/// What is known of the code at an address.
#[derive(Clone, Copy, Debug)]
pub enum Code {
    /// It is of this object.
    Of(Known),
    /// It is of no loaded object.
    OfNone,
    /// It cannot be found out now.
    NotKnown,
}

/// Of which loaded object the code at an address is.
pub fn around(address: usize) -> Code {
    let found = match linker::find(address) {
        Answer::Object(object) => object,
        Answer::NoObject => return Code::OfNone,
        // Nobody can be asked: what is known has to do. To look at the linker's list takes system calls.
        Answer::Unknown if sys::is_sealed() => {
            return known(address).map_or(Code::NotKnown, Code::Of);
        }
        Answer::Unknown => match objects::around(address) {
            Some(object) => object,
            None => return Code::OfNone,
        },
    };
    match known(address) {
        Some(known) if known.base == found.base() => Code::Of(known),
        _ => add_found(found, address),
    }
}

fn known(address: usize) -> Option<Known> {
    used()
        .iter()
        .filter_map(Entry::get)
        .find(|known| known.holds(address))
}

/// Adds the object that the code at an address is of.
#[cold]
#[inline(never)]
fn add_found(object: Object, address: usize) -> Code {
    if sys::is_sealed() {
        return Code::NotKnown;
    }
    let change = || {
        for entry in used() {
            let is_stale = |known: Known| known.holds(address) && known.base != object.base();
            if entry.get().is_some_and(is_stale) {
                entry.set(Known::default());
            }
        }
        let found = known(address).or_else(|| add(object, address));
        Some(found.map_or(Code::OfNone, Code::Of))
    };
    let found = sys::with_signals_blocked(|| CHANGING.with(change));
    found.unwrap_or(Code::NotKnown)
}

/// Finds all loaded objects, because none can be looked for later.
pub fn look_at_all() {
    objects::each_now(|object| {
        if let Some((known, _)) = segments_of(&object) {
            let _ = around(known.from);
        }
        true
    });
}

/// The segment of an object's code with this address, if it can be read.
pub fn code_around(object: &Object, address: usize) -> Option<Range<usize>> {
    let base = object.base();
    let segments = object.segments().or_else(|| program_segments(base))?;
    let can_be_read = libc::PF_X | libc::PF_R;
    let code = segments
        .iter()
        .filter(|of| of.p_type == libc::PT_LOAD && of.p_flags & can_be_read == can_be_read);
    let places = code.map(|of| {
        let from = base.wrapping_add(of.p_vaddr as usize);
        from..from.wrapping_add(of.p_memsz as usize)
    });
    { places }.find(|place| place.contains(&address))
}

/// This library, as [`look_at_own`] has found it.
static OWN: Entry = Entry::new();

/// Looks at this library. For the start of the process.
pub fn look_at_own() -> Option<()> {
    OWN.set(look_at(&objects::ours()?)?);
    Some(())
}

/// An object, without an entry in the region. For the start of the process.
pub fn look_at(object: &Object) -> Option<Known> {
    segments_of(object).map(|(known, _)| known)
}

/// This library, as [`look_at_own`] has found it. It has no entry in the region here.
pub fn own() -> Option<Known> {
    OWN.get()
}

/// Adds an object to the list, if an address is in its code.
fn add(object: Object, address: usize) -> Option<Known> {
    let (mut known, build_id) = segments_of(&object)?;
    if !known.holds(address) {
        return None;
    }
    known.entry = entry_of(&object, &known, build_id)?;
    python::meet(&object);
    let used = USED.load(Ordering::Relaxed);
    let free = LIST[..used.min(MAX_MODULES)]
        .iter()
        .find(|entry| entry.get().is_some_and(|known| known.to == 0));
    match free {
        Some(entry) => entry.set(known),
        None => {
            LIST.get(used)?.set(known);
            USED.store(used + 1, Ordering::Release);
        }
    }
    Some(known)
}

/// The number of the object's entry in the region: that of an object which is, or was, at the same place by the same name, or a
/// new one.
fn entry_of(object: &Object, known: &Known, build_id: &[u8]) -> Option<usize> {
    let region = process::mapped_region()?;
    let header = region.header;
    // A child that no hook has seen yet adds nothing to its parent's region, and may read of more entries there than it has memory for.
    if copied::is_copy() == Some(true) {
        return None;
    }
    let used = header.modules_used();
    let mut path = [0; 456];
    let path = path_of(object, &mut path);
    let is_it = |module: &Module| {
        module.base.load(Ordering::Relaxed) == known.base as u64
            && module.path.bytes().eq(path.iter().copied())
            && module.build_id().eq(build_id.iter().copied())
    };
    if let Some(index) = region.modules().iter().position(is_it) {
        return Some(index);
    }
    if used >= MADE.load(Ordering::Relaxed) {
        let more = mapping::make_modules(used)?;
        MADE.store(used + more, Ordering::Relaxed);
    }
    let module = region.all_modules().get(used)?;
    module.base.store(known.base as u64, Ordering::Relaxed);
    module.path.set(path);
    module.set_build_id(build_id);
    header.use_modules(used + 1);
    Some(used)
}

/// The path of an object's file. The dynamic linker has none for the program itself.
fn path_of<'b>(object: &Object, buffer: &'b mut [u8; 456]) -> &'b [u8] {
    let mut length = 0;
    let mut keep = |name: &[u8]| {
        length = name.len().min(buffer.len());
        buffer[..length].copy_from_slice(&name[..length]);
    };
    objects::show_name(*object, |name| match name {
        [] => keep(environment::get().executable.as_bytes()),
        name => keep(name),
    });
    &buffer[..length]
}

/// Where an object's code and its unwind information are, and its build id.
fn segments_of(object: &Object) -> Option<(Known, &'static [u8])> {
    const EH_FRAME: u32 = 0x6474_e550; // PT_GNU_EH_FRAME
    let base = object.base();
    let segments = object.segments().or_else(|| program_segments(base))?;
    let at = |segment: &libc::Elf64_Phdr| {
        let from = base.wrapping_add(segment.p_vaddr as usize);
        from..from.wrapping_add(segment.p_memsz as usize)
    };
    let loaded = || segments.iter().filter(|of| of.p_type == libc::PT_LOAD);
    let code = loaded().filter(|of| of.p_flags & libc::PF_X != 0).map(at);
    let (mut from, mut to) = (usize::MAX, 0);
    for part in code {
        from = from.min(part.start);
        to = to.max(part.end);
    }
    let mut known = Known {
        base,
        from,
        to,
        ..Known::default()
    };
    if from >= to {
        return None;
    }
    let unwind = segments.iter().find(|of| of.p_type == EH_FRAME).map(at);
    if let Some(unwind) = unwind
        && let Some(around) = loaded().map(at).find(|of| of.contains(&unwind.start))
    {
        known.unwind = unwind.start;
        (known.unwind_start, known.unwind_end) = (around.start, around.end);
    }
    let notes = segments.iter().filter(|of| of.p_type == libc::PT_NOTE);
    let build_id = notes.map(at).find_map(|notes| {
        let is_loaded = loaded()
            .map(at)
            .any(|of| of.start <= notes.start && notes.end <= of.end);
        // SAFETY: a part of a segment of the object, which is loaded.
        is_loaded
            .then(|| unsafe { build_id_in(notes.start, notes.len()) })
            .flatten()
    });
    Some((known, build_id.unwrap_or_default()))
}

/// The program's own segments, where its addresses are fixed.
fn program_segments(base: usize) -> Option<&'static [libc::Elf64_Phdr]> {
    let (at, count) = environment::get().program_headers;
    if base != 0 || at == 0 {
        return None;
    }
    // SAFETY: where the kernel says that they are, for as long as the program runs.
    Some(unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(at), count) })
}

/// The build id among notes (`NT_GNU_BUILD_ID`; elf.h).
///
/// # Safety
/// So many bytes can be read there, and stay.
unsafe fn build_id_in(start: usize, bytes: usize) -> Option<&'static [u8]> {
    const BUILD_ID: u32 = 3;
    const HEAD: usize = 12;
    // SAFETY: as the caller promises.
    let notes: &'static [u8] =
        unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(start), bytes) };
    let mut rest = notes;
    loop {
        let head: &[u8; HEAD] = rest.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
        let (name_bytes, bytes, kind) = (word(0) as usize, word(4) as usize, word(8));
        let name = rest.get(HEAD..HEAD.checked_add(name_bytes)?)?;
        let from = HEAD.checked_add(name_bytes.checked_next_multiple_of(4)?)?;
        let to = from.checked_add(bytes)?;
        let found = rest.get(from..to)?;
        if kind == BUILD_ID && CStr::from_bytes_with_nul(name) == Ok(c"GNU") {
            return Some(found);
        }
        rest = rest.get(to.checked_next_multiple_of(4)?..)?;
    }
}
