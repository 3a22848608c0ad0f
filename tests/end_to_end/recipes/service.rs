//! A service under systemd: its units are valid, and a stop by SIGTERM leaves a report.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use weir_report::read;

use super::Recipe;
use crate::support::weir;

const DROP_IN: &str = "files.service.d/weir.conf";

#[test]
fn systemd_accepts_the_units() {
    let recipe = Recipe::new("systemd");
    let command = weir::command().to_str().expect("UTF-8");
    let tested = format!("ExecStart={command} ");
    recipe.change(DROP_IN, "ExecStart=/usr/bin/weir ", &tested);
    let verify = "systemd-analyze verify ./files.service";
    assert_eq!(recipe.succeeds(verify), "");

    // What it prints is about the drop-in, too.
    recipe.change(DROP_IN, "KillMode=mixed", "KillMode=mixd");
    assert!(recipe.succeeds(verify).contains("mixd"));
}

/// Makes the surroundings of the service: the command and the state's folder in other places, so that /tmp can be as PrivateTmp has
/// it, without what else is there.
const SURROUNDINGS: &str = r#"
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/tools /mnt/state
    mount --bind "$1" /mnt/tools
    mount --bind "$2" /mnt/state
    mount -t tmpfs tmpfs /tmp
    export STATE_DIRECTORY=/mnt/state
"#;

#[test]
fn a_stop_leaves_a_report() {
    let recipe = Recipe::new("systemd");
    let drop_in = std::fs::read_to_string(recipe.file(DROP_IN)).expect("a file");
    let line = drop_in
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/usr/bin/weir "))
        .expect("a command");
    // Any free port.
    let line = line.strip_suffix(" 8000").expect("the port");
    let script = format!("{SURROUNDINGS}\nexec /mnt/tools/weir {line} 0");
    let mut child = Command::new("unshare")
        .args(["--mount", "sh", "-euc", &script, "sh"])
        .arg(weir::command().parent().expect("a folder"))
        .arg(recipe.folder.path())
        .env("PYTHONUNBUFFERED", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut said = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut said).expect("text");
    assert!(said.starts_with("Serving HTTP on 127.0.0.1 port"), "{said}");
    // SAFETY: sends a signal to a child that nobody has waited for yet.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
    let status = child.wait().expect("the child is ours");
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    let report = read::load(&recipe.file("weir.json")).expect("a report");
    assert_eq!(report.functions["listen"].calls, 1);
    assert_eq!(report.end.signal, Some(libc::SIGTERM));
}
