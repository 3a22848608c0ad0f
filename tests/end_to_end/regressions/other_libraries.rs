//! Another library's functions behind ours: each call goes on to the function of its own name.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use weir_record::functions::{Family, Function};

use crate::support::{Mode, Program, scratch, succeed, victim, weir};

/// The functions that the library counts: not those of the heap, which are called before it could look for the next ones; and those
/// that the C library has.
fn functions() -> Vec<&'static str> {
    let is_there = |name: &&str| {
        let name = CString::new(*name).expect("a name");
        // SAFETY: looks up a name.
        !unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.is_null()
    };
    let all = Function::ALL
        .iter()
        .filter(|of| of.row().family != Family::Alloc);
    all.map(|function| function.name())
        .filter(is_there)
        .collect()
}

/// A library that defines all of them. Each counts its call, and jumps to the next one of its name. At the end it writes the counts to
/// the file that `HITS` names, by system calls.
fn source(functions: &[&str]) -> String {
    let mut source = String::from(
        r#"
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <string.h>
        #include <sys/syscall.h>
        #define HIDDEN __attribute__((visibility("hidden")))
        extern char **environ;
        extern long syscall(long, ...);
        "#,
    );
    let count = functions.len();
    let names: Vec<String> = functions.iter().map(|name| format!("\"{name}\"")).collect();
    let _ = write!(
        source,
        r#"
        HIDDEN unsigned long hits[{count}];
        HIDDEN void *reals[{count}];
        static const char *names[] = {{{}}};
        HIDDEN void *look_up(unsigned long which) {{
            return reals[which] = dlsym(RTLD_NEXT, names[which]);
        }}
        __attribute__((constructor)) static void begin(void) {{
            for (unsigned long which = 0; which < {count}; which++)
                look_up(which);
        }}
        __attribute__((destructor)) static void end(void) {{
            for (char **entry = environ; *entry; entry++) {{
                if (strncmp(*entry, "HITS=", 5) != 0)
                    continue;
                int file = syscall(SYS_openat, AT_FDCWD, *entry + 5, O_CREAT | O_WRONLY, 0600);
                syscall(SYS_write, file, hits, sizeof hits);
                syscall(SYS_close, file);
            }}
        }}
        "#,
        names.join(", ")
    );
    for (which, name) in functions.iter().enumerate() {
        let at = 8 * which;
        let _ = writeln!(
            source,
            r#"__asm__(".globl {name}\n.type {name}, @function\n{name}:\n"
                "lock incq hits + {at}(%rip)\nmovq reals + {at}(%rip), %r11\ntest %r11, %r11\njz 1f\njmp *%r11\n"
                "1: push %rdi\npush %rsi\npush %rdx\npush %rcx\npush %r8\npush %r9\npush %rax\n"
                "mov ${which}, %edi\ncall look_up\nmov %rax, %r11\n"
                "pop %rax\npop %r9\npop %r8\npop %rcx\npop %rdx\npop %rsi\npop %rdi\njmp *%r11\n");"#
        );
    }
    source
}

fn compile(functions: &[&str], folder: &Path) -> std::path::PathBuf {
    let (text, library) = (folder.join("all.c"), folder.join("all.so"));
    fs::write(&text, source(functions)).expect("a file");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-fno-builtin", "-shared", "-fPIC", "-o"]);
    succeed(gcc.arg(&library).arg(&text), b"");
    library
}

#[test]
fn every_call_goes_on_to_the_function_of_its_name() {
    let functions = functions();
    let folder = scratch();
    let library = compile(&functions, folder.path());
    let mut names = 0;
    for name in [
        "aio_calls",
        "descriptor_calls",
        "file_calls",
        "formatted_calls",
        "identity_calls",
        "lock_calls",
        "thread_wait_calls",
        "map_calls",
        "metadata_calls",
        "signal_calls",
        "socket_calls",
        "stdio_calls",
        "wait_calls",
        "wide_calls",
    ] {
        let run = |mode: Mode| -> BTreeMap<&str, u64> {
            let hits = folder.path().join("hits");
            let _ = fs::remove_file(&hits);
            let preloaded = match mode {
                Mode::Bare => format!("{}:{}", weir::library().display(), library.display()),
                _ => library.display().to_string(),
            };
            let program = Program::new(victim(name)).env("HITS", &hits);
            program
                .env("LD_PRELOAD", preloaded)
                .run(mode)
                .expect_status(0);
            let bytes = fs::read(&hits).expect("the library has written it");
            let counts = bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|of| u64::from_ne_bytes(*of));
            let counted = functions.iter().copied().zip(counts);
            // Weir brings the scan functions of C23, which the victims use where they are there.
            counted
                .filter(|(name, calls)| *calls != 0 && !name.contains("scanf"))
                .collect()
        };
        let plain = run(Mode::Plain);
        names += plain.len();
        for mode in Mode::MEASURED {
            assert_eq!(run(mode), plain, "{name}, {mode:?}");
        }
    }
    assert!(names > 300, "{names} names of functions in all");
}
