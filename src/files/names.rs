//! The names of files and sockets.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::fmt::Write;
use std::mem::{MaybeUninit, offset_of};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{sockaddr, socklen_t};
use weir_record::file::Kind;

use crate::environment::PATH_MAX;
use crate::linking::uring;
use crate::memory::bytes::Bytes;
use crate::process::vfork;
use crate::sys::rooms::with_room_for;
use crate::sys::{self, End};

/// A socket's address as text: `127.0.0.1:80`, `[::1]:80`, `/run/socket`. The longest is a path of 108 bytes.
pub type Address = Bytes<113>;

/// Room for the address of a socket's end. Zeroes are an empty one. It is too large for a small stack.
#[repr(C)]
pub struct EndRoom {
    raw: libc::sockaddr_storage,
    /// The address as text.
    pub address: Address,
}

impl EndRoom {
    /// Asks the kernel for the address of a socket's end. Leaves `address` as it is if the end has none, or in a sealed process.
    #[inline(never)]
    pub fn ask(&mut self, fd: c_int, end: End, with_port: bool) {
        #[inline(never)]
        fn asked(fd: c_int, end: End, room: &mut libc::sockaddr_storage) -> Option<socklen_t> {
            let _allowed = sys::allowed()?;
            sys::socket_address(fd, end, room)
        }
        if let Some(length) = asked(fd, end, &mut self.raw) {
            self.address.clear();
            // SAFETY: the kernel has written no more than the room has, whose bytes are all valid.
            let address = unsafe {
                let bytes = (&raw const self.raw).cast::<u8>();
                std::slice::from_raw_parts(bytes, length as usize)
            };
            write_address(&mut self.address, address, with_port);
        }
    }
}

/// Writes an address (`struct sockaddr`) as text. Writes nothing for other families than IPv4, IPv6 and Unix.
#[inline(never)]
pub fn write_address(text: &mut Address, address: &[u8], with_port: bool) {
    let Some(family) = part(address, offset_of!(sockaddr, sa_family)) else {
        return;
    };
    // Each family has a function of its own, so that only one of their frames is on the stack.
    match c_int::from(libc::sa_family_t::from_ne_bytes(family)) {
        libc::AF_INET if address.len() >= size_of::<libc::sockaddr_in>() => {
            write_ipv4(text, address, with_port);
        }
        libc::AF_INET6 if address.len() >= size_of::<libc::sockaddr_in6>() => {
            write_ipv6(text, address, with_port);
        }
        libc::AF_UNIX => {
            let path = &address[family.len()..];
            write_unix(text, &path[..path.len().min(108)]);
        }
        _ => {}
    }
}

/// So many bytes of an address from here on.
fn part<const N: usize>(address: &[u8], at: usize) -> Option<[u8; N]> {
    address.get(at..)?.first_chunk().copied()
}

#[inline(never)]
fn write_ipv4(text: &mut Address, address: &[u8], with_port: bool) {
    if let Some(host) = part(address, offset_of!(libc::sockaddr_in, sin_addr)) {
        push_ipv4(text, host);
    }
    if with_port {
        push_port(text, part(address, offset_of!(libc::sockaddr_in, sin_port)));
    }
}

#[inline(never)]
fn write_ipv6(text: &mut Address, address: &[u8], with_port: bool) {
    text.push_what_fits(b"[");
    if let Some(host) = part(address, offset_of!(libc::sockaddr_in6, sin6_addr)) {
        push_ipv6(text, host);
    }
    text.push_what_fits(b"]");
    if with_port {
        push_port(
            text,
            part(address, offset_of!(libc::sockaddr_in6, sin6_port)),
        );
    }
}

#[inline(never)]
fn write_unix(text: &mut Address, path: &[u8]) {
    match path {
        // A name in the abstract namespace, written as ss(8) and others write it.
        [0, name @ ..] => {
            text.push_what_fits(b"@");
            text.push_what_fits(name);
        }
        _ => text.push_what_fits(path.split(|&byte| byte == 0).next().unwrap_or(path)),
    }
}

// These do not use `core::fmt`, which takes hundreds of bytes of the stack.

fn push_port(text: &mut Address, port: Option<[u8; 2]>) {
    text.push_what_fits(b":");
    push_number(text, port.map_or(0, u16::from_be_bytes), 10);
}

