//! What a program's properties mean for tracing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::Image;
use super::libraries::Library;
use crate::arch::{DYNAMIC_LINKER, DYNAMIC_LINKER_NAME, FIRST_VERSION};
use crate::text;

/// So many functions are named at most.
const MOST_NAMES: usize = 8;

/// Judges a program by itself: what would load Weir, or the reason why it cannot be traced, which reads on after its
/// path.
pub fn of(path: &Path, image: &Image) -> Result<PathBuf, String> {
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
    Ok(dynamic_linker)
}

/// Whether a program is loaded with nothing but the system's C library: then its libraries say nothing more of it.
pub fn has_only_the_c_library(dynamic_linker: &Path, image: &Image) -> bool {
    const C_LIBRARY: [&str; 6] = [
        "libc.so.6",
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        DYNAMIC_LINKER_NAME,
    ];
    let mut needed = image.needed.iter();
    dynamic_linker == Path::new(DYNAMIC_LINKER)
        && image.rpath.is_none()
        && image.runpath.is_none()
        && needed.all(|name| C_LIBRARY.contains(&name.as_str()))
}

/// Whether a library needs no more of any other than the symbols that the first GNU C library for this machine had: then all
/// of them have what it needs.
pub fn has_only_first_versions(ours: &Image) -> bool {
    let mut needed = ours.needed_versions.iter();
    needed.all(|(_, version)| version == FIRST_VERSION)
}

/// Judges a program by all that is loaded with it, itself first.
pub fn of_all(loaded: &[Library]) -> Result<(), String> {
    match insists_on_being_first(loaded, std::env::var_os("ASAN_OPTIONS")) {
        Some(library) => Err(format!(
            "has AddressSanitizer ({library}), which ends a program that has another library loaded before it; set ASAN_OPTIONS=verify_asan_link_order=0, or link it with -static-libasan"
        )),
        None => Ok(()),
    }
}

/// The first symbol version that a library needs of another which has none such: that other, and the version.
pub fn lacking(ours: &Image, loaded: &[Library]) -> Option<(PathBuf, String)> {
    let mut needed = ours.needed_versions.iter();
    needed.find_map(|(name, version)| {
        let is_it = |library: &&Library| library.image.soname.as_deref() == Some(name);
        let other = loaded.iter().find(is_it)?;
        // One without any has them all, as the dynamic linker sees it.
        let lacks = !other.image.versions.is_empty() && !other.image.versions.contains(version);
        lacks.then(|| (other.path.clone(), version.clone()))
    })
}

/// The sanitizer's library that is loaded first or ends the program, unless its options say that it need not be.
fn insists_on_being_first(loaded: &[Library], options: Option<OsString>) -> Option<&str> {
    // The sanitizer checks its own position by these names.
    let names = ["libasan.", "libclang_rt.asan"];
    let is_asan = |library: &&str| names.iter().any(|name| library.starts_with(name));
    let [program, others @ ..] = loaded else {
        return None;
    };
    let preloaded = others
        .iter()
        .filter_map(|library| library.image.soname.as_deref());
    let needed = program.image.needed.iter().map(String::as_str);
    let library = needed.chain(preloaded).find(is_asan)?;
    let options = options.unwrap_or_default();
    let separates = |byte: &u8| byte.is_ascii_whitespace() || b":,".contains(byte);
    // The last word about it is the one that counts.
    let value = options
        .as_bytes()
        .split(separates)
        .filter_map(|option| option.strip_prefix(b"verify_asan_link_order="))
        .next_back();
    let need_not = value.is_some_and(|value| [&b"0"[..], b"no", b"false"].contains(&value));
    (!need_not).then_some(library)
}

