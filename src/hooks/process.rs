//! The end of the process, its replacement by another program, fork, and posix_spawn.
//!
//! Each function that ends the process calls [`end`] first. Any of them may be called in a child of vfork, which shares
//! our memory but is not the process that the memory describes. `end` handles that case.

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
use crate::linking::{bound, next};
use crate::recording::{self, Counted};
use crate::{process, sys};

type Strings = *const *const c_char;

unsafe extern "C" {
    static environ: Strings;
}

/// # Safety
/// The same contract as _exit(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _exit(status: c_int) -> ! {
    recording::count(Function::UnderscoreExit);
    end::end(status);
    // SAFETY: the next function has the same contract, and our caller keeps it.
    unsafe { next::underscore_exit(status) }
}

/// # Safety
/// The same contract as _exit(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _Exit(status: c_int) -> ! {
    recording::count(Function::UnderscoreExitC99);
    end::end(status);
    // SAFETY: the next function has the same contract, and our caller keeps it.
    unsafe { next::underscore_exit_c99(status) }
}

/// Announces that a program is about to be executed; if the exec fails, withdraws the announcement. `exec` gets the
/// environment, with our entries added or removed.
fn replace(
    function: Function,
    program: Program,
    environment: Strings,
    exec: impl FnOnce(Strings) -> c_int,
) -> c_int {
    let counted = recording::count(function);
    // The functions that do the work of those with variable arguments, and of those that use the process's own
    // environment.
    for function in [Function::Execve, Function::Execvp, Function::Execvpe] {
        next::ensure(function);
    }
    inject_environment::with(program, environment, |start, environment| {
        let replacing = begin_replacing(start);
        let result = exec(environment);
        failed(function, counted, &replacing);
        result
    })
}

/// Called before a program is executed.
#[inline(never)]
fn begin_replacing(start: &Start) -> Option<Replacing> {
    if sys::is_sealed() {
        return end::begin_replacing(start);
    }
    let mut replacing = None;
    // The thread's stack may be small; this builds the program's path, and may write a report.
    sys::on_ready_stack_if_possible(|| replacing = end::begin_replacing(start));
    replacing
}

/// Called after an exec has failed. Keeps `errno`.
#[cold]
#[inline(never)]
fn failed(function: Function, counted: Counted, replacing: &Option<Replacing>) {
    sys::with_errno_kept(|| {
        counted.failed(function);
        if let Some(replacing) = replacing {
            // The thread's stack may be small.
            sys::on_own_stack_if_possible(|| replacing.failed());
        }
    });
}

/// Returns the process's own environment.
fn own() -> Strings {
    // SAFETY: this reads a variable of the C library.
    unsafe { environ }
}

/// Executes a program that is looked for in PATH. `execvp` is enough if the environment is the process's own.
///
/// # Safety
/// The same contract as execvpe(3).
unsafe fn search(file: *const c_char, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: the caller guarantees it.
    unsafe {
        if environment == own() {
            next::execvp(file, arguments)
        } else {
            next::execvpe(file, arguments, environment)
        }
    }
}

/// # Safety
/// The same contract as execve(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execv(path: *const c_char, arguments: Strings) -> c_int {
    let program = Program::Path(path);
    replace(Function::Execv, program, own(), |environment| {
        // SAFETY: the next function has the same contract, and our caller keeps it.
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
/// The same contract as execve(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execve(
    path: *const c_char,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    let program = Program::Path(path);
    replace(Function::Execve, program, environment, |environment| {
        // SAFETY: the next function has the same contract, and our caller keeps it.
        unsafe { next::execve(path, arguments, environment) }
    })
}

/// # Safety
/// The same contract as execvp(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execvp(file: *const c_char, arguments: Strings) -> c_int {
    let program = Program::Searched(file);
    // SAFETY: the next function has the same contract, and our caller keeps it.
    replace(Function::Execvp, program, own(), |environment| unsafe {
        search(file, arguments, environment)
    })
}

/// # Safety
/// The same contract as execvpe(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execvpe(
    file: *const c_char,
    arguments: Strings,
    environment: Strings,
) -> c_int {
    let program = Program::Searched(file);
    replace(Function::Execvpe, program, environment, |environment| {
        // SAFETY: the next function has the same contract, and our caller keeps it.
        unsafe { next::execvpe(file, arguments, environment) }
    })
}

