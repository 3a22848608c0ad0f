//! The call that a thread is in, so that the report can list calls that have not returned at the end.
//!
//! One word, stored before the real call and cleared after it: two plain stores for a call, and a reader never sees a
//! half-written word. There is one for each thread: if a signal handler makes calls, they overwrite the call that it
//! interrupted. If a jump leaves a call, the call remains here until the thread's next call.

use crate::counter::Counter;
use crate::functions::Function;

/// The function's place plus one, so that zeroes are no call.
const FUNCTION_BITS: u32 = 10;
const FD_BITS: u32 = 19;
const TICK_BITS: u32 = 64 - FUNCTION_BITS - FD_BITS;
/// So many of the lower bits of the ticks are left out: a third of a millisecond, at three ticks to a nanosecond. With what is
/// left, the clock comes round in more than a hundred days.
const TICK_SHIFT: u32 = 20;

/// No descriptor, or one beyond those that there is room for.
const NO_FD: u32 = (1 << FD_BITS) - 1;

const _: () = assert!(Function::COUNT + 1 < 1 << FUNCTION_BITS);

/// The call that a thread is in, if it is in one.
#[derive(Debug)]
#[repr(transparent)]
pub struct InFlight(Counter);

/// A call that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The function.
    pub function: Function,
    /// The descriptor among its arguments.
    pub fd: Option<i32>,
    /// The time-stamp counter when it began, a third of a millisecond too early at most; none where the clock was not read.
    pub began_ticks: Option<u64>,
}

impl InFlight {
    /// A call is about to be made; for the owner. `began_ticks` is 0 where the clock was not read.
    #[inline(always)]
    pub fn begin(&self, function: Function, fd: i32, began_ticks: u64) {
        let fd = fd.cast_unsigned().min(NO_FD);
        let subject = fd << FUNCTION_BITS | (function as u32 + 1);
        let ticks = began_ticks >> TICK_SHIFT << (64 - TICK_BITS);
        self.0.set(ticks | u64::from(subject));
    }

    /// The call has been made, or the thread is in none; for the owner.
    #[inline(always)]
    pub fn end(&self) {
        self.0.set(0);
    }

    /// The call, if there is one. It began after `started_ticks`, when the image did.
    pub fn get(&self, started_ticks: u64) -> Option<Begun> {
        let bits = self.0.get();
        let place = (bits & ((1 << FUNCTION_BITS) - 1)).checked_sub(1)?;
        let function = Function::from_index(usize::try_from(place).ok()?)?;
        let fd = (bits >> FUNCTION_BITS) as u32 & NO_FD;
        let ticks = bits >> (64 - TICK_BITS);
        let steps = ticks.wrapping_sub(started_ticks >> TICK_SHIFT) & ((1 << TICK_BITS) - 1);
        let began = (started_ticks >> TICK_SHIFT).wrapping_add(steps) << TICK_SHIFT;
        Some(Begun {
            function,
            fd: (fd != NO_FD).then_some(fd.cast_signed()),
            began_ticks: (ticks != 0).then_some(began.max(started_ticks)),
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const STEP: u64 = 1 << TICK_SHIFT;

    fn begun(function: Function, fd: i32, started: u64, began: u64) -> Begun {
        let in_flight = InFlight(Counter::new());
        assert_eq!(in_flight.get(started), None);
        in_flight.begin(function, fd, began);
        let begun = in_flight.get(started).expect("a call");
        in_flight.end();
        assert_eq!(in_flight.get(started), None);
        begun
    }

    #[test]
    fn a_call_is_what_it_was_and_began_when_it_did() {
        // After the last start, the clock's bits of the word wrap around.
        for started in [
            1,
            7 * STEP + 5,
            1 << 50,
            (1 << (TICK_BITS + TICK_SHIFT)) - 3,
        ] {
            for after in [0, 1, STEP, 12_345_678_901, 1 << 54] {
                for function in Function::ALL {
                    let began = started + after;
                    let call = begun(function, 7, started, began);
                    assert_eq!((call.function, call.fd), (function, Some(7)));
                    match call.began_ticks {
                        Some(ticks) => {
                            assert!(ticks <= began && began - ticks < STEP, "{started} {after}");
                            assert!(ticks >= started);
                        }
                        None => assert_eq!(began >> TICK_SHIFT & ((1 << TICK_BITS) - 1), 0),
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_room_is_not_known() {
        assert_eq!(begun(Function::Poll, -1, 9, STEP).fd, None);
        assert_eq!(begun(Function::Read, i32::MAX, 9, STEP).fd, None);
        assert_eq!(begun(Function::Read, 0, 9, STEP).fd, Some(0));
        assert_eq!(begun(Function::Read, 400_000, 9, STEP).fd, Some(400_000));
        assert_eq!(begun(Function::Read, 3, 9, 0).began_ticks, None);
    }

    #[test]
    fn any_bits_are_a_call_or_none() {
        for bits in [u64::MAX, 1 << 63, 0x3ff, u64::MAX << FUNCTION_BITS] {
            let in_flight = InFlight(Counter::new());
            in_flight.0.set(bits);
            for started in [0, u64::MAX] {
                let _ = in_flight.get(started);
            }
        }
    }
}
