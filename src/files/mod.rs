//! Files and sockets: which of them a call is about.
//!
//! ```text
//! links        which entry a descriptor leads to
//! table        the entries, by name
//! names        what files and sockets are called
//! connections  which entry a socket leads to, once it has an address or a peer
//! ```
//!
//! A descriptor is known from the call that made it, and its link goes where the descriptor goes: dup, fork. One that
//! was not seen to be made (inherited, or made inside the C library) is asked about at `/proc/self/fd`
//! when it is first used. That costs a system call, as naming the other end of a connection does;
//! calls on descriptors that are known cost none.

mod connections;
pub mod descriptors;
mod links;
mod names;
pub mod records;
mod table;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use libc::FILE;
use weir_record::file::{Access, FileEntry, Kind, NAME_BYTES};
use weir_record::region::{Header, Region};

use crate::linking::{c_library, streams};
use crate::memory::bytes::Bytes;
use crate::process::{self, vfork};
use crate::sys::{self, rooms::with_room_if_possible};
use links::OVERFLOW_ENTRY;

/// Room for a file's name.
type Name = Bytes<{ NAME_BYTES + 1 }>;
pub use connections::{accepted, bound, connected, made_socket};
pub use links::UNKNOWN;

/// Counts a call on a descriptor. Of one that is not known the kernel is asked, unless the call failed.
#[inline(always)]
pub fn count_here(fd: c_int, slot: u64, access: Access) {
    let link = links::get(fd);
    if link == UNKNOWN {
        return count_unknown(fd, slot, access.later());
    }
    if let Some(entry) = table::entry(link) {
        entry.count(slot, access);
    }
}

/// The same, out of the caller's way.
#[inline(never)]
pub fn count(fd: c_int, slot: u64, access: &Access) {
    if links::get(fd) == UNKNOWN && !access.failed {
        find(fd);
    }
    count_by(links::get(fd), slot, access);
}

#[cold]
#[inline(never)]
fn count_unknown(fd: c_int, slot: u64, access: impl Fn() -> Access) {
    count(fd, slot, &access());
}

/// Counts a call on what a link leads to.
#[inline(never)]
pub fn count_by(link: u32, slot: u64, access: &Access) {
    if let Some(entry) = table::entry(link) {
        entry.count_in_memory(slot, access);
    }
}

/// Counts the two parts of a call on a descriptor.
pub fn count_parts(fd: c_int, wait_ticks: u64, transfer_ticks: u64) {
    if fd >= 0
        && let Some(entry) = table::entry(links::get(fd))
    {
        entry.waits.add(wait_ticks);
        entry.transfers.add(transfer_ticks);
    }
}

