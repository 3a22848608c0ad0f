//! `weir top`: what it shows of a program that runs, and that the program does not notice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use weir_report::model::Report;

use crate::support::terminal::{ENTERS, LEAVES, Terminal, signal};
use crate::support::{copy_program, finish, patient, scratch, victim, weir};

/// What `weir top` says where no process is of the program.
const NOBODY: &str = "weir: no process of ";
/// What is waited for without an end on any machine.
const LONG: Duration = Duration::from_secs(60);

/// A program that waits for lines, under `weir run` or with the library alone.
struct Watched {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Watched {
    fn start(mut command: Command) -> Watched {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let to = process.stdin.take().expect("a pipe");
        let from = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut watched = Watched { process, to, from };
        watched.await_done();
        watched
    }

    fn again(&mut self) {
        self.to.write_all(b"again\n").expect("written");
        self.await_done();
    }

    fn await_done(&mut self) {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("read");
        assert_eq!(line, "done\n");
    }

    fn end(mut self) {
        drop(self.to);
        let mut rest = String::new();
        self.from.read_to_string(&mut rest).expect("read");
        assert!(self.process.wait().expect("ended").success());
    }
}

/// The tables of a page by their titles: for each row its words by the titles of the columns.
fn tables(page: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let sections = page.split("\n\n").skip(1);
    let tables = sections.map(|section| {
        let mut lines = section.lines();
        let title = lines.next().expect("a title").to_owned();
        let rows = lines.skip(1);
        let words = rows.map(|row| {
            row.split("  ")
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        });
        (title, words.collect())
    });
    tables.collect()
}

fn top(arguments: &[&str]) -> String {
    let mut command = Command::new(weir::command());
    command
        .args(["top", "--once", "--width", "200"])
        .args(arguments);
    page(&mut command)
}

/// What `weir top` shows. A process under `weir run` is found when it is half a second old: on a busy machine, later than
/// `weir top` waits for it.
fn page(top: &mut Command) -> String {
    let began = Instant::now();
    loop {
        let (status, page, stderr) = finish(top, b"");
        if status.success() {
            return String::from_utf8(page).expect("UTF-8");
        }
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let is_early = stderr.starts_with(NOBODY) && began.elapsed() < patient(LONG);
        assert!(is_early, "{top:?}: {stderr}");
    }
}

fn row<'t>(
    tables: &'t BTreeMap<String, Vec<Vec<String>>>,
    table: &str,
    name: &str,
) -> &'t [String] {
    let rows = &tables[table];
    let found = rows.iter().find(|row| row[0].starts_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {rows:?}"))
}

/// Waits for a row on the page, which begins with this word; its words.
#[track_caller]
fn await_row(terminal: &mut Terminal, name: &str) -> Vec<String> {
    let row = |of: &Terminal| -> Option<Vec<String>> {
        let page = of.screen.text();
        let mut rows = page
            .lines()
            .map(|line| line.split_whitespace().map(str::to_owned));
        rows.find_map(|mut words| {
            let first = words.next().filter(|first| first == name)?;
            Some([first].into_iter().chain(words).collect())
        })
    };
    terminal.await_so(name, |of| of.is_drawn() && row(of).is_some());
    row(terminal).expect("it is there")
}

/// A program of a name that no other test has. Another run of the tests may have it: the path is this run's.
fn named(folder: &Path, name: &str) -> String {
    let program = folder.join(name);
    copy_program(&victim("watched"), &program);
    program.to_str().expect("UTF-8").to_owned()
}

