//! A shell's children that cannot load the library: they run as without it.

use std::process::Command;

use super::{World, expect_seen};
use crate::support::{NARROW_COMPILER, succeed};

const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    void *block = malloc(1000);
    printf("%d bytes in a pointer\n", (int)sizeof block);
    fflush(stdout);
    free(block);
    if (!fork()) _exit(3);
    int status;
    wait(&status);
    return 4 + WEXITSTATUS(status);
}
"#;

/// A program for musl, one for 32 bits, a static one, and programs that start after them.
#[test]
fn of_another_c_library_and_of_32_bits() {
    let script = "for name in musl small static; do ./$name; echo $name $?; done; ./musl | cat; \
                  env A=b ./small | /bin/cat; /bin/sh -c './musl; ./small; echo $?'; env | grep -c LD_PRELOAD > count; \
                  exec ./musl || true";
    let script = format!("({script}); echo $?");
    World::script(&script)
        .prepared(|folder| {
            let source = folder.join("p.c");
            std::fs::write(&source, SOURCE).expect("a file");
            let to = |name| folder.join(name);
            succeed(
                Command::new("musl-gcc")
                    .arg("-o")
                    .arg(to("musl"))
                    .arg(&source),
                b"",
            );
            succeed(
                Command::new(NARROW_COMPILER[0])
                    .args(&NARROW_COMPILER[1..])
                    .arg("-o")
                    .arg(to("small"))
                    .arg(&source),
                b"",
            );
            succeed(
                Command::new("gcc")
                    .args(["-static", "-o"])
                    .arg(to("static"))
                    .arg(&source),
                b"",
            );
        })
        .expect_same(|report| expect_seen(report, "cat"));
}
