//! What the kernel tells a program when it begins (getauxval(3)).
//!
//! The C library's getauxval would tell it too, but the program may have another; and what lies behind the list of the
//! environment is the vector only until the program has set a variable.

use crate::sys;

/// More than any kernel has of it so far.
const MOST_BYTES: usize = 1024;

/// The values of these kinds, each where it is told.
pub fn told<const N: usize>(kinds: [u64; N]) -> [Option<u64>; N] {
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
        let [page, secure] = told([libc::AT_PAGESZ, libc::AT_SECURE]);
        assert!(page.is_some_and(u64::is_power_of_two));
        assert_eq!(secure, Some(0));
    }
}
