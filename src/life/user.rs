//! A process that becomes another user.

use crate::life::start::file;
use crate::process::{Whose, header, whose};
use crate::region::backing;
use crate::sys;

/// Called before the process permanently becomes another user. That user could not remove the region's file from a
/// directory where all users may create files. So this gives the file to the user. Returns whether it did.
#[inline(never)]
pub fn give_region(user: u32) -> bool {
    let is_own = header().is_some_and(|header| whose(header) == Whose::Region);
    let gives = is_own && !sys::is_sealed() && user != 0 && rustix::process::geteuid().is_root();
    if gives {
        sys::on_own_stack(|| backing::give(file(), user));
    }
    gives
}

/// Takes the file back, because the process has not become another user.
#[inline(never)]
pub fn keep_region() {
    sys::on_own_stack(|| backing::give(file(), 0));
}
