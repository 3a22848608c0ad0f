//! The objects that are loaded: the program and its libraries.

use std::ffi::{CStr, c_int, c_void};
use std::ops::{ControlFlow, Range};

/// An object, while it is shown.
pub struct Object<'o>(&'o libc::dl_phdr_info);

/// Shows every object, in the order in which they were loaded: the first is the program itself.
pub fn each<F: FnMut(Object<'_>) -> ControlFlow<()>>(mut show: F) {
    unsafe extern "C" fn visit<F: FnMut(Object<'_>) -> ControlFlow<()>>(
        object: *mut libc::dl_phdr_info,
        _: usize,
        show: *mut c_void,
    ) -> c_int {
        // SAFETY: the `show` of below, and an object as dl_iterate_phdr(3) has it, for as long as this takes.
        let (object, show) = unsafe { (&*object, &mut *show.cast::<F>()) };
        c_int::from(show(Object(object)).is_break())
    }
    // SAFETY: `visit` takes `show` as what it is, and does not keep what it is given.
    unsafe { libc::dl_iterate_phdr(Some(visit::<F>), (&raw mut show).cast()) };
}

impl<'o> Object<'o> {
    /// The dynamic linker's name of it; empty for the program itself.
    pub fn name(&self) -> &'o [u8] {
        if self.0.dlpi_name.is_null() {
            return b"";
        }
        // SAFETY: a C string, for as long as the object is shown.
        unsafe { CStr::from_ptr(self.0.dlpi_name) }.to_bytes()
    }

    /// How many objects the process has loaded in its life.
    pub fn loaded_so_far(&self) -> u64 {
        self.0.dlpi_adds
    }

    /// Its addresses: the dynamic linker reserves them all at once, so no other object is between its segments.
    pub fn addresses(&self) -> Range<usize> {
        let loaded = self
            .segments()
            .iter()
            .filter(|segment| segment.p_type == libc::PT_LOAD);
        let (from, to) = loaded.fold((usize::MAX, 0), |(from, to), segment| {
            let start = self.0.dlpi_addr.wrapping_add(segment.p_vaddr) as usize;
            let end = start.saturating_add(segment.p_memsz as usize);
            (from.min(start), to.max(end))
        });
        from..to
    }

    /// The filter of the names that it defines; none where it has none, or where that is not found.
    pub fn filter(&self) -> Option<Filter<'o>> {
        const HEAD: usize = size_of::<[u32; 4]>();
        let addresses = self.addresses();
        let table = self.dynamic_entry(DT_GNU_HASH)?;
        // The dynamic linker has made an address of it, but not in what is not its own (the vDSO).
        if !addresses.contains(&table) || !table.is_multiple_of(align_of::<u64>()) {
            return None;
        }
        // SAFETY: the address of the table within the object, which is loaded; it begins with four words.
        let [_, _, count, shift] = unsafe { read::<[u32; 4]>(table) };
        let bytes = (count as usize).checked_mul(size_of::<u64>())?;
        let end = (table + HEAD).checked_add(bytes)?;
        if !count.is_power_of_two() || shift >= u32::BITS || !addresses.contains(&end) {
            return None;
        }
        // SAFETY: the words of the filter follow, within the object, and stay as they are.
        let words = unsafe {
            std::slice::from_raw_parts(
                std::ptr::with_exposed_provenance(table + HEAD),
                count as usize,
            )
        };
        Some(Filter { words, shift })
    }

    fn segments(&self) -> &'o [libc::Elf64_Phdr] {
        // SAFETY: as dl_iterate_phdr(3) has it.
        unsafe { std::slice::from_raw_parts(self.0.dlpi_phdr, self.0.dlpi_phnum.into()) }
    }

    /// The value of an entry of the dynamic section.
    fn dynamic_entry(&self, wanted: usize) -> Option<usize> {
        let mut segments = self.segments().iter();
        let dynamic = segments.find(|segment| segment.p_type == libc::PT_DYNAMIC)?;
        let mut entry = self.0.dlpi_addr.wrapping_add(dynamic.p_vaddr) as usize;
        loop {
            // SAFETY: the dynamic section of a loaded object, whose last entry has the tag 0.
            let [tag, value] = unsafe { read::<[usize; 2]>(entry) };
            match tag {
                0 => return None,
                tag if tag == wanted => return Some(value),
                _ => entry += size_of::<[usize; 2]>(),
            }
        }
    }
}

/// # Safety
/// There is a `T` at the address.
unsafe fn read<T: Copy>(address: usize) -> T {
    // SAFETY: as the caller promises.
    unsafe { *std::ptr::with_exposed_provenance::<T>(address) }
}

/// Where the hashes of the names are that an object defines (elf.h; libc lacks it).
const DT_GNU_HASH: usize = 0x6fff_fef5;

/// The Bloom filter in front of an object's table of names, by which the dynamic linker passes over most objects:
/// a search takes a thousand instructions, and that a name is not there is told by ten.
pub struct Filter<'o> {
    words: &'o [u64],
    shift: u32,
}

impl Filter<'_> {
    /// Whether the object may define a name, given by its hash. It does not where this says no.
    pub fn may_hold(&self, hash: u32) -> bool {
        let word = self.words[(hash / u64::BITS) as usize & (self.words.len() - 1)];
        let bit = |hash: u32| word >> (hash % u64::BITS) & 1;
        bit(hash) & bit(hash >> self.shift) != 0
    }
}

/// The hash of a name, as `DT_GNU_HASH` has it.
pub const fn hash(name: &[u8]) -> u32 {
    let mut hash = 5381_u32;
    let mut index = 0;
    while index < name.len() {
        hash = hash.wrapping_mul(33).wrapping_add(name[index] as u32);
        index += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_may_define_what_it_defines_and_little_else() {
        let place = libc::getppid as *const () as usize;
        let mut seen = 0;
        each(|object| {
            if !object.addresses().contains(&place) {
                return ControlFlow::Continue(());
            }
            seen += 1;
            assert!(object.name().ends_with(b"/libc.so.6"));
            let filter = object.filter().expect("the C library has one");
            for name in ["malloc", "read", "getppid", "_IO_file_jumps", "puts"] {
                assert!(filter.may_hold(hash(name.as_bytes())), "{name}");
            }
            let others = (0..1000).map(|number| format!("not_there_{number}"));
            let passed = others.filter(|name| filter.may_hold(hash(name.as_bytes())));
            assert!(passed.count() < 500);
            ControlFlow::Break(())
        });
        assert_eq!(seen, 1);
    }
}
