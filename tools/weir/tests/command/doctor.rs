use super::{refusal, text, weir};

#[test]
fn a_program_that_can_be_traced_gets_a_page_and_0() {
    let output = weir(["doctor", "/bin/sh"]).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    let lines: Vec<&str> = told.lines().collect();
    let of_program = [
        "/bin/sh can be traced",
        "- its dynamic linker is /lib64/ld-linux-x86-64.so.2",
    ];
    assert_eq!(lines[..2], of_program);
    // What is around it depends on where the tests run; where all is well that is one line.
    assert!(
        lines.len() > 2 && lines[2..].iter().all(|line| line.starts_with("- ")),
        "{told}"
    );
}

#[test]
fn a_program_that_cannot_be_traced_gets_a_line_and_126() {
    assert_eq!(
        refusal(&weir(["doctor", "/"]).output().expect("ended")),
        (126, "/ is a directory, not a program".to_owned())
    );
}

#[test]
fn a_program_that_is_not_there_gets_a_line_and_127() {
    let mut command = weir(["doctor", "nosuchprogram"]);
    command.env("PATH", "/nonexistent");
    assert_eq!(
        refusal(&command.output().expect("ended")),
        (
            127,
            "nosuchprogram is not found in PATH; for a program in the working directory, put ./ before its name".to_owned()
        )
    );
}