#[test]
fn totals_and_rates_are_those_of_the_program_and_it_goes_on_as_before() {
    let folder = scratch();
    let program = named(folder.path(), "weir-watched-a");
    let report = folder.path().join("report.json");
    let mut command = Command::new(weir::command());
    command
        .args(["run", "--quiet", "--stacks", "all", "--out"])
        .arg(&report);
    let mut watched = {
        command.args(["--", &program, "3000", "700"]);
        Watched::start(command)
    };
    let whole = tables(&top(&["--totals", "-n", "0.1", &program]));
    // Calls, errors, requested, moved.
    assert_eq!(
        row(&whole, "Functions", "write")[1..5],
        ["3,001", "0", "29.3 KiB", "29.3 KiB"]
    );
    // One is the buffer of standard input.
    assert_eq!(row(&whole, "Functions", "malloc")[1], "701");
    let null = row(&whole, "Files and sockets", "/dev/null");
    assert_eq!(null[1..6], ["device", "3,000", "0", "0 B", "29.3 KiB"]);
    let kept = row(&whole, "Call sites", "keep (watched.c:");
    assert_eq!((kept[1].as_str(), kept[2].as_str()), ("malloc", "700"));
    assert_eq!(kept[3], "684 KiB");
    assert_eq!(
        kept.last().map(String::as_str),
        Some("700"),
        "blocks: {kept:?}"
    );

    // It waits for a line.
    let thread = row(&whole, "Threads", "weir-watched-a");
    let call = thread.last().expect("a column");
    assert!(
        call.starts_with("_IO_file_read for ") && call.ends_with(" of standard input"),
        "{thread:?}"
    );

    // While it waits, it does nothing.
    let quiet = tables(&top(&["-n", "0.2", &program]));
    assert_eq!(quiet["Functions"], Vec::<Vec<String>>::new());

    // In the four seconds: 3,001 writes.
    let mut terminal = Terminal::here(&format!("{} top -n 4 {program}", weir::command().display()));
    terminal.see("nothing");
    watched.again();
    let busy = await_row(&mut terminal, "write");
    let writes: f64 = busy[1].replace(',', "").parse().expect("a number");
    // On a busy machine the time is longer than asked for, by as much as the rate is lower.
    assert!((500.0..=751.0).contains(&writes), "{writes}");
    terminal.press("q");
    assert_eq!(terminal.end().0, "0");
    watched.end();

    let report = std::fs::read_to_string(&report).expect("written");
    let report: Report = serde_json::from_str(&report).expect("JSON");
    let write = &report.functions["write"];
    assert_eq!(write.calls, 6002);
    assert_eq!(
        report.functions["malloc"]
            .size_classes
            .iter()
            .map(|of| of.calls)
            .sum::<u64>(),
        report.functions["malloc"].calls
    );
    let latency = write.latency.as_deref().expect("timed");
    assert_eq!(
        (latency.timed, latency.dropped),
        (6002, 0),
        "no sample was taken away"
    );
}

#[test]
fn a_program_without_weir_run_is_seen_with_what_it_started() {
    let folder = scratch();
    let name = format!("weir-watched-b-{}", std::process::id());
    let program = named(folder.path(), &name);
    let mut command = Command::new("sh");
    command
        .args(["-c", "\"$0\" 40 2; exit 0", &program])
        .env("LD_PRELOAD", weir::library())
        .env("WEIR_OUT", folder.path().join("%p.json"));
    let watched = Watched::start(command);
    let pid = watched.process.id().to_string();
    for target in [pid.as_str(), &name, &program] {
        let page = tables(&top(&["--totals", "-n", "0.1", target]));
        assert_eq!(row(&page, "Functions", "write")[1], "41", "{target}");
        let processes = &page["Processes"];
        let expected = if target == pid { 2 } else { 1 };
        assert_eq!(processes.len(), expected, "{processes:?}");
    }
    watched.end();
}

#[test]
fn a_program_is_seen_whose_first_thread_has_ended() {
    let folder = scratch();
    let program = folder.path().join("weir-watched-g");
    copy_program(&victim("first_thread_ends"), &program);
    let mut child = Command::new(&program)
        .env("LD_PRELOAD", weir::library())
        .env("WEIR_OUT", folder.path().join("%p.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let to = child.stdin.take();
    let mut line = String::new();
    let from = child.stdout.take().expect("a pipe");
    BufReader::new(from).read_line(&mut line).expect("read");
    let page = tables(&top(&["--totals", "-n", "0.1", "weir-watched-g"]));
    assert_eq!(row(&page, "Functions", "pthread_join")[1], "1");
    drop(to);
    assert!(child.wait().expect("ended").success());
}

/// There, a process has another id, and another clock.
#[test]
fn programs_in_other_namespaces_are_seen_by_their_ids_here() {
    let folder = scratch();
    let program = named(folder.path(), "weir-watched-i");
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--time", "--monotonic", "5000", "--fork"])
        .args([&program, "40", "2"])
        .env("LD_PRELOAD", weir::library())
        .env("WEIR_OUT", folder.path().join("%p.json"));
    let watched = Watched::start(command);
    let parent = watched.process.id().to_string();
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.expect("read");
    let child = children.trim();
    // The parent has written to the kernel what the clock is to show.
    for (target, writes) in [
        (parent.as_str(), "42"),
        (child, "41"),
        ("weir-watched-i", "41"),
    ] {
        let page = tables(&top(&["--totals", "-n", "0.1", target]));
        assert_eq!(row(&page, "Functions", "write")[1], writes, "{target}");
        let [_, pid, parent_pid, ran_for, ..] = row(&page, "Processes", &program) else {
            panic!("{page:?}");
        };
        assert_eq!(
            (pid.as_str(), parent_pid.as_str()),
            (child, parent.as_str())
        );
        assert!(
            ran_for.ends_with(" ms") || ran_for.ends_with(" s"),
            "{ran_for}"
        );
    }
    watched.end();
}

/// Without `weir run`, an image has the region's name of the one before it in the process. What that one has counted is none of its.
#[test]
fn after_an_exec_rates_are_those_of_the_new_image() {
    let folder = scratch();
    let program = named(folder.path(), "weir-watched-h");
    let script = "i=0; while [ $i -lt 3000 ]; do echo; i=$((i + 1)); done > /dev/null; echo done; read -r line; exec \"$0\" 40 2";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, &program])
        .env("LD_PRELOAD", weir::library())
        .env("WEIR_OUT", folder.path().join("%p.json"));
    let mut watched = Watched::start(command);
    let pid = watched.process.id();
    let mut terminal = Terminal::here(&format!("{} top -n 3 {pid}", weir::command().display()));
    // Since the look before: for a shell that waits, after the first one.
    terminal.see("nothing");
    watched.again();
    await_row(&mut terminal, "write");
    watched.end();
    terminal.press("q");
    assert_eq!(terminal.end().0, "0");
}

