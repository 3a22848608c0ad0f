use std::process::Command;

use super::{refusal, success, text, weir};

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["run", "--help"],
        &["help", "report"],
    ] {
        let output = weir(arguments).output().expect("ended");
        assert!(success(&output).contains("Usage: weir"), "{arguments:?}");
    }
}

/// In a working copy of the repository the version has the commit; elsewhere it stands alone.
#[test]
fn the_version_has_the_commit() {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let git = git.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = git.output().ok().filter(|output| output.status.success())?;
        Some(text(&output.stdout).trim_end().to_owned())
    };
    let is_repository = git(&["rev-parse", "--show-prefix"]).as_deref() == Some("tools/weir/");
    let commit = git(&["rev-parse", "HEAD"]).filter(|_| is_repository);
    let expected = match commit {
        Some(commit) => format!("weir {} ({})\n", env!("CARGO_PKG_VERSION"), &commit[..12]),
        None => format!("weir {}\n", env!("CARGO_PKG_VERSION")),
    };
    for flag in ["--version", "-V"] {
        let output = weir([flag]).output().expect("ended");
        assert_eq!(text(&output.stdout), expected);
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn every_help_has_examples() {
    for command in [
        "run",
        "report",
        "check",
        "diff",
        "merge",
        "export",
        "flame",
        "html",
        "top",
        "recover",
        "doctor",
        "library",
        "completions",
        "man",
    ] {
        for flag in ["-h", "--help"] {
            let mut command_line = weir([command, flag]);
            command_line.env("COLUMNS", "80");
            let help = text(&command_line.output().expect("ended").stdout);
            assert!(
                help.contains(&format!("\n  weir {command} ")) || help.contains("weir man |"),
                "{help}"
            );
            assert!(
                help.lines().all(|line| line.chars().count() <= 80),
                "{help}"
            );
            // A line that was too long leaves a word alone.
            let alone =
                |line: &&str| line.split(' ').count() == 1 && line.ends_with(char::is_lowercase);
            assert_eq!(help.lines().find(alone), None, "{help}");
        }
    }
}

#[test]
fn nonsense_is_refused_in_one_line_with_2() {
    let cases: [(&[&str], &str); 5] = [
        (&[], "no command given"),
        (&["rnu", "ls"], "unrecognized subcommand 'rnu'"),
        (&["report"], "required arguments were not provided: <FILE>"),
        (
            &["run", "--interval", "soon", "ls"],
            "invalid value 'soon' for '--interval <SECONDS>'",
        ),
        (
            &["report", "x", "--color", "mauve"],
            "[possible values: auto, always, never]",
        ),
    ];
    for (arguments, part) in cases {
        let (code, line) = refusal(&weir(arguments).output().expect("ended"));
        assert_eq!(code, 2, "{arguments:?}");
        assert!(line.contains(part), "{line}");
        assert!(line.contains("--help'"), "{line}");
    }
}

#[test]
fn lifetimes_of_no_call_sites_are_refused() {
    let arguments = ["run", "--stacks", "off", "--lifetimes", "echo", "started"];
    let output = weir(arguments).output().expect("ended");
    let (code, line) = refusal(&output);
    assert_eq!((code, text(&output.stdout).as_str()), (2, ""));
    let expected = "--lifetimes is of call sites, and --stacks off records none";
    assert_eq!(line, expected);
}

#[test]
fn completions_and_the_manual_page_know_every_command() {
    for generated in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        let output = text(&weir(generated).output().expect("ended").stdout);
        for command in [
            "run",
            "report",
            "export",
            "flame",
            "html",
            "top",
            "recover",
            "doctor",
            "library",
            "schema",
            "completions",
            "man",
        ] {
            assert!(output.contains(command), "{generated:?} without {command}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page_with_its_options() {
    for (command, option) in [("run", "time"), ("report", "process"), ("recover", "out")] {
        let page = text(&weir(["man", command]).output().expect("ended").stdout);
        assert!(page.contains(&format!(".TH weir-{command} 1")), "{page}");
        assert!(page.contains(&format!("\\-\\-{option}")), "{page}");
        assert!(page.contains(".SH NOTES\n.nf\n"), "{page}");
        let first_line = format!(".TH weir-{command} 1  \"weir {}", env!("CARGO_PKG_VERSION"));
        assert!(page.contains(&first_line), "{page}");
    }
    let (code, line) = refusal(&weir(["man", "nothing"]).output().expect("ended"));
    assert_eq!(
        (code, line.as_str()),
        (2, "there is no command nothing (see 'weir --help')")
    );
}
