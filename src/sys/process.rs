//! Which process this is, among all processes of all times.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use super::{read_file, read_link};

/// A number that no other process has, not in another namespace either. The process keeps it when it executes another
/// program. It is made of the process's start time and its process-id namespace. `None` if there is no /proc to ask.
pub fn identity() -> Option<u64> {
    identity_by(c"/proc/self/stat", c"/proc/self/ns/pid")
}

/// That of a process by two files of its folder in /proc: `stat`, and `ns/pid`. `None` where we may not read them.
pub fn identity_by(stat: &CStr, namespace: &CStr) -> Option<u64> {
    /// The index of the start time among the fields behind the name, which may contain any character (proc(5),
    /// /proc/pid/stat: fields 3 to 22).
    const START: usize = 19;
    let mut buffer = [0; 512];
    let stat = read_file(stat, &mut buffer);
    let after_name = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat[after_name..].split(|&byte| byte == b' ').skip(1);
    let start = fields.nth(START)?;
    let mut buffer = [MaybeUninit::uninit(); 64];
    let namespace = read_link(namespace, &mut buffer);
    // FNV-1a.
    let bytes = start.iter().chain(b"@").chain(namespace);
    Some(bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// The status with which the process's first thread has ended, if the calling thread is another one and the only one
/// that still runs. The kernel keeps that status until all threads have ended.
pub fn status_of_the_others() -> Option<i32> {
    /// The index of the number of threads, behind the state (proc(5), /proc/pid/stat: fields 3 and 20).
    const THREADS: usize = 16;
    /// The index, behind that, of the first thread's status in the form of wait(2) (field 52).
    const STATUS: usize = 31;
    let mut stat = [0; 1024];
    let stat = read_file(c"/proc/self/stat", &mut stat);
    let after_name = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat[after_name..]
        .split(|byte| byte.is_ascii_whitespace())
        .skip(1);
    let is_last = fields.next() == Some(b"Z") && fields.nth(THREADS) == Some(b"2");
    let status = std::str::from_utf8(fields.nth(STATUS)?).ok()?;
    let status = status.parse::<i32>().ok().filter(|_| is_last)?;
    Some(status >> 8 & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_and_its_child_another() {
        let own = identity().expect("there is /proc");
        assert_eq!(identity(), Some(own));
        // The clock of start times has a resolution of a hundredth of a second.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (read, write) = std::io::pipe().expect("a pipe");
        // SAFETY: the child makes system calls only, and ends.
        unsafe {
            if libc::fork() == 0 {
                use std::os::fd::AsRawFd;
                let child = identity().unwrap_or(own).to_ne_bytes();
                libc::write(write.as_raw_fd(), child.as_ptr().cast(), child.len());
                libc::_exit(0);
            }
        }
        drop(write);
        let mut child = [0; 8];
        std::io::Read::read_exact(&mut &read, &mut child).expect("the child writes");
        assert_ne!(u64::from_ne_bytes(child), own);
    }
}
