//! What `weir doctor` says is what then happens, under `weir run` and with LD_PRELOAD alone.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;
use weir_report::model::{IoUringSeen, Process, Report};

use crate::support::program::finish;
use crate::support::{Mode, Program, scratch, victim, weir};

const OTHER: u32 = 65_001;
const HEAP: &str = "the heap will not be known: ";

/// How something ended, and what it said.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// What the doctor says of a program, and what comes of it.
struct Seen {
    doctor: Ended,
    plain: Ended,
    run: (Ended, Option<Report>),
    bare: (Ended, Option<Report>),
}

/// Where a program is to run: a shell makes it so, in file systems of its own.
#[derive(Clone, Copy)]
struct Place<'a> {
    script: &'a str,
    weir: &'a Path,
    library: &'a Path,
}

/// As the tests themselves.
fn here() -> Place<'static> {
    within(":")
}

/// Where a script for the shell has made it otherwise.
fn within(script: &str) -> Place<'_> {
    Place {
        script,
        weir: weir::command(),
        library: weir::library(),
    }
}

impl Place<'_> {
    fn command(&self, words: &[&OsStr], set: &[(&str, &OsStr)]) -> Ended {
        let folder = scratch();
        let mut command = Command::new("/usr/bin/unshare");
        let script = format!("{} && exec \"$@\"", self.script);
        // What is set is for the program, and not for the shell before it.
        command.args(["--mount", "/bin/sh", "-c", &script, "sh", "/usr/bin/env"]);
        for (name, value) in set {
            let mut setting = std::ffi::OsString::from(format!("{name}="));
            setting.push(value);
            command.arg(setting);
        }
        command.args(words).current_dir(&folder);
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "ASAN_OPTIONS",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(name);
        }
        for setting in weir_record::settings::ALL {
            command.env_remove(setting.name);
        }
        let (status, stdout, stderr) = finish(&mut command, b"");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended {
            status,
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    fn see(&self, program: &Path, set: &[(&str, &str)]) -> Seen {
        let set: Vec<_> = set
            .iter()
            .map(|&(name, value)| (name, OsStr::new(value)))
            .collect();
        let reports = scratch();
        // Whoever runs it.
        fs::set_permissions(reports.path(), Permissions::from_mode(0o1777)).expect("ours");
        let (run, bare) = (
            reports.path().join("run.json"),
            reports.path().join("bare.json"),
        );
        let program = program.as_os_str();
        let weir = self.weir.as_os_str();
        let with = |words: &[&str], last: &[&OsStr]| {
            let words: Vec<_> = [weir]
                .into_iter()
                .chain(words.iter().map(OsStr::new))
                .collect();
            self.command(&[&words[..], last].concat(), &set)
        };
        let load = |path: &Path| weir_report::read::load(path).ok();
        let doctor = with(&["doctor"], &[program]);
        let plain = self.command(&[program], &set);
        let ran = with(&["run", "--quiet", "--out"], &[run.as_os_str(), program]);
        let mut preload = self.library.as_os_str().to_owned();
        let mut set_bare: Vec<_> = set.clone();
        if let Some((_, others)) = set.iter().find(|(name, _)| *name == "LD_PRELOAD") {
            preload.push(":");
            preload.push(others);
        }
        set_bare.push(("LD_PRELOAD", &preload));
        set_bare.push(("WEIR_OUT", bare.as_os_str()));
        let alone = self.command(&[program], &set_bare);
        Seen {
            doctor,
            plain,
            run: (ran, load(&run)),
            bare: (alone, load(&bare)),
        }
    }
}

impl Seen {
    /// The doctor says that it can be traced, and it is: it ends as without Weir, and the heap is known or not, as the
    /// doctor says.
    #[track_caller]
    fn expect_traced(self) -> Traced {
        let said = self.doctor.stdout;
        assert_eq!(
            self.doctor.status.code(),
            Some(0),
            "{said}{}",
            self.doctor.stderr
        );
        let unpack = |(ended, report): (Ended, Option<Report>)| {
            let report = report.unwrap_or_else(|| panic!("no report: {ended:?}; {said}"));
            assert_eq!(ended.status, self.plain.status, "{ended:?}");
            assert_eq!(ended.stdout, self.plain.stdout);
            report
        };
        let (run, bare) = (unpack(self.run), unpack(self.bare));
        for report in [&run, &bare] {
            let heap = &report.processes[0].heap;
            match &heap.not_known {
                Some(reason) => assert!(
                    said.contains(&format!("{HEAP}{reason}")),
                    "{reason}: {said}"
                ),
                None => assert!(!said.contains(HEAP), "it is known: {said}"),
            }
        }
        // What a trial has shown is in the reports.
        for line in said.lines() {
            let notes = |report: &Report| report.processes[0].missed.notes.clone();
            if let Some(note) = line.strip_prefix("- in a trial: ") {
                assert!(notes(&run).iter().any(|is| is == note), "{note}");
            } else if let Some(note) = line.strip_prefix("- in a trial with LD_PRELOAD alone: ") {
                assert!(notes(&bare).iter().any(|is| is == note), "{note}");
                assert!(!notes(&run).iter().any(|is| is == note), "{note}");
            }
        }
        Traced { said, run, bare }
    }

