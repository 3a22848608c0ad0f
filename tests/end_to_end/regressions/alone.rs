//! Programs that own what a library takes for granted: the allocator, its lock, and the C library's names.