/// # Safety
/// The same contract as execveat(2).
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
        // SAFETY: the next function has the same contract, and our caller keeps it.
        unsafe { next::execveat(dir, path, arguments, environment, flags) }
    })
}

/// # Safety
/// The same contract as fexecve(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn fexecve(fd: c_int, arguments: Strings, environment: Strings) -> c_int {
    let program = Program::Open(fd);
    replace(Function::Fexecve, program, environment, |environment| {
        // SAFETY: the next function has the same contract, and our caller keeps it.
        unsafe { next::fexecve(fd, arguments, environment) }
    })
}

/// The variable arguments of a call: the first ones came in registers, the others on the stack.
#[repr(C)]
struct Variable {
    registers: *const *const c_char,
    stack: *const *const c_char,
}

impl Variable {
    /// One register holds the fixed argument.
    const REGISTERS: usize = arch::ARGUMENT_REGISTERS - 1;

    /// # Safety
    /// There is an argument of this number.
    unsafe fn get(&self, number: usize) -> *const c_char {
        // SAFETY: the caller guarantees that the argument exists; the first `REGISTERS` arguments were stored from
        // registers.
        unsafe {
            match number.checked_sub(Self::REGISTERS) {
                None => self.registers.add(number).read(),
                Some(number) => self.stack.add(number).read(),
            }
        }
    }

    /// The number of arguments before NULL.
    ///
    /// # Safety
    /// One of the arguments is NULL.
    unsafe fn count(&self) -> usize {
        // SAFETY: `take_while` stops at the NULL, so no argument after it is read.
        (0..)
            .take_while(|&number| !unsafe { self.get(number) }.is_null())
            .count()
    }

    /// Calls `exec` with the arguments up to NULL in one array. Fails with ENOMEM if there is no memory for it.
    ///
    /// Nothing may be allocated from the program's heap here. A small number of arguments is copied to an array on the
    /// stack, of 16 or 128 words. A larger number goes into a new mapping. If a child of vfork makes the mapping and
    /// its exec succeeds, the mapping stays in the parent.
    ///
    /// # Safety
    /// One of the arguments is NULL.
    unsafe fn gathered(&self, exec: impl FnOnce(Strings) -> c_int) -> c_int {
        // SAFETY: the caller guarantees the NULL; each array has room for all arguments and the NULL.
        unsafe {
            match self.count() + 1 {
                words @ ..=16 => self.gathered_in::<16>(words, exec),
                words @ ..=128 => self.gathered_in::<128>(words, exec),
                words => self.gathered_in_memory(words, exec),
            }
        }
    }

    /// # Safety
    /// There are `words` arguments, including the NULL, and `words` is at most `WORDS`.
    #[inline(never)]
    unsafe fn gathered_in<const WORDS: usize>(
        &self,
        words: usize,
        exec: impl FnOnce(Strings) -> c_int,
    ) -> c_int {
        let mut array = [ptr::null::<c_char>(); WORDS];
        for (number, place) in array.iter_mut().enumerate().take(words) {
            // SAFETY: no argument after the NULL is read.
            *place = unsafe { self.get(number) };
        }
        exec(array.as_ptr())
    }

    /// # Safety
    /// There are `words` arguments, including the NULL.
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
            // SAFETY: no argument after the NULL is read, and the mapping has room for `words` pointers.
            unsafe { array.add(number).write(self.get(number)) };
        }
        let result = exec(array);
        sys::with_errno_kept(|| drop(memory));
        result
    }
}

/// Defines a hook for a variadic function. Its body gets pointers to the arguments, and goes on with another function, which takes an
/// array. Another library's function of the hook's name is called itself: the hook counts, and jumps there.
macro_rules! variadic {
    ($($function:ident = $name:ident, $manual:literal, $body:path;)+) => {$(
        #[doc = concat!("# Safety\nAs ", $manual, " has it.")]
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name() {
            #[unsafe(naked)]
            unsafe extern "C-unwind" fn with_pointers() {
                arch::with_pointers!($body)
            }
            extern "C" fn answer() -> usize {
                match next::of_another_library(Function::$function) {
                    Some(address) => {
                        recording::count(Function::$function);
                        address.get()
                    }
                    None => (with_pointers as *const ()).addr(),
                }
            }
            arch::jump_to_answer!(answer)
        }
    )+};
}

