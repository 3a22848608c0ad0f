//! Files and sockets: which of them a call is about.
//!
//! ```text
//! links        which entry a descriptor leads to
//! table        the entries, by name
//! names        the names of files and sockets
//! connections  which entry a socket leads to, once it has an address or a peer
//! records      what is known of a descriptor for calls that may wait
//! ```
//!
//! A hook sees the call that makes a descriptor, and stores which entry the descriptor leads to. dup and fork copy
//! this link. Some descriptors are made unseen: they are inherited, or made inside the C library. The first call on
//! such a descriptor reads `/proc/self/fd`, which costs a system call. The name of a connection's other end costs
//! one, too. Calls on known descriptors cost none.

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

use crate::linking::{c_library, single_thread, streams};
use crate::memory::bytes::Bytes;
use crate::process::{self, vfork};
use crate::program_memory::{given, read_after};
use crate::region::mapping;
use crate::sys::{self, rooms::with_room_if_possible};
use links::OVERFLOW_ENTRY;

/// Room for a file's name.
type Name = Bytes<{ NAME_BYTES + 1 }>;
pub use connections::{accepted, bound, connected, made_socket};
pub use links::UNKNOWN;

/// Counts a call on a descriptor. If the descriptor is not known, asks the kernel first, unless the call failed.
#[inline(always)]
pub fn count_here(fd: c_int, slot: u64, access: Access) {
    let link = links::get(fd);
    if link == UNKNOWN {
        return count_unknown(fd, slot, access.later());
    }
    if let Some(entry) = table::entry(link)
        && !entry.count_by_owner(slot, &access)
    {
        count_by_other(entry, slot, access.later());
    }
}

#[cold]
#[inline(never)]
fn count_by_other(entry: &FileEntry, slot: u64, access: impl Fn() -> Access) {
    if is_of_this_image(slot) {
        entry.count(slot, &access());
    }
}

/// Whether a call is counted for its file here. Not in the child of a signal handler that forked in the middle of the call: there its
/// thread's slot is another image's. `slot` is its address, 0 where the thread has none.
fn is_of_this_image(slot: u64) -> bool {
    slot == 0 || mapping::has(slot as usize)
}

/// The same as [`count_here`], not inlined into the caller.
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

/// Counts a call on the entry that a link leads to.
#[inline(never)]
pub fn count_by(link: u32, slot: u64, access: &Access) {
    if let Some(entry) = table::entry(link).filter(|_| is_of_this_image(slot)) {
        entry.count(slot, access);
    }
}

/// The number of the file that a descriptor leads to, for the site of a call; 0 where it has no entry, or not for good. If the
/// descriptor is not known, asks the kernel first, unless the call failed.
pub fn number(fd: c_int, failed: bool) -> u16 {
    if fd < 0 {
        return 0;
    }
    match links::get(fd) {
        UNKNOWN if !failed => number_of_found(fd),
        link => number_of(link),
    }
}

#[cold]
#[inline(never)]
fn number_of_found(fd: c_int) -> u16 {
    find(fd);
    number_of(links::get(fd))
}

/// Whether a descriptor still leads to the file of this number; whether it is none, where the number is 0. False where that has to be
/// looked up.
#[inline(always)]
pub fn leads_to(fd: c_int, number: usize) -> bool {
    match number {
        0 => fd < 0,
        number => links::get(fd) as usize == number,
    }
}

/// The same of the entry that a link leads to.
pub fn number_of(link: u32) -> u16 {
    let has_its_first_name = table::entry(link).is_some_and(FileEntry::has_its_first_name);
    match link {
        OVERFLOW_ENTRY => 0,
        link if has_its_first_name => u16::try_from(link).unwrap_or(0),
        _ => 0,
    }
}

/// Counts the two parts of a call on a descriptor, in ticks.
pub fn count_parts(fd: c_int, wait_ticks: u64, transfer_ticks: u64) {
    if fd >= 0
        && let Some(entry) = table::entry(links::get(fd))
    {
        entry.waits.add(wait_ticks);
        entry.transfers.add(transfer_ticks);
    }
}

/// Makes a descriptor lead to an entry. Any earlier link is replaced.
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
    publish_link(fd, link);
    match links::set(fd, link) {
        Some(before) => let_go(before),
        None => let_go(link),
    }
}