/// `weir run` makes no regions in a directory that other users can change, the library alone does.
#[test]
fn programs_are_seen_that_have_their_regions_elsewhere_than_is_set() {
    let folder = scratch();
    let shared = folder.path().join("shared");
    std::fs::create_dir(&shared).expect("made");
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&shared, all).expect("permissions");
    let region_dir = ("WEIR_REGION_DIR", shared.as_os_str());
    for is_bare in [true, false] {
        let program = named(folder.path(), "weir-watched-f");
        let mut command = match is_bare {
            true => Command::new(&program),
            false => Command::new(weir::command()),
        };
        if is_bare {
            command
                .env("LD_PRELOAD", weir::library())
                .env("WEIR_OUT", folder.path().join("%p.json"));
        } else {
            let report = folder.path().join("run.json");
            command.args(["run", "--quiet", "--out"]).arg(report);
            command.args(["--", &program]);
        }
        let watched = Watched::start({
            command.args(["40", "2"]).envs([region_dir]);
            command
        });
        let mut top = Command::new(weir::command());
        top.args(["top", "--once", "--totals", "-n", "0.1", &program])
            .envs([region_dir]);
        let page = tables(&page(&mut top));
        assert_eq!(row(&page, "Functions", "write")[1], "41", "{is_bare}");
        watched.end();
    }
}

/// `weir run` goes on to the next directory where the one that is set is full, be it that it has room again later.
#[test]
fn programs_are_seen_whose_regions_found_no_room_where_they_were_to_be() {
    let folder = scratch();
    let program = named(folder.path(), "weir-watched-d");
    std::fs::create_dir(folder.path().join("small")).expect("made");
    let script = r#"
        set -e
        mount -t tmpfs -o size=16k none small
        mkfifo lines
        "$1" run --quiet --out report.json -- "$2" 40 2 < lines > said &
        exec 9> lines
        until grep -q done said; do kill -0 $!; sleep 0.05; done
        until "$1" top --once --totals -n 0.1 --width 200 "$2" > full; do kill -0 $!; done
        "$1" recover > listed || true
        mount -o remount,size=64m small
        "$1" top --once --totals -n 0.1 --width 200 "$2" > roomy
        exec 9>&-
        wait
    "#;
    let output = Command::new("timeout")
        .args(["-s", "KILL", "120", "unshare", "--map-root-user", "--mount"])
        .args(["sh", "-c", script, "sh"])
        .arg(weir::command())
        .arg(&program)
        .current_dir(folder.path())
        .env("WEIR_REGION_DIR", folder.path().join("small"))
        .output()
        .expect("unshare runs");
    assert!(output.status.success(), "{output:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
    for page in ["full", "roomy"] {
        assert_eq!(
            row(&tables(&read(page)), "Functions", "write")[1],
            "41",
            "{page}"
        );
    }
    let listed = read("listed");
    assert!(
        listed.contains(" (weir-watched-d) still runs\n"),
        "{listed}"
    );
}

#[test]
fn what_cannot_be_shown_is_one_line() {
    let no_process = Command::new(weir::command())
        .args(["top", "--once", "weir-nobody-has-this-name"])
        .output()
        .expect("ended");
    assert_eq!(no_process.status.code(), Some(125));
    let line = String::from_utf8_lossy(&no_process.stderr).into_owned();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(
        line.starts_with(&format!(
            "{NOBODY}weir-nobody-has-this-name runs under Weir; "
        )),
        "{line}"
    );
    let no_terminal = Command::new(weir::command())
        .arg("top")
        .stdin(Stdio::null())
        .output();
    let no_terminal = no_terminal.expect("ended");
    assert_eq!(no_terminal.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&no_terminal.stderr).contains("--once"));
}

