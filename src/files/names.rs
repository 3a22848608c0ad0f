//! What files and sockets are called.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::fmt::{self, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{sockaddr, socklen_t};
use weir_record::file::Kind;

use crate::environment::PATH_MAX;
use crate::sys::{self, End};
use crate::{uring, vfork};

/// Text in place.
pub struct Line<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Line<N> {
    pub const fn new() -> Line<N> {
        Line {
            bytes: [0; N],
            length: 0,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Appends what there is room for.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let length = bytes.len().min(room.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.length += length;
    }
}

impl<const N: usize> Write for Line<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// A socket's address: `127.0.0.1:80`, `[::1]:80`, `/run/socket`.
pub type Address = Line<128>;

/// An address in words.
///
/// # Safety
/// `address` has `length` bytes, or is NULL.
pub unsafe fn address(address: *const sockaddr, length: socklen_t, with_port: bool) -> Address {
    let mut text = Address::new();
    let length = length as usize;
    if address.is_null() || length < size_of::<libc::sa_family_t>() {
        return text;
    }
    // SAFETY: long enough for the family, and for what is looked at besides; of any alignment.
    unsafe {
        match c_int::from((&raw const (*address).sa_family).read_unaligned()) {
            libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
                let address = address.cast::<libc::sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr));
                let _ = write!(text, "{ip}");
                if with_port {
                    let _ = write!(text, ":{}", u16::from_be(address.sin_port));
                }
            }
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                let address = address.cast::<libc::sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from_octets(address.sin6_addr.s6_addr);
                let _ = write!(text, "[{ip}]");
                if with_port {
                    let _ = write!(text, ":{}", u16::from_be(address.sin6_port));
                }
            }
            libc::AF_UNIX => {
                let path = address.cast::<u8>().add(size_of::<libc::sa_family_t>());
                let room = length - size_of::<libc::sa_family_t>();
                let path = std::slice::from_raw_parts(path, room.min(108));
                match path {
                    // A name in the abstract namespace, as ss(8) and others write it.
                    [0, name @ ..] => {
                        text.push(b"@");
                        text.push(name);
                    }
                    _ => text.push(path.split(|&byte| byte == 0).next().unwrap_or(path)),
                }
            }
            _ => {}
        }
    }
    text
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

/// What an open descriptor is: an inherited one, or one that the program has by a way that is not seen.
pub struct Found {
    pub kind: Kind,
    pub name: Line<PATH_MAX>,
}

/// Asks the kernel what a descriptor is. Not in the table of files: the kernel may take its time.
#[cold]
pub fn find(fd: c_int) -> Option<Found> {
    let mut path = Line::<32>::new();
    let _ = write!(path, "/proc/self/fd/{fd}\0");
    let path = std::ffi::CStr::from_bytes_until_nul(path.as_bytes()).ok()?;
    let mut buffer = [MaybeUninit::uninit(); PATH_MAX];
    let target = sys::read_link(path, &mut buffer);
    if target.is_empty() {
        return None;
    }
    let mut found = Found {
        kind: Kind::Other,
        name: Line::new(),
    };
    if target.starts_with(b"socket:") {
        let (kind, text) = socket(fd);
        found.kind = kind;
        found.name.push(text.as_bytes());
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
        Kind::Pipe => found.name.push(standard),
        Kind::Memory => {
            let name = &target[b"/memfd:".len()..];
            found
                .name
                .push(name.strip_suffix(b" (deleted)").unwrap_or(name));
        }
        Kind::Epoll | Kind::Event | Kind::Timer | Kind::Signal => {}
        _ => found.name.push(target),
    }
    Some(found)
}

/// What a path tells of what is there.
pub fn kind_of_path(path: &[u8]) -> Kind {
    if path.starts_with(b"/dev/pts/") || path == b"/dev/tty" {
        Kind::Terminal
    } else if path.starts_with(b"/dev/") && !path.starts_with(b"/dev/shm/") {
        Kind::Device
    } else {
        Kind::File
    }
}

/// A socket that was not seen to be made.
fn socket(fd: c_int) -> (Kind, Line<192>) {
    let option = |option| sys::socket_option(fd, option).unwrap_or(-1);
    let kind = socket_kind(option(libc::SO_DOMAIN), option(libc::SO_TYPE));
    let mut name = Line::new();
    for (which, address) in [("to ", peer(fd, true)), ("at ", own_address(fd))] {
        if !address.as_bytes().is_empty() && name.as_bytes().is_empty() {
            name.push(which.as_bytes());
            name.push(address.as_bytes());
        }
    }
    (kind, name)
}

/// The address of a socket's other end; nothing where it has none.
pub fn peer(fd: c_int, with_port: bool) -> Address {
    asked(fd, End::Peer, with_port)
}

/// A socket's own address.
pub fn own_address(fd: c_int) -> Address {
    asked(fd, End::Own, true)
}

fn asked(fd: c_int, end: End, with_port: bool) -> Address {
    sys::socket_address(fd, end, |found, length| {
        // SAFETY: as the kernel wrote it.
        unsafe { address(found, length, with_port) }
    })
    .unwrap_or(Address::new())
}

/// The working directory, as it was when it was last asked for.
struct WorkingDirectory(UnsafeCell<[u8; PATH_MAX]>, UnsafeCell<usize>);
// SAFETY: whoever looks at it holds the table of files.
unsafe impl Sync for WorkingDirectory {}

static WORKING_DIRECTORY: WorkingDirectory =
    WorkingDirectory(UnsafeCell::new([0; PATH_MAX]), UnsafeCell::new(0));
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// The working directory is another.
pub fn forget_working_directory() {
    IS_KNOWN.store(false, Ordering::Relaxed);
}

/// The working directory, which ends without a slash; nothing where it is not known.
///
/// # Safety
/// The caller holds the table of files, and keeps the result no longer.
pub unsafe fn working_directory<'a>() -> &'a [u8] {
    // SAFETY: one thread at a time, as the caller promises.
    unsafe {
        let (bytes, length) = (
            &mut *WORKING_DIRECTORY.0.get(),
            &mut *WORKING_DIRECTORY.1.get(),
        );
        // A child of vfork has one of its own, and leaves its parent's to be asked for.
        let is_lent = vfork::is_child();
        if !IS_KNOWN.swap(!is_lent, Ordering::Relaxed) || is_lent {
            let found = sys::working_directory(bytes);
            *length = found.strip_suffix(b"/").unwrap_or(found).len();
        }
        &bytes[..*length]
    }
}
