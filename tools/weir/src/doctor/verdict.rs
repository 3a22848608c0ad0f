//! What a program is like, as far as tracing it goes.

use std::ffi::{OsStr, OsString};
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
    if let Some(library) = insists_on_being_first(image, std::env::var_os("ASAN_OPTIONS")) {
        return Err(format!(
            "has AddressSanitizer ({library}), which ends a program that has another library loaded before it; set ASAN_OPTIONS=verify_asan_link_order=0, or link it with -static-libasan"
        ));
    }
    Ok(Verdict {
        dynamic_linker,
        remarks: remarks(path, image),
    })
}

/// The sanitizer's library that is loaded first or ends the program, unless its options say that it need not be.
fn insists_on_being_first(image: &Image, options: Option<OsString>) -> Option<&str> {
    let names = ["libasan.", "libclang_rt.asan"];
    let is_asan = |library: &&String| names.iter().any(|name| library.starts_with(name));
    let library = image.needed.iter().find(is_asan)?;
    let options = options.unwrap_or_default();
    let separates = |byte: &u8| byte.is_ascii_whitespace() || b":,".contains(byte);
    // The last word about it is the one that counts.
    let told = options
        .as_bytes()
        .split(separates)
        .filter_map(|option| option.strip_prefix(b"verify_asan_link_order="))
        .next_back();
    let need_not = told.is_some_and(|value| [&b"0"[..], b"no", b"false"].contains(&value));
    (!need_not).then_some(library)
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
            "{path} has a sanitizer ({library}), whose functions come after Weir's: what it allocates for itself is not told apart"
        ));
    }
    remarks
}

fn is_sanitizer(library: &str) -> bool {
    ["libasan.", "libtsan.", "libmsan.", "liblsan.", "libhwasan."]
        .iter()
        .any(|name| library.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sanitizer_s_options_are_read_as_it_reads_them() {
        let image = Image {
            needed: vec!["libasan.so.8".to_owned(), "libc.so.6".to_owned()],
            ..Image::default()
        };
        let is_refused =
            |options: &str| insists_on_being_first(&image, Some(options.into())).is_some();
        assert!(insists_on_being_first(&image, None).is_some());
        for options in ["", "verify_asan_link_order=1", "detect_leaks=0"] {
            assert!(is_refused(options), "{options}");
        }
        for options in [
            "verify_asan_link_order=0",
            "detect_leaks=0:verify_asan_link_order=0",
            "verify_asan_link_order=1,verify_asan_link_order=false",
        ] {
            assert!(!is_refused(options), "{options}");
        }
        assert_eq!(insists_on_being_first(&Image::default(), None), None);
    }
}
