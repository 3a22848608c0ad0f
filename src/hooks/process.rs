//! The life of the process: its ends, its replacement by another image, and the bare fork.
//!
//! What ends the process is told to [`image`] first. Every one of these may be called in a
//! child of vfork, which shares our memory and is not the process that the memory describes: `image`
//! sees to that.

use std::arch::naked_asm;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use libc::pid_t;
use weir_record::functions::Function;

use crate::{image, next, recording, sys, writer};

type Strings = *const *const c_char;

unsafe extern "C" {
    static environ: Strings;
}

/// # Safety
/// As _exit(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _exit(status: c_int) -> ! {
    recording::count(Function::UnderscoreExit);
    image::end(status);
    // SAFETY: what the caller promises is what the next one asks.
    unsafe { next::underscore_exit(status) }
}

/// # Safety
/// As _exit(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _Exit(status: c_int) -> ! {
    recording::count(Function::UnderscoreExitC99);
    image::end(status);
    // SAFETY: what the caller promises is what the next one asks.
    unsafe { next::underscore_exit_c99(status) }
}

/// The program's handlers are yet to run: a handler of our own, registered before them, is called last.
///
/// # Safety
/// As C11 has it (7.22.4.7).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn quick_exit(status: c_int) -> ! {
    recording::count(Function::QuickExit);
    image::begin_quick_exit(status);
    // SAFETY: what the caller promises is what the next one asks.
    unsafe { next::quick_exit(status) }
}

/// Tells that the image is about to be replaced, and, if that fails, that it was not.
fn replace(function: Function, exec: impl FnOnce() -> c_int) -> c_int {
    recording::count(function);
    // What does the work of those with variable arguments.
    next::ensure(Function::Execve);
    next::ensure(Function::Execvp);
    let replacing = image::begin_replacing();
    let result = exec();
    sys::with_errno_kept(|| {
        recording::count_failure(function);
        if let Some(replacing) = replacing {
            replacing.failed();
        }
    });
    result
}

