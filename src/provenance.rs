//! Which object each function was found in, and which one the program's own calls reach.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

use weir_record::functions::Function;
use weir_record::region::{Header, MAX_OBJECTS};

use crate::objects::{self, Object};
use crate::{next, streams};

/// The addresses of a function.
#[derive(Clone, Copy)]
struct Leads {
    next: usize,
    bound: usize,
}

/// Fills in the header's objects and provenance.
pub fn record(header: &Header, executable: &[u8]) {
    let own = own_address();
    let contested = contested();
    let mut leads = Function::ALL.map(|function| Leads {
        next: found(function),
        bound: bound(function, contested[function.index()]),
    });
    let mut named = 0;
    let mut is_program = true;
    objects::each(|object| {
        if is_program {
            let addresses = object.addresses();
            let in_program = |leads: &&mut Leads| addresses.contains(&leads.bound);
            for leads in leads.iter_mut().filter(in_program) {
                if is_entry_for_another(leads.bound) {
                    leads.bound = own;
                }
            }
        }
        let name = if is_program {
            executable
        } else {
            object.name()
        };
        is_program = false;
        note(header, &leads, &object, name, &mut named)
    });
}

fn own_address() -> usize {
    record as *const () as usize
}

/// The hash of every function's name.
static HASHES: [u32; Function::COUNT] = {
    let mut hashes = [0; Function::COUNT];
    let mut index = 0;
    while index < hashes.len() {
        hashes[index] = objects::hash(Function::ALL[index].constant_row().name.as_bytes());
        index += 1;
    }
    hashes
};

/// Which functions an object may define that the dynamic linker searches before us.
fn contested() -> [bool; Function::COUNT] {
    let mut contested = [false; Function::COUNT];
    objects::each(|object| {
        if object.addresses().contains(&own_address()) {
            return ControlFlow::Break(());
        }
        match object.filter() {
            Some(filter) => {
                for (contested, &hash) in contested.iter_mut().zip(&HASHES) {
                    *contested |= filter.may_hold(hash);
                }
            }
            None => contested = [true; Function::COUNT],
        }
        ControlFlow::Continue(())
    });
    contested
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
fn bound(function: Function, is_contested: bool) -> usize {
    let is_ours = if function.row().is_symbol() {
        !is_contested
    } else {
        // By a table of functions.
        streams::are_seen()
    };
    if is_ours {
        return own_address();
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

/// Notes which functions an object holds. Breaks off where the header has no room for its name.
fn note(
    header: &Header,
    leads: &[Leads],
    object: &Object<'_>,
    name: &[u8],
    named: &mut usize,
) -> ControlFlow<()> {
    let addresses = object.addresses();
    let is_own = addresses.contains(&own_address());
    let mut place = 0;
    for (leads, provenance) in leads.iter().zip(&header.provenance) {
        let next = !is_own && addresses.contains(&leads.next);
        let bound = addresses.contains(&leads.bound);
        if !next && !bound {
            continue;
        }
        if place == 0 {
            if *named == MAX_OBJECTS {
                return ControlFlow::Break(());
            }
            header.objects[*named].set(name);
            *named += 1;
            place = *named as u8;
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
    ControlFlow::Continue(())
}
