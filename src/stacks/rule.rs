//! How to get from a return address to the caller, in thirty bits.

use super::call_frames::{Cfa, Row, Saved};
use crate::arch::unwinding::{
    CFA_UNIT, FRAME_POINTER, RETURN_ADDRESS_AT, STACK_POINTER, address_of_code,
};

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Where the caller's registers are.
    Step(Step),
    /// There is no caller.
    Outermost,
    /// The kernel called a signal handler here.
    SignalFrame,
    /// What the unwind information says does not fit in: it has to be read again.
    ReadAgain,
    /// Nothing is known of the code.
    UnknownCode,
    /// The code's rule is not one that is followed.
    UnknownRule,
}

/// What the canonical frame address is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The stack pointer.
    Stack,
    /// The frame pointer.
    Frame,
    /// The word at an offset from the frame pointer.
    Word,
}

/// Where the caller's registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the canonical frame address, which is the caller's stack pointer, is computed from.
    pub base: Base,
    /// How many bytes it is from there; with [`Base::Word`], how many bytes the word is from the frame pointer.
    pub offset: i32,
    /// Where the caller's frame pointer is, in bytes from the canonical frame address (with [`Base::Word`], from the frame
    /// pointer); none where it is still in its register.
    pub frame_pointer_at: Option<i32>,
    /// Where the return address is, in bytes from the canonical frame address; none where it is still in its register.
    pub return_address_at: Option<i32>,
}

impl Step {
    /// The step that a row of unwind information describes; none where it is another kind of step.
    fn of(row: &Row) -> Option<Step> {
        let (base, offset) = match row.cfa {
            Cfa::Register(STACK_POINTER, offset) => (Base::Stack, offset),
            Cfa::Register(FRAME_POINTER, offset) => (Base::Frame, offset),
            Cfa::Word(FRAME_POINTER, offset) => (Base::Word, offset),
            _ => return None,
        };
        let frame_pointer_at = match (row.frame_pointer, base) {
            (Saved::Same, _) => None,
            (Saved::AtCfa(offset), Base::Stack | Base::Frame) => Some(offset),
            (Saved::At(FRAME_POINTER, offset), Base::Word) => Some(offset),
            _ => return None,
        };
        let return_address_at = match row.return_address {
            Saved::AtCfa(offset) => Some(offset),
            Saved::Same if RETURN_ADDRESS_AT.is_none() => None,
            _ => return None,
        };
        Some(Step {
            base,
            offset,
            frame_pointer_at,
            return_address_at,
        })
    }
}

/// A rule, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(u32);

/// Bits of a rule.
pub const BITS: u32 = 30;

const WORD: i32 = 8;
/// What is left of the bits: one marks a step, one our own code, two the base.
const OFFSET_BITS: u32 = 13;
const SAVED_BITS: u32 = 13;
const OURS: u32 = 1 << (BITS - 1);
const IS_STEP: u32 = 1 << (BITS - 2);
const BASE_SHIFT: u32 = OFFSET_BITS + SAVED_BITS;
const _: () = assert!(BASE_SHIFT + 2 == BITS - 2);
/// Of an architecture whose functions choose the place of the return address: whether the frame pointer stands in front of it.
const WITH_FRAME_POINTER: u32 = 1 << (SAVED_BITS - 1);

impl Rule {
    /// The rule for what unwind information says; `is_ours`: the code is Weir's own.
    pub fn of(row: Option<Row>, is_ours: bool) -> Rule {
        let says = match row {
            None => Says::UnknownCode,
            Some(row) if row.is_signal_frame => Says::SignalFrame,
            Some(row) if row.return_address == Saved::Undefined => Says::Outermost,
            Some(row) => match Step::of(&row) {
                None => Says::UnknownRule,
                Some(step) => match pack(step) {
                    Some(packed) => return Rule(packed | if is_ours { OURS } else { 0 }),
                    None => Says::ReadAgain,
                },
            },
        };
        let number = match says {
            Says::Outermost => 1,
            Says::SignalFrame => 2,
            Says::ReadAgain => 3,
            Says::UnknownRule => 4,
            Says::UnknownCode | Says::Step(_) => 5,
        };
        Rule(number | if is_ours { OURS } else { 0 })
    }

    /// A rule of these bits.
    #[inline(always)]
    pub fn from_bits(bits: u32) -> Rule {
        Rule(bits)
    }

    /// Its bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether the code is Weir's own.
    #[inline(always)]
    pub fn is_ours(self) -> bool {
        self.0 & OURS != 0
    }

    /// What it says.
    #[inline(always)]
    pub fn says(self) -> Says {
        if self.0 & IS_STEP != 0 {
            return Says::Step(unpack(self.0));
        }
        match self.0 & !OURS {
            1 => Says::Outermost,
            2 => Says::SignalFrame,
            3 => Says::ReadAgain,
            4 => Says::UnknownRule,
            _ => Says::UnknownCode,
        }
    }
}

/// The step that a row describes, where a rule says that it has to be read again.
pub fn step_of(row: Option<Row>) -> Option<Step> {
    Step::of(&row?)
}

