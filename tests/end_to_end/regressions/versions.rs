//! Functions with more than one symbol version: the caller gets the one that it was bound to.
