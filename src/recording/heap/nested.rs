//! Whether a call has counted already, by calls of its own, for what it changes of the heap.

use weir_record::functions::Function;

use super::sink::Sink;

/// What is live before a call that may be nested. Nothing of calls of `malloc` and `free`: these are what allocators build the others
/// on, and they are to be quick.
///
/// An allocator in a library may do a `calloc` by its own `malloc`, or a `realloc` by `malloc` and `free`: through the dynamic
/// linker, and so by our hooks. Such a call has counted for what is live already.
#[inline(always)]
pub(super) fn live_before<S: Sink>(sink: S, function: Function) -> Option<u64> {
    match function {
        Function::Malloc | Function::Free => None,
        _ => sink.live_bytes(),
    }
}

/// Whether a call that has changed what is live by so many bytes has counted for that, by calls of its own. A signal handler that comes
/// in between, and makes and keeps a block of just that size, would be taken for it.
#[inline(always)]
pub(super) fn has_counted<S: Sink>(sink: S, before: Option<u64>, bytes: u64) -> bool {
    // First: where nothing is asked, nothing is loaded.
    let Some(before) = before else {
        return false;
    };
    let now = sink.live_bytes();
    now.is_some_and(|now| now != before && now.wrapping_sub(before) == bytes)
}
