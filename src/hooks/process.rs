//! The life of the process: its ends, its replacement by another image, and the bare fork.
//!
//! What ends the process calls [`end`] first. Every one of these may be called in a child of vfork, which shares our memory and is
//! not the process that the memory describes: `end` sees to that.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use libc::pid_t;
use weir_record::functions::Function;

use crate::arch;
use crate::life::{
    end::{self, Replacing},
    fork, inject_environment,
    programs::Program,
    starts::{self, Start},
};
use crate::linking::next;
use crate::{recording, sys};

type Strings = *const *const c_char;

unsafe extern "C" {
    static environ: Strings;
}

/// # Safety
/// As _exit(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _exit(status: c_int) -> ! {
    recording::count(Function::UnderscoreExit);
    end::end(status);
    // SAFETY: what the caller promises is what the next one asks.
    unsafe { next::underscore_exit(status) }
}

/// # Safety
/// As _exit(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _Exit(status: c_int) -> ! {
    recording::count(Function::UnderscoreExitC99);
    end::end(status);
    // SAFETY: what the caller promises is what the next one asks.
    unsafe { next::underscore_exit_c99(status) }
}

/// Tells that a program is about to be executed with an environment, and, if that fails, that it was not. `exec` is
/// given the environment, with what is added to it or taken from it.
fn replace(
    function: Function,
    program: Program,
    environment: Strings,
    exec: impl FnOnce(Strings) -> c_int,
) -> c_int {
    recording::count(function);
    // What does the work of those with variable arguments, and of those that take the process's own environment.
    for function in [Function::Execve, Function::Execvp, Function::Execvpe] {
        next::ensure(function);
    }
    inject_environment::with(program, environment, |start, environment| {
        let replacing = begin_replacing(start);
        let result = exec(environment);
        failed(function, &replacing);
        result
    })
}

/// A program is about to be executed.
#[inline(never)]
fn begin_replacing(start: &Start) -> Option<Replacing> {
    if sys::is_sealed() {
        return end::begin_replacing(start);
    }
    let mut replacing = None;
    // The thread's stack may be small, and the program's path is written down, perhaps a report too.
    sys::on_own_stack_if_possible(|| replacing = end::begin_replacing(start));
    replacing
}

/// An exec has failed.
#[cold]
#[inline(never)]
fn failed(function: Function, replacing: &Option<Replacing>) {
    sys::with_errno_kept(|| {
        recording::count_failure(function);
        if let Some(replacing) = replacing {
            // The thread's stack may be small.
            sys::on_own_stack_if_possible(|| replacing.failed());
        }
    });
}

/// The process's own environment.
fn own() -> Strings {
    // SAFETY: a variable of the C library.
    unsafe { environ }
}

/// Executes what is found in PATH, by the function that does no more than is needed.
///
/// # Safety
/// As execvpe(3) has it.
unsafe fn search(file: *const c_char, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        if environment == own() {
            next::execvp(file, arguments)
        } else {
            next::execvpe(file, arguments, environment)
        }
    }
}

/// # Safety
/// As execve(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execv(path: *const c_char, arguments: Strings) -> c_int {
    let program = Program::Path(path);
    replace(Function::Execv, program, own(), |environment| {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe {
            if environment == own() {
                next::execv(path, arguments)
            } else {
                next::execve(path, arguments, environment)
            }
        }
    })
}

/// # Safety
/// As execve(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execve(
    path: *const c_char,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    let program = Program::Path(path);
    replace(Function::Execve, program, environment, |environment| {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::execve(path, arguments, environment) }
    })
}

/// # Safety
/// As execvp(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execvp(file: *const c_char, arguments: Strings) -> c_int {
    let program = Program::Searched(file);
    // SAFETY: what the caller promises is what the next one asks.
    replace(Function::Execvp, program, own(), |environment| unsafe {
        search(file, arguments, environment)
    })
}

/// # Safety
/// As execvpe(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execvpe(
    file: *const c_char,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    let program = Program::Searched(file);
    replace(Function::Execvpe, program, environment, |environment| {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::execvpe(file, arguments, environment) }
    })
}

/// # Safety
/// As execveat(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execveat(
    dir: c_int,
    path: *const c_char,
    arguments: Strings,
    environment: Strings,
    flags: c_int,
) -> c_int {
    let program = Program::At(dir, path);
    replace(Function::Execveat, program, environment, |environment| {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::execveat(dir, path, arguments, environment, flags) }
    })
}

