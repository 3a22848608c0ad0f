//! Whether other users can change a directory: if they cannot, its files are those that we put there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The real path of a directory, if only this user and root can replace the directory or the files
/// in it: each directory of the path belongs to one of them, and other users cannot write to it, or
/// at least cannot rename files of others.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::PermissionDenied`] if other users can.
pub fn out_of_reach(directory: &Path) -> io::Result<PathBuf> {
    let path = fs::canonicalize(directory)?;
    // The owner of the root directory controls everything; in a user namespace, that may be an unknown user.
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

/// Whether to trust what this user owns: it is weir's effective user, or root.
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
