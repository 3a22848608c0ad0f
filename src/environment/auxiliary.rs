//! The values that the kernel passes to a program at its start (getauxval(3)).
//!
//! The C library's getauxval is not used, because the program may define another. The memory behind the environment's
//! list is not read either: it is the vector only until the program sets a variable.

use crate::sys;

/// More bytes than the vector of any kernel so far.
const MOST_BYTES: usize = 1024;

/// The values of these kinds; `None` for each kind that the kernel did not pass.
pub fn values<const N: usize>(kinds: [u64; N]) -> [Option<u64>; N] {
    let mut buffer = [0; MOST_BYTES];
    in_vector(sys::auxiliary_vector(&mut buffer), kinds)
}

fn in_vector<const N: usize>(vector: &[u8], kinds: [u64; N]) -> [Option<u64>; N] {
    let (entries, _) = vector.as_chunks::<16>();
    kinds.map(|wanted| {
        entries.iter().find_map(|entry| {
            let entry = u128::from_le_bytes(*entry);
            let (kind, value) = (entry as u64, (entry >> 64) as u64);
            (kind == wanted).then_some(value)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_tells() {
        let entry = |kind: u64, value: u64| [kind.to_le_bytes(), value.to_le_bytes()].concat();
        let vector = [entry(6, 4096), entry(23, 1), entry(0, 0)].concat();
        assert_eq!(in_vector(&vector, [23, 6]), [Some(1), Some(4096)]);
        assert_eq!(in_vector(&vector, [16]), [None]);
        assert_eq!(in_vector(&vector[..24], [23]), [None]);
        let [page, secure] = values([libc::AT_PAGESZ, libc::AT_SECURE]);
        assert!(page.is_some_and(u64::is_power_of_two));
        assert_eq!(secure, Some(0));
    }
}
