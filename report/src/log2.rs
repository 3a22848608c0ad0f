//! The one function of libm that the histograms need: so programs do not load libm because of
//! Weir, and the command does not take longer to start.

use std::arch::global_asm;

// `double log2(double)`, by the processor's own instruction (AMD64 manual volume 5, FYL2X: y times the
// logarithm of x). The histograms ask for the logarithm of small whole numbers, and round it up.
// Hidden: the program's calls do not come here.
global_asm!(
    ".pushsection .text.weir_log2,\"ax\",@progbits",
    ".globl log2",
    ".hidden log2",
    ".type log2, @function",
    "log2:",
    ".cfi_startproc",
    "movsd qword ptr [rsp - 8], xmm0",
    "fld1",
    "fld qword ptr [rsp - 8]",
    "fyl2x",
    "fstp qword ptr [rsp - 8]",
    "movsd xmm0, qword ptr [rsp - 8]",
    "ret",
    ".cfi_endproc",
    ".size log2, . - log2",
    ".popsection",
);

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
