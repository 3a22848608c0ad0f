use std::ffi::CString;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}

fn look_at(path: &Path) -> Kind {
    look(Program::Path(c_path(path).as_ptr()))
}

/// A directory of this test, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let own = format!("weir-programs-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(own);
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An ELF file with `before` program headers of zeroes, and then one for the dynamic linker's name.
fn elf(bits: u8, machine: u16, before: usize, dynamic_linker: Option<&str>) -> Vec<u8> {
    let layout = if bits == 32 { OF_32_BITS } else { OF_64_BITS };
    let start = if bits == 32 { 52 } else { 64 };
    let count = before + usize::from(dynamic_linker.is_some());
    let end = start + count * layout.header;
    let mut file = vec![0; end];
    file[..4].copy_from_slice(b"\x7fELF");
    (file[4], file[5]) = (bits / 32, 1);
    let mut put = |at: usize, value: usize, size: usize| {
        file[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    };
    put(16, usize::from(EXECUTABLE), 2);
    put(18, machine.into(), 2);
    put(layout.headers, start, layout.word);
    put(layout.size, layout.header, 2);
    put(layout.count, count, 2);
    if let Some(name) = dynamic_linker {
        let header = start + before * layout.header;
        put(header, libc::PT_INTERP as usize, 4);
        put(header + layout.offset, end, layout.word);
        put(header + layout.bytes, name.len() + 1, layout.word);
        file.extend_from_slice(name.as_bytes());
        file.push(0);
    }
    file
}

const OURS: u16 = crate::arch::MACHINE;
const GLIBC: Option<&str> = Some("/lib64/ld-linux-x86-64.so.2");

#[test]
fn a_program_is_what_its_header_says() {
    let folder = Folder::new("headers");
    let kind = |file: Vec<u8>| look_at(&folder.file("program", file));
    let linker = |name: &str| folder.file(name, "").display().to_string();
    let (musl, old) = (linker("ld-musl-x86_64.so.1"), linker("ld-linux.so.2"));
    for before in [0, 1, 3, 4, 5, 17, 300] {
        assert_eq!(kind(elf(64, OURS, before, GLIBC)), Kind::Dynamic);
        // Without any program header it is no program.
        let none = if before == 0 {
            Kind::Formless
        } else {
            Kind::Static
        };
        assert_eq!(kind(elf(64, OURS, before, None)), none);
        assert_eq!(kind(elf(64, OURS, before, Some(&musl))), Kind::OtherLibc);
        let compatible = |linker| elf(32, arch::COMPATIBLE_MACHINE, before, linker);
        assert_eq!(kind(compatible(Some(&old))), Kind::OtherMachine);
        assert_eq!(kind(compatible(None)), none);
        let gone = Some("/nonexistent/ld-musl-x86_64.so.1");
        assert_eq!(kind(elf(64, OURS, before, gone)), Kind::Missing);
        assert_eq!(kind(compatible(gone)), Kind::Missing);
    }
    // x32 has 32-bit words; another machine may have 64-bit words, like ours.
    assert_eq!(kind(elf(32, OURS, 1, GLIBC)), Kind::OtherMachine);
    // An emulator may be registered for it, with dynamic linkers of its own.
    assert_eq!(kind(elf(64, libc::EM_S390, 1, GLIBC)), Kind::OtherMachine);
    let elsewhere = Some("/nonexistent/ld64.so.1");
    assert_eq!(
        kind(elf(64, libc::EM_S390, 1, elsewhere)),
        Kind::OtherMachine
    );
    // What the kernel does not execute: an object file, headers of another size, no headers.
    for (at, value) in [(16, 1), (54, 55), (56, 0)] {
        let mut file = elf(64, OURS, 1, GLIBC);
        if at == 56 {
            file[57] = 0;
        }
        file[at] = value;
        assert_eq!(kind(file), Kind::Formless, "{at}");
    }
    // It does execute what has another class or byte order in its head.
    for at in [4, 5] {
        let mut file = elf(64, OURS, 1, GLIBC);
        file[at] = 0;
        assert_eq!(kind(file), Kind::Unknown, "{at}");
    }
    let long = "/x".repeat(200);
    assert_eq!(kind(elf(64, OURS, 1, Some(&long))), Kind::Unknown);
    assert_eq!(kind(elf(64, OURS, 600, GLIBC)), Kind::Unknown);
    assert_eq!(look_at(Path::new("/bin/sh")), Kind::Dynamic);
}

#[test]
fn whatever_a_file_holds_it_is_only_looked_at() {
    let folder = Folder::new("damaged");
    let whole = elf(64, OURS, 2, GLIBC);
    for length in 0..whole.len() {
        let kind = look_at(&folder.file("cut", &whole[..length]));
        assert!(
            matches!(kind, Kind::Formless | Kind::Unknown),
            "{length}: {kind:?}"
        );
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut file = whole.clone();
            file[at] = value;
            look_at(&folder.file("changed", file));
        }
    }
}

