//! Surroundings in which something is scarce.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Program;

/// Runs the program with a file system of 16 KiB at a folder, which is full except for what rounding leaves.
///
/// Mounting requires a privilege that containers often do not have. Without it, the system calls that reserve room on
/// a file system fail with ENOSPC, as they do on a full one.
pub fn full(program: Program, folder: &Path) -> Program {
    let folder = CString::new(folder.as_os_str().as_bytes()).expect("a path");
    program.before_exec(move || mount_small(&folder).or_else(|_| forbid_growth()))
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn mount_small(folder: &CString) -> io::Result<()> {
    // SAFETY: system calls with strings that end in NUL and live until the calls return.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS))?;
        let private = libc::MS_REC | libc::MS_PRIVATE;
        check(libc::mount(
            std::ptr::null(),
            c"/".as_ptr(),
            std::ptr::null(),
            private,
            std::ptr::null(),
        ))?;
        check(libc::mount(
            c"weir-test".as_ptr(),
            folder.as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            c"size=16k,mode=1777".as_ptr().cast(),
        ))
    }
}

fn forbid_growth() -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let no_space = libc::SECCOMP_RET_ERRNO | libc::ENOSPC.cast_unsigned();
    let mut steps = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 1, libc::SYS_fallocate as u32),
        step(RETURN, 0, 0, no_space),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the filter and its steps live until the calls return; the calls only read them.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        ))
    }
}

/// Runs the program so that permission bits apply to root, too.
pub fn bound_by_permissions(program: Program) -> Program {
    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    program.before_exec(|| {
        // A process that may not drop the capability does not have it.
        // SAFETY: a system call with numbers only.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) };
        Ok(())
    })
}

/// Runs the program with some of the standard descriptors closed.
pub fn closed(program: Program, descriptors: impl IntoIterator<Item = i32>) -> Program {
    let descriptors: Vec<i32> = descriptors.into_iter().collect();
    program.before_exec(move || {
        for &fd in &descriptors {
            // SAFETY: the child uses none of these descriptors before it executes the program.
            check(unsafe { libc::close(fd) })?;
        }
        Ok(())
    })
}

/// Runs the program by `prlimit`, which is measured, too. So, under `weir run`, the limit applies to the program and
/// not to Weir.
pub fn limited(program: &Program, limits: &[&str]) -> Program {
    program.by("/usr/bin/prlimit", limits)
}
