//! Where a file is: its directory, opened once, and its name in there.
//!
//! Another user may own a part of the path to a report. In a folder that all users may write to, a link of theirs
//! could make us write anywhere, and a pipe could make us wait without end. So we follow a link only if our effective user
//! or root made it, or if no other user could have made it. Once the directory is open, we stay in it, even if
//! names change.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat, fstat, fstatfs, openat,
    readlinkat_raw, statat,
};
use rustix::io::Errno;

use super::descriptor::Descriptor;

/// The longest path (limits.h, PATH_MAX).
const PATH_MAX: usize = 4096;

/// How many links are followed, as the kernel has it (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// To look at, and to name others in.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// A name in a directory.
#[derive(Debug)]
pub struct Place {
    pub directory: Descriptor,
    pub name: CString,
    links_left: u32,
}

/// What has a name.
#[derive(Debug)]
pub enum Found {
    /// Nothing; or a file of another user, which we must not open.
    Nothing,
    /// A file of ours.
    File(Stat),
    /// Not a regular file, but it can be written to: a pipe, a terminal.
    Channel,
    /// The open file of a descriptor, of any kind, reached by a link of the kernel's (`/dev/stdout`). The owner of the
    /// descriptor writes to it, too, so we append to it and never replace it.
    Open,
}

impl Place {
    /// The place that a path names. A link at its end is not followed.
    pub fn of(path: &[u8]) -> Result<Place, Errno> {
        Place::from(CWD, path, MOST_LINKS)
    }

    fn from(start: BorrowedFd<'_>, path: &[u8], mut links_left: u32) -> Result<Place, Errno> {
        let (directory, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(0) => (&b"/"[..], &path[1..]),
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b"."[..], path),
        };
        if matches!(name, b"" | b"." | b"..") {
            return Err(if path.is_empty() {
                Errno::NOENT
            } else {
                Errno::ISDIR
            });
        }
        Ok(Place {
            directory: open_directory(start, directory, &mut links_left)?,
            name: c_string(name)?,
            links_left,
        })
    }

    /// Follows links at this place to their end, and returns what is there.
    pub fn resolve(mut self) -> Result<(Place, Found), Errno> {
        loop {
            let there = match statat(
                &self.directory,
                self.name.as_c_str(),
                AtFlags::SYMLINK_NOFOLLOW,
            ) {
                Ok(there) => there,
                Err(Errno::NOENT) => return Ok((self, Found::Nothing)),
                Err(error) => return Err(error),
            };
            match FileType::from_raw_mode(there.st_mode) {
                FileType::Symlink => {
                    match link(&self.directory, &self.name, &mut self.links_left) {
                        Ok(Link::To(target)) => {
                            let directory = self.directory.as_fd();
                            self = Place::from(directory, &target, self.links_left)?;
                        }
                        Ok(Link::OfTheKernel) => return self.behind(),
                        Ok(Link::OfAnother) => return Ok((self, Found::Nothing)),
                        // Something else is there by now.
                        Err(Errno::NOENT | Errno::NOTDIR) => {}
                        Err(error) => return Err(error),
                    }
                }
                FileType::Directory => return Err(Errno::ISDIR),
                // Only root makes those.
                FileType::CharacterDevice | FileType::BlockDevice => {
                    return Ok((self, Found::Channel));
                }
                _ if !is_trusted(&there, &self.directory)? => return Ok((self, Found::Nothing)),
                FileType::RegularFile => return Ok((self, Found::File(there))),
                _ => return Ok((self, Found::Channel)),
            }
        }
    }

    /// What is behind a link of the kernel's, which leads to a file that is open, not to a name.
    fn behind(self) -> Result<(Place, Found), Errno> {
        let there = statat(&self.directory, self.name.as_c_str(), AtFlags::empty())?;
        match FileType::from_raw_mode(there.st_mode) {
            FileType::Directory if self.is_own_descriptor() => Err(Errno::NOENT),
            FileType::Directory => Err(Errno::ISDIR),
            _ => Ok((self, Found::Open)),
        }
    }

    /// Whether the name is the number of the descriptor that we have opened to look there: without us there is nothing.
    fn is_own_descriptor(&self) -> bool {
        let number = self.directory.as_fd().as_raw_fd().to_string();
        self.name.to_bytes() == number.as_bytes()
    }

    /// Opens a file that must not be replaced, to append to it, without a wait for its reader.
    pub fn open_channel(&self, found: &Found) -> Result<Descriptor, Errno> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let is_open = matches!(found, Found::Open);
        let further = match is_open {
            true => OFlags::APPEND,
            false => OFlags::NOFOLLOW,
        };
        let channel: Descriptor = openat(
            &self.directory,
            self.name.as_c_str(),
            flags | further,
            Mode::empty(),
        )?
        .into();
        if is_open {
            return Ok(channel);
        }
        // It may belong to another user by now.
        let there = fstat(&channel)?;
        match FileType::from_raw_mode(there.st_mode) {
            FileType::RegularFile => Err(Errno::AGAIN),
            FileType::CharacterDevice | FileType::BlockDevice => Ok(channel),
            _ if is_trusted(&there, &self.directory)? => Ok(channel),
            _ => Err(Errno::AGAIN),
        }
    }
}

