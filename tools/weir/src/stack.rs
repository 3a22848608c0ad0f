//! A stack that is large enough with any `ulimit -s`: that limit is for the program that weir runs.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::process::{Resource, getrlimit};

use crate::arch;

/// As much as there mostly is. What is not touched takes no memory.
pub const BYTES: usize = 8 * 1024 * 1024;

/// What is left free above the first frame. Who walks the stack, as a panic does to show where it came from, takes it for the
/// frame of [`on_another`], and finds its return address to be 0, with which a stack ends.
const ABOVE: usize = 4096;

struct Call<F, T> {
    work: Option<F>,
    result: Option<Result<T, Box<dyn Any + Send>>>,
}

/// Does `work` on such a stack, which the present one is where it may grow so far; on the present one, too, where there is no
/// memory for another.
#[inline(never)] // So that its frame is small.
pub fn on_a_large_one<T, F: FnOnce() -> T>(work: F) -> T {
    // None is without limit.
    if getrlimit(Resource::Stack)
        .current
        .is_none_or(|limit| limit >= BYTES as u64)
    {
        return work();
    }
    on_another(work)
}

#[inline(never)]
fn on_another<T, F: FnOnce() -> T>(work: F) -> T {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, wherever the kernel has room.
    let Ok(stack) = (unsafe { mmap_anonymous(ptr::null_mut(), BYTES, access, flags) }) else {
        return work();
    };
    let mut call = Call {
        work: Some(work),
        result: None,
    };
    // SAFETY: the top is a multiple of 16. `carry_out` takes the call, returns, and does not unwind; the mapping and the call
    // outlive it.
    unsafe {
        arch::call_on_stack(
            stack.byte_add(BYTES - ABOVE),
            carry_out::<T, F>,
            (&raw mut call).cast(),
        );
        // Nothing on it is in use any more.
        let _ = munmap(stack, BYTES);
    }
    match call.result {
        Some(Ok(result)) => result,
        Some(Err(panic)) => resume_unwind(panic),
        None => unreachable!("the work was carried out"),
    }
}

extern "C" fn carry_out<T, F: FnOnce() -> T>(call: *mut c_void) {
    // SAFETY: the `call` of above, which nobody else uses meanwhile.
    let call = unsafe { &mut *call.cast::<Call<F, T>>() };
    if let Some(work) = call.work.take() {
        call.result = Some(catch_unwind(AssertUnwindSafe(work)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_there_comes_back() {
        let text = String::from("text");
        assert_eq!(
            on_another(|| text.len() + std::hint::black_box([0_u8; 1 << 20]).len()),
            4 + (1 << 20)
        );
        let panicked = catch_unwind(|| on_another(|| -> u32 { panic!("on purpose") }));
        assert!(panicked.is_err());
    }
}