/// # Safety
/// As fexecve(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn fexecve(fd: c_int, arguments: Strings, environment: Strings) -> c_int {
    let program = Program::Open(fd);
    replace(Function::Fexecve, program, environment, |environment| {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::fexecve(fd, arguments, environment) }
    })
}

/// The variable arguments of a call: the first came in registers, the others on the stack.
#[repr(C)]
struct Variable {
    registers: *const *const c_char,
    stack: *const *const c_char,
}

impl Variable {
    /// One register has the argument before them.
    const REGISTERS: usize = arch::ARGUMENT_REGISTERS - 1;

    /// # Safety
    /// There is an argument of this number.
    unsafe fn get(&self, number: usize) -> *const c_char {
        // SAFETY: as the caller promises, and by how the arguments are numbered.
        unsafe {
            match number.checked_sub(Self::REGISTERS) {
                None => self.registers.add(number).read(),
                Some(number) => self.stack.add(number).read(),
            }
        }
    }

    /// How many arguments come before NULL.
    ///
    /// # Safety
    /// One of the arguments is NULL.
    unsafe fn count(&self) -> usize {
        // SAFETY: no argument after the NULL is asked for.
        (0..)
            .take_while(|&number| !unsafe { self.get(number) }.is_null())
            .count()
    }

    /// Calls `exec` with the arguments up to NULL in one array.
    ///
    /// Nothing may be allocated here. Few arguments are gathered on the stack, of which they take little more than they need;
    /// many in a mapping of their own, which a child of vfork that succeeds leaves behind in its parent.
    ///
    /// # Safety
    /// One of the arguments is NULL.
    unsafe fn gathered(&self, exec: impl FnOnce(Strings) -> c_int) -> c_int {
        // SAFETY: as the caller promises; there is room for all of them and the NULL.
        unsafe {
            match self.count() + 1 {
                words @ ..=16 => self.gathered_in::<16>(words, exec),
                words @ ..=128 => self.gathered_in::<128>(words, exec),
                words => self.gathered_in_memory(words, exec),
            }
        }
    }

    /// # Safety
    /// There are `words` arguments with the NULL, no more than `WORDS`.
    #[inline(never)]
    unsafe fn gathered_in<const WORDS: usize>(
        &self,
        words: usize,
        exec: impl FnOnce(Strings) -> c_int,
    ) -> c_int {
        let mut array = [ptr::null::<c_char>(); WORDS];
        for (number, place) in array.iter_mut().enumerate().take(words) {
            // SAFETY: no argument after the NULL is asked for.
            *place = unsafe { self.get(number) };
        }
        exec(array.as_ptr())
    }

    /// # Safety
    /// There are `words` arguments with the NULL.
    #[inline(never)]
    unsafe fn gathered_in_memory(
        &self,
        words: usize,
        exec: impl FnOnce(Strings) -> c_int,
    ) -> c_int {
        let bytes = words * size_of::<*const c_char>();
        let Some(memory) = sys::Memory::for_the_program(bytes) else {
            sys::set_errno(libc::ENOMEM);
            return -1;
        };
        let array: *mut *const c_char = memory.start().cast();
        for number in 0..words {
            // SAFETY: no argument after the NULL is asked for, and there is room for them.
            unsafe { array.add(number).write(self.get(number)) };
        }
        let result = exec(array);
        sys::with_errno_kept(|| drop(memory));
        result
    }
}

/// Defines a hook for a variadic function, the body of which is told where the arguments are.
macro_rules! variadic {
    ($($name:ident, $manual:literal, $body:path;)+) => {$(
        #[doc = concat!("# Safety\nAs ", $manual, " has it.")]
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name() {
            arch::with_pointers!($body)
        }
    )+};
}

variadic! {
    execl, "exec(3)", execl_body;
    execlp, "exec(3)", execlp_body;
    execle, "exec(3)", execle_body;
}

unsafe extern "C" fn execl_body(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    let program = Program::Path(path);
    replace(Function::Execl, program, own(), |environment| {
        // SAFETY: what execl's caller promises is what is asked here.
        unsafe { arguments.gathered(|arguments| next::execve(path, arguments, environment)) }
    })
}

