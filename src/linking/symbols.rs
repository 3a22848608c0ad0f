//! An object's symbol table: which names it defines, where, in which versions, and which version of a name it needs
//! from other objects.
//!
//! The table is read as the dynamic linker reads it (System V ABI, chapter 5; GNU hash table and symbol versions:
//! Linux Standard Base, core, 10.7). The C library's look-up of a missing name would allocate an error text, perhaps
//! while the allocator is in the middle of its work.

use std::ffi::CStr;
use std::ptr;

mod hashes;

use self::hashes::{Gnu, gnu_hash, system_v_hash};
use crate::arch::prefetch;
use crate::linking::objects::Object;

/// An entry of a symbol table (elf.h, `Elf64_Sym`).
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: usize,
    size: u64,
}

/// A name to look up.
#[derive(Clone, Copy)]
pub struct Name<'n> {
    text: &'n [u8],
    hash: u32,
}

/// The hash of a name, as `DT_GNU_HASH` defines it.
#[derive(Clone, Copy)]
pub struct Hash(u32);

impl Hash {
    /// The hash of a name.
    pub const fn of(name: &[u8]) -> Hash {
        Hash(gnu_hash(name))
    }
}

impl<'n> Name<'n> {
    /// A name, with its hash computed.
    pub const fn new(text: &'n [u8]) -> Name<'n> {
        Name::with_hash(text, Hash::of(text))
    }

    /// A name whose hash is known.
    pub const fn with_hash(text: &'n [u8], hash: Hash) -> Name<'n> {
        Name { text, hash: hash.0 }
    }

    /// The name itself.
    pub const fn text(&self) -> &'n [u8] {
        self.text
    }
}

/// A definition that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The address. If `is_indirect`, the address of the function that chooses the function.
    pub address: usize,
    /// Its bytes, by the table.
    pub bytes: usize,
    /// Whether the function is chosen when it is bound.
    pub is_indirect: bool,
}

/// How an object needs a name from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// In this version.
    In(&'static [u8]),
    /// In no version: it was linked without the library that defines the name.
    InNoVersion,
}

/// The tables of an object.
pub struct Tables {
    base: usize,
    symbols: *const Entry,
    strings: *const u8,
    hashes: Hashes,
    /// A version number for each symbol; NULL if the object has no versions.
    versions: *const u16,
    /// The versions that it defines and those that it needs: the first record of each list, 0 for none.
    defined: usize,
    needed: usize,
    /// Its own name for others, as an offset in `strings`.
    soname: Option<usize>,
}

enum Hashes {
    Gnu(Gnu),
    /// The older form: the address of the table.
    SystemV(usize),
}

// Tags of dynamic entries (elf.h).
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_SONAME: usize = 14;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const DT_VERSYM: usize = 0x6fff_fff0;
const DT_VERDEF: usize = 0x6fff_fffc;
const DT_VERNEED: usize = 0x6fff_fffe;

const UNDEFINED: u16 = 0;
const ABSOLUTE: u16 = 0xfff1;
/// Types of symbols. SECTION and FILE name nothing in memory, THREAD names a thread's variable, INDIRECT an indirect
/// function.
const SECTION: u8 = 3;
const FILE: u8 = 4;
const THREAD: u8 = 6;
const INDIRECT: u8 = 10;
const LOCAL_BINDING: u8 = 0;

/// A bit in a symbol's version number: the name without a version does not mean this one.
const HIDDEN: u16 = 0x8000;
/// The number of the first version that an object defines. The numbers before it are for symbols without a version.
const FIRST_VERSION: u16 = 2;