#[test]
fn a_dynamic_linker_goes_by_its_name() {
    let folder = Folder::new("linkers");
    let file = |name: &str| look_at(&folder.file(name, elf(64, OURS, 2, None)));
    assert_eq!(file("ld-musl-x86_64.so.1"), Kind::OtherLibc);
    assert_eq!(file("ld-linux-x86-64.so.2"), Kind::Dynamic);
    assert_eq!(file("busybox"), Kind::Static);
}

#[test]
fn scripts_lead_to_their_interpreters_as_far_as_the_kernel_goes() {
    let folder = Folder::new("scripts");
    let linker = folder.file("ld-musl-x86_64.so.1", "");
    let mut last = folder.file("musl", elf(64, OURS, 1, linker.to_str()));
    for depth in 1..=6 {
        let line = format!("#! \t{} argument\n", last.display());
        last = folder.file(&format!("script{depth}"), line);
        let kind = if depth > DEPTH {
            Kind::Unknown
        } else {
            Kind::OtherLibc
        };
        assert_eq!(look_at(&last), kind, "{depth}");
    }
    assert_eq!(look_at(&folder.file("end", "#!/bin/sh")), Kind::Dynamic);
    assert_eq!(look_at(&folder.file("none", "#!\n")), Kind::Formless);
    assert_eq!(look_at(&folder.file("gone", "#!/no/such\n")), Kind::Missing);
    let long = format!("#!/{}", "x".repeat(300));
    assert_eq!(look_at(&folder.file("long", long)), Kind::Formless);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let folder = Folder::new("pipes");
    let pipe = folder.0.join("pipe");
    // SAFETY: the path ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(c_path(&pipe).as_ptr(), 0o755) }, 0);
    assert_eq!(look_at(&pipe), Kind::Unknown);
    assert_eq!(look_at(&folder.0), Kind::Unknown);
    assert_eq!(look_at(&folder.0.join("none")), Kind::Missing);
    assert_eq!(look(Program::Path(std::ptr::null())), Kind::Unreadable);
    assert_eq!(
        look(Program::Searched(std::ptr::dangling())),
        Kind::Unreadable
    );
}

#[test]
fn a_descriptor_is_looked_at_where_it_is() {
    let folder = Folder::new("descriptors");
    let path = folder.file("program", elf(32, libc::EM_386, 1, GLIBC));
    let file = fs::File::open(&path).expect("a file");
    let directory = fs::File::open(&folder.0).expect("a folder");
    let (fd, dir) = (file.as_raw_fd(), directory.as_raw_fd());
    for program in [
        Program::Open(fd),
        Program::At(fd, c"".as_ptr()),
        Program::At(dir, c"program".as_ptr()),
    ] {
        assert_eq!(look(program), Kind::OtherMachine, "{program:?}");
    }
    assert_eq!(look(Program::Open(-1)), Kind::Unknown);
    assert_eq!(look(Program::Open(dir)), Kind::Unknown);
    assert_eq!(look(Program::At(dir, c"none".as_ptr())), Kind::Missing);
}

#[test]
fn names_are_looked_for_as_execvp_does_it() {
    let folder = Folder::new("search");
    let (first, second) = (folder.0.join("1"), folder.0.join("2"));
    fs::create_dir_all(first.join("tool")).expect("a folder in the way");
    fs::create_dir_all(&second).expect("a folder");
    folder.file("2/tool", elf(32, libc::EM_386, 1, GLIBC));
    folder.file("2/text", "exit 7\n");
    let path = format!("/nonexistent:{}:{}", first.display(), second.display());
    let kind = |name: &str| search::in_directories(path.as_bytes(), name.as_bytes());
    assert_eq!(kind("tool"), Kind::OtherMachine);
    assert_eq!(kind("none"), Kind::Missing);
    assert_eq!(kind("text"), Kind::Dynamic, "the shell's");
    assert_eq!(look(Program::Searched(c"sh".as_ptr())), Kind::Dynamic);
}

#[test]
fn a_file_is_examined_once_and_again_when_it_has_changed() {
    let shell = looking::status(libc::AT_FDCWD, c"/bin/sh".as_ptr()).expect("there");
    assert_eq!(look(Program::Path(c"/bin/sh".as_ptr())), Kind::Dynamic);
    assert_eq!(known::kind(&shell), Some(Kind::Dynamic));
    let changes: [fn(&mut libc::stat); 5] = [
        |file| file.st_dev += 1,
        |file| file.st_ino += 64,
        |file| file.st_size += 1,
        |file| file.st_mtime_nsec += 1,
        |file| file.st_ctime_nsec += 1,
    ];
    for change in changes {
        let mut other = shell;
        change(&mut other);
        assert_eq!(known::kind(&other), None);
    }
}

#[test]
fn a_file_that_changes_within_a_moment_is_not_taken_for_what_it_was() {
    let folder = Folder::new("changes");
    for _ in 0..50 {
        for (name, kind) in [("ld-linux", Kind::Dynamic), ("ld-musls", Kind::OtherLibc)] {
            let linker = folder.file(&format!("{name}.so"), "");
            let content = elf(64, arch::MACHINE, 1, linker.to_str());
            assert_eq!(look_at(&folder.file("program", content)), kind);
        }
    }
}