variadic! {
    Execl = execl, "exec(3)", execl_body;
    Execlp = execlp, "exec(3)", execlp_body;
    Execle = execle, "exec(3)", execle_body;
}

unsafe extern "C" fn execl_body(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    let program = Program::Path(path);
    replace(Function::Execl, program, own(), |environment| {
        // SAFETY: the caller of execl keeps its contract, so one argument is NULL.
        unsafe { arguments.gathered(|arguments| next::execve(path, arguments, environment)) }
    })
}

unsafe extern "C" fn execlp_body(file: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    let program = Program::Searched(file);
    replace(Function::Execlp, program, own(), |environment| {
        // SAFETY: the caller of execlp keeps its contract, so one argument is NULL.
        unsafe { arguments.gathered(|arguments| search(file, arguments, environment)) }
    })
}

unsafe extern "C" fn execle_body(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    let program = Program::Path(path);
    // SAFETY: the caller of execle keeps its contract, so the environment follows the NULL.
    let environment: Strings = unsafe { arguments.get(arguments.count() + 1) }.cast();
    replace(Function::Execle, program, environment, |environment| {
        // SAFETY: the caller of execle keeps its contract, so one argument is NULL.
        unsafe { arguments.gathered(|arguments| next::execve(path, arguments, environment)) }
    })
}

/// Calls `fork`. Handlers of fork run inside it, some of them in the child. So each call that a handler makes is
/// checked for the process that it is in.
fn forking(function: Function, fork: impl FnOnce() -> pid_t) -> pid_t {
    let counted = recording::count(function);
    let generation = process::generation();
    let has_begun = fork::begin_fork();
    let pid = fork();
    if pid == 0 {
        if !fork::is_handled(generation) {
            fork::forked();
        }
        return pid;
    }
    if has_begun {
        sys::with_errno_kept(|| fork::end_fork(pid == -1));
    }
    if pid == -1 {
        counted.failed(function);
    }
    pid
}

/// # Safety
/// The same contract as fork(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn fork() -> pid_t {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    forking(Function::Fork, || unsafe { next::fork() })
}

/// # Safety
/// The same contract as fork(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn __fork() -> pid_t {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    forking(Function::ForkAlias, || unsafe { next::fork_alias() })
}

/// The fork that runs no handlers of fork.
///
/// # Safety
/// The same contract as _Fork(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _Fork() -> pid_t {
    // SAFETY: the next function has the same contract, and our caller keeps it.
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

/// The body of `posix_spawn`, and of `posix_spawnp`, which searches the program in PATH. `caller` is the return address of the
/// hook.
///
/// # Safety
/// The same contract as posix_spawn(3).
pub unsafe extern "C-unwind" fn spawn_body<const IS_SEARCHED: bool>(
    pid: *mut pid_t,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: Strings,
    environment: Strings,
    caller: usize,
) -> c_int {
    let (function, program) = match IS_SEARCHED {
        false => (Function::PosixSpawn, Program::Path(path)),
        true => (Function::PosixSpawnp, Program::Searched(path)),
    };
    let counted = recording::count(function);
    // SAFETY: `Spawn` is the type of both functions.
    let spawn = unsafe { bound::of_caller::<Spawn>(function, caller) };
    let mut own = 0;
    let pid = if pid.is_null() { &raw mut own } else { pid };
    let result = inject_environment::with(program, environment, |start, environment| {
        let ticks = sys::ticks();
        // SAFETY: the next function has the same contract, and our caller keeps it.
        let result = unsafe { spawn(pid, path, actions, attributes, arguments, environment) };
        if result == 0 {
            // SAFETY: the call succeeded, so the process id was written.
            let pid = unsafe { *pid }.cast_unsigned();
            // SAFETY: the call succeeded, so the kernel has read the path.
            let note = || unsafe { starts::note_spawned(pid, ticks, start) };
            sys::with_errno_kept(|| sys::on_own_stack_if_possible(note));
        }
        result
    });
    if result != 0 {
        counted.failed_by(function, result);
    }
    result
}
