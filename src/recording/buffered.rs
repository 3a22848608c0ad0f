//! Calls of stdio. Most of them only copy bytes in memory, so a sample of them is timed, as of allocations. When stdio
//! calls the kernel, that is recorded as a call of its own.

use weir_record::counter::{Alone, Shared};
use weir_record::functions::Function;

use super::{Outcome, count_in, pass, settle, sites, slot_or_target, timed};
use crate::life::attach::Target;

/// Makes a call by `next`, and records it as [`Call::make`](super::Call::make) does. `size` is in bytes.
#[inline(always)]
pub fn buffered<R: Copy>(
    function: Function,
    size: usize,
    judge: impl Fn(R) -> Outcome,
    next: impl Fn() -> R,
    then: impl Fn(R),
) -> R {
    let slot = match slot_or_target() {
        Ok(slot) => slot,
        Err(other) => return unseen(other, function, size, judge, next, then),
    };
    count_in::<Alone>(&slot.counters, function, size as u64);
    if slot.countdown.due() {
        let result = timed(next, slot, function, size as u64);
        let outcome = judge(result);
        settle::<Alone>(&slot.counters, function, outcome);
        if slot.countdown.is_every_due() {
            let end = sites::End::of(outcome.moved(), outcome.has_failed());
            sites::count_in_memory(slot, function, size as u64, end);
        }
        then(result);
        return result;
    }
    let result = next();
    settle::<Alone>(&slot.counters, function, judge(result));
    then(result);
    result
}

#[cold]
#[inline(never)]
fn unseen<R: Copy>(
    target: Target,
    function: Function,
    size: usize,
    judge: impl Fn(R) -> Outcome,
    next: impl Fn() -> R,
    then: impl Fn(R),
) -> R {
    let Target::Common(counters) = target else {
        pass(target, function);
        return next();
    };
    count_in::<Shared>(counters, function, size as u64);
    let result = next();
    settle::<Shared>(counters, function, judge(result));
    then(result);
    result
}
