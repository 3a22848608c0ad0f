//! What a program is like, as far as tracing it goes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::Image;
use crate::text;

/// Of a program that can be traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What loads Weir.
    pub dynamic_linker: PathBuf,
    /// What the report will not show, and what else may surprise.
    pub remarks: Vec<String>,
}

/// Judges a program; the reason why it cannot be traced reads on after its path.
pub fn of(path: &Path, image: &Image) -> Result<Verdict, String> {
    let Some(dynamic_linker) = image.dynamic_linker.as_deref() else {
        return without_dynamic_linker(path, image);
    };
    let dynamic_linker = PathBuf::from(dynamic_linker);
    let shown = dynamic_linker.display();
    if is_musl(&dynamic_linker, image) {
        return Err(format!(
            "is linked against musl ({shown}); Weir's library needs the GNU C library"
        ));
    }
    if !is_glibc(&dynamic_linker) {
        return Err(format!(
            "is started by {shown}, which is not the GNU C library's dynamic linker"
        ));
    }
    if !dynamic_linker.exists() {
        return Err(format!(
            "cannot be executed: its dynamic linker {shown} does not exist"
        ));
    }
    Ok(Verdict {
        dynamic_linker,
        remarks: remarks(path, image),
    })
}

fn without_dynamic_linker(path: &Path, image: &Image) -> Result<Verdict, String> {
    if image
        .soname
        .as_deref()
        .is_some_and(|name| name.starts_with("ld-linux"))
    {
        let remark =
            "it is the dynamic linker itself: what it is told to start is traced".to_owned();
        return Ok(Verdict {
            dynamic_linker: path.to_owned(),
            remarks: vec![remark],
        });
    }
    if !image.is_executable {
        return Err("is a shared library, not a program".to_owned());
    }
    let kind = if image.is_go {
        "a Go program, statically linked"
    } else {
        "statically linked"
    };
    Err(format!(
        "is {kind}: no dynamic linker runs in it, so nothing can be preloaded"
    ))
}

fn is_musl(dynamic_linker: &Path, image: &Image) -> bool {
    file_name(dynamic_linker).starts_with(b"ld-musl")
        || image
            .needed
            .iter()
            .any(|library| library.starts_with("libc.musl-"))
}

fn is_glibc(dynamic_linker: &Path) -> bool {
    let name = file_name(dynamic_linker);
    // Before 2.34 the file had the version in its name, and ld-linux was a link to it.
    name.starts_with(b"ld-linux") || name.starts_with(b"ld-2.")
}

fn file_name(path: &Path) -> &[u8] {
    path.file_name().map_or(b"", OsStr::as_bytes)
}

fn remarks(path: &Path, image: &Image) -> Vec<String> {
    let path = path.display();
    let mut remarks = Vec::new();
    match image.defines.as_deref() {
        Some([]) => {}
        Some(names) => {
            let them = if names.len() == 1 { "it" } else { "them" };
            remarks.push(format!(
                "{path} defines {} itself: calls of {them} do not reach Weir, calls of other functions do",
                text::list(names)
            ));
        }
        None => remarks.push(format!(
            "the symbols of {path} cannot be read, so whether it has a malloc of its own is not known"
        )),
    }
    if image.is_go {
        remarks.push(format!(
            "{path} is a Go program: its own memory and I/O are system calls that Weir does not see; what its C libraries do is traced"
        ));
    }
    if let Some(library) = image.needed.iter().find(|library| is_sanitizer(library)) {
        remarks.push(format!(
            "{path} has a sanitizer ({library}), which may insist on being loaded first; for AddressSanitizer, set ASAN_OPTIONS=verify_asan_link_order=0"
        ));
    }
    remarks
}

fn is_sanitizer(library: &str) -> bool {
    ["libasan.", "libtsan.", "libmsan.", "liblsan.", "libhwasan."]
        .iter()
        .any(|name| library.starts_with(name))
}
