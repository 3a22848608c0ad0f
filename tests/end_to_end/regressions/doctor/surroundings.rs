//! The surroundings of a program: file systems, preloaded libraries, /proc, limits, sandboxes.

use super::*;

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
        &[&NARROW_COMPILER[..], &["-shared", "-fPIC"]].concat(),
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
    // The dynamic linker prints the same messages about the two without Weir.
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
    assert_eq!(report.processes.len(), 2, "each is of the same process");
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
    let folder = scratch();
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), all).expect("permissions");
    let place = folder.path().to_str().expect("UTF-8");
    let set = [("WEIR_REGION_DIR", place)];
    let traced = within(":").see(&program, &set).expect_traced();
    let traced = traced
        .says(&format!("other users can change {place}: "))
        .says_not("in a trial with LD_PRELOAD alone: ");
    for report in traced.reports() {
        assert_eq!(report.processes[0].missed.notes, Vec::<String>::new());
    }
    let seen = within("ulimit -f 0").see(&program, &[]);
    seen.expect_refused(125, "no room for regions");
}

#[test]
fn of_a_cache_that_cannot_be_trusted() {
    let (folder, command, _) = for_all();
    // The command stands alone, so that it has to unpack its embedded library.
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

/// Two seccomp filters: one that forbids nothing, and one under which the library ends every program that loads it.
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
