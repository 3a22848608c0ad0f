//! Whether a directory is out of the reach of other users: what lies there is what we put there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The real path of a directory, where nobody but this user and root can put something else in the place of what is
/// in it, or of itself: each directory on the way belongs to one of them, and others may not write to it, or
/// at least not rename what is not theirs.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::PermissionDenied`] where somebody else can.
pub fn out_of_reach(directory: &Path) -> io::Result<PathBuf> {
    let path = fs::canonicalize(directory)?;
    // Whose the root directory is has it all; in a user namespace that may be nobody who is known there.
    let root = fs::metadata("/")?.uid();
    for part in path.ancestors() {
        let there = fs::symlink_metadata(part)?;
        let is_ours = is_ours(there.uid()) || there.uid() == root;
        let is_shared = there.mode() & 0o022 != 0 && there.mode() & libc::S_ISVTX == 0;
        if !there.is_dir() || !is_ours || is_shared {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
    }
    Ok(path)
}

/// The same of a directory that may be missing: what it would be made in.
///
/// # Errors
/// As above.
pub fn may_be_made_out_of_reach(directory: &Path) -> io::Result<()> {
    let mut there = directory;
    while let Err(error) = fs::symlink_metadata(there) {
        let missing = error.kind() == io::ErrorKind::NotFound;
        there = there.parent().filter(|_| missing).ok_or(error)?;
    }
    out_of_reach(there).map(drop)
}

/// Whether what this user owns is to be trusted: it is the one that weir acts as, or root.
pub fn is_ours(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_that_others_may_write_to_is_in_their_reach() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let link = place.path().join("link");
        symlink("a/b", &link).unwrap();
        let real = fs::canonicalize(&inner).unwrap();
        assert_eq!(out_of_reach(&link).unwrap(), real);
        may_be_made_out_of_reach(&inner.join("c/d")).unwrap();
        let set = |mode| {
            let outer = place.path().join("a");
            fs::set_permissions(outer, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (mode, is) in [
            (0o777, false),
            (0o770, false),
            (0o1777, true),
            (0o755, true),
        ] {
            set(mode);
            for path in [&inner, &link] {
                assert_eq!(out_of_reach(path).is_ok(), is, "{mode:o}");
            }
            assert_eq!(
                may_be_made_out_of_reach(&inner.join("c")).is_ok(),
                is,
                "{mode:o}"
            );
        }
    }
}