fn without_dynamic_linker(path: &Path, image: &Image) -> Result<PathBuf, String> {
    if is_dynamic_linker(image) {
        return Ok(path.to_owned());
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

fn is_dynamic_linker(image: &Image) -> bool {
    let name = image.soname.as_deref();
    image.dynamic_linker.is_none() && name.is_some_and(|name| name.starts_with("ld-linux"))
}

/// What the report will not show of a program, and what else may surprise.
pub fn remarks(path: &Path, loaded: &[Library]) -> Vec<String> {
    let [program, others @ ..] = loaded else {
        return Vec::new();
    };
    let image = &program.image;
    let path = path.display();
    let mut remarks = Vec::new();
    if is_dynamic_linker(image) {
        remarks.push("it is the dynamic linker: the program that it starts is traced".to_owned());
        return remarks;
    }
    match image.defines.as_deref() {
        Some([]) => {}
        Some(names) => {
            let them = if names.len() == 1 { "it" } else { "them" };
            remarks.push(format!(
                "{path} defines {} itself: calls of {them} do not reach Weir; calls of other functions do",
                listed(names)
            ));
        }
        None => remarks.push(format!(
            "the symbols of {path} cannot be read: it may have a malloc of its own"
        )),
    }
    if image.is_go {
        remarks.push(format!(
            "{path} is a Go program: its own memory and I/O are system calls that Weir does not see; only calls of its C libraries are traced"
        ));
    }
    if let Some(library) = others.iter().find(|library| library.image.has_sanitizer) {
        remarks.push(format!(
            "{path} has a sanitizer ({}), whose functions come after Weir's: the sanitizer's own allocations are counted as the program's, and its stacks have one frame more, of libweir.so",
            named(library)
        ));
    }
    remarks.extend(
        heap_not_known(loaded).map(|reason| format!("the heap will not be known: {reason}")),
    );
    if let Some(library) = others.iter().find(|library| is_liburing(library)) {
        remarks.push(format!(
            "{path} is linked against liburing ({}): I/O through io_uring is not a call of the C library, and is not counted; the report says whether the program used it",
            library.path.display()
        ));
    }
    remarks
}

/// Why the heap of a program will not be known, in the words of its report.
fn heap_not_known(loaded: &[Library]) -> Option<String> {
    let [program, others @ ..] = loaded else {
        return None;
    };
    if program.image.defines("malloc") {
        let place = program.path.display();
        return Some(format!("the program uses the malloc of {place}"));
    }
    // Behind Weir's come these, in this order.
    let first = |name: &str| {
        others
            .iter()
            .position(|library| library.image.defines(name))
    };
    let next = first("malloc")?;
    let cannot_be_asked =
        others[next].image.has_sanitizer || first("malloc_usable_size") != Some(next);
    cannot_be_asked.then(|| {
        "Weir cannot get the sizes of blocks from the allocator: it has no malloc_usable_size, or it is a sanitizer's, which may end the program if Weir calls that".to_owned()
    })
}

/// The remark on the heap if the program is valgrind: which functions its tool replaces is not known in advance.
pub fn of_valgrind(chain: &[PathBuf]) -> Option<String> {
    let is_valgrind = |path: &&PathBuf| file_name(path) == b"valgrind";
    let valgrind = chain.iter().find(is_valgrind)?;
    Some(format!(
        "the heap of the program that {} runs will not be known, if its tool has an allocator: the program runs under a tool that replaces malloc, as valgrind does",
        valgrind.display()
    ))
}

/// Some names, not all of a great many.
pub fn listed(names: &[&str]) -> String {
    if names.len() <= MOST_NAMES {
        return text::list(names);
    }
    let (shown, others) = names.split_at(MOST_NAMES - 1);
    format!("{} and {} others", shown.join(", "), others.len())
}

fn is_liburing(library: &Library) -> bool {
    let name = library.image.soname.as_deref();
    name.is_some_and(|name| name.starts_with("liburing"))
}

/// A library's name for its users.
fn named(library: &Library) -> String {
    let name = library.image.soname.clone();
    name.unwrap_or_else(|| library.path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sanitizer_s_options_are_read_as_it_reads_them() {
        let of = |image| {
            vec![Library {
                path: PathBuf::from("program"),
                image,
            }]
        };
        let loaded = of(Image {
            needed: vec!["libasan.so.8".to_owned(), "libc.so.6".to_owned()],
            ..Image::default()
        });
        let is_refused =
            |options: &str| insists_on_being_first(&loaded, Some(options.into())).is_some();
        assert!(insists_on_being_first(&loaded, None).is_some());
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
        assert_eq!(insists_on_being_first(&of(Image::default()), None), None);
    }
}
