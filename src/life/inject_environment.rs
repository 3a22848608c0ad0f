//! Into the environments that programs are given, and out of them: our library is taken out for programs that cannot
//! load it ([`programs`]), and put in, with the settings, where it is lacking and that is wanted
//! ([`weir_record::settings::FOLLOW`]).
//!
//! An environment that is not the process's own may be anything: it is read through the kernel, which tells where
//! there is nothing. Nothing may be allocated here, and a child of vfork is on its parent's stack.

use std::ffi::c_char;
use std::ptr;

use weir_record::region::Circumstance;

use crate::environment::{self, Additions};
use crate::life::{
    programs::{self, Kind, Program},
    starts::{Preload, Start},
};
use crate::process;
use crate::sys::{self, looking};

mod entries;
mod preload;

use entries::Found;

type Strings = *const *const c_char;

/// An environment of so many words is made on the stack.
const MOST_ON_STACK: usize = 256;
const POINTER: usize = size_of::<*const c_char>();
const PRELOAD: &[u8] = b"LD_PRELOAD=";
const ASAN_OPTIONS: &[u8] = b"ASAN_OPTIONS=";

/// Calls `start` with what is known of a program, and with this environment, changed as is right for it; in most cases
/// it is as it was.
pub fn with<T>(
    program: Program,
    environment: Strings,
    start: impl FnOnce(&Start, Strings) -> T,
) -> T {
    let mut known = Start {
        program,
        kind: Kind::Unknown,
        preload: Preload::Given,
    };
    if sys::is_sealed() {
        return match for_a_sandbox(environment) {
            Some(change) => change.with(|environment| start(&known, environment)),
            None => start(&known, environment),
        };
    }
    let mut change = None;
    // The thread's stack may be small, and a program is looked at by its path.
    let look = || prepare(&mut known, environment, &mut change);
    sys::with_errno_kept(|| sys::on_own_stack_if_possible(look));
    match change {
        Some(ref change) => change.with(|environment| start(&known, environment)),
        None => start(&known, environment),
    }
}

/// What is done to an environment.
struct Change {
    environment: Strings,
    /// How many entries it has.
    entries: usize,
    what: What,
}

enum What {
    /// These entries are added.
    Add([*const c_char; Additions::MOST], usize),
    /// Our library is taken out of these entries.
    Withhold(Found),
}

/// A filter of system calls holds in what is executed too, and may end it for what our start asks of the kernel: our library is
/// taken out. No call is made here either, so only the process's own environment is looked at, and one that there is room for
/// on the stack.
#[cold]
#[inline(never)]
fn for_a_sandbox(environment: Strings) -> Option<Change> {
    let is_filtered = process::header().is_some_and(|header| header.has(Circumstance::Sealed));
    let found = entries::look_at_own(environment, &[PRELOAD]).filter(|_| is_filtered)?;
    found.library()?;
    let change = Change {
        environment,
        entries: found.entries,
        what: What::Withhold(found),
    };
    (change.bytes().div_ceil(POINTER) <= MOST_ON_STACK).then_some(change)
}

/// Looks at a program and at its environment, and tells what is known of the one, and what is done to the other, if anything is.
#[inline(never)]
fn prepare(start: &mut Start, environment: Strings, change: &mut Option<Change>) {
    *change = change_for(start, environment);
}

fn change_for(start: &mut Start, environment: Strings) -> Option<Change> {
    let own = environment::get();
    let additions = &own.additions;
    let mut names = [PRELOAD; 2 + Additions::MOST];
    let mut count = 1;
    for (place, (name, _)) in names[1..].iter_mut().zip(additions.all()) {
        *place = name;
        count += 1;
    }
    names[count] = ASAN_OPTIONS;
    let found = entries::look(environment, &names[..=count]);
    let library = found.as_ref().and_then(Found::library);
    let is_given = library.is_some();
    let adds = found.is_some() && !additions.is_empty();
    start.kind = programs::look(start.program);
    let is_out_of_reach = library.is_some_and(preload::is_out_of_reach);
    let found = found?;
    if start.kind == Kind::MustBeFirst && found.has(count) && need_not_be_first(&found) {
        start.kind = Kind::Dynamic;
    }
    start.preload = match is_given {
        true if is_out_of_reach => Preload::OutOfReach,
        true => Preload::Given,
        false => Preload::Lacking,
    };
    let entries = found.entries;
    let what = if start.kind.cannot_load_us() || is_out_of_reach {
        is_given.then_some(What::Withhold(found))
    } else if adds {
        missing(&found, additions, start)
    } else {
        None
    };
    what.map(|what| Change {
        environment,
        entries,
        what,
    })
}

