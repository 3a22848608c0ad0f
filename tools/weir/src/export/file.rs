//! Where what is exported goes.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::STANDARD_OUTPUT;
use crate::failure::Failure;
use crate::output;

/// What writes an export.
pub type Export<'a> = &'a dyn Fn(&mut dyn Write) -> io::Result<()>;

/// Writes to a file, or to standard output. A reader of that who has seen enough, as `head` has, is no failure. A file is there
/// once it is complete, in place of one that was there before.
pub fn write(path: Option<&Path>, export: Export<'_>) -> Result<(), Failure> {
    let Some(path) = path.filter(|&path| path != Path::new(STANDARD_OUTPUT)) else {
        return output::write(export);
    };
    to_file(path, export).map_err(|error| Failure::of_file("write", path, error))
}

fn to_file(path: &Path, export: Export<'_>) -> io::Result<()> {
    // A device, or a pipe that somebody reads.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let mut out = BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
        export(&mut out)?;
        return out.flush();
    }
    // A link stays one, and a file that was there keeps its rights. A new one has those that the user gives to files.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let rights = fs::metadata(&target).map(|metadata| metadata.permissions());
    let rights = rights.unwrap_or(Permissions::from_mode(0o666));
    let is_new = !target.exists();
    let directory = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let file = tempfile::Builder::new()
        .prefix(".weir.")
        .permissions(rights.clone())
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    if !is_new {
        // The mask of the user is for new files.
        file.as_file().set_permissions(rights)?;
    }
    let mut out = BufWriter::new(file);
    export(&mut out)?;
    let file = out.into_inner().map_err(|error| error.into_error())?;
    file.persist(target)?;
    Ok(())
}
