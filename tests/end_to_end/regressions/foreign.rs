//! Programs that cannot load us start as without Weir, whatever starts them. A program that hangs before it has loaded
//! us can be ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Mode, NARROW_COMPILER, Program, scratch, succeed, victim, weir};

/// How many programs `starts_another` starts.
const STARTS: usize = 39;

/// A compiler whose programs cannot load us, and what the report says about those.
#[derive(Clone, Copy)]
struct Foreign {
    name: &'static str,
    compiler: &'static [&'static str],
    reason: &'static str,
}

const MUSL: Foreign = Foreign {
    name: "answers-musl",
    compiler: &["musl-gcc"],
    reason: "is linked against musl",
};
const NARROW: Foreign = Foreign {
    name: "answers-32",
    compiler: &NARROW_COMPILER,
    reason: "is a 32-bit x86 program",
};

/// The folder with all these programs. They are compiled at the first call.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = scratch();
        for foreign in [MUSL, NARROW] {
            let [compiler, flags @ ..] = foreign.compiler else {
                unreachable!("a compiler has a name");
            };
            let compiled = Command::new(compiler)
                .args(flags)
                .arg("-o")
                .arg(folder.path().join(foreign.name))
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/answers.c"))
                .status()
                .expect("the compilers are installed");
            assert!(compiled.success(), "{}", foreign.name);
        }
        folder
    });
    folder.path()
}

impl Foreign {
    fn path(self) -> PathBuf {
        folder().join(self.name)
    }
}

fn starter(program: &Path) -> Program {
    let folder = program.parent().expect("a folder");
    Program::new(victim("starts_another"))
        .arg(program)
        .arg(program.file_name().expect("a name"))
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
}

#[test]
fn in_every_way_to_start_one() {
    for foreign in [MUSL, NARROW] {
        let program = starter(&foreign.path());
        let plain = program.plain().expect_status(0);
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_same(&plain);
            if mode != Mode::Run {
                continue;
            }
            let missed = &outcome.reports[0].missed;
            assert_eq!(missed.untraced.len(), STARTS, "{:?}", missed.untraced);
            for untraced in &missed.untraced {
                let reason = &untraced.reason;
                // For a name without a path, the command searches its own PATH.
                assert!(reason.contains(foreign.reason), "{untraced:?}");
            }
        }
    }
}

/// AddressSanitizer ends a program in which it is not loaded first, unless an option permits that.
#[test]
fn where_a_sanitizer_must_be_the_first() {
    let folder = scratch();
    let program = folder.path().join("answers");
    succeed(
        Command::new("gcc")
            .arg("-fsanitize=address")
            .arg("-o")
            .arg(&program)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/answers.c")),
        b"",
    );
    let starter = starter(&program);
    let plain = starter.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = starter.run(mode).expect_same(&plain);
        if mode == Mode::Run {
            let missed = &outcome.reports[0].missed;
            assert_eq!(missed.untraced.len(), STARTS, "{:?}", missed.untraced);
            for untraced in &missed.untraced {
                assert!(untraced.reason.contains("AddressSanitizer"), "{untraced:?}");
            }
        }
    }
    let script = format!("{} | grep -c libweir", program.display());
    let told = |options: &str| {
        Program::new("/bin/sh")
            .args(["-c", &script])
            .env("ASAN_OPTIONS", options)
            .run(Mode::Run)
    };
    let outcome = told("verify_asan_link_order=0:verify_asan_link_order=1");
    assert_eq!(
        (outcome.text(), outcome.complaints()),
        ("0\n".into(), "".into())
    );
    let outcome = told("detect_leaks=0:verify_asan_link_order=0");
    assert_eq!(
        (outcome.text(), outcome.complaints()),
        ("1\n".into(), "".into())
    );
    let is_it = |process: &&weir_report::model::Process| process.executable.ends_with("/answers");
    assert_eq!(
        outcome
            .processes()
            .iter()
            .filter(|process| is_it(process))
            .count(),
        1
    );
}

#[test]
fn by_a_script_through_other_scripts() {
    let folder = scratch();
    let mut interpreter = MUSL.path();
    for depth in 1..=4 {
        let script = folder.path().join(format!("script-{depth}"));
        fs::write(&script, format!("#! {} x\n", interpreter.display())).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("permissions");
        let program = starter(&script);
        let plain = program.plain().expect_status(0);
        for mode in Mode::MEASURED {
            program.run(mode).expect_same(&plain);
        }
        interpreter = script;
    }
}

#[test]
fn what_else_is_preloaded_stays() {
    let library = weir::library().display();
    let other = "/nonexistent/other.so";
    for (preload, left) in [
        (format!("{library}:{other}"), other),
        (format!("{other} {library}"), other),
        (format!("{library}"), "nothing"),
        (format!(":{library}: "), "nothing"),
        (other.to_owned(), other),
    ] {
        let program = Program::new("/usr/bin/env")
            .arg(format!("LD_PRELOAD={preload}"))
            .arg(MUSL.path());
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_status(4);
            assert_eq!(outcome.text(), format!("preload {left}\n"), "{preload}");
            assert_eq!(outcome.complaints(), "");
        }
    }
}

