//! The one function that the histograms would have from libm: with it here, no program gets libm loaded on
//! our account, nor does the command take longer to start. Its name is given by assembly, in `arch/`: stable Rust
//! defines no function that has a name for the linker and is hidden from other objects.

/// The logarithm: the exponent, and that of what it leaves, by the series of the area hyperbolic tangent.
pub extern "C" fn logarithm(of: f64) -> f64 {
    const FRACTION: u32 = 52;
    const BIAS: i32 = 1023;
    /// Terms, of which the last is below the last bit: what is left is within a factor of √2 of 1.
    const TERMS: u32 = 12;
    if of.is_nan() || of < 0.0 {
        return f64::NAN;
    }
    if of == 0.0 {
        return f64::NEG_INFINITY;
    }
    if of.is_infinite() {
        return of;
    }
    // Numbers that have no exponent of their own are made larger first.
    let (of, before) = if of.is_normal() {
        (of, 0)
    } else {
        (of * (1_u64 << FRACTION) as f64, FRACTION as i32)
    };
    let bits = of.to_bits();
    let mut exponent = (bits >> FRACTION) as i32 - BIAS - before;
    let one = (BIAS as u64) << FRACTION;
    let mut rest = f64::from_bits(bits & ((1 << FRACTION) - 1) | one);
    if rest > std::f64::consts::SQRT_2 {
        rest /= 2.0;
        exponent += 1;
    }
    let ratio = (rest - 1.0) / (rest + 1.0);
    let square = ratio * ratio;
    let series = (0..TERMS).rev().fold(0.0, |sum, term| {
        sum * square + 1.0 / f64::from(2 * term + 1)
    });
    f64::from(exponent) + 2.0 * ratio * series * std::f64::consts::LOG2_E
}

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
