//! Whether the process has rights that its caller does not have: a set-user-id or set-group-id program, or one with
//! file capabilities (ld.so(8), "Secure-execution mode").
//!
//! The kernel says so in the auxiliary vector.

use rustix::process::{getegid, geteuid, getgid, getuid};

/// Whether the process has such rights. `value` is that of AT_SECURE.
pub fn is_secure(value: Option<u64>) -> bool {
    value
        .map(|value| value != 0)
        // Neither the kernel nor /proc gave the value, so this checks the most frequent reasons.
        .unwrap_or_else(|| getuid() != geteuid() || getgid() != getegid())
}