/// Whether AddressSanitizer's options say that it need not be the first: the last word about it is the one that counts.
fn need_not_be_first(found: &Found) -> bool {
    let Some(options) = found.value(ASAN_OPTIONS) else {
        return false;
    };
    let separates = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b',');
    let mut told = options
        .split(separates)
        .filter_map(|option| option.strip_prefix(b"verify_asan_link_order="));
    let no: [&[u8]; 3] = [b"0", b"no", b"false"];
    told.next_back().is_some_and(|last| no.contains(&last))
}

/// What an environment lacks.
fn missing(found: &Found, additions: &Additions, start: &mut Start) -> Option<What> {
    let mut lacking = [ptr::null(); Additions::MOST];
    let mut count = 0;
    for (bit, (name, text)) in additions.all().enumerate() {
        if found.has(1 + bit) {
            continue;
        }
        if name == PRELOAD {
            if preload::is_out_of_reach(&text.to_bytes()[PRELOAD.len()..]) {
                start.preload = Preload::OutOfReach;
                return None;
            }
            start.preload = Preload::Given;
        }
        lacking[count] = text.as_ptr();
        count += 1;
    }
    (count > 0).then_some(What::Add(lacking, count))
}

impl Change {
    /// A small environment is made on the stack, of which it takes little more than it needs; a large one in a mapping of its
    /// own, which a child of vfork that succeeds leaves behind in its parent.
    #[inline(never)]
    fn with<T>(&self, start: impl FnOnce(Strings) -> T) -> T {
        match self.bytes().div_ceil(POINTER) {
            ..=32 => self.with_room::<32, T>(start),
            33..=64 => self.with_room::<64, T>(start),
            65..=128 => self.with_room::<128, T>(start),
            129..=MOST_ON_STACK => self.with_room::<MOST_ON_STACK, T>(start),
            words => self.with_memory(words * POINTER, start),
        }
    }

    /// With room for so many words on the stack.
    #[inline(never)]
    fn with_room<const WORDS: usize, T>(&self, start: impl FnOnce(Strings) -> T) -> T {
        let mut array = [ptr::null::<c_char>(); WORDS];
        // SAFETY: there is room for what is made; the entries have just been read.
        unsafe { self.make(array.as_mut_ptr()) };
        start(array.as_ptr())
    }

    #[inline(never)]
    fn with_memory<T>(&self, bytes: usize, start: impl FnOnce(Strings) -> T) -> T {
        let memory = sys::with_errno_kept(|| sys::Memory::for_the_program(bytes));
        let Some(memory) = memory else {
            return start(self.environment);
        };
        let array: *mut *const c_char = memory.start().cast();
        // SAFETY: as above.
        unsafe { self.make(array) };
        let result = start(array);
        sys::with_errno_kept(|| drop(memory));
        result
    }

    /// How much room is enough.
    fn bytes(&self) -> usize {
        let (more, texts) = match &self.what {
            What::Add(_, count) => (*count, 0),
            What::Withhold(found) => {
                let lengths = found.preloads().map(|(_, text)| text.len() + 1);
                (0, lengths.sum())
            }
        };
        (self.entries + more + 1) * POINTER + texts
    }

    /// # Safety
    /// There are as many bytes as are enough; the entries can be read.
    unsafe fn make(&self, array: *mut *const c_char) {
        // SAFETY: as the caller promises; texts come after the array, which gets no longer.
        unsafe {
            if self.entries > 0 {
                array.copy_from_nonoverlapping(self.environment, self.entries);
            }
            let mut entries = self.entries;
            match &self.what {
                What::Add(additions, count) => {
                    array
                        .add(entries)
                        .copy_from_nonoverlapping(additions.as_ptr(), *count);
                    entries += count;
                }
                What::Withhold(found) => {
                    let mut room = array.add(entries + 1).cast::<u8>();
                    // From the last on, so that those before keep their places.
                    for (place, text) in found.preloads().rev() {
                        match preload::without_ours(text, room) {
                            Some(bytes) => {
                                array.add(place).write(room.cast());
                                room = room.add(bytes);
                            }
                            None => {
                                let after = entries - place - 1;
                                array.add(place).copy_from(array.add(place + 1), after);
                                entries -= 1;
                            }
                        }
                    }
                }
            }
            array.add(entries).write(ptr::null());
        }
    }
}
