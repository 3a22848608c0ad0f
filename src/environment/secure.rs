//! Whether the process has rights that its caller does not have: a set-user-id or set-group-id program, or one with
//! file capabilities (ld.so(8), "Secure-execution mode").
//!
//! The kernel says so in the auxiliary vector.

use rustix::process::{getegid, geteuid, getgid, getuid};

/// Whether it has, by the value of AT_SECURE.
pub fn is_secure(told: Option<u64>) -> bool {
    told.map(|value| value != 0)
        // Neither by the kernel nor in /proc: what most often makes it so.
        .unwrap_or_else(|| getuid() != geteuid() || getgid() != getegid())
}
