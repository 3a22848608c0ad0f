//! Real programs under the library: what they do is the same, and what the report says is true.
//!
//! ```text
//! support/             runs a program without Weir, under the bare library, or under `weir run`
//! exactness            every counter of every function, beside the victim's own account
//! witnesses            sort, git, python3 and others, beside strace and heaptrack
//! files                what was done to each file, by name
//! sockets              and to each socket
//! stdio                formats, and what stdio asks of the kernel
//! coop                 calls in two parts, in coroutines and outside
//! descriptors          commands that nobody has heard of
//! transparency         the same output and the same end, whatever is scarce, full or closed
//! killed               what SIGKILL leaves, at random moments
//! names                executables, arguments and files with odd names
//! processes            fork, vfork, exec, posix_spawn; one report for a tree of them
//! cpython              CPython's own tests, case by case
//! real_build           a C project, built by two jobs
//! followed             into other root directories, to other users, into programs that cannot be traced
//! sealed               after seccomp: not one call of our own
//! endings              all the ways in which a process can end
//! threads              many of them, their destructors, their cancellation
//! signals              handlers that call what they interrupted, and jump away
//! loading              dlopen, and constructors that run before ours
//! rough_programs       those that close what is not theirs, and empty their environment
//! silence              no system call and no allocation of our own
//! settings             the environment variables, right and wrong
//! machine_code         additions to counters that no signal can split
//! world                programs of the world: allocators, compilers, languages, servers, a browser
//! uring                what passes the C library by, and that this is told
//! exports              the dynamic symbols are the table of functions
//! torture              a program that does all that hurts, in no order, by many seeds
//! regressions          faults found in programs outside these tests, a file for each kind
//! documents            docs/settings.md and docs/functions.md are what the tables say
//! ```
//!
//! The victims are the C programs in `tests/programs`; each says in its first line how it is
//! compiled. A missing tool or privilege fails a test; none is skipped.

mod support;

mod coop;
mod cpython;
mod descriptors;
mod documents;
mod endings;
mod exactness;
mod exports;
mod files;
mod followed;
mod killed;
mod loading;
mod machine_code;
mod names;
mod processes;
mod real_build;
mod regressions;
mod rough_programs;
mod sealed;
mod settings;
mod signals;
mod silence;
mod sockets;
mod stdio;
mod storms;
mod torture;
mod transparency;
mod uring;
mod witnesses;
mod world;

mod threads;
