//! Which object each function was found in, and which one the program's own calls reach.

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

use weir_record::functions::Function;
use weir_record::region::{Header, MAX_OBJECTS};

use crate::{next, streams};

/// The addresses of a function.
#[derive(Clone, Copy)]
struct Leads {
    next: usize,
    bound: usize,
}

struct Search<'h> {
    header: &'h Header,
    leads: [Leads; Function::COUNT],
    /// An address of our own.
    own: usize,
    /// How many objects the header names so far.
    named: usize,
    /// Whether an object has been seen: the first is the program itself, which has no name here.
    past_first: bool,
    executable: &'h [u8],
}

/// Fills in the header's objects and provenance.
pub fn record(header: &Header, executable: &[u8]) {
    let own = record as *const () as usize;
    let leads = Function::ALL.map(|function| Leads {
        next: found(function),
        bound: bound(function),
    });
    let mut search = Search {
        header,
        leads,
        own,
        named: 0,
        past_first: false,
        executable,
    };
    // SAFETY: `visit` takes `search` as what it is, and does not keep what it is given.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
}

/// Where RTLD_NEXT found a function; 0 where it did not.
fn found(function: Function) -> usize {
    let address = next::address(function).get();
    let stands_in = matches!(function, Function::FreeSized | Function::FreeAlignedSized)
        && address == next::address(Function::Free).get();
    if stands_in { 0 } else { address }
}

/// Where a search through all objects, as the dynamic linker makes it for the program's calls, finds
/// a function; 0 where it does not.
fn bound(function: Function) -> usize {
    if !function.row().is_symbol() && streams::are_seen() {
        // By a table of functions.
        return record as *const () as usize;
    }
    let mut name = [0_u8; 32];
    name[..function.name().len()].copy_from_slice(function.name().as_bytes());
    // SAFETY: `name` is a C string, as the table's names are shorter than 32.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast()) }.addr()
}

/// Whether the program's symbol at an address is not a function of its own, but its entry for the function that it
/// is bound to: where a program that has a fixed address takes a function's address, that entry
/// stands for the function (System V ABI, AMD64 supplement, 4.4: function addresses).
fn is_entry_for_another(address: usize) -> bool {
    const RTLD_DL_SYMENT: c_int = 1;
    unsafe extern "C" {
        fn dladdr1(
            address: *const c_void,
            info: *mut libc::Dl_info,
            symbol: *mut *mut c_void,
            flags: c_int,
        ) -> c_int;
    }
    let mut info = MaybeUninit::uninit();
    let mut symbol = ptr::null_mut();
    // SAFETY: both may be written.
    let found = unsafe {
        dladdr1(
            ptr::without_provenance(address),
            info.as_mut_ptr(),
            &raw mut symbol,
            RTLD_DL_SYMENT,
        )
    };
    if found == 0 || symbol.is_null() {
        return false;
    }
    // SAFETY: it was found, so it is an entry of the program's symbol table.
    let section = unsafe { (*symbol.cast::<libc::Elf64_Sym>()).st_shndx };
    const UNDEFINED: u16 = 0;
    section == UNDEFINED
}

/// Looks which functions an object holds.
unsafe extern "C" fn visit(
    object: *mut libc::dl_phdr_info,
    _: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: as `record` calls it, and as dl_iterate_phdr(3) has it.
    let (object, search) = unsafe { (&*object, &mut *search.cast::<Search>()) };
    let is_program = !search.past_first;
    search.past_first = true;
    // SAFETY: as above.
    let segments =
        unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    // The dynamic linker reserves all addresses of an object at once: no other is between its segments.
    let loaded = segments
        .iter()
        .filter(|segment| segment.p_type == libc::PT_LOAD);
    let (from, to) = loaded.fold((usize::MAX, 0), |(from, to), segment| {
        let start = object.dlpi_addr.wrapping_add(segment.p_vaddr) as usize;
        (
            from.min(start),
            to.max(start.saturating_add(segment.p_memsz as usize)),
        )
    });
    let holds = |address: usize| (from..to).contains(&address);
    let is_own = holds(search.own);
    if is_program {
        for leads in &mut search.leads {
            if holds(leads.bound) && is_entry_for_another(leads.bound) {
                leads.bound = search.own;
            }
        }
    }
    let mut place = 0;
    for (leads, provenance) in search.leads.iter().zip(&search.header.provenance) {
        let next = !is_own && holds(leads.next);
        let bound = holds(leads.bound);
        if !next && !bound {
            continue;
        }
        if place == 0 {
            if search.named == MAX_OBJECTS {
                return 1;
            }
            let name = if is_program || object.dlpi_name.is_null() {
                search.executable
            } else {
                // SAFETY: the dynamic linker's name of the object, a C string.
                unsafe { CStr::from_ptr(object.dlpi_name) }.to_bytes()
            };
            search.header.objects[search.named].set(name);
            search.named += 1;
            place = search.named as u8;
        }
        let set = |cell: &AtomicU8, value| cell.store(value, Ordering::Relaxed);
        if next {
            set(&provenance.next, place);
        }
        if bound {
            set(&provenance.bound, place);
            set(&provenance.interposed, u8::from(is_own));
        }
    }
    0
}
