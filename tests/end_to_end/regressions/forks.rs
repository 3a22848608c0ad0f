//! Every way to make a process, at the worst of moments: no child hangs, none is counted twice.
