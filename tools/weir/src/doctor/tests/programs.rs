use std::process::Command;

use super::compiled::{HELLO, OWN_MALLOC, cc, compile};
use super::*;

const STATIC: &str =
    "program is statically linked: no dynamic linker runs in it, so nothing can be preloaded";
const GLIBC_LINKER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A Go linker leaves such a note in every program.
const GO_NOTE: &str = "
    __attribute__((section(\".note.go.buildid\"), aligned(4), used))
    static const struct { int name, descriptor, type; char go[4], id[4]; } note = {4, 4, 4, \"Go\", \"id\"};
    int main(void) { return 0; }
";

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_plain_program_can_be_traced() {
    let directory = directory();
    for arguments in [
        &["-pie", "-fPIE"][..],
        &["-no-pie"],
        &["-s"],
        &["-Wl,--hash-style=sysv"],
    ] {
        let program = cc(directory.path(), HELLO, arguments);
        let findings = inspect_in(directory.path(), &program).expect("traceable");
        assert_eq!(findings.chain, [program]);
        assert_eq!(
            findings.dynamic_linker.as_deref(),
            Some(Path::new(GLIBC_LINKER))
        );
        assert_eq!(findings.remarks, Vec::<String>::new(), "{arguments:?}");
    }
}

#[test]
fn static_programs_are_refused() {
    let directory = directory();
    for arguments in ["-static", "-static-pie"] {
        cc(directory.path(), HELLO, &[arguments]);
        assert_eq!(
            refusal(directory.path(), "program"),
            (126, STATIC.to_owned()),
            "{arguments}"
        );
    }
}

#[test]
fn musl_programs_are_refused() {
    let directory = directory();
    compile(directory.path(), HELLO, "musl-gcc", &[], "musl-tools");
    let (code, message) = refusal(directory.path(), "program");
    assert_eq!(code, 126);
    assert_eq!(
        message,
        "program is linked against musl (/lib/ld-musl-x86_64.so.1); Weir's library needs the GNU C library"
    );
    compile(
        directory.path(),
        HELLO,
        "musl-gcc",
        &["-static"],
        "musl-tools",
    );
    assert_eq!(
        refusal(directory.path(), "program"),
        (126, STATIC.to_owned())
    );
}

#[test]
fn programs_of_another_word_size_are_refused() {
    let directory = directory();
    compile(directory.path(), HELLO, "cc", &["-m32"], "gcc-multilib");
    assert_eq!(
        refusal(directory.path(), "program"),
        (
            126,
            "program is a 32-bit x86 program; Weir traces 64-bit x86-64 programs".to_owned()
        )
    );
    compile(directory.path(), HELLO, "cc", &["-mx32"], "gcc-multilib");
    let (_, message) = refusal(directory.path(), "program");
    assert_eq!(
        message,
        "program is a 32-bit x86-64 (x32) program; Weir traces 64-bit x86-64 programs"
    );
}

#[test]
fn programs_of_another_machine_are_refused_by_its_name() {
    let directory = directory();
    let mut bytes = std::fs::read(cc(directory.path(), HELLO, &[])).expect("read");
    bytes[18..20].copy_from_slice(&183_u16.to_le_bytes());
    file(directory.path(), "foreign", &bytes, 0o755);
    let (_, message) = refusal(directory.path(), "foreign");
    assert_eq!(
        message,
        "foreign is a 64-bit AArch64 program; Weir traces 64-bit x86-64 programs"
    );
    (bytes[5], bytes[18], bytes[19]) = (2, 0, 22);
    file(directory.path(), "foreign", &bytes, 0o755);
    let (_, message) = refusal(directory.path(), "foreign");
    assert_eq!(
        message,
        "foreign is a 64-bit S/390 program; Weir traces 64-bit x86-64 programs"
    );
}

#[test]
fn an_own_malloc_is_remarked_on() {
    let directory = directory();
    for hash in ["-Wl,--hash-style=gnu", "-Wl,--hash-style=sysv"] {
        let program = cc(
            directory.path(),
            OWN_MALLOC,
            &["-rdynamic", "-fno-builtin", hash],
        );
        let findings = inspect_in(directory.path(), "program").expect("traceable");
        let expected = format!(
            "{} defines malloc and free itself: calls of them do not reach Weir; calls of other functions do",
            program.display()
        );
        let real = std::fs::canonicalize(&program).expect("there");
        let heap = format!(
            "the heap will not be known: the program uses the malloc of {}",
            real.display()
        );
        assert_eq!(findings.remarks, [expected, heap]);
    }
}

/// The same answer as that of `nm`, for real programs; some builds of bash have a malloc of their own.
#[test]
fn what_a_program_defines_is_what_nm_lists() {
    for program in ["bash", "cc", "env", "nm"] {
        let path =
            search::find(OsStr::new(program), std::env::var_os("PATH").as_deref()).expect(program);
        let listed = Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(&path)
            .output();
        let listed = listed
            .expect("nm can be started: install the package binutils")
            .stdout;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let mut expected: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.split_whitespace().last())
            .filter(|name| {
                weir_record::functions::Function::ALL
                    .iter()
                    .any(|known| known.name() == *name)
            })
            .collect();
        expected.sort_unstable();
        let image =
            elf::read(File::open(&path).expect("opened"), Depth::Symbols).expect("an image");
        let mut defined = image.defines.expect("symbols");
        defined.sort_unstable();
        assert_eq!(defined, expected, "{program}");
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let directory = directory();
    let library = cc(
        directory.path(),
        HELLO,
        &["-shared", "-fPIC", "-Wl,-soname,libx.so"],
    );
    assert!(library.exists());
    assert_eq!(
        refusal(directory.path(), "program").1,
        "program is a shared library, not a program"
    );
    let object = cc(directory.path(), HELLO, &["-c"]);
    std::fs::set_permissions(object, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    assert_eq!(
        refusal(directory.path(), "program"),
        (
            126,
            "program is an ELF file, but an object file or a core dump, not a program".to_owned()
        )
    );
}

#[test]
fn a_dynamic_linker_that_is_missing_is_named() {
    let directory = directory();
    let missing = format!(
        "-Wl,--dynamic-linker={}/ld-linux-x86-64.so.2",
        directory.path().display()
    );
    cc(directory.path(), HELLO, &[&missing]);
    assert_eq!(
        refusal(directory.path(), "program").1,
        "program cannot be executed: its dynamic linker ld-linux-x86-64.so.2 does not exist"
    );
    cc(
        directory.path(),
        HELLO,
        &["-Wl,--dynamic-linker=/lib/ld64.so.1"],
    );
    assert_eq!(
        refusal(directory.path(), "program").1,
        "program is started by /lib/ld64.so.1, which is not the GNU C library's dynamic linker"
    );
}

#[test]
fn the_dynamic_linker_itself_can_be_traced() {
    let findings = inspect_in(Path::new("/"), GLIBC_LINKER).expect("traceable");
    assert_eq!(
        findings.remarks,
        ["it is the dynamic linker: the program that it starts is traced"]
    );
}

#[test]
fn go_programs_are_known_by_their_note() {
    let directory = directory();
    cc(directory.path(), GO_NOTE, &["-static"]);
    assert_eq!(
        refusal(directory.path(), "program").1,
        "program is a Go program, statically linked: no dynamic linker runs in it, so nothing can be preloaded"
    );
    cc(directory.path(), GO_NOTE, &[]);
    let findings = inspect_in(directory.path(), "program").expect("traceable");
    assert!(
        findings.remarks[0].contains("is a Go program: its own memory"),
        "{:?}",
        findings.remarks
    );
}

#[test]
fn sanitizers_are_remarked_on() {
    let directory = directory();
    let built = |flag| {
        let package = "libgcc-dev of your gcc";
        compile(directory.path(), HELLO, "cc", &[flag], package);
    };
    built("-fsanitize=thread");
    let findings = inspect_in(directory.path(), "program").expect("traceable");
    let names_it = |it: &String| it.contains("sanitizer (libtsan.so");
    assert!(
        findings.remarks.iter().any(names_it),
        "{:?}",
        findings.remarks
    );
    built("-fsanitize=address");
    let (code, line) = refusal(directory.path(), "program");
    assert_eq!(code, 126);
    assert!(
        line.contains("set ASAN_OPTIONS=verify_asan_link_order=0"),
        "{line}"
    );
}

#[test]
fn what_may_not_be_executed_is_refused() {
    let directory = directory();
    file(directory.path(), "text", "hello\n", 0o755);
    file(directory.path(), "plain", HELLO, 0o644);
    file(directory.path(), "empty", "", 0o755);
    std::fs::create_dir(directory.path().join("folder")).expect("a directory");
    let socket = directory.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let not_elf = "is neither an ELF program nor a script with a #! line; to trace a shell script without that line, give: sh FILE";
    let not_executable = "cannot be executed: it has no execute permission (chmod +x), or its file system is mounted noexec";
    let cases = [
        ("text", format!("text {not_elf}")),
        ("empty", format!("empty {not_elf}")),
        ("plain", format!("plain {not_executable}")),
        ("folder", "folder is a directory, not a program".to_owned()),
        (
            "socket",
            "socket is not a regular file, so it cannot be executed".to_owned(),
        ),
    ];
    for (name, message) in cases {
        assert_eq!(
            refusal(directory.path(), name),
            (126, message.clone()),
            "found in PATH"
        );
        assert_eq!(
            refusal(directory.path(), directory.path().join(name)),
            (126, message),
            "by its path"
        );
    }
}

#[test]
fn what_does_not_exist_is_not_found() {
    let directory = directory();
    file(directory.path(), "plain", "", 0o644);
    for (name, message) in [
        (
            "nothing",
            "nothing is not found in PATH; for a program in the working directory, put ./ before its name",
        ),
        ("", "the program's name is empty"),
        ("/nonexistent/x", "/nonexistent/x does not exist"),
    ] {
        assert_eq!(refusal(directory.path(), name), (127, message.to_owned()));
    }
    let below_a_file = directory.path().join("plain/x");
    assert_eq!(
        refusal(directory.path(), below_a_file),
        (127, "plain/x does not exist".to_owned())
    );
}

#[test]
fn the_first_in_path_that_can_be_executed_is_taken() {
    let (first, second) = (directory(), directory());
    file(first.path(), "program", "", 0o644);
    let program = cc(second.path(), HELLO, &[]);
    let path = std::env::join_paths([first.path(), second.path()]).expect("a path");
    assert_eq!(
        search::find(OsStr::new("program"), Some(&path)).expect("found"),
        program
    );
    assert!(
        search::find(OsStr::new("sh"), None).is_ok(),
        "without PATH there is a default"
    );
    let refusal =
        search::find(OsStr::new("program"), Some(first.path().as_os_str())).expect_err("refused");
    assert_eq!(refusal.code, 126, "found, but not executable");
}
