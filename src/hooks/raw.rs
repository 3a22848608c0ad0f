//! System calls that the program makes by number, and that change what descriptors lead to: sandboxes, language
//! runtimes and the closefrom of old libraries make and close descriptors so. And the one that waits for children.
//!
//! `syscall` itself is passed on by a jump, so that its result is seen by nobody. Those that only close are told of
//! before; those that make a descriptor, or give one another meaning, are made by a function of ours instead, which has the
//! arguments where they were, and sees what comes of it. None of them takes more than five.

use std::ffi::{c_char, c_int, c_long, c_uint};
use std::ptr;

use libc::{sockaddr, socklen_t};
use weir_record::file::Kind;

use super::{children, descriptor};
use crate::arch::numbers;
use crate::coop;
use crate::files;
use crate::linking::next;

/// Where a system call goes on that has to be followed. What is closed is forgotten now: where the call then fails, the
/// descriptor is asked about when it is next used.
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
    is_followed(number).then(|| (follow as *const ()).addr())
}

/// Whether what comes of a system call has to be seen.
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

/// Whether a system call makes a descriptor, or two.
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

/// The kind of what a system call makes that has no other name; [`Kind::Other`] where it has to be asked about.
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

/// Makes a system call that has to be followed.
///
/// # Safety
/// As syscall(2) has it.
unsafe extern "C-unwind" fn follow(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
) -> c_long {
    // SAFETY: what the program passes to `syscall` goes on to the next one as it is.
    let result = unsafe { next::syscall(number, first, second, third, fourth, fifth) };
    let (fd, made) = (first as c_int, result as c_int);
    match number {
        libc::SYS_connect => files::connected(fd, address(second), third as socklen_t, made),
        _ if result == -1 => {}
        numbers::OPEN => files::opened_with(second as c_int, made, libc::AT_FDCWD, text(first)),
        numbers::CREAT => files::opened(made, libc::AT_FDCWD, text(first)),
        libc::SYS_openat => files::opened_with(third as c_int, made, fd, text(second)),
        libc::SYS_openat2 => {
            // SAFETY: the kernel has just read what begins with the flags.
            let flags = unsafe { ptr::with_exposed_provenance::<u64>(third).read_unaligned() };
            files::opened_with(flags as c_int, made, fd, text(second));
        }
        libc::SYS_dup => files::duplicated(fd, made),
        numbers::DUP2 | libc::SYS_dup3 => descriptor::duplicated(fd, made),
        libc::SYS_fcntl => files::controlled(fd, second as c_int, made),
        numbers::PIPE | libc::SYS_pipe2 => files::made_pair(Kind::Pipe, ends(first), made),
        libc::SYS_socketpair => files::made_pair(Kind::SocketPair, ends(fourth), made),
        libc::SYS_socket => files::made_socket(fd, second as c_int, made),
        libc::SYS_accept | libc::SYS_accept4 => files::accepted(fd, made),
        libc::SYS_memfd_create => files::made_memory(made, text(first)),
        libc::SYS_bind => files::bound(fd, address(second), third as socklen_t, made),
        libc::SYS_fchdir => files::changed_directory_to(fd, made),
        libc::SYS_chdir | libc::SYS_chroot | libc::SYS_pivot_root => files::changed_directory(made),
        libc::SYS_wait4 if second != 0 && made > 0 => {
            // SAFETY: the kernel has just written it.
            let status = unsafe { ptr::with_exposed_provenance::<c_int>(second).read_unaligned() };
            children::ended(made, status);
        }
        // signalfd may have changed one that there was.
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
        // A descriptor of which nothing is known, so that nothing is forgotten.
        let nothing = c_int::MAX as usize;
        assert_eq!(followed(libc::SYS_close, nothing, 0, 0), None);
        assert_eq!(followed(libc::SYS_getpid, 0, 0, 0), None);
        assert_eq!(followed(libc::SYS_read, nothing, 0, 0), None);
        for number in [libc::SYS_openat, libc::SYS_fcntl, libc::SYS_eventfd2] {
            assert!(followed(number, nothing, 0, 0).is_some(), "{number}");
        }
    }
}
