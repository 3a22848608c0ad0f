//! Files that the command contains, kept in the user's cache.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::trust;

/// The user's cache, Weir's part of it: `$XDG_CACHE_HOME/weir`, else `~/.cache/weir`.
pub fn cache() -> Option<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    variable("XDG_CACHE_HOME")
        .or_else(|| Some(variable("HOME")?.join(".cache")))
        .map(|cache| cache.join("weir"))
}

/// Has a file put into the cache by `unpack`, which is given the directory; where the file is then.
///
/// # Errors
/// Where there is no cache, it is in other users' reach, or `unpack` fails. The message has the file's name, `name`.
pub fn in_cache(
    name: &str,
    unpack: impl FnOnce(&Path) -> io::Result<PathBuf>,
) -> Result<PathBuf, Failure> {
    const REMEDY: &str = "set XDG_CACHE_HOME to a directory that only you can write to";
    let Some(cache) = cache() else {
        let failure = Failure::of_weir(format!("there is no cache to keep {name} in"));
        return Err(failure.with_remedy(REMEDY));
    };
    let unpacked = directory(&cache).and_then(|directory| unpack(&directory));
    unpacked.map_err(|error| {
        Failure::of_weir(format!("cannot keep {name} in {}", cache.display()))
            .because(error)
            .with_remedy(REMEDY)
    })
}

/// Makes a directory for this user alone, unless it would be in other users' reach, or is; its real path.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::PermissionDenied`] where it is in their reach.
pub fn directory(path: &Path) -> io::Result<PathBuf> {
    trust::may_be_made_out_of_reach(path)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    trust::out_of_reach(path)
}

/// Makes a file with this content and mode, unless it is there already, and only this user and root can
/// have changed it since it was compared. Other users must have no access to its directory.
///
/// # Errors
/// Those of the system.
pub fn file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if is_whole(path, content) {
        return Ok(());
    }
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}

/// Whether the file has this content, and only this user and root can have changed it since it was compared.
fn is_whole(path: &Path, content: &[u8]) -> bool {
    let check = || -> io::Result<bool> {
        let mut file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let there = file.metadata()?;
        let trusted = there.is_file()
            && trust::is_ours(there.uid())
            && there.mode() & 0o022 == 0
            && there.len() == content.len() as u64;
        if !trusted {
            return Ok(false);
        }
        // In parts: memory for all of it would take longer to have than it takes to compare.
        let mut part = [0; 8 * 1024];
        for expected in content.chunks(part.len()) {
            let part = &mut part[..expected.len()];
            file.read_exact(part)?;
            if part != expected {
                return Ok(false);
            }
        }
        Ok(true)
    };
    check().unwrap_or(false)
}

/// FNV-1a over the length, the beginning and the end, where builds differ: names, symbols, sections. It keeps
/// the copies of different versions apart; what counts is that the content is compared.
pub fn fingerprint(content: &[u8]) -> u64 {
    const PART: usize = 32 * 1024;
    let end = content.len().saturating_sub(PART);
    let length = content.len().to_le_bytes();
    let parts = [
        &length[..],
        &content[..PART.min(content.len())],
        &content[end..],
    ];
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