/// Writes a descriptor's entry into the region, for the region's reader. A process that shares its parent's region
/// writes nothing: its descriptors differ from the parent's.
fn publish_link(fd: c_int, link: u32) {
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

/// Removes the link of a descriptor that is about to be closed, and returns that link.
#[inline]
pub fn unlink(fd: c_int) -> u32 {
    let link = links::get(fd);
    if vfork::is_child() {
        return link;
    }
    records::forget(fd);
    if link != UNKNOWN {
        publish_link(fd, UNKNOWN);
        links::set(fd, UNKNOWN);
        let_go(link);
    }
    link
}

/// Records a new descriptor for the file of this name.
#[inline(never)]
fn made_for(fd: c_int, kind: Kind, name: &[&[u8]]) {
    let link = table::with(|table| table.link(kind, name));
    opened_at(fd, link.unwrap_or(OVERFLOW_ENTRY));
}

/// Records a new descriptor that leads to this entry, and counts the opening.
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

/// Makes a descriptor lead to the file of this name.
#[inline(never)]
fn lead_to(fd: c_int, kind: Kind, name: &[&[u8]]) {
    relink(
        fd,
        table::with(|table| table.link(kind, name)).unwrap_or(OVERFLOW_ENTRY),
    );
}

/// Asks the kernel what a descriptor is. If that is impossible (there is no `/proc`, a filter forbids it, there is no
/// memory, the table is held by what a signal handler interrupted), the descriptor is counted with all that have no entry of their own, and is not looked up again.
#[cold]
#[inline(never)]
fn find(fd: c_int) {
    if fd < 0 || sys::is_sealed() {
        return;
    }
    if table::is_held_by_caller() {
        return relink(fd, OVERFLOW_ENTRY);
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

/// Records the opening of a path. Does nothing if the call failed (`fd` < 0).
pub fn opened(fd: c_int, dir: c_int, path: *const c_char) {
    opened_as(None, fd, dir, path);
}

/// The same as [`opened`], of a path that the call itself has written (mkstemp(3)).
pub fn opened_now(fd: c_int, template: *const c_char) {
    given::note_text(template);
    opened(fd, libc::AT_FDCWD, template);
}

/// The same as [`opened`], with the flags of the call: `O_DIRECTORY` opens directories only. `O_TMPFILE` contains the
/// bit of `O_DIRECTORY`, but opens a file without a name.
pub fn opened_with(flags: c_int, fd: c_int, dir: c_int, path: *const c_char) {
    match flags & libc::O_TMPFILE {
        libc::O_TMPFILE => made(Kind::File, fd),
        libc::O_DIRECTORY => opened_as(Some(Kind::Directory), fd, dir, path),
        _ => opened_as(None, fd, dir, path),
    }
}

#[inline(never)]
fn opened_as(kind: Option<Kind>, fd: c_int, dir: c_int, path: *const c_char) {
    if fd >= 0 && !path.is_null() {
        given::with(path.cast(), |text| match text {
            Some(text) => opened_by_name(kind, fd, dir, text),
            None => opened_unseen(kind, fd, dir, path),
        });
    }
}

/// The same of a path that was not kept. Where the thread had no slot before the call, it is read now; else the kernel knows which file
/// it was. In a sealed process it cannot be asked.
#[cold]
#[inline(never)]
fn opened_unseen(kind: Option<Kind>, fd: c_int, dir: c_int, path: *const c_char) {
    if sys::is_sealed() {
        // SAFETY: the open succeeded, so the kernel has just read the path.
        return opened_by_name(kind, fd, dir, unsafe { CStr::from_ptr(path) }.to_bytes());
    }
    given::note_text(path);
    let is_known = given::with(path.cast(), |text| {
        text.map(|text| opened_by_name(kind, fd, dir, text))
    });
    if is_known.is_some() {
        return;
    }
    opened_as_found(fd);
    if kind == Some(Kind::Directory) {
        is_directory(fd);
    }
}

/// Records a new descriptor for what the kernel says that it is.
#[cold]
#[inline(never)]
fn opened_as_found(fd: c_int) {
    unlink(fd);
    find(fd);
    opened_at(fd, links::get(fd));
}

#[inline(never)]
fn opened_by_name(kind: Option<Kind>, fd: c_int, dir: c_int, path: &[u8]) {
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

/// The link for a path that is relative to the working directory.
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

/// The link for a path that is relative to an open directory.
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
        // SAFETY: the room is zeroed, and zeroes are an empty line.
        let name = unsafe { &mut *name };
        // The entry gets no other name while a descriptor leads to it.
        push_name(name, entry);
        link_below(name, kind, path)
    })
    .unwrap_or(OVERFLOW_ENTRY)
}

/// The link for a path that is relative to the directory of this name.
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

/// A relative path without leading `./`.
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

/// Records a stream that was opened for a path. Does nothing if the call failed (NULL).
pub fn opened_stream(stream: *mut FILE, path: *const c_char) {
    if !stream.is_null() {
        streams::see(stream);
        opened(streams::fd(stream), libc::AT_FDCWD, path);
    }
}

/// Records a stream that was opened for a command. Does nothing if the call failed (NULL).
pub fn opened_pipe(stream: *mut FILE) {
    if !stream.is_null() {
        streams::see(stream);
        made(Kind::Pipe, streams::fd(stream));
    }
}

/// Removes the link of a stream's descriptor, which is about to be closed.
pub fn closing_stream(stream: *mut FILE) {
    if !stream.is_null() {
        unlink(streams::fd(stream));
    }
}

/// Records a directory stream that was opened for a path. Does nothing if the call failed (NULL).
pub fn opened_directory(directory: *mut c_void, path: *const c_char) {
    opened_as(
        Some(Kind::Directory),
        directory_fd(directory),
        libc::AT_FDCWD,
        path,
    );
}

/// Marks a descriptor's file as a directory, after a call that accepts only directories. The name alone did not show
/// that.
fn is_directory(fd: c_int) {
    if let Some(entry) = table::entry(links::get(fd))
        && entry.kind() == Kind::File
    {
        entry.set_kind(Kind::Directory);
    }
}

/// Records that a descriptor became a directory stream. Does nothing if the call failed (NULL).
pub fn made_directory_stream(fd: c_int, directory: *mut c_void) {
    if !directory.is_null() {
        is_directory(fd);
    }
}

/// The descriptor of a directory stream; -1 if there is none.
pub fn directory_fd(directory: *mut c_void) -> c_int {
    if directory.is_null() {
        return -1;
    }
    // SAFETY: the program passes it as a directory stream.
    unsafe { c_library::dirfd(directory) }.unwrap_or(-1)
}

/// Records a new descriptor for something that has a kind but no name. Does nothing if the call failed (`fd` < 0).
pub fn made(kind: Kind, fd: c_int) {
    if fd >= 0 {
        made_for(fd, kind, &[]);
    }
}

/// Records a new file in memory (memfd_create) with its name. Does nothing if the call failed (`fd` < 0).
pub fn made_memory(fd: c_int, name: *const c_char) {
    if fd >= 0 && !name.is_null() {
        given::with(name.cast(), |given| match given {
            Some(name) => made_for(fd, Kind::Memory, &[name]),
            None if sys::is_sealed() => {
                // SAFETY: the call succeeded, so the kernel has just read the name.
                let name = unsafe { CStr::from_ptr(name) };
                made_for(fd, Kind::Memory, &[name.to_bytes()]);
            }
            None => opened_as_found(fd),
        });
    }
}

/// Records two new descriptors. Does nothing if the call failed (`status` is not 0).
pub fn made_pair(kind: Kind, ends: *const c_int, status: c_int) {
    if status == 0
        && let Some([one, other]) = read_after(ends.cast::<[c_int; 2]>())
    {
        made(kind, one);
        made(kind, other);
    }
}

/// Counts bytes of a descriptor's file that were mapped into memory. Does nothing if the call failed or the mapping
/// has no file.
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

/// Records a duplicate of a descriptor. Does nothing if the call failed (`to` < 0).
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

/// Records a duplicate that fcntl made.
pub fn controlled(fd: c_int, command: c_int, result: c_int) {
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        duplicated(fd, result);
    }
}