#[test]
fn where_cleared_environments_are_followed() {
    let program = Program::new("/usr/bin/env")
        .arg("-i")
        .arg(MUSL.path())
        .env("WEIR_FOLLOW", "cleared");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(4);
        assert_eq!(outcome.text(), "preload nothing\n");
    }
}

/// A program that could load us does not get a library that it may not read: its dynamic linker would complain.
#[test]
fn where_the_library_cannot_be_read() {
    let folder = scratch();
    let library = folder.path().join("libweir.so");
    fs::copy(weir::library(), &library).expect("copied");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("permissions");
    let line = "import os; os.setgid(65001); os.setuid(65001); \
                os.execv('/bin/sh', ['sh', '-c', 'echo ${LD_PRELOAD-nothing}; exit 4'])";
    let program = Program::new("/usr/bin/python3")
        .args(["-c", line])
        .in_folder("/");
    let bare = program
        .env("LD_PRELOAD", &library)
        .env("WEIR_OUT", "/nonexistent/x.json")
        .without_reports();
    let outcome = bare.plain().expect_status(4);
    assert_eq!(outcome.text(), "nothing\n");
    assert_eq!(outcome.complaints(), "");
}

/// A program that is removed by the end was examined when it was started.
#[test]
fn what_is_gone_at_the_end_is_reported_as_it_was() {
    let folder = scratch();
    let gone = folder.path().join("gone");
    fs::copy(MUSL.path(), &gone).expect("copied");
    let line = format!("{0}; rm {0}; exit 4", gone.display());
    let program = Program::new("/bin/sh").args(["-c", &line]);
    let outcome = program.run(Mode::Run).expect_status(4);
    let untraced = &outcome.reports[0].missed.untraced;
    assert_eq!(untraced.len(), 1);
    assert!(
        untraced[0].reason.contains("another C library"),
        "{untraced:?}"
    );
}

/// Its dynamic linker blocks all signals and never ends.
#[test]
fn what_hangs_before_it_has_loaded_us_ends_by_sigterm() {
    let folder = scratch();
    let linker = folder.path().join("ld-linux-that-hangs.so.2");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let hangs = folder.path().join("hangs");
    succeed(
        Command::new("gcc")
            .args(["-nostdlib", "-static", "-o"])
            .arg(&linker)
            .arg(programs.join("hanging_linker.c")),
        b"",
    );
    succeed(
        Command::new("gcc")
            .arg(format!("-Wl,--dynamic-linker={}", linker.display()))
            .arg("-o")
            .arg(&hangs)
            .arg(programs.join("answers.c")),
        b"",
    );
    let program = Program::new(&hangs);
    let mut weir = program
        .command(Mode::Run, &folder.path().join("report.json"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    std::thread::sleep(Duration::from_millis(500));
    assert!(weir.try_wait().expect("a child").is_none());
    let asked = Instant::now();
    // SAFETY: sends a signal to a child that nobody has waited for yet.
    unsafe { libc::kill(weir.id().cast_signed(), libc::SIGTERM) };
    let ended = weir.wait_with_output().expect("a child");
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    let expected = format!("weir: {} (process ", hangs.display());
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.contains("state S (sleeping)") && said.contains("had not loaded"));
}

/// What `weir doctor` says is what then happens.
#[test]
fn the_doctor_is_right() {
    let folder = scratch();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/answers.c");
    let options = Some("verify_asan_link_order=0");
    for (compiler, options, is_traced) in [
        (&["gcc"][..], None, true),
        (&["gcc", "-fsanitize=address"], None, false),
        (&["gcc", "-fsanitize=address"], options, true),
        (
            &["gcc", "-fsanitize=address", "-static-libasan"],
            None,
            true,
        ),
        (&["gcc", "-fsanitize=thread"], None, true),
        (&["gcc", "-static"], None, false),
        (MUSL.compiler, None, false),
        (NARROW.compiler, None, false),
    ] {
        let path = folder.path().join("program");
        let mut gcc = Command::new(compiler[0]);
        gcc.args(&compiler[1..]).arg("-o").arg(&path).arg(&source);
        assert!(gcc.status().expect("a compiler").success(), "{compiler:?}");
        let mut program = Program::new(&path);
        let mut doctor = Command::new(weir::command());
        doctor.arg("doctor").arg(&path).env_remove("ASAN_OPTIONS");
        if let Some(options) = options {
            program = program.env("ASAN_OPTIONS", options);
            doctor.env("ASAN_OPTIONS", options);
        }
        let said = doctor.output().expect("weir runs");
        let status = if is_traced { Some(0) } else { Some(126) };
        assert_eq!(said.status.code(), status, "{compiler:?} {options:?}");
        if is_traced {
            let outcome = program.run(Mode::Run).expect_status(4);
            assert_eq!(outcome.complaints(), "", "{compiler:?}");
            assert_eq!(outcome.process().end.status, Some(4), "{compiler:?}");
        } else {
            let outcome = program.without_reports().run(Mode::Run).expect_status(126);
            assert_eq!(outcome.text(), "", "nothing ran");
            assert_eq!(outcome.stderr, said.stderr, "the same line");
            assert_eq!(outcome.complaints().lines().count(), 1);
        }
    }
}
