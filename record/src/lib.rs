//! What Weir's recording side and its reading side share.
//!
//! ```text
//! arch        what depends on the processor
//! functions   the one table of interposed functions
//! settings    the WEIR_* environment variables
//! clock       ticks, and what they are in nanoseconds
//! countdown   which calls are timed
//! sampling    which blocks are sampled, and what a sampled one stands for
//! counter     a number with one writer, safe against that writer's own signal handlers
//! ring        the lock-free channel of latency samples, one producer and one consumer
//! sample      what goes through it: a function and a duration in eight bytes
//! slow        the slowest calls of a thread
//! in_flight   the call that a thread is in
//! spread      durations by class, for what has many of them
//! file        what is recorded of one file or socket
//! coroutine   what is recorded of one coroutine
//! errnos      failed calls by errno
//! stacks      call stacks: a trie of return addresses, with counters at its leaves
//! starts      programs that are started, so that those that make no region are known
//! ends        how children ended that were waited for
//! namespaces  in which namespaces of the kernel a process lives
//! text        text in shared memory
//! escape      text of other programs, made harmless for a terminal
//! slot        everything one thread writes
//! region      the mapping: a header, files, slots and coroutines; and the checked view of one
//! ```
//!
//! Nothing here allocates, does I/O, locks, or makes a system call: it runs inside the `malloc` of
//! a program that knows nothing of it. Every shared value is an atomic for which any bit pattern
//! is valid, so that a reader may be handed a hostile region and still not be misled into more
//! than wrong numbers.

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_env = "gnu"
)))]
compile_error!("Weir records on x86-64 and AArch64 Linux with the GNU C library only");

pub mod arch;
pub mod clock;
pub mod coroutine;
pub mod countdown;
pub mod counter;
pub mod ends;
pub mod errnos;
pub mod escape;
pub mod file;
pub mod functions;
pub mod in_flight;
pub mod namespaces;
pub mod region;
pub mod ring;
pub mod sample;
pub mod sampling;
pub mod settings;
pub mod sizes;
pub mod slot;
pub mod slow;
pub mod spread;
pub mod stacks;
pub mod starts;
pub mod text;

mod sync;