    /// The doctor says why it cannot be traced, `weir run` says the same and does not run it, and with LD_PRELOAD alone there
    /// is no report either.
    #[track_caller]
    fn expect_refused(self, code: i32, why: &str) {
        let said = &self.doctor.stderr;
        assert_eq!(
            self.doctor.status.code(),
            Some(code),
            "{said}{}",
            self.doctor.stdout
        );
        assert!(said.contains(why), "{said}");
        assert_eq!(
            said.lines()
                .filter(|line| line.starts_with("weir: "))
                .count(),
            1,
            "{said}"
        );
        let (run, report) = &self.run;
        assert_eq!(run.status.code(), Some(code), "{run:?}");
        assert_eq!((&run.stdout[..], &run.stderr), ("", said));
        assert!(report.is_none());
        assert!(self.bare.1.is_none(), "{:?}", self.bare.0);
    }
}

struct Traced {
    said: String,
    run: Report,
    bare: Report,
}

impl Traced {
    #[track_caller]
    fn says(self, what: &str) -> Traced {
        assert!(self.said.contains(what), "{what}: {}", self.said);
        self
    }

    #[track_caller]
    fn says_not(self, what: &str) -> Traced {
        assert!(!self.said.contains(what), "{what}: {}", self.said);
        self
    }

    fn reports(&self) -> [&Report; 2] {
        [&self.run, &self.bare]
    }

    fn processes(&self) -> [&Process; 2] {
        self.reports().map(|report| &report.processes[0])
    }
}

/// Compiles `tests/programs/answers.c`, or another source, with a compiler.
fn compiled(folder: &Path, compiler: &[&str], source: &str) -> PathBuf {
    let program = folder.join("program");
    let source = if source.ends_with(".c") {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/programs")
            .join(source)
    } else {
        let path = folder.join("source.c");
        fs::write(&path, source).expect("written");
        path
    };
    let mut command = Command::new(compiler[0]);
    command
        .arg("-o")
        .arg(&program)
        .arg(source)
        .args(&compiler[1..]);
    let (status, _, stderr) = finish(&mut command, b"");
    assert!(
        status.success(),
        "{compiler:?}: {}",
        String::from_utf8_lossy(&stderr)
    );
    program
}

const ALLOCATES: &str = "#include <stdio.h>\n#include <stdlib.h>\n\
    int main(void) { char *block = malloc(100); snprintf(block, 100, \"fine\"); puts(block); free(block); return 4; }\n";

#[test]
fn of_allocators() {
    for name in [
        "own_malloc",
        "bare_malloc",
        "does_little",
        "allocates_jemalloc",
        "allocates_tcmalloc",
        "allocates_mimalloc",
        "allocates_strictly",
    ] {
        here().see(&victim(name), &[]).expect_traced();
    }
    let own = here().see(&victim("own_malloc"), &[]).expect_traced();
    own.says("defines malloc, calloc, realloc and free itself")
        .says("the program uses the malloc of");
    let bare = here().see(&victim("bare_malloc"), &[]).expect_traced();
    bare.says("cannot get the sizes of blocks");
    here()
        .see(&victim("does_little"), &[])
        .expect_traced()
        .says_not(HEAP);
}

