//! `weir run --live`: the page beside a program, which keeps its streams, and the terminal after it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use weir_report::model::{EndKind, Report};

use crate::support::program::copy_program;
use crate::support::terminal::{ENTERS, LEAVES, Terminal, fifo, signal};
use crate::support::{scratch, victim, weir};

/// What a page ends with, and nothing follows.
const LAST: &str = "\x1b[?1049l\x1b[?25h";
/// Its own process id, and weir's.
const SAYS: &str = "echo $$ $PPID > pids";

/// A program by `weir run --live` on a terminal, with its streams in files.
struct Live {
    terminal: Terminal,
}

impl Live {
    /// Of a program in `program`; `before` and `after` are lines of the shell.
    fn start(folder: TempDir, before: &str, program: &str, after: &str) -> Live {
        let run = format!(
            "exec {} run --quiet --live --out report.json -- {program} < /dev/null > said 2> errors",
            weir::command().display()
        );
        fs::write(folder.path().join("run.sh"), run).expect("written");
        // Where a signal ended it, the shell says so.
        let lines = format!("{before}\nsh run.sh 2> shell\n{after}");
        let terminal = Terminal::start(folder, &lines);
        Live { terminal }
    }

    fn of(program: &str) -> Live {
        Live::start(scratch(), ":", program, "")
    }

    /// The process ids of the program and of weir.
    fn pids(&mut self) -> [String; 2] {
        let line = self.terminal.file("pids");
        let mut words = line.split_whitespace().map(str::to_owned);
        [(); 2].map(|()| words.next().expect("two"))
    }

    fn read(&self, name: &str) -> String {
        read(self.terminal.folder.path(), name)
    }

