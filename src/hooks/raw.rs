//! System calls that the program makes by number, and that change what descriptors refer to. Sandboxes, language
//! runtimes and the closefrom of old libraries make and close descriptors this way. wait4 is here, too.
//!
//! The hook of `syscall` is a jump, so it does not see the result. A call that only closes is recorded before it is
//! made. A call that makes a descriptor, or makes one refer to another file, is made by [`follow`] instead. That
//! function gets the same arguments, and sees the result. None of these calls takes more than five arguments. So it is with
//! calls that wait at a futex.

use std::ffi::{c_char, c_int, c_long, c_uint};
use std::ptr;

use libc::sockaddr;
use weir_record::file::Kind;

use super::{children, descriptor, wait_for_threads};
use crate::arch::numbers;
use crate::coop;
use crate::files;
use crate::linking::next;
use crate::program_memory::{given, read};

/// Returns the address of the function that makes a system call whose result matters; `None` if the result does not
/// matter. A descriptor that the call closes is forgotten now. If the call then fails, the descriptor is looked up when
/// it is next used.
pub fn followed(number: c_long, first: usize, second: usize, third: usize) -> Option<usize> {
    let fd = first as c_int;
    match number {
        libc::SYS_close => {
            coop::closing(fd);
            files::unlink(fd);
        }
        libc::SYS_close_range => {
            let (first, last) = (first as c_uint, second as c_uint);
            let flags = third as c_int;
            descriptor::closing_range(first, last, flags);
            descriptor::closed_range(first, last, flags, 0);
        }
        numbers::DUP2 => coop::closing_for(fd, second as c_int),
        libc::SYS_dup3 if third as c_int & !libc::O_CLOEXEC == 0 => {
            coop::closing_for(fd, second as c_int);
        }
        _ => {}
    }
    if wait_for_threads::waits_at_futex(number, second) {
        return Some((wait_for_threads::futex as *const ()).addr());
    }
    is_followed(number).then(|| (follow as *const ()).addr())
}

/// Whether the result of a system call matters here.
const fn is_followed(number: c_long) -> bool {
    makes(number)
        || matches!(
            number,
            libc::SYS_dup
                | numbers::DUP2
                | libc::SYS_dup3
                | libc::SYS_fcntl
                | libc::SYS_bind
                | libc::SYS_connect
                | libc::SYS_chdir
                | libc::SYS_fchdir
                | libc::SYS_chroot
                | libc::SYS_pivot_root
                | libc::SYS_wait4
        )
}

/// Whether a system call makes one descriptor or two.
const fn makes(number: c_long) -> bool {
    matches!(
        number,
        numbers::OPEN
            | libc::SYS_openat
            | libc::SYS_openat2
            | numbers::CREAT
            | numbers::PIPE
            | libc::SYS_pipe2
            | libc::SYS_socket
            | libc::SYS_socketpair
            | libc::SYS_accept
            | libc::SYS_accept4
            | libc::SYS_memfd_create
    ) || kind_made(number).is_some()
}

/// The kind of descriptor that a system call makes, if the kind is all that is recorded. [`Kind::Other`] means that the
/// kernel is asked at the first use.
const fn kind_made(number: c_long) -> Option<Kind> {
    Some(match number {
        numbers::EVENTFD | libc::SYS_eventfd2 => Kind::Event,
        numbers::EPOLL_CREATE | libc::SYS_epoll_create1 => Kind::Epoll,
        libc::SYS_timerfd_create => Kind::Timer,
        numbers::SIGNALFD | libc::SYS_signalfd4 => Kind::Signal,
        libc::SYS_memfd_secret
        | libc::SYS_open_by_handle_at
        | libc::SYS_open_tree
        | libc::SYS_mq_open
        | numbers::INOTIFY_INIT
        | libc::SYS_inotify_init1
        | libc::SYS_fanotify_init
        | libc::SYS_fsopen
        | libc::SYS_fsmount
        | libc::SYS_fspick
        | libc::SYS_pidfd_open
        | libc::SYS_pidfd_getfd
        | libc::SYS_perf_event_open
        | libc::SYS_userfaultfd
        | libc::SYS_bpf
        | libc::SYS_io_uring_setup
        | libc::SYS_landlock_create_ruleset => Kind::Other,
        _ => return None,
    })
}

