//! Sockets: which entry they lead to once they are bound, connected or accepted.

use std::ffi::c_int;

use libc::{sockaddr, socklen_t};
use weir_record::file::Kind;

use super::links::{self, OVERFLOW_ENTRY, UNKNOWN};
use super::{find, lead_to, made_for, names, push_name, table};
use crate::memory::bytes::Bytes;
use crate::sys::{self, End, rooms::with_room_if_possible};

/// A socket was made, if it was.
pub fn made_socket(domain: c_int, kind: c_int, fd: c_int) {
    if fd >= 0 {
        made_for(fd, names::socket_kind(domain, kind), &[]);
    }
}

/// The kind of what a descriptor leads to.
fn kind_of(fd: c_int) -> Kind {
    table::entry(links::get(fd)).map_or(Kind::Socket, |entry| entry.kind())
}

/// A socket was given an address, if it was.
#[inline(never)]
pub fn bound(fd: c_int, address: *const sockaddr, length: socklen_t, status: c_int) {
    if status != 0 {
        return;
    }
    with_room_if_possible(|room: *mut names::EndRoom| {
        // SAFETY: zeroes are an empty one.
        let room = unsafe { &mut *room };
        // SAFETY: the kernel has just read it.
        unsafe { names::write_address(&mut room.address, address, length, true) };
        if room.address.as_bytes().ends_with(b":0") && !sys::is_sealed() {
            // The kernel has chosen a port.
            room.ask(fd, End::Own, true);
        }
        if !room.address.is_empty() {
            lead_to(fd, kind_of(fd), &[b"at ", room.address.as_bytes()]);
        }
    });
}

/// A socket was connected, or is being connected.
#[inline(never)]
pub fn connected(fd: c_int, address: *const sockaddr, length: socklen_t, status: c_int) {
    let errno = if status == 0 { 0 } else { sys::errno() };
    if is_address_read(errno, address, length) {
        lead_to_peer(fd, address, length, errno);
    }
}

/// Whether a connection that ended so came as far as the address.
#[inline(never)]
fn is_address_read(errno: c_int, address: *const sockaddr, length: socklen_t) -> bool {
    match errno {
        0 => true,
        libc::EBADF
        | libc::EFAULT
        | libc::EINVAL
        | libc::ENOTSOCK
        | libc::EISCONN
        | libc::EALREADY => false,
        // A filter of system calls may have said what the error is.
        _ if sys::is_sealed() => errno == libc::EINPROGRESS,
        _ => sys::is_readable(address.cast(), length as usize),
    }
}

/// Counts a connection, where it is there or on its way; one that was on its way before, and now is there, has been counted.
#[inline(never)]
fn count_connection(fd: c_int, link_before: u32, errno: c_int) {
    let link = links::get(fd);
    let is_new = link != link_before || link == OVERFLOW_ENTRY;
    if is_new
        && matches!(errno, 0 | libc::EINPROGRESS | libc::EINTR)
        && let Some(entry) = table::entry(link)
    {
        entry.count_open();
    }
}

/// What is known of a connection that is made: not on the stack, for the name is looked up below it.
struct Connecting {
    text: names::Address,
    fd: c_int,
    link_before: u32,
    errno: c_int,
}

/// A socket leads to this address from now on, which can be read: the kernel has just done so, or has said that it could.
#[inline(never)]
fn lead_to_peer(fd: c_int, address: *const sockaddr, length: socklen_t, errno: c_int) {
    with_room_if_possible(|room: *mut Connecting| {
        // SAFETY: zeroes are an empty line, and numbers.
        let room = unsafe { &mut *room };
        room.fd = fd;
        room.link_before = links::get(fd);
        room.errno = errno;
        room.text.push_what_fits(b"to ");
        // SAFETY: as above.
        unsafe { names::write_address(&mut room.text, address, length, true) };
        connect_by_name(room);
    });
}

#[inline(never)]
fn connect_by_name(room: &Connecting) {
    let name = room.text.as_bytes();
    if name.len() > b"to ".len() {
        lead_to(room.fd, kind_of(room.fd), &[name]);
        count_connection(room.fd, room.link_before, room.errno);
    }
}

/// A connection was accepted, if one was: named by who it is from and which socket took it, not by the
/// other end's port, which is another every time.
#[inline(never)]
pub fn accepted(listener: c_int, fd: c_int) {
    if fd < 0 {
        return;
    }
    if links::get(listener) == UNKNOWN {
        find(listener);
    }
    let kind = kind_of(listener);
    with_room_if_possible(|room: *mut (names::EndRoom, Bytes<248>)| {
        // SAFETY: zeroes are empty ones.
        let (end, name) = unsafe { &mut *room };
        name_accepted(end, name, listener, fd);
        made_for(fd, kind, &[name.as_bytes()]);
    });
}

#[inline(never)]
fn name_accepted(end: &mut names::EndRoom, name: &mut Bytes<248>, listener: c_int, fd: c_int) {
    if !sys::is_sealed() {
        end.ask(fd, End::Peer, false);
    }
    name.push_what_fits(b"accepted ");
    if !end.address.is_empty() {
        name.push_what_fits(b"from ");
        name.push_what_fits(end.address.as_bytes());
        name.push_what_fits(b" ");
    }
    if let Some(entry) = table::entry(links::get(listener)) {
        push_name(name, entry);
    }
}