/// A whole number of units that fits in so many bits; what is packed is a distance, which has one sign for each base.
fn units(bytes: i32, unit: i32, bits: u32) -> Option<u32> {
    let number = u32::try_from(bytes).ok()? / unit.cast_unsigned();
    (bytes % unit == 0 && number < 1 << bits).then_some(number)
}

fn pack(step: Step) -> Option<u32> {
    let (base, distance) = match step.base {
        Base::Stack => (0, step.offset),
        Base::Frame => (1, step.offset),
        Base::Word => (2, step.offset.checked_neg()?),
    };
    let unit = if base == 2 { WORD } else { CFA_UNIT };
    let offset = units(distance, unit, OFFSET_BITS)?;
    let saved = match RETURN_ADDRESS_AT {
        // One more than the distance, so that 0 is none.
        Some(at) => {
            if step.return_address_at != Some(at) {
                return None;
            }
            match step.frame_pointer_at {
                None => 0,
                Some(place) if base == 2 => 1 + units(place, WORD, SAVED_BITS - 1)?,
                Some(place) => 1 + units(place.checked_neg()?, WORD, SAVED_BITS - 1)?,
            }
        }
        None => {
            let distance = match step.return_address_at {
                None => 0,
                Some(at) => units(at.checked_neg()?, WORD, SAVED_BITS - 1)?,
            };
            match step.frame_pointer_at {
                None => distance,
                Some(place) if distance != 0 && Some(place + WORD) == step.return_address_at => {
                    distance | WITH_FRAME_POINTER
                }
                Some(_) => return None,
            }
        }
    };
    Some(IS_STEP | base << BASE_SHIFT | offset << SAVED_BITS | saved)
}

#[inline(always)]
fn unpack(bits: u32) -> Step {
    let offset = (bits >> SAVED_BITS & ((1 << OFFSET_BITS) - 1)).cast_signed();
    let saved = bits & ((1 << SAVED_BITS) - 1);
    let (base, offset) = match bits >> BASE_SHIFT & 3 {
        0 => (Base::Stack, offset * CFA_UNIT),
        1 => (Base::Frame, offset * CFA_UNIT),
        _ => (Base::Word, -offset * WORD),
    };
    let (frame_pointer_at, return_address_at) = match RETURN_ADDRESS_AT {
        Some(at) => {
            let distance = saved.cast_signed() - 1;
            let place = match base {
                Base::Word => distance * WORD,
                Base::Stack | Base::Frame => -distance * WORD,
            };
            ((saved != 0).then_some(place), Some(at))
        }
        None => {
            let at = -(saved & !WITH_FRAME_POINTER).cast_signed() * WORD;
            (
                (saved & WITH_FRAME_POINTER != 0).then_some(at - WORD),
                (at != 0).then_some(at),
            )
        }
    };
    Step {
        base,
        offset,
        frame_pointer_at,
        return_address_at,
    }
}

/// A return address as it stands in memory, without what the processor has put into it.
#[inline(always)]
pub fn plain(stored: usize) -> usize {
    address_of_code(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cfa: Cfa, frame_pointer: Saved, return_address: Saved) -> Row {
        Row {
            cfa,
            frame_pointer,
            return_address,
            is_signal_frame: false,
        }
    }

    /// What rows are packed and unpacked again as they were, or have to be read again.
    #[test]
    fn what_is_packed_is_unpacked() {
        let at = RETURN_ADDRESS_AT.unwrap_or(-8);
        for offset in (CFA_UNIT..200_000).step_by(CFA_UNIT as usize) {
            for register in [STACK_POINTER, FRAME_POINTER] {
                for saved in [Saved::Same, Saved::AtCfa(at - 8), Saved::AtCfa(-4000)] {
                    let row = row(Cfa::Register(register, offset), saved, Saved::AtCfa(at));
                    let rule = Rule::of(Some(row), offset % 32 == 0);
                    assert_eq!(rule.is_ours(), offset % 32 == 0);
                    match rule.says() {
                        Says::Step(step) => assert_eq!(Some(step), Step::of(&row)),
                        Says::ReadAgain => {
                            assert!(
                                offset >= CFA_UNIT << OFFSET_BITS || saved == Saved::AtCfa(-4000)
                            );
                        }
                        other => panic!("{other:?} of {row:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_step_is_reported() {
        let cfa = Cfa::Register(STACK_POINTER, 16);
        let says = |row: Option<Row>| Rule::of(row, false).says();
        assert_eq!(says(None), Says::UnknownCode);
        let outermost = row(cfa, Saved::Same, Saved::Undefined);
        assert_eq!(says(Some(outermost)), Says::Outermost);
        let signal = Row {
            is_signal_frame: true,
            ..outermost
        };
        assert_eq!(says(Some(signal)), Says::SignalFrame);
        let other = row(Cfa::Other, Saved::Same, Saved::AtCfa(-8));
        assert_eq!(says(Some(other)), Says::UnknownRule);
    }
}