/// Makes a system call, and records what its result changes.
///
/// # Safety
/// The same contract as syscall(2).
unsafe extern "C-unwind" fn follow(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
) -> c_long {
    let mut flags = 0;
    match number {
        numbers::OPEN | numbers::CREAT | libc::SYS_memfd_create => given::note_text(text(first)),
        libc::SYS_openat => given::note_text(text(second)),
        libc::SYS_openat2 => {
            given::note_text(text(second));
            let how = ptr::with_exposed_provenance::<u64>(third);
            // It begins with the flags.
            flags = read(how).unwrap_or(0) as c_int;
        }
        libc::SYS_connect | libc::SYS_bind => given::note(address(second), third as u32 as usize),
        _ => {}
    }
    // SAFETY: the program's arguments of `syscall`, unchanged; the next function has the same contract.
    let result = unsafe { next::syscall(number, first, second, third, fourth, fifth) };
    let (fd, made) = (first as c_int, result as c_int);
    match number {
        libc::SYS_connect => files::connected(fd, address(second), made),
        _ if result == -1 => {}
        numbers::OPEN => files::opened_with(second as c_int, made, libc::AT_FDCWD, text(first)),
        numbers::CREAT => files::opened(made, libc::AT_FDCWD, text(first)),
        libc::SYS_openat => files::opened_with(third as c_int, made, fd, text(second)),
        libc::SYS_openat2 => files::opened_with(flags, made, fd, text(second)),
        libc::SYS_dup => files::duplicated(fd, made),
        numbers::DUP2 | libc::SYS_dup3 => descriptor::duplicated(fd, made),
        libc::SYS_fcntl => files::controlled(fd, second as c_int, made),
        numbers::PIPE | libc::SYS_pipe2 => files::made_pair(Kind::Pipe, ends(first), made),
        libc::SYS_socketpair => files::made_pair(Kind::SocketPair, ends(fourth), made),
        libc::SYS_socket => files::made_socket(fd, second as c_int, made),
        libc::SYS_accept | libc::SYS_accept4 => files::accepted(fd, made),
        libc::SYS_memfd_create => files::made_memory(made, text(first)),
        libc::SYS_bind => files::bound(fd, address(second), made),
        libc::SYS_fchdir => files::changed_directory_to(fd, made),
        libc::SYS_chdir | libc::SYS_chroot | libc::SYS_pivot_root => files::changed_directory(made),
        libc::SYS_wait4 if second != 0 && made > 0 => {
            children::waited(made, ptr::with_exposed_provenance_mut(second));
        }
        // signalfd may have changed an existing descriptor instead of making one.
        numbers::SIGNALFD | libc::SYS_signalfd4 if fd >= 0 => {}
        _ => match kind_made(number) {
            Some(Kind::Other) => {
                files::unlink(made);
            }
            Some(kind) => files::made(kind, made),
            None => {}
        },
    }
    result
}

fn text(argument: usize) -> *const c_char {
    ptr::with_exposed_provenance(argument)
}

fn address(argument: usize) -> *const sockaddr {
    ptr::with_exposed_provenance(argument)
}

fn ends(argument: usize) -> *const c_int {
    ptr::with_exposed_provenance(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_closes_is_passed_on_and_what_makes_is_followed() {
        // Nothing is known of this descriptor, so the calls forget nothing.
        let nothing = c_int::MAX as usize;
        assert_eq!(followed(libc::SYS_close, nothing, 0, 0), None);
        assert_eq!(followed(libc::SYS_getpid, 0, 0, 0), None);
        assert_eq!(followed(libc::SYS_read, nothing, 0, 0), None);
        for number in [libc::SYS_openat, libc::SYS_fcntl, libc::SYS_eventfd2] {
            assert!(followed(number, nothing, 0, 0).is_some(), "{number}");
        }
    }
}