#[test]
fn of_sanitizers() {
    let folder = scratch();
    let mut compilers = vec!["gcc"];
    if Path::new("/usr/bin/clang").exists() {
        compilers.push("clang");
    }
    for compiler in compilers {
        for flag in ["leak", "thread", "undefined"] {
            let flag = format!("-fsanitize={flag}");
            let program = compiled(folder.path(), &[compiler, &flag], ALLOCATES);
            // Where a thread's shadow is to lie there may be something else, if addresses are random.
            let place =
                within("exec setarch --addr-no-randomize /bin/sh -c 'exec \"$@\"' sh \"$@\"");
            place.see(&program, &[]).expect_traced();
        }
    }
    let options = ("ASAN_OPTIONS", "verify_asan_link_order=0");
    let shared = compiled(folder.path(), &["gcc", "-fsanitize=address"], ALLOCATES);
    here()
        .see(&shared, &[])
        .expect_refused(126, "AddressSanitizer");
    here()
        .see(&shared, &[options])
        .expect_traced()
        .says("has a sanitizer (libasan.so");
    let flags = ["gcc", "-fsanitize=address", "-static-libasan"];
    let fixed = compiled(folder.path(), &flags, ALLOCATES);
    here()
        .see(&fixed, &[])
        .expect_traced()
        .says("others itself");
}

/// A sanitizer comes with a library, or is preloaded, while the program knows nothing of it.
#[test]
fn of_a_sanitizer_that_something_else_brings() {
    let folder = scratch();
    let library = compiled(
        folder.path(),
        &["gcc", "-fsanitize=address", "-shared", "-fPIC"],
        "int answer(void) { return 4; }\n",
    );
    let library_path = folder.path().join("libanswer.so");
    fs::rename(library, &library_path).expect("ours");
    let rpath = format!("-Wl,-rpath,{}", folder.path().display());
    let flags = ["gcc", library_path.to_str().expect("UTF-8"), &rpath];
    let program = compiled(
        folder.path(),
        &flags,
        "int answer(void);\nint main(void) { return answer(); }\n",
    );
    here()
        .see(&program, &[])
        .expect_refused(126, "AddressSanitizer");
    let (_, name, _) = finish(Command::new("gcc").arg("-print-file-name=libasan.so"), b"");
    let name = String::from_utf8(name).expect("UTF-8");
    let program = compiled(folder.path(), &["gcc"], ALLOCATES);
    let seen = here().see(&program, &[("LD_PRELOAD", name.trim())]);
    assert_eq!(seen.doctor.status.code(), Some(126), "{:?}", seen.doctor);
    assert_eq!(seen.plain.status.code(), Some(4));
    assert_eq!(seen.run.0.status.code(), Some(126), "it is not run");
    assert_ne!(seen.bare.0.status.code(), Some(4), "it would be ended");
}

#[test]
fn of_what_no_glibc_starts() {
    let folder = scratch();
    for (compiler, why) in [
        (&["gcc", "-static"][..], "is statically linked"),
        (&["gcc", "-static-pie"], "is statically linked"),
        (&["musl-gcc"], "is linked against musl"),
        (&["gcc", "-m32"], "is a 32-bit x86 program"),
    ] {
        let program = compiled(folder.path(), compiler, ALLOCATES);
        here().see(&program, &[]).expect_refused(126, why);
        // And by a script.
        let script = folder.path().join("script");
        fs::write(&script, format!("#!{}\n", program.display())).expect("written");
        fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("ours");
        here().see(&script, &[]).expect_refused(126, why);
    }
}

#[test]
fn of_scripts() {
    let folder = scratch();
    let script = folder.path().join("script");
    for (text, is_traced) in [
        ("#!/bin/sh\necho x\nexit 4\n", true),
        ("#!/usr/bin/env sh\necho x\nexit 4\n", true),
        ("#!/usr/bin/env -S -i sh\necho x\nexit 4\n", false),
    ] {
        fs::write(&script, text).expect("written");
        fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("ours");
        let seen = here().see(&script, &[]);
        if is_traced {
            let traced = seen.expect_traced().says("its interpreter is");
            for report in traced.reports() {
                let last = report.processes.last().expect("one");
                assert!(last.executable.ends_with("/dash"), "{}", last.executable);
                assert_eq!(last.end.status, Some(4));
            }
        } else {
            assert_eq!(seen.doctor.status.code(), Some(126), "{:?}", seen.doctor);
            let (run, report) = seen.run;
            assert_eq!(
                (run.status.code(), run.stderr),
                (Some(126), seen.doctor.stderr)
            );
            assert!(report.is_none());
            // With LD_PRELOAD alone it is env that is traced, and nothing after it.
            let bare = seen.bare.1;
            let last = bare.iter().flat_map(|report| &report.processes).last();
            assert!(last.is_none_or(|last| last.executable.ends_with("/env")));
        }
    }
}