/// Removes the links of all descriptors from `first` to `last`, which were closed.
pub fn closed_range(first: c_uint, last: c_uint) {
    if vfork::is_child() {
        return;
    }
    records::forget_range(first, last);
    for fd in links::known(first, last) {
        unlink(fd);
    }
}

/// Records a change of the working directory. Does nothing if the call failed (`status` is not 0).
pub fn changed_directory(status: c_int) {
    // A child of vfork has a working directory of its own.
    if status == 0 && !vfork::is_child() {
        names::forget_working_directory();
    }
}

/// The same as [`changed_directory`], for a call that takes the directory's descriptor.
pub fn changed_directory_to(fd: c_int, status: c_int) {
    if status == 0 {
        is_directory(fd);
    }
    changed_directory(status);
}

/// Records a change of the root directory. Does nothing if the call failed (`status` is not 0).
pub fn changed_root(status: c_int) {
    changed_directory(status);
}

/// The calling thread, or one that it makes, gets a working directory of its own.
pub fn part_directories() {
    names::have_several_working_directories(!single_thread::is_so());
}

/// Prepares for what is opened in a sandbox.
pub fn prepare_for_sandbox() {
    table::prepare_for_sandbox();
}

/// Begins the table of a new region, which is empty.
pub fn begin(header: &Header, files: &'static [FileEntry]) {
    table::begin(header, files);
}

/// Whether a standard descriptor of a forked child has another file than in its parent: forkpty and daemon change it
/// inside the C library.
fn standard_fd_changed(fd: c_int, kind: Kind) -> bool {
    (0..=2).contains(&fd) && names::find(fd).is_some_and(|found| found.kind != kind)
}

/// Copies what is known of the inherited descriptors from the parent's region to the new region of a forked child.
/// The child inherits the descriptors, but not the table. The parent's region must still be mapped; without one, the
/// descriptors become unknown.
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

/// Not inlined: the room for names would otherwise be on the stack of the start, which calls this.
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

/// Forgets the table in a child of fork: it was that of the parent's region.
pub fn forked() {
    table::forget();
    names::have_several_working_directories(false);
}