impl Tables {
    /// An object's tables. `None` if it has none.
    pub fn of(object: &Object) -> Option<Tables> {
        let mut places = [0; 7];
        let mut soname = None;
        for [tag, value] in object.dynamic() {
            let place = match tag {
                DT_SYMTAB => 0,
                DT_STRTAB => 1,
                DT_GNU_HASH => 2,
                DT_HASH => 3,
                DT_VERSYM => 4,
                DT_VERDEF => 5,
                DT_VERNEED => 6,
                DT_SONAME => {
                    soname = Some(value);
                    continue;
                }
                _ => continue,
            };
            // The dynamic linker has made some of the values addresses, but not all. In an object that it does not
            // load (the vDSO), it changes none.
            places[place] = if value < object.base() {
                value.wrapping_add(object.base())
            } else {
                value
            };
        }
        let [symbols, strings, gnu, system_v, versions, defined, needed] = places;
        if symbols == 0 || strings == 0 {
            return None;
        }
        let hashes = if gnu != 0 {
            // SAFETY: the address of the table, in an object that is loaded.
            Hashes::Gnu(unsafe { Gnu::at(gnu) })
        } else if system_v != 0 {
            Hashes::SystemV(system_v)
        } else {
            return None;
        };
        Some(Tables {
            base: object.base(),
            symbols: ptr::with_exposed_provenance(symbols),
            strings: ptr::with_exposed_provenance(strings),
            hashes,
            versions: ptr::with_exposed_provenance(versions),
            defined,
            needed,
            soname,
        })
    }

