//! Programs that cannot load the library: they start untouched, and are listed with the reason.
