//! The version of a function that its caller was bound to.
//!
//! The dynamic linker binds all versions of a name to our hook. So the hook looks into the caller's own symbol table: it says in
//! which version the caller needs the name. The caller is the object around the address that the hook returns to.

use std::mem::transmute_copy;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_record::functions::Function;

use super::{next, objects, symbols::Tables};
use crate::sys;

/// The calls, by function and return address, that are known to go to the usual version. To look takes microseconds, and some of
/// these functions are called often. 0 is none.
static USUAL: [AtomicUsize; USUAL_COUNT] = [const { AtomicUsize::new(0) }; USUAL_COUNT];
const USUAL_COUNT: usize = 256;

/// The function behind ours that the caller with this return address was bound to, with its type. The usual version if that is not
/// known.
///
/// # Safety
/// `F` is the type of a pointer to that function.
pub unsafe fn of_caller<F: Copy>(function: Function, return_address: usize) -> F {
    const { assert!(size_of::<F>() == size_of::<NonZeroUsize>()) };
    let address = address_for(function, return_address);
    // SAFETY: `F` is a pointer to that function, as the caller promises.
    unsafe { transmute_copy::<NonZeroUsize, F>(&address) }
}

/// Code has gone: other code may be where it was.
pub fn forget_code() {
    for known in &USUAL {
        known.store(0, Ordering::Relaxed);
    }
}

fn address_for(function: Function, return_address: usize) -> NonZeroUsize {
    let call = call(function, return_address);
    let known = places(call);
    let is_known = known
        .iter()
        .any(|known| known.load(Ordering::Relaxed) == call);
    if is_known || sys::is_sealed() {
        return next::called(function);
    }
    let mut address = None;
    // The thread's stack may be small.
    sys::on_own_stack_if_possible(|| address = other_version(function, return_address));
    address.unwrap_or_else(|| {
        remember(call, known);
        next::called(function)
    })
}

/// The two places where a call may be known.
fn places(call: usize) -> [&'static AtomicUsize; 2] {
    let first = (call ^ (call >> 8)) % USUAL_COUNT;
    // Call sites that have the first place in common mostly differ in these bits.
    let second = (call >> 16 ^ call >> 3) % USUAL_COUNT;
    [&USUAL[first], &USUAL[second]]
}

/// Puts a call into the place that is free; if none is, into the second, so that of two calls that have one place in common both
/// stay known.
fn remember(call: usize, [first, second]: [&AtomicUsize; 2]) {
    let is_free = first.compare_exchange(0, call, Ordering::Relaxed, Ordering::Relaxed);
    if is_free.is_err() {
        second.store(call, Ordering::Relaxed);
    }
}

/// A number for a call: the function, above all bits that an address of code has, and the return address.
fn call(function: Function, return_address: usize) -> usize {
    const ADDRESS_BITS: u32 = 48;
    const { assert!(Function::COUNT < 1 << (usize::BITS - ADDRESS_BITS)) };
    (function.index() << ADDRESS_BITS) ^ return_address
}

/// The function in the version that the caller was bound to, if that is not the usual one.
fn other_version(function: Function, return_address: usize) -> Option<NonZeroUsize> {
    let usual = next::address(function);
    let caller = Tables::of(&objects::around(return_address)?)?;
    let needed = caller.needed(function.name().as_bytes())?;
    let behind = Tables::of(&objects::around(usual.get())?)?;
    let found = behind.find_needed(next::name(function), needed)?;
    next::bind(function, found).filter(|&address| address != usual)
}
