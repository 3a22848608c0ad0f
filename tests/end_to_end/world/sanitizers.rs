//! Programs that are built with a sanitizer. They run as without Weir, or Weir refuses them in one line before
//! anything runs.

use std::path::Path;
use std::process::Command;

use super::World;
use crate::support::program::finish;
use crate::support::{Mode, Program, scratch, weir};

const SOURCE: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *thread(void *block) { memset(block, 'x', 100); return block; }
int main(void) {
    pthread_t other;
    char *block = malloc(100);
    pthread_create(&other, NULL, thread, block);
    pthread_join(other, NULL);
    FILE *file = fopen("file", "w");
    fwrite(block, 1, 100, file);
    fclose(file);
    free(block);
    puts("fine");
    return 0;
}
"#;

/// If addresses are random, something else may be at the place of a thread's shadow memory.
fn without_random_addresses() -> std::io::Result<()> {
    // SAFETY: a number. If it cannot be set, many cases work all the same.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    Ok(())
}

fn compile(folder: &Path, flags: &[&str]) {
    let source = folder.join("p.c");
    std::fs::write(&source, SOURCE).expect("a file");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-pthread", "-o"])
        .arg(folder.join("p"))
        .arg(&source)
        .args(flags);
    let done = gcc.output().expect("gcc runs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[track_caller]
fn expect_unharmed_or_refused(flags: &'static [&'static str]) {
    let folder = scratch();
    compile(folder.path(), flags);
    let path = folder.path().join("p");
    let mut doctor = Command::new(weir::command());
    doctor.arg("doctor").arg(&path);
    doctor.env("ASAN_OPTIONS", "verify_asan_link_order=0");
    let (answer, _, said) = finish(&mut doctor, b"");
    if answer.success() {
        let program = Program::new("./p")
            .env("ASAN_OPTIONS", "verify_asan_link_order=0")
            .before_exec(without_random_addresses);
        return World::new(program)
            .prepared(|folder| compile(folder, flags))
            .expect_same(|_| ());
    }
    let said = String::from_utf8_lossy(&said).to_lowercase();
    assert!(
        said.contains("saniti"),
        "{flags:?}: weir doctor says why: {said}"
    );
    let run = Program::new(&path).env("ASAN_OPTIONS", "verify_asan_link_order=0");
    let mut run = run.command(Mode::Run, &folder.path().join("report.json"));
    let (status, stdout, stderr) = finish(run.current_dir(&folder), b"");
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "{flags:?}: weir run refuses it, too");
    assert_eq!(
        (stdout.len(), stderr.lines().count()),
        (0, 1),
        "{flags:?}: {stderr}"
    );
    assert!(
        !folder.path().join("file").exists(),
        "{flags:?}: it has run"
    );
}

/// AddressSanitizer ends a program that loads another library before it, unless the option that its manual names is
/// set.
#[test]
fn address_that_insists_on_being_first() {
    let folder = scratch();
    compile(folder.path(), &["-fsanitize=address"]);
    let path = folder.path().join("p");
    let mut doctor = Command::new(weir::command());
    doctor.arg("doctor").arg(&path).env_remove("ASAN_OPTIONS");
    let (status, _, said) = finish(&mut doctor, b"");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(status.code(), Some(126));
    assert!(said.contains("verify_asan_link_order=0"), "{said}");
    let run = Program::new(&path);
    let mut run = run.command(Mode::Run, &folder.path().join("report.json"));
    run.current_dir(&folder).env_remove("ASAN_OPTIONS");
    let (status, stdout, stderr) = finish(&mut run, b"");
    assert_eq!((status.code(), stdout.len()), (Some(126), 0));
    assert_eq!(String::from_utf8_lossy(&stderr), said);
}

#[test]
fn address() {
    expect_unharmed_or_refused(&["-fsanitize=address"]);
    expect_unharmed_or_refused(&["-fsanitize=address", "-static-libasan"]);
}

#[test]
fn thread() {
    expect_unharmed_or_refused(&["-fsanitize=thread"]);
    expect_unharmed_or_refused(&["-fsanitize=thread", "-static-libtsan"]);
}

#[test]
fn leak() {
    // A program that gcc 12 makes with -static-liblsan does not run, with or without Weir.
    expect_unharmed_or_refused(&["-fsanitize=leak"]);
}

#[test]
fn undefined() {
    expect_unharmed_or_refused(&["-fsanitize=undefined"]);
    expect_unharmed_or_refused(&["-fsanitize=undefined", "-static-libubsan"]);
}