/// With `--progress`, a line on the terminal says how the program is doing, and is gone at the end. Elsewhere there is none.
#[test]
fn progress_is_a_line_on_a_terminal() {
    let folder = scratch();
    let arguments = "run --progress --out report.json -- sleep 2.5";
    let mut terminal = Terminal::here(&format!("{} {arguments}", weir::command().display()));
    let (_, shown) = terminal.end();
    let (lines, summary) = shown.rsplit_once("\r\x1b[K").expect("it is taken away");
    let lines: Vec<&str> = lines.split('\r').filter(|line| !line.is_empty()).collect();
    for (place, line) in lines.iter().enumerate() {
        let seconds = line
            .strip_prefix("weir: ")
            .and_then(|line| line.split_once(" s, 1 process, "));
        let (seconds, rest) = seconds.unwrap_or_else(|| panic!("{shown}"));
        // On a busy machine a line comes late.
        let seconds: usize = seconds.parse().expect("a number");
        assert!(seconds > place, "{shown}");
        assert!(
            rest.contains(" live, 0 allocation calls/s, ") || place == 0,
            "{shown}"
        );
        assert!(line.len() < 100 + "\x1b[K".len(), "{shown}");
    }
    assert!((1..=2).contains(&lines.len()), "{shown}");
    assert!(
        summary.starts_with("weir: sleep 2.5: exited with status 0"),
        "{shown}"
    );

    let weir = Command::new(weir::command())
        .args(arguments.split(' '))
        .current_dir(folder.path())
        .output();
    let weir = weir.expect("ended");
    let said = String::from_utf8(weir.stderr).expect("UTF-8");
    assert!(
        said.starts_with("weir: sleep 2.5: exited with status 0"),
        "{said}"
    );
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let folder = scratch();
    let program = named(folder.path(), "weir-watched-c");
    let mut command = Command::new(weir::command());
    command
        .args(["run", "--quiet", "--out"])
        .arg(folder.path().join("report.json"));
    command.args(["--", &program, "10", "10"]);
    let watched = Watched::start(command);

    // Somebody quits.
    let top = format!("{} top weir-watched-c", weir::command().display());
    let mut terminal = Terminal::here(&top);
    terminal.see("weir-watched-c");
    for (keys, seen) in [
        ("4t", "_IO_file_read for"),
        ("?", "look less often, or more"),
        ("?/", "show rows with:"),
        ("w\r", "rows with: w"),
        ("\x1b[Z", " 3 Call sites "),
    ] {
        terminal.press(keys);
        terminal.see(seen);
    }
    terminal.press("q");
    let (status, shown) = terminal.end();
    assert_eq!(status, "0", "{shown:?}");
    terminal.is_as_before();
    let (before, page) = shown.split_once(ENTERS).expect("another screen");
    assert_eq!(before, "");
    let (_, after) = page.rsplit_once(LEAVES).expect("the screen from before");
    assert_eq!(after, "\x1b[?25h", "the cursor is shown");

    // A signal ends it.
    let mut terminal = Terminal::here(&format!("sh -c 'echo $$ > pid; exec {top}'"));
    terminal.see("weir-watched-c");
    let pid = terminal.file("pid");
    signal("TERM", pid.trim());
    let (status, shown) = terminal.end();
    assert_eq!(status, "143", "{shown:?}");
    assert!(shown.contains(LEAVES), "{shown:?}");
    terminal.is_as_before();
    watched.end();
}

/// A window is closed, and the signal that says so is ignored, as by `nohup`: there is nobody any more to look at a page.
#[test]
fn a_terminal_that_is_closed_ends_the_page() {
    let folder = scratch();
    let program = named(folder.path(), "weir-watched-e");
    let mut command = Command::new(weir::command());
    command
        .args(["run", "--quiet", "--out"])
        .arg(folder.path().join("report.json"));
    command.args(["--", &program, "10", "10"]);
    let watched = Watched::start(command);

    // A shell that does job control needs its terminal to go on.
    let lines = format!(
        "set +m; trap '' HUP; {} top weir-watched-e 2> said; echo $? > ended; times > times",
        weir::command().display()
    );
    let mut terminal = Terminal::here(&lines);
    terminal.see("q quit");
    let closed = terminal.close();
    assert_eq!(closed.file("ended"), "125\n");
    let said = closed.file("said");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("weir: cannot use the terminal: "),
        "{said}"
    );
    // The shell's own times, and those of its children, as `0m0.020000s 0m0.010000s`.
    let times = closed.file("times");
    let children = times.lines().nth(1).expect("two lines");
    for time in children.split(' ') {
        let time = time
            .strip_prefix("0m")
            .and_then(|time| time.strip_suffix('s'));
        let seconds: f64 = time.and_then(|time| time.parse().ok()).expect("a time");
        assert!(seconds < 2.0, "{times}");
    }
    watched.end();
}
