//! The end of a process in all its forms: each leaves a report, once, and nothing else.
