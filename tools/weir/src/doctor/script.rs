//! `#!` lines as the kernel reads them, and arguments as `env` reads them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// What a `#!` line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The interpreter; absent where the line names none.
    pub interpreter: Option<OsString>,
    /// If the interpreter is `env`: its arguments.
    pub environment: Option<Environment>,
}

/// What `env` does before it starts a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The program's name, to be looked for in PATH.
    pub program: OsString,
    /// Whether LD_PRELOAD does not survive.
    pub drops_preload: bool,
}

/// Reads the beginning of a file; nothing where it is no script.
pub fn parse(head: &[u8]) -> Option<Script> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // As the kernel has it: one word, and the rest of the line as a single argument.
    let line = trimmed(line);
    let end = line
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | 0))
        .unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    if interpreter.is_empty() {
        return Some(Script {
            interpreter: None,
            environment: None,
        });
    }
    let interpreter = OsString::from_vec(interpreter.to_vec());
    let is_env = Path::new(&interpreter).file_name() == Some(OsStr::new("env"));
    let environment = if is_env {
        environment(trimmed(argument))
    } else {
        None
    };
    Some(Script {
        interpreter: Some(interpreter),
        environment,
    })
}

/// Without the white space that the kernel knows: a carriage return is part of the name.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t' | 0] = text {
        text = rest;
    }
    text
}

/// Reads the argument of `env`: a program's name, or after -S a command line.
fn environment(argument: &[u8]) -> Option<Environment> {
    let words = split_string(argument);
    let mut drops_preload = false;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word {
            b"-" | b"-i" | b"--ignore-environment" => drops_preload = true,
            b"-u" | b"--unset" => drops_preload |= words.next() == Some(b"LD_PRELOAD"),
            b"-C" | b"--chdir" => drop(words.next()),
            b"-uLD_PRELOAD" | b"--unset=LD_PRELOAD" => drops_preload = true,
            b"" => {}
            _ if word.starts_with(b"LD_PRELOAD=") => drops_preload = true,
            _ if word.starts_with(b"-") || word.contains(&b'=') => {}
            program => {
                return Some(Environment {
                    program: OsString::from_vec(program.to_vec()),
                    drops_preload,
                });
            }
        }
    }
    None
}

/// The words that `env` sees: the kernel hands it one argument, which -S has it split.
fn split_string(argument: &[u8]) -> Vec<&[u8]> {
    let clusters: [&[u8]; 4] = [b"-S", b"-iS", b"-vS", b"-viS"];
    if let Some(rest) = argument.strip_prefix(b"--split-string") {
        return spaced(rest.strip_prefix(b"=").unwrap_or(rest));
    }
    for cluster in clusters {
        if let Some(rest) = argument.strip_prefix(cluster) {
            let ignores = if cluster.contains(&b'i') {
                Some(&b"-i"[..])
            } else {
                None
            };
            return ignores.into_iter().chain(spaced(rest)).collect();
        }
    }
    vec![argument]
}

fn spaced(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Option<String>, Option<(String, bool)>) {
        let script = parse(line.as_bytes()).expect("a script");
        let environment = script.environment;
        (
            script
                .interpreter
                .map(|it| it.into_string().expect("UTF-8")),
            environment.map(|it| (it.program.into_string().expect("UTF-8"), it.drops_preload)),
        )
    }

    fn env(argument: &str) -> Option<(String, bool)> {
        read(&format!("#!/usr/bin/env {argument}\n")).1
    }

    #[test]
    fn the_interpreter_is_the_first_word() {
        assert_eq!(parse(b"\x7fELF"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(read("#!/bin/sh").0.as_deref(), Some("/bin/sh"));
        assert_eq!(read("#! \t/bin/sh -eu\nexit").0.as_deref(), Some("/bin/sh"));
        assert_eq!(read("#!/bin/sh\tx\n").0.as_deref(), Some("/bin/sh"));
        assert_eq!(read("#!/bin/sh\r\n").0.as_deref(), Some("/bin/sh\r"));
        assert_eq!(read("#!\n/bin/sh").0, None);
        assert_eq!(read("#!   ").0, None);
        assert_eq!(
            read("#!/opt/env/sh x\n").1,
            None,
            "only a file called env is env"
        );
    }

    #[test]
    fn env_leads_to_a_program() {
        let plain = |program: &str| Some((program.to_owned(), false));
        assert_eq!(env("python3"), plain("python3"));
        assert_eq!(
            env("python3 -u"),
            plain("python3 -u"),
            "without -S it is one argument"
        );
        assert_eq!(env("-S python3 -u"), plain("python3"));
        assert_eq!(env("-Spython3"), plain("python3"));
        assert_eq!(env("-vS -u HOME -C / A=b deno run"), plain("deno"));
        assert_eq!(env("--split-string=node --x"), plain("node"));
        assert_eq!(env(""), None);
    }

    #[test]
    fn env_may_take_the_library_away() {
        for line in [
            "-S -i sh",
            "-iS sh",
            "-S - sh",
            "-S --ignore-environment sh",
            "-S -u LD_PRELOAD sh",
            "-S --unset=LD_PRELOAD sh",
            "-S LD_PRELOAD= sh",
        ] {
            assert_eq!(env(line), Some(("sh".to_owned(), true)), "{line}");
        }
    }
}