/// Sets where a descriptor leads, whatever it led to before.
#[inline(never)]
fn relink(fd: c_int, link: u32) {
    if vfork::is_child() {
        return;
    }
    if link != UNKNOWN
        && link != OVERFLOW_ENTRY
        && let Some(entry) = table::entry(link)
    {
        entry
            .links
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    tell_link(fd, link);
    match links::set(fd, link) {
        Some(before) => let_go(before),
        None => let_go(link),
    }
}

/// Writes a descriptor's entry into the region, for its reader. Not in a process that shares the region: its descriptors are others.
fn tell_link(fd: c_int, link: u32) {
    if let Some(header) = process::header()
        && !process::is_sharer()
    {
        header.set_link(fd, link);
    }
}

fn let_go(link: u32) {
    if link != UNKNOWN
        && link != OVERFLOW_ENTRY
        && let Some(entry) = table::entry(link)
    {
        entry
            .links
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A descriptor is about to be closed; what it led to.
#[inline]
pub fn unlink(fd: c_int) -> u32 {
    let link = links::get(fd);
    if vfork::is_child() {
        return link;
    }
    records::forget(fd);
    if link != UNKNOWN {
        tell_link(fd, UNKNOWN);
        links::set(fd, UNKNOWN);
        let_go(link);
    }
    link
}

/// A descriptor was made for what has this name.
#[inline(never)]
fn made_for(fd: c_int, kind: Kind, name: &[&[u8]]) {
    let link = table::with(|table| table.link(kind, name));
    opened_at(fd, link.unwrap_or(OVERFLOW_ENTRY));
}

/// A descriptor was made, which leads there.
#[inline(never)]
fn opened_at(fd: c_int, link: u32) {
    relink(fd, link);
    if !vfork::is_child() {
        records::forget(fd);
    }
    if let Some(entry) = table::entry(link) {
        entry.count_open();
    }
}

/// A descriptor leads to what has this name from now on.
#[inline(never)]
fn lead_to(fd: c_int, kind: Kind, name: &[&[u8]]) {
    relink(
        fd,
        table::with(|table| table.link(kind, name)).unwrap_or(OVERFLOW_ENTRY),
    );
}

/// Finds out what a descriptor is. If that is impossible (there is no `/proc`, a filter forbids it, there is no memory), the
/// descriptor is counted with all that have no entry of their own, and is not looked up again.
#[cold]
#[inline(never)]
fn find(fd: c_int) {
    if fd < 0 || sys::is_sealed() {
        return;
    }
    let mut is_found = false;
    sys::with_errno_kept(|| {
        // The thread's stack may be small, and a path is long.
        sys::on_own_stack(|| {
            if let Some(found) = names::find(fd) {
                lead_to(fd, found.kind, &[found.name.as_bytes()]);
                is_found = true;
            }
        });
    });
    if !is_found {
        relink(fd, OVERFLOW_ENTRY);
    }
}

/// A path was opened, if it was.
pub fn opened(fd: c_int, dir: c_int, path: *const c_char) {
    opened_as(None, fd, dir, path);
}

/// The same, with the flags that were given: some open nothing but directories. (`O_TMPFILE` has the bit of
/// `O_DIRECTORY`, and is for a file without a name.)
pub fn opened_with(flags: c_int, fd: c_int, dir: c_int, path: *const c_char) {
    match flags & libc::O_TMPFILE {
        libc::O_TMPFILE => made(Kind::File, fd),
        libc::O_DIRECTORY => opened_as(Some(Kind::Directory), fd, dir, path),
        _ => opened_as(None, fd, dir, path),
    }
}

#[inline(never)]
fn opened_as(kind: Option<Kind>, fd: c_int, dir: c_int, path: *const c_char) {
    if fd < 0 || path.is_null() {
        return;
    }
    // SAFETY: the kernel has just read it.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let kind = kind.unwrap_or_else(|| names::kind_of_path(path));
    if path.starts_with(b"/") {
        return made_for(fd, kind, &[path]);
    }
    let link = if dir == libc::AT_FDCWD {
        link_from_here(kind, plain(path))
    } else {
        link_from(dir, kind, plain(path))
    };
    opened_at(fd, link);
}

/// Where a path leads that is relative to the working directory.
#[inline(never)]
fn link_from_here(kind: Kind, path: &[u8]) -> u32 {
    let link = table::with(|table| {
        // SAFETY: the table is held.
        let here = unsafe { names::working_directory() };
        if here.is_empty() {
            return table.link(kind, &[path]);
        }
        table.link(kind, &[here, b"/", path])
    });
    link.unwrap_or(OVERFLOW_ENTRY)
}

/// Where a path leads that is relative to an open directory.
#[inline(never)]
fn link_from(dir: c_int, kind: Kind, path: &[u8]) -> u32 {
    if links::get(dir) == UNKNOWN {
        find(dir);
    }
    is_directory(dir);
    let link = links::get(dir);
    match table::entry(link) {
        Some(entry) if link != OVERFLOW_ENTRY => link_from_entry(entry, kind, path),
        _ => OVERFLOW_ENTRY,
    }
}

#[inline(never)]
fn link_from_entry(entry: &FileEntry, kind: Kind, path: &[u8]) -> u32 {
    with_room_if_possible(|name: *mut Name| {
        // SAFETY: zeroes are an empty line.
        let name = unsafe { &mut *name };
        // The entry is given to no other name while a descriptor leads to it.
        push_name(name, entry);
        link_below(name, kind, path)
    })
    .unwrap_or(OVERFLOW_ENTRY)
}

/// Where a path leads that is relative to a directory of this name.
#[inline(never)]
fn link_below(directory: &Name, kind: Kind, path: &[u8]) -> u32 {
    let name = [directory.as_bytes(), b"/", path];
    table::with(|table| table.link(kind, &name)).unwrap_or(OVERFLOW_ENTRY)
}

/// Appends the name of an entry.
#[inline(never)]
fn push_name<const N: usize>(to: &mut Bytes<N>, entry: &FileEntry) {
    entry
        .name
        .bytes()
        .for_each(|byte| to.push_what_fits(&[byte]));
}

/// A relative path without `./` at its head.
fn plain(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
        while let Some(rest) = path.strip_prefix(b"/") {
            path = rest;
        }
    }
    path
}

/// A stream was opened for a path, if it was.
pub fn opened_stream(stream: *mut FILE, path: *const c_char) {
    if !stream.is_null() {
        streams::see(stream);
        opened(streams::fd(stream), libc::AT_FDCWD, path);
    }
}

/// A stream was opened for a command, if it was.
pub fn opened_pipe(stream: *mut FILE) {
    if !stream.is_null() {
        streams::see(stream);
        made(Kind::Pipe, streams::fd(stream));
    }
}

/// The descriptor of a stream is about to be closed.
pub fn closing_stream(stream: *mut FILE) {
    if !stream.is_null() {
        unlink(streams::fd(stream));
    }
}

/// A directory was opened, if it was.
pub fn opened_directory(directory: *mut c_void, path: *const c_char) {
    opened_as(
        Some(Kind::Directory),
        directory_fd(directory),
        libc::AT_FDCWD,
        path,
    );
}

/// A descriptor was used in a way that only a directory's can be: so its file is a directory, which its name did not show.
fn is_directory(fd: c_int) {
    if let Some(entry) = table::entry(links::get(fd))
        && entry.kind() == Kind::File
    {
        entry.set_kind(Kind::Directory);
    }
}

/// A descriptor was made a directory stream, if it was.
pub fn made_directory_stream(fd: c_int, directory: *mut c_void) {
    if !directory.is_null() {
        is_directory(fd);
    }
}

/// The descriptor of a directory stream; -1 where there is none.
pub fn directory_fd(directory: *mut c_void) -> c_int {
    if directory.is_null() {
        return -1;
    }
    // SAFETY: the program passes it as a directory stream.
    unsafe { c_library::dirfd(directory) }.unwrap_or(-1)
}

/// A descriptor was made, if it was, for something that has no name but its kind.
pub fn made(kind: Kind, fd: c_int) {
    if fd >= 0 {
        made_for(fd, kind, &[]);
    }
}

/// Memory was made a file of this name, if it was.
pub fn made_memory(fd: c_int, name: *const c_char) {
    if fd >= 0 && !name.is_null() {
        // SAFETY: the kernel has just read it.
        let name = unsafe { CStr::from_ptr(name) };
        made_for(fd, Kind::Memory, &[name.to_bytes()]);
    }
}

/// Two descriptors were made, if they were.
pub fn made_pair(kind: Kind, ends: *const c_int, status: c_int) {
    if status == 0 {
        // SAFETY: the kernel has just written both.
        let [one, other] = unsafe { ends.cast::<[c_int; 2]>().read_unaligned() };
        made(kind, one);
        made(kind, other);
    }
}

/// So many bytes of what a descriptor leads to were mapped into memory, if they were.
pub fn mapped(fd: c_int, bytes: usize, flags: c_int, place: *mut c_void) {
    if fd < 0 || flags & libc::MAP_ANONYMOUS != 0 || place == libc::MAP_FAILED {
        return;
    }
    if links::get(fd) == UNKNOWN {
        find(fd);
    }
    if let Some(entry) = table::entry(links::get(fd)) {
        entry.mapped_bytes.add_shared(bytes as u64);
    }
}

/// A descriptor was duplicated, if it was.
pub fn duplicated(from: c_int, to: c_int) {
    if to < 0 || from == to || vfork::is_child() {
        return;
    }
    if links::get(from) == UNKNOWN {
        find(from);
    }
    relink(to, links::get(from));
    records::forget(to);
}

/// What fcntl did.
pub fn controlled(fd: c_int, command: c_int, result: c_int) {
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        duplicated(fd, result);
    }
}

/// Descriptors were closed.
pub fn closed_range(first: c_uint, last: c_uint) {
    if vfork::is_child() {
        return;
    }
    records::forget_range(first, last);
    for fd in links::known(first, last) {
        unlink(fd);
    }
}

/// The working directory was changed, if it was.
pub fn changed_directory(status: c_int) {
    // A child of vfork has one of its own.
    if status == 0 && !vfork::is_child() {
        names::forget_working_directory();
    }
}

/// The same, by a descriptor.
pub fn changed_directory_to(fd: c_int, status: c_int) {
    if status == 0 {
        is_directory(fd);
    }
    changed_directory(status);
}

/// The root directory was changed, if it was.
pub fn changed_root(status: c_int) {
    changed_directory(status);
}

/// A new region: its table is empty.
pub fn begin(header: &Header, files: &'static [FileEntry]) {
    table::begin(header, files);
}

/// Whether a forked child's standard descriptor is not what it was in its parent: forkpty and daemon change it inside the C
/// library.
fn standard_fd_changed(fd: c_int, kind: Kind) -> bool {
    (0..=2).contains(&fd) && names::find(fd).is_some_and(|found| found.kind != kind)
}

/// A forked child inherits descriptors, not the table: copies what is known of them from the parent's region, which must
/// still be there, to the table of the child's new region; without a parent's region they are not known.
pub fn inherit(parent: Option<Region<'_>>) {
    for fd in links::known(0, c_uint::MAX) {
        let link = links::get(fd) as usize;
        links::set(fd, UNKNOWN);
        let entry = parent.as_ref().and_then(|region| region.files().get(link));
        if let Some(entry) = entry {
            inherit_one(fd, entry);
        }
    }
}

/// Not inlined: it takes room for names on the stack, which is that of the start where it is called.
#[inline(never)]
fn inherit_one(fd: c_int, entry: &FileEntry) {
    if !standard_fd_changed(fd, entry.kind()) {
        let mut name = Name::new();
        entry
            .name
            .bytes()
            .for_each(|byte| name.push_what_fits(&[byte]));
        lead_to(fd, entry.kind(), &[name.as_bytes()]);
    }
}

/// In a child of fork: the table was that of the parent's region.
pub fn forked() {
    table::forget();
}