/// The command and the library where every user finds them.
fn for_all() -> (TempDir, PathBuf, PathBuf) {
    let folder = scratch();
    let (command, library) = (folder.path().join("weir"), folder.path().join("libweir.so"));
    fs::copy(weir::command(), &command).expect("copied");
    fs::copy(weir::library(), &library).expect("copied");
    for path in [folder.path(), &command, &library] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("ours");
    }
    (folder, command, library)
}

#[test]
fn of_a_set_user_id_program() {
    let (folder, command, library) = for_all();
    let program = compiled(folder.path(), &["gcc"], ALLOCATES);
    let place = |script| Place {
        script,
        weir: &command,
        library: &library,
    };
    let become_other = format!(
        "exec setpriv --reuid {OTHER} --regid {OTHER} --clear-groups /bin/sh -c 'cd / && exec \"$@\"' sh \"$@\""
    );
    let bound = become_other.replace("setpriv", "setpriv --no-new-privs");
    place(&become_other).see(&program, &[]).expect_traced();
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).expect("ours");
    place(&become_other)
        .see(&program, &[])
        .expect_refused(126, "is setuid to user 0");
    // Where no exec gives rights, and for who has them already.
    place(&bound).see(&program, &[]).expect_traced();
    here().see(&program, &[]).expect_traced();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("ours");
    let (status, _, stderr) = finish(
        Command::new("setcap").arg("cap_net_raw+ep").arg(&program),
        b"",
    );
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    place(&become_other)
        .see(&program, &[])
        .expect_refused(126, "has file capabilities");
}

/// A library that needs a symbol version which no C library has yet.
#[test]
fn of_a_c_library_that_is_too_old() {
    let (folder, command, library) = for_all();
    let program = compiled(folder.path(), &["gcc"], ALLOCATES);
    let stub = folder.path().join("libc.so.6");
    let versions = folder.path().join("versions");
    fs::write(&versions, "GLIBC_9.99 { of_the_future; };\n").expect("written");
    let gcc = |flags: &[&OsStr], source: &str| {
        let path = folder.path().join("source.c");
        fs::write(&path, source).expect("written");
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-nostdlib"])
            .arg(&path)
            .args(flags);
        let (status, _, stderr) = finish(&mut gcc, b"");
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    };
    let mut script = std::ffi::OsString::from("-Wl,--version-script=");
    script.push(&versions);
    gcc(
        &[
            "-o".as_ref(),
            stub.as_ref(),
            "-Wl,-soname,libc.so.6".as_ref(),
            &script,
        ],
        "void of_the_future(void) {}\n",
    );
    gcc(
        &["-o".as_ref(), library.as_ref(), stub.as_ref()],
        "void of_the_future(void);\nvoid start(void) { of_the_future(); }\n",
    );
    let place = Place {
        script: ":",
        weir: &command,
        library: &library,
    };
    let seen = place.see(&program, &[]);
    assert!(
        seen.bare.0.stderr.contains("GLIBC_9.99' not found"),
        "{:?}",
        seen.bare.0
    );
    assert_ne!(seen.bare.0.status, seen.plain.status);
    seen.expect_refused(126, "without GLIBC_9.99");
}

#[test]
fn of_a_library_where_nothing_may_be_executed() {
    let folder = scratch();
    let (bin, lib) = (folder.path().join("bin"), folder.path().join("lib/weir"));
    fs::create_dir_all(&bin).expect("made");
    fs::create_dir_all(&lib).expect("made");
    let command = bin.join("weir");
    fs::copy(weir::command(), &command).expect("copied");
    let library = lib.join("libweir.so");
    let script = format!(
        "mount -t tmpfs -o noexec none {} && cp {} {}",
        lib.display(),
        weir::library().display(),
        library.display()
    );
    let place = Place {
        script: &script,
        weir: &command,
        library: &library,
    };
    let seen = place.see(&victim("does_little"), &[]);
    assert_eq!(seen.doctor.status.code(), Some(126), "{:?}", seen.doctor);
    assert!(
        seen.doctor.stderr.contains("mounted noexec"),
        "{:?}",
        seen.doctor
    );
    let (run, report) = seen.run;
    assert!(report.expect("a report").processes.is_empty(), "{run:?}");
    assert!(seen.bare.1.is_none());
}

