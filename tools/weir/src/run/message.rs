//! One message of a socket by which regions are handed over. Nothing here allocates.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::c_void;

/// Room for SCM_MAX_FD (253) descriptors and the sender's credentials, each with its header (cmsg(3)), aligned as those.
type Space = [u64; 160];

/// Receives a message, if there is one, and shows each descriptor that it brings. Returns the id, in the pid namespace of this
/// process, of the process that sent it: the kernel says so, where the socket has SO_PASSCRED (unix(7)). None where the sender has
/// no id here.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where there is none; or why it cannot be received.
pub fn receive(socket: BorrowedFd<'_>, mut see: impl FnMut(OwnedFd)) -> io::Result<Option<u32>> {
    let mut text = 0_u8;
    let mut part = libc::iovec {
        iov_base: (&raw mut text).cast(),
        iov_len: 1,
    };
    let mut space: MaybeUninit<Space> = MaybeUninit::uninit();
    // SAFETY: a `msghdr` is made of numbers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = space.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Space>();
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes to the byte and to the space, as much as there is.
    if unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut sender = None;
    // SAFETY: the kernel has written the headers that `message` now describes.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: null, or a header in the space.
    while let Some(&header) = unsafe { next.as_ref() } {
        // SAFETY: as above; the data is behind the header.
        let data: *const c_void = unsafe { libc::CMSG_DATA(next) }.cast();
        // SAFETY: a calculation.
        let before = unsafe { libc::CMSG_LEN(0) } as usize;
        let bytes = header.cmsg_len.saturating_sub(before);
        match (header.cmsg_level, header.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                for place in 0..bytes / size_of::<RawFd>() {
                    // SAFETY: one of the numbers that the data consists of, written by the kernel.
                    let number = unsafe { data.cast::<RawFd>().add(place).read_unaligned() };
                    // SAFETY: a descriptor that the kernel has just made, for us.
                    see(unsafe { OwnedFd::from_raw_fd(number) });
                }
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if bytes >= size_of::<libc::ucred>() => {
                // SAFETY: the data is so long, and numbers may be anything.
                let by = unsafe { data.cast::<libc::ucred>().read_unaligned() };
                sender = u32::try_from(by.pid).ok().filter(|&pid| pid > 0);
            }
            _ => {}
        }
        // SAFETY: the last header that was given.
        next = unsafe { libc::CMSG_NXTHDR(&raw const message, next) };
    }
    Ok(sender)
}
