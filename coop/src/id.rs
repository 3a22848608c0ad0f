//! Which coroutine.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// What tells a coroutine from all others that live at the same time: a pointer, or any even number but 0.
///
/// Weir compares it, and hands it back; it never looks at what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Id(NonNull<c_void>);

// SAFETY: an id is compared and handed on. What a pointer leads to can only be reached by `unsafe` code, which has
// to see to it then.
unsafe impl Send for Id {}
// SAFETY: as above.
unsafe impl Sync for Id {}

impl Id {
    /// A coroutine that has a number, which is to be even, as pointers are.
    pub const fn from_number(number: NonZeroUsize) -> Self {
        Self(NonNull::without_provenance(number))
    }

    /// The number; of a pointer its address.
    pub fn number(self) -> NonZeroUsize {
        self.0.addr()
    }

    /// The pointer that this was made of.
    pub const fn as_ptr(self) -> *mut c_void {
        self.0.as_ptr()
    }
}

impl<T> From<NonNull<T>> for Id {
    fn from(pointer: NonNull<T>) -> Self {
        Self(pointer.cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_it_was_made_of() {
        let number = NonZeroUsize::new(8).expect("not zero");
        assert_eq!(Id::from_number(number).number(), number);
        let mut byte = 3u8;
        let pointer = NonNull::from(&mut byte);
        assert_eq!(Id::from(pointer).as_ptr(), pointer.as_ptr().cast());
    }
}