/// # Safety
/// As execve(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execv(path: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: what the caller promises is what the next one asks.
    replace(Function::Execv, move || unsafe {
        next::execv(path, arguments)
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
    // SAFETY: what the caller promises is what the next one asks.
    replace(Function::Execve, || unsafe {
        next::execve(path, arguments, environment)
    })
}

/// # Safety
/// As execvp(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn execvp(file: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: what the caller promises is what the next one asks.
    replace(Function::Execvp, || unsafe {
        next::execvp(file, arguments)
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
    // SAFETY: what the caller promises is what the next one asks.
    replace(Function::Execvpe, || unsafe {
        next::execvpe(file, arguments, environment)
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
    replace(Function::Execveat, || {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::execveat(dir, path, arguments, environment, flags) }
    })
}

/// # Safety
/// As fexecve(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn fexecve(fd: c_int, arguments: Strings, environment: Strings) -> c_int {
    // SAFETY: what the caller promises is what the next one asks.
    replace(Function::Fexecve, || unsafe {
        next::fexecve(fd, arguments, environment)
    })
}

/// The variable arguments of a call: five came in registers, the others on the stack.
#[repr(C)]
struct Variable {
    registers: *const *const c_char,
    stack: *const *const c_char,
}

impl Variable {
    const REGISTERS: usize = 5;

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

    /// Calls `exec` with the arguments up to NULL in one array, and with the argument after NULL.
    ///
    /// Nothing may be allocated here. Few arguments are gathered on the stack; many in a mapping of
    /// their own, which a child of vfork that succeeds leaves behind in its parent.
    ///
    /// # Safety
    /// One of the arguments is NULL; where `with_environment`, another follows.
    unsafe fn gathered(
        &self,
        with_environment: bool,
        exec: impl FnOnce(Strings, Strings) -> c_int,
    ) -> c_int {
        const FEW: usize = 128;
        let mut few = [ptr::null::<c_char>(); FEW];
        // SAFETY: no argument after the NULL is asked for, except where there is one. The array has
        // room for all of them and the NULL.
        unsafe {
            let count = (0..)
                .take_while(|&number| !self.get(number).is_null())
                .count();
            let after: Strings = if with_environment {
                self.get(count + 1).cast()
            } else {
                ptr::null()
            };
            let memory = if count < FEW {
                None
            } else {
                let Some(memory) = sys::Memory::new((count + 1) * size_of::<*const c_char>())
                else {
                    sys::set_errno(libc::ENOMEM);
                    return -1;
                };
                Some(memory)
            };
            let array = memory
                .as_ref()
                .map_or(few.as_mut_ptr(), |memory| memory.start().cast());
            for number in 0..=count {
                array.add(number).write(self.get(number));
            }
            let result = exec(array, after);
            sys::with_errno_kept(|| drop(memory));
            result
        }
    }
}

/// Defines a hook for a variadic function: stores the registers side by side, and calls the body with the
/// first argument, where the registers are, and where the arguments on the stack are.
macro_rules! variadic {
    ($($name:ident, $manual:literal, $body:path;)+) => {$(
        #[doc = concat!("# Safety\nAs ", $manual, " has it.")]
        #[unsafe(naked)]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                ".cfi_adjust_cfa_offset 40",
                "mov rsi, rsp",
                // The return address is between.
                "lea rdx, [rsp + 48]",
                "call {body}",
                "add rsp, 40",
                ".cfi_adjust_cfa_offset -40",
                "ret",
                ".cfi_endproc",
                body = sym $body,
            )
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
    replace(Function::Execl, || {
        // SAFETY: what execl's caller promises is what is asked here.
        unsafe { arguments.gathered(false, |arguments, _| next::execve(path, arguments, environ)) }
    })
}

unsafe extern "C" fn execlp_body(file: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    replace(Function::Execlp, || {
        // SAFETY: what execlp's caller promises is what is asked here.
        unsafe { arguments.gathered(false, |arguments, _| next::execvp(file, arguments)) }
    })
}

unsafe extern "C" fn execle_body(path: *const c_char, registers: Strings, stack: Strings) -> c_int {
    let arguments = Variable { registers, stack };
    replace(Function::Execle, || {
        // SAFETY: what execle's caller promises is what is asked here.
        unsafe {
            arguments.gathered(true, |arguments, environment| {
                next::execve(path, arguments, environment)
            })
        }
    })
}

/// Forks. The child is told of by a handler of ours, unless the fork comes before our constructor.
fn forking(function: Function, fork: impl FnOnce() -> pid_t) -> pid_t {
    recording::count(function);
    let pid = fork();
    if pid == 0 {
        image::forked_if_not_told();
    } else if pid == -1 {
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

/// The fork that runs no handlers, ours neither.
///
/// # Safety
/// As _Fork(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn _Fork() -> pid_t {
    recording::count(Function::UnderscoreFork);
    let is_held = writer::hold();
    // SAFETY: what the caller promises is what the next one asks.
    let pid = unsafe { next::underscore_fork() };
    if pid == 0 {
        image::forked();
        return pid;
    }
    if is_held {
        writer::let_go();
    }
    if pid == -1 {
        recording::count_failure(Function::UnderscoreFork);
    }
    pid
}

/// The arguments after the first are integers or pointers, whatever the option; they arrive in registers and are
/// passed on in them, used or not.
///
/// # Safety
/// As prctl(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    recording::count(Function::Prctl);
    if option == libc::PR_SET_SECCOMP {
        image::seal();
    }
    // SAFETY: what the caller promises is what the next one asks.
    let result = unsafe { next::prctl(option, a, b, c, d) };
    if result == -1 {
        recording::count_failure(Function::Prctl);
    }
    result
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
    ($($function:ident = $name:ident;)+) => {$(
        /// # Safety
        /// As posix_spawn(3) has it.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name(
            pid: *mut pid_t,
            path: *const c_char,
            actions: *const c_void,
            attributes: *const c_void,
            arguments: Strings,
            environment: Strings,
        ) -> c_int {
            recording::count(Function::$function);
            next::ensure(Function::$function);
            // SAFETY: what the caller promises is what the next one asks, which has been found.
            let result = unsafe {
                next::of::<Spawn>(Function::$function)(
                    pid, path, actions, attributes, arguments, environment,
                )
            };
            if result != 0 {
                recording::count_failure_of(Function::$function, result);
            }
            result
        }
    )+};
}

spawns! {
    PosixSpawn = posix_spawn;
    PosixSpawnp = posix_spawnp;
}
