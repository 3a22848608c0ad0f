//! The process becomes another user.

use crate::life::start::file;
use crate::process::{Whose, header, whose};
use crate::region::mapping;
use crate::sys;

/// The process is about to become another user for good, who could not remove its region's file from a folder
/// where all may make files: gives it to them. True where that was done.
#[inline(never)]
pub fn give_region(user: u32) -> bool {
    let is_own = header().is_some_and(|header| whose(header) == Whose::Region);
    let gives = is_own && !sys::is_sealed() && user != 0 && rustix::process::geteuid().is_root();
    if gives {
        sys::on_own_stack(|| mapping::give(file(), user));
    }
    gives
}

/// It has not become another.
#[inline(never)]
pub fn keep_region() {
    sys::on_own_stack(|| mapping::give(file(), 0));
}
