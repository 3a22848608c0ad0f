//! AArch64, which has no instruction for a logarithm.

use std::arch::global_asm;

/// What a program is that Weir cannot trace because of its machine; reads on after its name.
pub const OF_ANOTHER_MACHINE: &str =
    "is for another machine or word size; Weir traces 64-bit AArch64 programs";

// `double log2(double)`. Hidden: the program's calls do not come here.
global_asm!(
    ".pushsection .text.weir_log2,\"ax\",@progbits",
    ".globl log2",
    ".hidden log2",
    ".type log2, @function",
    "log2:",
    ".cfi_startproc",
    "b {logarithm}",
    ".cfi_endproc",
    ".size log2, . - log2",
    ".popsection",
    logarithm = sym logarithm,
);

/// The logarithm: the exponent, and that of what it leaves, by the series of the area hyperbolic tangent.
extern "C" fn logarithm(of: f64) -> f64 {
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
