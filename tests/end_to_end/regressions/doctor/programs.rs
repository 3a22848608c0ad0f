//! The program itself: its allocator, sanitizers, its dynamic linker, scripts, rights, the C library that it needs.

use super::*;

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
            // If addresses are random, something else may be at the place of a thread's shadow memory.
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

/// A library brings the sanitizer, or it is preloaded. The program itself has none.
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
    let name = succeed(Command::new("gcc").arg("-print-file-name=libasan.so"), b"");
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
        (&NARROW_COMPILER, "is a 32-bit x86 program"),
    ] {
        let program = compiled(folder.path(), compiler, ALLOCATES);
        here().see(&program, &[]).expect_refused(126, why);
        // The same by a script.
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
            // With LD_PRELOAD alone, env is traced, and nothing that it starts.
            let bare = seen.bare.1;
            let last = bare.iter().flat_map(|report| &report.processes).last();
            assert!(last.is_none_or(|last| last.executable.ends_with("/env")));
        }
    }
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
    // If no exec gives rights, and for a user who has them already.
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
        succeed(&mut gcc, b"");
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