    /// The object's own name for others; empty if it has none.
    pub fn soname(&self) -> &'static [u8] {
        self.soname.map_or(b"", |offset| self.string(offset))
    }

    /// The definition of a name without a version: the default version, or else the latest.
    pub fn find(&self, name: Name<'_>) -> Option<Definition> {
        let mut found: Option<(u16, Entry)> = None;
        self.each(name, |index, entry| {
            let version = self.version(index);
            let is_default = version & HIDDEN == 0;
            if is_default || found.is_none_or(|(latest, _)| latest < version) {
                found = Some((version, entry));
            }
            !is_default
        });
        found.map(|(_, entry)| self.definition(entry))
    }

    /// Prefetches the memory that [`Tables::find`] will read first: the table is large, and the entries of two names
    /// are far apart.
    pub fn expect(&self, hash: Hash) {
        if let Hashes::Gnu(gnu) = &self.hashes {
            gnu.expect(hash.0, |index| {
                prefetch(self.symbols.wrapping_add(index as usize));
            });
        }
    }

    /// The definition to which the dynamic linker binds an object that needs a name so. One without a version gets that of the
    /// object's first version, and only without that the default (elf/dl-lookup.c, `check_match`).
    pub fn find_needed(&self, name: Name<'_>, needed: Needed) -> Option<Definition> {
        let is_it = |version: u16| match needed {
            Needed::In(text) => self.name_of_defined(version) == Some(text),
            Needed::InNoVersion => version <= FIRST_VERSION,
        };
        let mut found = None;
        self.each(name, |index, entry| {
            let is_it = is_it(self.version(index) & !HIDDEN);
            if is_it {
                found = Some(self.definition(entry));
            }
            !is_it
        });
        found.or_else(|| match needed {
            Needed::In(_) => None,
            Needed::InNoVersion => self.find(name),
        })
    }

    /// How this object needs a name from others. `None` if it does not need it.
    pub fn needed(&self, name: &[u8]) -> Option<Needed> {
        let index = self.undefined(name)?;
        let version = self.name_of_needed(self.version(index) & !HIDDEN);
        Some(version.map_or(Needed::InNoVersion, Needed::In))
    }

    /// Whether this object needs a name from others.
    pub fn needs(&self, name: &[u8]) -> bool {
        self.undefined(name).is_some()
    }

    /// The symbol of a name that this object needs from others.
    fn undefined(&self, name: &[u8]) -> Option<u32> {
        let end = match &self.hashes {
            // The hash table does not have undefined symbols: they come before those that it has.
            Hashes::Gnu(gnu) if !gnu.is_empty() => gnu.first,
            Hashes::Gnu(_) => self.symbols_before_strings(),
            // SAFETY: the table of an object that is loaded. Its second word is the number of symbols.
            Hashes::SystemV(table) => unsafe { read::<[u32; 2]>(*table)[1] },
        };
        (1..end).find(|&index| {
            let entry = self.entry(index);
            entry.section == UNDEFINED && self.string(entry.name as usize) == name
        })
    }

    /// How many symbols there are, of an object whose hash table does not say it. The linker that makes such a table (ld of the GNU
    /// binutils) puts the strings right behind the symbols.
    fn symbols_before_strings(&self) -> u32 {
        let bytes = self.strings.addr().checked_sub(self.symbols.addr());
        bytes.map_or(0, |bytes| (bytes / size_of::<Entry>()) as u32)
    }

    /// Calls `show` with each symbol that defines a name, until it returns false.
    fn each(&self, name: Name<'_>, mut show: impl FnMut(u32, Entry) -> bool) {
        let mut show_if_it = |index| {
            let entry = self.entry(index);
            let kind = entry.info & 15;
            let is_definition = entry.section != UNDEFINED
                && (entry.value != 0 || entry.section == ABSOLUTE)
                && entry.info >> 4 != LOCAL_BINDING
                && !matches!(kind, SECTION | FILE | THREAD);
            !is_definition || !self.is_string(entry.name as usize, name.text) || show(index, entry)
        };
        match &self.hashes {
            // SAFETY: the table of an object that is loaded.
            Hashes::Gnu(gnu) => unsafe { gnu.each(name.hash, show_if_it) },
            Hashes::SystemV(table) => {
                // SAFETY: as above. The table has two counts, the buckets and the chains.
                unsafe {
                    let table: *const u32 = ptr::with_exposed_provenance(*table);
                    let (buckets, symbols) = (table.read(), table.add(1).read());
                    if buckets == 0 {
                        return;
                    }
                    let bucket = system_v_hash(name.text) % buckets;
                    let mut index = table.add(2 + bucket as usize).read();
                    let chains = table.add(2 + buckets as usize);
                    let mut left = symbols;
                    while index != 0 && index < symbols && left > 0 && show_if_it(index) {
                        index = chains.add(index as usize).read();
                        left -= 1;
                    }
                }
            }
        }
    }

    fn entry(&self, index: u32) -> Entry {
        // SAFETY: the index comes from the object's own hash table, or is below one that does.
        unsafe { self.symbols.add(index as usize).read_unaligned() }
    }

    fn definition(&self, entry: Entry) -> Definition {
        let base = if entry.section == ABSOLUTE {
            0
        } else {
            self.base
        };
        Definition {
            address: base.wrapping_add(entry.value),
            bytes: entry.size as usize,
            is_indirect: entry.info & 15 == INDIRECT,
        }
    }

    fn string(&self, offset: usize) -> &'static [u8] {
        // SAFETY: the object's own offset into its own strings, which stay while it is loaded.
        unsafe { CStr::from_ptr(self.strings.add(offset).cast()) }.to_bytes()
    }

    /// Whether the string at this offset is `text`, which contains no NUL.
    fn is_string(&self, offset: usize, text: &[u8]) -> bool {
        // SAFETY: as above. The comparison stops at the first difference, so it reads nothing behind the NUL.
        let byte = |index: usize| unsafe { self.strings.add(offset + index).read() };
        text.iter()
            .chain([&0])
            .enumerate()
            .all(|(index, &expected)| byte(index) == expected)
    }

    /// The version number of a symbol, with [`HIDDEN`].
    fn version(&self, index: u32) -> u16 {
        if self.versions.is_null() {
            return 0;
        }
        // SAFETY: there is a number for each symbol.
        unsafe { self.versions.add(index as usize).read_unaligned() }
    }

    /// The name of a version that this object defines.
    fn name_of_defined(&self, number: u16) -> Option<&'static [u8]> {
        /// elf.h, `Elf64_Verdef`.
        #[derive(Clone, Copy)]
        #[repr(C)]
        struct Defined {
            revision: u16,
            flags: u16,
            number: u16,
            names: u16,
            hash: u32,
            first_name: u32,
            next: u32,
        }
        let mut at = self.defined;
        while at != 0 {
            // SAFETY: a record of the object's own list, and the name that it leads to.
            unsafe {
                let record: Defined = read(at);
                if record.number & !HIDDEN == number {
                    let name: u32 = read(at + record.first_name as usize);
                    return Some(self.string(name as usize));
                }
                at = following(at, record.next);
            }
        }
        None
    }

    /// The name of a version that this object needs.
    fn name_of_needed(&self, number: u16) -> Option<&'static [u8]> {
        /// elf.h, `Elf64_Verneed`.
        #[derive(Clone, Copy)]
        #[repr(C)]
        struct Library {
            revision: u16,
            versions: u16,
            file: u32,
            first: u32,
            next: u32,
        }
        /// elf.h, `Elf64_Vernaux`.
        #[derive(Clone, Copy)]
        #[repr(C)]
        struct Version {
            hash: u32,
            flags: u16,
            number: u16,
            name: u32,
            next: u32,
        }
        let mut at = self.needed;
        while at != 0 {
            // SAFETY: a record of the object's own list, and those that it leads to.
            unsafe {
                let library: Library = read(at);
                let mut inner = at + library.first as usize;
                for _ in 0..library.versions {
                    let version: Version = read(inner);
                    if version.number & !HIDDEN == number {
                        return Some(self.string(version.name as usize));
                    }
                    inner += version.next as usize;
                }
                at = following(at, library.next);
            }
        }
        None
    }
}

