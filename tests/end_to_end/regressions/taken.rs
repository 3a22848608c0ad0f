//! What a program takes from itself: system calls, the clock, its root. Weir goes without.
