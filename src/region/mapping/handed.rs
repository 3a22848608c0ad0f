//! A region's file without a name: we send `weir` a descriptor of it, through the socket in its session.
//!
//! If the file has a name in the session, the program can truncate it, also by accident. An access to the truncated
//! part of a mapping ends the process. A file without a name is safe from that. The file gets a name if we cannot
//! send it: `weir` is busy, or the process was started under a seccomp filter, which may end it for a system call that it
//! does not make itself. If `weir` has ended, the file gets none: nobody would remove it.

use std::ffi::CStr;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg_addr, socket_with,
};
use weir_record::settings::INBOX;

use crate::memory::bytes::Bytes;
use crate::sys::{self, Descriptor};

/// Creates a file without a name in the session. `None` if that is impossible or not safe.
pub fn create(session: &CStr) -> Option<Descriptor> {
    if sys::is_filtered() {
        return None;
    }
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = rustix::fs::open(session, flags, Mode::RUSR | Mode::WUSR);
    file.ok().map(Descriptor::from)
}

/// What has become of a file that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// `weir` has it.
    Over,
    /// `weir` is there, and has not taken it.
    NotOver,
    /// `weir` has ended: it was killed.
    ToNobody,
}

/// Sends the file to `weir`.
pub fn hand_over(file: &Descriptor, session: &[u8]) -> Handed {
    match send(file, session) {
        Some(Ok(_)) => Handed::Over,
        // The kernel closes a socket when its process ends.
        Some(Err(Errno::CONNREFUSED)) => Handed::ToNobody,
        _ => Handed::NotOver,
    }
}

/// The result of sending; `None` if it could not be tried.
fn send(file: &Descriptor, session: &[u8]) -> Option<Result<usize, Errno>> {
    // An address of a Unix socket has room for a hundred bytes or so.
    let mut path = Bytes::<128>::new();
    if !(path.push(session) && path.push(b"/") && path.push(INBOX.as_bytes())) {
        return None;
    }
    let address = SocketAddrUnix::new(path.as_c_str()).ok()?;
    let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()?;
    let socket = Descriptor::from(socket);
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    // A message must have at least one byte.
    let text = [IoSlice::new(b".")];
    ancillary
        .push(SendAncillaryMessage::ScmRights(&files))
        .then(|| sendmsg_addr(&socket, &address, &text, &mut ancillary, flags))
}

/// Gives the file a name. False if that fails.
pub fn name(file: &Descriptor, path: &CStr) -> bool {
    use std::os::fd::AsRawFd;
    let mut link = Bytes::<64>::new();
    let number = u64::from(file.as_fd().as_raw_fd().unsigned_abs());
    let fits = link.push(b"/proc/self/fd/") && link.push_number(number);
    fits && rustix::fs::linkat(CWD, link.as_c_str(), CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok()
}
