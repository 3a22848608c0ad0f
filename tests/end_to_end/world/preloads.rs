//! Libraries that are preloaded beside ours, before it and after.

use std::path::PathBuf;

use super::{World, calls};
use crate::support::{Program, victim};

/// A library in a folder of its own under `/usr/lib/<machine>`.
fn library(path: &str) -> String {
    let path = PathBuf::from("/usr/lib/x86_64-linux-gnu").join(path);
    assert!(path.exists(), "{} is not there", path.display());
    path.to_string_lossy().into_owned()
}

/// The clock stands still, for the shell's children, too.
#[test]
fn libfaketime() {
    for name in ["libfaketime.so.1", "libfaketimeMT.so.1"] {
        let program = Program::new("/bin/sh")
            .args([
                "-c",
                "date -u +%F; /bin/sleep 0.01; date -u +%F > file; cat file",
            ])
            .env("FAKETIME", "2020-02-02 12:00:00");
        World::new(program)
            .beside(&library(&format!("faketime/{name}")))
            .expect_same(|report| assert_ne!(calls(report, "cat", "write"), 0));
    }
}

/// And a program with threads, a lock of its own in each of the library's functions.
#[test]
fn libfaketime_and_threads() {
    World::new(Program::new(victim("allocates")))
        .beside(&library("faketime/libfaketimeMT.so.1"))
        .expect_same(|report| assert_eq!(calls(report, "allocates", "pwrite"), 31));
}

#[test]
fn libeatmydata() {
    let copy =
        "dd if=/dev/zero of=file bs=1000 count=50 conv=fsync status=none; wc -c < file; sync file";
    World::script(copy)
        .beside(&library("libeatmydata.so"))
        .expect_same(|report| assert_eq!(calls(report, "dd", "write"), 50));
    World::new(Program::new(victim("allocates")))
        .beside(&library("libeatmydata.so"))
        .expect_same(|report| assert_eq!(calls(report, "allocates", "pwrite"), 31));
}

#[test]
fn torsocks() {
    World::new(Program::new(victim("allocates")))
        .beside(&library("torsocks/libtorsocks.so"))
        .expect_same(|report| assert_eq!(calls(report, "allocates", "pwrite"), 31));
}

/// Who is nobody gives a file away, and is told that it is another's. `fakeroot` puts its library before all others,
/// and the second of these after ours.
#[test]
fn fakeroot() {
    const OTHERS: &str = "touch file && chown 1:2 file && stat -c %u:%g file && id -u && tar -cf a.tar file && \
                          tar -tvf a.tar --numeric-owner | grep -c 1/2";
    let program = Program::new("/usr/bin/fakeroot").args(["--", "/bin/sh", "-c", OTHERS]);
    World::new(program)
        .by_nobody()
        .expect_same(|report| assert_ne!(calls(report, "tar", "write"), 0));
    let last = format!(
        "case $LD_PRELOAD in *:*) export LD_PRELOAD=\"${{LD_PRELOAD#*:}}:${{LD_PRELOAD%%:*}}\";; esac; \
         exec /bin/sh -c '{OTHERS}'"
    );
    let program = Program::new("/usr/bin/fakeroot").args(["--", "/bin/sh", "-c", &last]);
    World::new(program)
        .by_nobody()
        .expect_same(|report| assert_ne!(calls(report, "tar", "write"), 0));
}