fn push_ipv4(text: &mut Address, [first, rest @ ..]: [u8; 4]) {
    push_number(text, first.into(), 10);
    for byte in rest {
        text.push_what_fits(b".");
        push_number(text, byte.into(), 10);
    }
}

/// Writes an address as RFC 5952 says: `::` replaces the longest run of two or more zero groups, the first of equally
/// long ones.
#[inline(never)]
fn push_ipv6(text: &mut Address, bytes: [u8; 16]) {
    let group = |index: usize| u16::from_be_bytes([bytes[2 * index], bytes[2 * index + 1]]);
    if bytes[..10] == [0; 10] && group(5) == 0xffff {
        text.push_what_fits(b"::ffff:");
        return push_ipv4(text, [bytes[12], bytes[13], bytes[14], bytes[15]]);
    }
    let (mut at, mut length) = (0, 1);
    let mut run = 0;
    for index in 0..8 {
        run = if group(index) == 0 { run + 1 } else { 0 };
        if run > length {
            (at, length) = (index + 1 - run, run);
        }
    }
    let mut index = 0;
    while index < 8 {
        if length > 1 && index == at {
            text.push_what_fits(b"::");
            index += length;
            continue;
        }
        if index > 0 && (length < 2 || index != at + length) {
            text.push_what_fits(b":");
        }
        push_number(text, group(index), 16);
        index += 1;
    }
}

fn push_number(text: &mut Address, number: u16, base: u16) {
    let mut unit = 1;
    while number / unit >= base {
        unit *= base;
    }
    while unit > 0 {
        let digit = usize::from(number / unit % base);
        text.push_what_fits(&b"0123456789abcdef"[digit..=digit]);
        unit /= base;
    }
}

/// The kind of a socket.
pub fn socket_kind(domain: c_int, kind: c_int) -> Kind {
    const FLAGS: c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    match (domain, kind & !FLAGS) {
        (libc::AF_UNIX, _) => Kind::Unix,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => Kind::Tcp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => Kind::Udp,
        _ => Kind::Socket,
    }
}

/// What an open descriptor is, if no hook saw the call that made it.
pub struct Found {
    pub kind: Kind,
    pub name: Bytes<{ PATH_MAX + 1 }>,
}

/// Asks the kernel what a descriptor is. `None` if `/proc` does not say. The caller must not hold the table of files,
/// because the kernel may take long.
#[cold]
pub fn find(fd: c_int) -> Option<Found> {
    let mut path = Bytes::<33>::new();
    let _ = write!(path, "/proc/self/fd/{fd}\0");
    let path = std::ffi::CStr::from_bytes_until_nul(path.as_bytes()).ok()?;
    let mut buffer = [MaybeUninit::uninit(); PATH_MAX];
    let target = sys::read_link(path, &mut buffer);
    if target.is_empty() {
        return None;
    }
    let mut found = Found {
        kind: Kind::Other,
        name: Bytes::new(),
    };
    if target.starts_with(b"socket:") {
        let (kind, text) = socket(fd);
        found.kind = kind;
        found.name.push_what_fits(text.as_bytes());
        return Some(found);
    }
    let standard = match fd {
        0 => &b"standard input"[..],
        1 => b"standard output",
        2 => b"standard error",
        _ => b"",
    };
    found.kind = match target {
        _ if target.starts_with(b"pipe:") => Kind::Pipe,
        b"anon_inode:[eventpoll]" => Kind::Epoll,
        b"anon_inode:[eventfd]" => Kind::Event,
        b"anon_inode:[timerfd]" => Kind::Timer,
        b"anon_inode:[signalfd]" => Kind::Signal,
        uring::RING => {
            uring::found();
            Kind::Other
        }
        _ if target.starts_with(b"/memfd:") => Kind::Memory,
        _ if target.starts_with(b"/") => kind_of_path(target),
        _ => Kind::Other,
    };
    match found.kind {
        Kind::Pipe => found.name.push_what_fits(standard),
        Kind::Memory => {
            let name = &target[b"/memfd:".len()..];
            found
                .name
                .push_what_fits(name.strip_suffix(b" (deleted)").unwrap_or(name));
        }
        Kind::Epoll | Kind::Event | Kind::Timer | Kind::Signal => {}
        _ => found.name.push_what_fits(target),
    }
    Some(found)
}

/// The kind of a file, as far as its path shows it.
pub fn kind_of_path(path: &[u8]) -> Kind {
    if path.starts_with(b"/dev/pts/") || path == b"/dev/tty" {
        Kind::Terminal
    } else if path.starts_with(b"/dev/") && !path.starts_with(b"/dev/shm/") {
        Kind::Device
    } else {
        Kind::File
    }
}

