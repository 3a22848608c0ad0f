//! Real programs under the library: they behave the same, and the report is true.
//!
//! ```text
//! support/             runs a program without Weir, under the bare library, or under `weir run`
//! exactness            every counter of every function, beside the victim's own account
//! witnesses            sort, git, python3 and others, beside strace and heaptrack
//! files                what was done to each file, by name
//! sockets              what was done to each socket
//! stdio                formats, and what stdio asks of the kernel
//! coop                 calls in two parts, in coroutines and outside
//! descriptors          known and unknown commands of fcntl, ioctl, prctl and syscall
//! transparency         the same output and the same end, even if something is scarce, full or closed
//! killed               what is left after SIGKILL, at random moments
//! names                executables, arguments and files with unusual names
//! pid_namespaces       processes that have another id there than here
//! processes            fork, vfork, exec, posix_spawn; one report for a tree of them
//! cpython              CPython's own tests, case by case
//! real_build           a C project, built by two jobs
//! followed             other root directories, other users, the background, programs that cannot be traced
//! stacks               call stacks, beside another unwinder
//! python               call stacks of Python: functions and lines
//! sampled              call stacks of samples: their estimates, and when they begin
//! lifetimes            how long blocks lived
//! live_blocks          which blocks are live at which call site
//! live_run             weir run --live: the page beside a program, and the terminal after it
//! live_view            what weir top shows of programs that run
//! over_time            how long calls took, and when
//! io_over_time         what was moved when, and how many threads there were
//! titles               what processes call themselves
//! usage                what processes take of the machine over time, beside getrusage
//! findings             what a report says is wrong with a program that is, and with others
//! differences          what differs between two reports
//! data_frames          the package of Python that makes pandas tables of reports
//! five_minutes         the commands of docs/find-it-in-five-minutes.md print what it shows
//! sealed               after seccomp: no system call of our own
//! endings              all the ways in which a process can end
//! threads              many of them, their destructors, their cancellation
//! signals              handlers that call the functions that they interrupt, and jump away
//! loading              dlopen, and constructors that run before ours
//! rough_programs       programs that close or change what they share with us
//! silence              no system call and no allocation of our own
//! slow_calls           whether threads sleep in slow calls
//! settings             the environment variables, valid and not valid
//! machine_code         additions to counters that no signal can split
//! made_code            stacks through code that a program makes while it runs
//! world                common programs: allocators, compilers, languages, servers, a browser
//! uring                I/O that does not use the C library, and what the report says about it
//! package              the Debian package: installed, used and removed
//! recipes              the recipes of docs/recipes.md
//! choices              the tests that scripts choose by name are there
//! exports              the dynamic symbols are exactly the table of functions
//! torture              a program that does everything dangerous in random order, with many seeds
//! regressions          faults found in programs outside these tests, a file for each kind
//! documents            docs/settings.md and docs/functions.md agree with the tables in the code
//! ```
//!
//! The victims are the C programs in `tests/programs`. The first line of each says how it is compiled. A missing tool
//! or privilege fails a test; no test is skipped.

mod support;

mod choices;
mod coop;
mod cpython;
mod data_frames;
mod descriptors;
mod differences;
mod documents;
mod endings;
mod exactness;
mod exports;
mod file_sites;
mod files;
mod findings;
mod five_minutes;
mod followed;
mod io_over_time;
mod killed;
mod lifetimes;
mod live_blocks;
mod live_run;
mod live_view;
mod loading;
mod machine_code;
mod made_code;
mod names;
mod over_time;
mod package;
mod pid_namespaces;
mod processes;
mod python;
mod real_build;
mod recipes;
mod regressions;
mod rough_programs;
mod sampled;
mod sealed;
mod settings;
mod signals;
mod silence;
mod slow_calls;
mod sockets;
mod stacks;
mod stdio;
mod storms;
mod torture;
mod transparency;
mod uring;
mod usage;
mod witnesses;
mod world;

mod threads;
mod titles;