/// Opens a directory, to name files in. A name at a time: openat2 could do it at once where there is no link on the way, but
/// tools that run programs (valgrind 3.19) complain of a call that they do not know.
fn open_directory(
    start: BorrowedFd<'_>,
    path: &[u8],
    links_left: &mut u32,
) -> Result<Descriptor, Errno> {
    let flags = LOOK | OFlags::DIRECTORY;
    let first = if path.starts_with(b"/") { c"/" } else { c"." };
    let mut here: Descriptor = openat(start, first, flags, Mode::empty())?.into();
    for name in path.split(|&byte| byte == b'/') {
        if name.is_empty() {
            continue;
        }
        let name = c_string(name)?;
        let next = match openat(
            &here,
            name.as_c_str(),
            flags | OFlags::NOFOLLOW,
            Mode::empty(),
        ) {
            Err(Errno::NOTDIR | Errno::LOOP) => match link(&here, &name, links_left)? {
                Link::To(target) => open_directory(here.as_fd(), &target, links_left)?,
                Link::OfTheKernel => openat(&here, name.as_c_str(), flags, Mode::empty())?.into(),
                // What the kernel says where it does not follow such links itself (proc_sys_fs(5)).
                Link::OfAnother => return Err(Errno::ACCESS),
            },
            next => next?.into(),
        };
        here = next;
    }
    Ok(here)
}

/// Where a link leads.
enum Link {
    To(Vec<u8>),
    /// Text is not all there is to it (proc(5)).
    OfTheKernel,
    /// Nowhere that we would go.
    OfAnother,
}

/// The link of this name. NOTDIR where it is none.
fn link(directory: &Descriptor, name: &CStr, links_left: &mut u32) -> Result<Link, Errno> {
    *links_left = links_left.checked_sub(1).ok_or(Errno::LOOP)?;
    let link: Descriptor = openat(directory, name, LOOK | OFlags::NOFOLLOW, Mode::empty())?.into();
    let there = fstat(&link)?;
    if FileType::from_raw_mode(there.st_mode) != FileType::Symlink {
        return Err(Errno::NOTDIR);
    }
    if fstatfs(directory)?.f_type == PROC_SUPER_MAGIC {
        return Ok(Link::OfTheKernel);
    }
    if !is_trusted(&there, directory)? {
        return Ok(Link::OfAnother);
    }
    let mut target = vec![MaybeUninit::uninit(); PATH_MAX];
    let (target, _) = readlinkat_raw(&link, c"", target.as_mut_slice())?;
    Ok(Link::To(target.to_vec()))
}

/// Whether what has a name in a directory was put there by the user that we act as, or by root.
fn is_trusted(there: &Stat, directory: &Descriptor) -> Result<bool, Errno> {
    let own = rustix::process::geteuid().as_raw();
    let is_ours = |owner: u32| owner == 0 || owner == own;
    if is_ours(there.st_uid) {
        return Ok(true);
    }
    let directory = fstat(directory)?;
    let others_may_write =
        Mode::from_raw_mode(directory.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    Ok(is_ours(directory.st_uid) && !others_may_write)
}

fn c_string(bytes: &[u8]) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::INVAL)
}
