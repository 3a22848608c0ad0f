//! An environment without our library.

use std::ffi::{CStr, c_char};
use std::ptr;

use super::{POINTER, PRELOAD, Strings, preload};

/// The most that a copy without our library needs.
#[derive(Clone, Copy)]
pub struct Size {
    /// How many entries the environment has.
    pub entries: usize,
    /// How many bytes its entries for LD_PRELOAD have, with their NULs.
    pub texts: usize,
}

impl Size {
    /// How many bytes a copy needs.
    pub fn bytes(self) -> usize {
        (self.entries + 1) * POINTER + self.texts
    }
}

/// The text of an entry, if it is for LD_PRELOAD.
///
/// # Safety
/// The entry is a C string.
pub unsafe fn preload<'e>(entry: *const c_char) -> Option<&'e [u8]> {
    for (place, &byte) in PRELOAD.iter().enumerate() {
        // SAFETY: the loop stops at the first byte that differs, at the latest at the NUL.
        if unsafe { entry.add(place).cast::<u8>().read() } != byte {
            return None;
        }
    }
    // SAFETY: the caller guarantees a C string.
    Some(unsafe { CStr::from_ptr(entry) }.to_bytes())
}

/// The size for an environment; `None` if it does not name our library.
///
/// # Safety
/// It is a list of C strings, which NULL ends.
pub unsafe fn size(environment: Strings) -> Option<Size> {
    let mut asks_for_us = false;
    let mut size = Size {
        entries: 0,
        texts: 0,
    };
    // SAFETY: the caller guarantees the list.
    unsafe {
        while !(*environment.add(size.entries)).is_null() {
            if let Some(text) = preload(*environment.add(size.entries)) {
                asks_for_us |= preload::ours(text).is_some();
                size.texts += text.len() + 1;
            }
            size.entries += 1;
        }
    }
    asks_for_us.then_some(size)
}

/// Writes an environment without our library. `is_preload` returns whether the entry at a place is for LD_PRELOAD.
///
/// # Safety
/// `array` has room for `size`, which is the environment's. The environment's pointers can be read, and its entries for
/// LD_PRELOAD.
#[inline(never)]
pub unsafe fn write(
    environment: Strings,
    size: Size,
    is_preload: impl Fn(usize) -> bool,
    array: *mut *const c_char,
) {
    // SAFETY: the caller guarantees the room and the entries. The texts are after the array, which has at most `entries
    // + 1` elements.
    unsafe {
        let mut room = array.add(size.entries + 1).cast::<u8>();
        let mut kept = 0;
        for place in 0..size.entries {
            let mut entry = *environment.add(place);
            if is_preload(place) {
                let text = CStr::from_ptr(entry).to_bytes();
                let Some(bytes) = preload::without_ours(text, room) else {
                    continue;
                };
                entry = room.cast();
                room = room.add(bytes);
            }
            array.add(kept).write(entry);
            kept += 1;
        }
        array.add(kept).write(ptr::null());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(entries: &[&CStr]) -> Option<Vec<String>> {
        let mut strings: Vec<_> = entries.iter().map(|entry| entry.as_ptr()).collect();
        strings.push(ptr::null());
        let mut room = [const { ptr::null() }; 64];
        // SAFETY: these are C strings, which NULL ends; `room` has at least `size` bytes.
        unsafe {
            let size = size(strings.as_ptr())?;
            assert!(size.bytes() <= size_of_val(&room));
            let is_preload = |place: usize| preload(strings[place]).is_some();
            write(strings.as_ptr(), size, is_preload, room.as_mut_ptr());
            let kept = room.iter().take_while(|entry| !entry.is_null());
            let text = |&entry| CStr::from_ptr(entry).to_str().expect("UTF-8").to_owned();
            Some(kept.map(text).collect())
        }
    }

    #[test]
    fn our_library_is_taken_out_of_every_entry() {
        assert_eq!(without(&[c"A=1", c"LD_PRELOAD=/b.so"]), None);
        assert_eq!(without(&[]), None);
        let (first, last) = (c"LD_PRELOAD=/libweir.so", c"LD_PRELOAD=/b.so:/libweir.so:c");
        let left = without(&[first, c"A=1", last, c"LD_PRELOA", c"B="]);
        let expected = ["A=1", "LD_PRELOAD=/b.so:c", "LD_PRELOA", "B="];
        assert_eq!(left, Some(expected.map(str::to_owned).to_vec()));
    }
}