#[test]
fn of_what_is_preloaded_already() {
    let program = victim("does_little");
    let folder = scratch();
    let narrow = compiled(
        folder.path(),
        &["gcc", "-m32", "-shared", "-fPIC"],
        "int x;\n",
    );
    let jemalloc = "libjemalloc.so.2";
    let preload = format!("/nonexistent/x.so:{} {jemalloc}", narrow.display());
    let traced = here()
        .see(&program, &[("LD_PRELOAD", &preload)])
        .expect_traced()
        .says("/nonexistent/x.so is in LD_PRELOAD, and is not found")
        .says("is in LD_PRELOAD, and is for 32-bit x86 programs")
        .says("/libjemalloc.so.2 is preloaded already, and defines malloc, ")
        .says("calls reach Weir first");
    for process in traced.processes() {
        let malloc = process.provenance_of("malloc").expect("known");
        assert!(malloc.interposed);
        let next = malloc.next.clone().unwrap_or_default();
        assert!(next.ends_with("/libjemalloc.so.2"), "{next}");
    }
    // What the dynamic linker says of the two, it says without Weir as well.
    let seen = here().see(&program, &[("LD_PRELOAD", &preload)]);
    for name in ["/nonexistent/x.so", "program"] {
        let line = |ended: &Ended| {
            ended
                .stderr
                .lines()
                .any(|line| line.contains(name) && line.contains("ld.so"))
        };
        assert!(line(&seen.plain) && line(&seen.bare.0), "{name}");
    }
    for other in [
        "faketime/libfaketime.so.1",
        "libeatmydata.so",
        "torsocks/libtorsocks.so",
    ] {
        let path = format!("/usr/lib/x86_64-linux-gnu/{other}");
        here()
            .see(&program, &[("LD_PRELOAD", &path)])
            .expect_traced()
            .says(&format!("{path} is preloaded already, and defines"));
    }
}

#[test]
fn of_weir_that_is_preloaded_already() {
    let program = victim("does_little");
    let (folder, _, copy) = for_all();
    let own = weir::library().display().to_string();
    let seen = here().see(&program, &[("LD_PRELOAD", &own)]);
    let traced = seen.expect_traced();
    assert_eq!(traced.run.processes.len(), 1);
    let other = folder.path().join("libweir-of-another-build.so");
    fs::rename(copy, &other).expect("ours");
    let seen = here().see(&program, &[("LD_PRELOAD", &other.display().to_string())]);
    let (said, report) = (seen.doctor.stdout, seen.run.1.expect("a report"));
    assert!(said.contains("is another copy of Weir's library"), "{said}");
    assert_eq!(report.processes.len(), 2, "each tells of the same process");
}

#[test]
fn of_processes_that_cannot_be_seen() {
    let traced = within("mount -t tmpfs none /proc")
        .see(&victim("does_little"), &[])
        .expect_traced()
        .says("/proc is not mounted: the report will have no path of the executable");
    for process in traced.processes() {
        assert_eq!(process.executable, "");
    }
    let traced = here().see(&victim("does_little"), &[]).expect_traced();
    for process in traced.says_not("/proc").processes() {
        assert_ne!(process.executable, "");
    }
    let (folder, command, library) = for_all();
    let program = compiled(folder.path(), &["gcc"], ALLOCATES);
    let script = format!(
        "mount -t proc -o hidepid=2 none /proc && exec setpriv --reuid {OTHER} --regid {OTHER} --clear-groups /bin/sh -c 'cd / && exec \"$@\"' sh \"$@\""
    );
    let place = Place {
        script: &script,
        weir: &command,
        library: &library,
    };
    place
        .see(&program, &[])
        .expect_traced()
        .says("/proc hides the processes of other users (hidepid)");
}

#[test]
fn of_places_for_regions() {
    let program = victim("does_little");
    for (script, set, place) in [
        ("mount -t tmpfs -o ro none /dev/shm", None, "/dev/shm: "),
        (
            "mount -t tmpfs -o size=16k none /dev/shm",
            None,
            "/dev/shm: ",
        ),
        (":", Some("/nonexistent"), "/nonexistent: "),
    ] {
        let set: Vec<_> = set
            .map(|place| ("WEIR_REGION_DIR", place))
            .into_iter()
            .collect();
        let traced = within(script).see(&program, &set).expect_traced();
        let traced = traced
            .says(&format!("regions cannot be made in {place}"))
            .says("in a trial with LD_PRELOAD alone: ");
        assert_eq!(traced.run.processes[0].missed.notes, Vec::<String>::new());
        assert_ne!(traced.bare.processes[0].missed.notes, Vec::<String>::new());
    }
    let seen = within("ulimit -f 0").see(&program, &[]);
    seen.expect_refused(125, "no room for regions");
}

