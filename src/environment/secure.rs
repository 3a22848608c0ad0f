//! Whether the process has rights that its caller does not have: a set-user-id or set-group-id program, or one with
//! file capabilities (ld.so(8), "Secure-execution mode").
//!
//! The kernel says so in the auxiliary vector. The C library's getauxval would too, but the program may have another;
//! and what lies behind the list of the environment is the vector only until the program has set a variable.

use rustix::process::{getegid, geteuid, getgid, getuid};

use crate::sys;

const AT_SECURE: u64 = 23;
/// More than any kernel has of it so far.
const MOST_BYTES: usize = 1024;

/// Whether it has.
pub fn is_secure() -> bool {
    let mut buffer = [0; MOST_BYTES];
    told(sys::auxiliary_vector(&mut buffer))
        // Neither by the kernel nor in /proc: what most often makes it so.
        .unwrap_or_else(|| getuid() != geteuid() || getgid() != getegid())
}

/// What the vector says.
fn told(vector: &[u8]) -> Option<bool> {
    let (entries, _) = vector.as_chunks::<16>();
    entries.iter().find_map(|entry| {
        let entry = u128::from_le_bytes(*entry);
        let (kind, value) = (entry as u64, (entry >> 64) as u64);
        (kind == AT_SECURE).then_some(value != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_tells() {
        let entry = |kind: u64, value: u64| [kind.to_le_bytes(), value.to_le_bytes()].concat();
        let of = |value| [entry(6, 4096), entry(AT_SECURE, value), entry(0, 0)].concat();
        assert_eq!(told(&of(0)), Some(false));
        assert_eq!(told(&of(1)), Some(true));
        assert_eq!(told(&entry(6, 4096)), None);
        assert_eq!(told(&of(1)[..24]), None);
        assert!(!is_secure());
    }
}
