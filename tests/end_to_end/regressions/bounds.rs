//! Time, memory and stack: what a hostile or huge input, or a small stack, may cost.