#[test]
fn of_a_cache_that_cannot_be_trusted() {
    let (folder, command, _) = for_all();
    // Alone: the library that it brings along is to be unpacked.
    let alone = folder.path().join("alone");
    fs::create_dir(&alone).expect("made");
    let command = {
        let path = alone.join("weir");
        fs::rename(command, &path).expect("ours");
        path
    };
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("made");
    let place = Place {
        script: ":",
        weir: &command,
        library: weir::library(),
    };
    for (mode, is_kept) in [(0o755, true), (0o777, false)] {
        fs::set_permissions(&home, Permissions::from_mode(mode)).expect("ours");
        let home = home.to_str().expect("UTF-8");
        let traced = place
            .see(&victim("does_little"), &[("HOME", home)])
            .expect_traced();
        let line = "the library cannot be kept in the cache";
        if is_kept {
            traced.says_not(line);
        } else {
            traced.says(line);
        }
        let is_there = Path::new(home).join(".cache/weir").exists();
        assert_eq!(is_there, is_kept);
        let _ = fs::remove_dir_all(Path::new(home).join(".cache"));
    }
}

#[test]
fn of_limits() {
    let program = victim("does_little");
    let few = "a resource limit left room for fewer threads with counters of their own";
    for (limit, said) in [
        ("-v 200000", "a limit on address space (ulimit -v, "),
        ("-d 20000", "a limit on data (ulimit -d, "),
        ("-f 1000", "a limit on the size of files (ulimit -f, "),
        ("-s 32", "a limit on the stack (ulimit -s, "),
        ("-n 6", "a limit on descriptors (ulimit -n, 6)"),
    ] {
        let script = format!("ulimit {limit}");
        let traced = within(&script)
            .see(&program, &[])
            .expect_traced()
            .says(said);
        for process in traced.processes() {
            let has_few = process.missed.notes.iter().any(|note| note == few);
            assert_eq!(
                has_few,
                ["-v", "-d", "-f"].contains(&&limit[..2]),
                "{limit}"
            );
        }
    }
}

/// A filter of system calls: with one that forbids nothing, and one in which the library ends what loads it.
#[test]
fn of_a_sandbox_around_it() {
    let folder = scratch();
    let filter = |forbidden: &str| {
        let program = compiled(folder.path(), &["gcc", forbidden], "enters_filter.c");
        let path = folder.path().join(format!("enters{forbidden}"));
        fs::rename(program, &path).expect("ours");
        path
    };
    let inside = |filter: &Path| {
        format!(
            "exec {} /bin/sh -c 'exec \"$@\"' sh \"$@\"",
            filter.display()
        )
    };
    let script = inside(&filter("-DNOTHING"));
    within(&script)
        .see(&victim("does_little"), &[])
        .expect_traced()
        .says("a filter of system calls (seccomp)");
    let script = inside(&filter("-DPOPULATE"));
    let seen = within(&script).see(&victim("does_little"), &[]);
    assert_eq!(seen.plain.status.code(), Some(0));
    assert_eq!(seen.doctor.status.code(), Some(126), "{:?}", seen.doctor);
    assert!(
        seen.doctor.stderr.contains("weir run failed in a trial"),
        "{:?}",
        seen.doctor
    );
    assert_eq!(seen.bare.0.status.signal(), Some(libc::SIGSYS));
    let processes = seen.run.1.map(|report| report.processes.len());
    assert!(matches!(processes, None | Some(0)), "{processes:?}");
}

#[test]
fn of_what_passes_by() {
    let folder = scratch();
    let flags = [
        "gcc",
        "-Wl,--no-as-needed",
        "/usr/lib/x86_64-linux-gnu/liburing.so.2",
    ];
    let program = compiled(folder.path(), &flags, ALLOCATES);
    let traced = here()
        .see(&program, &[])
        .expect_traced()
        .says("is linked against liburing");
    for process in traced.processes() {
        let seen = process.missed.io_uring.as_ref().map(|uring| uring.seen);
        assert_eq!(seen, Some(IoUringSeen::Loaded));
    }
    let valgrind =
        Program::new("/usr/bin/valgrind").args(["--quiet".as_ref(), program.as_os_str()]);
    let outcome = valgrind.run(Mode::Run).expect_status(4);
    let mut doctor = Command::new(weir::command());
    let (status, said, _) = finish(doctor.args(["doctor", "valgrind"]).process_group(0), b"");
    assert!(status.success());
    let processes = outcome.processes();
    let last = processes.last().expect("the program");
    let reason = last.heap.not_known.as_ref().expect("not known");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains(reason.as_str()), "{reason}: {said}");
}
