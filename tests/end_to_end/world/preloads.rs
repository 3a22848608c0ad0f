//! Libraries that are preloaded together with ours, before it and after it.

use std::path::PathBuf;

use super::{World, calls};
use crate::support::{Program, victim};

/// The path of a library below `/usr/lib/<machine>`.
fn library(path: &str) -> String {
    let path = PathBuf::from("/usr/lib/x86_64-linux-gnu").join(path);
    assert!(path.exists(), "{} is not there", path.display());
    path.to_string_lossy().into_owned()
}

/// The clock stands still, also for the shell's children.
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

/// The same for a program with threads, which take a lock in each of the library's functions.
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

/// A user without rights gives a file away, and then sees it as another user's. `fakeroot` puts its library before
/// all others; the second command moves it behind ours.
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