unsafe extern "C" fn execlp_body(file: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    let program = Program::Searched(file);
    replace(Function::Execlp, program, own(), |environment| {
        // SAFETY: what execlp's caller promises is what is asked here.
        unsafe { arguments.gathered(|arguments| search(file, arguments, environment)) }
    })
}

unsafe extern "C" fn execle_body(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    let program = Program::Path(path);
    // SAFETY: the environment follows the NULL, as execle's caller promises.
    let environment: Strings = unsafe { arguments.get(arguments.count() + 1) }.cast();
    replace(Function::Execle, program, environment, |environment| {
        // SAFETY: what execle's caller promises is what is asked here.
        unsafe { arguments.gathered(|arguments| next::execve(path, arguments, environment)) }
    })
}

/// Forks. What handlers of fork do on the way, some of them in the child, is looked at call by call.
fn forking(function: Function, fork: impl FnOnce() -> pid_t) -> pid_t {
    recording::count(function);
    let generation = fork::generation();
    let has_begun = fork::begin_fork();
    let pid = fork();
    if pid == 0 {
        if !fork::is_told(generation) {
            fork::forked();
        }
        return pid;
    }
    if has_begun {
        sys::with_errno_kept(|| fork::end_fork(pid == -1));
    }
    if pid == -1 {
        recording::count_failure(function);
    }
    pid
}

/// # Safety
/// As fork(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn fork() -> pid_t {
    // SAFETY: what the caller promises is what the next one asks.
    forking(Function::Fork, || unsafe { next::fork() })
}

/// # Safety
/// As fork(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn __fork() -> pid_t {
    // SAFETY: what the caller promises is what the next one asks.
    forking(Function::ForkAlias, || unsafe { next::fork_alias() })
}

/// The fork that runs no handlers.
///
/// # Safety
/// As _Fork(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _Fork() -> pid_t {
    // SAFETY: what the caller promises is what the next one asks.
    forking(Function::UnderscoreFork, || unsafe {
        next::underscore_fork()
    })
}

type Spawn = unsafe extern "C-unwind" fn(
    *mut pid_t,
    *const c_char,
    *const c_void,
    *const c_void,
    Strings,
    Strings,
) -> c_int;

/// Defines the hooks of the two ways to start a program without a fork.
macro_rules! spawns {
    ($($function:ident = $name:ident, $program:expr;)+) => {$(
        /// With the address that the hook returns to.
        ///
        /// # Safety
        /// As posix_spawn(3) has it.
        pub unsafe extern "C-unwind" fn $name(
            pid: *mut pid_t,
            path: *const c_char,
            actions: *const c_void,
            attributes: *const c_void,
            arguments: Strings,
            environment: Strings,
            caller: usize,
        ) -> c_int {
            recording::count(Function::$function);
            // SAFETY: what the function is.
            let spawn = unsafe { next::of_caller::<Spawn>(Function::$function, caller) };
            // In the place of this function, not on top of it: the stack may be small.
            // SAFETY: the same call.
            return unsafe { spawned(pid, path, actions, attributes, arguments, environment, spawn) };

            #[inline(never)]
            unsafe extern "C-unwind" fn spawned(
                pid: *mut pid_t,
                path: *const c_char,
                actions: *const c_void,
                attributes: *const c_void,
                arguments: Strings,
                environment: Strings,
                spawn: Spawn,
            ) -> c_int {
                let mut own = 0;
                let pid = if pid.is_null() { &raw mut own } else { pid };
                let result = inject_environment::with($program(path), environment, |start, environment| {
                    let ticks = sys::ticks();
                    // SAFETY: what the caller promises is what the next one asks.
                    let result = unsafe {
                        spawn(pid, path, actions, attributes, arguments, environment)
                    };
                    if result == 0 {
                        // SAFETY: the program was started, and its process's id written.
                        let pid = unsafe { *pid }.cast_unsigned();
                        // SAFETY: as above.
                        let note = || unsafe { starts::note_spawned(pid, ticks, start) };
                        sys::with_errno_kept(|| sys::on_own_stack_if_possible(note));
                    }
                    result
                });
                if result != 0 {
                    recording::count_failure_of(Function::$function, result);
                }
                result
            }
        }
    )+};
}

spawns! {
    PosixSpawn = posix_spawn_body, Program::Path;
    PosixSpawnp = posix_spawnp_body, Program::Searched;
}
