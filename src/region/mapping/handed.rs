//! A region's file without a name: we send `weir` a descriptor of it, through the socket in its session.
//!
//! If the file has a name in the session, the program can truncate it, also by accident. An access to the truncated
//! part of a mapping ends the process. A file without a name is safe from that. The file gets a name if we cannot
//! send it: `weir` is gone or busy, or the process was started under a seccomp filter, which may end it for a system
//! call that it does not make itself.

use std::ffi::CStr;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
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

/// Sends the file to `weir`. False if `weir` does not take it.
pub fn hand_over(file: &Descriptor, session: &[u8]) -> bool {
    // An address of a Unix socket has room for a hundred bytes or so.
    let mut path = Bytes::<128>::new();
    if !(path.push(session) && path.push(b"/") && path.push(INBOX.as_bytes())) {
        return false;
    }
    let Ok(address) = SocketAddrUnix::new(path.as_c_str()) else {
        return false;
    };
    let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
    let Ok(socket) = socket_with(family, kind, SocketFlags::CLOEXEC, None) else {
        return false;
    };
    let socket = Descriptor::from(socket);
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    // A message must have at least one byte.
    let text = [IoSlice::new(b".")];
    ancillary.push(SendAncillaryMessage::ScmRights(&files))
        && sendmsg_addr(&socket, &address, &text, &mut ancillary, flags).is_ok()
}

/// Gives the file a name. False if that fails.
pub fn name(file: &Descriptor, path: &CStr) -> bool {
    use std::os::fd::AsRawFd;
    let mut link = Bytes::<64>::new();
    let number = u64::from(file.as_fd().as_raw_fd().unsigned_abs());
    let is_told = link.push(b"/proc/self/fd/") && link.push_number(number);
    is_told && rustix::fs::linkat(CWD, link.as_c_str(), CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok()
}
