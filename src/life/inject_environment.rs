//! Changes the environments of programs that are started. Weir's library is removed from LD_PRELOAD for programs that
//! cannot load it ([`programs`]). It is added, with the settings, if it is missing and the user wants that
//! ([`weir_record::settings::FOLLOW`]).
//!
//! An environment that is not the process's own may be invalid. So it is read through the kernel, which reports
//! unreadable memory. Nothing may be allocated from the program's heap here, and a child of vfork runs on its parent's
//! stack.

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
mod rooms;
mod without_us;

use entries::Found;
use rooms::Room;
pub use rooms::{begin_vfork, forked};

type Strings = *const *const c_char;

const POINTER: usize = size_of::<*const c_char>();
const PRELOAD: &[u8] = b"LD_PRELOAD=";
const ASAN_OPTIONS: &[u8] = b"ASAN_OPTIONS=";

/// Calls `start` with what is known of a program, and with this environment, changed if the program needs that. In most
/// cases it is unchanged.
#[inline(always)]
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
    let changed = if sys::is_sealed() {
        let changed = for_a_sandbox(environment);
        if changed.is_some() {
            known.preload = Preload::Filtered;
        }
        changed
    } else {
        change(&mut known, environment)
    };
    let Some(room) = changed else {
        return start(&known, environment);
    };
    let result = start(&known, room.start());
    sys::with_errno_kept(|| room.give_back());
    result
}

/// Examines a program and its environment. Writes what is known of the program into `known`. Returns the new
/// environment, if it must change.
#[inline(never)]
fn change(known: &mut Start, environment: Strings) -> Option<Room> {
    let mut room = None;
    // The thread's stack may be small, and this builds paths.
    let look = || {
        if let Some(change) = change_for(known, environment) {
            room = Room::new(change.bytes());
            if let Some(room) = &room {
                // SAFETY: the room has the size that the change needs; the entries have just been read.
                unsafe { change.make(room.start()) };
            }
        }
    };
    sys::with_errno_kept(|| sys::on_ready_stack_if_possible(look));
    room
}

/// A change of an environment.
struct Change {
    environment: Strings,
    /// How many entries the environment has.
    entries: usize,
    what: What,
}

enum What {
    /// Adds entries: the first ones of the array, and how many they are.
    Add([*const c_char; Additions::MOST], usize),
    /// Removes our library from these entries.
    Withhold(Found),
}

/// A seccomp filter also applies to the new program. It may end the program for the system calls of Weir's start, so
/// the library is removed. This makes no system call either. So it reads the process's own environment only, and works
/// on the thread's stack, which may be small.
#[cold]
#[inline(never)]
fn for_a_sandbox(environment: Strings) -> Option<Room> {
    let is_filtered = process::header().is_some_and(|header| header.has(Circumstance::Sealed));
    if !is_filtered || !entries::is_own(environment) {
        return None;
    }
    // SAFETY: the C library's own list of strings, which NULL ends. The room has `size` bytes.
    unsafe {
        let size = without_us::size(environment)?;
        let room = Room::for_a_sandbox(size.bytes())?;
        let is_preload = |place| without_us::preload(*environment.add(place)).is_some();
        without_us::write(environment, size, is_preload, room.start());
        Some(room)
    }
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
        false if found.has(0) => Preload::OfOthers,
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

/// Whether AddressSanitizer's options say that its library need not be the first. The last such option decides.
fn need_not_be_first(found: &Found) -> bool {
    let Some(options) = found.value(ASAN_OPTIONS) else {
        return false;
    };
    let separates = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b',');
    let mut values = options
        .split(separates)
        .filter_map(|option| option.strip_prefix(b"verify_asan_link_order="));
    let no: [&[u8]; 3] = [b"0", b"no", b"false"];
    values.next_back().is_some_and(|last| no.contains(&last))
}

/// Returns what an environment lacks.
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
    /// How many bytes the new environment needs.
    fn bytes(&self) -> usize {
        match &self.what {
            What::Add(_, count) => (self.entries + count + 1) * POINTER,
            What::Withhold(found) => found.size_without_us().bytes(),
        }
    }

    /// # Safety
    /// `array` has room for [`Change::bytes`] bytes; the entries can be read.
    unsafe fn make(&self, array: *mut *const c_char) {
        // SAFETY: the caller guarantees the room and the entries.
        unsafe {
            match &self.what {
                What::Add(additions, count) => {
                    if self.entries > 0 {
                        array.copy_from_nonoverlapping(self.environment, self.entries);
                    }
                    let after = array.add(self.entries);
                    after.copy_from_nonoverlapping(additions.as_ptr(), *count);
                    after.add(*count).write(ptr::null());
                }
                What::Withhold(found) => {
                    let is_preload = |place| found.is_preload(place);
                    let size = found.size_without_us();
                    without_us::write(self.environment, size, is_preload, array);
                }
            }
        }
    }
}