/// The address of the next record of a list; 0 after the last.
fn following(at: usize, distance: u32) -> usize {
    if distance == 0 {
        0
    } else {
        at + distance as usize
    }
}

/// # Safety
/// There is a `T` at the address.
unsafe fn read<T: Copy>(address: usize) -> T {
    // SAFETY: as the caller promises.
    unsafe { ptr::with_exposed_provenance::<T>(address).read_unaligned() }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use weir_record::functions::Function;

    use super::*;
    use crate::linking::objects;

    fn c_library() -> Tables {
        let mut tables = objects::all().filter_map(|object| Tables::of(&object));
        let found = tables.find(|tables| tables.soname() == b"libc.so.6");
        found.expect("it is loaded")
    }

    /// The witness is the dynamic linker itself.
    #[test]
    fn what_is_found_is_what_dlsym_finds() {
        let tables = c_library();
        let mut found = 0;
        for function in Function::ALL {
            let name = CString::new(function.name()).expect("no NUL");
            // SAFETY: a C string.
            let theirs = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            let ours = tables.find(Name::new(name.to_bytes()));
            if let Some(ours) = ours.filter(|_| !theirs.is_null()) {
                assert_eq!(ours.address, theirs.addr(), "{name:?}");
                found += 1;
            }
        }
        assert!(found > 350, "{found}");
        assert!(tables.find(Name::new(b"no such function")).is_none());
        // An indirect function, which is chosen when it is bound.
        assert!(
            tables
                .find(Name::new(b"memcpy"))
                .expect("there")
                .is_indirect
        );
    }

    #[test]
    fn versions_are_distinguished() {
        let tables = c_library();
        let name = Name::new(b"posix_spawn");
        let versions = [c"GLIBC_2.2.5", c"GLIBC_2.15"];
        let found = versions.map(|version| {
            let ours = tables
                .find_needed(name, Needed::In(version.to_bytes()))
                .expect("there");
            // SAFETY: C strings.
            let theirs = unsafe {
                libc::dlvsym(
                    libc::RTLD_DEFAULT,
                    c"posix_spawn".as_ptr(),
                    version.as_ptr(),
                )
            };
            assert_eq!(ours.address, theirs.addr());
            ours
        });
        assert_ne!(found[0], found[1]);
        assert_eq!(tables.find(name), Some(found[1]));
        let none = tables.find_needed(name, Needed::In(b"GLIBC_2.3"));
        assert!(none.is_none());
        let of_the_first = tables.find_needed(name, Needed::InNoVersion);
        assert_eq!(of_the_first, Some(found[0]));
        let exit = Name::new(b"quick_exit");
        let of_none = tables.find_needed(exit, Needed::InNoVersion);
        assert_eq!(of_none, tables.find(exit), "it is not in the first version");
    }

    #[test]
    fn the_version_that_an_object_asks_for_is_known() {
        let program = objects::all().next().expect("this program");
        let tables = Tables::of(&program).expect("tables");
        assert_eq!(tables.needed(b"dlvsym"), Some(Needed::In(b"GLIBC_2.34")));
        assert_eq!(tables.needed(b"no such function"), None);
    }
}
