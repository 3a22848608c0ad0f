use super::*;

/// A directory with the scripts, and env and sh.
fn directory_with(scripts: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in scripts {
        let text = text.replace("DIR", &directory.path().to_string_lossy());
        file(directory.path(), name, text, 0o755);
    }
    std::os::unix::fs::symlink("/bin/sh", directory.path().join("sh")).expect("a link");
    directory
}

fn chain(directory: &Path, program: &str) -> Vec<String> {
    let findings = inspect_in(directory, program).expect("traceable");
    let prefix = format!("{}/", directory.display());
    findings
        .chain
        .iter()
        .map(|file| file.to_string_lossy().replace(&prefix, ""))
        .collect()
}

#[test]
fn a_script_is_followed_to_its_interpreter() {
    let directory = directory_with(&[
        ("plain", "#!/bin/sh\n"),
        ("with-argument", "#! /bin/sh -eu\n"),
        ("nested", "#!DIR/plain\n"),
        ("found", "#!/usr/bin/env sh\n"),
        ("found-split", "#!/usr/bin/env -S A=b sh -eu\n"),
        ("found-script", "#!/usr/bin/env nested\n"),
    ]);
    let chain = |program| chain(directory.path(), program);
    assert_eq!(chain("plain"), ["plain", "/bin/sh"]);
    assert_eq!(chain("with-argument"), ["with-argument", "/bin/sh"]);
    assert_eq!(chain("nested"), ["nested", "plain", "/bin/sh"]);
    assert_eq!(chain("found"), ["found", "/usr/bin/env", "sh"]);
    assert_eq!(chain("found-split"), ["found-split", "/usr/bin/env", "sh"]);
    assert_eq!(
        chain("found-script"),
        ["found-script", "/usr/bin/env", "nested", "plain", "/bin/sh"]
    );
}

#[test]
fn a_script_whose_interpreter_cannot_be_traced_is_refused() {
    let directory = directory_with(&[
        ("missing", "#!/nonexistent/sh\n"),
        ("windows", "#!/bin/sh\r\n"),
        ("folder", "#!/usr\n"),
        ("nameless", "#!\n"),
        ("nowhere", "#!/usr/bin/env nosuchprogram\n"),
        ("cleared", "#!/usr/bin/env -S -i sh\n"),
        ("static", "#!DIR/program\n"),
        ("found-static", "#!/usr/bin/env program\n"),
    ]);
    compiled::cc(directory.path(), compiled::HELLO, &["-static"]);
    let cases = [
        (
            "missing",
            "missing is a script, and its interpreter /nonexistent/sh does not exist",
        ),
        (
            "folder",
            "folder is a script, and its interpreter /usr is a directory, not a program",
        ),
        ("nameless", "nameless has no interpreter after its #!"),
        (
            "nowhere",
            "nowhere is a script for nosuchprogram: nosuchprogram is not found in PATH; for a program in the working directory, put ./ before its name",
        ),
        (
            "cleared",
            "cleared makes env remove LD_PRELOAD from the environment, so its interpreter would not be traced; run the interpreter directly",
        ),
        (
            "static",
            "program is statically linked: no dynamic linker runs in it, so nothing can be preloaded",
        ),
        (
            "found-static",
            "program is statically linked: no dynamic linker runs in it, so nothing can be preloaded",
        ),
    ];
    for (program, message) in cases {
        assert_eq!(
            refusal(directory.path(), program),
            (126, message.to_owned())
        );
    }
    let (code, message) = refusal(directory.path(), "windows");
    assert_eq!(code, 126);
    assert_eq!(
        text::printable(&message),
        "windows is a script, and its interpreter /bin/sh\\r does not exist",
        "the carriage return is shown, not printed"
    );
}

#[test]
fn a_chain_without_end_is_refused() {
    let directory = directory_with(&[
        ("self", "#!DIR/self\n"),
        ("ping", "#!/usr/bin/env pong\n"),
        ("pong", "#!/usr/bin/env ping\n"),
    ]);
    for program in ["self", "ping"] {
        let message = format!("{program} has an endless chain of interpreters");
        assert_eq!(refusal(directory.path(), program), (126, message));
    }
}