/// The kind and the name of a socket, if no hook saw the call that made it.
fn socket(fd: c_int) -> (Kind, Bytes<193>) {
    let option = |option| sys::socket_option(fd, option).unwrap_or(-1);
    let kind = socket_kind(option(libc::SO_DOMAIN), option(libc::SO_TYPE));
    let name = with_room_for(|room: *mut EndRoom| {
        // SAFETY: the room is zeroed, and zeroes are an empty `EndRoom`.
        let room = unsafe { &mut *room };
        for (which, end) in [("to ", End::Peer), ("at ", End::Own)] {
            room.ask(fd, end, true);
            if !room.address.is_empty() {
                let mut found = Bytes::new();
                found.push_what_fits(which.as_bytes());
                found.push_what_fits(room.address.as_bytes());
                return found;
            }
        }
        Bytes::new()
    });
    (kind, name)
}

/// The working directory, as the kernel last returned it.
struct WorkingDirectory(UnsafeCell<[u8; PATH_MAX]>, UnsafeCell<usize>);
// SAFETY: only the thread that holds the lock of the table of files uses it.
unsafe impl Sync for WorkingDirectory {}

static WORKING_DIRECTORY: WorkingDirectory =
    WorkingDirectory(UnsafeCell::new([0; PATH_MAX]), UnsafeCell::new(0));
static IS_KNOWN: AtomicBool = AtomicBool::new(false);
/// Whether threads may have working directories of their own.
static ARE_SEVERAL: AtomicBool = AtomicBool::new(false);

/// Records that a thread gets a working directory of its own, or no thread has one any more.
pub fn have_several_working_directories(have: bool) {
    ARE_SEVERAL.store(have, Ordering::Relaxed);
    forget_working_directory();
}

/// Records that the working directory has changed.
pub fn forget_working_directory() {
    IS_KNOWN.store(false, Ordering::Relaxed);
}

/// The working directory without a final slash; empty if it is not known.
///
/// # Safety
/// The caller holds the table of files, and does not keep the result after that.
pub unsafe fn working_directory<'a>() -> &'a [u8] {
    // SAFETY: only one thread at a time is here, as the caller promises.
    unsafe {
        let (bytes, length) = (
            &mut *WORKING_DIRECTORY.0.get(),
            &mut *WORKING_DIRECTORY.1.get(),
        );
        // A child of vfork has a working directory of its own, and a thread may have one. They mark the stored one as unknown,
        // so that the others ask again.
        let is_own = vfork::is_child() || ARE_SEVERAL.load(Ordering::Relaxed);
        if !IS_KNOWN.swap(!is_own, Ordering::Relaxed) || is_own {
            let found = sys::working_directory(bytes);
            *length = found.strip_suffix(b"/").unwrap_or(found).len();
        }
        &bytes[..*length]
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn ipv6(groups: [u16; 8]) -> String {
        let mut text = Address::new();
        push_ipv6(&mut text, Ipv6Addr::from(groups).octets());
        String::from_utf8(text.as_bytes().to_vec()).expect("ASCII")
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            let which = random >> 33;
            // Many zeroes, and numbers of every length.
            let groups = std::array::from_fn(|index| match which >> (2 * index) & 3 {
                0 | 1 => 0,
                2 => 0xffff >> (4 * (index % 4)),
                _ => (random >> (index * 8)) as u16,
            });
            assert_eq!(ipv6(groups), Ipv6Addr::from(groups).to_string());
            let bytes = (which as u32).to_be_bytes();
            let mut text = Address::new();
            push_ipv4(&mut text, bytes);
            push_port(&mut text, Some((random as u16).to_be_bytes()));
            let expected = format!("{}:{}", Ipv4Addr::from(bytes), random as u16);
            assert_eq!(text.as_bytes(), expected.as_bytes());
        }
        for (groups, text) in [
            ([0; 8], "::"),
            ([0, 0, 0, 0, 0, 0, 0, 1], "::1"),
            ([1, 0, 0, 0, 0, 0, 0, 0], "1::"),
            ([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], "::ffff:127.0.0.1"),
            ([1, 0, 2, 3, 4, 5, 6, 7], "1:0:2:3:4:5:6:7"),
        ] {
            assert_eq!(ipv6(groups), text);
        }
    }
}
