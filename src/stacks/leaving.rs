//! From code of ours to where the program called it, without what a thread remembers: at any time, in any thread.

use std::ptr;

use super::rule::{self, Base, Rule, Says, Step};
use super::{modules, rules};
use crate::arch::State;

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
