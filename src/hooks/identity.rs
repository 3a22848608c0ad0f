//! A process that becomes another user permanently, as daemons do. The call is counted, and the region's file gets the
//! new owner, so that the process can remove it at its end. If only the effective user changes (seteuid), the process
//! can change back, and the file keeps its owner.

use std::ffi::c_int;

use weir_record::functions::Function;

use crate::life::user;
use crate::linking::next;
use crate::recording;

/// The user id by which a caller asks for no change.
const SAME: u32 = u32::MAX;

/// Defines hooks that change the user to `new`, if that is not `None`.
macro_rules! identity_hooks {
    ($($function:ident = fn $name:ident($($user:ident),+): $new:expr;)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($user: u32),+) -> c_int {
            let counted = recording::count(Function::$function);
            let new: Option<u32> = $new;
            let given = new.is_some_and(user::give_region);
            let result = next::next_call!($function($($user: u32),+) -> c_int);
            if result == -1 {
                counted.failed(Function::$function);
                if given {
                    user::keep_region();
                }
            }
            result
        }
    )+};
}

/// The new effective user of a process that cannot become its old user again; `None` if it can.
fn for_good(users: &[u32], effective: u32) -> Option<u32> {
    let is_for_good = users.iter().all(|&user| user != 0 && user != SAME);
    is_for_good.then_some(effective)
}

identity_hooks! {
    Setuid = fn setuid(user): for_good(&[user], user);
    Setreuid = fn setreuid(real, effective): for_good(&[real, effective], effective);
    Setresuid = fn setresuid(real, effective, saved): for_good(&[real, effective, saved], effective);
}
