//! Sockets: which entry a socket leads to after it is bound, connected or accepted.

use std::ffi::c_int;

use libc::sockaddr;
use weir_record::file::Kind;

use super::links::{self, OVERFLOW_ENTRY, UNKNOWN};
use super::{find, lead_to, made_for, names, push_name, table};
use crate::memory::bytes::Bytes;
use crate::program_memory::given;
use crate::sys::{self, End, rooms::with_room_if_possible};

/// Records the new socket `fd`. Does nothing if the call failed (`fd` < 0).
pub fn made_socket(domain: c_int, kind: c_int, fd: c_int) {
    if fd >= 0 {
        made_for(fd, names::socket_kind(domain, kind), &[]);
    }
}

/// The kind of the file that a descriptor leads to; [`Kind::Socket`] if that is not known.
fn kind_of(fd: c_int) -> Kind {
    table::entry(links::get(fd)).map_or(Kind::Socket, |entry| entry.kind())
}

/// Records the address that a socket was bound to. Does nothing if the call failed (`status` is not 0).
#[inline(never)]
pub fn bound(fd: c_int, address: *const sockaddr, status: c_int) {
    given::with(address.cast(), |given| {
        if status == 0 {
            bound_to(fd, given);
        }
    });
}

#[inline(never)]
fn bound_to(fd: c_int, given: Option<&[u8]>) {
    with_room_if_possible(|room: *mut names::EndRoom| {
        // SAFETY: the room is zeroed, and zeroes are an empty `EndRoom`.
        let room = unsafe { &mut *room };
        match given {
            Some(given) => names::write_address(&mut room.address, given, true),
            None => room.ask(fd, End::Own, true),
        }
        if room.address.as_bytes().ends_with(b":0") {
            // The program asked for any port, and the kernel has chosen one.
            room.ask(fd, End::Own, true);
        }
        if !room.address.is_empty() {
            lead_to(fd, kind_of(fd), &[b"at ", room.address.as_bytes()]);
        }
    });
}

/// Records the peer of a socket that is connected or is being connected.
#[inline(never)]
pub fn connected(fd: c_int, address: *const sockaddr, status: c_int) {
    let errno = if status == 0 { 0 } else { sys::errno() };
    given::with(address.cast(), |given| {
        if is_address_read(errno) {
            lead_to_peer(fd, given, errno);
        }
    });
}

/// Whether the kernel got as far as the address in a connect that ended with this `errno`.
fn is_address_read(errno: c_int) -> bool {
    match errno {
        libc::EBADF
        | libc::EFAULT
        | libc::EINVAL
        | libc::ENOTSOCK
        | libc::EISCONN
        | libc::EALREADY => false,
        // A seccomp filter may have chosen another error.
        _ => matches!(errno, 0 | libc::EINPROGRESS) || !sys::is_sealed(),
    }
}

/// Counts a connection that is established or in progress. If it was in progress at an earlier call and is
/// established now, it is counted already.
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

/// The data of a new connection. It is not on the stack, because the look-up of the name needs the stack below it.
struct Connecting {
    text: names::Address,
    fd: c_int,
    link_before: u32,
    errno: c_int,
}

/// Makes a socket lead to this address; to the one that the kernel says where it was not kept.
#[inline(never)]
fn lead_to_peer(fd: c_int, given: Option<&[u8]>, errno: c_int) {
    with_room_if_possible(|room: *mut Connecting| {
        // SAFETY: the room is zeroed; zeroes are an empty line and valid numbers.
        let room = unsafe { &mut *room };
        room.fd = fd;
        room.link_before = links::get(fd);
        room.errno = errno;
        room.text.push_what_fits(b"to ");
        match given {
            Some(given) => names::write_address(&mut room.text, given, true),
            None => ask_for_peer(room),
        }
        connect_by_name(room);
    });
}

#[cold]
#[inline(never)]
fn ask_for_peer(connecting: &mut Connecting) {
    with_room_if_possible(|room: *mut names::EndRoom| {
        // SAFETY: the room is zeroed, and zeroes are an empty `EndRoom`.
        let room = unsafe { &mut *room };
        room.ask(connecting.fd, End::Peer, true);
        connecting.text.push_what_fits(room.address.as_bytes());
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

/// Records an accepted connection. Does nothing if the call failed (`fd` < 0). The name has the peer's address and
/// the listening socket, but not the peer's port, which differs for each connection.
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
        // SAFETY: the room is zeroed; zeroes are an empty `EndRoom` and an empty line.
        let (end, name) = unsafe { &mut *room };
        name_accepted(end, name, listener, fd);
        made_for(fd, kind, &[name.as_bytes()]);
    });
}

#[inline(never)]
fn name_accepted(end: &mut names::EndRoom, name: &mut Bytes<248>, listener: c_int, fd: c_int) {
    end.ask(fd, End::Peer, false);
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