    /// Waits for the end, of which weir says `errors`. The terminal is as it was, and has nothing on it but what was seen on
    /// another screen.
    #[track_caller]
    fn end(&mut self, status: &str, errors: &str) -> Report {
        let (ended, shown) = self.terminal.end();
        let said = self.read("errors");
        assert_eq!((ended.as_str(), said.as_str()), (status, errors));
        let (before, page) = shown.split_once(ENTERS).expect("a page");
        let (_, after) = page.rsplit_once(LEAVES).expect("the screen from before");
        assert_eq!((before, after), ("", "\x1b[?25h"));
        self.terminal.is_as_before();
        report(self.terminal.folder.path())
    }
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn report(folder: &Path) -> Report {
    weir_report::read::load(&folder.join("report.json")).expect("a report")
}

/// The state of a process, as one letter (proc_pid_stat(5)). None where it has ended.
fn state(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether weir still has a thread that shows.
fn has_page(weir: &str) -> bool {
    let tasks = fs::read_dir(format!("/proc/{weir}/task"));
    let mut tasks = tasks.into_iter().flatten().flatten();
    tasks.any(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|it| it == "live\n"))
}

#[test]
fn the_page_has_the_processes_of_this_run_and_can_be_closed_while_the_program_goes_on() {
    let folder = scratch();
    for name in ["weir-live-mine", "weir-live-other"] {
        copy_program(&victim("watched"), &folder.path().join(name));
    }
    let mut other = Command::new(weir::command())
        .args(["run", "--quiet", "--out", "other.json", "./weir-live-other"])
        .args(["10", "2"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let mut lines = fifo(&folder.path().join("lines"));
    let mut end = fifo(&folder.path().join("end"));
    // The process that started it has ended when it is seen.
    let program =
        "sh -c 'sh -c \"./weir-live-mine 40 2 < lines &\"; read line < end; echo the end; exit 3'";
    let mut live = Live::start(folder, ":", program, "");
    live.terminal.see("write");
    live.terminal.press("5");
    live.terminal.see("weir-live-mine");
    live.terminal.press("?");
    live.terminal.see("close this page; the program goes on");
    // Escape takes away what is there, and closes the page only where there is nothing.
    live.terminal.press("\x1b");
    live.terminal.await_so("no keys", |of| {
        of.is_drawn() && !of.screen.text().contains("close this page")
    });
    live.terminal.press("t4");
    live.terminal.see("read fo");
    let shown = String::from_utf8_lossy(&live.terminal.shown).into_owned();
    assert!(!shown.contains("other"), "{shown:?}");
    live.terminal.press("\x1b");
    live.terminal.hear(LAST);
    live.terminal.is_as_before();
    assert_eq!(live.read("said"), "done\n");
    lines.write_all(b"again\n").expect("written");
    let said = live.terminal.path("said");
    live.terminal.await_so("the program goes on", |_| {
        fs::read_to_string(&said).is_ok_and(|said| said == "done\ndone\n")
    });
    drop(lines);
    end.write_all(b"end\n").expect("written");
    let report = live.end("3", "");
    assert_eq!(live.read("said"), "done\ndone\nthe end\n");
    let is_mine = |of: &&weir_report::model::Process| of.executable.ends_with("weir-live-mine");
    let mine = report.processes.iter().find(is_mine).expect("it is there");
    assert_eq!(mine.functions["write"].calls, 82);
    assert!(report.processes.len() >= 3);
    drop(other.stdin.take());
    assert!(other.wait().expect("ended").success());
}

#[test]
fn however_the_program_ends_the_terminal_is_as_it_was() {
    let ended = |program: &str, act: &dyn Fn(&mut Live), status: &str| {
        let mut live = Live::of(program);
        live.terminal.see("q close");
        act(&mut live);
        let end = live.end(status, "").end;
        (end.how, end.status.or(end.signal))
    };
    let lasts = format!("sh -c '{SAYS}; exec sleep 1000'");
    let interrupt = |live: &mut Live| {
        live.pids();
        live.terminal.press("\x03");
    };
    assert_eq!(
        ended(&lasts, &interrupt, "130"),
        (EndKind::Signaled, Some(2))
    );
    let terminate = |live: &mut Live| signal("TERM", &live.pids()[1]);
    assert_eq!(
        ended(&lasts, &terminate, "143"),
        (EndKind::Signaled, Some(15))
    );
    let kill = |live: &mut Live| signal("KILL", &live.pids()[0]);
    assert_eq!(ended(&lasts, &kill, "137"), (EndKind::Signaled, Some(9)));
    let waits = format!("sh -c 'mkfifo go; {SAYS}; read -r what < go; eval \"$what\"'");
    let told = |what: &'static str| {
        move |live: &mut Live| {
            live.pids();
            fs::write(live.terminal.path("go"), what).expect("written");
        }
    };
    assert_eq!(
        ended(&waits, &told("kill -SEGV $$\n"), "139"),
        (EndKind::Signaled, Some(11))
    );
    assert_eq!(
        ended(&waits, &told("exit 4\n"), "4"),
        (EndKind::Exited, Some(4))
    );
}

/// The shell has the terminal, as it was, while weir and the program are stopped, and they go on by its `fg`.
#[test]
fn a_key_stops_weir_with_the_program() {
    let program = format!("sh -c 'mkfifo go; {SAYS}; read -r line < go; exit 5'");
    let after = "echo $? > stopped; mkfifo on; read -r line < on; fg > /dev/null";
    let mut live = Live::start(scratch(), ":", &program, after);
    live.terminal.see("q close");
    let pids = live.pids();
    live.terminal.press("\x1a");
    live.terminal.hear(LAST);
    assert_eq!(live.terminal.file("stopped"), "148\n");
    assert_eq!(pids.each_ref().map(|pid| state(pid)), [Some('T'); 2]);
    live.terminal.is_as_before();
    fs::write(live.terminal.path("on"), "\n").expect("written");
    live.terminal.hear(ENTERS);
    live.terminal.see("q close");
    fs::write(live.terminal.path("go"), "\n").expect("written");
    let report = live.end("5", "");
    assert_eq!(report.end.status, Some(5));
}

/// Without job control, too, weir stops with a program that stops itself, and goes on with it.
#[test]
fn a_program_that_stops_gives_the_terminal_back() {
    let program =
        format!("sh -c 'mkfifo go; {SAYS}; read -r line < go; kill -STOP $$; read -r line < go'");
    let mut live = Live::start(scratch(), "set +m", &program, "");
    live.terminal.see("q close");
    let [pid, weir] = live.pids();
    fs::write(live.terminal.path("go"), "\n").expect("written");
    live.terminal.hear(LAST);
    live.terminal.await_so("both are stopped", |_| {
        [&pid, &weir].map(|pid| state(pid)) == [Some('T'); 2]
    });
    live.terminal.is_as_before();
    signal("CONT", &pid);
    live.terminal.hear(ENTERS);
    live.terminal.see("q close");
    fs::write(live.terminal.path("go"), "\n").expect("written");
    assert_eq!(live.end("0", "").end.status, Some(0));
}

#[test]
fn the_page_has_the_size_of_the_terminal() {
    let mut live = Live::of(&format!("sh -c 'mkfifo go; {SAYS}; read -r line < go'"));
    let is_last = |row: usize| {
        move |of: &Terminal| of.is_drawn() && of.screen.line(row).starts_with("q close")
    };
    live.pids();
    live.terminal.await_so("all rows", is_last(29));
    for rows in [12, 25] {
        live.terminal.resize((rows, 80));
        let last = usize::from(rows) - 1;
        live.terminal.await_so("other rows", is_last(last));
    }
    fs::write(live.terminal.path("go"), "\n").expect("written");
    live.end("0", "");
}

/// The terminal is closed, as a window is; a program that ignores that is recorded to its end.
#[test]
fn a_terminal_that_goes_away_ends_the_page_alone() {
    let program = format!("sh -c 'mkfifo go; {SAYS}; read -r line < go; echo end; exit 6'");
    let mut live = Live::start(scratch(), "set +m; trap '' HUP", &program, "");
    live.terminal.see("q close");
    let [_, weir] = live.pids();
    assert!(has_page(&weir));
    let go = live.terminal.path("go");
    let closed = live.terminal.close();
    closed.wait("the page ends", || !has_page(&weir));
    fs::write(go, "\n").expect("written");
    assert_eq!(closed.file("status"), "6\n");
    assert_eq!(closed.file("said"), "end\n");
    let said = closed.file("errors");
    assert!(
        said.starts_with("weir: the page of --live ended before the program: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(report(closed.folder.path()).end.status, Some(6));
}

/// A page of a size for which there is no memory ends. All else that weir does goes on.
#[test]
fn a_page_that_has_no_memory_ends_alone() {
    let program = format!("sh -c 'mkfifo go; {SAYS}; read -r line < go; echo end; exit 7'");
    let mut live = Live::start(scratch(), "ulimit -d 100000", &program, "");
    live.terminal.see("q close");
    live.pids();
    live.terminal.resize((5000, 5000));
    live.terminal.hear(LAST);
    live.terminal.is_as_before();
    fs::write(live.terminal.path("go"), "\n").expect("written");
    let report = live.end(
        "7",
        "weir: the page of --live ended before the program: not enough memory; the report has everything\n",
    );
    assert_eq!(live.read("said"), "end\n");
    assert_eq!(report.end.status, Some(7));
    assert!(report.functions["read"].calls > 0);
}

/// A terminal that takes nothing, as by a connection that stalls, holds up neither the program nor weir.
#[test]
fn a_terminal_that_takes_nothing_ends_as_the_program_does() {
    let program = format!("sh -c 'mkfifo go; {SAYS}; read -r line < go; exit 8'");
    let mut live = Live::of(&program);
    live.terminal.see("q close");
    live.pids();
    live.terminal.fill("?5?4");
    fs::write(live.terminal.path("go"), "\n").expect("written");
    assert_eq!(live.terminal.file_unseen("status"), "8\n");
    live.terminal.is_as_before();
    assert_eq!(live.read("errors"), "");
    assert_eq!(report(live.terminal.folder.path()).end.status, Some(8));
}

#[test]
fn where_the_program_has_the_terminal_it_is_refused_in_one_line() {
    let run = |redirections: &str| {
        let weir = weir::command().display();
        let lines = format!("{weir} run --live touch started {redirections}");
        let mut terminal = Terminal::here(&lines);
        let (status, shown) = terminal.end();
        assert_eq!(status, "2", "{redirections}: {shown}");
        assert!(!terminal.path("started").exists(), "{redirections}");
        let told = fs::read_to_string(terminal.path("told")).unwrap_or_default();
        let line = shown.replace('\r', "") + &told;
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    };
    assert_eq!(
        run(""),
        "weir: --live has the terminal for its page, so standard input, output and error of the program cannot be a terminal; redirect, for example: < /dev/null > out.txt 2> err.txt\n"
    );
    let input = run("> out 2> told");
    assert!(
        input.ends_with("for example: < /dev/null\n") && input.contains("standard input of"),
        "{input}"
    );
    let background = run("< /dev/null > out 2> told & wait $!");
    assert!(background.contains("in the background"), "{background}");

    let folder = scratch();
    let none = Command::new("setsid")
        .args(["--wait"])
        .arg(weir::command())
        .args(["run", "--live", "touch", "started"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("ended");
    assert_eq!(none.status.code(), Some(2));
    let line = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(line.starts_with("weir: --live needs a terminal"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(!folder.path().join("started").exists());
}
