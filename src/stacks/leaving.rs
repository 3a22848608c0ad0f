//! From code of ours to where the program called it, without what a thread remembers: at any time, in any thread.

use std::ptr;

use super::call_frames::{Cfa, Row, Saved, UnwindTable};
use super::rule::{self, Base, Rule, Says, Step};
use super::{modules, rules};
use crate::arch::State;
use crate::arch::framed::{MOST_BEHIND, RETURN, RETURN_ALIGN, RETURN_TAKES};
use crate::arch::unwinding::{FRAME_POINTER, STACK_POINTER};
use crate::linking::frames::{ReturnsThrough, Way};
use crate::linking::linker::{self, Answer};
use crate::linking::objects::{self, Object};
use crate::linking::symbols::Tables;
use crate::memory::versioned::Versioned;
use crate::sys;

/// How many frames of ours there may be, from a hook to the call of a function behind it.
const MOST_FRAMES: usize = 32;

/// Prepares for [`to_program`]. False where it cannot be. For the start of the process.
pub fn begin() -> bool {
    // Without a table, each rule is read whenever it is needed.
    let _ = rules::begin();
    modules::look_at_own().is_some()
}

/// Changes a state in code of ours to that of the program, which has called it. False, and nothing changed, where it is not in code of
/// ours, or where the way is not known.
///
/// The state is that of a function that has not returned. Between it and the hook, no frame is on another stack.
pub fn to_program(state: &mut State) -> bool {
    let Some(own) = modules::own() else {
        return false;
    };
    let mut here = *state;
    for frames in 0..MOST_FRAMES {
        // A return address stands behind the instruction that it is about.
        let call = here.return_address.wrapping_sub(1);
        if !own.holds(call) {
            *state = here;
            return frames > 0;
        }
        let rule = rules::find(here.return_address).unwrap_or_else(|| {
            // SAFETY: this library stays loaded.
            let row = own
                .unwind_table()
                .and_then(|table| unsafe { table.row(call) });
            let rule = Rule::of(row, true);
            rules::keep(here.return_address, rule);
            rule
        });
        let Says::Step(step) = rule.says() else {
            return false;
        };
        let Some(caller) = caller(&here, step) else {
            return false;
        };
        here = caller;
    }
    false
}

/// The state of the caller of a function of ours.
fn caller(state: &State, step: Step) -> Option<State> {
    let base = match step.base {
        Base::Stack => state.stack_pointer,
        Base::Frame => state.frame_pointer,
        Base::Word => return None,
    };
    let frame = base.wrapping_add_signed(step.offset as isize);
    let word = |at: i32| {
        let place = ptr::with_exposed_provenance::<usize>(frame.wrapping_add_signed(at as isize));
        // SAFETY: unwind information of ours says that the function has stored a register there, in its frame, and it has not
        // returned.
        unsafe { place.read() }
    };
    Some(State {
        return_address: rule::plain(word(step.return_address_at?)),
        stack_pointer: frame,
        frame_pointer: step.frame_pointer_at.map_or(state.frame_pointer, word),
        link: 0,
    })
}

/// The dynamic linker's code, and a piece of it that returns. None where it has none whose unwind information can be followed. For the
/// start of the process.
pub fn linker() -> Option<ReturnsThrough> {
    let is_linker = |object: &Object| {
        Tables::of(object).is_some_and(|tables| tables.soname().starts_with(b"ld-linux"))
    };
    let known = modules::look_at(&objects::all().find(is_linker)?)?;
    let (takes, is_with_frame_pointer) = RETURN_TAKES;
    let expected = Row {
        cfa: Cfa::Register(STACK_POINTER, takes),
        frame_pointer: match is_with_frame_pointer {
            true => Saved::AtCfa(-takes),
            false => Saved::Same,
        },
        return_address: Saved::AtCfa(-8),
        is_signal_frame: false,
    };
    let table = known.unwind_table()?;
    // SAFETY: the linker stays loaded. Where its unwind information says something of, there is code.
    let is_as_expected = |at: usize| unsafe { table.row(at) } == Some(expected);
    // As a return address, it is looked up by the instruction before it.
    let is_it = |&at: &usize| is_return(at) && is_as_expected(at - 1) && is_as_expected(at);
    let code = known.code();
    let places = code.clone().step_by(RETURN_ALIGN).skip(1);
    let within = places.take_while(|at| at + RETURN.len() <= code.end);
    let through = { within }.find(is_it)?;
    Some(ReturnsThrough { code, through })
}

