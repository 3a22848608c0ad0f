//! From code of ours to where the program called it, without what a thread remembers: at any time, in any thread.

use std::ptr;

use super::call_frames::{Cfa, Row, Saved};
use super::rule::{self, Base, Rule, Says, Step};
use super::{modules, rules};
use crate::arch::State;
use crate::arch::framed::{RETURN, RETURN_ALIGN, RETURN_TAKES};
use crate::arch::unwinding::STACK_POINTER;
use crate::linking::frames::ReturnsThrough;
use crate::linking::objects::{self, Object};
use crate::linking::symbols::Tables;

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

/// Whether the code at an address of the linker's returns.
fn is_return(at: usize) -> bool {
    let place = ptr::with_exposed_provenance::<[u8; RETURN.len()]>(at);
    // SAFETY: within the linker's code, which can be read.
    unsafe { place.read() == *RETURN }
}
