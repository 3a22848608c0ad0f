//! The one function that the histograms would have from libm: with it here, no program gets libm loaded on
//! our account, nor does the command take longer to start. It is assembly, and so in `arch/`: stable Rust defines no function
//! that has a name for the linker and is hidden from other objects.

#[cfg(test)]
mod tests {
    #[test]
    fn is_the_logarithm() {
        unsafe extern "C" {
            fn log2(of: f64) -> f64;
        }
        for (of, expected) in [
            (1.0, 0.0),
            (2.0, 1.0),
            (200.0, 7.643_856_189_774_724),
            (0.5, -1.0),
        ] {
            // SAFETY: it reads and writes nothing but its argument and its result.
            let found = unsafe { log2(of) };
            assert!((found - expected).abs() < 1e-12, "{of}: {found}");
        }
    }
}