/// Whether the code at an address returns. The address is in an object's code, which can be read.
fn is_return(at: usize) -> bool {
    let place = ptr::with_exposed_provenance::<[u8; RETURN.len()]>(at);
    // SAFETY: within an object's code, as the callers ensure.
    unsafe { place.read() == *RETURN }
}

/// The ways that were found: the return address, the base of its object, the code that returns, and the bytes there.
static WAYS: [Versioned<4>; 256] = [const { Versioned::new() }; 256];

/// How the function behind a hook can return through the function that has called the hook, or if that has no code that returns,
/// through one behind it in the same object. At any time, in any thread; the object stays loaded, as its function is at work.
pub fn way(return_address: usize, object: &Object) -> Option<Way> {
    if MOST_BEHIND == 0 {
        return None;
    }
    let kept = &WAYS[return_address % WAYS.len()];
    if let Some([address, base, through, bytes]) = kept.get()
        && (address, base) == (return_address, object.base())
        && (through == 0 || is_still_return(through, base))
    {
        return (through != 0).then_some(Way { through, bytes });
    }
    let found = find_way(return_address, object);
    let (through, bytes) = found
        .as_ref()
        .map_or((0, 0), |way| (way.through, way.bytes));
    kept.try_set([return_address, object.base(), through, bytes]);
    found
}

/// Whether code that was found in an object returns: another object may be at its place now.
fn is_still_return(at: usize, base: usize) -> bool {
    matches!(linker::find(at), Answer::Object(object) if object.base() == base) && is_return(at)
}

#[cold]
fn find_way(return_address: usize, object: &Object) -> Option<Way> {
    /// How much code behind the function is searched, in bytes.
    const FURTHER: usize = 1 << 16;
    if sys::is_sealed() {
        // To look at an object takes system calls.
        return None;
    }
    let code = modules::code_around(object, return_address - 1)?;
    let table = modules::look_at(object)?.unwind_table();
    if table.as_ref().is_some_and(|table| !table.is_searchable()) {
        return None;
    }
    // SAFETY: the object stays loaded.
    let function = table
        .as_ref()
        .and_then(|table| unsafe { table.function(return_address - 1) });
    let (from, to) = match &function {
        Some(function) => (
            function.code.start.max(code.start),
            function.code.end.min(code.end),
        ),
        None => (return_address, return_address),
    };
    let further = to.saturating_add(FURTHER).min(code.end);
    let at = |at: usize| {
        let fits = at + RETURN.len() <= code.end && is_return(at);
        let bytes = fits.then(|| match (&function, &table) {
            (Some(_), Some(table)) => bytes_at(table, at),
            // An unwinder ends there, as it would at the call.
            _ => Some(FEWEST_BEHIND),
        });
        Some(Way {
            through: at,
            bytes: bytes.flatten()?,
        })
    };
    // The nearest behind the call, whose line is the nearest, too.
    let behind = return_address + 1..to;
    let before = from + 1..return_address;
    { behind }.chain(before).chain(to + 1..further).find_map(at)
}

/// The fewest bytes of the stack that an unwinder takes where code returns: the return address.
const FEWEST_BEHIND: usize = size_of::<usize>();

/// How many bytes of the stack an unwinder takes at this return address, where code returns. None where an entry cannot provide them.
fn bytes_at(table: &UnwindTable, at: usize) -> Option<usize> {
    // SAFETY: the object stays loaded.
    let (function, row) = unsafe { (table.function(at - 1)?, table.row(at - 1)?) };
    // Where it has handlers, each place at which a call returns is listed. At others a program is ended.
    if function.has_handlers || row.return_address != Saved::AtCfa(-8) || row.is_signal_frame {
        return None;
    }
    let bytes = match row.cfa {
        Cfa::Register(STACK_POINTER, bytes) => usize::try_from(bytes).ok()?,
        // The entry has the frame pointer lead to the second word.
        Cfa::Register(FRAME_POINTER, 16) => 24,
        _ => return None,
    };
    let fits = (FEWEST_BEHIND..=MOST_BEHIND).contains(&bytes) && bytes.is_multiple_of(8);
    fits.then_some(bytes)
}
